"""Duplicates of a finished workspace: the table, the funnel, exports and purges."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from curate.cli import run_command
from curate.exports.reading.contents import videos_in
from curate.run.deduplicate import find_duplicates, forget_videos, merged, table_path
from curate.run.session import open_session
from curate.workspace.events import Event
from curate.workspace.ledger import LedgerWriter
from curate.workspace.seals import Seal
from curate.workspace.tables.duplicates import read_matches
from curate.workspace.tables.signatures import write_signature
from tests.corpus.signatures import codes, flipped, signature
from tests.finished import make_finished

HASHES = {"signature": {"method": "hashes"}}
LOOSE = ["--dedup", "--dedup-seconds", "2", "--dedup-pictures", "2"]
SOURCES = {name: f"https://example.org/{name}.mp4" for name in ("a", "b", "c", "d")}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Videos of four kept seconds, from 1 to 5: b is a copy of a, c begins with the end of a, d is another."""
    root = make_finished(tmp_path / "w", SOURCES, ("parquet",))
    one, three, four = codes(1, 4), codes(3, 4), codes(4, 4)
    shown = {"a": one, "b": flipped(one, 16), "c": np.concatenate([flipped(one[2:], 8), three[2:]]), "d": four}
    sign(root, shown)
    return root


def sign(root: Path, shown: dict[str, np.ndarray]) -> None:
    pipeline = open_session(root, given=HASHES).pipeline
    writer = LedgerWriter(pipeline.workspace.ledger_folder)
    for video in pipeline.videos:
        path = pipeline.workspace.folder("signatures") / f"{video.id}.parquet"
        write_signature(path, signature(shown[video.id], start=1.0))
        fingerprint = pipeline.fingerprints(video)["signature"]
        files = {path.name: Seal.of(path)}
        writer.append(Event(2.0, video.id, "signature", "done", fingerprint, artefact=path.name, files=files))
    writer.close()


def exported(root: Path) -> dict[str, list[int]]:
    """Numbers of the exported frames of each video."""
    found: dict[str, list[int]] = {}
    for path in sorted((root / "exports" / "parquet").rglob("*.parquet")):
        names = pq.read_schema(path).names
        if {"video_id", "image"} <= set(names):
            for row in pq.read_table(path, columns=["video_id", "timestamp"]).to_pylist():
                found.setdefault(row["video_id"], []).append(round(row["timestamp"]))
    return found


def all_of(videos: str) -> dict[str, list[int]]:
    return {video: [1, 2, 3, 4] for video in videos}


def run(*arguments: str | Path) -> int:
    return run_command([str(argument) for argument in arguments])


def test_exports_change_when_they_are_asked_to_and_not_before(workspace: Path, capsys) -> None:
    before = exported(workspace)
    assert before == all_of("abcd")
    assert run("corpus", "dedup", "-w", workspace, "--seconds", "2", "--pictures", "2") == 0
    said = capsys.readouterr().out
    assert "3 pairs of videos share pictures (2 part, 1 same): 1 groups, 1 videos and 2 s of 1 others" in said
    assert "stay: a, c; left out: b (as a); cut: c 1 parts" in said and "exports heed it with --dedup" in said
    assert run("export", "-w", workspace) == 0
    assert exported(workspace) == before
    assert run("export", "-w", workspace, *LOOSE) == 0
    assert exported(workspace) == {"a": [1, 2, 3, 4], "c": [3, 4], "d": [1, 2, 3, 4]}
    record = json.loads((workspace / "exports" / "parquet" / "export.json").read_text())
    assert record["aside"] == {"b": "duplicate of a"}
    assert "aside of parquet: b: duplicate of a" in capsys.readouterr().err


def test_the_policy_can_be_changed_without_comparing_anything_again(workspace: Path) -> None:
    assert run("export", "-w", workspace, *LOOSE) == 0
    table = table_path(open_session(workspace).workspace)
    stamp = table.stat().st_mtime_ns
    assert run("export", "-w", workspace, "--dedup-overlap", "keep") == 0
    assert exported(workspace) == all_of("acd")
    assert run("export", "-w", workspace, "--no-dedup") == 0
    assert exported(workspace) == all_of("abcd")
    assert table.stat().st_mtime_ns == stamp
    assert run("export", "-w", workspace, "--dedup", "--dedup-distance", "4") == 0
    assert table.stat().st_mtime_ns != stamp and set(exported(workspace)) == set("abcd")


