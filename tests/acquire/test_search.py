"""``curate search`` through yt-dlp's own search, and its list read back by the manifest reader."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.acquire.search import Filters, Hit, merged, to_csv
from curate.cli import run_command
from curate.files.csv_file import unguarded
from curate.manifests import read_sources
from curate.manifests.titles import shipped_title_words


@pytest.fixture
def found(tmp_path: Path):
    def run(*arguments: str, code: int = 0) -> list[dict[str, str]]:
        path = tmp_path / "found.csv"
        quick = tmp_path / "quick.toml"
        quick.write_text("[download]\nsleep_interval_requests = 0.0\n")
        assert run_command(["search", *arguments, "--config", str(quick), "-o", str(path)]) == code
        if not path.exists():
            return []
        with open(path, newline="") as stream:
            return list(csv.DictReader(stream))

    return run


def test_found_videos_are_a_manifest_that_other_commands_read(found, tmp_path: Path):
    rows = found("robotic cholecystectomy", "-n", "30")
    assert len(rows) == 30
    report = read_sources([tmp_path / "found.csv"])
    assert [v.id for v in report.videos] == [row["id"] for row in rows]
    first = report.videos[0]
    assert first.source == "https://www.youtube.com/watch?v=00000000000"
    assert first.procedures == ("cholecystectomy",) and first.title.startswith("robotic cholecystectomy 0")
    assert report.videos[1].duration == 60.0
    assert not report.bad_rows


def test_live_streams_are_left_out_and_no_more_pages_are_asked_for_than_needed(found):
    rows = found("endless", "-n", "20")
    assert len(rows) == 20
    assert not any("live case" in row["title"] for row in rows)


def test_filters(found):
    rows = found(
        "hernia", "-n", "10", "--require", "cholecystectomy", "--ignore", "ANIMATION", "--min-duration", "600",
        "--max-duration", "3000",
    )  # fmt: skip
    assert rows
    for row in rows:
        assert "cholecystectomy" in row["title"].lower() and "animation" not in row["title"].lower()
        assert 600 <= float(row["duration"]) <= 3000


def test_creative_commons_asks_youtube_for_it_and_says_so(found):
    plain, common = found("hernia", "-n", "1"), found("hernia", "-n", "1", "--creative-commons")
    assert plain[0]["licence"] == "" and "Creative Commons" in common[0]["licence"]
    assert plain[0]["title"] != common[0]["title"]  # the filter reached the site


def test_a_video_found_twice_is_listed_once_with_both_procedures(found):
    rows = found("cholecystectomy", "splenectomy", "-n", "5")
    assert len(rows) == 5
    assert {row["procedures"] for row in rows} == {"cholecystectomy;splenectomy"}


def test_titles_are_one_printable_line(found):
    assert all(row["title"].isprintable() for row in found("x", "-n", "5"))


def test_a_search_that_breaks_off_keeps_what_it_found_and_says_so(found, capsys):
    rows = found("broken", "-n", "50", code=2)
    assert len(rows) == 6
    assert "broke off (blocked)" in capsys.readouterr().err


def test_nothing_found_writes_nothing(found, capsys):
    assert found("x", "--require", "no such word", code=1) == []
    assert "loosen the filters" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["found.parquet", "found"])
def test_only_csv_is_written(tmp_path: Path, capsys, name: str):
    assert run_command(["search", "x", "-o", str(tmp_path / name)]) == 1
    assert ".csv" in capsys.readouterr().err


PRINTABLE = st.text(st.characters(exclude_categories=("C", "Z")))
HITS = st.builds(
    Hit,
    st.text("ab", min_size=1, max_size=2),
    PRINTABLE,
    st.none() | st.integers(1, 10**6),
    PRINTABLE,
    channel_id=PRINTABLE,
)


@given(st.lists(HITS))
def test_every_hit_survives_the_csv(hits: list[Hit]):
    unique = merged(hits)
    assert {h.id for h in unique} == {h.id for h in hits} and len(unique) == len({h.id for h in hits})
    rows = list(csv.DictReader(io.StringIO(to_csv(unique, shipped_title_words()), newline="")))
    read = [tuple(unguarded(row[name]) for name in ("id", "title", "channel", "channel_id")) for row in rows]
    assert read == [(h.id, h.title, h.channel, h.channel_id) for h in unique]


@given(st.text(), st.none() | st.floats(0, 1e5), st.floats(0, 1e5), st.floats(0, 1e5))
def test_filters_take_exactly_what_they_say(title: str, duration: float | None, low: float, high: float):
    assert Filters().accept(title, duration)
    assert not Filters(require=(title + "x",)).accept(title, duration)
    assert Filters(min_duration=low, max_duration=high).accept(title, duration) == (
        duration is not None and low <= duration <= high
    )
