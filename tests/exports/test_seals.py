"""Artefacts are held against their seals once an export, whoever reads them, and damage is found all the same."""

from __future__ import annotations

import dataclasses
import os
import pickle
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from curate.config import ExportOptions, WebDatasetOptions
from curate.exports import ExportEntry, export_dataset
from curate.exports.exporter import Settle
from curate.exports.formats.making import Job
from curate.exports.formats.registry import do_job
from curate.workspace.seals import DamagedArtefact, Seal, SealedFiles
from tests.exports.making import make_entry

FORMATS = ("parquet", "lmdb", "webdataset", "dinov2")


class ByPost:
    """A crew that is told nothing but what can be pickled, as workers are; each job meets another one."""

    def __init__(self, after: Callable[[int], None] = lambda count: None) -> None:
        self.jobs = 0
        self._after = after

    def work(self, jobs: Iterable[Job], settle: Settle) -> None:
        waiting = list(jobs)[::-1]
        while waiting:
            job = waiting.pop()
            self.jobs += 1
            answer = do_job(pickle.loads(pickle.dumps(job)), f"attempt-{self.jobs}", lambda: None)
            waiting += list(settle(job, pickle.loads(pickle.dumps(answer))))
            self._after(self.jobs)


@pytest.fixture
def sealed(tmp_path: Path) -> list[ExportEntry]:
    """Two videos whose tables have seals."""
    made = [make_entry(tmp_path / "in", f"v{index}", "s" * 12, regions=[3]) for index in range(2)]
    return [
        dataclasses.replace(
            entry,
            sealed=SealedFiles(
                entry.video.id,
                {
                    path: (stage, Seal.of(path))
                    for stage, path in (("sample", entry.frames), ("trim", entry.verdicts), ("mask", entry.regions))
                    if path is not None
                },
            ),
        )
        for entry in made
    ]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read against their seals, from here on."""
    names: list[str] = []
    of = Seal.of

    def note(path: Path) -> Seal:
        names.append(path.name)
        return of(path)

    monkeypatch.setattr(Seal, "of", note)
    return names


def export(entries: list[ExportEntry], folder: Path, crew: ByPost) -> None:
    options = ExportOptions(formats=FORMATS, webdataset=WebDatasetOptions(shard_size=1))
    export_dataset(entries, options, folder, context={}, crew=crew)


def test_each_artefact_is_read_once_for_all_shards_and_formats(sealed, tmp_path, read):
    crew = ByPost()
    export(sealed, tmp_path / "exports", crew)
    assert crew.jobs >= len(FORMATS)
    assert sorted(read) == sorted(Path(path).name for entry in sealed for path in entry.sealed.sound)
    assert len(read) == 6


def test_another_export_reads_them_again(sealed, tmp_path, read):
    export(pickle.loads(pickle.dumps(sealed)), tmp_path / "exports", ByPost())
    export(sealed, tmp_path / "again", ByPost())
    assert len(read) == 12


def test_a_bit_that_flips_while_the_export_runs_is_found_though_size_and_time_are_put_back(sealed, tmp_path):
    frames = sealed[1].frames

    def flip(count: int) -> None:
        if count == 1:
            times = frames.stat()
            damaged = bytearray(frames.read_bytes())
            damaged[len(damaged) // 2] ^= 1
            frames.write_bytes(bytes(damaged))
            os.utime(frames, ns=(times.st_atime_ns, times.st_mtime_ns))

    with pytest.raises(DamagedArtefact, match=r"v1\.frames\.parquet is not as sample left it"):
        export(sealed, tmp_path / "exports", ByPost(flip))


def test_a_file_that_is_written_again_with_the_same_bytes_is_read_again_and_no_damage(sealed, tmp_path, read):
    frames = sealed[0].frames

    def rewrite(count: int) -> None:
        if count == 1:
            frames.write_bytes(frames.read_bytes())

    export(sealed, tmp_path / "exports", ByPost(rewrite))
    assert read.count(frames.name) == 2
