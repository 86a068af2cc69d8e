"""``curate corpus compose``: what lists of videos share, and what they make together."""

from __future__ import annotations

from pathlib import Path

import click
import cloup

from curate.cli.common import verbosity
from curate.cli.exits import leave, say, show, writing


@cloup.command()
@click.argument("lists", metavar="LIST...", nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="CSV of the table of procedures.")
@verbosity
def compose(lists: tuple[str, ...], output: Path | None) -> None:
    """Show how many distinct videos lists have together, what each two share, and their procedures.

    A LIST is what 'curate run' takes: LEMON's labels, a folder of link lists, a table. Videos are the same if their ids
    are, whatever the links look like. Opt-outs are left out. 'curate manifest convert' writes the joined list.

    Exit codes: 0 done, 1 a list cannot be read, 2 there are bad rows.
    """
    from curate.corpus.overlap import overlap
    from curate.files.atomic import write_atomic
    from curate.files.csv_file import csv_text
    from curate.manifests import read_sources
    from curate.report.funnel import table

    reports = {_name(source, lists): read_sources([source]) for source in lists}
    joined = read_sources(lists)
    found = overlap({name: report.videos for name, report in reports.items()}, joined.videos)
    rows = [[n, f"{v:,}", f"{o:,}"] for n, v, o in zip(found.names, found.videos, found.only, strict=True)]
    show(table(["list", "videos", "only there"], [*rows, ["together", f"{found.together:,}", ""]]))
    for pair in found.pairs:
        shares = f"{pair.of_one:.1%} of {pair.one}, {pair.of_other:.1%} of {pair.other}"
        show(f"{pair.one} and {pair.other} share {pair.videos:,} videos: {shares}")
    columns = ["procedure", *found.names, "together"]
    show(table(columns, [[p.procedure, *(f"{n:,}" for n in p.lists), f"{p.together:,}"] for p in found.procedures]))
    if output is not None:
        text = csv_text(columns, [[p.procedure, *p.lists, p.together] for p in found.procedures])
        with writing(output):
            write_atomic(output, text.encode())
    bad = [row for report in reports.values() for row in report.bad_rows]
    for row in bad[:5]:
        say(f"bad row: {row}")
    if len(bad) > 5:
        say(f"and {len(bad) - 5} more bad rows: see 'curate manifest check'")
    leave(failures=bad)


def _name(source: str, lists: tuple[str, ...]) -> str:
    """Name of a list in the table: that of the file without its ending, or the whole path where two are alike."""
    stem = Path(source).stem or source
    return stem if sum((Path(other).stem or other) == stem for other in lists) == 1 else source
