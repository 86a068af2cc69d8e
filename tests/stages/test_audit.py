"""The audit stage behind the mask stage, on real Parquet artefacts and with the real networks."""

from __future__ import annotations

import csv
import dataclasses

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw, ImageFont

from curate.config import AuditOptions
from curate.records import NON_SURGICAL, SURGICAL, Done, Failed, Reason
from curate.stage import Files
from curate.stages.audit import SEEN, AuditStage
from curate.workspace.tables import audit_schema, region_schema
from tests.stages.test_mask import HEIGHT, VIDEO, WIDTH, make_files, picture
from tests.stages.test_mask import run as run_mask

SMITH = "Patient: Smith, John  17.05.2023"


def captioned(n: int, *lines: tuple[int, int, str], size: int = 22) -> np.ndarray:
    """A picture with lines of text at places."""
    image = Image.fromarray(picture(n))
    draw = ImageDraw.Draw(image)
    for x, y, text in lines:
        draw.text(
            (x, y), text, font=ImageFont.load_default(size), fill=(255, 255, 255), stroke_width=1, stroke_fill=(0, 0, 0)
        )
    return np.asarray(image)


def audited(folder, images, *, verdicts=None, kept=None, regions=None, **options):
    """Run the mask stage and then the audit stage; ``regions`` takes the place of the former's output."""
    files = make_files(folder, images, verdicts, kept)
    if regions is None:
        masked = run_mask(files)
        path = masked.artefact
    else:
        path = folder / "given.parquet"
        pq.write_table(pa.Table.from_pylist(regions, region_schema()), path)
    target = folder / "audit"
    target.mkdir(exist_ok=True)
    return run(Files(inputs={**files.inputs, "mask": path}, folder=target, stem=VIDEO.id), **options)


def run(files, **options):
    stage = AuditStage(AuditOptions(device="cpu", **options))
    stage.setup()
    try:
        return stage.process(VIDEO, files)
    finally:
        stage.close()


def rows_of(outcome):
    assert isinstance(outcome, Done), outcome
    table = pq.read_table(outcome.artefact)
    assert table.schema.equals(audit_schema())
    return table.to_pylist()


@pytest.fixture(scope="module")
def caption(tmp_path_factory):
    """Eight frames, of which five show a patient's name and a date; the fourth is not surgical."""
    images = [captioned(n, *([(40, 300, SMITH)] if n >= 3 else [])) for n in range(8)]
    verdicts = [SURGICAL] * 4 + [NON_SURGICAL] + [SURGICAL] * 3
    return audited(tmp_path_factory.mktemp("caption"), images, verdicts=verdicts)


def test_a_name_and_a_date_are_found_where_they_stand(caption):
    rows = rows_of(caption)
    assert [(row["n"], row["kind"]) for row in rows] == [(n, kind) for n in (3, 5, 6, 7) for kind in ("date", "name")]
    for row in rows:
        assert row["x1"] <= 42 and row["x2"] >= 300 and row["y1"] <= 306 and row["y2"] >= 318
        assert row["x2"] <= WIDTH and row["y2"] <= HEIGHT and 0.6 <= row["score"] <= 1
    seen = {name: caption.figures[name] for name in SEEN}
    assert seen["face_glances"] + seen["face_frames"] >= 7 and seen["reader_frames"] <= seen["reader_lines"] <= 4
    assert {name: count for name, count in caption.figures.items() if name not in SEEN} == {
        "frames": 7,
        "frames_with_findings": 4,
        "frames_with_faces": 0,
        "frames_with_names": 4,
        "frames_with_dates": 4,
        "frames_with_identifiers": 0,
    }


def test_the_shape_is_stored_and_not_the_text(caption):
    rows = rows_of(caption)
    assert {row["pattern"] for row in rows} == {"Aaaaaaa: Aaaaa, Aaaa", "99.99.9999"}
    assert {row["model"] for row in rows} == {"label", "year-last"}
    data = caption.artefact.read_bytes()
    assert not any(word in data for word in (b"Smith", b"John", b"2023"))


def test_words_of_surgery_are_no_findings(tmp_path):
    images = [captioned(n, (40, 300, "Clip the cystic artery"), (420, 20, "00:12:33")) for n in range(4)]
    outcome = audited(tmp_path, images)
    assert rows_of(outcome) == [] and outcome.figures["frames_with_findings"] == 0


def test_a_label_and_its_value_are_read_together(tmp_path):
    boxes = [(30, 296, 130, 326), (150, 296, 330, 326)]
    images = [captioned(n, (34, 298, "Name:"), (156, 298, "Jane Doe")) for n in range(2)]
    regions = [
        {"n": n, "kind": "text", "score": 0.9, "model": "text", "x1": x1, "y1": y1, "x2": x2, "y2": y2}
        for n in range(2)
        for x1, y1, x2, y2 in boxes
    ]
    rows = rows_of(audited(tmp_path, images, regions=regions, faces=False))
    assert [(row["kind"], row["pattern"]) for row in rows] == [("name", "Aaaa: Aaaa Aaa")] * 2
    assert (rows[0]["x1"], rows[0]["x2"]) == (30, 330)


def test_lines_in_an_interface_bar_are_found(tmp_path):
    images = [captioned(n, (20, 332, "MRN 00482913"), size=18) for n in range(2)]
    bar = {"kind": "ui", "score": 0.9, "model": "overlay", "x1": 0, "y1": 326, "x2": WIDTH, "y2": HEIGHT}
    rows = rows_of(audited(tmp_path, images, regions=[{"n": n, **bar} for n in range(2)], faces=False))
    assert [(row["n"], row["kind"]) for row in rows] == [(0, "identifier"), (1, "identifier")]
    assert rows[0]["x2"] < WIDTH / 2 and rows[0]["pattern"] == "AAA 99999999"


