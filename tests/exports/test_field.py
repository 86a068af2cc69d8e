"""Crops and the field of view in exports."""

from __future__ import annotations

import dataclasses
import json

import lmdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.config import ExportOptions
from curate.errors import CurateError
from curate.exports.pixels.frames import read_frames
from curate.exports.pixels.render import Renderer
from curate.exports.plan.plan import FramePolicy, make_plan
from curate.vision.border import black_crop, lemon_crop
from curate.workspace import tables
from tests.exports.making import BOX, HEIGHT, PICTURES, WIDTH, encode, make_entry, sampled_jpeg

CIRCLE = {
    "shape": "circle",
    "score": 0.9,
    "x1": 8,
    "y1": 0,
    "x2": 88,
    "y2": 64,
    "cx": 48.0,
    "cy": 32.0,
    "rx": 40.0,
    "ry": 40.0,
}
RECTANGLE = {"shape": "rectangle", "score": 0.8, "x1": 20, "y1": 10, "x2": 90, "y2": 60}


def frames_of(entry, **options):
    chosen = ExportOptions(**options)
    (video,) = make_plan([entry], chosen, {}).videos
    return list(read_frames(video, FramePolicy.of(chosen))), Renderer(chosen)


def picture_of(renderer, frame):
    return simplejpeg.decode_jpeg(renderer.jpeg(frame))


def with_pictures(entry, images):
    """The entry with other pictures in its frames."""
    table = pq.read_table(entry.frames)
    data = pa.array([encode(image) for image in images], pa.binary())
    pq.write_table(table.set_column(table.schema.get_field_index("image"), "image", data), entry.frames)
    return entry


def test_each_shot_has_its_own_crop_and_frames_without_a_field_stay_byte_identical(tmp_path):
    fields = [
        {"first": 1, "last": 2, **RECTANGLE},
        {"first": 4, "last": 5},
        {"first": 6, "last": 7, **CIRCLE},
    ]
    entry = make_entry(tmp_path, "v", "nsssssss", fields=fields)
    frames, renderer = frames_of(entry, crop="field")
    sizes = [(70, 50)] * 3 + [(WIDTH, HEIGHT)] * 2 + [(80, 64)] * 2
    assert [renderer.size(frame) for frame in frames] == sizes
    for frame, (width, height) in zip(frames, sizes, strict=True):
        assert picture_of(renderer, frame).shape == (height, width, 3)
        assert (renderer.jpeg(frame) == frame.jpeg) == ((width, height) == (WIDTH, HEIGHT))
    cut = picture_of(renderer, frames[0]).astype(int)
    whole = simplejpeg.decode_jpeg(sampled_jpeg(entry, 1))[10:60, 20:90].astype(int)
    assert np.abs(cut - whole).mean() < 3


def test_without_options_the_field_is_metadata_only(tmp_path):
    entry = make_entry(tmp_path, "v", "sss", fields=[CIRCLE])
    frames, renderer = frames_of(entry)
    assert [renderer.jpeg(frame) for frame in frames] == [frame.jpeg for frame in frames]
    field = renderer.field(frames[0])
    assert (field.shape, field.cx, field.cy, field.rx, field.x1, field.x2) == ("circle", 48, 32, 40, 8, 88)


def test_what_lies_outside_of_a_circle_is_painted_black_and_what_is_inside_is_left(tmp_path):
    entry = make_entry(tmp_path, "v", "ss", fields=[CIRCLE])
    frames, renderer = frames_of(entry, outside="black", quality=100)
    painted = picture_of(renderer, frames[0]).astype(int)
    original = simplejpeg.decode_jpeg(frames[0].jpeg).astype(int)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    distance = np.hypot(x - 48, y - 32)
    assert painted[distance > 46].mean() < 2
    assert np.abs(painted - original)[distance < 36].mean() < 2


def test_a_region_moves_with_the_crop_and_the_size(tmp_path):
    entry = make_entry(tmp_path, "v", "sss", regions=[0, 1], fields=[RECTANGLE])
    frames, renderer = frames_of(entry, crop="field", short_side=25)
    assert renderer.size(frames[0]) == (35, 25)
    (region,) = renderer.regions(frames[0])
    # From 20, 10 in pixels of the frame, halved.
    assert region.box == (0, 3, 14, 11)
    assert (BOX[0] < 20) and picture_of(renderer, frames[0])[4:10, 1:13].max() < 40
    assert renderer.regions(frames[2]) == ()
    field = renderer.field(frames[0])
    assert (field.x1, field.y1, field.x2, field.y2) == (0, 0, 35, 25)


