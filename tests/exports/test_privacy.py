"""What becomes of faces, names, dates and identifiers in exports."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.config import ExportOptions
from curate.exports import export_dataset
from curate.exports.pixels.frames import read_frames
from curate.exports.plan.plan import FramePolicy, make_plan
from tests.exports.filming import brightness, decode, film
from tests.exports.making import BOX, PICTURES, make_entry, sampled_jpeg

FACE = (56, 8, 88, 40)
TEXT = (18, 18, 40, 30)
"""Lies in `BOX`."""
BLACK = 24


def rows_of(folder):
    return {row["n"]: row for row in pq.read_table(folder).to_pylist()}


def picture(row):
    return simplejpeg.decode_jpeg(row["image"]["bytes"])


@pytest.fixture
def entry(tmp_path):
    """Frames 1 to 5 inside the trim, 4 not surgical; a face on 2 and 3, a name in the caption of 5."""
    return make_entry(
        tmp_path / "in",
        "vid",
        "nsssns",
        regions=[5],
        findings=[(2, "face", FACE), (3, "face", FACE), (3, "date", TEXT), (5, "name", TEXT)],
    )


def test_mask_paints_what_was_found_and_lists_it_among_the_regions(tmp_path, entry, export):
    export([entry], "parquet")
    rows = rows_of(tmp_path / "exports" / "parquet" / "data")
    assert sorted(rows) == [1, 2, 3, 5]
    for n in (2, 3):
        assert brightness(picture(rows[n]), FACE) < BLACK
        assert rows[n]["regions"][0] | {"score": 0} == {
            "kind": "face",
            "score": 0,
            "model": "test",
            **dict(zip(("x1", "y1", "x2", "y2"), FACE, strict=True)),
        }
    assert [region["kind"] for region in rows[3]["regions"]] == ["face", "text"]
    assert brightness(picture(rows[3]), TEXT) < BLACK < brightness(picture(rows[2]), TEXT)
    assert rows[1]["image"]["bytes"] == sampled_jpeg(entry, 1)


def test_a_text_that_a_region_covers_is_not_told_twice(tmp_path, entry, export):
    export([entry], "parquet")
    (region,) = rows_of(tmp_path / "exports" / "parquet" / "data")[5]["regions"]
    assert (region["x1"], region["y1"], region["x2"], region["y2"]) == BOX


def test_keep_leaves_the_frames_as_they_are(tmp_path, entry, export):
    export([entry], "parquet", privacy="keep")
    rows = rows_of(tmp_path / "exports" / "parquet" / "data")
    assert all(rows[n]["image"]["bytes"] == sampled_jpeg(entry, n) and rows[n]["regions"] == [] for n in (1, 2, 3))
    assert "Something was found on 3 of them. They are shown as they are." in card(tmp_path)


@pytest.mark.parametrize("name", PICTURES)
def test_drop_leaves_such_frames_out_of_every_format(tmp_path, entry, export, name):
    (made,) = export([entry], name, privacy="drop").formats
    record = json.loads((tmp_path / "exports" / name / "export.json").read_text())
    assert made.frames == record["counts"]["frames"] == 1
    assert record["privacy"] == {
        "audited_videos": 1,
        "unaudited_videos": 0,
        "frames": 4,
        "frames_with_findings": 3,
        "found": {"face": 2, "name": 1, "date": 1, "identifier": 0},
        "frames_left_out": 3,
    }
    assert "3 are left out, or black where others are black" in card(tmp_path, name)
    assert "| face | 2 |" in card(tmp_path, name)


def test_where_frames_keep_the_time_dropped_ones_are_black(tmp_path, entry, export):
    export([entry], "parquet", privacy="drop", include="trimmed")
    rows = rows_of(tmp_path / "exports" / "parquet" / "data")
    assert {n: picture(row).max() <= BLACK for n, row in rows.items()} == {1: False, 2: True, 3: True, 4: True, 5: True}


def test_a_video_of_which_nothing_is_left_counts_too(tmp_path, entry, export):
    full = make_entry(tmp_path / "in", "full", "ss", findings=[(0, "face", FACE), (1, "face", FACE)])
    export([entry, full], "lmdb", privacy="drop")
    record = json.loads((tmp_path / "exports" / "lmdb" / "export.json").read_text())
    assert record["without_frames"] == ["full"]
    assert record["privacy"]["frames_left_out"] == 5 and record["privacy"]["audited_videos"] == 2


def card(folder, name="parquet"):
    return (folder / "exports" / name / "README.md").read_text()


@pytest.mark.parametrize("privacy", ["keep", "mask", "drop"])
def test_without_an_audit_the_option_does_nothing_and_the_card_says_so(tmp_path, entry, export, privacy):
    export([dataclasses.replace(entry, audit=None)], "parquet", privacy=privacy)
    rows = rows_of(tmp_path / "exports" / "parquet" / "data")
    assert all(rows[n]["image"]["bytes"] == sampled_jpeg(entry, n) for n in (1, 2, 3))
    assert "Not audited" in card(tmp_path)


def test_the_card_says_what_was_not_looked_for_and_what_was_not_audited(tmp_path, entry, export):
    other = dataclasses.replace(make_entry(tmp_path / "in", "other", "ss"), audit=None)
    export([entry, other], "parquet", fill="none")
    assert "It was not asked for faces. It was not asked for text. 1 videos were not audited." in card(tmp_path)
    assert "painted over in black, though other regions are not (`export.fill` is none)" in card(tmp_path)


@pytest.mark.parametrize(("masks", "searched"), [({"mask.text": "0"}, True), ({}, False)])
def test_the_card_says_that_captions_were_searched_only_where_there_were_masks(tmp_path, entry, masks, searched):
    context = {"audit.faces": "0", "audit.reader": "0", **masks}
    export_dataset([entry], ExportOptions(formats=("parquet",)), tmp_path / "exports", context=context)
    assert ("their captions for" in card(tmp_path)) == searched
    assert ("No caption was read: masks are switched off." in card(tmp_path)) != searched


def test_without_fill_what_was_found_is_covered_all_the_same(tmp_path, entry, export):
    export([entry], "parquet", "lmdb-lemon", fill="none", padding=2)
    rows = rows_of(tmp_path / "exports" / "parquet" / "data")
    assert brightness(picture(rows[2]), FACE) < BLACK < brightness(picture(rows[2]), TEXT)
    assert brightness(picture(rows[3]), FACE) < BLACK > brightness(picture(rows[3]), TEXT)
    assert brightness(picture(rows[5]), TEXT) < BLACK < brightness(picture(rows[5]), BOX), "the box lies in a region"
    assert [region["kind"] for region in rows[5]["regions"]] == ["text", "text"]
    assert rows[1]["image"]["bytes"] == sampled_jpeg(entry, 1)


def test_videos_without_fill_cover_what_was_found_all_the_same(tmp_path, export):
    entry = film(tmp_path / "in", "v", "sssss", [(0, 5)], regions=[1, 2, 3], findings=[(2, "face", FACE)])
    export([entry], "video", privacy="keep", fill="none")
    export([entry], "video", fill="none")
    images, _ = decode(tmp_path / "exports" / "video" / "train" / "v.mp4")
    assert [brightness(image, FACE) < BLACK for image in images] == [25 < i < 75 for i in range(125)]
    assert all(brightness(image, BOX) > 200 for image in images)


def test_an_audit_that_cannot_be_read_costs_its_video_only(tmp_path, entry, export):
    other = make_entry(tmp_path / "in", "other", "ss")
    entry.audit.write_bytes(b"not parquet")
    (made,) = export([entry, other], "lmdb").formats
    assert made.videos == 1 and "cannot read its artefacts" in made.left_out["vid"]


def test_in_videos_a_face_is_painted_from_the_sample_before_to_the_one_after(tmp_path, export):
    export([film(tmp_path / "in", "v", "sssss", [(0, 5)], findings=[(2, "face", FACE)])], "video")
    images, _ = decode(tmp_path / "exports" / "video" / "train" / "v.mp4")
    assert [brightness(image, FACE) < BLACK for image in images] == [25 < i < 75 for i in range(125)]


def test_in_videos_nothing_is_shown_between_a_dropped_sample_and_its_neighbours(tmp_path, export):
    export([film(tmp_path / "in", "v", "sssss", [(0, 5)], findings=[(2, "face", FACE)])], "video", privacy="drop")
    images, _ = decode(tmp_path / "exports" / "video" / "train" / "v.mp4")
    assert [image.max() < BLACK for image in images] == [25 < i < 75 for i in range(125)]


def test_files_of_videos_are_made_again_when_the_audit_changes(tmp_path, export):
    export([film(tmp_path / "in", "v", "ssss", [(0, 4)])], "video", mark="a")
    export([film(tmp_path / "in", "v", "ssss", [(0, 4)], findings=[(1, "face", FACE)])], "video", mark="b")
    images, _ = decode(tmp_path / "exports" / "video" / "train" / "v.mp4")
    assert brightness(images[25], FACE) < BLACK


@settings(max_examples=30, deadline=None)
@given(
    found=st.dictionaries(st.integers(0, 6), st.sampled_from(["face", "name", "date", "identifier"])),
    privacy=st.sampled_from(["keep", "mask", "drop"]),
    include=st.sampled_from(["surgical", "trimmed"]),
)
def test_for_any_findings_frames_are_shown_covered_or_gone(tmp_path_factory, found, privacy, include):
    verdicts = "nssnsus"
    findings = [(n, kind, FACE) for n, kind in sorted(found.items()) if verdicts[n] != "n"]
    entry = make_entry(tmp_path_factory.mktemp("in"), "v", verdicts, findings=findings, source_file=False)
    options = ExportOptions(privacy=privacy, include=include)
    plan = make_plan([entry], options, {})
    frames = [frame for video in plan.videos for frame in read_frames(video, FramePolicy.of(options))]
    private = {n for n, _, _ in findings}
    surgical = {n for n, letter in enumerate(verdicts) if letter == "s"}
    shown = surgical - private if privacy == "drop" else surgical
    assert {frame.n for frame in frames if not frame.blank} == shown
    assert {frame.n for frame in frames} == (set(range(1, 7)) if include == "trimmed" else shown)
    assert len(frames) == plan.frames
    covered = {frame.n for frame in frames if any(region.box == FACE for region in frame.regions)}
    assert covered == ({frame.n for frame in frames} & private if privacy == "mask" else set())
    assert plan.audit.any == len(surgical & private)


def test_painted_pixels_are_those_of_the_finding(tmp_path, export):
    entry = make_entry(tmp_path / "in", "v", "ss", findings=[(0, "face", FACE)])
    export([entry], "lmdb-lemon", "parquet", padding=2)
    image = picture(rows_of(tmp_path / "exports" / "parquet" / "data")[0])
    dark = (image < BLACK).all(axis=2)
    x1, y1, x2, y2 = FACE
    assert dark[y1 - 1 : y2 + 1, x1 - 1 : x2 + 1].all()  # the outermost pixels bleed in JPEG
    dark[y1 - 6 : y2 + 6, x1 - 6 : x2 + 6] = False
    assert not np.any(dark)
