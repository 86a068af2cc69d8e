"""``curate corpus dedup``: what the videos of a workspace share with one another."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import cloup

from curate.cli.common import is_quiet, verbosity
from curate.cli.exits import leave, say, show
from curate.cli.flags import config_flag, workspace_flag
from curate.cli.options import Layer, stage_flags

if TYPE_CHECKING:
    from curate.run.deduplicate import Found

_SHOWN = 20
"""Groups printed in full; the rest are counted."""


@cloup.command(name="dedup")
@workspace_flag
@config_flag
@stage_flags("dedup")
@verbosity
def dedup(workspace: Path, config_file: Path | None, given: Layer) -> None:
    """Find videos that share pictures: copies, excerpts, parts, mirrored or not.

    Hashes that are missing are made first, as 'curate signature' does. All complete videos are compared, and the
    stretches that they share are written to corpus/duplicates.parquet. What would be left out is shown and nothing is
    deleted; exports leave it out with --dedup. Thresholds, ranking and policy can be changed at any time without
    comparing anything again; only --distance and --quality ask for that.
    """
    from tqdm import tqdm

    from curate.cli.progress import Progress
    from curate.run.deduplicate import find_duplicates
    from curate.run.session import open_session, run_stages

    switched_on: Layer = {**given, "signature": {"method": "hashes"}}
    session = open_session(workspace, given=switched_on, config_file=config_file)
    progress = Progress(["signature"], quiet=is_quiet())
    try:
        run_stages(session, ["signature"], progress, expect=progress.expect)
    finally:
        progress.close()
    for halt in progress.halts:
        say(halt)
    began = time.monotonic()
    with tqdm(unit="videos", disable=is_quiet() or not sys.stderr.isatty(), leave=False) as bar:
        found = find_duplicates(session.pipeline, lambda compared: bar.update(compared - bar.n))
    if not is_quiet():
        say(f"{found.videos} videos compared in {time.monotonic() - began:.1f} s" if found.made else "up to date")
    _show(found)
    leave(failures=progress.halts)


def _show(found: Found) -> None:
    repeats = found.repeats
    kinds = Counter(found.kinds.values())
    named = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    seconds = sum(end - start for spans in repeats.spans.values() for start, end in spans)
    show(
        f"{len(found.kinds)} pairs of videos share pictures{f' ({named})' if named else ''}: "
        f"{len(repeats.groups)} groups, {len(repeats.lost)} videos and {seconds:.0f} s of {len(repeats.spans)} others "
        "would be left out"
    )
    for group in repeats.groups[:_SHOWN]:
        lost = [f"{video} (as {kept})" for video, kept in group.lost.items()]
        cut = [f"{video} {len(cuts)} parts" for video, cuts in group.cuts.items()]
        line = f"  stay: {', '.join(group.kept)}"
        line += f"; left out: {', '.join(lost)}" if lost else ""
        show(line + (f"; cut: {', '.join(cut)}" if cut else ""))
    if len(repeats.groups) > _SHOWN:
        show(f"  and {len(repeats.groups) - _SHOWN} more groups")
    show(f"{found.table}" + ("" if found.enabled else "; exports heed it with --dedup"))
