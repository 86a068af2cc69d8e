"""Lists in the styles of the field, with leaks planted in them."""

from __future__ import annotations

import csv
import json

import cv2
import numpy as np
import pytest

from curate.corpus.audit import AuditOptions, audit
from curate.corpus.lists import open_sets
from curate.corpus.names import source_of, stem_of
from curate.corpus.stated import read_stated
from curate.errors import CurateError
from curate.records import Video
from tests.corpus.running import run

ROOT = "__DATA_ROOT__/kvasir"


def surgrec(folder, **splits):
    """A data set as SurgRec writes it: ``path label`` lines, in quotes where the path has spaces."""
    folder.mkdir(parents=True)
    for split, names in splits.items():
        lines = [f'"{ROOT}/a b/{n}" 0' if i % 2 else f"{ROOT}/c/{n} 1" for i, n in enumerate(names)]
        (folder / f"{split}.csv").write_text("\n".join(lines) + "\n")
    (folder / "label_map.json").write_text('{"a b": 0}')
    return folder


def found(*sources, **options):
    return {
        (shared.set, shared.kind, f"{shared.one}-{shared.other}"): (
            shared.keys,
            shared.entries_one,
            shared.entries_other,
        )
        for one in open_sets([str(source) for source in sources])
        for shared in audit(one, AuditOptions(**options)).shared
    }


@pytest.mark.parametrize(
    ("name", "video"),
    [
        ("x/video01_000123.jpg", "video01"),
        ("cholec80_01_1.mp4", "cholec80_01"),
        ("videos/04a78ef00c5245e0_48702-48782.mp4", "04a78ef00c5245e0"),
        ("584f1fa0-9bb9-49d3-b412-c42819d0a200_15.avi", "584f1fa0-9bb9-49d3-b412-c42819d0a200"),
        ("0_61_21_30_no_polyps.mp4", "0_61"),
        ("case_102_AbdominalAccess_0.mp4", "case_102"),
        ("m2cai16w_test_dataset_workflow_video_01_Calot.mp4", "m2cai16w_test_dataset_workflow_video_01"),
        ("BBP01_phase_001_preparation_000332-034298.mp4", "BBP01"),
        ("Needle_Passing_E001_capture2_0.5_5.63_G1.mp4", "Needle_Passing_E001"),
        ("Batch1/-bcDEF_1234_frame_12_Sample9.jpg", "-bcDEF_1234"),
        ("dQw4w9WgXcQ_17.jpg", "dQw4w9WgXcQ"),
        ("train/video07/000123.png", "video07"),
        ("frames/dQw4w9WgXcQ/12.png", "dQw4w9WgXcQ"),
        ("frames01/000001.jpg", "frames01"),
        ("case_7/img_12.jpg", "case_7"),
        ("000001.jpg", ""),
        ("", ""),
        ("NBI(36).mp4", ""),
        ("01_08.mp4", ""),
    ],
)
def test_a_name_tells_its_video_or_nothing(name, video):
    assert source_of(name) == video


def test_a_stem_has_no_folder_and_no_ending():
    assert [stem_of(n) for n in ("a/b.c.jpg", "x\\y.mp4", "v1.5_step", ".hidden")] == [
        "b.c",
        "y",
        "v1.5_step",
        ".hidden",
    ]


def test_each_kind_of_leak_is_found_in_lists_as_surgrec_writes_them(tmp_path):
    train = [f"{i:016x}_{n}-{n + 80}.mp4" for i in range(1, 6) for n in (0, 100)]
    clean = surgrec(tmp_path / "sets" / "clean", train=train, val=[f"{7:016x}_0-8.mp4"], test=[f"{8:016x}_0-8.mp4"])
    same = surgrec(tmp_path / "sets" / "same", train=train, val=["aaa_case_9_1.mp4"], test=["aaa_case_9_1.mp4"])
    clips = surgrec(tmp_path / "sets" / "clips", train=train, test=[f"{1:016x}_200-280.mp4", f"{9:016x}_0-80.mp4"])
    assert found(clean) == {}
    assert found(same) == {
        ("same", "list", "val-test"): (1, 1, 1),
        ("same", "file", "val-test"): (1, 1, 1),
        ("same", "source", "val-test"): (1, 1, 1),
    }
    assert found(clips) == {("clips", "source", "train-test"): (1, 2, 1)}
    assert found(tmp_path / "sets") == {**found(same), **found(clips)}


