"""Exports that are killed and go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pyarrow.parquet as pq
import pytest

from curate.config import ClipsOptions, ExportOptions, ParquetOptions, WebDatasetOptions
from curate.exports import ExportEntry, export_dataset, exporter
from curate.exports.check.verify import verify_export
from curate.exports.disk.checksums import Sum
from curate.exports.formats import dinov2, folders
from curate.exports.formats.video_files import VIDEO_FORMATS
from tests.exports.making import ALL, make_entry, tree_bytes

FRAMES = 48
VIDEOS = 3
BEGINS_ANEW = ("lmdb", "lmdb-lemon", "lmdb-generic")
"""Formats that do not go on after a kill but start again: one file a split, which cannot be half finished."""
GOES_ON = tuple(name for name in ALL if name not in BEGINS_ANEW)


def padded(entry: ExportEntry, size: int) -> ExportEntry:
    """Blow the pictures up with zeros, which decoders ignore, so that few make a shard."""
    table = pq.read_table(entry.frames)
    images = [jpeg + bytes(size - len(jpeg)) for jpeg in table.column("image").to_pylist()]
    table = table.set_column(table.schema.get_field_index("image"), table.schema.field("image"), [images])
    pq.write_table(table, entry.frames, row_group_size=5, compression="none", use_dictionary=False)
    return entry


@pytest.fixture
def many(tmp_path: Path) -> list[ExportEntry]:
    """Three videos of two procedures and two splits, 5 MB of pictures."""
    return [
        padded(
            make_entry(
                tmp_path / "in",
                f"v{i}",
                "n" + "s" * FRAMES,
                regions=[4, 9],
                procedures=("hernia repair" if i else "cholecystectomy",),
                split="val" if i == 1 else "train",
            ),
            60_000,
        )
        for i in range(VIDEOS)
    ]


def export(
    entries: list[ExportEntry],
    folder: Path,
    name: str,
    progress: Callable[[str, int], None] | None = None,
    mark: str = "f",
) -> None:
    """Export with small shards and portions, and short clips."""
    options = ExportOptions(
        formats=(name,),
        parquet=ParquetOptions(shard_size=1),
        webdataset=WebDatasetOptions(shard_size=1),
        clips=ClipsOptions(seconds=2, stride=2, rate=5),
    )
    with mock.patch.object(folders, "CHUNK_BYTES", 1_000_000), mock.patch.object(dinov2, "CHUNK_BYTES", 1_000_000):
        export_dataset(entries, options, folder, context={"a": mark}, progress=progress)


CHILD = """
import pickle, sys, time
from pathlib import Path
from tests.exports.test_resume import export

def slow(name, frames):
    print(frames, flush=True)
    time.sleep(0.01)

