from __future__ import annotations

import dataclasses

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.config import ExportOptions
from curate.exports.pixels.frames import read_frames
from curate.exports.plan.plan import BrokenVideo, FramePolicy, make_plan
from tests.exports.making import BOX, make_entry, sampled_jpeg


@settings(max_examples=40, deadline=None)
@given(
    letters=st.text("snu", min_size=1, max_size=30),
    trim=st.tuples(st.integers(0, 29), st.integers(0, 29)),
    masked=st.sets(st.integers(0, 29)),
    rows_a_group=st.integers(1, 9),
    include=st.sampled_from(["surgical", "trimmed"]),
    uncertain=st.sampled_from(["keep", "drop"]),
)
def test_the_right_frames_come_in_order_with_their_own_regions(
    tmp_path_factory, letters, trim, masked, rows_a_group, include, uncertain
):
    kept = range(min(trim), min(max(trim) + 1, len(letters)))
    entry = make_entry(
        tmp_path_factory.mktemp("v"),
        "v",
        letters,
        kept=kept,
        regions={n for n in masked if n < len(letters)},
        rows_a_group=rows_a_group,
    )
    options = ExportOptions(include=include, uncertain=uncertain)
    plan = make_plan([entry], options, {})
    shown = "su" if uncertain == "keep" else "s"
    expected = [n for n in kept if include == "trimmed" or letters[n] in shown]
    if not expected:
        assert (plan.videos, plan.without_frames) == ((), ("v",))
        return
    (video,) = plan.videos
    frames = list(read_frames(video, FramePolicy.of(options)))
    assert [frame.n for frame in frames] == expected
    assert video.frames == len(expected)
    for frame in frames:
        assert frame.jpeg == sampled_jpeg(entry, frame.n)
        assert frame.key == f"v_{frame.n - kept[0]}"
        assert frame.blank == (letters[frame.n] not in shown)
        assert [region.box for region in frame.regions] == [BOX] * (frame.n in masked)


def read_all(entry):
    options = ExportOptions()
    (video,) = make_plan([entry], options, {}).videos
    return list(read_frames(video, FramePolicy.of(options)))


def test_verdicts_of_other_frames_are_refused(tmp_path):
    entry = make_entry(tmp_path / "a", "v", "ssss")
    table = pq.read_table(entry.verdicts)
    pq.write_table(table.set_column(0, table.schema.field("n"), pa.array([0, 1, 3, 4], pa.int32())), entry.verdicts)
    with pytest.raises(BrokenVideo, match="do not agree"):
        read_all(entry)


def test_regions_out_of_order_are_refused_and_not_lost(tmp_path):
    entry = make_entry(tmp_path / "a", "v", "ssss", regions=[1, 2])
    pq.write_table(pq.read_table(entry.regions).take([1, 0]), entry.regions)
    with pytest.raises(BrokenVideo, match="not ordered by n"):
        read_all(entry)


def test_a_video_without_a_detector_has_no_regions(tmp_path):
    entry = dataclasses.replace(make_entry(tmp_path / "a", "v", "sss", regions=[1]), regions=None)
    assert [frame.regions for frame in read_all(entry)] == [()] * 3
