"""Folders of videos: every ending is looked at, links are followed once, and what is left out is named."""

import os
import socket
from pathlib import Path

import av
import pytest

from curate.errors import CurateError
from curate.manifests import read_sources
from curate.manifests.folder import DOUBTFUL_SUFFIXES, VIDEO_SUFFIXES
from curate.manifests.identity import carried_id, local_id

A, B = "dQw4w9WgXcQ", "aaaaaaaaaa1"

NO_VIDEO = """
722 aa aa3 aac aax ac3 ac4 acm adf adp ads adx aea afc aix al ape apc apl aptx aptxhd ast avr bcstm bfstm
binka bonk brstm c2 daud 302 dfpwm dss dtk dts dtshd eac3 ec3 fap flac fsb fwse g722 g723_1 g728 g729 genh gsm
hca iamf idf ircam isma laf lc3 m2a m4a m4b mac mca mka mlp mp2 mp3 mpa mpc msbc msf mtaf musx nist nsp oma
omg osq paf pvf qcp qoa rco rka rsd rso sb sbc sbg sdr2 sds sdx sf shn sln son sph ss2 svag svs sw tak tco thd
tta ub ul uw vag vb vpk vqe vqf vql w64 wa way wsd wv xmd xvag apac avif gif heic heif j2k jxl mpo cdg ans aqt
art asc diz ice idx jss lrc mcc mks mpl2 nfo pjs rt sami scc smi srt stl sub sup txt vt vtt webvtt bitpacked
cdata qcif rgb v v210 yuv yuv10 imx sdns
"""
"""Endings of sounds, pictures, texts, and samples without a header, of which nothing can be made."""


def touch(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names(report, root):
    return [Path(video.source).relative_to(root).as_posix() for video in report.videos]


def test_every_ending_that_the_decoder_knows_is_looked_at():
    known = set()
    for name in av.formats_available:
        try:
            known |= av.ContainerFormat(name, "r").extensions
        except ValueError:
            continue
    assert len(known) > 200
    missed = {f".{ending}" for ending in known - set(NO_VIDEO.split())} - VIDEO_SUFFIXES - DOUBTFUL_SUFFIXES
    assert not missed


def test_recorders_names_of_files(tmp_path):
    endings = (
        "mpg",
        "m2t",
        "mod",
        "m2p",
        "divx",
        "qt",
        "h264",
        "MTS",
        "vob",
        "tod",
        "dv",
        "264",
        "hevc",
        "m1v",
        "rmvb",
    )
    for ending in endings:
        touch(tmp_path / f"rec_{ending}.{ending}")
    report = read_sources([tmp_path])
    assert len(report.videos) == len(endings) and not report.left_out


def test_what_is_left_out_is_counted_and_named(tmp_path):
    touch(tmp_path / "a.mp4")
    for name in ("notes.txt", "b.json", "c.json", ".hidden.mp4", ".cache/d.mp4", "e.mp4.part", "f.ytdl"):
        touch(tmp_path / name)
    touch(tmp_path / "lost.bak", b"\0\0\0\x20ftypisom")
    touch(tmp_path / "NOENDING", b"\x1aE\xdf\xa3")
    os.mkfifo(tmp_path / "pipe.mp4")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "s.mp4"))
    listening.close()
    report = read_sources([tmp_path])
    assert names(report, tmp_path) == ["NOENDING", "a.mp4"]
    why = {item.path: item.why for item in report.left_out}
    assert len(why) == 10
    assert why["pipe.mp4"] == why["s.mp4"] == "a pipe, a device or a socket"
    assert why[".hidden.mp4"] == why[".cache"] == "hidden"
    assert "part of a download" in why["e.mp4.part"] and "part of a download" in why["f.ytdl"]
    assert "rename it" in why["lost.bak"] and ".json" in why["b.json"]
    assert any(
        line.startswith("2 not named like a video (.json): b.json, c.json") for line in report.left_out_by_reason()
    )


def test_linked_folders_are_followed_once_and_loops_end(tmp_path):
    root = tmp_path / "v"
    touch(root / "case1/a.mp4")
    touch(tmp_path / "disk2/case2/b.mp4")
    (root / "case2").symlink_to("../disk2/case2")
    (root / "again").symlink_to("../disk2/case2")
    (root / "inside").symlink_to("case1")
    (root / "up").symlink_to("..")
    (root / "self").symlink_to(".")
    (tmp_path / "disk2/case2/loop").symlink_to("../../v")
    report = read_sources([root])
    assert names(report, root) == ["case1/a.mp4", "again/b.mp4"]
    assert {item.path for item in report.left_out} == {"case2", "inside", "up", "self", "again/loop"}


