import io
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import CurateError
from curate.manifests import read_manifest, read_sources, write_manifest
from curate.manifests.store import write_table
from curate.records import DOMAINS, Video
from curate.workspace.tables import manifest_schema

A, B, C = "aaaaaaaaaaa", "-bbbbbbbbbb", "AAAAAAAAAAA"


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def ids(report):
    return [video.id for video in report.videos]


def lemon_row(youtube_id=A, **changes):
    row = {
        "youtubeId": youtube_id,
        "title": "t",
        "procedureName": ["colectomy"],
        "robotic": False,
        "informative": True,
        "md5": "0" * 32,
        "resolution": [1280, 720],
    }
    return row | changes


def test_lemon_rows(tmp_path):
    rows = [lemon_row(A), lemon_row(B, robotic=True, informative=False), lemon_row(C, procedureName="Lap Chole")]
    path = write(tmp_path / "labels.json", json.dumps(rows))
    report = read_sources([path])
    assert report.formats == ((str(path), "lemon"),)
    assert report.videos[0] == Video(
        A, f"https://www.youtube.com/watch?v={A}", "t", ("colectomy",), "laparoscopic", False,
        width=1280, height=720, md5="0" * 32, origin=f"{path}:1", corpus="lemon",
    )  # fmt: skip
    assert [v.domain for v in report.videos] == ["laparoscopic", "robotic", "laparoscopic"]
    assert report.videos[2].procedures == ("cholecystectomy",)
    assert report.uninformative == (B,)
    assert ids(report) == [A, B, C]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (17, "neither an object nor"),
        ({}, "neither an id"),
        (lemon_row(5), "11 characters"),
        (lemon_row(["x"]), "youtube_id must be text"),
        (lemon_row("../../etc/p"), "letters, digits"),
        (lemon_row("$(reboot)xx"), "letters, digits"),
        (lemon_row("short"), "11 characters"),
    ],
)
def test_a_bad_lemon_row_costs_only_itself(tmp_path, row, problem):
    report = read_sources([write(tmp_path / "l.json", json.dumps([lemon_row(B), row, lemon_row(C)]))])
    assert ids(report) == [B, C]
    (bad,) = report.bad_rows
    assert (bad.file, bad.row) == (str(tmp_path / "l.json"), 2)
    assert problem in bad.problem
    assert bad.content


@pytest.mark.parametrize(
    ("row", "note"),
    [
        (lemon_row(title=["x"]), "title"),
        (lemon_row(procedureName=[1]), "list of texts"),
        (lemon_row(robotic="perhaps"), "robotic"),
        (lemon_row(informative=3), "informative"),
        (lemon_row(md5="zz"), "md5"),
        (lemon_row(resolution=[1280]), "resolution"),
        (lemon_row(resolution=["x", 720]), "whole number"),
        (lemon_row(resolution=[-1, 720]), "whole number"),
        (lemon_row(resolution=[float("inf"), 720]), "whole number"),
    ],
)
def test_a_cell_that_only_describes_is_left_empty_and_noted(tmp_path, row, note):
    report = read_sources([write(tmp_path / "l.json", json.dumps([lemon_row(B), row]))])
    assert ids(report) == [B, A] and not report.bad_rows
    (found,) = report.notes
    assert (found.id, found.origin) == (A, f"{tmp_path / 'l.json'}:2")
    assert note in found.text and "left empty" in found.text


