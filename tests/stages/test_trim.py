"""The trim stage on tables of scores."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.config import TrimOptions
from curate.records import Done, Dropped, Failed, Reason, Video
from curate.stage import Files
from curate.stages.trim import TrimStage
from curate.workspace.tables import score_schema, verdict_schema

VIDEO = Video(id="a-video", source="/a.mp4")
METADATA = {"model": "m", "sha256": "0", "threshold": "0.6", "uncertain_low": "0.5", "uncertain_high": "0.7"}
LEVELS = {"S": 0.95, "P": 0.97, ".": 0.02, "u": 0.65, "d": 0.55}


def files(folder: Path, text: str, metadata: dict[str, str] = METADATA) -> Files:
    """Scores of a second a letter; a capital ``P`` is a picture that stands still and is taken for surgery."""
    rows = [
        {"n": n, "timestamp": float(n), "p_surgical": LEVELS[c], "change": 0.1 if c != "P" else 0.004}
        for n, c in enumerate(text)
    ]
    path = folder / "scores.parquet"
    pq.write_table(pa.Table.from_pylist(rows, score_schema()).replace_schema_metadata(metadata), path)
    out = folder / "verdicts"
    out.mkdir(exist_ok=True)
    return Files({"classify": path}, out, VIDEO.id)


def run(folder: Path, text: str, **options: object) -> Done | Dropped | Failed:
    """Judge frames one by one, unless asked to smooth."""
    return TrimStage(TrimOptions(**{"smooth": False, **options})).process(VIDEO, files(folder, text))


def read(outcome: Done | Dropped | Failed) -> dict[str, list]:
    assert not isinstance(outcome, Failed)
    assert outcome.artefact is not None
    return pq.read_table(outcome.artefact).to_pydict()


def test_the_part_between_the_first_and_the_last_run_is_kept(tmp_path: Path) -> None:
    outcome = run(tmp_path, "S..SSS.uSSS.S")
    assert isinstance(outcome, Done)
    rows = read(outcome)
    assert rows["kept"] == [3 <= n < 11 for n in range(13)]
    assert rows["reason"] == ["before_first_run"] * 3 + [""] * 8 + ["after_last_run"] * 2
    short = {"surgical": "S", "non-surgical": ".", "uncertain": "u"}
    assert "".join(short[v] for v in rows["verdict"]) == "S..SSS.uSSS.S"
    assert dict(outcome.figures) == {
        "frames": 13,
        "surgical": 8,
        "non_surgical": 4,
        "uncertain": 1,
        "still": 0,
        "kept": 8,
        "seconds_kept": 8.0,
    }


def test_the_table_says_how_it_was_made(tmp_path: Path) -> None:
    outcome = run(tmp_path, "SSSS", threshold=0.8)
    assert isinstance(outcome, Done)
    assert outcome.artefact is not None
    table = pq.read_table(outcome.artefact)
    assert table.schema.equals(verdict_schema())
    assert table.schema.metadata == {
        b"model": b"m",
        b"threshold": b"0.8",
        b"uncertain_low": b"0.5",
        b"uncertain_high": b"0.8",
        b"smooth": b"false",
        b"min_run": b"3.0",
        b"min_change": b"0.015",
    }


def test_a_video_without_a_run_is_dropped_and_its_verdicts_are_left(tmp_path: Path) -> None:
    outcome = run(tmp_path, ".SS.SS.")
    assert isinstance(outcome, Dropped)
    assert outcome.reason is Reason.NO_SURGICAL_RUN
    assert "3 s" in outcome.detail
    rows = read(outcome)
    assert rows["reason"] == ["no_run"] * 7
    assert not any(rows["kept"])
    assert outcome.figures["kept"] == 0
    assert isinstance(run(tmp_path, ".SS.SS.", min_run=2.0), Done)


def test_a_still_picture_is_no_surgery_however_long_it_is_shown(tmp_path: Path) -> None:
    outcome = run(tmp_path, "..PPPPPPPPP...")
    assert isinstance(outcome, Dropped)
    assert outcome.figures["still"] == 9
    assert read(outcome)["verdict"][2:11] == ["non-surgical"] * 9
    assert isinstance(run(tmp_path, "..PPPPPPPPP...", min_change=0.0), Done)
    beside = read(run(tmp_path, "SSSS.PPPPP.SSSS"))
    assert beside["verdict"][5:10] == ["non-surgical"] * 5
    assert all(beside["kept"])


def test_uncertain_frames_count_by_the_side_of_the_threshold_they_are_on(tmp_path: Path) -> None:
    assert isinstance(run(tmp_path, "..uuu.."), Done)
    assert isinstance(run(tmp_path, "..ddd.."), Dropped)
    assert isinstance(run(tmp_path, "..ddd..", threshold=0.55), Done)


def test_the_band_can_be_set_and_emptied(tmp_path: Path) -> None:
    assert read(run(tmp_path, "SSud", uncertain_low=0.6))["verdict"][2:] == ["uncertain", "non-surgical"]
    empty = read(run(tmp_path, "SSud", uncertain_low=0.0, uncertain_high=0.0))["verdict"]
    assert empty == ["surgical", "surgical", "surgical", "non-surgical"]


def test_smoothing_turns_a_lone_unsure_frame_and_leaves_the_probability(tmp_path: Path) -> None:
    sharp, smooth = read(run(tmp_path, "SSSdSSS")), read(run(tmp_path, "SSSdSSS", smooth=True))
    assert (sharp["verdict"][3], smooth["verdict"][3]) == ("uncertain", "surgical")
    assert smooth["p_surgical"] == sharp["p_surgical"]


def test_verdicts_are_the_same_byte_for_byte(tmp_path: Path) -> None:
    first = run(tmp_path, "S..SSS.uSSS.S")
    assert isinstance(first, Done)
    assert first.artefact is not None
    content = first.artefact.read_bytes()
    run(tmp_path, "S..SSS.uSSS.S")
    assert first.artefact.read_bytes() == content


@pytest.mark.parametrize(
    ("text", "metadata"),
    [("", METADATA), ("SS", {}), ("SS", {**METADATA, "threshold": "high"}), ("SS", {"model": "m"})],
)
def test_tables_that_are_no_scores(tmp_path: Path, text: str, metadata: dict[str, str]) -> None:
    outcome = TrimStage(TrimOptions()).process(VIDEO, files(tmp_path, text, metadata))
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.retryable) == (Reason.BAD_ARTEFACT, True)


def test_damaged_scores(tmp_path: Path) -> None:
    place = files(tmp_path, "SSSS")
    for content in (b"", b"no table", place.inputs["classify"].read_bytes()[:-20]):
        place.inputs["classify"].write_bytes(content)
        outcome = TrimStage(TrimOptions()).process(VIDEO, place)
        assert isinstance(outcome, Failed)
        assert outcome.reason is Reason.BAD_ARTEFACT


@pytest.mark.parametrize("spoil", ["falling", "beyond"])
def test_scores_that_make_no_sense(tmp_path: Path, spoil: str) -> None:
    place = files(tmp_path, "SSSS")
    rows = pq.read_table(place.inputs["classify"]).to_pylist()
    rows[2] |= {"timestamp": 0.5} if spoil == "falling" else {"p_surgical": 1.5}
    table = pa.Table.from_pylist(rows, score_schema()).replace_schema_metadata(METADATA)
    pq.write_table(table, place.inputs["classify"])
    outcome = TrimStage(TrimOptions()).process(VIDEO, place)
    assert isinstance(outcome, Failed)
    assert "scores" in outcome.detail