def test_the_funnel_names_what_is_left_out(workspace: Path, capsys) -> None:
    assert run("corpus", "dedup", "-w", workspace, "--seconds", "2", "--pictures", "2") == 0
    assert run("export", "-w", workspace, "--dedup") == 0
    capsys.readouterr()
    assert run("status", "-w", workspace, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    row = told["stages"]["dedup"]
    assert (row["done"], row["dropped"], row["pending"]) == (3, {"duplicate": 1}, 0)
    assert row["figures"] == {"groups": 1, "seconds_left_out": 2}
    assert told["duplicates"] == [{"id": "b", "kept": "a"}]


def test_before_anything_is_compared_the_funnel_says_so(workspace: Path, capsys) -> None:
    assert run("run", "-w", workspace, "--dedup", "--until", "signature") == 0
    capsys.readouterr()
    assert run("status", "-w", workspace, "--json") == 0
    assert json.loads(capsys.readouterr().out)["stages"]["dedup"]["pending"] == 4


def test_a_still_scene_keeps_as_many_frames_as_it_may(tmp_path: Path) -> None:
    workspace = make_finished(tmp_path / "w", {name: SOURCES[name] for name in "ab"}, ("parquet",))
    sign(workspace, {"a": np.repeat(codes(9, 1), 4, axis=0), "b": codes(1, 4)})
    assert run("export", "-w", workspace, "--dedup", "--dedup-scene-frames", "2") == 0
    assert exported(workspace)["a"] == [1, 3] and exported(workspace)["b"] == [1, 2, 3, 4]


def test_a_damaged_table_is_made_again(workspace: Path) -> None:
    assert run("export", "-w", workspace, *LOOSE) == 0
    pipeline = open_session(workspace).pipeline
    table_path(pipeline.workspace).write_bytes(b"PAR1")
    found = find_duplicates(pipeline)
    assert found.made and found.enabled and found.repeats.lost == {"b": "a"}
    assert not find_duplicates(pipeline).made


def test_a_damaged_signature_goes_back_to_its_stage(workspace: Path, capsys) -> None:
    path = workspace / "signatures" / "a.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(bytes(data))
    assert run("export", "-w", workspace, *LOOSE) == 1
    assert "signatures/a.parquet is not as signature left it" in capsys.readouterr().err
    (status,) = [
        s
        for s in open_session(workspace).pipeline.statuses(open_session(workspace).pipeline.videos[0])
        if s.stage == "signature"
    ]
    assert status.state == "pending"


def test_a_purge_reaches_hashes_and_table_and_names_the_copies(workspace: Path, capsys) -> None:
    assert run("export", "-w", workspace, *LOOSE) == 0
    capsys.readouterr()
    (workspace / "corpus" / ".duplicates.parquet.host-1-aa.tmp").write_bytes(b"a of a run that was killed")
    assert run("purge", "-w", workspace, "--id", "a", "--yes") == 0
    captured = capsys.readouterr()
    assert "these videos show what they showed, or a part of it, and stay: b, c" in captured.err
    assert not (workspace / "signatures" / "a.parquet").exists()
    left = {(match.a, match.b) for match in read_matches(table_path(open_session(workspace).workspace))}
    assert left == {("b", "c")} and not list((workspace / "corpus").glob(".*"))
    assert "a" not in videos_in(workspace / "exports" / "parquet")
    assert forget_videos(open_session(workspace).workspace, ["nobody"]) == ()


def test_an_unknown_rank_stops_before_anything_is_written(workspace: Path, capsys) -> None:
    before = exported(workspace)
    assert run("export", "-w", workspace, *LOOSE, "--dedup-rank", "size") == 1
    assert "dedup.rank: 'size' is not one of" in capsys.readouterr().err
    assert exported(workspace) == before


def test_spans_that_touch_are_one() -> None:
    assert merged([(3.0, 4.0), (0.0, 2.0), (1.0, 3.0), (6.0, 7.0)]) == ((0.0, 4.0), (6.0, 7.0))
