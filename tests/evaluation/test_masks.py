"""Scores of masks: exact counts, formats of the truth, and the command on a real video."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import av
import numpy as np
import pytest
import simplejpeg
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from curate.cli import cli
from curate.errors import CurateError
from curate.evaluation.mask_frames import Judged
from curate.evaluation.mask_truth import ImagesTruth, Overlay, VideoTruth, read_truth
from curate.evaluation.masks import Figures, match, score_of
from curate.records import Region
from curate.vision.boxes import iou

BLACK = np.zeros((100, 200, 3), np.uint8)


def region(x1: int, y1: int, x2: int, y2: int) -> Region:
    return Region(x1, y1, x2, y2, "logo", 0.9, "overlay")


def judged(*overlays: Overlay) -> Judged:
    return Judged("a.jpg", 0, 0.0, BLACK, overlays)


def test_counts_of_one_frame_are_exact() -> None:
    truth = judged(Overlay("logo", (0, 0, 20, 10)), Overlay("text", (100, 50, 140, 60)))
    score = score_of(truth, [region(0, 0, 20, 15), region(180, 90, 200, 100)])
    assert score.drawn == {"logo": 200, "text": 400}
    assert score.covered == {"logo": 200, "text": 0}
    assert score.found == {"logo": 1}
    assert (score.regions, score.right) == (2, 1)
    assert score.free == 100 * 200 - 600
    assert score.lost == 20 * 5 + 20 * 10


def test_ignored_areas_count_for_nothing() -> None:
    score = score_of(judged(Overlay("ignore", (0, 0, 50, 50))), [region(10, 10, 20, 20)])
    assert (score.regions, score.lost, score.overlays) == (0, 0, {})
    assert score.free == 100 * 200 - 2500


def test_a_clean_frame_is_touched_by_any_region() -> None:
    figures = Figures()
    figures.add(score_of(judged(), []))
    figures.add(score_of(judged(), [region(0, 0, 1, 1)]))
    assert (figures.clean, figures.touched, figures.lost) == (2, 1, 1)
    assert figures.recall() is None


boxes = st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(1, 50), st.integers(1, 50)).map(
    lambda v: (v[0], v[1], v[0] + v[2], v[1] + v[3])
)


@given(st.lists(boxes, max_size=5), st.lists(boxes, max_size=5))
def test_matching_pairs_each_box_once_and_only_where_they_overlap(
    truth: list[tuple[int, int, int, int]], found: list[tuple[int, int, int, int]]
) -> None:
    pairs = match(truth, found)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(iou(truth[i], found[j]) >= 0.5 for i, j in pairs)
    assert len(match(truth, truth)) == len(truth)


@given(boxes, boxes)
def test_iou_is_symmetric_and_bounded(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> None:
    assert iou(a, b) == iou(b, a)
    assert 0 <= iou(a, b) <= iou(a, a) == 1


def write_jpeg(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(simplejpeg.encode_jpeg(image, quality=95))


def test_coco_groups_the_frames_of_a_video(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        write_jpeg(tmp_path / "media" / name, BLACK)
    content = {
        "images": [
            {"id": 1, "file_name": "b.jpg", "video_id": 9, "frame_id": 1},
            {"id": 2, "file_name": "a.jpg", "video_id": 9, "frame_id": 0},
            {"id": 3, "file_name": "c.jpg"},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 5, "bbox": [1.4, 2, 10, 20]},
            {"id": 2, "image_id": 3, "category_id": 5, "bbox": [0, 0, 4, 4], "iscrowd": 1},
        ],
        "categories": [{"id": 5, "name": "logo"}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(content))
    video, image = read_truth(tmp_path / "truth.json", tmp_path / "media")
    assert isinstance(video, ImagesTruth) and isinstance(image, ImagesTruth)
    assert [path.name for path, _ in video.images] == ["a.jpg", "b.jpg"]
    assert video.images[1][1] == (Overlay("logo", (1, 2, 11, 22)),)
    assert image.images[0][1] == (Overlay("ignore", (0, 0, 4, 4)),)


def test_csv_knows_videos_sequences_and_clean_images(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.png", "v.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "truth.csv").write_text(
        "file,kind,x1,y1,x2,y2,start,end,sequence\n"
        "v.mp4,,,,,,10,20,\n"
        "v.mp4,logo,1,2,3,4,12,14,\n"
        "a.jpg,text,0,0,9,9,,,s\n"
        "b.jpg,,,,,,,,s\n"
        "c.png,,,,,,,,\n"
    )
    video, clean, sequence = read_truth(tmp_path / "truth.csv")
    assert isinstance(video, VideoTruth)
    assert video.judged == ((10.0, 20.0),)
    assert [video.overlays[0].at(t) for t in (11.9, 12.0, 13.9, 14.0)] == [False, True, True, False]
    assert clean == ImagesTruth("c.png", ((tmp_path / "c.png", ()),))
    assert isinstance(sequence, ImagesTruth)
    assert [len(overlays) for _, overlays in sequence.images] == [1, 0]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.json", "{", "not JSON"),
        ("t.json", '{"images": []}', "neither COCO"),
        ("t.json", '{"overlays": []}', "no video t"),
        ("t.json", '{"annotations": [{}], "categories": [], "images": []}', "lacks something"),
        ("t.csv", "file,kind\n", "column 'x1' is missing"),
        ("t.csv", "file,kind,x1,y1,x2,y2\na.jpg,logo,1,1,1,5\n", "t.csv:2: the box 1, 1, 1, 5 is empty"),
        ("t.csv", "file,kind,x1,y1,x2,y2\na.jpg,logo,1,one,2,5\n", "t.csv:2"),
        ("t.csv", "file,kind,x1,y1,x2,y2\na.jpg,logo,1,1,2,5\n", "does not exist"),
    ],
)
def test_bad_truth_is_refused_with_the_place(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(CurateError, match=message):
        read_truth(tmp_path / name)


def moving_tissue(count: int, logo: bool) -> list[np.ndarray]:
    """Reddish blobs that wander, with a still badge in a corner if asked for."""
    rng = np.random.default_rng(0)
    texture = PilImage.fromarray(rng.integers(60, 160, (40, 60), dtype=np.uint8)).resize((900, 600))
    frames = []
    for k in range(count):
        grey = np.asarray(texture.crop((20 + 17 * k, 10 + 11 * k, 660 + 17 * k, 370 + 11 * k)))
        frame = PilImage.fromarray(np.stack([grey, grey // 3, grey // 3], axis=2))
        if logo:
            pen = ImageDraw.Draw(frame)
            pen.rectangle((520, 20, 620, 70), fill=(20, 60, 200), outline=(255, 255, 255), width=3)
            pen.text((535, 28), "ACME", font=ImageFont.load_default(28), fill=(255, 255, 255))
        frames.append(np.asarray(frame))
    return frames


def test_command_on_a_sequence_and_on_a_clean_image(tmp_path: Path) -> None:
    rows = [["file", "kind", "x1", "y1", "x2", "y2", "sequence"]]
    for k, frame in enumerate(moving_tissue(8, logo=True)):
        write_jpeg(tmp_path / f"{k}.jpg", frame)
        rows.append([f"{k}.jpg", "logo", "520", "20", "621", "71", "clip"])
    PilImage.fromarray(moving_tissue(1, logo=False)[0]).save(tmp_path / "clean.png")
    rows.append(["clean.png", "", "", "", "", "", ""])
    with open(tmp_path / "truth.csv", "w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    output = tmp_path / "out"
    result = CliRunner().invoke(cli, ["evaluate", "masks", str(tmp_path / "truth.csv"), "-o", str(output)])
    assert result.exit_code == 0, result.output
    report = json.loads((output / "report.json").read_text())
    over_time = report["ways"]["over time"]
    assert over_time["frames"] == 9
    assert over_time["clean_frames"] == 1
    assert over_time["kinds"]["logo"]["overlays"] == 8
    assert over_time["kinds"]["logo"]["pixel_recall"] > 0.9
    assert "logo" in result.output
    with open(output / "frames.csv", newline="") as stream:
        listed = list(csv.DictReader(stream))
    assert len(listed) == 18
    covered = sum(int(row["covered"]) for row in listed if row["way"] == "over time")
    drawn = sum(int(row["overlay_pixels"]) for row in listed if row["way"] == "over time")
    assert covered / drawn == pytest.approx(over_time["pixel_recall"])


def test_frames_that_are_ignored_wholly_are_seen_but_not_judged(tmp_path: Path) -> None:
    rows = [["file", "kind", "x1", "y1", "x2", "y2", "sequence"]]
    for k, frame in enumerate(moving_tissue(8, logo=True)):
        write_jpeg(tmp_path / f"{k}.jpg", frame)
        judged = [f"{k}.jpg", "logo", "520", "20", "621", "71", "clip"]
        rows.append(judged if k == 3 else [f"{k}.jpg", "ignore", "0", "0", "640", "360", "clip"])
    with open(tmp_path / "truth.csv", "w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    result = CliRunner().invoke(cli, ["evaluate", "masks", str(tmp_path / "truth.csv"), "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    over_time = json.loads((tmp_path / "out" / "report.json").read_text())["ways"]["over time"]
    assert (over_time["frames"], over_time["clean_frames"]) == (1, 0)
    assert over_time["kinds"]["logo"]["pixel_recall"] > 0.9


def write_video(path: Path, frames: list[np.ndarray]) -> None:
    """A video of one frame a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1, options={"crf": "15"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def test_command_on_a_video_judges_surgery_alone(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", moving_tissue(8, logo=True))
    truth = {
        "segments": [{"start": 0, "end": 3, "label": "non-surgical"}, {"start": 3, "end": 8, "label": "surgical"}],
        "overlays": [{"start": 0, "end": 6, "kind": "logo", "xyxy": [520, 20, 621, 71]}],
    }
    (tmp_path / "v.json").write_text(json.dumps(truth))
    result = CliRunner().invoke(
        cli, ["evaluate", "masks", str(tmp_path), "-o", str(tmp_path / "out"), "--detector", "none"]
    )
    assert result.exit_code == 0, result.output
    over_time = json.loads((tmp_path / "out" / "report.json").read_text())["ways"]["over time"]
    assert (over_time["frames"], over_time["clean_frames"]) == (5, 2)
    # The truth says that the logo is gone after six seconds, though it is not: a false alarm with a picture.
    assert over_time["clean_frames_touched"] == 2
    assert (tmp_path / "out" / "false_alarms.jpg").stat().st_size > 1000
