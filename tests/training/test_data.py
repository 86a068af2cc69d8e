"""Labels, even sampling, families on one side, compositions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from curate.errors import CurateError
from curate.evaluation.labels import Families, LabelledFrame, read_labels
from curate.training import augment, blanks, lookalikes
from curate.training.data import Draw, Sampler, compose, without
from curate.vision.blank import is_blank
from tests.nets.making import jpeg, picture


def frame(source: str, group: int, surgical: bool, number: int = 0) -> LabelledFrame:
    return LabelledFrame(Path(f"{source}-{group}-{number}.jpg"), surgical, source, str(group), "")


FRAMES = [
    *[frame("big", g, True, n) for g in range(100) for n in range(4)],
    *[frame("twin", 0, True, n) for n in range(5)],
    *[frame("small", 0, True, n) for n in range(2)],
    *[frame("slides", g, False) for g in range(50)],
    *[frame("talk", 0, False, n) for n in range(50)],
]
RELATED_SOURCES = Families({"big": "kin", "twin": "kin"})


def test_small_sources_are_drawn_nearly_as_often_as_big_ones() -> None:
    draws = Sampler(FRAMES, RELATED_SOURCES, evenness=0.0).draws(4000, 0, cards=0.0)
    counts = Counter(RELATED_SOURCES.of(FRAMES[d.frame].source) for d in draws)
    assert abs(counts["kin"] - counts["small"]) < 250
    assert abs(counts["slides"] - counts["talk"]) < 250
    by_size = Counter(
        RELATED_SOURCES.of(FRAMES[d.frame].source)
        for d in Sampler(FRAMES, RELATED_SOURCES, evenness=1.0).draws(4000, 0)
    )
    assert by_size["small"] < by_size["kin"] / 50


def test_emphasis_multiplies() -> None:
    draws = Sampler(FRAMES, RELATED_SOURCES, evenness=0.0, emphasis={"talk": 3.0}).draws(4000, 0, cards=0.0)
    counts = Counter(FRAMES[d.frame].source for d in draws)
    assert counts["talk"] / counts["slides"] == pytest.approx(3, rel=0.2)


def test_half_is_surgical_and_the_other_picture_is_of_the_other_class() -> None:
    draws = Sampler(FRAMES, RELATED_SOURCES).draws(1000, 3, cards=0.2)
    assert sum(d.surgical for d in draws) == 500
    cards = [d for d in draws if d.frame < 0]
    assert 60 < len(cards) < 140
    for draw in draws:
        if draw.frame >= 0:
            assert FRAMES[draw.frame].surgical == draw.surgical
            assert FRAMES[draw.other].surgical != draw.surgical


def test_draws_are_the_same_for_a_seed() -> None:
    assert Sampler(FRAMES, RELATED_SOURCES).draws(50, 7) == Sampler(FRAMES, RELATED_SOURCES).draws(50, 7)
    assert Sampler(FRAMES, RELATED_SOURCES).draws(50, 7) != Sampler(FRAMES, RELATED_SOURCES).draws(50, 8)


def test_nothing_of_a_held_out_family_is_left_not_even_as_an_inset() -> None:
    draws = Sampler(FRAMES, RELATED_SOURCES).draws(2000, 0)
    left = without(draws, FRAMES, RELATED_SOURCES, {"kin", "talk"})
    seen = {FRAMES[i].source for index in left for i in (draws[index].frame, draws[index].other) if i >= 0}
    assert seen == {"small", "slides"}
    assert any(draws[index].frame < 0 for index in left)


def write(folder: Path, text: str) -> Path:
    for name in ("a", "b", "c.jpg", "d/b.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    path = folder / "labels.csv"
    path.write_text(text)
    return path


def test_labels_are_read_with_their_paths(tmp_path: Path) -> None:
    text = "file,label,source,group,licence\nd/b.jpg,surgical,s,g,MIT\nc.jpg,non-surgical,t,h,\n"
    frames = read_labels(write(tmp_path, text))
    assert frames == [
        LabelledFrame(tmp_path / "d/b.jpg", True, "s", "g", "MIT"),
        LabelledFrame(tmp_path / "c.jpg", False, "t", "h", ""),
    ]
    assert [frame.line for frame in frames] == [2, 3]


def test_two_columns_are_enough_and_then_every_frame_is_its_own_group(tmp_path: Path) -> None:
    frames = read_labels(write(tmp_path, "\ufefflabel,file\nsurgical,a\nnon-surgical,b\n"))
    assert [(f.path.name, f.surgical, f.source, f.group) for f in frames] == [
        ("a", True, "labels", "a"),
        ("b", False, "labels", "b"),
    ]


HEADER = "file,label,source,group,licence\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,source\n", "no column label"),
        (HEADER + "a,surgical,s,g,\nb,maybe,s,g,\n", "labels.csv:3: label 'maybe'"),
        (HEADER + "a,surgical,s,g,\nnowhere,non-surgical,s,h,\n", "labels.csv:3: there is no file 'nowhere'"),
        (HEADER + "a,surgical,s,g,\n,non-surgical,s,h,\n", "labels.csv:3: there is no file ''"),
        (HEADER + "a,surgical,s,g,\nb,non-surgical\n", "labels.csv:3: the row has fewer cells"),
        (HEADER + "a,surgical,s,g,\nb,non-surgical,s,h,x,y\n", "labels.csv:3: the row has more cells"),
        (
            HEADER + "a,surgical,s,g,\nb,non-surgical,s,h,\na,non-surgical,s,g,\n",
            "labels.csv:4: file '.*a' has another label in line 2",
        ),
        (HEADER + "a,surgical,s,g,\nb,non-surgical,t,g,\n", "labels.csv:3: group 'g' is of another source in line 2"),
        (HEADER + "a,surgical,s,g,\nb,surgical,s,g,\n", "no frame is labelled non-surgical"),
        (HEADER, "no frame is labelled surgical"),
    ],
)
def test_labels_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CurateError, match=said):
        read_labels(write(tmp_path, text))


def test_labels_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="cannot read"):
        read_labels(tmp_path / "labels.csv")


def test_a_picture_is_composed_the_same_for_its_seed(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(0))
    (tmp_path / "b.jpg").write_bytes(jpeg(1))
    frames = [
        LabelledFrame(tmp_path / "a.jpg", True, "s", "g", ""),
        LabelledFrame(tmp_path / "b.jpg", False, "t", "g", ""),
    ]
    for draw in (Draw(0, 1, True, 5), Draw(1, 0, False, 5), Draw(-1, -1, False, 5)):
        first = compose(draw, frames)
        assert first.tobytes() == compose(draw, frames).tobytes()
        assert first.dtype == np.uint8
        assert first.shape[2] == 3
    assert compose(Draw(0, 1, True, 5), frames).tobytes() != compose(Draw(0, 1, True, 6), frames).tobytes()


@pytest.mark.parametrize("size", [(120, 200), (200, 120), (64, 640), (500, 500)])
def test_any_shape_can_be_varied_and_encoded(size: tuple[int, int]) -> None:
    for seed in range(25):
        rng = np.random.default_rng(seed)
        for made in (
            augment.surgical(picture(0, *size), picture(1), rng),
            augment.non_surgical(picture(0, *size), picture(1), rng),
            augment.title_card(rng),
            augment.stand_in(rng),
        ):
            assert min(made.shape[:2]) >= 16
            simplejpeg.encode_jpeg(np.ascontiguousarray(made), 90, "RGB", "420")


def test_an_inset_covers_the_share_asked_for() -> None:
    canvas, inset = np.zeros((300, 400, 3), np.uint8), np.full((90, 160, 3), 255, np.uint8)
    for seed in range(50):
        for at_rim in (True, False):
            made = augment.paste(canvas, inset, np.random.default_rng(seed), share=(0.05, 0.1), at_rim=at_rim)
            assert 0.03 < made.any(axis=2).mean() <= 0.12
    assert not canvas.any()


def test_borders_are_plain_most_of_them_black_and_leave_the_middle() -> None:
    red = np.full((300, 400, 3), (200, 30, 30), np.uint8)
    corners = []
    for seed in range(60):
        made = augment.circular_border(red, np.random.default_rng(seed))
        corners.append(tuple(made[0, 0].tolist()))
        assert (made[150, 200] == red[150, 200]).all()
    assert 30 < corners.count((0, 0, 0)) < 55
    assert sum(min(corner) > 210 for corner in corners) >= 5
    assert (red == red[0, 0]).all()


def test_a_part_seen_close_fills_the_picture() -> None:
    for seed in range(20):
        made = augment.close(picture(seed, 288, 400), np.random.default_rng(seed))
        assert made.shape == (288, 400, 3)
        assert made.std() < picture(seed, 288, 400).std() + 5


@pytest.mark.parametrize("draw", lookalikes.KINDS, ids=lambda draw: draw.__name__)
def test_every_lookalike_is_a_picture_and_each_is_another(draw: Callable[..., np.ndarray]) -> None:
    first, second = (draw(np.random.default_rng(seed), 384) for seed in (1, 2))
    again = draw(np.random.default_rng(1), 384)
    assert first.shape == (lookalikes.HEIGHT, 384, 3)
    assert np.array_equal(first, again)
    assert np.isfinite(first).all()
    assert np.abs(first - second).mean() > 5
    assert not is_blank(np.clip(first, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("draw", sorted(set(blanks.KINDS), key=lambda draw: draw.__name__))
def test_pictures_without_content_have_no_edges_but_noise(draw: Callable[..., np.ndarray]) -> None:
    for seed in range(4):
        made = draw(np.random.default_rng(seed), 384)
        assert made.shape == (blanks.HEIGHT, 384, 3)
        assert np.isfinite(made).all()
        assert np.array_equal(made, draw(np.random.default_rng(seed), 384))
        if draw is not blanks.static:
            assert np.abs(np.diff(made, axis=1)).max() < 6


def test_stand_ins_are_cards_lookalikes_and_blanks() -> None:
    made = [augment.stand_in(np.random.default_rng(seed)) for seed in range(60)]
    dim = sum(float(picture.mean()) < 45 for picture in made)
    assert 3 <= dim <= 40


def test_colours_of_another_picture_are_taken() -> None:
    red = np.full((50, 50, 3), (180, 40, 40), np.uint8) + picture(3, 50, 50) // 16
    blue = np.full((60, 80, 3), (30, 40, 190), np.uint8) + picture(4, 60, 80) // 16
    made = augment.take_colours(blue, red, np.random.default_rng(0)).mean((0, 1))
    assert made[0] > 100 > blue.mean((0, 1))[0]
    assert made[2] < 130 < blue.mean((0, 1))[2]
