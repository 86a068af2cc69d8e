"""Lists as people, spreadsheets, pandas and yt-dlp write them."""

import io
import json
import subprocess
import sys

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import CurateError
from curate.manifests import parquet_lists, read_sources
from curate.manifests.cells import CellError, as_duration, as_flag, as_resolution, says_nothing

A, B = "dQw4w9WgXcQ", "aaaaaaaaaa1"
FRAME = pd.DataFrame({"youtube_id": [A, B], "title": ["x", "y"], "duration": [754, None]})


def listed(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_sources([path])


def ids(report):
    return [video.id for video in report.videos]


JSON_SHAPES = {
    "ids": [A, B],
    "links": [f"https://youtu.be/{A}", f"https://youtu.be/{B}"],
    "one column": [[A], [B]],
    "named columns": [["youtube_id", "title"], [A, "x"], [B, "y"]],
    "by id": {A: {"title": "x"}, B: {"title": "y"}},
    "by id, titles": {A: "x", B: "y"},
    "by id, segments": {A: [{"start": 1}], B: [{"start": 2}]},
    "ActivityNet": {"version": 1, "database": {A: {"subset": "training"}, B: {"subset": "validation"}}},
    "by number": {"0": {"youtube_id": A}, "1": {"youtube_id": B}},
    "columns": {"youtube_id": [A, B], "title": ["x", "y"]},
    "videos": {"created": "2024", "videos": [{"id": A}, {"id": B}]},
    "videos, ids": {"name": "mine", "url": "https://h.example/", "videos": [A, B]},
    "splits": {"train": [{"url": f"https://youtu.be/{A}"}], "val": [B]},
    "playlist": {
        "_type": "playlist", "id": "PL1", "title": "t", "webpage_url": "https://www.youtube.com/playlist?list=PL1",
        "entries": [
            {"_type": "url", "ie_key": "Youtube", "id": A, "url": f"https://www.youtube.com/watch?v={A}"},
            {"_type": "url", "ie_key": "Youtube", "id": B, "url": f"https://www.youtube.com/watch?v={B}"},
        ],
    },
    "channel": {"_type": "playlist", "id": "UC1", "entries": [{"id": "UC2", "entries": [{"id": A}, {"id": B}]}]},
    "api": {"kind": "youtube#searchListResponse", "items": [
        {"id": {"kind": "youtube#video", "videoId": A}, "snippet": {"title": "x", "thumbnails": {"a": {"url": "u"}}}},
        {"id": {"kind": "youtube#video", "videoId": B}, "snippet": {"title": "y"}},
    ]},
    "takeout": [{"title": "Watched x", "titleUrl": f"https://www.youtube.com/watch?v={v}"} for v in (A, B)],
}  # fmt: skip


@pytest.mark.parametrize("shape", JSON_SHAPES)
@pytest.mark.parametrize("indent", [None, 1])
def test_json_as_people_write_it(tmp_path, shape, indent):
    report = listed(tmp_path, "l.json", json.dumps(JSON_SHAPES[shape], indent=indent))
    assert ids(report) == [A, B] and not report.bad_rows


def test_splits_that_json_is_sorted_by(tmp_path):
    report = listed(tmp_path, "l.json", json.dumps(JSON_SHAPES["splits"]))
    assert [v.split for v in report.videos] == ["train", "val"]


@pytest.mark.parametrize("orient", ["records", "split", "index", "columns", "table"])
def test_what_pandas_writes(tmp_path, orient):
    report = listed(tmp_path, "p.json", FRAME.to_json(orient=orient))
    assert ids(report) == [A, B] and not report.bad_rows
    assert [(v.title, v.duration) for v in report.videos] == [("x", 754.0), ("y", None)]


def test_json_lines_of_any_kind(tmp_path):
    lines = FRAME.to_json(orient="records", lines=True) + '"cccccccccc3"\n{"entries": [{"id": "dddddddddd4"}]}\n'
    report = listed(tmp_path, "p.jsonl", lines)
    assert ids(report) == [A, B, "cccccccccc3", "dddddddddd4"]


def test_a_metadata_line_is_known_by_its_page_and_not_by_an_address_that_expires(tmp_path):
    info = {
        "id": "76979871", "title": "t", "formats": [{"url": "https://cdn.example/1.mp4?token=x", "format_id": "1"}],
        "thumbnails": [{"url": "https://i.example/t.jpg", "width": 1, "height": 1}], "duration": 62, "width": 1280,
        "webpage_url": "https://vimeo.example/76979871", "url": "https://cdn.example/1.mp4?token=x", "ext": "mp4",
        "extractor": "vimeo", "extractor_key": "Vimeo", "protocol": "https", "height": 720, "resolution": "1280x720",
        "license": "by", "http_headers": {"User-Agent": "x"},
    }  # fmt: skip
    youtube = {**info, "id": A, "webpage_url": None, "extractor_key": "Youtube", "url": "https://r1.googlevideo.com/x"}
    del youtube["webpage_url"]
    for name, text in (("i.info.json", json.dumps(info)), ("i.jsonl", json.dumps(info))):
        (video,) = listed(tmp_path, name, text).videos
        assert video.source == "https://vimeo.example/76979871"
        assert (video.duration, video.width, video.height, video.licence) == (62.0, 1280, 720, "by")
    report = listed(tmp_path, "y.json", json.dumps(youtube))
    assert [v.source for v in report.videos] == [f"https://www.youtube.com/watch?v={A}"]


def test_rows_of_json_that_name_no_video_are_in_the_report(tmp_path):
    report = listed(tmp_path, "l.json", json.dumps([{"id": A}, {"title": "x"}, 5, None, ["a", "b"], "not one"]))
    assert ids(report) == [A]
    assert [bad.row for bad in report.bad_rows] == [2, 3, 4, 5, 6]
    report = listed(tmp_path, "m.json", json.dumps({"0": {"id": A}, "1": {"title": "x"}}))
    assert ids(report) == [A] and len(report.bad_rows) == 1


CSV_SHAPES = {
    "sep": f"sep=;\nyoutube_id;title\n{A};a\n{B};b\n",
    "quoted sep": f'"sep=;"\r\nyoutube_id;title\r\n{A};a\r\n{B};b\r\n',
    "odd sep": f"sep=^\nyoutube_id^title\n{A}^a\n{B}^b\n",
    "pipes": f"youtube_id|title\n{A}|a, b\n{B}|b\n",
    "semicolons with commas in the names": f'youtube_id;"title, short"\n{A};a\n{B};b\n',
    "quoted names": f'"youtube_id";"title"\n"{A}";"a;b"\n"{B}";"b"\n',
    "bom and quotes": f'\ufeff"Video ID","Title"\n"{A}","a"\n"{B}","b"\n',
    "title above": f"My surgery videos,,\n,,\nyoutube_id,title,date\n{A},x,1\n{B},y,2\n",
    "blank above": f"\nyoutube_id,title\n{A},x\n{B},y\n",
    "comment above": f"# exported by the lab\nyoutube_id,title\n{A},x\n{B},y\n",
    "commented names": f'# Segments\n# YTID, start, end, labels\n{A}, 0.0, 10.0, "/m/1,/t/2"\n{B}, 0.0, 1.0, "/m/1"\n',
    "takeout": f"Playlist Id,Title,Visibility\nPL1,Surgery,Private\n\nVideo Id,Time Added\n{A},2020\n{B},2021\n",
    "new takeout": f"Video ID,Playlist Video Creation Timestamp\n{A},2020-11-16T23:31:08+00:00\n{B},2021\n",
    "camel case": f"videoId,videoTitle\n{A},x\n{B},y\n",
    "trailing separators": f"youtube_id,title,,\n{A},x,,\n{B},y,,\n",
    "old Mac line ends": f"youtube_id,title\r{A},x\r{B},y\r",
    "a link in a column called video": f"video,label\nhttps://youtu.be/{A},1\nhttps://youtu.be/{B},0\n",
    "ids in a column called video": f"label,video\n1,{A}\n0,{B}\n",
    "commented out": f"youtube_id,title\n{A},x\n#cccccccccc3,z\n{B},y\n",
    "lines in a cell": f'youtube_id,title\n{A},"one\ntwo\n\nthree"\n{B},y\n',
    "quotes that are letters": f'youtube_id\ttitle\n{A}\t"Lap" chole\n{B}\t5" port\n',
}


@pytest.mark.parametrize("shape", CSV_SHAPES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_tables_as_spreadsheets_and_people_write_them(tmp_path, shape, encoding):
    report = listed(tmp_path, "t.csv", CSV_SHAPES[shape].encode(encoding))
    assert ids(report) == [A, B] and not report.bad_rows


def test_windows_1252_is_read_and_told(tmp_path):
    report = listed(
        tmp_path, "t.csv", f"youtube_id;title\n{A};Gallenblase sch\u00f6n\n{B};\u00dcbung \u2013 1\n".encode("cp1252")
    )
    assert [v.title for v in report.videos] == ["Gallenblase sch\u00f6n", "\u00dcbung \u2013 1"]
    assert "2 lines" in report.remarks[0].text


def test_cells_of_any_size(tmp_path):
    report = listed(tmp_path, "t.csv", f'youtube_id,notes,title\n{A},"{"long " * 200_000}",x\n{B},,{"y" * 300_000}\n')
    assert ids(report) == [A, B] and len(report.videos[1].title) == 1000


def test_an_unclosed_quote_costs_its_row_and_no_other(tmp_path):
    rows = "".join(f"{n:011d},t\n" for n in range(3000))
    report = listed(tmp_path, "t.csv", f'youtube_id,title\n{A},"never closed\n{rows}{B},"x" y\n')
    assert len(report.videos) == 3000
    assert [bad.row for bad in report.bad_rows] == [2, 3003]


def test_a_table_without_names_says_where_they_were_looked_for_and_all_that_would_do(tmp_path):
    with pytest.raises(CurateError) as caught:
        listed(tmp_path, "t.csv", "\nname,when\na,b\n")
    text = str(caught.value)
    assert "t.csv:2" in text and "'name', 'when'" in text
    for name in ("youtube_id", "webpage_url", "file_name", "video_id", "source"):
        assert name in text


def test_words_for_nothing_are_empty_in_every_column(tmp_path):
    text = "path,id,title,procedure,licence,split,duration,robotic\n" + "".join(
        f"op{n}.mp4,{','.join([word] * 7)}\n"
        for n, word in enumerate(["nan", "None", "NULL", "N/A", "-", "<NA>", "#N/A"])
    )
    report = listed(tmp_path, "t.csv", text)
    assert ids(report) == [f"op{n}" for n in range(7)] and not report.notes
    for video in report.videos:
        assert (video.title, video.procedures, video.licence, video.split) == ("", (), "", "")
        assert (video.duration, video.robotic) == (None, None)
    assert says_nothing(float("nan")) and not says_nothing("nano") and not says_nothing(0)


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        ("00:12:34", 754), ("12:34", 754), ("0:12:34.50", 754.5), ("PT12M34S", 754), ("P0DT0H12M34.0S", 754),
        ("12m34s", 754), ("12 min 34 s", 754), ("12 minutes, 34 seconds", 754), ("754", 754), ("754.0", 754),
        ("754,5", 754.5), ("754 s", 754), ("754sec", 754), ("1h2m3s", 3723), ("1 hr 2 min", 3720), ("2 hours", 7200),
        ("12'34\"", 754), ("12\u203234\u2033", 754), ("0 days 00:12:34", 754), ("1 day, 0:00:01", 86401), ("1e3", 1000),
        ("12 Minuten 34 Sekunden", 754), (754, 754), (754.0, 754), ("~ 12:34", 754), ("unknown", None),
    ],
)  # fmt: skip
def test_durations_in_every_common_notation(cell, seconds):
    assert as_duration(cell) == seconds


