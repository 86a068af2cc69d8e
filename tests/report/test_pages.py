"""The report as pages: what it shows, what it hides, and what it does not do twice."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from curate.cli import run_command
from curate.errors import CurateError
from curate.records import Video
from curate.report.pages.options import ReportOptions
from curate.report.pages.write import Written, write_pages
from curate.run.session import open_session, store_manifest
from curate.workspace.events import Event
from curate.workspace.ledger import LedgerWriter
from curate.workspace.tables.duplicates import Match, write_matches
from curate.workspace.tables.verdicts import write_verdicts
from curate.workspace.tree import Workspace
from tests.exports.making import tree_bytes
from tests.report.making import FACE, P, make_workspace

HOSTILE = "</script><script>document.title='taken'</script> \u202egpj.exe \x1b[31mred\x07 <img src=x onerror=alert(1)>"
HEBREW = "\u05e0\u05d9\u05ea\u05d5\u05d7"
"""A title that is written from right to left."""


def video(name: str, **fields: object) -> Video:
    return Video(name, f"https://www.youtube.com/watch?v={name}", **fields)  # type: ignore[arg-type]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    videos = [
        video("one", title=HOSTILE, procedures=("<i>cut</i>", "\u2066sneaky"), licence="CC BY <b>", channel="a\u202eb"),
        video("two", title=HEBREW, procedures=("cholecystectomy",), corpus="lemon", public=True),
        video("three", title="gone"),
    ]
    return make_workspace(tmp_path / "w", videos, failed=["three"])


def write(workspace: Path, **options: bool) -> Written:
    return write_pages(open_session(workspace), ReportOptions(**options))


def page_data(workspace: Path, name: str) -> dict:
    text = (workspace / "report" / "videos" / name / "index.html").read_text()
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def listed(workspace: Path) -> list[dict]:
    text = (workspace / "report" / "data" / "videos.js").read_text()
    data = json.loads(text.removeprefix("window.curateVideos = ").removesuffix(";\n"))
    return [dict(zip(data["columns"], row, strict=True)) for row in data["rows"]]


def test_a_page_tells_each_second_and_why(workspace: Path) -> None:
    write(workspace)
    data = page_data(workspace, "one")
    line = data["timeline"]
    assert line["p"] == [round(1000 * p) for p in P] and line["kept"] == [6, len(P) - 6] and 6 in line["shots"]
    assert line["verdict"] == "n" * 6 + "s" * 17 + "u" + "s" * 6 + "n" * 6
    assert [row for row, _, boxes in line["masks"] if boxes == 2] == list(range(8, 14))
    assert line["masks"][0][1] == pytest.approx(1000 * (80 * 20 + 20 * 20) / (320 * 180), abs=8)
    shown = {picture["n"]: picture for picture in data["pictures"]}
    assert shown[14]["flipped"] and "flipped" in shown[14]["whys"] and shown[14]["smoothed"] > 0.5 > shown[14]["p"]
    assert shown[23]["whys"].count("uncertain") == 1 and shown[23]["reason"] == "probability between 0.45 and 0.60"
    assert shown[0]["reason"] == "before the first run of surgery" and not shown[0]["kept"]
    assert {why for picture in shown.values() for why in picture["whys"]} == {
        *("kept", "dropped", "uncertain", "least sure", "flipped", "masked", "finding")
    }
    runs = [(run["start"], run["frames"], run["verdict"]) for run in data["runs"]]
    assert runs[:3] == [(0.0, 6, "non-surgical"), (6.0, 17, "surgical"), (23.0, 1, "uncertain")]


def test_the_overview_counts(workspace: Path) -> None:
    written = write(workspace)
    text = written.index.read_text()
    assert "<b>3</b><span>videos, 2 complete</span>" in text
    assert f"<b>{2 * (len(P) - 12)}</b><span>frames kept of {2 * len(P)}</span>" in text
    assert (
        re.search(r"private</a></td><td class=\"num\">1</td>", text)
        and "Source corpora" in text
        and "threshold 0.5" in text
    )
    rows = {row["id"]: row for row in listed(workspace)}
    assert rows["one"]["flipped"] == 1 and rows["one"]["found"] == len(P) - 12 and rows["three"]["reason"] == "private"
    worst = (workspace / "report" / "worst.html").read_text()
    assert 'href="videos/two/index.html#n14"' in worst and "Nobody looked for them" in worst


def test_texts_of_strangers_are_text(workspace: Path) -> None:
    write(workspace)
    pages = [path for path in (workspace / "report").rglob("*") if path.suffix in (".html", ".js")]
    assert len(pages) == 7
    for path in pages:
        text = path.read_text()
        assert "<script>document" not in text and "<img src=x" not in text and "<i>cut" not in text, path
        assert not set("\u202e\u2066\x1b\x07") & set(text), path
    page = (workspace / "report" / "videos" / "one" / "index.html").read_text()
    assert (
        "<h1><bdi>&lt;/script&gt;&lt;script&gt;document.title=" in page and "\N{REPLACEMENT CHARACTER}gpj.exe" in page
    )
    assert f"<bdi>{HEBREW}</bdi>" in (workspace / "report" / "videos" / "two" / "index.html").read_text()
    assert "private &lt;b&gt;video&lt;/b&gt;" in (workspace / "report" / "videos" / "three" / "index.html").read_text()


def contrast(path: Path) -> float:
    """How much the pixels at `FACE` differ from one another."""
    x1, y1, x2, y2 = FACE
    return float(simplejpeg.decode_jpeg(path.read_bytes())[y1:y2, x1:x2].std())


def test_findings_are_unrecognisable_unless_asked_for(workspace: Path) -> None:
    write(workspace)
    one = workspace / "report" / "videos" / "one"
    assert contrast(one / "000014.jpg") < 30
    assert contrast(one / "000000.jpg") < 30, "no audit looks at what is cut away"
    assert "seconds that it did not look at are coarse" in (one / "index.html").read_text()
    assert {p["n"] for p in page_data(workspace, "one")["pictures"] if p["audited"]} <= set(range(6, len(P) - 6))
    write(workspace, show_findings=True)
    assert contrast(one / "000014.jpg") > 100 and contrast(one / "000000.jpg") > 100
    assert "Nothing is hidden in these pictures" in (one / "index.html").read_text()
    write(workspace)
    assert contrast(one / "000014.jpg") < 30


def test_findings_stay_hidden_while_the_audit_is_to_be_done_again(workspace: Path) -> None:
    text = (workspace / "curate.toml").read_text()
    (workspace / "curate.toml").write_text(text.replace("face_threshold = 0.4", "face_threshold = 0.3"))
    write(workspace)
    assert page_data(workspace, "one")["state"] == "pending"
    assert contrast(workspace / "report" / "videos" / "one" / "000014.jpg") < 30


def test_a_report_without_pictures_has_none(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(workspace)
    assert list((workspace / "report").rglob("*.jpg"))
    assert run_command(["report", "-w", str(workspace), "--no-pictures"]) == 0
    assert "3 of 3 pages of videos were written" in capsys.readouterr().out
    assert not list((workspace / "report").rglob("*.jpg"))
    page = (workspace / "report" / "videos" / "one" / "index.html").read_text()
    assert "<img" not in page and 'class="mask"' in page and 'aria-label="Second 0:00:14, surgical; no picture"' in page


def test_only_what_changed_is_written(workspace: Path) -> None:
    assert write(workspace).written == 3
    before = tree_bytes(workspace / "report")
    times = {path: path.stat().st_mtime_ns for path in (workspace / "report").rglob("*") if path.is_file()}
    assert write(workspace).written == 0
    assert tree_bytes(workspace / "report") == before
    assert times == {path: path.stat().st_mtime_ns for path in times}
    session = open_session(workspace)
    status = list(session.pipeline.statuses(session.pipeline.videos[1]))[-1]
    writer = LedgerWriter(session.workspace.ledger_folder)
    again = Event(
        time.time(), "two", "audit", "done", status.fingerprint, artefact="two.parquet", attempt=2, seconds=99
    )
    writer.append(again)
    writer.close()
    assert write(workspace).written == 1
    after = tree_bytes(workspace / "report")
    changed = {name for name in after if before.get(name) != after[name]}
    assert changed == {"index.html", "videos/two/index.html", "videos/two/summary.json"}


def test_a_page_left_half_written_is_written_anew(workspace: Path) -> None:
    write(workspace)
    whole = tree_bytes(workspace / "report")
    one = workspace / "report" / "videos" / "one"
    (one / "summary.json").unlink()
    (one / "000014.jpg").unlink()
    (one / "left.jpg").write_bytes(b"half")
    assert write(workspace).written == 1 and tree_bytes(workspace / "report") == whole


def test_purged_and_opted_out_videos_are_not_shown(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(workspace)
    assert run_command(["purge", "-w", str(workspace), "--id", "one", "--yes"]) == 0
    assert "its lists were written anew" in capsys.readouterr().out
    assert not (workspace / "report" / "videos" / "one").exists()
    assert [row["id"] for row in listed(workspace)] == ["two", "three"]
    index = (workspace / "report" / "index.html").read_text()
    assert "<b>2</b><span>videos, 1 complete</span>" in index and "sneaky" not in index
    worst = (workspace / "report" / "worst.html").read_text()
    assert "videos/two/" in worst and "videos/one/" not in worst
    (workspace / "opt_out.txt").write_text("two\n")
    assert write(workspace).removed == 1
    assert [path.name for path in (workspace / "report" / "videos").iterdir()] == ["three"]
    for name, data in tree_bytes(workspace / "report").items():
        assert HEBREW.encode() not in data and b"cholecystectomy" not in data, name
    assert [row["id"] for row in listed(workspace)] == ["three"]


def test_pages_that_name_a_purged_video_come_again(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = [*open_session(workspace).pipeline.videos, video("longer", title="as in video-one, but longer")]
    store_manifest(Workspace.open(workspace), more)
    purged = ["purge", "-w", str(workspace), "--id", "video-one", "--yes"]
    write(workspace)
    run_command(purged)
    assert "pages of 1 other videos named them" in capsys.readouterr().out
    assert [row["id"] for row in listed(workspace)] == ["one", "two", "three"]
    assert write(workspace).written == 1 and [row["id"] for row in listed(workspace)][-1] == "longer"


def test_a_report_and_a_purge_exclude_one_another_and_runs_go_on(workspace: Path) -> None:
    root = Workspace.open(workspace)
    with root.reporting():
        for command in (["report"], ["purge", "--id", "one", "--yes"]):
            assert run_command([*command, "-w", str(workspace)]) == 1
    with root.lock():
        assert write(workspace).written == 3
    late = open_session(workspace)
    assert run_command(["purge", "-w", str(workspace), "--id", "one", "--yes"]) == 0
    with pytest.raises(CurateError, match="one was purged in the meantime"):
        write_pages(late)
    assert not (workspace / "report" / "videos" / "one").exists()


def test_a_video_that_a_run_got_on_with_is_no_problem(workspace: Path) -> None:
    session = open_session(workspace)
    session.pipeline.refresh()
    stage = session.pipeline.specs["audit"].stage.folder
    (workspace / stage / "one.parquet").write_bytes(b"a")
    status = list(session.pipeline.statuses(session.pipeline.videos[1]))[-1]
    event = Event(time.time(), "one", "audit", "done", status.fingerprint, artefact="one.parquet", attempt=2)

    def meanwhile(_: int) -> None:
        if writer is not None:
            writer.append(event)

    writer = None
    assert [video for video, _ in write_pages(session, progress=meanwhile).problems] == ["one"]
    writer = LedgerWriter(session.workspace.ledger_folder)
    assert write_pages(open_session(workspace), progress=meanwhile).problems == ()
    writer.close()


def test_tables_that_nobody_foresaw_cost_their_page_alone(workspace: Path) -> None:
    count = len(P)
    n, seconds, p = np.arange(count, dtype=np.int32), np.arange(float(count)), np.full(count, np.nan, np.float32)
    said = {"threshold": "0.5", "uncertain_low": "0.4", "uncertain_high": "0.6"}
    words = np.full(count, "uncertain")
    write_verdicts(workspace / "verdicts" / "one.parquet", n, seconds, p, words, n >= 0, np.full(count, ""), said)
    written = write(workspace)
    assert written.written == 3 and [name for name, _ in written.problems] == ["one"]
    assert "its page could not be made (error: " in page_data(workspace, "one")["problem"]
    assert page_data(workspace, "two")["timeline"]["kept"] == [6, len(P) - 6]


def test_a_table_that_cannot_be_read_costs_its_page_alone(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "scores" / "one.parquet").write_bytes(b"no table")
    assert run_command(["report", "-w", str(workspace)]) == 2
    said = capsys.readouterr()
    assert "3 of 3 pages of videos were written" in said.out and "video one: " in said.err
    assert "curate run makes it again" in (workspace / "report" / "videos" / "one" / "index.html").read_text()
    assert page_data(workspace, "two")["timeline"]["kept"] == [6, len(P) - 6]
    assert run_command(["report", "-w", str(workspace)]) == 2
    assert "1 of 3 pages of videos were written" in capsys.readouterr().out


def test_links_that_a_stranger_planted_are_not_written_through(workspace: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (workspace / "report" / "videos").mkdir(parents=True)
    (workspace / "report" / "videos" / "one").symlink_to(outside)
    (workspace / "report" / "assets").symlink_to(outside)
    (workspace / "report" / "index.html").symlink_to(outside / "index.html")
    write(workspace)
    assert not list(outside.iterdir()) and (workspace / "report" / "videos" / "one" / "index.html").is_file()


def test_groups_of_duplicates_mark_what_stays(workspace: Path) -> None:
    root = Workspace.open(workspace)
    more = [*open_session(workspace).pipeline.videos, video("longer", title="the whole operation")]
    store_manifest(root, more)
    (workspace / "corpus").mkdir()
    seconds = float(len(P))
    match = Match(
        *("longer", "one", 0.0, seconds, 0.0, seconds, 0.0, seconds, False, 30, 36, 30, 4.0, 0.95, None),
        *(100.0, seconds, 320 * 180, 320 * 180),
    )
    write_matches(workspace / "corpus" / "duplicates.parquet", [match], "made")
    write(workspace)
    text = (workspace / "report" / "worst.html").read_text()
    assert "left out: longer shows it" in text and text.index("the whole operation") < text.index("left out: longer")
    assert 'src="videos/one/' in text


def test_options_belong_behind_the_command(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["report", "-w", str(workspace), "funnel", "-w", str(workspace)]) == 1
    assert "put the options after the command" in capsys.readouterr().err
    assert run_command(["report"]) == 1


def test_a_long_video_has_a_small_page(workspace: Path) -> None:
    from curate.report.pages.facts import Judged, VideoFacts
    from curate.report.pages.render import render_video
    from curate.report.pages.video import video_data

    session = open_session(workspace)
    count = 6 * 3600
    p = np.linspace(0, 1, count)
    judged = Judged(
        n=np.arange(count, dtype=np.int32),
        timestamps=np.arange(count, dtype=float),
        p=p,
        smoothed=p,
        verdict=(p < 0.5).astype(np.int8),
        kept=p >= 0.5,
        reasons=["" if value >= 0.5 else "before_first_run" for value in p],
        threshold=0.5,
        band=(0.4, 0.6),
        cuts=np.zeros(0, np.intp),
    )
    found = session.pipeline.videos[0]
    facts = VideoFacts(found, list(session.pipeline.statuses(found)), judged=judged)
    assert len(render_video("w", video_data(facts, {}, str))) < 600_000