def test_what_is_lost_for_a_moment_is_filled_in(tmp_path):
    images = [captioned(n, (40, 300, SMITH)) for n in range(8)]
    box = {"kind": "text", "score": 0.9, "model": "text", "x1": 34, "y1": 296, "x2": 400, "y2": 330}
    outcome = audited(tmp_path, images, regions=[{"n": n, **box} for n in (0, 2, 7)], faces=False)
    rows = [(row["n"], row["kind"], row["model"]) for row in rows_of(outcome)]
    assert rows == [
        *((0, kind, rule) for kind, rule in (("date", "year-last"), ("name", "label"))),
        *((1, kind, "between") for kind in ("date", "name")),
        *((n, kind, rule) for n in (2, 7) for kind, rule in (("date", "year-last"), ("name", "label"))),
    ]
    assert outcome.figures["frames_with_names"] == 4


def test_text_outside_of_the_regions_is_not_read(tmp_path):
    images = [captioned(0, (40, 300, SMITH))]
    assert rows_of(audited(tmp_path, images, regions=[])) == []


@pytest.mark.parametrize("ground", [True, False])
def test_what_stands_still_is_read_once_and_what_changes_is_read_again(tmp_path, monkeypatch, ground):
    from curate.nets.detect.text_reader import TextReader

    read = []
    original = TextReader.read

    def counting(self, lines):
        read.append(len(lines))
        return original(self, lines)

    monkeypatch.setattr(TextReader, "read", counting)
    names = ["Dr. Jane Doe"] * 4 + ["Dr. Jana Doe"] * 3
    images = []
    for n, name in enumerate(names):
        image = picture(n)
        if ground:
            image[290:330] = 30
        shown = Image.fromarray(image)
        ImageDraw.Draw(shown).text((40, 296), name, font=ImageFont.load_default(22), fill=(255, 255, 255))
        images.append(np.asarray(shown))
    box = {"kind": "text", "score": 0.9, "model": "text", "x1": 34, "y1": 292, "x2": 190, "y2": 328}
    rows = rows_of(audited(tmp_path, images, regions=[{"n": n, **box} for n in range(7)], faces=False))
    assert [row["kind"] for row in rows] == ["name"] * 7
    assert read == [1, 0, 0, 0, 1, 0, 0]


def test_output_is_the_same_byte_for_byte(tmp_path):
    images = [captioned(n, (40, 300, SMITH)) for n in range(3)]
    contents = [audited(tmp_path, images).artefact.read_bytes() for _ in range(2)]
    assert contents[0] == contents[1]


def test_switches_and_weights():
    assert sorted(AuditStage(AuditOptions()).fingerprint_extra()) == ["faces", "reader", "text"]
    assert sorted(AuditStage(AuditOptions(text=False)).fingerprint_extra()) == ["faces"]
    assert AuditStage(AuditOptions()).enabled and AuditStage(AuditOptions(text=False)).enabled
    assert not AuditStage(AuditOptions(text=False, faces=False)).enabled


def test_thresholds_drop_findings(tmp_path):
    images = [captioned(0, (40, 300, SMITH))]
    assert rows_of(audited(tmp_path, images, text_threshold=1.0)) == []


@pytest.mark.parametrize("broken", ["sample", "trim", "mask"])
def test_an_unreadable_input_is_a_named_failure(tmp_path, broken):
    files = make_files(tmp_path, [picture(0)])
    path = tmp_path / "mask.parquet"
    pq.write_table(pa.Table.from_pylist([], region_schema()), path)
    files = dataclasses.replace(files, inputs={**files.inputs, "mask": path})
    files.inputs[broken].write_bytes(b"not parquet")
    outcome = run(files)
    assert isinstance(outcome, Failed) and outcome.reason is Reason.BAD_ARTEFACT and broken in outcome.detail


def test_faces_in_small_windows_of_real_surgery_are_found(tmp_path, shared_data):
    frames = shared_data / "frames"
    with open(frames / "labels.csv", newline="") as stream:
        listed = list(csv.DictReader(stream))
    surgical = [row["file"] for row in listed if row["source"] == "m2cai"][:6]
    faces = [row["file"] for row in listed if row["source"] == "liveportrait"][:120:20]
    images, boxes = [], []
    for scene, face in zip(surgical, faces, strict=True):
        image = cv2.resize(cv2.imread(str(frames / scene))[:, :, ::-1], (1280, 720), interpolation=cv2.INTER_CUBIC)
        shown = cv2.imread(str(frames / face))[:, :, ::-1]
        height = round(200 * shown.shape[0] / shown.shape[1])
        image[20 : 20 + height, 1060:1260] = cv2.resize(shown, (200, height), interpolation=cv2.INTER_AREA)
        images.append(image)
        boxes.append((1060, 20, 1260, 20 + height))
    # Every frame shows another person, so that what is filled in between two of them is nobody's.
    rows = [row for row in rows_of(audited(tmp_path, images, regions=[], text=False)) if row["model"] == "centerface"]
    assert [row["n"] for row in rows] == list(range(6))
    for row, (x1, y1, x2, y2) in zip(rows, boxes, strict=True):
        assert row["kind"] == "face" and row["pattern"] == "" and row["score"] >= 0.5
        assert x1 <= (row["x1"] + row["x2"]) / 2 <= x2 and y1 <= (row["y1"] + row["y2"]) / 2 <= y2
