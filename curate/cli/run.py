"""``curate run`` and one command a stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from curate.cli.common import say, verbosity
from curate.cli.options import Layer, say_unused_formats, stage_flags
from curate.cli.progress import FrameCounter, Progress
from curate.errors import CurateError
from curate.manifests import FORMATS, Format
from curate.report.audit import report_audit
from curate.report.funnel import Funnel, funnel, render, render_troubles
from curate.report.masks import explain_masks
from curate.review.uncertain import review_uncertain
from curate.run.pipeline import HEALINGS, STAGES
from curate.run.session import Session, Sources, open_session, run_export, run_stages
from curate.workspace.seals import DamagedArtefact

UNTIL = (*STAGES, "export")


class Shard(click.ParamType):
    """``i/n`` with 0 <= i < n."""

    name = "i/n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Parse the text; fails with what is expected."""
        if isinstance(value, tuple):
            return value
        index, _, count = str(value).partition("/")
        if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
            self.fail(f"{value!r} is not i/n with 0 <= i < n, such as 0/8", param, ctx)
        return int(index), int(count)


def workspace_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Flags of every command that works in a workspace."""
    for flag in (
        click.option("--config", "config_file", type=click.Path(path_type=Path), help="TOML file with option tables."),
        click.option("-w", "--workspace", type=click.Path(path_type=Path), required=True, help="Workspace folder."),
    ):
        command = flag(command)
    return command


def source_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """The SOURCE argument and the flags about it."""
    for flag in (
        click.option(
            "--opt-out", type=click.Path(path_type=Path), multiple=True, help="File with ids to leave out; repeatable."
        ),
        click.option(
            "--format", "source_format", type=click.Choice(FORMATS), help="Format of SOURCE, if it is not recognised."
        ),
        click.argument("source", nargs=-1),
    ):
        command = flag(command)
    return command


shard_flag = click.option(
    "--shard", type=Shard(), default="0/1", help="Work on the i-th of n parts of the videos (from 0), for job arrays."
)


@click.command(short_help="Everything: from a list of videos to shards.")
@source_flags
@workspace_flags
@click.option("--until", type=click.Choice(UNTIL), default="export", show_default=True, help="Last stage to run.")
@shard_flag
@stage_flags("engine", prefixed=UNTIL)
@verbosity
@click.pass_context
def run(
    ctx: click.Context,
    source: tuple[str, ...],
    workspace: Path,
    config_file: Path | None,
    source_format: Format | None,
    opt_out: tuple[Path, ...],
    until: str,
    shard: tuple[int, int],
    given: Layer,
) -> None:
    """Run every stage over the videos of SOURCE, and write the shards.

    SOURCE is a manifest (LEMON labels.json, a folder of GenSurgery link lists, CSV, TSV, JSONL, Parquet), a folder of
    local videos, or - for URLs on standard input. Without SOURCE the workspace's own manifest is used. What is done
    already is skipped: run the same command again to go on after an interruption.

    Exit codes: 0 all done, 1 wrong usage or configuration, 2 finished with failures, which are listed.
    """
    sources = Sources(source, source_format, opt_out)
    session = open_session(workspace, given=given, config_file=config_file, sources=sources, create=bool(source))
    say_unused_formats(given, session.config.export.formats)
    stages = UNTIL[: UNTIL.index(until) + 1]
    ctx.exit(_work(ctx, session, [s for s in stages if s in session.pipeline.specs], shard, export="export" in stages))


def _stage_command(name: str, summary: str) -> click.Command:
    takes_source = name == "download"

    @workspace_flags
    @shard_flag
    @stage_flags(name, "engine")
    @verbosity
    @click.pass_context
    def body(
        ctx: click.Context,
        workspace: Path,
        config_file: Path | None,
        shard: tuple[int, int],
        given: Layer,
        source: tuple[str, ...] = (),
        source_format: Format | None = None,
        opt_out: tuple[Path, ...] = (),
    ) -> None:
        sources = Sources(source, source_format, opt_out)
        session = open_session(workspace, given=given, config_file=config_file, sources=sources, create=bool(source))
        if name not in session.pipeline.specs:
            raise CurateError(f"{name} is switched off in {session.workspace.config_path}: see 'curate {name} --help'")
        ctx.exit(_work(ctx, session, [name], shard, export=False))

    body.__doc__ = summary
    return click.command(name=name)(source_flags(body) if takes_source else body)


download = _stage_command(
    "download",
    """Fetch the videos of SOURCE, or of the workspace's own manifest; local files are linked, not copied.

    Safe to interrupt and to run again: finished videos are skipped, partial files resume.""",
)
screen = _stage_command(
    "screen",
    """Look at whole videos, and drop those that do not show surgery, before they are sampled.

    Off by default: --method frames or lemon switches it on for the workspace. Every video gets a storyboard picture
    to look at in storyboards/, dropped ones too.""",
)
sample = _stage_command(
    "sample",
    """Take frames at a fixed rate by presentation time, and store them as JPEG in Parquet, once.""",
)
classify = _stage_command("classify", """Give every sampled frame its probability of showing surgery.""")


@click.command()
@workspace_flags
@shard_flag
@click.option(
    "--review",
    type=click.Path(path_type=Path, file_okay=False),
    help="Lay out the uncertain frames in this new folder, with a table to fill in for --decisions.",
)
@stage_flags("trim", "engine")
@verbosity
@click.pass_context
def trim(
    ctx: click.Context,
    workspace: Path,
    config_file: Path | None,
    shard: tuple[int, int],
    review: Path | None,
    given: Layer,
) -> None:
    """Turn probabilities into verdicts, and find where the surgery begins and ends.

    Kept is what lies between the start of the first and the end of the last run of surgical frames that is long
    enough. A video without such a run is dropped; its verdicts stay for inspection.

    Frames of which the network is not sure are uncertain. A person can decide them: --review FOLDER writes them as
    pictures, contact sheets and frames.csv; fill in its column label (surgical or non-surgical), and give it to
    --decisions. Only the videos it is about are done again.
    """
    session = open_session(workspace, given=given, config_file=config_file)
    code = _work(ctx, session, ["trim"], shard, export=False)
    if review:
        videos, frames = review_uncertain(session, review)
        say(f"{frames} uncertain frames of {videos} videos to decide: {review}")
    ctx.exit(code)


@click.command()
@workspace_flags
@shard_flag
@click.option("--explain", metavar="VIDEO", multiple=True, help="Write frames of this video with their boxes drawn.")
@stage_flags("mask", "engine")
@verbosity
@click.pass_context
def mask(
    ctx: click.Context,
    workspace: Path,
    config_file: Path | None,
    shard: tuple[int, int],
    explain: tuple[str, ...],
    given: Layer,
) -> None:
    """Find regions of surgical frames that are not surgery, and store their boxes; nothing is painted."""
    session = open_session(workspace, given=given, config_file=config_file)
    code = _work(ctx, session, ["mask"], shard, export=False)
    for video in explain:
        folder, count = explain_masks(session, video)
        say(f"{video}: {count} frames with their boxes drawn: {folder}")
    ctx.exit(code)


field = _stage_command(
    "field",
    """Find the endoscope's field of view, a circle or rectangle in a dark surround, and store it; nothing is cropped.

    One field a shot: it changes where the picture's borders change and nowhere else.""",
)


