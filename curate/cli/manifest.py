"""``curate manifest``: check, convert and count lists of videos, and suggest what they leave open."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from curate.cli.common import verbosity
from curate.cli.exits import leave, writing
from curate.cli.source_flags import unstated_flags
from curate.errors import CurateError
from curate.files.atomic import commit, temporary_beside, write_atomic
from curate.files.text import printable
from curate.manifests import FORMATS, ManifestReport, read_sources
from curate.manifests.store import Kind, write_table

if TYPE_CHECKING:
    from curate.manifests import Format, Unstated

logger = logging.getLogger(__name__)

KINDS: tuple[Kind, ...] = get_args(Kind)
"""Formats that can be written, which are also the file name endings."""


def _inputs(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the arguments and options that say what to read."""
    command = unstated_flags(command)
    for decorate in (
        click.option("--opt-out", multiple=True, type=click.Path(path_type=Path), help="List of videos to leave out."),
        click.option("--format", "format", type=click.Choice(FORMATS), help="Format of the sources; else recognised."),
        click.argument("sources", metavar="SOURCE...", nargs=-1, required=True),
    ):
        command = decorate(command)
    return command


@click.group()
def manifest() -> None:
    """Check, convert and count lists of videos, and suggest what they leave open.

    A SOURCE is LEMON's labels.json, a folder of GenSurgery's link lists, a CSV, TSV, JSON, JSON Lines or Parquet table,
    what yt-dlp or pandas write as JSON, a folder of videos, one video, a URL, or - for any list on standard input.

    A row needs an id, a link or a path. A cell that only describes its video (title, procedure, licence, case,
    duration ...) and is not understood is left empty and noted. Words for nothing (nan, None, N/A, -) are empty.

    Exit codes: 0 clean, 1 a source cannot be read, 2 there are bad rows.
    """


@manifest.command()
@_inputs
@verbosity
def check(sources: tuple[str, ...], format: Format | None, opt_out: tuple[Path, ...], unstated: Unstated) -> None:
    """List bad rows, cells left empty, files left out, duplicates, unknown procedures and opt-outs."""
    report = read_sources(sources, format=format, opt_out=opt_out, unstated=unstated)
    _section("bad rows", map(str, report.bad_rows))
    _section("cells left empty", (f"{note.origin}: {note.id}: {note.text}" for note in report.notes))
    _section("left out of folders", report.left_out_by_reason())
    _section("remarks", (f"{remark.file}: {remark.text}" for remark in report.remarks))
    _section(
        "duplicates",
        (
            f"{d.id}: {d.merged} is {d.kept} again" + "".join(f"; {conflict}" for conflict in d.conflicts)
            for d in report.duplicates
        ),
    )
    _section("unknown procedures", (f"{name!r}: {rows} rows" for name, rows in report.unknown_procedures.items()))
    _section("opted out", (f"{video.id}: {video.origin}" for video in report.opted_out))
    _section("marked as no surgery by their source, kept", report.uninformative)
    click.echo(_summary(report))
    leave(failures=report.bad_rows)


@manifest.command()
@_inputs
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help=f"File to write: {', '.join(KINDS)}."
)
@verbosity
def convert(
    sources: tuple[str, ...], format: Format | None, opt_out: tuple[Path, ...], unstated: Unstated, output: Path
) -> None:
    """Write one normalised list, by the ending of its name.

    In CSV and TSV the procedures of a video stand in one cell with ";" between them, and a text that a spreadsheet
    would take for a formula begins with an apostrophe. What is written is read back the same.
    """
    kind = next((kind for kind in KINDS if output.suffix.lower() == f".{kind}"), None)
    if kind is None:
        raise CurateError(f"{output}: the name must end in one of {', '.join('.' + kind for kind in KINDS)}")
    report = read_sources(sources, format=format, opt_out=opt_out, unstated=unstated)
    for row in report.bad_rows:
        logger.warning("%s", row)
    for note in report.notes:
        logger.warning("%s: %s: %s", note.origin, note.id, note.text)
    for remark in (*report.left_out_by_reason(), *(f"{remark.file}: {remark.text}" for remark in report.remarks)):
        logger.warning("%s", remark)
    _write(report, output, kind)
    click.echo(f"{output}: {_summary(report)}")
    leave(failures=report.bad_rows)