def test_linked_files_count_once(tmp_path):
    root = tmp_path / "v"
    touch(root / "a.mp4")
    (root / "same.mp4").symlink_to("a.mp4")
    (root / "other.mp4").symlink_to(touch(tmp_path / "other/b.mp4"))
    (root / "broken.mp4").symlink_to("nowhere.mp4")
    report = read_sources([root])
    assert sorted(names(report, root)) == ["a.mp4", "broken.mp4", "other.mp4"]
    assert [item.path for item in report.left_out] == ["same.mp4"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list everything")
def test_a_folder_that_may_not_be_listed_costs_no_other(tmp_path):
    touch(tmp_path / "a.mp4")
    touch(tmp_path / "secret/b.mp4").parent.chmod(0)
    report = read_sources([tmp_path])
    assert len(report.videos) == 1 and "cannot be listed" in report.left_out[0].why


def test_dicom_is_named_with_what_to_do(tmp_path):
    head = b"\0" * 128 + b"DICM" + b"\x02\x00\x10\x00UI\x18\x00"
    touch(tmp_path / "a.mp4")
    touch(tmp_path / "scope.dcm", head + b"1.2.840.10008.1.2.4.102\0")
    touch(tmp_path / "slice", head + b"1.2.840.10008.1.2.1\0")
    why = {item.path: item.why for item in read_sources([tmp_path]).left_out}
    assert "DICOM video" in why["scope.dcm"] and "gdcmraw" in why["scope.dcm"]
    assert why["slice"] == "a DICOM file without video"
    with pytest.raises(CurateError, match="DICOM video"):
        read_sources([tmp_path / "scope.dcm"], format="folder")


@pytest.mark.parametrize(
    ("name", "video_id"),
    [
        (f"Lap chole [{A}].mp4", A),
        (f"Title-{A}.mp4", A),
        (f"Title - with - hyphens-{B}.mkv", B),
        ("Title [-bC_dEf0hIj].webm", "-bC_dEf0hIj"),
        ("Title--bC_dEf0hIj.webm", "-bC_dEf0hIj"),
        ("OR1-colonoscopy.mp4", None),
        ("case [Colonoscopy].mp4", None),
        ("case-20240304-01.mp4", None),
        (f"{A}.mp4", None),
    ],
)
def test_ids_in_file_names(name, video_id):
    assert carried_id(Path(name)) == video_id
    assert local_id(Path(name)) == video_id or video_id is None


def test_a_file_that_carries_an_id_is_that_video(tmp_path):
    touch(tmp_path / f"v/Lap chole [{A}].mp4")
    touch(tmp_path / f"v/Hernia-{B}.mp4")
    (tmp_path / "l.csv").write_text(f"youtube_id,title\n{A},x\nhttps://yewtu.be/{B},y\n")
    for sources in ([tmp_path / "v", tmp_path / "l.csv"], [tmp_path / "l.csv", tmp_path / "v"]):
        report = read_sources(sources)
        assert {v.id for v in report.videos} == {A, B} and len(report.duplicates) == 2
        assert all(v.is_local for v in report.videos)
    (tmp_path / "out.txt").write_text(f"{A}\nhttps://youtu.be/{B}\n")
    assert len(read_sources([tmp_path / "v"], opt_out=[tmp_path / "out.txt"]).opted_out) == 2


def test_an_opt_out_reaches_a_name_that_is_not_taken_for_an_id(tmp_path):
    touch(tmp_path / "v/OR1-colonoscopy.mp4")
    (tmp_path / "out.txt").write_text("colonoscopy\n")
    assert not read_sources([tmp_path / "v"], opt_out=[tmp_path / "out.txt"]).videos


def test_two_files_with_one_title_and_id_are_one_video_and_others_are_not(tmp_path):
    for name in (f"x/T [{A}].mp4", f"y/T [{A}].mkv", f"y/T - 001 Start [{A}].mp4"):
        touch(tmp_path / name)
    report = read_sources([tmp_path / "x", tmp_path / "y"])
    assert len(report.videos) == 2 and len(report.duplicates) == 1


def test_parts_of_one_download_are_no_videos_of_their_own(tmp_path):
    whole = f"T [{A}]"
    endings = ("f137.mp4", "f251.webm", "f251-drc.webm", "temp.mp4", "mp4.part", "mp4.ytdl", "mp4.part-Frag3")
    parts = (*(f"{whole}.{ending}" for ending in endings), f"{whole}.fhls-1080p.mp4", "x.mp4.crdownload")
    for name in (f"T [{A}].mp4", *parts):
        touch(tmp_path / name)
    report = read_sources([tmp_path])
    assert [v.id for v in report.videos] == [A]
    assert {item.path for item in report.left_out} == set(parts)
