"""``curate splits``: what lists of splits share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curate.cli.common import verbosity
from curate.cli.exits import leave, say, show, writing
from curate.errors import CurateError

if TYPE_CHECKING:
    from curate.corpus.audit import SetReport


_WIDTH = 48
"""Characters of an example in the table."""


@click.group()
def splits() -> None:
    """Look into lists of training, validation and test sets."""


@splits.command()
@click.argument("lists", metavar="LIST...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV with every entry that shares something with another split.",
)
@click.option(
    "--source", "source", metavar="REGEX", help="What of a name, without folder and ending, is the video: its group 1."
)
@click.option(
    "--root",
    "roots",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder in which the files of the lists lie, if not beside them; repeatable.",
)
@click.option("--pictures/--no-pictures", default=True, help="Compare files that are there.")
@click.option(
    "--alike",
    type=click.IntRange(0, 96),
    default=24,
    show_default=True,
    help="Bits of 256 by which the hashes of pictures may differ that are alike; 0 compares bytes only.",
)
@verbosity
def audit(
    lists: tuple[str, ...],
    output: Path | None,
    source: str | None,
    roots: tuple[Path, ...],
    pictures: bool,
    alike: int,
) -> None:
    """Show what the splits of data sets share: lists, files, videos, pictures.

    Videos are told by the names, and where the files are there, pictures by their bytes and by how they look: encoded
    again, made smaller, mirrored.

    A LIST is a file with "path label" lines or one name a line, a CSV or TSV with a header, JSON ({"train": [...]},
    {name: split}, LEMON's labels), SPLIT=FILE, a published list such as cholec80-40-40, an export of curate, or a
    folder: of lists (train.csv, val.csv, test.csv), of pictures by split (train/...), or of such folders. Files
    that are named side by side are one set, and so is each folder.

    Exit codes: 0 nothing shared was found, 1 a list cannot be read, 2 splits share something.
    """
    from curate.corpus.audit import COLUMNS, AuditOptions
    from curate.corpus.audit import audit as audit_set
    from curate.corpus.lists import open_sets
    from curate.corpus.names import PATTERNS
    from curate.files.atomic import temporary_beside
    from curate.files.csv_file import CsvWriter

    patterns = PATTERNS if source is None else (_pattern(source),)
    options = AuditOptions(patterns, roots, pictures, alike)
    sets = open_sets(lists)
    reports = []
    if output is None:
        reports = [audit_set(one, options) for one in sets]
    else:
        with writing(output):
            temporary = temporary_beside(output)
            try:
                with temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
                    writer = CsvWriter(stream, COLUMNS)
                    reports = [audit_set(one, options, writer.write) for one in sets]
                temporary.replace(output)
            finally:
                temporary.unlink(missing_ok=True)
    _show(reports)
    leave(failures=any(report.shared for report in reports))


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise CurateError(f"--source {text!r} is not a regular expression: {error}") from error


def _short(key: str) -> str:
    """A key in a table: of a path its end."""
    return key if len(key) <= _WIDTH else "..." + key[3 - _WIDTH :]


def _show(reports: list[SetReport]) -> None:
    from curate.report.funnel import table

    rows = []
    for report in reports:
        counts = ", ".join(f"{split} {count:,}" for split, count in report.entries.items())
        show(f"{report.name}: {counts}" + ("" if report.shared else ": nothing shared was found"))
        if report.unjudged:
            show(f"{report.name}: {report.unjudged:,} names tell no video")
        if report.pictures:
            show(f"{report.name}: {report.pictures:,} files compared")
        for origin, why in report.unreadable.items():
            say(f"{origin}: cannot be read: {why}")
        for shared in report.shared:
            one, other = report.entries[shared.one], report.entries[shared.other]
            rows.append(
                [
                    *(report.name, shared.kind, f"{shared.one}-{shared.other}", f"{shared.keys:,}"),
                    f"{shared.entries_one:,} of {one:,}",
                    f"{shared.entries_other:,} of {other:,}",
                    _short(shared.examples[0]),
                ]
            )
    if rows:
        show(table(["set", "shared", "splits", "number", "of the first", "of the second", "such as"], rows))
