"""Artefacts that are damaged, and artefacts that a killed run put in the place of others: exports never show them."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from curate.cli import run_command
from curate.workspace.ledger import read_ledger
from tests.rendered import render_operation
from tests.run.processes import CLOCK, preloaded, run

FORMATS = ("--export-formats", "folders,lmdb")

KINDS = {
    "video": "videos/v.mp4",
    "metadata": "videos/v.json",
    "frames": "frames/v.parquet",
    "scores": "scores/v.parquet",
    "verdicts": "verdicts/v.parquet",
    "regions": "regions/v.parquet",
    "fields": "fields/v.parquet",
    "audit": "audit/v.parquet",
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    render_operation(folder / "v.mp4", before=1, surgery=4, after=1)
    return folder


@pytest.fixture(scope="module")
def finished(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("finished") / "w"
    assert run_command(["run", str(source), "-w", str(workspace), *FORMATS]) == 0
    return workspace


@pytest.fixture
def workspace(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "w", symlinks=True))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def whole(workspace: Path, finished: Path, *, sealed: bool = True) -> bool:
    """Whether the exports have the bytes that they should have, and nothing is left over.

    The fingerprints of an export and of its shards tell files without a seal by the stage that made them, and not by
    their content.
    """
    left = [p.name for p in workspace.rglob(".*") if not p.name.startswith((".lock", ".workers"))]
    found, wanted = contents(workspace / "exports"), contents(finished / "exports")
    if not sealed:
        for name in [name for name in wanted if name.endswith("export.json")]:
            found[name], wanted[name] = (
                re.sub(rb'"(fingerprint|key)": "\w+"', b"", one[name]) for one in (found, wanted)
            )
    return left == [] and found == wanted


def truncate(path: Path) -> None:
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[: len(data) // 2])


def flip(path: Path) -> None:
    """Change one bit in the middle, and nothing else that a look at the folder would tell."""
    data, status = bytearray(path.read_bytes()), path.stat()
    data[len(data) // 2] ^= 1
    path.unlink()
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.slow
@pytest.mark.parametrize("damage", [truncate, flip, Path.unlink])
def test_artefacts_of_every_kind_that_are_damaged_at_once_are_made_again(
    workspace: Path, finished: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """Two days later: what a card tells of days does not change either."""
    for name in KINDS.values():
        damage(workspace / name)
    shutil.rmtree(workspace / "exports")
    assert run("run", "-w", workspace, env=preloaded(tmp_path, CLOCK, SECONDS=172_800))[0] == 0
    assert whole(workspace, finished)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["metadata", "frames", "verdicts", "regions", "fields", "audit"])
def test_a_flipped_bit_never_reaches_an_export(workspace: Path, finished: Path, kind: str, capsys) -> None:
    flip(workspace / KINDS[kind])
    shutil.rmtree(workspace / "exports" / "lmdb")
    before = contents(workspace / "exports" / "folders")
    assert run_command(["export", "-w", str(workspace)]) == 1
    assert f"{KINDS[kind]} is not as " in capsys.readouterr().err
    assert contents(workspace / "exports" / "folders") == before
    assert not (workspace / "exports" / "lmdb").exists()
    assert run_command(["run", "-w", str(workspace)]) == 0
    assert whole(workspace, finished)


@pytest.mark.slow
def test_a_damaged_input_sends_its_stage_back_and_is_no_failure(workspace: Path, finished: Path, capsys) -> None:
    flip(workspace / KINDS["frames"])
    for kind in ("regions", "audit"):
        (workspace / KINDS[kind]).unlink()
    assert run_command(["run", "-w", str(workspace)]) == 0
    said = capsys.readouterr()
    assert "failed" not in said.err and "made again: sample" in said.err
    assert whole(workspace, finished)


def without_seals(workspace: Path) -> None:
    """Turn the ledger into that of version 1, which neither counted attempts nor sealed files."""
    for path in (workspace / "ledger").glob("*.jsonl"):
        lines = []
        for line in path.read_text().splitlines():
            event = json.loads(line)
            del event["attempt"], event["files"]
            lines.append(json.dumps(event) + "\n")
        path.write_text("".join(lines))
    config = workspace / "curate.toml"
    config.write_text(config.read_text().replace("workspace_version = 2", "workspace_version = 1"))


DIES_BEFORE_ITS_LINE = """
import os, signal
from curate.workspace.ledger import LedgerWriter
append = LedgerWriter.append
def die(self, event):
    if event.outcome == "done":
        os.kill(os.getpid(), signal.SIGKILL)
    append(self, event)
