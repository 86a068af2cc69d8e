"""The field stage on real encoded videos, and on real ones where they are at hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curate.config import FieldOptions, SampleOptions
from curate.records import NON_SURGICAL, SURGICAL, Done, Failed, Reason, Video
from curate.stage import Files
from curate.stages.field import FieldStage
from curate.stages.sample import SampleStage
from curate.vision.field_of_view import FieldOfView
from curate.workspace.tables import field_schema, verdict_schema
from tests.media.videos import encode
from tests.vision.scopes import Scope

VIDEO = Video(id="v", source="/videos/v.mp4")
WIDTH, HEIGHT = 480, 270
PILLARS = Scope(box=(70, 0, 410, 10_000))
CIRCLE = Scope(circle=(240, 130, 190))


def film(folder: Path, images: Sequence[np.ndarray]) -> Path:
    """A video of one frame a second, as web sites encode it."""
    height, width, _ = images[0].shape
    options = {"preset": "veryfast", "crf": "26"}
    return encode(
        folder / "v.mp4", frames=len(images), size=(width, height), rate=1, options=options, images=lambda i: images[i]
    )


def sampled(folder: Path, images: Sequence[np.ndarray], left_out: Sequence[int] = ()) -> Files:
    """Encode a video, sample it, and judge all but some frames surgical."""
    folder.mkdir(exist_ok=True)
    source = film(folder, images)
    stage = SampleStage(SampleOptions())
    stage.setup()
    outcome = stage.process(VIDEO, Files({"download": source}, folder, "v"))
    stage.close()
    assert isinstance(outcome, Done) and outcome.figures["frames"] == len(images)
    verdicts = [NON_SURGICAL if n in left_out else SURGICAL for n in range(len(images))]
    return judged(folder, outcome.artefact, verdicts)


def judged(folder: Path, frames: Path, verdicts: Sequence[str]) -> Files:
    count = len(verdicts)
    table = {"n": range(count), "timestamp": [float(n) for n in range(count)], "p_surgical": [0.5] * count}
    table |= {"verdict": verdicts, "kept": [True] * count, "reason": [""] * count}
    pq.write_table(pa.table(table, schema=verdict_schema()), folder / "verdicts.parquet")
    (folder / "fields").mkdir(exist_ok=True)
    return Files({"sample": frames, "trim": folder / "verdicts.parquet"}, folder / "fields", "v")


def run(files: Files) -> Done:
    outcome = FieldStage(FieldOptions()).process(VIDEO, files)
    assert isinstance(outcome, Done), outcome
    assert pq.read_schema(outcome.artefact).equals(field_schema())
    return outcome


def shots(outcome: Done) -> list[dict]:
    return pq.read_table(outcome.artefact).to_pylist()


def mask_of(shot: dict) -> np.ndarray:
    names = ("shape", "x1", "y1", "x2", "y2", "cx", "cy", "rx", "ry")
    return FieldOfView(*(shot[name] for name in names)).mask(shot["width"], shot["height"])


def same(found: np.ndarray, truth: np.ndarray) -> float:
    return float((found & truth).sum() / (found | truth).sum())


def assert_found(shot: dict, scope: Scope) -> None:
    """The field is that of the scope, and next to nothing of the scene is cut off."""
    found, truth = mask_of(shot), scope.field()
    assert same(found, truth) > 0.97
    assert (truth & ~found).sum() < 0.01 * truth.sum()


captions = st.lists(
    st.tuples(st.sampled_from(["Dr. Miller", "14:22:07", "CH1", "ID 12345"]), st.integers(0, 60), st.integers(20, 260)),
    max_size=3,
).map(tuple)


@settings(max_examples=20, deadline=None)
@given(
    radius=st.floats(0.36, 0.75),
    x=st.floats(-0.1, 0.1),
    y=st.floats(-0.12, 0.12),
    surround=st.integers(0, 20),
    texts=captions,
    notch=st.booleans(),
    dark=st.sampled_from([0.0, 0.3]),
    seed=st.integers(0, 1000),
)
def test_a_circle_is_found_wherever_it_lies(tmp_path_factory, radius, x, y, surround, texts, notch, dark, seed):
    circle = (WIDTH * (0.5 + x), HEIGHT * (0.5 + y), HEIGHT * radius)
    scope = Scope(circle=circle, surround=surround, captions=texts, notch=notch, dark=dark)
    outcome = run(sampled(tmp_path_factory.mktemp("v"), [scope.frame(seed, n) for n in range(14)]))
    (shot,) = shots(outcome)
    assert shot["shape"] in ("circle", "ellipse")
    assert (shot["first"], shot["last"], shot["width"], shot["height"]) == (0, 13, WIDTH, HEIGHT)
    assert_found(shot, Scope(circle=circle))
    assert outcome.figures["circular_videos"] == 1


@settings(max_examples=12, deadline=None)
@given(
    left=st.integers(0, 120),
    right=st.integers(0, 120),
    top=st.integers(0, 50),
    bottom=st.integers(0, 50),
    texts=captions,
    seed=st.integers(0, 1000),
)
def test_a_rectangle_is_found_to_the_pixel_or_two(tmp_path_factory, left, right, top, bottom, texts, seed):
    box = (left, top, WIDTH - right, HEIGHT - bottom)
    scope = Scope(box=box, captions=texts)
    (shot,) = shots(run(sampled(tmp_path_factory.mktemp("v"), [scope.frame(seed, n) for n in range(12)])))
    found = shot["x1"], shot["y1"], shot["x2"], shot["y2"]
    # Borders of less than 1 % of the side are left alone.
    assert all(abs(a - b) <= 5 for a, b in zip(found, box, strict=True))
    if max(left, right, top, bottom) > 6:
        assert shot["shape"] == "rectangle"
        assert_found(shot, scope)


@settings(max_examples=12, deadline=None)
@given(dark=st.sampled_from([0.0, 0.2, 0.4]), seed=st.integers(0, 10_000), texts=captions)
def test_a_scene_that_fills_the_frame_has_no_field_and_loses_nothing(tmp_path_factory, dark, seed, texts):
    scope = Scope(dark=dark, captions=texts)
    outcome = run(sampled(tmp_path_factory.mktemp("v"), [scope.frame(seed, n) for n in range(12)]))
    (shot,) = shots(outcome)
    assert (shot["shape"], shot["score"]) == ("none", 0)
    assert (shot["x1"], shot["y1"], shot["x2"], shot["y2"]) == (0, 0, WIDTH, HEIGHT)
    assert outcome.figures["full_frame_videos"] == 1


def test_a_circle_in_a_window_has_both(tmp_path):
    scope = Scope(box=(100, 40, 380, 230), circle=(240, 135, 155))
    (shot,) = shots(run(sampled(tmp_path / "v", [scope.frame(3, n) for n in range(12)])))
    assert shot["shape"] == "circle"
    assert [shot[name] for name in ("x1", "y1", "x2", "y2")] == pytest.approx([100, 40, 380, 230], abs=2)
    assert [shot[name] for name in ("cx", "cy", "rx")] == pytest.approx([240, 135, 155], abs=2)


@settings(max_examples=12, deadline=None)
@given(cut=st.integers(8, 28), order=st.permutations([PILLARS, CIRCLE, Scope()]), seed=st.integers(0, 100))
@example(cut=20, order=[Scope(), CIRCLE, PILLARS], seed=17)  # What fills the frame is nowhere near black.
def test_a_change_of_the_picture_is_found_to_the_frame(tmp_path_factory, cut, order, seed):
    before, after, _ = order
    images = [(before if n < cut else after).frame(seed + (n >= cut), n) for n in range(40)]
    first, second = shots(run(sampled(tmp_path_factory.mktemp("v"), images)))
    assert (first["first"], first["last"], second["first"], second["last"]) == (0, cut - 1, cut, 39)
    assert_found(first, before)
    assert_found(second, after)


def test_a_flash_a_short_insert_and_a_fade_do_not_make_the_field_flicker(tmp_path):
    images = [CIRCLE.frame(5, n) for n in range(45)]
    images[10] = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    images[20:23] = [Scope().frame(6, n) for n in range(3)]
    for n in range(30, 38):
        images[n] = (images[n] * 0.1).astype(np.uint8)
    (shot,) = shots(run(sampled(tmp_path / "v", images)))
    assert_found(shot, CIRCLE)


def test_a_zoom_changes_the_circle_and_the_way_back_restores_it(tmp_path):
    near = Scope(circle=(240, 135, 240))
    images = [(near if 15 <= n < 33 else CIRCLE).frame(7, n) for n in range(48)]
    found = shots(run(sampled(tmp_path / "v", images)))
    assert [(shot["first"], shot["last"]) for shot in found] == [(0, 14), (15, 32), (33, 47)]
    for shot, scope in zip(found, (CIRCLE, near, CIRCLE), strict=True):
        assert_found(shot, scope)


def test_only_kept_surgical_frames_inform_it(tmp_path):
    images = [CIRCLE.frame(8, n) for n in range(24)]
    for n in (0, 1, 2, 3, 10, 11, 12, 13, 14, 15, 16, 17):
        images[n] = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    left_out = [0, 1, 2, 3, *range(10, 18)]
    outcome = run(sampled(tmp_path / "v", images, left_out))
    (shot,) = shots(outcome)
    assert (shot["first"], shot["last"]) == (4, 23)
    assert_found(shot, CIRCLE)
    assert (outcome.figures["frames"], outcome.figures["shots"]) == (12, 1)


@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720), (200, 150)])
def test_frames_of_any_size_are_measured_in_their_own_pixels(tmp_path, size):
    width, height = size
    scope = Scope(width, height, circle=(0.5 * width, 0.48 * height, 0.6 * height))
    (shot,) = shots(run(sampled(tmp_path / "v", [scope.frame(9, n) for n in range(7)])))
    assert_found(shot, scope)
    assert shot["cx"] == pytest.approx(0.5 * width, abs=0.01 * height)
    assert shot["rx"] == pytest.approx(0.6 * height, abs=0.01 * height)


def test_the_same_video_gives_the_same_bytes(tmp_path):
    files = sampled(tmp_path / "v", [PILLARS.frame(1, n) for n in range(9)])
    first = run(files).artefact.read_bytes()
    assert run(files).artefact.read_bytes() == first


def test_a_video_without_a_surgical_frame_has_an_empty_table(tmp_path):
    outcome = run(sampled(tmp_path / "v", [PILLARS.frame(1, n) for n in range(3)], left_out=[0, 1, 2]))
    assert shots(outcome) == []
    assert outcome.figures["frames"] == outcome.figures["full_frame_videos"] == 0


def test_artefacts_that_do_not_belong_together_are_told(tmp_path):
    files = sampled(tmp_path / "v", [PILLARS.frame(1, n) for n in range(3)])
    more = judged(tmp_path / "v", files.inputs["sample"], [SURGICAL] * 5)
    outcome = FieldStage(FieldOptions()).process(VIDEO, more)
    assert isinstance(outcome, Failed) and outcome.reason == Reason.BAD_ARTEFACT
    assert "lacks 2 of 5" in outcome.detail
    files.inputs["sample"].write_bytes(b"not Parquet")
    outcome = FieldStage(FieldOptions()).process(VIDEO, files)
    assert isinstance(outcome, Failed) and outcome.reason == Reason.BAD_ARTEFACT


def test_none_switches_the_stage_off():
    assert FieldStage(FieldOptions()).enabled
    assert not FieldStage(FieldOptions(method="none")).enabled