entries = pickle.loads(bytes.fromhex(sys.stdin.readline()))
export(entries, Path(sys.argv[1]), sys.argv[2], slow)
"""


def killed(entries: list[ExportEntry], folder: Path, name: str, chunks: int) -> list[str]:
    """Start an export in a process of its own and kill it once that many chunks are finished.

    Returns:
        The lines of its journal but the first.
    """
    import pickle

    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        text=True,
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(pickle.dumps(entries).hex() + "\n")
        child.stdin.flush()
        for line in child.stdout:
            enough = len(journal(folder, name)) >= chunks if chunks else int(line) > FRAMES
            if enough:
                break
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    return journal(folder, name)


def journal(folder: Path, name: str) -> list[str]:
    """Finished chunks of an export that is not whole."""
    path = folder / f".{name}.tmp" / "journal.jsonl"
    return path.read_text().splitlines()[1:] if path.exists() else []


@pytest.mark.parametrize("name", ALL)
def test_a_killed_export_goes_on_and_ends_with_the_same_bytes(many, tmp_path, name):
    export(many, tmp_path / "whole", name)
    done = killed(many, tmp_path / "exports", name, chunks=2 if name in GOES_ON else 0)
    assert [path.name for path in (tmp_path / "exports").iterdir()] == [f".{name}.tmp"]
    finished = [json.loads(line) for line in done]
    inodes = {
        Path(path).name: (tmp_path / "exports" / f".{name}.tmp" / path).stat().st_ino
        for chunk in finished
        for path in chunk["files"]
    }
    calls: list[int] = []
    export(many, tmp_path / "exports", name, lambda _, frames: calls.append(frames))
    assert tree_bytes(tmp_path / "exports") == tree_bytes(tmp_path / "whole")
    assert not list(verify_export(tmp_path / "exports" / name))
    if name in GOES_ON:
        before = sum(chunk["frames"] for chunk in finished)
        assert before and calls[0] == before and calls[-1] - before == len(calls) - 1
        kept = {path.stat().st_ino for path in (tmp_path / "exports" / name).rglob("*")}
        assert kept & set(inodes.values())


@pytest.mark.parametrize("name", ["parquet", "webdataset", "folders", "dinov2"])
def test_a_second_kill_loses_nothing_of_the_first(many, tmp_path, name):
    export(many, tmp_path / "whole", name)
    first = killed(many, tmp_path / "exports", name, chunks=1)
    second = killed(many, tmp_path / "exports", name, chunks=len(first) + 1)
    assert second[: len(first)] == first
    export(many, tmp_path / "exports", name)
    assert tree_bytes(tmp_path / "exports") == tree_bytes(tmp_path / "whole")


@pytest.mark.parametrize("name", ["parquet", "surgenet", "dinov2", "video"])
def test_an_interrupt_at_the_very_end_costs_no_frame(many, tmp_path, monkeypatch, name):
    export(many, tmp_path / "whole", name)
    with monkeypatch.context() as patch:
        patch.setattr(exporter, "write_record", interrupt)
        with pytest.raises(KeyboardInterrupt):
            export(many, tmp_path / "exports", name)
    calls: list[int] = []
    export(many, tmp_path / "exports", name, lambda _, frames: calls.append(frames))
    assert len(calls) == 1
    assert tree_bytes(tmp_path / "exports") == tree_bytes(tmp_path / "whole")


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture(params=["webdataset", "dinov2", "folders", "clips"])
def interrupted(request, many, tmp_path, monkeypatch) -> tuple[str, Path]:
    """Format and folder of an export that only lacks its record."""
    with monkeypatch.context() as patch:
        patch.setattr(exporter, "write_record", interrupt)
        with pytest.raises(KeyboardInterrupt):
            export(many, tmp_path / "exports", request.param)
    return request.param, tmp_path / "exports"


def test_what_is_not_as_it_was_written_is_written_again(many, interrupted, tmp_path):
    name, folder = interrupted
    lines = journal(folder, name)
    damaged = next(iter(json.loads(lines[1])["files"]))
    path = folder / f".{name}.tmp" / damaged
    content = bytearray(path.read_bytes())
    content[len(content) // 3 if name != "dinov2" else -100_000] ^= 1
    path.write_bytes(content)
    calls: list[int] = []
    export(many, folder, name, lambda _, frames: calls.append(frames))
    assert calls[0] < calls[-1]
    export(many, tmp_path / "whole", name)
    assert tree_bytes(folder) == tree_bytes(tmp_path / "whole")


@pytest.mark.parametrize("spoilt", ["\0" * 80, '{"part": 3}', "[]"])
def test_a_line_of_the_journal_that_makes_no_sense_ends_what_is_known(many, interrupted, tmp_path, spoilt):
    name, folder = interrupted
    path = folder / f".{name}.tmp" / "journal.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], spoilt, *lines[3:]]) + "\n")
    export(many, folder, name)
    export(many, tmp_path / "whole", name)
    assert tree_bytes(folder) == tree_bytes(tmp_path / "whole")


@pytest.mark.parametrize("change", ["fingerprint", "artefact", "video"])
def test_nothing_is_taken_over_from_another_input(many, interrupted, tmp_path, change):
    name, folder = interrupted
    mark = "other" if change == "fingerprint" else "f"
    if change == "artefact":
        os.utime(many[1].verdicts, ns=(1, 1))
    entries = many[1:] if change == "video" else many
    calls: list[int] = []
    export(entries, folder, name, lambda _, frames: calls.append(frames), mark)
    assert calls[0] == 1
    export(entries, tmp_path / "whole", name, mark=mark)
    assert tree_bytes(folder) == tree_bytes(tmp_path / "whole")


def test_what_another_format_left_is_removed(many, interrupted):
    _, folder = interrupted
    export(many, folder, "surgenet")
    assert [path.name for path in folder.iterdir()] == ["surgenet"]


def test_a_video_found_broken_stays_left_out_when_the_export_goes_on(many, tmp_path, monkeypatch):
    whole = many[2].frames.read_bytes()
    table = pq.read_table(many[2].frames)
    images = table.column("image").to_pylist()
    images[9] = images[9][:60]
    index = table.schema.get_field_index("image")
    pq.write_table(table.set_column(index, table.schema.field("image"), [images]), many[2].frames)
    with monkeypatch.context() as patch:
        patch.setattr(exporter, "write_record", interrupt)
        with pytest.raises(KeyboardInterrupt):
            export(many, tmp_path / "exports", "webdataset")
    calls: list[int] = []
    export(many, tmp_path / "exports", "webdataset", lambda _, frames: calls.append(frames))
    assert len(calls) == 1
    record = json.loads((tmp_path / "exports" / "webdataset" / "export.json").read_text())
    assert list(record["left_out"]) == ["v2"]
    many[2].frames.write_bytes(whole)
    export(many, tmp_path / "exports", "webdataset")
    assert json.loads((tmp_path / "exports" / "webdataset" / "export.json").read_text())["left_out"] == {}


@pytest.mark.parametrize("sizes", [(0, 5, 5, 3, 10), (10,), (7, 2), (4, 99)])
def test_a_sum_goes_on_from_where_it_was(tmp_path, sizes):
    import hashlib

    path = tmp_path / "x"
    path.write_bytes(b"0123456789")
    known = Sum()
    for size in sizes:
        with open(path, "rb") as stream:
            known = known.extended(stream, size)
        assert (known.size, known.sha256) == (min(size, 10), hashlib.sha256(b"0123456789"[:size]).hexdigest())


def test_formats_of_videos_are_among_those_that_go_on():
    assert set(GOES_ON) >= VIDEO_FORMATS