def test_gensurgery_lists(tmp_path):
    folder = tmp_path / "lists"
    write(folder / "cholestectomy.txt", f"https://youtu.be/{A}\r\nhttps://youtu.be/{B}?si=x\r\n\r\n\r\n")
    write(folder / "robotic_chole.txt", f"https://www.youtube.com/watch?v={B}")
    write(folder / "unsorted.txt", f"https://youtu.be/{C}\nhttps://youtu.be/short\nhttps://youtu.be/{A}")
    write(folder / "my_new_list.txt", f"https://youtu.be/{A}")
    report = read_sources([folder])
    assert report.formats[0][1] == "gensurgery"
    assert (report.rows_read, report.rows_ignored, len(report.bad_rows), len(report.duplicates)) == (9, 2, 1, 3)
    by_id = {v.id: v for v in report.videos}
    assert by_id[A].procedures == ("cholecystectomy", "my_new_list")
    assert (by_id[B].procedures, by_id[B].robotic, by_id[B].domain) == (("cholecystectomy",), True, "robotic")
    assert by_id[C].procedures == ()
    assert report.unknown_procedures == {"my_new_list": 1}
    assert report.bad_rows[0].row == 2
    single = read_sources([folder / "cholestectomy.txt"])
    assert single.videos[0].procedures == ("cholecystectomy",)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.csv", f"\ufeffYouTube ID,Title,Procedures\r\n{A},\"x, y\",colectomy;hernia\r\n", "csv"),
        ("a.csv", f"youtube_id;title;procedures\n{A};\"x, y\";colectomy|hernia\n", "csv"),
        ("a.tsv", f"url\ttitle\tprocedure\nhttps://youtu.be/{A}\tx, y\tcolectomy|hernia\n", "tsv"),
        ("a.jsonl", json.dumps({"id": A, "title": "x, y", "procedures": ["colectomy", "hernia"]}), "jsonl"),
        ("noending", f"title,id,procedures\n\"x, y\",{A},colectomy;hernia", "csv"),
    ],
)  # fmt: skip
def test_tables_are_recognised(tmp_path, name, text, kind):
    report = read_sources([write(tmp_path / name, text)])
    assert report.formats[0][1] == kind
    assert not report.bad_rows
    (video,) = report.videos
    assert (video.id, video.title, video.procedures) == (A, "x, y", ("colectomy", "hernia_repair"))


def test_bad_rows_of_a_csv_cost_only_themselves(tmp_path):
    lines = [
        b"id,title,robotic,duration",
        f"{A},good,yes,12.5".encode(),
        b"ccccccccccc,caf\xe9,no,1",
        b"ddddddddddd,too few",
        b'eeeeeeeeeee,"never closed,no,1',
        f"{B},good,0,".encode(),
        b"fffffffffff,t,perhaps,1",
        b"ggggggggggg,t,,soon",
        b"../../../x,t,,",
        b",,,",
        b",t,,",
        f"{C},tit\x00le,,nan".encode(),
    ]
    report = read_sources([write(tmp_path / "x.csv", b"\r\n".join(lines))])
    assert ids(report) == [A, "c" * 11, B, "f" * 11, "g" * 11, C]
    assert [v.robotic for v in report.videos] == [True, False, False, None, None, None]
    assert [v.duration for v in report.videos] == [12.5, 1.0, None, 1.0, None, None]
    assert [report.videos[n].title for n in (1, 5)] == ["caf\N{LATIN SMALL LETTER E WITH ACUTE}", "tit le"]
    problems = {bad.row: bad.problem for bad in report.bad_rows}
    assert sorted(problems) == [4, 5, 9, 11]
    assert "2 cells" in problems[4] and "not valid CSV" in problems[5] and "neither" in problems[11]
    assert [note.id for note in report.notes] == ["f" * 11, "g" * 11]
    assert "Windows-1252" in report.remarks[0].text


def test_bad_rows_of_json_lines(tmp_path):
    good = json.dumps({"id": A})
    text = f'{good}\n{{"id": \n\n[1]\n' + "[" * 100_000 + f"\n{json.dumps({'id': 7})}\n{json.dumps({'id': B})}\n"
    report = read_sources([write(tmp_path / "x.jsonl", text)])
    assert ids(report) == [A, B]
    assert [bad.row for bad in report.bad_rows] == [2, 4, 5, 6]
    assert report.rows_ignored == 1


def test_parquet_with_named_columns_and_damaged_text(tmp_path):
    raw = pa.Array.from_buffers(pa.string(), 2, [None, *pa.array([b"ok", b"\xff\xfe"], pa.binary()).buffers()[1:]])
    pq.write_table(pa.table({"youtube_id": [A, B], "title": raw}), tmp_path / "m.parquet")
    report = read_sources([tmp_path / "m.parquet"])
    assert ids(report) == [A]
    assert (report.bad_rows[0].row, report.bad_rows[0].problem) == (2, "bytes that are not UTF-8")


