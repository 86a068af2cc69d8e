"""Verdicts against the truth: labels at times, spans, trim errors, and the command on a finished workspace."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.cli import run_command
from curate.errors import CurateError
from curate.evaluation.truth import Segment, Truth, read_truth
from curate.evaluation.videos import compare, markdown, summary
from curate.workspace.tables import verdict_schema
from tests.evaluation.making import make_judged

WORDS = {"s": "surgical", "n": "non-surgical", "u": "uncertain", "U": "uncertain"}
LEVELS = {"s": 0.9, "n": 0.1, "u": 0.45, "U": 0.55}


def truth(*parts: tuple[float, float, bool]) -> Truth:
    return Truth([Segment(*part) for part in parts])


def verdicts(folder: Path, text: str, kept: range, *, interval: float = 1.0) -> Path:
    rows = [
        {
            "n": n,
            "timestamp": n * interval,
            "p_surgical": LEVELS[letter],
            "verdict": WORDS[letter],
            "kept": n in kept,
            "reason": "",
        }
        for n, letter in enumerate(text)
    ]
    path = folder / "v.parquet"
    table = pa.Table.from_pylist(rows, verdict_schema()).replace_schema_metadata({"threshold": "0.5"})
    pq.write_table(table, path)
    return path


def test_a_time_belongs_to_the_segment_that_begins_at_it_and_gaps_say_nothing() -> None:
    known = truth((0, 8.008, False), (8.008, 20, True), (25, 30, False))
    assert [known.at(t) for t in (0, 8.0, 8.00799, 19.9, 20.0, 24.9, 25.0, 30.0)] == [
        False, False, True, True, None, None, False, None,
    ]  # fmt: skip


def test_the_span_goes_from_the_first_to_the_last_long_stretch() -> None:
    known = truth(
        (0, 2, True), (2, 5, False), (5, 7, True), (7, 9, True), (9, 12, False), (12, 15, True), (16, 18, True)
    )
    assert known.span(3) == (5, 15)
    assert known.span(0) == (0, 18)
    assert known.span(5) is None


def test_frames_are_counted_and_uncertain_ones_by_their_side(tmp_path: Path) -> None:
    result = compare(
        "v", verdicts(tmp_path, "nnsuUsnn", range(2, 6)), truth((0, 2, False), (2, 7, True), (7, 9, False)), 3
    )
    assert (result.frames, result.right, result.uncertain, result.wrong) == (8, 6, 2, (3, 6))
    assert (result.kept, result.truth, result.trim_error) == ((2, 6), (2, 7), (0, 1))


def test_times_are_seconds_whatever_the_rate(tmp_path: Path) -> None:
    path = verdicts(tmp_path, "nnssssnn", range(2, 6), interval=0.5)
    result = compare("v", path, truth((0, 1, False), (1, 3, True), (3, 4, False)), 1)
    assert (result.right, result.kept, result.trim_error) == (8, (1.0, 3.0), (0, 0))


@pytest.mark.parametrize(("kept", "surgical", "error"), [(0, False, (0, 0)), (4, False, None), (0, True, None)])
def test_keeping_nothing_is_right_only_where_there_is_nothing(
    tmp_path: Path, kept: int, surgical: bool, error: object
) -> None:
    result = compare("v", verdicts(tmp_path, "ssss", range(kept)), truth((0, 4, surgical)), 3)
    assert result.trim_error == error
    assert summary([result])["wrongly_kept_or_dropped"] == ([] if error else ["v"])
    assert ("| all |" in markdown([result])) == (error is None)


def test_totals_are_over_all_frames_of_all_videos(tmp_path: Path) -> None:
    one = compare("one", verdicts(tmp_path, "ssss", range(4)), truth((0, 4, True)), 3)
    two = compare("two", verdicts(tmp_path, "snnnnn", range(0)), truth((0, 6, False)), 3)
    total = summary([one, two])
    assert (total["frames"], total["right"], total["accuracy"]) == (10, 9, 0.9)
    assert total["interval"] == pytest.approx((0.5958, 0.9821), abs=1e-4)  # Wilson for 9 of 10
    assert total["largest_trim_error"] == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "is not JSON"),
        ("[]", 'no list of "segments"'),
        ('{"segments": []}', 'no list of "segments"'),
        ('{"segments": [{"start": 0, "end": 1}]}', "segment 1 lacks label"),
        ('{"segments": [{"start": 0, "end": 1, "label": "surgery"}]}', "segment 1: label 'surgery'"),
        ('{"segments": [{"start": 2, "end": 1, "label": "surgical"}]}', "segment 1: start and end"),
        ('{"segments": [{"start": "0", "end": 1, "label": "surgical"}]}', "segment 1: start and end"),
        (
            '{"segments": [{"start": 0, "end": 2, "label": "surgical"}, {"start": 1, "end": 3, "label": "surgical"}]}',
            "segment 2 begins at 1 s",
        ),
    ],
)
def test_truth_that_cannot_be_used_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(CurateError, match=said):
        read_truth(tmp_path / "t.json")


def test_the_command_compares_a_finished_workspace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_judged(tmp_path / "w", {"one": "nssss", "slides": "nnnn"})
    folder = tmp_path / "truth"
    folder.mkdir()
    segments = [{"start": 0, "end": 1, "label": "non-surgical"}, {"start": 1, "end": 5, "label": "surgical"}]
    (folder / "one.json").write_text(json.dumps({"segments": segments, "fps": 25}))
    (folder / "slides.json").write_text(json.dumps({"segments": [{"start": 0, "end": 4, "label": "non-surgical"}]}))
    assert run_command(["evaluate", "run", "-w", str(root), str(folder), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["frames"], figures["right"], figures["wrongly_kept_or_dropped"]) == (9, 9, [])
    assert [video["trim_error"] for video in figures["videos"]] == [[0, 0], [0, 0]]

    (folder / "three.json").write_text(json.dumps({"segments": segments}))
    assert run_command(["evaluate", "run", "-w", str(root), str(folder)]) == 2
    said = capsys.readouterr()
    assert "three: is not in the manifest" in said.err
    assert "9 of 9, 1.0000" in said.out


def test_the_command_wants_truth_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert run_command(["evaluate", "run", "-w", str(tmp_path / "w"), str(tmp_path / "empty")]) == 1
    assert "no VIDEO_ID.json" in capsys.readouterr().err
