"""How an export is cut into shards, and that the cuts find themselves again when videos come or go."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from curate.exports import ExportEntry
from curate.exports.plan.plan import PlannedVideo
from curate.exports.plan.shards import BOOK, Shard, cut, is_landmark
from curate.records import Video

LIMIT = 500_000_000


def planned(name: str, frames: int, size: float) -> PlannedVideo:
    """A video of some frames that take so many bytes each."""
    entry = ExportEntry(Video(id=name, source=f"https://example.org/{name}"), Path(), Path(), None, {})
    return PlannedVideo(entry, 0, frames, float(frames), "train", sizes=((frames, size),))


def corpus(videos: int, seed: int) -> list[PlannedVideo]:
    """Videos of 13 minutes on average, as public lists of surgical videos have them, a frame of 60 kB a second."""
    rng = random.Random(seed)
    return [planned(f"v{i}", max(1, int(60 * rng.lognormvariate(2.0, 1.1))), 60_000.0) for i in range(videos)]


def size(shard: Shard) -> float:
    return sum(span.frames * span.video.sizes[0][1] for span in shard.spans)


def spans(shard: Shard) -> tuple[tuple[str, int, int], ...]:
    return tuple((span.video.id, span.start, span.stop) for span in shard.spans)


@pytest.mark.parametrize("seed", range(3))
def test_every_frame_is_in_one_shard_in_order_and_no_shard_is_too_large(seed: int) -> None:
    videos = corpus(500, seed)
    shards = list(cut("train", videos, LIMIT))
    told = [(name, n) for shard in shards for name, start, stop in spans(shard) for n in range(start, stop)]
    assert told == [(video.id, n) for video in videos for n in range(video.frames)]
    assert all(shard.spans and size(shard) <= LIMIT for shard in shards)


def test_shards_of_a_large_corpus_are_nearly_full() -> None:
    filled = [size(shard) / LIMIT for shard in cut("train", corpus(4194, 1), LIMIT)]
    assert sum(filled) / len(filled) > 0.9


def test_what_fits_is_not_cut_whatever_the_ids_are() -> None:
    videos = [planned(f"v{i}", 1, 60_000.0) for i in range(8_000)]
    assert len(list(cut("train", videos, LIMIT))) == 1
    assert len(list(cut("train", videos[:1], 1))) == 1


def test_a_video_that_comes_or_goes_changes_the_shards_up_to_the_next_landmark_only() -> None:
    videos = corpus(2000, 2)
    before = {spans(shard) for shard in cut("train", videos, LIMIT)}
    changed = []
    for gone in random.Random(3).sample(range(len(videos)), 100):
        after = {spans(shard) for shard in cut("train", videos[:gone] + videos[gone + 1 :], LIMIT)}
        fresh = {name for shard in after - before for name, _, _ in shard}
        landmarks = [v.id for v in videos if is_landmark(v.id, v.frames * 60_000 / (BOOK * LIMIT))]
        passed = [name for name in landmarks if name in fresh and name != videos[gone].id]
        assert len(passed) <= 1, "the one that the book of the video begins with"
        changed.append(len(after - before))
    assert sum(changed) / len(changed) < 1.5 * BOOK < len(before) / 10


def test_new_videos_at_the_end_change_nothing_before_the_last_landmark() -> None:
    videos = corpus(2010, 4)
    before = {spans(shard) for shard in cut("train", videos[:2000], LIMIT)}
    after = {spans(shard) for shard in cut("train", videos, LIMIT)}
    assert len(before - after) <= 1, "only the last one was not full"
