"""Splits of a workspace: recorded when drawn, stated by lists, aside where they would leak, gone with a purge."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curate.run.session import store_manifest, stored_manifest
from curate.workspace.tree import Workspace
from tests.corpus.running import run
from tests.finished import make_finished

SHARES = ("--val-fraction", 0.25, "--test-fraction", 0.25)


@pytest.fixture
def work(tmp_path) -> Path:
    names = [f"video-{i}" for i in range(10)]
    return make_finished(tmp_path / "work", {name: f"https://example.org/{name}" for name in names}, ["parquet"])


def splits(work: Path) -> dict[str, str]:
    rows = pq.read_table(work / "exports/parquet/videos.parquet").to_pylist()
    return {row["video_id"]: row["split"] for row in rows}


def change(work: Path, **changes: dict[str, str]) -> None:
    """Give videos of the manifest other fields: ``{field: {id: value}}``."""
    workspace = Workspace.open(work)
    videos = stored_manifest(workspace)
    store_manifest(
        workspace,
        [
            dataclasses.replace(v, **{field: of[v.id] for field, of in changes.items() if v.id in of})
            for v in videos or ()
        ],
    )


def test_what_was_drawn_is_recorded_and_leaks_found_later_cost_the_training_set(work):
    assert run("export", "-w", work, *SHARES).code == 0
    drawn = splits(work)
    (record,) = (work / "corpus").glob("splits-*.json")
    assert json.loads(record.read_text())["drawn"]["video"] == drawn
    train, test = (next(name for name in drawn if drawn[name] == split) for split in ("train", "test"))
    change(work, channel={train: "Dr. X", test: "Dr. X"})
    done = run("export", "-w", work)
    assert f"aside of parquet: {train}: shares channel Dr. X with test" in done.err
    assert splits(work) == {name: split for name, split in drawn.items() if name != train}
    told = json.loads((work / "exports/parquet/export.json").read_text())
    assert told["aside"] == {train: "shares channel Dr. X with test"}
    assert run("export", "-w", work, "--split-by", "none").code == 0
    assert splits(work) == drawn


def test_a_list_states_splits_and_the_next_export_knows_that_it_changed(work, tmp_path):
    (tmp_path / "train.txt").write_text("".join(f"video-{i}_000{i}.jpg\n" for i in range(8)))
    (tmp_path / "test.txt").write_text("video-8\nvideo-9\n")
    (tmp_path / "lists").mkdir()
    for name in ("train.txt", "test.txt"):
        (tmp_path / name).rename(tmp_path / "lists" / name)
    assert run("export", "-w", work, "--splits", tmp_path / "lists").code == 0
    assert splits(work) == {f"video-{i}": "train" if i < 8 else "test" for i in range(10)}
    (tmp_path / "lists" / "test.txt").write_text("video-9\n")
    assert "written" in run("export", "-w", work).out
    assert splits(work)["video-8"] == "train"
    done = run("export", "-w", work, "--splits", tmp_path / "nowhere.csv")
    assert done.code == 1 and "no such file" in done.err


def test_a_purge_reaches_the_record_and_the_others_stay(work):
    assert run("export", "-w", work, *SHARES).code == 0
    drawn = splits(work)
    done = run("purge", "-w", work, "--id", "video-3", "--yes")
    assert done.code == 0, done.err + done.out
    (record,) = (work / "corpus").glob("splits-*.json")
    assert "video-3" not in record.read_text()
    assert splits(work) == {name: split for name, split in drawn.items() if name != "video-3"}
    assert "up to date" in run("export", "-w", work).out
