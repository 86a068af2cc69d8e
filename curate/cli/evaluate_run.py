"""``curate evaluate run``: a finished workspace against the truth about its videos."""

from __future__ import annotations

import json
from pathlib import Path

import click

from curate.cli.common import verbosity
from curate.cli.exits import leave, say
from curate.errors import BadArtefact, CurateError


@click.command()
@click.argument("truth_folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("-w", "--workspace", type=click.Path(path_type=Path), required=True, help="Workspace folder.")
@click.option("--json", "as_json", is_flag=True, help="All figures as JSON.")
@verbosity
def run(truth_folder: Path, workspace: Path, as_json: bool) -> None:
    """Compare a finished workspace with the truth about its videos, second by second.

    TRUTH_FOLDER holds a file VIDEO_ID.json for each video, of the form
    {"segments": [{"start": 0.0, "end": 10.0, "label": "non-surgical"}, ...]}: seconds, labels surgical or
    non-surgical, in order, without overlap. Frames outside all segments are not judged; videos without a file are
    left out.

    A frame is right if its verdict is that of the segment it lies in; an uncertain frame counts by the side of the
    threshold it is on. The trim error is the distance of the kept part's two ends from the start of the first and the
    end of the last stretch of surgery that lasts at least trim's min_run.

    Exit codes: 0 all compared, 1 wrong usage, 2 videos without verdicts, or damaged ones; they are listed.
    """
    from curate.evaluation.truth import read_truth
    from curate.evaluation.videos import compare, markdown, summary
    from curate.run.session import open_session

    truths = {path.stem: read_truth(path) for path in sorted(truth_folder.glob("*.json"))}
    if not truths:
        raise CurateError(f"{truth_folder} holds no VIDEO_ID.json files")
    session = open_session(workspace, write=False)
    known = {video.id: video for video in session.pipeline.videos}
    results, missing = [], 0
    for name, truth in truths.items():
        why = ""
        if name not in known:
            why = "is not in the manifest"
        else:
            last = {s.stage: s for s in session.pipeline.statuses(known[name])}
            if "trim" not in last or last["trim"].state not in ("done", "dropped"):
                status = list(last.values())[-1]
                why = f"has no verdicts: it is {status.state} at {status.stage}"
        if not why:
            path = session.pipeline.artefact(known[name], "trim")
            try:
                results.append(compare(name, path, truth, session.config.trim.min_run))
            except BadArtefact as error:
                why = f"has damaged verdicts: {error}"
        if why:
            missing += 1
            say(f"{name}: {why}")
    click.echo(json.dumps(summary(results), indent=2) if as_json else markdown(results))
    leave(failures=missing)
