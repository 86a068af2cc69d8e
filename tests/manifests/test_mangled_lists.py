"""Lists that were mangled at random, against the list they came from: nothing is lost without a row in the report."""

from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import CurateError
from curate.manifests import read_sources

MANGLINGS = ("blank", "junk", "cut", "quote", "twice", "spaces", "more cells", "bytes", "comment", "nothing")


def mangled(line: bytes, how: str, separator: bytes) -> bytes:
    match how:
        case "blank":
            return b"\n" + line
        case "junk":
            return b"\x00\xff{]" + separator + b"\n" + line
        case "cut":
            return line[: len(line) // 2]
        case "quote":
            return line.replace(separator, separator + b'"', 1)
        case "twice":
            return line + b"\n" + line
        case "spaces":
            return b"  " + line.replace(separator, separator + b" ")
        case "more cells":
            return line + separator + b"x"
        case "bytes":
            return line + b"\x81\xe9"
        case "comment":
            return b"# said by the lab\n" + line
    return line


@settings(max_examples=150, deadline=None)
@given(
    hows=st.lists(st.sampled_from(MANGLINGS), min_size=1, max_size=12),
    separator=st.sampled_from([b",", b";", b"\t"]),
    end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    above=st.sampled_from([b"", b"\n", b"A title\n", b"# a comment\n", b"\xef\xbb\xbf"]),
)
def test_every_row_of_a_mangled_table_is_a_video_or_in_the_report(tmp_path_factory, hows, separator, end, above):
    ids = [f"aaaaaaa{n:03d}Z" for n in range(len(hows))]
    rows = [
        mangled(separator.join((i.encode(), b"t", b"12:34")), how, separator) for i, how in zip(ids, hows, strict=True)
    ]
    text = above + separator.join((b"youtube_id", b"title", b"duration")) + b"\n" + b"\n".join(rows) + b"\n"
    path = tmp_path_factory.mktemp("m") / "l.csv"
    path.write_bytes(text.replace(b"\n", end))
    try:
        report = read_sources([path])
    except CurateError as error:
        assert set(hows) <= {"cut", "junk"} and "l.csv" in str(error)
        return
    told = " ".join(f"{bad.row} {bad.content}" for bad in report.bad_rows)
    found = {video.id for video in report.videos}
    for number, (video_id, how) in enumerate(zip(ids, hows, strict=True)):
        assert video_id in found or video_id[:7] in told, (number, how)
        assert how in ("cut", "quote", "more cells", "bytes") or video_id in found, how
    assert report.rows_read == len(report.videos) + len(report.bad_rows) + len(report.duplicates) + report.rows_ignored
