"""The commands of a review without a browser: tables to fill in, checks, and what is handed on."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import simplejpeg

from curate.cli import run_command
from curate.evaluation.labels import read_labels
from curate.evaluation.mask_truth import ImagesTruth, read_truth
from curate.review.desk import Desk
from curate.run.session import open_session
from curate.verdicts.journal import read_journal
from tests.review.conftest import shows_surgery


def run(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    assert run_command(["review", *map(str, arguments)]) == code
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return said.out, said.err


def fill(text: str, path: Path) -> list[dict[str, str]]:
    rows = list(csv.DictReader(io.StringIO(text)))
    for row in rows:
        row["label"] = "surgical" if shows_surgery(round(float(row["timestamp"]) * 1000)) else "non-surgical"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return rows


def test_a_table_does_what_the_browser_does(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = run(capsys, "next", "-w", workspace, "-n", 20, "--as", "anna")
    assert "of these 20 verdicts about" in err
    rows = fill(out, tmp_path / "filled.csv")
    assert len(rows) == 20 and all(float(row["chance"]) > 0.3 for row in rows[:5])
    assert "20 decisions of anna" in run(capsys, "add", tmp_path / "filled.csv", "-w", workspace, "--as", "anna")[0]
    assert "0 decisions of anna" in run(capsys, "add", tmp_path / "filled.csv", "-w", workspace, "--as", "anna")[0]
    standing = read_journal(workspace / "decisions").standing()
    assert {(d.video, d.at, d.label) for d in standing} == {
        (row["video"], float(row["timestamp"]), row["label"]) for row in rows
    }
    again, _ = run(capsys, "next", "-w", workspace, "-n", 20, "--as", "anna")
    pairs = {(row["video"], row["timestamp"]) for row in rows}
    assert not pairs & {(row["video"], row["timestamp"]) for row in csv.DictReader(io.StringIO(again))}


def test_rows_that_make_no_sense_are_named_and_the_rest_counts(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.csv"
    table.write_text(
        "video,timestamp,label\nalpha,1,surgical\nnobody,1,surgical\nalpha,1.5,surgical\nalpha,2,perhaps\n"
        "alpha,soon,surgical\nalpha,1,non-surgical\nalpha,3,\nbeta,1,uncertain\n"
    )
    out, err = run(capsys, "add", table, "-w", workspace, code=2)
    assert "2 decisions" in out
    assert [line.split()[0] for line in err.strip().splitlines()] == [f"{table}:{i}:" for i in (3, 4, 5, 6, 7)]


def test_an_estimate_and_the_sample_it_is_made_of(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = run(capsys, "next", "--random", "-w", workspace, "-n", 60)
    fill(out, tmp_path / "sample.csv")
    run(capsys, "add", tmp_path / "sample.csv", "-w", workspace)
    found = json.loads(run(capsys, "estimate", "-w", workspace, "--json")[0])
    assert found["strata"]["surgical"]["drawn"] + found["strata"]["non-surgical"]["drawn"] == 60
    value, low, high = found["precision"]
    assert 0 < low < value < high <= 1
    assert "precision" in run(capsys, "estimate", "-w", workspace)[0]


def test_every_line_that_is_not_heeded_is_named(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk(open_session(workspace), "anna")
    desk.decide("alpha", "frame", {"at": 1000, "label": "surgical"})
    desk.decide("alpha", "box", {"at": 9000, "action": "delete", "box": [1, 1, 9, 9]})
    desk.close()
    path = workspace / "decisions" / "anna.jsonl"
    line = json.loads(path.read_text().splitlines()[0])
    lines = [
        {**line, "seq": 3, "video": "gone"},
        {**line, "seq": 4, "at": 1.5},
        {**line, "seq": 5, "workspace": "other"},
    ]
    with path.open("a") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in lines)
        stream.write('{"seq": 6')
    other = {**line, "who": "bob", "seq": 1, "label": "non-surgical"}
    (workspace / "decisions" / "bob.jsonl").write_text(json.dumps(other) + "\n")
    out, err = run(capsys, "check", "-w", workspace, code=2)
    for at, words in (
        (2, "deletes a box"),
        (3, "the video gone"),
        (4, "where there is no frame"),
        (5, "another workspace"),
        (6, "is cut in the middle"),
    ):
        assert any(f"{path}:{at}" in said and words in said for said in err.splitlines()), (at, err)
    assert "bob.jsonl:1 says non-surgical" in err
    assert "5 decisions stand" in out


def test_agreement_of_two_reviewers(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for who, turned in (("anna", set()), ("bob", {3, 11})):
        desk = Desk(open_session(workspace), who)
        for i in range(14):
            label = "surgical" if (i % 2 == 0) != (i in turned) else "non-surgical"
            desk.decide("delta", "frame", {"at": 1000 * i, "label": label})
        desk.close()
    files = [workspace / "decisions" / f"{who}.jsonl" for who in ("anna", "bob")]
    found = json.loads(run(capsys, "agreement", *files, "--json")[0])
    assert found["frames"]["both"] == 14 and found["frames"]["agreed"] == 12
    assert 0.5 < found["frames"]["kappa"] < 0.9
    assert "12 of 14 alike" in run(capsys, "agreement", *files)[0]
    assert "no such file" in run(capsys, "agreement", files[0], workspace / "x.jsonl", code=1)[1]


def test_labels_boxes_and_fiftyone(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing was decided" in run(capsys, "export", "-w", workspace, "-o", tmp_path / "none", code=1)[1]
    desk = Desk(open_session(workspace), "anna")
    for at in range(0, 28_000, 1000):
        desk.decide("alpha", "frame", {"at": at, "label": "surgical" if shows_surgery(at) else "non-surgical"})
    desk.decide("beta", "frame", {"at": 1000, "label": "uncertain"})
    desk.decide("delta", "box", {"at": 8000, "action": "add", "box": [32, 48, 64, 96], "region": "logo"})
    desk.close()
    assert "28 frames" in run(capsys, "export", "-w", workspace, "-o", tmp_path / "labels")[0]
    frames = read_labels(tmp_path / "labels" / "labels.csv")
    assert len(frames) == 28 and sum(frame.surgical for frame in frames) == 20
    assert {frame.group for frame in frames} == {"alpha"}
    assert simplejpeg.decode_jpeg(frames[0].path.read_bytes()).shape == (192, 320, 3)
    run(capsys, "export", "-w", workspace, "-o", tmp_path / "boxes", "--format", "boxes")
    (truth,) = read_truth(tmp_path / "boxes" / "boxes.csv")
    assert isinstance(truth, ImagesTruth)
    assert [(o.kind, o.box) for o in truth.images[0][1]] == [("logo", (32, 48, 64, 96))]
    run(capsys, "export", "-w", workspace, "-o", tmp_path / "fo", "--format", "fiftyone")
    samples = json.loads((tmp_path / "fo" / "samples.json").read_text())["samples"]
    assert "version" not in json.loads((tmp_path / "fo" / "metadata.json").read_text())
    assert len(samples) == 30 and all((tmp_path / "fo" / sample["filepath"]).is_file() for sample in samples)
    (drawn,) = [sample for sample in samples if sample["video"] == "delta"]
    assert drawn["regions"]["detections"][0]["bounding_box"] == [0.1, 0.25, 0.1, 0.25]
    assert drawn["model"]["label"] == "surgical" and "ground_truth" not in drawn
    assert "is not empty" in run(capsys, "export", "-w", workspace, "-o", tmp_path / "fo", code=1)[1]


@pytest.mark.slow
def test_corrections_train_a_classifier(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk(open_session(workspace), "anna")
    for video in ("alpha", "beta"):
        for at in range(0, 28_000, 2000):
            desk.decide(video, "frame", {"at": at, "label": "surgical" if shows_surgery(at) else "non-surgical"})
    desk.close()
    train = ["train", "classifier", "--review", str(workspace), "-o", str(tmp_path / "model")]
    assert run_command([*train, "--pictures", "32", "--steps", "2", "--no-evaluation"]) == 0
    card = (tmp_path / "model" / "README.md").read_text()
    assert "--review w" in card and "| review | surgical | 20 | 2 |" in card
    assert not (tmp_path / "model" / ".training").exists()
    assert run_command(["train", "classifier", "-o", str(tmp_path / "other")]) == 1
    assert "--review WORKSPACE" in capsys.readouterr().err


@pytest.mark.slow
def test_corrected_boxes_train_masks(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = ["train", "masks", "-o", str(tmp_path / "model"), "--steps", "1", "--folds", "2"]
    assert run_command(train) == 1 and run_command([*train, "--review", str(workspace)]) == 1
    said = capsys.readouterr().err
    assert "--review WORKSPACE" in said and "nothing was decided" in said
    desk = Desk(open_session(workspace), "anna")
    for video, at in (("alpha", 8000), ("alpha", 9000), ("delta", 8000)):
        desk.decide(video, "box", {"at": at, "action": "add", "box": [32, 48, 64, 96], "region": "logo"})
    desk.close()
    assert run_command([*train, "--review", str(workspace)]) == 0
    card = (tmp_path / "model" / "README.md").read_text()
    assert "3 frames of 2 videos; boxes: 3 logo." in card and "--review w" in card and str(tmp_path) not in card
    assert not (tmp_path / "model" / ".training").exists()


def test_a_reviewer_is_forgotten_or_renamed(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the two ways that docs/review.md tells."""
    desk = Desk(open_session(workspace), "anna")
    desk.decide("alpha", "frame", {"at": 8000, "label": "non-surgical"})
    desk.close()
    decided = workspace / "decisions" / "anna.jsonl"
    again = ["run", "-w", str(workspace), "-q"]

    def naming(name: str) -> set[str]:
        files = [path for path in workspace.rglob("*") if path.is_file() and name.encode() in path.read_bytes()]
        return {path.relative_to(workspace).parts[0] for path in files}

    assert run_command(again) == 0 and naming('"anna"') == {"decisions", "exports"}
    text = decided.read_text()
    (workspace / "decisions" / "r1.jsonl").write_text(text.replace('"who":"anna"', '"who":"r1"'))
    decided.unlink()
    assert run_command(again) == 0 and naming('"anna"') == set() and naming('"r1"') == {"decisions", "exports"}
    (workspace / "decisions" / "r1.jsonl").unlink()
    assert run_command(again) == 0 and naming('"r1"') == set()
    capsys.readouterr()
