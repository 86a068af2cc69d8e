"""People decide what the network is not sure of: from uncertain frames to a file of decisions and back."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import simplejpeg

from curate.cli import run_command
from curate.workspace.ledger import read_ledger
from tests.rendered import render_operation


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two videos of 2 s of slide, 6 s of surgery and 2 s of slide; the regions are known."""
    folder = tmp_path_factory.mktemp("review")
    (folder / "videos").mkdir()
    for seed, name in enumerate(("first", "second")):
        render_operation(folder / "videos" / f"{name}.mp4", seed=seed)
    workspace = folder / "w"
    flags = ["--trim-uncertain-low", "0", "--trim-uncertain-high", "1"]
    flags += ["--export-formats", "parquet", "--export-uncertain", "keep"]
    assert run_command(["run", str(folder / "videos"), "-w", str(workspace), *flags]) == 0
    return workspace


@pytest.fixture
def workspace(judged: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(judged, tmp_path / "copy", symlinks=True))


def review(workspace: Path, folder: Path) -> list[dict[str, str]]:
    assert run_command(["trim", "-w", str(workspace), "--review", str(folder)]) == 0
    with open(folder / "frames.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def decide(path: Path, rows: list[dict[str, str]]) -> Path:
    with open(path, "w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def verdicts(workspace: Path, video: str) -> dict[str, list]:
    return pq.read_table(workspace / "verdicts" / f"{video}.parquet").to_pydict()


def tries(workspace: Path) -> dict[tuple[str, str], float]:
    """When each video last came through each stage."""
    return {key: record.last.time for key, record in read_ledger(workspace / "ledger").items()}


def test_uncertain_frames_are_laid_out_with_their_pictures(workspace: Path, tmp_path: Path) -> None:
    rows = review(workspace, tmp_path / "review")
    uncertain = {
        (video, n): p
        for video in ("first", "second")
        for n, p, verdict in zip(
            *(verdicts(workspace, video)[name] for name in ("n", "p_surgical", "verdict")), strict=True
        )
        if verdict == "uncertain"
    }
    assert len(uncertain) >= 12
    assert {(row["video"], int(row["n"])): float(row["p_surgical"]) for row in rows} == pytest.approx(
        uncertain, abs=1e-4
    )
    sampled = _pictures(workspace / "frames" / "first.parquet")
    for row in rows:
        assert row["label"] == ""
        if row["video"] == "first":
            assert (tmp_path / "review" / row["picture"]).read_bytes() == sampled[int(row["n"])]
    assert simplejpeg.decode_jpeg((tmp_path / "review" / "sheet-0001.jpg").read_bytes()).shape[1] > 600


def _pictures(path: Path) -> dict[int, bytes]:
    table = pq.read_table(path, columns=["n", "image"]).to_pydict()
    return dict(zip(table["n"], table["image"], strict=True))


def test_decisions_go_before_the_network_and_redo_only_their_video(workspace: Path, tmp_path: Path) -> None:
    rows = [row for row in review(workspace, tmp_path / "review") if row["video"] == "first"]
    for row in rows:
        row["label"] = "surgical" if 3 <= float(row["timestamp"]) < 7 else "non-surgical"
    rows[0]["label"] = ""
    before, untouched = tries(workspace), verdicts(workspace, "second")
    decisions = decide(tmp_path / "decided.csv", rows)
    assert run_command(["run", "-w", str(workspace), "--trim-decisions", str(decisions)]) == 0
    after = tries(workspace)
    redone = {key for key in after if after[key] != before[key]}
    assert redone == {("first", stage) for stage in ("trim", "mask", "field", "audit")}
    mine = verdicts(workspace, "first")
    assert [t for t, kept in zip(mine["timestamp"], mine["kept"], strict=True) if kept] == [3, 4, 5, 6]
    assert {row["timestamp"] for row in rows[1:]} == {
        repr(t) for t, v in zip(mine["timestamp"], mine["verdict"], strict=True) if v != "uncertain"
    }
    assert verdicts(workspace, "second") == untouched
    left = review(workspace, tmp_path / "again")
    assert [(row["video"], row["n"]) for row in left if row["video"] == "first"] == [("first", rows[0]["n"])]
    exported = pq.read_table(workspace / "exports" / "parquet" / "data", columns=["video_id", "timestamp"]).to_pydict()
    assert [t for v, t in zip(*exported.values(), strict=True) if v == "first"] == [3, 4, 5, 6]


def test_a_review_is_never_written_over(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    review(workspace, tmp_path / "review")
    text = (tmp_path / "review" / "frames.csv").read_bytes()
    assert run_command(["trim", "-w", str(workspace), "--review", str(tmp_path / "review")]) == 1
    assert "is not empty" in capsys.readouterr().err
    assert (tmp_path / "review" / "frames.csv").read_bytes() == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("video,timestamp\nfirst,1\n", "no column label"),
        ("video,timestamp,label\nfirst,1,maybe\n", "decided.csv:2: label 'maybe'"),
        ("video,timestamp,label\nfirst,soon,surgical\n", "decided.csv:2: timestamp 'soon'"),
        ("video,timestamp,label\nfirst,-1,surgical\n", "decided.csv:2: timestamp '-1'"),
        ("video,timestamp,label\nfirst,1,surgical\nfirst,1.0,non-surgical\n", "decided.csv:3: the frame of first"),
        ("video,timestamp,label\nfirst\n", "decided.csv:2"),
        (None, "cannot read the decisions"),
    ],
)
def test_decisions_that_make_no_sense(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, said: str
) -> None:
    path = tmp_path / "decided.csv"
    if text is not None:
        path.write_text(text)
    before = tries(workspace)
    assert run_command(["trim", "-w", str(workspace), "--decisions", str(path)]) == 1
    captured = capsys.readouterr()
    assert said in captured.err and "Traceback" not in captured.err
    assert tries(workspace) == before
    assert run_command(["status", "-w", str(workspace)]) == 0