@click.command()
@workspace_flags
@shard_flag
@click.option("--report", is_flag=True, help="Write pages with pictures of what was found to report/audit.")
@stage_flags("audit", "engine")
@verbosity
@click.pass_context
def audit(
    ctx: click.Context, workspace: Path, config_file: Path | None, shard: tuple[int, int], report: bool, given: Layer
) -> None:
    """Find faces, and text that reads like a name, a date or an identifier, on the frames that are kept.

    Boxes are stored, and the shape of the text, not the text. What becomes of them is decided by --privacy when shards
    are written.
    """
    session = open_session(workspace, given=given, config_file=config_file)
    if "audit" not in session.pipeline.specs:
        raise CurateError(f"audit is switched off in {session.workspace.config_path}: see 'curate audit --help'")
    code = _work(ctx, session, ["audit"], shard, export=False)
    if report:
        folder, videos, pictures = report_audit(session)
        say(f"{videos} videos with findings, {pictures} pictures: {folder / 'index.html'}")
    ctx.exit(code)


@click.command()
@workspace_flags
@stage_flags("export")
@verbosity
@click.pass_context
def export(ctx: click.Context, workspace: Path, config_file: Path | None, given: Layer) -> None:
    """Write the shards of all complete videos, with metadata, splits and a dataset card.

    An export that is up to date is left alone.
    """
    session = open_session(workspace, given=given, config_file=config_file)
    say_unused_formats(given, session.config.export.formats)
    ctx.exit(2 if _export(ctx, session) else 0)


