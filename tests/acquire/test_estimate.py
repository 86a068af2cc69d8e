import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.acquire.estimate import VIDEOS_AN_HOUR, estimate
from curate.config import DownloadOptions
from curate.records import Video


def videos(count: int, **fields):
    return [Video(f"v{n}", f"https://www.youtube.com/watch?v=v{n}", **fields) for n in range(count)]


def test_the_lemon_corpus_costs_hundreds_of_gigabytes_and_more_than_half_a_day():
    found = estimate(videos(4194), DownloadOptions())
    assert 300e9 < found.bytes < 1200e9
    assert 4194 / VIDEOS_AN_HOUR <= found.hours < 24 * 14
    assert "4194 videos, about" in str(found) and "GB" in str(found)


def test_local_files_cost_nothing():
    found = estimate([Video("a", "/data/a.mp4", duration=3600)], DownloadOptions())
    assert (found.videos, found.bytes, found.hours) == (0, 0, 0.0)


def test_known_lengths_and_heights_are_used():
    full = estimate(videos(10, duration=3600, height=720), DownloadOptions())
    assert full.bytes == 10 * 3600 * 1.5e6 / 8
    assert estimate(videos(10, duration=3600, height=360), DownloadOptions()).bytes < full.bytes / 3
    assert estimate(videos(10, duration=3600, height=2160), DownloadOptions()).bytes == full.bytes


def test_a_rate_limit_and_a_slower_pace_take_longer():
    base = estimate(videos(100), DownloadOptions()).hours
    assert estimate(videos(100), DownloadOptions(rate_limit=200_000)).hours > base
    assert estimate(videos(100), DownloadOptions(sleep_interval=60.0)).hours == pytest.approx(base + 100 * 45 / 3600)


@given(st.integers(0, 50), st.integers(144, 4320), st.floats(0, 1e5), st.floats(0, 100))
def test_estimates_are_sane(count, height, duration, pause):
    found = estimate(videos(count, duration=duration), DownloadOptions(max_height=height, sleep_interval=pause))
    assert found.videos == count and found.bytes >= 0 and found.hours >= count / VIDEOS_AN_HOUR - 1e-9
    assert str(found)