@pytest.mark.parametrize(
    "cell", ["soon", "-5", "12:99", "1,234", "9" * 6000, "1e999", True, [1], "PT", "5 apples", "3 s 2 h"]
)
def test_what_is_no_duration(cell):
    with pytest.raises(CellError):
        as_duration(cell)


@pytest.mark.parametrize(
    ("cell", "size"),
    [
        ("1280x720", (1280, 720)), ("1280 \u00d7 720", (1280, 720)), ("1280*720", (1280, 720)),
        ("[1280, 720]", (1280, 720)),
        ([1280.0, 720], (1280, 720)), ("(1280, 720)", (1280, 720)), ("720p", (None, 720)), ("1080p60", (None, 1080)),
        ("576i", (None, 576)), ("HD", (None, 720)), ("Full HD", (None, 1080)), ("4K", (None, 2160)), (720, (None, 720)),
        ("720", (None, 720)), ("1280x720 px", (1280, 720)),
    ],
)  # fmt: skip
def test_resolutions(cell, size):
    assert as_resolution(cell) == size


@pytest.mark.parametrize(
    "cell", ["ja", "Oui", "s\u00ed", "WAHR", "VRAI", "\u0434\u0430", "\u306f\u3044", "\u662f", "x", 1, 1.0, "1.0", True]
)
def test_yes_in_languages(cell):
    assert as_flag(cell) is True


