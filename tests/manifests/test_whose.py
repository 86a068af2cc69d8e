"""Whose a video is: channel, case, corpus, licence and whether everybody sees it, from lists, options and sites."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curate.cli import run_command
from curate.manifests import Unstated, read_manifest, read_sources, write_manifest
from curate.manifests.store import write_table
from curate.manifests.unstated import as_site_says
from curate.records import LATER_FIELDS, Video
from curate.workspace.tables import manifest_schema

A, B = "dQw4w9WgXcQ", "80czDESoMiQ"


def of_list(path: Path, text: str, **options) -> list[Video]:
    path.write_text(text, encoding="utf-8")
    report = read_sources([path], **options)
    assert not report.bad_rows and not report.notes
    return list(report.videos)


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        ("channel,channel_id", "Dr. X,UC1", ("UC1", "", "", None)),
        ("uploader", "Dr. X", ("Dr. X", "", "", None)),
        ("Channel Title,Patient ID,Dataset", "Dr. X,p17,cholec80", ("Dr. X", "p17", "cholec80", None)),
        ("author,case,corpus,public", ",7,,yes", ("", "7", "", True)),
        ("availability", "unlisted", ("", "", "", False)),
        ("availability", "public", ("", "", "", True)),
        ("Privacy Status", "private", ("", "", "", False)),
        ("is_public", "nein", ("", "", "", False)),
        ("visibility,case no.", "unknown,n/a", ("", "", "", None)),
    ],
)
def test_columns_as_lists_name_them(tmp_path, header, row, expected):
    (video,) = of_list(tmp_path / "l.csv", f"id,{header}\n{A},{row}\n")
    assert (video.channel, video.case, video.corpus, video.public) == expected


def test_descriptions_of_yt_dlp_and_of_youtube(tmp_path):
    info = {"id": A, "extractor_key": "Youtube", "webpage_url": f"https://youtu.be/{A}", "formats": [], "channel": "X"}
    (video,) = of_list(tmp_path / "v.json", json.dumps(info | {"channel_id": "UC1", "availability": "public"}))
    assert (video.channel, video.public) == ("UC1", True)
    item = {"id": A, "snippet": {"title": "t", "channelId": "UC1", "channelTitle": "X"}}
    item["status"] = {"privacyStatus": "unlisted", "license": "creativeCommon"}
    (video,) = of_list(tmp_path / "i.json", json.dumps({"items": [item]}))
    assert (video.channel, video.public, video.licence) == ("UC1", False, "creativeCommon")


def test_an_answer_that_is_none_is_noted_and_costs_nothing(tmp_path):
    path = tmp_path / "l.csv"
    path.write_text(f"id,public\n{A},perhaps\n")
    report = read_sources([path])
    assert report.videos[0].public is None and "public" in report.notes[0].text


def test_lists_of_a_corpus_name_it_unless_told_otherwise(tmp_path):
    lemon = json.dumps([{"youtubeId": A, "procedureName": ["colectomy"], "informative": True}])
    assert of_list(tmp_path / "l.json", lemon)[0].corpus == "lemon"
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "colectomy.txt").write_text(f"https://youtu.be/{B}\n")
    assert read_sources([folder]).videos[0].corpus == "gensurgery"
    assert read_sources([folder], unstated=Unstated(corpus="mine")).videos[0].corpus == "mine"
    assert of_list(tmp_path / "u.txt", f"https://youtu.be/{A}\n")[0].corpus == ""


def test_what_a_cell_says_goes_before_the_options(tmp_path):
    text = f"id,corpus,licence,public\n{A},cholec80,CC BY,no\n{B},,,\n"
    stated, silent = of_list(tmp_path / "l.csv", text, unstated=Unstated("mine", "internal", True))
    assert (stated.corpus, stated.licence, stated.public) == ("cholec80", "CC BY", False)
    assert (silent.corpus, silent.licence, silent.public) == ("mine", "internal", True)


def test_rows_of_one_video_are_merged(tmp_path):
    (tmp_path / "1.csv").write_text(f"id,channel,corpus,case\n{A},UC1,one,\n")
    (tmp_path / "2.csv").write_text(f"id,channel,corpus,case,public\n{A},UC2,two,7,no\n")
    report = read_sources([tmp_path / "1.csv", tmp_path / "2.csv"])
    (video,) = report.videos
    assert (video.channel, video.case, video.corpus, video.public) == ("UC1", "7", "one", False)
    assert report.duplicates[0].conflicts == ("channel: kept 'UC1', not 'UC2'",)


def test_manifests_without_the_columns_are_read(tmp_path):
    videos = [Video(A, "/v/nan.mp4", title="None", robotic=True), Video(B, f"https://www.youtube.com/watch?v={B}")]
    write_manifest(videos, tmp_path / "new.parquet")
    assert pq.read_schema(tmp_path / "new.parquet").names == [*manifest_schema().names]
    pq.write_table(pq.read_table(tmp_path / "new.parquet").drop_columns(LATER_FIELDS), tmp_path / "old.parquet")
    assert read_manifest(tmp_path / "old.parquet") == videos
    for kind in ("csv", "jsonl"):
        write_table(videos, tmp_path / f"new.{kind}", kind)
    rows = [{k: v for k, v in asdict(video).items() if k not in LATER_FIELDS} for video in videos]
    (tmp_path / "old.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with open(tmp_path / "new.csv", newline="") as new, open(tmp_path / "old.csv", "w", newline="") as old:
        kept = [[row[i] for i in range(13)] for row in csv.reader(new)]
        csv.writer(old).writerows(kept)
    for name in ("old.csv", "old.jsonl", "old.parquet"):
        read = read_sources([tmp_path / name]).videos
        assert [(v.id, v.source, v.title, v.robotic) for v in read] == [
            (v.id, v.source, v.title, v.robotic) for v in videos
        ], name


def test_what_the_site_said_fills_what_is_open():
    told = {"title": "Site\x07", "licence": "CC BY", "channel": "X", "channel_id": "UC1", "availability": "public"}
    video = as_site_says(Video(A, "https://h.example"), told)
    assert (video.title, video.licence, video.channel, video.public) == ("Site", "CC BY", "UC1", True)
    stated = Video(A, "https://h.example", title="Mine", licence="CC0", channel="me", public=False)
    assert as_site_says(stated, told) == stated
    assert as_site_says(stated, {}) == stated
    assert as_site_says(Video(A, "s"), {"uploader": "X", "availability": "odd", "title": 5}) == replace(
        Video(A, "s"), channel="X"
    )


def test_commands_take_the_options_and_print_the_fields(tmp_path, capsys):
    path = tmp_path / "l.csv"
    path.write_text(f"id,channel,case,licence\n{A},UC1,7,CC BY\n{B},UC1,8,\n")
    options = ["--corpus", "mine", "--licence", "internal", "--not-public"]
    assert run_command(["manifest", "stats", str(path), "--json", *options]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["corpora"] == {"mine": 2} and figures["licences"] == {"CC BY": 1, "internal": 1}
    assert (figures["channels"], figures["cases"], figures["public"]["no"]) == (1, 2, 2)
    assert run_command(["manifest", "stats", str(path), *options]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("corpus", "mine", "licence", "internal", "channels", "cases"))
    assert run_command(["manifest", "convert", str(path), *options, "-o", str(tmp_path / "out.parquet")]) == 0
    assert {(v.corpus, v.public) for v in read_manifest(tmp_path / "out.parquet")} == {("mine", False)}
    assert run_command(["download", "-w", str(tmp_path / "w"), "--corpus", "mine"]) == 1
    assert "SOURCE" in capsys.readouterr().err