@manifest.command()
@_inputs
@click.option("--all", "everything", is_flag=True, help="All videos, and not only those with something unstated.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="File to write: .csv.")
@verbosity
def suggest(
    sources: tuple[str, ...],
    format: Format | None,
    opt_out: tuple[Path, ...],
    unstated: Unstated,
    everything: bool,
    output: Path,
) -> None:
    """Suggest procedures, and robotic or not, from titles, where they are not stated.

    Writes the list as CSV with suggested_procedures, suggested_robotic and the words of the title that say so beside
    what is stated. Nothing takes a suggestion for a label: move what is right into procedures and robotic.
    """
    from curate.manifests.suggested import is_unlabelled, suggestions_csv, title_cells
    from curate.manifests.titles import shipped_title_words

    if output.suffix.lower() != ".csv":
        raise CurateError(f"{output}: the name must end in .csv")
    report = read_sources(sources, format=format, opt_out=opt_out, unstated=unstated)
    for row in report.bad_rows:
        logger.warning("%s", row)
    words = shipped_title_words()
    videos = [video for video in report.videos if everything or is_unlabelled(video)]
    cells = [title_cells(words, video) for video in videos]
    with writing(output):
        write_atomic(output, suggestions_csv(videos, cells).encode("utf-8"))
    named = sum(bool(row["suggested_procedures"]) for row in cells)
    robotic = sum(row["suggested_robotic"] is not None for row in cells)
    unnamed = sum(not video.procedures for video in videos)
    unknown = sum(video.robotic is None for video in videos)
    click.echo(
        f"{output}: {len(videos)} videos; procedures suggested for {named} of {unnamed} without, robotic or not for "
        f"{robotic} of {unknown}"
    )
    leave(failures=report.bad_rows)


@manifest.command()
@_inputs
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@verbosity
def stats(
    sources: tuple[str, ...], format: Format | None, opt_out: tuple[Path, ...], unstated: Unstated, as_json: bool
) -> None:
    """Count rows, videos, procedures, domains, robots, resolutions, corpora, channels, cases and licences."""
    report = read_sources(sources, format=format, opt_out=opt_out, unstated=unstated)
    figures = count(report)
    click.echo(json.dumps(figures, ensure_ascii=False, indent=2) if as_json else _table(figures))
    leave(failures=report.bad_rows)


def count(report: ManifestReport) -> dict[str, Any]:
    """The figures of ``curate manifest stats``, ready for JSON; groups by falling count, then by name."""
    videos = report.videos
    sizes = (f"{v.width}x{v.height}" if v.width and v.height else "unknown" for v in videos)
    procedures = _ranked(name for v in videos for name in v.procedures)
    return {
        "sources": [{"source": source, "format": kind} for source, kind in report.formats],
        "rows": report.rows_read,
        "rows_ignored": report.rows_ignored,
        "bad_rows": len(report.bad_rows),
        "videos": len(videos),
        "duplicate_rows": len(report.duplicates),
        "duplicated_videos": len({duplicate.id for duplicate in report.duplicates}),
        "opted_out": len(report.opted_out),
        "cells_left_empty": len(report.notes),
        "left_out": len(report.left_out),
        "uninformative": len(report.uninformative),
        "unknown_procedures": dict(report.unknown_procedures),
        "robotic": _answers(v.robotic for v in videos),
        "domains": _ranked(v.domain for v in videos),
        "procedures_per_video": {str(n): c for n, c in sorted(Counter(len(v.procedures) for v in videos).items())},
        "distinct_procedures": len(procedures),
        "procedures": procedures,
        "resolutions": _ranked(sizes),
        "splits": _ranked(v.split for v in videos if v.split),
        "corpora": _ranked(v.corpus for v in videos if v.corpus),
        "channels": len({v.channel for v in videos if v.channel}),
        "cases": len({(v.corpus, v.case) for v in videos if v.case}),
        "licences": _ranked(v.licence for v in videos if v.licence),
        "public": _answers(v.public for v in videos),
    }


def _answers(flags: Iterable[bool | None]) -> dict[str, int]:
    found = Counter(flags)
    return {"yes": found[True], "no": found[False], "unknown": found[None]}


def _ranked(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


_SHOWN = 10
"""Rows of a group that are shown; it may have as many as there are videos."""


def _table(figures: dict[str, Any]) -> str:
    out = [f"{entry['source']} ({entry['format']})" for entry in figures["sources"]]
    scalars = {
        "rows": "rows read",
        "rows_ignored": "  empty or comments",
        "bad_rows": "  bad (see check)",
        "duplicate_rows": "  duplicates of earlier rows",
        "duplicated_videos": "    videos listed more than once",
        "opted_out": "  opted out",
        "cells_left_empty": "  with cells left empty",
        "left_out": "files and folders left out",
        "videos": "videos",
        "uninformative": "  marked as no surgery by their source",
        "distinct_procedures": "procedures",
        "channels": "channels",
        "cases": "cases",
    }
    out += ["", *(f"{label:<42}{figures[name]:>8,}" for name, label in scalars.items())]
    groups = {
        "robotic": figures["robotic"],
        "domain": figures["domains"],
        "procedures per video": figures["procedures_per_video"],
        "procedure": figures["procedures"],
        "procedure not in labels/procedures.toml (rows)": figures["unknown_procedures"],
        "resolution": _first(figures["resolutions"]),
        "split": figures["splits"],
        "corpus": _first(figures["corpora"]),
        "licence": _first(figures["licences"]),
        "public": figures["public"],
    }
    for title, group in groups.items():
        if group:
            out += ["", title, *(f"  {printable(name):<40}{videos:>8,}" for name, videos in group.items())]
    return "\n".join(out)


def _first(group: dict[str, int]) -> dict[str, int]:
    rows = list(group.items())
    rest = rows[_SHOWN:]
    return dict(rows[:_SHOWN]) | ({f"{len(rest)} others": sum(videos for _, videos in rest)} if rest else {})


def _summary(report: ManifestReport) -> str:
    parts = [
        f"{len(report.videos):,} videos from {report.rows_read:,} rows",
        f"{report.rows_ignored:,} empty or comments",
        f"{len(report.bad_rows):,} bad",
        f"{len(report.duplicates):,} duplicates",
        f"{len(report.opted_out):,} opted out",
    ]
    if report.notes:
        parts.append(f"{len(report.notes):,} with cells left empty")
    if report.left_out:
        parts.append(f"{len(report.left_out):,} files or folders left out")
    return ", ".join(parts)


def _section(title: str, rows: Iterable[str]) -> None:
    listed = [printable(row) for row in rows]
    if listed:
        click.echo(f"{title} ({len(listed):,})\n" + "\n".join(f"  {row}" for row in listed) + "\n")


def _write(report: ManifestReport, output: Path, kind: Kind) -> None:
    with writing(output):
        temporary = temporary_beside(output)
        try:
            write_table(report.videos, temporary, kind)
            commit({temporary: output})
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