@pytest.mark.parametrize(
    "cell", ["nein", "Non", "FALSCH", "FAUX", "\u043d\u0435\u0442", "\u3044\u3044\u3048", "\u5426", 0, "0.0", False]
)
def test_no_in_languages(cell):
    assert as_flag(cell) is False


def test_a_cell_that_only_describes_never_costs_the_video(tmp_path):
    text = (
        "youtube_id,duration,resolution,robotic,domain,md5,split\n"
        f"{A},soon,big,perhaps,moon,zz,train\n{B},00:12:34,720p,ja,open,,val\n"
    )
    report = listed(tmp_path, "t.csv", text)
    first, second = report.videos
    assert not report.bad_rows and len(report.notes) == 1
    assert (first.duration, first.height, first.robotic, first.domain, first.md5) == (None, None, None, "unknown", "")
    assert all(word in report.notes[0].text for word in ("duration", "resolution", "robotic", "domain", "md5"))
    assert (second.duration, second.height, second.robotic) == (754.0, 720, True)


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        ("file_name,label", "case1.mp4,chole"), ("video_path,y", "case1.mp4,1"), ("filepath", "case1.mp4"),
        ("File Name", "case1.mp4"), ("video", "case1.mp4"), ("video_file,fps", "case1.mp4,25"),
    ],
)  # fmt: skip
def test_columns_that_others_use(tmp_path, columns, row):
    (video,) = listed(tmp_path, "metadata.csv", f"{columns}\n{row}\n").videos
    assert video.source == str(tmp_path / "case1.mp4")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PK\x03\x04" + b"\0" * 26 + b"[Content_Types].xml", "Excel workbook: save it as 'CSV UTF-8'"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500, "save it as 'CSV UTF-8'"),
        (b"\x1f\x8b\x08" + b"\0" * 500, "unpack it first"),
        (b"%PDF-1.7\n", "PDF"),
        (b"<!DOCTYPE html><html>", "web page"),
    ],
)
def test_what_is_no_list_is_named_with_what_to_do(tmp_path, content, what):
    for name in ("l.xlsx", "l.csv"):
        with pytest.raises(CurateError, match=what):
            listed(tmp_path, name, content)