def test_a_region_that_is_cropped_away_is_left_out(tmp_path):
    entry = make_entry(tmp_path, "v", "s", regions=[0], fields=[RECTANGLE | {"x1": 50}])
    frames, renderer = frames_of(entry, crop="field")
    assert renderer.regions(frames[0]) == ()


@settings(max_examples=60, deadline=None)
@given(
    box=st.tuples(st.integers(0, 40), st.integers(0, 25), st.integers(50, WIDTH), st.integers(35, HEIGHT)),
    circle=st.none() | st.tuples(st.floats(0, WIDTH), st.floats(0, HEIGHT), st.floats(40, 100)),
    region=st.tuples(st.integers(0, 80), st.integers(0, 50), st.integers(1, 40), st.integers(1, 30)),
    crop=st.sampled_from(["none", "field", "inside"]),
    short_side=st.sampled_from([0, 10, 33]),
)
def test_boxes_hide_the_same_scene_in_any_crop(tmp_path_factory, box, circle, region, crop, short_side):
    x1, y1, x2, y2 = box
    row = {"shape": "rectangle", "x1": x1, "y1": y1, "x2": x2, "y2": y2}
    if circle is not None:
        row |= {"shape": "circle", "cx": circle[0], "cy": circle[1], "rx": circle[2], "ry": circle[2]}
    left, top, right, bottom = (
        region[0],
        region[1],
        min(region[0] + region[2], WIDTH),
        min(region[1] + region[3], HEIGHT),
    )
    entry = make_entry(tmp_path_factory.mktemp("v"), "v", "s", fields=[row], source_file=False)
    boxes = [{"n": 0, "kind": "text", "score": 1, "x1": left, "y1": top, "x2": right, "y2": bottom, "model": "m"}]
    pq.write_table(pa.Table.from_pylist(boxes, tables.region_schema()), entry.regions)
    (frame,), renderer = frames_of(entry, crop=crop, short_side=short_side, fill="none")
    a, b, c, d = renderer.crop(frame)
    width, height = renderer.size(frame)
    assert 0 <= a < c <= WIDTH and 0 <= b < d <= HEIGHT
    assert picture_of(renderer, frame).shape == (height, width, 3)
    marked = np.zeros((HEIGHT, WIDTH), bool)
    marked[top:bottom, left:right] = True
    moved = renderer.regions(frame)
    assert bool(moved) == bool(marked[b:d, a:c].any())
    for found in moved:
        assert 0 <= found.x1 < found.x2 <= width and 0 <= found.y1 < found.y2 <= height
        # Taken back, the box covers all that was marked and less than a pixel of the picture more.
        across, down = (c - a) / width, (d - b) / height
        ys, xs = np.nonzero(marked[b:d, a:c])
        assert found.x1 * across <= xs.min() < (found.x1 + 1) * across + 1e-6
        assert (found.x2 - 1) * across - 1e-6 < xs.max() + 1 <= found.x2 * across + 1e-6
        assert found.y1 * down <= ys.min() < (found.y1 + 1) * down + 1e-6
        assert (found.y2 - 1) * down - 1e-6 < ys.max() + 1 <= found.y2 * down + 1e-6


def bordered(seed, left=0, top=0):
    image = np.random.default_rng(seed).integers(100, 200, (240, 320, 3)).astype(np.uint8)
    image[:top] = 0
    image[:, :left] = 0
    return image