def _work(ctx: click.Context, session: Session, stages: Sequence[str], shard: tuple[int, int], *, export: bool) -> int:
    """Run stages and the export, print what came of it, and return the exit code."""
    quiet = ctx.meta["curate.verbosity"] < 0
    bad_rows = _report_manifest(session)
    if "download" in stages and not quiet:
        _say_estimate(session)
    progress = Progress(session.pipeline.pending(stages, shard), quiet=quiet)
    try:
        run_stages(session, stages, progress, shard=shard)
    finally:
        progress.close()
    result = funnel(session.pipeline)
    if not quiet:
        say(render(result, procedures=False))
    if result.troubles:
        click.echo(render_troubles(result), err=True)
    for halt in progress.halts:
        click.echo(halt, err=True)
    left_out = False
    if export:
        left_out = _export_if_any(ctx, session, result, stages, shard)
    elif not quiet:
        _say_waiting(result, stages)
    return 2 if result.troubles or progress.halts or bad_rows or left_out else 0


def _say_estimate(session: Session) -> None:
    """Say how much there is to fetch, if anything."""
    from curate.run.pipeline import estimate_pending

    cost = estimate_pending(session.pipeline)
    if cost.videos:
        click.echo(f"to download: {cost}", err=True)


def _report_manifest(session: Session) -> int:
    """Say what was wrong with the manifest's rows; returns how many were."""
    report = session.report
    if report is None:
        return 0
    for row in report.bad_rows[:20]:
        click.echo(f"bad row: {row}", err=True)
    if len(report.bad_rows) > 20:
        click.echo(f"and {len(report.bad_rows) - 20} more bad rows: see 'curate manifest check'", err=True)
    if report.notes:
        click.echo(f"{len(report.notes)} rows with cells left empty: see 'curate manifest check'", err=True)
    for line in report.left_out_by_reason():
        click.echo(f"left out: {line}", err=True)
    for remark in report.remarks:
        click.echo(f"{remark.file}: {remark.text}", err=True)
    if session.unlisted:
        click.echo(
            f"{session.unlisted} videos of the previous manifest are not listed now: left out, their files stay",
            err=True,
        )
    return len(report.bad_rows)


def _say_waiting(result: Funnel, stages: Sequence[str]) -> None:
    first = result.stages[stages[0]]
    names = list(result.stages)
    earlier = names[: names.index(stages[0])]
    waiting = sum(result.stages[name].pending for name in earlier)
    if waiting and not first.pending:
        say(f"{waiting} videos wait for an earlier stage ({', '.join(earlier)})")


def _export_if_any(
    ctx: click.Context, session: Session, result: Funnel, stages: Sequence[str], shard: tuple[int, int]
) -> bool:
    """Write the shards if this run may and there is anything; returns whether any video was left out.

    Artefacts that turn out to be damaged are made again first.
    """
    if shard[1] > 1:
        say("shards are written by 'curate export' once every --shard has finished")
    elif result.complete:
        for _ in range(HEALINGS):
            try:
                return _export(ctx, session)
            except DamagedArtefact as damage:
                click.echo(f"{damage.path} is not as {damage.stage} left it: it is made again", err=True)
                run_stages(session, stages, Progress(session.pipeline.pending(stages, shard), quiet=True), shard=shard)
        return _export(ctx, session)
    else:
        click.echo("no video is complete, so no shards were written", err=True)
    return False


def _export(ctx: click.Context, session: Session) -> bool:
    """Write the shards, show progress, say where they are; returns whether any video was left out."""
    quiet = ctx.meta["curate.verbosity"] < 0
    with FrameCounter(quiet=quiet) as counter:
        summary = run_export(session, counter)
    for made in summary.formats:
        state = "written" if made.written else "up to date"
        if not quiet:
            size = made.size / 1e6
            say(f"{made.name}: {made.frames} frames of {made.videos} videos, {size:.1f} MB, {state}: {made.folder}")
        for video, why in made.left_out.items():
            click.echo(f"left out of {made.name}: {video}: {why}", err=True)
    if summary.stale:
        stale = ", ".join(map(str, summary.stale))
        click.echo(f"not written now, and made from older input: {stale}; write again or delete", err=True)
    return any(made.left_out for made in summary.formats)
