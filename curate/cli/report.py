"""``curate report``: what a workspace holds, for people to look at."""

from __future__ import annotations

from pathlib import Path

import click

from curate.cli import reports
from curate.cli.common import verbosity
from curate.cli.exits import leave
from curate.cli.flags import workspace_flag


@click.group(invoke_without_command=True)
@click.option("-w", "--workspace", type=click.Path(path_type=Path), help="Workspace folder.")
@click.option("--no-pictures", is_flag=True, help="Show no frame, only its place, its figures and its boxes.")
@click.option(
    "--show-findings",
    is_flag=True,
    help="Hide nothing in the pictures: neither what the privacy audit found nor what it did not look at.",
)
@verbosity
@click.pass_context
def report(context: click.Context, workspace: Path | None, no_pictures: bool, show_findings: bool) -> None:
    """Look at what the stages found, dropped and could not do.

    Without a command: pages that open from disk, in report/ of the workspace. An overview with the funnel, what the
    corpus is made of and a list to search; a page a video with its timeline and pictures of seconds kept, dropped and
    uncertain; the worst frames of all. Only pages whose video changed are written anew. What the privacy audit found
    is unrecognisable in the pictures, and those of seconds that it did not look at are coarse, unless asked for.

    Reports are made from what the workspace holds by its present options; no stage runs.
    """
    if context.invoked_subcommand is not None:
        if workspace is not None or no_pictures or show_findings:
            raise click.UsageError(
                f"put the options after the command: curate report {context.invoked_subcommand} -w W"
            )
        return
    if workspace is None:
        raise click.UsageError("missing option '-w' / '--workspace'")
    from curate.report.pages.options import ReportOptions
    from curate.run.session import open_session

    options = ReportOptions(pictures=not no_pictures, show_findings=show_findings)
    leave(failures=reports.show_pages(open_session(workspace), options))


@report.command()
@workspace_flag
@click.option("--json", "as_json", is_flag=True, help="All figures and all failures as JSON.")
@verbosity
def funnel(workspace: Path, as_json: bool) -> None:
    """Videos and frames by stage and outcome.

    Also by reason and by procedure; curate status is the same.
    """
    from curate.run.session import open_session

    reports.show_funnel(open_session(workspace, write=False), as_json=as_json)


@report.command()
@workspace_flag
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="CSV file to write."
)
@verbosity
def missing(workspace: Path, output: Path) -> None:
    """A CSV of the videos not downloaded, with why.

    Its columns tell the reason, the text of the site, and the first and the last try.
    """
    from curate.run.session import open_session

    reports.show_missing(open_session(workspace, write=False), output)


@report.command()
@click.argument("videos", nargs=-1, required=True, metavar="VIDEO...")
@workspace_flag
@verbosity
def masks(videos: tuple[str, ...], workspace: Path) -> None:
    """Frames of each VIDEO with their boxes drawn.

    They are written to report/masks of the workspace.
    """
    from curate.run.session import open_session

    reports.show_masks(open_session(workspace), videos)


@report.command()
@workspace_flag
@verbosity
def audit(workspace: Path) -> None:
    """Pages with pictures of what the audit found.

    They are written to report/audit of the workspace, and show faces and names: they are not for publication.
    """
    from curate.run.session import open_session

    reports.show_audit(open_session(workspace))


@report.command()
@workspace_flag
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="New folder to write."
)
@verbosity
def review(workspace: Path, output: Path) -> None:
    """The uncertain frames, laid out to be decided.

    Pictures, contact sheets and a table, frames.csv. Fill in its column label (surgical or
    non-surgical), and give it to curate trim --decisions.
    """
    from curate.run.session import open_session

    reports.show_review(open_session(workspace, write=False), output)
