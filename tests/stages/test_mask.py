"""The mask stage on real Parquet artefacts."""

from __future__ import annotations

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import simplejpeg

from curate.config import MaskOptions
from curate.errors import CurateError
from curate.records import NON_SURGICAL, SURGICAL, UNCERTAIN, Done, Failed, Reason, Video
from curate.stage import Files
from curate.stages.mask import MaskStage
from curate.workspace.tables import frame_schema, region_schema, verdict_schema
from tests.nets.yolo_models import columns, make_model

VIDEO = Video(id="v-1_a", source="/videos/v.mp4")
WIDTH, HEIGHT = 640, 360


def picture(n: int, text: str = "") -> np.ndarray:
    """A smooth reddish picture, another for every ``n``, with an optional caption."""
    coarse = np.random.default_rng(n).integers(0, 60, (6, 8, 3)) + np.array([130, 50, 40])
    image = cv2.resize(coarse.astype(np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    if text:
        cv2.putText(image, text, (40, 330), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2)
    return image


def make_files(folder, images, verdicts=None, kept=None) -> Files:
    """Write the upstream artefacts of a video and hand out the stage's files."""
    count = len(images)
    verdicts = verdicts or [SURGICAL] * count
    kept = kept or [True] * count
    paths = {}
    tables = {
        "sample": pa.table(
            {
                "n": range(count),
                "timestamp": [float(n) for n in range(count)],
                "source_index": [n * 25 for n in range(count)],
                "key_frame": [True] * count,
                "width": [image.shape[1] for image in images],
                "height": [image.shape[0] for image in images],
                "image": [simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=95) for image in images],
            },
            schema=frame_schema(),
        ),
        "trim": pa.table(
            {
                "n": range(count),
                "timestamp": [float(n) for n in range(count)],
                "p_surgical": [0.9] * count,
                "verdict": verdicts,
                "kept": kept,
                "reason": ["" if keep else "after_last_run" for keep in kept],
            },
            schema=verdict_schema(),
        ),
    }
    for name, table in tables.items():
        paths[name] = folder / f"{name}.parquet"
        pq.write_table(table, paths[name], row_group_size=5)
    regions = folder / "regions"
    regions.mkdir(exist_ok=True)
    return Files(inputs=paths, folder=regions, stem=VIDEO.id)


def run(files: Files, **options):
    stage = MaskStage(MaskOptions(device="cpu", **options))
    stage.setup()
    try:
        return stage.process(VIDEO, files)
    finally:
        stage.close()


def rows_of(outcome) -> list[dict]:
    assert isinstance(outcome, Done), outcome
    table = pq.read_table(outcome.artefact)
    assert table.schema.equals(region_schema())
    return table.to_pylist()


def test_a_caption_is_boxed_on_every_frame_that_shows_it(tmp_path):
    images = [picture(n, "Dr. Jane Doe" if n >= 3 else "") for n in range(7)]
    outcome = run(make_files(tmp_path, images), overlays=False)
    rows = rows_of(outcome)
    assert [row["n"] for row in rows] == [3, 4, 5, 6]
    for row in rows:
        assert row["kind"] == "text" and 0.7 <= row["score"] <= 1
        assert row["x1"] <= 40 and row["x2"] >= 184 and row["y1"] <= 312 and row["y2"] >= 332
        assert row["x2"] <= WIDTH and row["y2"] <= HEIGHT
    assert outcome.figures == {
        "frames": 7,
        "frames_with_regions": 4,
        "regions": 4,
        "text_frames": 7,
        "text_tiles": 7 * 960,
        "overlay_pairs": 0,
        "overlay_windows": 0,
        "overlay_frames": 0,
    }


def test_only_kept_frames_that_are_not_non_surgical_are_looked_at(tmp_path):
    images = [picture(n, "CAPTION TEXT") for n in range(5)]
    verdicts = [SURGICAL, NON_SURGICAL, UNCERTAIN, SURGICAL, SURGICAL]
    kept = [False, True, True, True, False]
    outcome = run(make_files(tmp_path, images, verdicts, kept))
    assert {row["n"] for row in rows_of(outcome)} == {2, 3}
    assert outcome.figures["frames"] == 2


def test_a_video_without_regions_gets_an_empty_table(tmp_path):
    outcome = run(make_files(tmp_path, [picture(n) for n in range(3)]))
    assert rows_of(outcome) == []
    assert {name: outcome.figures[name] for name in ("frames", "frames_with_regions", "regions")} == {
        "frames": 3,
        "frames_with_regions": 0,
        "regions": 0,
    }
    assert outcome.figures["text_tiles"] < 2 * 960 and outcome.figures["overlay_windows"] == 1


def test_without_networks_nothing_is_found(tmp_path):
    images = [picture(n, "CAPTION TEXT") for n in range(3)]
    assert rows_of(run(make_files(tmp_path, images), detector="none", overlays=False)) == []
    assert MaskStage(MaskOptions(detector="none", overlays=False)).fingerprint_extra() == {}


def test_a_bar_that_stands_still_is_found_over_moving_scenes(tmp_path):
    images = [picture(n) for n in range(10)]
    for image in images:
        image[330:] = 40
        for x in range(20, 600, 140):
            cv2.putText(image, "Menu 12", (x, 350), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (230, 230, 230), 1)
    rows = [row for row in rows_of(run(make_files(tmp_path, images))) if row["kind"] == "ui"]
    assert [row["n"] for row in rows] == list(range(10))
    for row in rows:
        assert row["model"] == "overlay" and row["score"] >= 0.7
        assert row["x1"] <= 8 and row["x2"] >= WIDTH - 8 and 318 <= row["y1"] <= 334 and row["y2"] >= HEIGHT - 4


def test_output_is_the_same_byte_for_byte(tmp_path):
    files = make_files(tmp_path, [picture(n, "CAPTION TEXT") for n in range(4)])
    contents = [run(files).artefact.read_bytes() for _ in range(2)]
    assert contents[0] == contents[1]


def test_threshold_drops_boxes(tmp_path):
    files = make_files(tmp_path, [picture(0, "CAPTION TEXT")])
    assert len(rows_of(run(files, overlays=False))) == 1
    assert rows_of(run(files, overlays=False, threshold=1.0)) == []


def test_weights_are_part_of_the_fingerprint():
    digests = MaskStage(MaskOptions()).fingerprint_extra()
    assert sorted(digests) == ["overlay", "text"]
    assert all(len(bytes.fromhex(digest)) == 32 for digest in digests.values())


@pytest.mark.parametrize("broken", ["sample", "trim"])
def test_an_unreadable_input_is_a_named_failure(tmp_path, broken):
    files = make_files(tmp_path, [picture(0)])
    files.inputs[broken].write_bytes(b"not parquet")
    outcome = run(files)
    assert isinstance(outcome, Failed) and outcome.reason is Reason.BAD_ARTEFACT
    assert broken in outcome.detail


def test_a_missing_column_is_a_named_failure(tmp_path):
    files = make_files(tmp_path, [picture(0)])
    pq.write_table(pq.read_table(files.inputs["trim"]).drop_columns(["kept"]), files.inputs["trim"])
    outcome = run(files)
    assert isinstance(outcome, Failed) and "kept" in outcome.detail


def test_a_damaged_jpeg_is_a_named_failure(tmp_path):
    files = make_files(tmp_path, [picture(0), picture(1)])
    table = pq.read_table(files.inputs["sample"])
    images = [table["image"][0].as_py(), b"\xff\xd8 nothing"]
    column = table.schema.get_field_index("image")
    pq.write_table(table.set_column(column, frame_schema().field("image"), [images]), files.inputs["sample"])
    outcome = run(files)
    assert isinstance(outcome, Failed) and "frame 1" in outcome.detail


def test_verdicts_of_other_frames_are_a_named_failure(tmp_path):
    long = make_files(tmp_path, [picture(n) for n in range(3)])
    verdicts = long.inputs["trim"].read_bytes()
    short = make_files(tmp_path, [picture(0)])
    short.inputs["trim"].write_bytes(verdicts)
    outcome = run(short)
    assert isinstance(outcome, Failed) and "lacks 2 of 3" in outcome.detail


def test_yolo_files_are_pooled_and_part_of_the_fingerprint(tmp_path):
    first = make_model(tmp_path / "a.onnx", columns((320, 160, 64, 32, 0.9, 0, 0)))
    make_model(tmp_path / "b.onnx", columns((321, 160, 64, 32, 0, 0.95, 0), (100, 100, 40, 40, 0.5, 0, 0)))
    files = make_files(tmp_path, [picture(0)])
    rows = rows_of(run(files, detector="none", overlays=False, yolo=(tmp_path,)))
    assert [(row["kind"], row["model"]) for row in rows] == [("logo", "b"), ("text", "b")]
    one, both = (MaskStage(MaskOptions(yolo=(path,))).fingerprint_extra()["yolo"] for path in (first, tmp_path))
    assert len(one) == 1 and len(both) == 2 and both[0] == one[0]
    with pytest.raises(CurateError, match="no YOLO model there"):
        MaskStage(MaskOptions(yolo=(tmp_path / "missing.onnx",))).fingerprint_extra()