def test_the_same_picture_under_two_names_is_found_in_a_tree(tmp_path):
    draw = np.random.default_rng(0)
    for name in ("train/a/one.png", "train/b/two.png", "test/a/three.png", "test/b/four.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), draw.integers(0, 255, (32, 32, 3), np.uint8))
    (tmp_path / "test" / "b" / "four.png").write_bytes((tmp_path / "train" / "a" / "one.png").read_bytes())
    assert found(tmp_path) == {(tmp_path.name, "picture", "train-test"): (1, 1, 1)}
    assert found(tmp_path, pictures=False) == {}
    lists = surgrec(tmp_path / "lists", train=["x"], test=["y"])
    (lists / "train.csv").write_text(f"{ROOT}/train/a/one.png 0\n")
    (lists / "test.csv").write_text(f"{ROOT}/test/b/four.png 0\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "kvasir").symlink_to(tmp_path)
    assert found(lists, roots=(tmp_path / "data",)) == {("lists", "picture", "train-test"): (1, 1, 1)}


def test_pictures_that_were_encoded_again_made_smaller_or_mirrored_are_alike(tmp_path):
    scenes = [texture(seed) for seed in range(6)]
    for split, pictures in {
        "train": scenes[:4],
        "test": [cv2.resize(scenes[0], (120, 90)), np.ascontiguousarray(scenes[1][:, ::-1]), scenes[4]],
        "val": [scenes[5]],
    }.items():
        (tmp_path / split).mkdir()
        for i, picture in enumerate(pictures):
            quality = [cv2.IMWRITE_JPEG_QUALITY, 95 if split == "train" else 40]
            assert cv2.imwrite(str(tmp_path / split / f"{split}{chr(97 + i)}.jpg"), picture, quality)
    assert found(tmp_path) == {(tmp_path.name, "alike", "train-test"): (2, 2, 2)}
    assert found(tmp_path, alike=0) == {}
    done = run("splits", "audit", tmp_path)
    assert done.code == 2 and "bits from" in done.out and "2 of 3" in done.out
    (tmp_path / "val" / "cut.jpg").write_bytes((tmp_path / "val" / "vala.jpg").read_bytes()[:100])
    assert "cut.jpg: cannot be read" in run("splits", "audit", tmp_path).err


def texture(seed: int) -> np.ndarray:
    """A picture with content of its own."""
    coarse = np.random.default_rng(seed).integers(0, 255, (9, 12, 3), np.uint8)
    return cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC)


def test_other_styles_are_read(tmp_path):
    (tmp_path / "all.csv").write_text("path,label,split\na/case_1_0.jpg,x,training\na/case_2_0.jpg,x,test\n")
    (tmp_path / "sets.json").write_text(json.dumps({"train": ["case_1_5"], "val": ["case_2_9"]}))
    (tmp_path / "lemon.json").write_text(json.dumps([{"youtubeId": "dQw4w9WgXcQ", "split": "val"}]))
    (tmp_path / "of.json").write_text(json.dumps({"dQw4w9WgXcQ": "test"}))
    (tmp_path / "fold1.txt").write_text("case_1_7.jpg\n# a remark\n\n")
    names = ("all.csv", "sets.json", "lemon.json", "of.json", "fold1.txt")
    assert found(*(tmp_path / name for name in names)) == {
        ("lists", "source", "train-fold1"): (1, 2, 1),
        ("lists", "source", "val-test"): (1, 1, 1),
        ("lists", "file", "val-test"): (1, 1, 1),
    }
    assert found("cholec80-32-8-40") == {}
    assert set(found(f"test={tmp_path / 'sets.json'}", "train=" + str(tmp_path / "all.csv"))) == {
        ("lists", "source", "train-test")
    }


def test_the_command_shows_a_table_and_writes_every_entry(tmp_path):
    surgrec(tmp_path / "set", train=["case_1_0.mp4", "case_2_0.mp4"], test=["case_1_5.mp4"])
    done = run("splits", "audit", tmp_path / "set", "-o", tmp_path / "leaks.csv")
    assert done.code == 2
    assert "1 of 2" in done.out and "1 of 1" in done.out and "case_1" in done.out
    with (tmp_path / "leaks.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["kind"], row["key"], row["split"]) for row in rows] == [
        ("source", "case_1", "test"),
        ("source", "case_1", "train"),
    ]
    assert rows[0]["origin"] == f"{tmp_path}/set/test.csv:1"
    assert run("splits", "audit", tmp_path / "set", "--source", r"(case_\d+_\d+)").code == 0


@pytest.mark.parametrize(
    ("text", "name", "what"),
    [
        ("", "train.csv", "is empty"),
        ('{"a": 1}', "train.json", "holds neither"),
        ("[1]", "train.json", "neither a name nor an object"),
        ("[" * 9000, "train.json", "nested too deep"),
        ("x" * 200_000, "train.txt", "is it a list"),
    ],
)
def test_a_list_that_cannot_be_read_is_named(tmp_path, text, name, what):
    (tmp_path / name).write_text(text)
    done = run("splits", "audit", tmp_path / name)
    assert done.code == 1 and what in done.err and name in done.err


def test_no_list_no_folder_and_no_pattern(tmp_path):
    for arguments, what in (
        ([tmp_path / "none"], "no such file"),
        ([tmp_path], "no lists"),
        (["cataracts", "--source", "("], "regular"),
    ):
        done = run("splits", "audit", *arguments)
        assert done.code == 1 and what in done.err


def test_a_list_states_the_splits_of_videos(tmp_path):
    videos = [Video(id=f"video{i:02d}", source="https://e.org") for i in (1, 33, 80)]
    videos.append(Video(id="other", source="/data/case_7.mp4"))
    stated = read_stated("cholec80-32-8-40", videos)
    assert stated.of == {"video01": "train", "video33": "val", "video80": "test"} and len(stated.unknown) == 77
    assert [video.split for video in stated.apply(videos)] == ["train", "val", "test", ""]
    lists = surgrec(tmp_path / "set", train=["video01_000.jpg", "case_7_12.mp4"], test=["video80_3.jpg"])
    assert read_stated(lists, videos).of == {"video01": "train", "other": "train", "video80": "test"}
    surgrec(tmp_path / "bad", train=["video01_000.jpg"], test=["video01_3.jpg"])
    with pytest.raises(CurateError, match=r"train.csv:1.*video01 into train.*test.csv:1.*into test"):
        read_stated(tmp_path / "bad", videos)
    with pytest.raises(CurateError, match="names none of the 4 videos"):
        read_stated("cataracts", videos)
