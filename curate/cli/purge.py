"""``curate purge``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from curate.cli.common import is_quiet, verbosity
from curate.cli.exits import leave, say
from curate.cli.flags import workspace_flag
from curate.cli.progress import FrameCounter
from curate.errors import CurateError
from curate.manifests.entries import RowError
from curate.manifests.opt_out import OptOuts, read_opt_outs
from curate.takedown.purge import PurgeReport
from curate.takedown.purge import purge as remove

_SHOWN = 20
"""Places printed in full; the rest are counted."""

_ELSEWHERE = (
    "copies that were pushed or downloaded: 'curate push' again; what a hub keeps of earlier states is deleted there",
    "datasets: ~/.cache/huggingface/datasets (HF_DATASETS_CACHE), the folder named like the export; and what was "
    "fetched from the hub, ~/.cache/huggingface/hub (HF_HUB_CACHE)",
    "FiftyOne: 'fiftyone datasets delete NAME', and copies of pictures below ~/fiftyone (FIFTYONE_DEFAULT_DATASET_DIR)",
    "torch: what training code copied to ~/.cache/torch (TORCH_HOME) or to the disks of nodes; and models that were "
    "trained on the frames",
)
"""Where readers of an export keep copies of their own."""


@click.command()
@workspace_flag
@click.option(
    "--ids", type=click.Path(path_type=Path), multiple=True, help="File with an id or a URL a line; repeatable."
)
@click.option("--id", "words", metavar="ID", multiple=True, help="An id or a URL; repeatable.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@verbosity
def purge(workspace: Path, ids: tuple[Path, ...], words: tuple[str, ...], yes: bool) -> None:
    """Remove videos for good, from the workspace and from all its exports, and prove it.

    The ids stay in purged.txt of the workspace, so that no run brings the videos back. Exports are written again from
    what is left. Files of yours that the workspace only links to are not touched, nor are copies of exports elsewhere.
    Safe to interrupt and to run again. The exit code is 2 if anything remains, or if a line was not understood.
    """
    asked = _asked(ids, words)
    for row in asked.bad_rows:
        say(f"bad row: {row}")
    if not yes:
        _confirm(workspace, asked)
    quiet = is_quiet()
    with FrameCounter(quiet=quiet) as counter:
        report = remove(workspace, asked, lists=ids, progress=counter)
    if not quiet:
        _say_done(workspace, report)
    remains = [export for export in report.exports if export.state == "kept"]
    for export in remains:
        say(f"{export.folder} still holds {', '.join(export.videos) or 'what it held'}: {export.why}")
    for mention in report.remaining[:_SHOWN]:
        say(f"remains: {mention}")
    if len(report.remaining) > _SHOWN:
        say(f"and {len(report.remaining) - _SHOWN} more places")
    if report.copies:
        say(f"these videos show what they showed, or a part of it, and stay: {', '.join(report.copies)}")
    if report.alike:
        say(f"these videos differ from what was asked for in capitals only, and stay: {', '.join(report.alike)}")
    for problem in report.problems:
        say(f"no proof: {problem}")
    leave(failures=asked.bad_rows or not report.proven)


def _asked(ids: tuple[Path, ...], words: tuple[str, ...]) -> OptOuts:
    asked = read_opt_outs(ids)
    for word in words:
        try:
            asked.add(word)
        except RowError as error:
            raise CurateError(f"--id {word}: {error}") from error
    if not asked.ids:
        raise CurateError("nothing to purge: name videos with --ids FILE or --id ID")
    return asked


def _confirm(workspace: Path, asked: OptOuts) -> None:
    if not sys.stdin.isatty():
        raise CurateError("a purge cannot be undone: confirm it with --yes")
    click.confirm(f"Remove {_named(sorted(asked.ids))} from {workspace} and its exports for good?", abort=True)


def _named(videos: list[str]) -> str:
    return ", ".join(videos) if len(videos) <= 3 else f"{len(videos)} videos"


def _say_done(workspace: Path, report: PurgeReport) -> None:
    if report.unknown:
        click.echo(f"not in the workspace, and kept out of it by purged.txt: {', '.join(report.unknown)}")
    click.echo(f"removed {len(report.removed)} files and {report.lines} lines of ledger and decisions")
    if report.pages is not None:
        click.echo("the report shows them no longer; its lists were written anew")
    if report.pages:
        click.echo(
            f"pages of {report.pages} other videos named them and are gone too: 'curate report' writes them again"
        )
    for export in report.exports:
        if export.state != "kept":
            click.echo(f"{export.folder}: {export.state}: {export.why}")
    named = _named(list(report.videos))
    places = len({mention.path for mention in report.remaining})
    size = report.search.size / 1e6
    click.echo(
        f"proof: {places} of {report.search.files} files ({size:.1f} MB) mention {named}; looked at were names, links, "
        "bytes and compressed columns of everything but purged.txt"
    )
    if report.exports:
        click.echo("not reached, and yours to empty where an export was read or handed on:")
        for place in _ELSEWHERE:
            click.echo(f"  {place}")
    for mention in report.chance[:_SHOWN]:
        click.echo(f"the same letters by chance: {mention}")
    if len(report.chance) > _SHOWN:
        click.echo(f"and {len(report.chance) - _SHOWN} more such places")