def test_a_column_of_paths(tmp_path):
    table = write(
        tmp_path / "t" / "x.csv", "path,id\nv/a.mp4,\n../b b.mp4,mine\nfile:///etc/passwd,\n\x00,\n/z/a.mov,../x\n"
    )
    report = read_sources([table])
    assert [(v.id, v.source) for v in report.videos] == [
        ("a", str(tmp_path / "t/v/a.mp4")),
        ("mine", str(tmp_path / "b b.mp4")),
    ]
    assert [bad.row for bad in report.bad_rows] == [4, 5, 6]


def test_a_url_column_takes_no_local_files(tmp_path):
    report = read_sources([write(tmp_path / "x.csv", "id,source\nq,/etc/passwd\n")])
    assert not report.videos and len(report.bad_rows) == 1


def test_two_rows_with_one_id_and_different_links(tmp_path):
    report = read_sources(
        [write(tmp_path / "x.csv", "id,url\nq,https://h/1.mp4\nq,https://h/2.mp4\nq,https://h/1.mp4\n")]
    )
    assert ids(report) == ["q"]
    assert "another video" in report.bad_rows[0].problem and report.bad_rows[0].row == 3
    assert len(report.duplicates) == 1


def test_a_folder_of_videos(tmp_path):
    for name in (
        "b.mp4",
        "a.MKV",
        "sub/a.mp4",
        "sub/空.webm",
        "c d.mov",
        ".hidden.mp4",
        "b.json",
        "notes.txt",
        "-x.mp4",
    ):
        write(tmp_path / name, "" if name == "b.mp4" else "[1]")
    report = read_sources([tmp_path])
    assert report.formats[0][1] == "folder"
    names = {Path(v.source).relative_to(tmp_path).as_posix(): v.id for v in report.videos}
    assert list(names) == ["-x.mp4", "a.MKV", "b.mp4", "c d.mov", "sub/a.mp4", "sub/空.webm"]
    assert (names["-x.mp4"], names["a.MKV"], names["b.mp4"]) == ("-x", "a", "b")
    assert len(set(names.values())) == 6
    assert all(v.is_local and Path(v.source).is_absolute() for v in report.videos)
    again = read_sources([tmp_path, tmp_path / "sub"])
    assert ids(again) == ids(report) and len(again.duplicates) == 2


def test_same_names_in_two_folders_stay_two_videos(tmp_path):
    write(tmp_path / "x/a.mp4", "1")
    write(tmp_path / "y/a.mp4", "2")
    report = read_sources([tmp_path / "x", tmp_path / "y"])
    assert len(set(ids(report))) == 2 and ids(report)[0] == "a"
    assert ids(report) == ids(read_sources([tmp_path / "x", tmp_path / "y"]))


def test_a_local_file_named_by_its_youtube_id_is_used_for_the_link(tmp_path):
    write(tmp_path / "v" / f"{A}.mp4", "1")
    labels = write(tmp_path / "l.json", json.dumps([lemon_row(A)]))
    report = read_sources([labels, tmp_path / "v"])
    (video,) = report.videos
    assert video.source == str(tmp_path / "v" / f"{A}.mp4") and video.procedures == ("colectomy",)
    (reverse,) = read_sources([tmp_path / "v", labels]).videos
    assert (reverse.source, reverse.procedures, reverse.domain) == (video.source, video.procedures, video.domain)


def test_a_single_video_and_a_url_as_sources(tmp_path):
    video = write(tmp_path / "one.mp4", "x")
    report = read_sources([video, f"https://youtu.be/{B}"])
    assert ids(report) == ["one", B]


def test_links_on_standard_input(monkeypatch):
    text = f"# mine\nhttps://youtu.be/{A}\n\nhttps://h.example/x.mp4\n{B}\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    report = read_sources(["-"])
    assert report.formats == (("-", "urls"),)
    assert len(report.videos) == 3 and report.rows_ignored == 2
    assert report.videos[2].id == B


def test_ids_that_differ_in_case_are_two_videos(tmp_path):
    report = read_sources([write(tmp_path / "u.txt", f"https://youtu.be/{A}\nhttps://youtu.be/{C}\n")])
    assert ids(report) == [A, C]


