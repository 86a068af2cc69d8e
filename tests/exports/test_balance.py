from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.corpus.balance import Balance, frame_weights, procedure_rows
from curate.exports import ExportEntry
from curate.exports.plan.plan import PlannedVideo
from curate.records import Video
from tests.exports.making import make_entry


def planned(name: str, frames: int, *procedures: str) -> PlannedVideo:
    video = Video(id=name, source="https://example.org", procedures=procedures)
    entry = ExportEntry(video, Path("f"), Path("v"), None, {})
    return PlannedVideo(entry, 0, frames, float(frames), "train")


def test_weights_follow_the_square_root_of_the_frames():
    rows = procedure_rows(
        "train", [planned("a", 100, "common"), planned("b", 4, "rare"), planned("c", 800, "common")], Balance()
    )
    by_name = {row.procedure: row for row in rows}
    assert by_name["common"].weight == pytest.approx(30 / 32) and by_name["rare"].weight == pytest.approx(2 / 32)
    assert (by_name["common"].videos, by_name["common"].frames) == (2, 900)
    assert by_name["common"].hours == pytest.approx(0.25)


lists = st.lists(
    st.tuples(st.integers(1, 5000), st.lists(st.sampled_from("abcd"), max_size=3)), min_size=1, max_size=20
)


@given(lists, st.floats(0, 1))
def test_probabilities_of_all_frames_sum_to_one(drawn, alpha):
    videos = [planned(f"v{i}", frames, *procedures) for i, (frames, procedures) in enumerate(drawn)]
    rows = procedure_rows("train", videos, Balance(alpha=alpha))
    weights = frame_weights(videos, Balance(alpha=alpha))
    assert sum(row.weight for row in rows) == pytest.approx(1)
    assert sum(weights[video.id] * video.frames for video in videos) == pytest.approx(1)
    assert sum(row.frames for row in rows) == pytest.approx(sum(video.frames for video in videos))


def test_natural_frequencies_at_alpha_one():
    videos = [planned("a", 30, "x"), planned("b", 70, "y"), planned("c", 5)]
    weights = frame_weights(videos, Balance(alpha=1.0))
    assert list(weights.values()) == pytest.approx([1 / 105] * 3)


def test_tables_beside_an_export(entries, export, tmp_path):
    import pyarrow.parquet as pq

    export([*entries, make_entry(tmp_path / "in", "w", "sss", split="val")], "parquet")
    folder = tmp_path / "exports" / "parquet"
    with open(folder / "procedures.csv", newline="") as stream:
        rows = {(row["split"], row["procedure"]): row for row in csv.DictReader(stream)}
    assert set(rows) == {("train", "cholecystectomy"), ("train", "hernia repair"), ("val", "unknown")}
    assert rows["train", "cholecystectomy"]["videos"] == "2"
    assert float(rows["train", "cholecystectomy"]["frames"]) == 5 + 6
    assert float(rows["val", "unknown"]["hours"]) == pytest.approx(3 / 3600, abs=1e-6)
    videos = {row["video_id"]: row for row in pq.read_table(folder / "videos.parquet").to_pylist()}
    assert videos["vid_a"]["frames"] == 5 and videos["vid_a"]["seconds"] == 5.0
    total = sum(row["frames"] * row["frame_weight"] for row in videos.values() if row["split"] == "train")
    assert total == pytest.approx(1)