LedgerWriter.append = die
"""


@pytest.mark.slow
@pytest.mark.parametrize(("version", "ahead"), [(1, 0), (2, 0), (2, 7200)], ids=["version 1", "version 2", "odd clock"])
def test_what_a_run_with_other_options_put_there_before_it_was_killed_is_not_exported(
    workspace: Path, finished: Path, tmp_path: Path, version: int, ahead: int
) -> None:
    """The killed run's clock may be ahead by some seconds."""
    if version == 1:
        without_seals(workspace)
    good = (workspace / KINDS["frames"]).read_bytes()
    clock = preloaded(tmp_path, CLOCK, SECONDS=ahead) if ahead else None
    code, _ = run("run", "-w", workspace, "--sample-quality", "30", env=clock, before=DIES_BEFORE_ITS_LINE)
    assert code == -9
    assert (workspace / KINDS["frames"]).read_bytes() != good
    shutil.rmtree(workspace / "exports")
    assert run_command(["run", "-w", str(workspace), "--sample-quality", "95"]) == 0
    assert (workspace / KINDS["frames"]).read_bytes() == good
    assert whole(workspace, finished, sealed=version == 2)


@pytest.mark.slow
def test_a_folder_in_the_place_of_an_artefact_costs_that_video_only(workspace: Path, finished: Path, capsys) -> None:
    path = workspace / KINDS["fields"]
    path.unlink()
    path.mkdir()
    assert run_command(["run", "-w", str(workspace)]) == 2
    said = capsys.readouterr().err
    assert f"there is a folder in the place of {path}: remove it" in said and "unexpected" not in said
    assert not list(path.parent.glob(".*"))
    path.rmdir()
    assert run_command(["run", "-w", str(workspace)]) == 0
    assert whole(workspace, finished)


def test_a_workspace_of_version_1_goes_on_and_redoes_nothing(workspace: Path, finished: Path) -> None:
    without_seals(workspace)
    before = {p.name: p.read_bytes() for p in (workspace / "ledger").iterdir()}
    stamps = {name: (workspace / name).lstat().st_mtime_ns for name in KINDS.values()}
    shutil.rmtree(workspace / "exports")
    assert run_command(["run", "-w", str(workspace)]) == 0
    assert {p.name: p.read_bytes() for p in (workspace / "ledger").iterdir()} == before
    assert {name: (workspace / name).lstat().st_mtime_ns for name in KINDS.values()} == stamps
    assert "workspace_version = 2" in (workspace / "curate.toml").read_text()
    assert whole(workspace, finished, sealed=False)


@pytest.mark.slow
def test_a_damaged_file_without_a_seal_is_made_again_by_the_next_run(workspace: Path, finished: Path) -> None:
    without_seals(workspace)
    truncate(workspace / KINDS["frames"])
    shutil.rmtree(workspace / "exports")
    run_command(["run", "-w", str(workspace)])
    assert run_command(["run", "-w", str(workspace)]) == 0
    assert whole(workspace, finished, sealed=False)


@pytest.mark.parametrize("damage", [truncate, flip, Path.unlink])
def test_a_damaged_manifest_is_healed_by_its_copy(
    workspace: Path, finished: Path, damage: Callable[[Path], None]
) -> None:
    path = workspace / "manifest.parquet"
    damage(path)
    assert run_command(["run", "-w", str(workspace)]) == 0
    assert path.read_bytes() == (finished / "manifest.parquet").read_bytes()
    assert whole(workspace, finished)


def test_a_manifest_that_is_damaged_twice_is_one_sentence_and_the_list_heals_it(
    workspace: Path, source: Path, capsys
) -> None:
    for name in ("manifest.parquet", "manifest.copy.parquet"):
        truncate(workspace / name)
    assert run_command(["run", "-w", str(workspace)]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "manifest.parquet is not a usable manifest" in line and "curate run SOURCE" in line
    assert run_command(["run", str(source), "-w", str(workspace)]) == 0
    assert run_command(["run", "-w", str(workspace)]) == 0


@pytest.mark.parametrize("text", [b"", b"\xff\xfe\x00", b"workspace_version = 2\n[sample\n", b"a=" + b"[" * 100_000])
def test_a_damaged_configuration_is_one_sentence(workspace: Path, source: Path, text: bytes, capsys) -> None:
    path = workspace / "curate.toml"
    path.write_bytes(text)
    assert run_command(["run", "-w", str(workspace)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("error: ") and "curate.toml" in said
    path.unlink()
    assert run_command(["run", str(source), "-w", str(workspace), *FORMATS]) == 0


@pytest.mark.slow
def test_a_ledger_with_damaged_lines_loses_only_what_they_told(workspace: Path, finished: Path, capsys) -> None:
    for path in (workspace / "ledger").glob("*.jsonl"):
        lines = path.read_text().splitlines()
        lines[-1] = '{"time":0,"video":' + "[" * 100_000 + "}"
        path.write_text("\n".join([*lines, '{"video": 5}', ""]))
    assert run_command(["run", "-w", str(workspace)]) == 0
    assert "2 lines of the ledger are damaged and passed over" in capsys.readouterr().err
    assert read_ledger(workspace / "ledger")["v", "audit"].last.outcome == "done"
    assert whole(workspace, finished)