def test_rows_of_several_sources_are_merged(tmp_path):
    one = write(tmp_path / "1.json", json.dumps([lemon_row(A, title="first", resolution=None)]))
    two = write(
        tmp_path / "2.csv",
        f"id,title,procedures,robotic,width,height,split,licence\n{A},second,hernia;colectomy,true,640,360,val,cc-by\n",
    )
    report = read_sources([one, two])
    (video,) = report.videos
    assert (video.title, video.procedures, video.robotic) == ("first", ("colectomy", "hernia_repair"), True)
    assert (video.width, video.height, video.split, video.licence, video.domain) == (
        640,
        360,
        "val",
        "cc-by",
        "robotic",
    )
    (duplicate,) = report.duplicates
    assert (duplicate.id, duplicate.kept, duplicate.merged) == (A, f"{one}:1", f"{two}:2")
    assert duplicate.conflicts == ("title: kept 'first', not 'second'", "robotic: kept True, not False")


def test_opt_outs_are_subtracted_and_bad_lines_reported(tmp_path):
    urls = write(
        tmp_path / "u.txt",
        f"https://youtu.be/{A}\nhttps://youtu.be/{B}\nhttps://h.example/x.mp4\nhttps://youtu.be/{C}\n",
    )
    opt_out = write(
        tmp_path / "o.txt",
        f"\ufeff# asked\r\n{B}  # by mail\r\n\r\nhttps://m.youtube.com/watch?v={A}\r\n"
        f"https://H.example/x.mp4\r\n{C} and more\r\n",
    )
    report = read_sources([urls], opt_out=[opt_out])
    assert ids(report) == [C]
    assert {v.id for v in report.opted_out} >= {A, B} and len(report.opted_out) == 3
    assert (report.bad_rows[0].file, report.bad_rows[0].row) == (str(opt_out), 6)
    with pytest.raises(CurateError, match="nowhere"):
        read_sources([urls], opt_out=[tmp_path / "nowhere.txt"])


def test_opt_outs_reach_every_local_copy(tmp_path):
    for name in (f"x/{A}.mp4", f"y/{A}.mp4", f"y/{A}.mov", "y/other.mp4"):
        write(tmp_path / name, "1")
    opt_out = write(tmp_path / "o.txt", A)
    for sources in ([tmp_path / "x", tmp_path / "y"], [tmp_path]):
        report = read_sources(sources, opt_out=[opt_out])
        assert ids(report) == ["other"] and len(report.opted_out) == 3


def test_a_column_of_ids_may_hold_youtube_links_only(tmp_path):
    text = f"youtube_id\nhttps://youtu.be/{A}\nhttps://h.example/x.mp4\nyoutu.be/{B}\n"
    report = read_sources([write(tmp_path / "x.csv", text)])
    assert ids(report) == [A, B]
    assert "not YouTube's" in report.bad_rows[0].problem


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("e.csv", "", "is empty"),
        ("e.json", " \n\n", "is empty"),
        ("e.csv", "id,title\n", "is empty"),
        ("e.json", "[]", "is empty"),
        ("e.txt", "# only\n# comments\n", "is empty"),
        ("o.json", '{\n "name": "x"\n}', "found: 'name'"),
        ("t.json", '[{"youtubeId": "x"},', "not valid JSON"),
        ("d.json", "[" * 200_000, "not usable as JSON"),
        ("c.csv", "name,when\na,b\n", "found: 'name', 'when'"),
        ("h.csv", "id,title,ID\na,b,c\n", "two columns"),
        ("p.parquet", "PAR1 but not really", "Parquet"),
        ("b.bin", b"\x7fELF\x00\x00\x00", "neither a video"),
        ("readme.md", "hello\nworld\n", "--format"),
    ],
)
def test_unusable_manifests_are_named(tmp_path, name, content, problem):
    with pytest.raises(CurateError, match=problem) as caught:
        read_sources([write(tmp_path / name, content)])
    assert name in str(caught.value)