@pytest.mark.parametrize("crop", ["lemon", "lemon-black"])
def test_lemons_crops_go_by_the_painted_pixels_of_each_frame(tmp_path, crop):
    entry = make_entry(tmp_path, "v", "sss", size=(320, 240), regions=[2], source_file=False)
    images = [bordered(0), bordered(1, left=48, top=32), bordered(2)]
    frames, renderer = frames_of(with_pictures(entry, images), crop=crop)
    cropper = lemon_crop if crop == "lemon" else black_crop
    for frame in frames:
        pixels = simplejpeg.decode_jpeg(frame.jpeg)
        if frame.regions:
            pixels[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 0
        assert renderer.crop(frame) == cropper(pixels)
        x1, y1, x2, y2 = renderer.crop(frame)
        assert renderer.size(frame) == (x2 - x1, y2 - y1)
        assert picture_of(renderer, frame).shape == (y2 - y1, x2 - x1, 3)
    assert renderer.jpeg(frames[0]) == frames[0].jpeg
    assert renderer.crop(frames[1])[0] > 40 and renderer.crop(frames[1])[1] > 24


def test_frames_that_lemon_drops_are_left_out_of_every_count(tmp_path, export):
    entry = make_entry(tmp_path, "v", "ssss", size=(320, 240), source_file=False)
    images = [bordered(0), bordered(1, top=150), bordered(2), bordered(3)]
    entry = with_pictures(entry, images)
    whole = make_entry(tmp_path, "w", "ss", size=(320, 240), source_file=False)
    summary = export([entry, whole], "parquet", "lmdb", crop="lemon")
    assert [made.frames for made in summary.formats] == [5, 5]
    table = pq.read_table(tmp_path / "exports" / "parquet" / "data")
    assert table.column("key").to_pylist() == ["v_0", "v_2", "v_3", "w_0", "w_1"]
    videos = pq.read_table(tmp_path / "exports" / "parquet" / "videos.parquet").to_pydict()
    assert (videos["frames"], videos["seconds"]) == ([3, 2], [3.0, 2.0])
    with lmdb.open(str(tmp_path / "exports" / "lmdb" / "train.lmdb"), readonly=True, lock=False) as environment:
        assert environment.stat()["entries"] == 5
    assert export([entry], "parquet", to="kept", crop="lemon-black").formats[0].frames == 4


def test_the_field_goes_into_the_metadata_of_every_format(tmp_path, export):
    entry = make_entry(tmp_path, "v", "sss", fields=[CIRCLE], procedures=("cholecystectomy",))
    export([entry], *PICTURES, crop="field", outside="black")
    for name in PICTURES:
        folder = tmp_path / "exports" / name
        path = next(folder.rglob("train-*.parquet") if name == "parquet" else folder.rglob("metadata.parquet"))
        row = pq.read_table(path).to_pylist()[0]
        assert (row["width"], row["height"]) == (80, 64), name
        assert row["crop"] == {"x1": 8, "y1": 0, "x2": 88, "y2": 64}
        field = row["field"]
        assert (field["shape"], field["x1"], field["x2"], field["cx"], field["rx"]) == ("circle", 0, 80, 40.0, 40.0)


def test_hugging_face_datasets_reads_the_field(tmp_path, export):
    datasets = pytest.importorskip("datasets")
    export([make_entry(tmp_path, "v", "sss", fields=[CIRCLE])], "parquet", crop="field")
    folder = str(tmp_path / "exports" / "parquet")
    loaded = datasets.load_dataset(folder, split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded[0]["field"]["shape"] == "circle" and loaded[0]["crop"]["x2"] == 88
    assert loaded[0]["image"].size == (80, 64)


def test_blank_frames_have_the_size_of_their_shot(tmp_path):
    entry = make_entry(tmp_path, "v", "snns", fields=[{"first": 0, "last": 0, **RECTANGLE}, {"first": 3, **CIRCLE}])
    frames, renderer = frames_of(entry, crop="field", include="trimmed")
    assert [picture_of(renderer, frame).shape[:2] for frame in frames] == [(50, 70)] * 3 + [(64, 80)]
    assert picture_of(renderer, frames[1]).max() == 0


def test_a_field_of_frames_of_another_size_is_not_used(tmp_path):
    entry = make_entry(tmp_path, "v", "ss", fields=[{**RECTANGLE, "width": 192, "height": 128}])
    frames, renderer = frames_of(entry, crop="field")
    assert renderer.crop(frames[0]) == (0, 0, WIDTH, HEIGHT)


@pytest.mark.parametrize("options", [{"crop": "field"}, {"crop": "inside"}, {"outside": "black"}])
def test_crops_by_the_field_are_refused_where_nobody_looked_for_it(tmp_path, export, options):
    entry = dataclasses.replace(make_entry(tmp_path, "v", "ss"), fields=None)
    with pytest.raises(CurateError, match="the stage 'field' is switched off"):
        export([entry], "parquet", **options)
    assert export([entry], "parquet").formats[0].frames == 2
    record = json.loads((tmp_path / "exports" / "parquet" / "export.json").read_text())
    assert (record["options"]["crop"], record["options"]["outside"]) == ("none", "keep")


def test_a_table_of_fields_that_is_out_of_order_leaves_its_video_out(tmp_path, export):
    entry = make_entry(tmp_path, "v", "ss", fields=[{"first": 1}, {"first": 0}])
    summary = export([entry, make_entry(tmp_path, "w", "ss")], "parquet")
    assert summary.formats[0].left_out.keys() == {"v"}
