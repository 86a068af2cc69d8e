from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.corpus.balance import (
    Balance,
    balance_from,
    cap_for,
    effective_frames,
    frame_order,
    frame_weights,
    group_rows,
    select_frames,
)
from curate.errors import CurateError
from tests.corpus.running import run
from tests.finished import make_finished


@dataclass(frozen=True)
class Counted:
    id: str
    frames: int
    procedures: tuple[str, ...] = ()
    corpus: str = ""

    @property
    def seconds(self) -> float:
        return float(self.frames)


corpora = st.lists(
    st.tuples(st.integers(1, 2000), st.lists(st.sampled_from("abc"), max_size=2), st.sampled_from("xyz")),
    min_size=1,
    max_size=15,
).map(lambda rows: [Counted(f"v{i}", n, tuple(p), c) for i, (n, p, c) in enumerate(rows)])
levels = st.sampled_from([(), ("corpus",), ("procedure",), ("corpus", "procedure"), ("corpus", "procedure", "video")])


def test_the_hierarchical_cap_is_the_largest_that_fits():
    assert cap_for([10, 100, 1000], 210) == 100
    assert cap_for([10, 100, 1000], 150) == 70
    assert cap_for([10, 100, 1000], 2000) == float("inf")
    videos = [
        Counted("a", 900, ("chole",), "big"),
        Counted("b", 100, ("hernia",), "big"),
        Counted("c", 300, ("chole",), "small"),
    ]
    rows = {row.path: row for row in group_rows(videos, Balance(("corpus", "procedure"), frames=800))}
    assert rows[("big",)].taken == 500 and rows[("small",)].taken == 300
    assert rows[("big", "hernia")].taken == 100 and rows[("big", "chole")].taken == 400
    assert rows[()].share == pytest.approx(1) and rows[("small",)].share == pytest.approx(300 / 800)


def test_a_cap_of_a_level_holds_for_each_of_its_groups():
    videos = [Counted(f"v{i}", 100, ("chole",), "big") for i in range(9)] + [Counted("w", 50, ("chole",), "small")]
    how = Balance(("corpus", "video"), alpha=1, caps={"corpus": 360, "video": 60})
    rows = {row.path: row.taken for row in group_rows(videos, how)}
    assert rows[("big",)] == 360 and rows[("small",)] == 50
    assert rows[("big", "v0")] == 40
    assert select_frames(videos, how) == {**{f"v{i}": 40 for i in range(9)}, "w": 50}


@settings(max_examples=60)
@given(corpora, levels, st.integers(1, 5000), st.integers(0, 5000))
def test_a_larger_selection_holds_every_smaller_one(videos, by, frames, more):
    small = select_frames(videos, Balance(by, frames=frames))
    large = select_frames(videos, Balance(by, frames=frames + more))
    assert all(small[name] <= large[name] for name in small)
    assert all(large[video.id] <= video.frames for video in videos)
    assert sum(small.values()) <= frames + len(videos)


@settings(max_examples=60)
@given(corpora, levels, st.floats(0, 1), st.integers(0, 5000))
def test_weights_of_all_frames_sum_to_one(videos, by, alpha, frames):
    how = Balance(by, alpha, frames)
    weights = frame_weights(videos, how)
    assert sum(weights[video.id] * video.frames for video in videos) == pytest.approx(1)
    assert effective_frames(weights, videos) <= sum(video.frames for video in videos) * (1 + 1e-9)
    assert sum(select_frames(videos, how).values()) >= 0


def test_frames_taken_first_are_spread_over_the_video():
    first = sorted(range(16), key=frame_order)
    assert first[:4] == [0, 8, 4, 12]
    assert sorted(first[:8]) == list(range(0, 16, 2))


def test_what_cannot_be_balanced_is_named():
    for by, caps, what in (
        (["procedures"], {}, "'procedures' is not one of"),
        (["video", "corpus"], {}, "video last"),
        (["corpus"], {"video": 5}, "a cap for video"),
    ):
        with pytest.raises(CurateError, match=what):
            balance_from(by, 0.5, 0, caps, where="--by")


def test_the_command_shows_effective_counts_and_writes_nothing(tmp_path):
    make_finished(tmp_path / "work", {name: f"https://example.org/{name}" for name in "abc"}, ["parquet"])
    before = sorted(path for path in (tmp_path / "work").rglob("*"))
    done = run("corpus", "balance", "-w", tmp_path / "work", "--by", "corpus,procedure,video", "--frames", 6)
    assert done.code == 0, done.err
    lines = [line.split() for line in done.out.splitlines()]
    assert lines[1] == ["all", "3", "12", "6", "0.500", "1.0000"]
    assert "worth 12 frames" in done.out
    assert sorted(path for path in (tmp_path / "work").rglob("*")) == before
    done = run("corpus", "balance", "-w", tmp_path / "work", "--split", "val")
    assert done.code == 1 and "there are train" in done.err