def test_missing_and_wrong_kinds_of_source(tmp_path):
    write(tmp_path / "x.csv", f"id\n{A}\n")
    with pytest.raises(CurateError, match="No such file"):
        read_sources([tmp_path / "none.csv"])
    with pytest.raises(CurateError, match="null byte"):
        read_sources(["a\x00b"])
    with pytest.raises(CurateError, match="neither videos nor"):
        read_sources([tmp_path])
    with pytest.raises(CurateError, match="is a folder"):
        read_sources([tmp_path], format="csv")
    with pytest.raises(CurateError, match="standard input"):
        read_sources(["-"], format="folder")


def test_a_forced_format(tmp_path):
    path = write(tmp_path / "x.txt", f"id\ttitle\n{A}\tt\n")
    assert ids(read_sources([path], format="tsv")) == [A]
    assert len(read_sources([path], format="urls").bad_rows) == 2


TEXT = st.text(max_size=30).map(lambda t: "".join(c for c in t if c.isprintable()).strip())
VIDEOS = st.lists(
    st.builds(
        Video,
        id=st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
        source=st.integers(0, 10**9).map(lambda n: f"https://h.example/{n}.mp4") | st.just("/v/a b.mp4"),
        title=TEXT,
        procedures=st.lists(st.sampled_from(["colectomy", "hernia_repair", "my_own"]), unique=True).map(tuple),
        domain=st.sampled_from([d for d in DOMAINS if d != "unknown"]),
        robotic=st.none() | st.just(False),
        licence=TEXT,
        split=TEXT,
        duration=st.none() | st.floats(0, 1e6),
        width=st.none() | st.integers(1, 4096),
        height=st.none() | st.integers(1, 4096),
        md5=st.just("") | st.just("ab" * 16),
        origin=st.just("x.csv:1"),
        channel=TEXT,
        case=TEXT,
        corpus=TEXT,
        public=st.none() | st.booleans(),
    ),
    min_size=1,
    max_size=4,
    unique_by=(lambda v: v.id, lambda v: v.source),
)


@settings(max_examples=40, deadline=None)
@given(videos=VIDEOS, kind=st.sampled_from(["parquet", "csv", "tsv", "jsonl"]))
def test_a_normalised_manifest_reads_back_as_a_source(tmp_path_factory, videos, kind):
    path = tmp_path_factory.mktemp("m") / f"m.{kind}"
    write_table(videos, path, kind)
    report = read_sources([path])
    assert not report.bad_rows
    assert list(report.videos) == videos


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=300), name=st.sampled_from(["a.csv", "a.json", "a.txt", "a.parquet", "a.jsonl"]))
def test_any_bytes_give_a_report_or_a_clear_error(tmp_path_factory, content, name):
    path = write(tmp_path_factory.mktemp("f") / name, content)
    try:
        report = read_sources([path])
    except CurateError as error:
        assert name in str(error)
    else:
        assert (
            report.rows_read == len(report.videos) + len(report.bad_rows) + len(report.duplicates) + report.rows_ignored
        )


def test_manifest_parquet_is_deterministic_and_checked(tmp_path):
    videos = [Video(B, "https://h/x.mp4", procedures=("colectomy",), robotic=True, width=5), Video("a", "/x.mp4")]
    write_manifest(videos, tmp_path / "1.parquet")
    write_manifest(videos, tmp_path / "2.parquet")
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()
    assert read_manifest(tmp_path / "1.parquet") == videos
    assert pq.read_schema(tmp_path / "1.parquet").equals(manifest_schema())
    damaged = bytearray((tmp_path / "1.parquet").read_bytes())
    damaged[len(damaged) // 2 :] = b""
    write(tmp_path / "bad.parquet", bytes(damaged))
    pq.write_table(pa.table({"id": ["../x"]}), tmp_path / "columns.parquet")
    hostile = pa.Table.from_pylist([{"id": "../x", "source": "s", "domain": "open"}], schema=manifest_schema())
    pq.write_table(hostile, tmp_path / "hostile.parquet")
    for name in ("bad", "columns", "hostile", "missing"):
        with pytest.raises(CurateError, match=name):
            read_manifest(tmp_path / f"{name}.parquet")
