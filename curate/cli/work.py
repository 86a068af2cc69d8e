"""Doing the work of ``curate run``, of the stage commands and of ``curate export``, and saying what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from curate.cli.common import is_quiet
from curate.cli.exits import say, show
from curate.cli.progress import FrameCounter, Progress
from curate.report.funnel import Funnel, funnel, render, render_troubles
from curate.run.pipeline import HEALINGS
from curate.run.session import Session, run_export, run_stages
from curate.workspace.seals import DamagedArtefact


def do_stages(
    session: Session, stages: Sequence[str], shard: tuple[int, int], *, export: bool, partial: bool = False
) -> bool:
    """Run stages, and write the shards if asked for; returns whether anything failed.

    Args:
        session: The open workspace.
        stages: Names of the stages.
        shard: ``(i, n)``, from 0.
        export: Whether to write the shards.
        partial: Whether an export may lose videos that it shows now and that are not complete.
    """
    bad_rows = _report_manifest(session)
    if "download" in stages and not is_quiet():
        _say_estimate(session)
    progress = Progress(stages, quiet=is_quiet())
    try:
        run_stages(session, stages, progress, shard=shard, expect=progress.expect)
    finally:
        progress.close()
    result = funnel(session.pipeline)
    if not is_quiet():
        show(render(result, procedures=False))
    if result.troubles:
        say(render_troubles(result))
    for halt in progress.halts:
        say(halt)
    left_out = False
    if export:
        left_out = _export_if_any(session, result, stages, shard, partial=partial)
    elif not is_quiet():
        _say_waiting(result, stages)
    return bool(result.troubles or progress.halts or bad_rows or left_out)


def _say_estimate(session: Session) -> None:
    """Say how much there is to fetch, if anything."""
    from curate.run.pipeline import estimate_pending

    cost = estimate_pending(session.pipeline)
    if cost.videos:
        say(f"to download: {cost}")


def _report_manifest(session: Session) -> int:
    """Say what was wrong with the rows of the manifest and of opt-out lists; returns how many were."""
    say_opted_out(session)
    report = session.report
    bad_rows = session.exclusions.given.bad_rows if report is None else report.bad_rows
    for row in bad_rows[:20]:
        say(f"bad row: {row}")
    if len(bad_rows) > 20:
        say(f"and {len(bad_rows) - 20} more bad rows: see 'curate manifest check'")
    if report is None:
        return len(bad_rows)
    if report.notes:
        say(f"{len(report.notes)} rows with cells left empty: see 'curate manifest check'")
    for line in report.left_out_by_reason():
        say(f"left out: {line}")
    for remark in report.remarks:
        say(f"{remark.file}: {remark.text}")
    if session.unlisted:
        say(f"{session.unlisted} videos of the previous manifest are not listed now: left out, their files stay")
    return len(bad_rows)


def say_opted_out(session: Session) -> None:
    """Say which videos of the workspace are not used any more because their authors opted out."""
    if session.opted_out:
        named = ", ".join(video.id for video in session.opted_out[:3])
        more = ", ..." if len(session.opted_out) > 3 else ""
        say(
            f"{len(session.opted_out)} videos of the workspace opted out and are not used: {named}{more}; "
            "'curate purge' takes them out of what was made"
        )


def _say_waiting(result: Funnel, stages: Sequence[str]) -> None:
    first = result.stages[stages[0]]
    names = list(result.stages)
    earlier = names[: names.index(stages[0])]
    waiting = sum(result.stages[name].pending for name in earlier)
    if waiting and not first.pending:
        show(f"{waiting} videos wait for an earlier stage ({', '.join(earlier)})")


def _export_if_any(
    session: Session, result: Funnel, stages: Sequence[str], shard: tuple[int, int], *, partial: bool
) -> bool:
    """Write the shards if this run may and there is anything; returns whether any video was left out.

    Artefacts that turn out to be damaged are made again first.
    """
    if shard[1] > 1:
        show("shards are written by 'curate export' once every --shard has finished")
    elif result.complete:
        for _ in range(HEALINGS):
            try:
                return do_export(session, partial=partial)
            except DamagedArtefact as damage:
                say(f"{damage.path} is not as {damage.stage} left it: it is made again")
                run_stages(session, stages, Progress(stages, quiet=True), shard=shard)
        return do_export(session, partial=partial)
    else:
        say("no video is complete, so no shards were written")
    return False


def do_export(session: Session, *, partial: bool) -> bool:
    """Write the shards, show progress, say where they are; returns whether any video was left out, or format kept."""
    with FrameCounter(quiet=is_quiet()) as counter:
        summary = run_export(session, counter, partial=partial)
    for made in summary.formats:
        state = f"written ({made.shards})" if made.written else "up to date"
        if not is_quiet():
            size = made.size / 1e6
            show(f"{made.name}: {made.frames} frames of {made.videos} videos, {size:.1f} MB, {state}: {made.folder}")
        for video, why in made.left_out.items():
            say(f"left out of {made.name}: {video}: {why}")
        for video, why in list(made.aside.items())[:3]:
            say(f"aside of {made.name}: {video}: {why}")
        if len(made.aside) > 3:
            say(f"and {len(made.aside) - 3} more: see 'aside' in {made.folder / 'export.json'}")
    if summary.stale:
        stale = ", ".join(map(str, summary.stale))
        say(f"not written now, and made from older input: {stale}; write again or delete")
    for name, lost in summary.kept.items():
        named = "; ".join(f"{video}: {why}" for video, why in list(lost.items())[:3]) + (
            "; ..." if len(lost) > 3 else ""
        )
        say(
            f"{name} was not written and stays as it is: it shows {len(lost)} videos that cannot be exported now "
            f"({named}). Mend them, or say --partial to write it without them"
        )
    for name, why in summary.not_made.items():
        say(f"{name} was not written: {why}")
    return bool(summary.kept or summary.not_made) or any(made.left_out for made in summary.formats)