def test_passwords_and_signatures_do_not_reach_messages(tmp_path):
    text = "https://me:s3cret@h.example/x.mp4\nftp://h.example/y?X-Amz-Signature=s3cret&a=1\n"
    report = listed(tmp_path, "l.txt", text)
    assert len(report.bad_rows) == 2
    assert "s3cret" not in "".join(map(str, report.bad_rows)) and "h.example/x.mp4" in report.bad_rows[0].content


def test_names_with_escape_sequences_do_not_reach_a_terminal(tmp_path):
    name = "a\x1b]0;x\x07\u202egpj.csv"
    report = listed(tmp_path, name, f"youtube_id\n{A}\nshort\n".encode("latin-1"))
    assert str(report.bad_rows[0]).isprintable()


HOSTILE = """
import resource, sys
import pyarrow.parquet
from curate.errors import CurateError
from curate.manifests import read_sources
resource.setrlimit(resource.RLIMIT_DATA, (1_500_000_000, 1_500_000_000))
try:
    report = read_sources([sys.argv[1]])
    print(len(report.videos), len(report.bad_rows))
except CurateError as error:
    print("error:", error)
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def hostile(path):
    done = subprocess.run([sys.executable, "-c", HOSTILE, path], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    said, memory = done.stdout.splitlines()
    return said, int(memory) >> 10


@pytest.mark.slow
def test_a_parquet_list_that_unfolds_without_end(tmp_path):
    rows = 22_000
    text = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * 1_000_000]))
    ids = pa.array([f"{n:010d}a" for n in range(rows)])
    pq.write_table(pa.table({"youtube_id": ids, "title": text}), tmp_path / "title.parquet", store_schema=False)
    pq.write_table(pa.table({"youtube_id": text}), tmp_path / "id.parquet", store_schema=False)
    names = pa.ListArray.from_arrays(pa.array(range(rows + 1), pa.int32()), text)
    pq.write_table(pa.table({"id": ids, "procedures": names}), tmp_path / "list.parquet", store_schema=False)
    said, memory = hostile(tmp_path / "title.parquet")
    assert said == f"{rows} 0" and memory < 600
    said, memory = hostile(tmp_path / "id.parquet")
    assert said == f"0 {rows}" and memory < 600
    said, memory = hostile(tmp_path / "list.parquet")
    assert said == f"{rows} 0" and memory < 800


@pytest.mark.parametrize("limit", ["UNFOLDED_LIMIT", "VALUES_LIMIT"])
def test_a_parquet_list_that_says_it_is_too_large(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(parquet_lists, limit, 1000)
    pq.write_table(pa.table({"youtube_id": [f"{n:011d}" for n in range(2000)]}), tmp_path / "p.parquet")
    with pytest.raises(CurateError, match="unfold to"):
        read_sources([tmp_path / "p.parquet"])


def endless(path, megabytes):
    start = {
        "l.csv": f"youtube_id\n{A}\n",
        "l.txt": f"{A}\n",
        "l.jsonl": f'{{"id": "{A}"}}\n{{"id": "',
        "l.json": '["',
    }
    with path.open("wb") as stream:
        stream.write(start[path.name].encode())
        for _ in range(megabytes):
            stream.write(b"x" * 1_000_000)


@pytest.mark.parametrize("name", ["l.txt", "l.csv", "l.jsonl"])
def test_an_endless_line_costs_itself(tmp_path, name):
    endless(tmp_path / name, 40)
    (bad,) = read_sources([tmp_path / name]).bad_rows
    assert "a line of more than 16 MiB" in bad.problem and len(bad.content) <= 200


@pytest.mark.slow
@pytest.mark.parametrize("name", ["l.csv", "l.json"])
def test_a_line_of_500_megabytes_in_flat_memory(tmp_path, name):
    endless(tmp_path / name, 500)
    said, memory = hostile(tmp_path / name)
    assert said.startswith({"l.csv": "1 1", "l.json": "error:"}[name]) and memory < 400
    (tmp_path / name).unlink()


def test_numbers_of_6000_digits_and_json_without_end(tmp_path):
    number = "9" * 6000
    report = listed(
        tmp_path, "n.json", f'[{{"id": {number}}}, {{"youtube_id": "{A}", "duration": {number}, "width": {number}}}]'
    )
    assert ids(report) == [A] and len(report.bad_rows) == 1 and len(report.notes) == 1
    report = listed(
        tmp_path, "n.csv", f"youtube_id,duration,width,resolution\n{A},{number},{number},{number}x{number}\n"
    )
    assert ids(report) == [A] and len(report.notes) == 1
    for text in ("[" * 1_000_000, '{"a":' * 1_000_000, '{"videos":' * 50_000 + "[]" + "}" * 50_000):
        with pytest.raises(CurateError, match=r"nested too deeply|not valid JSON"):
            listed(tmp_path, "d.json", text)
    deep = "[" * 500 + "]" * 500
    report = listed(tmp_path, "deep.json", f'[{deep}, "{A}"]')
    assert ids(report) == [A] and len(report.bad_rows) == 1


def test_a_pipe_is_read_like_a_file(tmp_path):
    command = (
        f"{sys.executable} -c 'from curate.cli import main; main()' manifest stats <(printf 'youtube_id\\n{A}\\n')"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert "videos                                           1" in done.stdout


def test_standard_input_may_be_any_list(monkeypatch):
    text = json.dumps([{"youtube_id": A}])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert ids(read_sources(["-"])) == [A]
