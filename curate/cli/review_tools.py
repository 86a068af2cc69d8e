"""The commands of ``curate review`` that need no browser."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import click

from curate.cli.common import verbosity
from curate.cli.exits import leave, say, show
from curate.cli.flags import workspace_flag
from curate.cli.review import reviewer_flag

_SHOWN = 50
"""Problems printed in full; the rest are counted."""

seed_flag = click.option("--seed", type=click.IntRange(0, 1 << 40), default=0, show_default=True, help="Of the sample.")


@click.command("next")
@workspace_flag
@click.option("-n", "count", type=click.IntRange(1, 2000), default=60, show_default=True, help="How many frames.")
@click.option("--random", "drawn", is_flag=True, help="A random sample instead, to estimate precision and recall from.")
@click.option(
    "--all", "everywhere", is_flag=True, help="Look at all videos at once, which takes long if they are many."
)
@seed_flag
@reviewer_flag
@verbosity
def next_frames(workspace: Path, count: int, drawn: bool, everywhere: bool, seed: int, who: str) -> None:
    """Print the frames that are most worth a look as CSV, with an empty column label to fill in.

    First come frames whose verdict is likely wrong: the model is unsure, or most frames that look alike are judged the
    other way; among them, those that look new. How many of the verdicts are expected to be wrong is said on standard
    error. Give the filled table to curate review add.

    Where there are many videos, only some are looked at: for each 60 frames that you decided or ask for, those of some
    3,000 more pictures, or all with --all.
    """
    from curate.files.csv_file import CsvWriter
    from curate.review.desk import Desk
    from curate.run.session import open_session

    if drawn and everywhere:
        raise click.UsageError("--random draws from all videos: leave --all out")
    desk = Desk(open_session(workspace), who, seed)
    try:
        rows, note = desk.listed(count, at_random=drawn, everywhere=everywhere)
    finally:
        desk.close()
    table = CsvWriter(sys.stdout, ("video", "timestamp", "label", "p_surgical", "verdict", "chance", "why"))
    for row in rows:
        table.write(row)
    say(note)


@click.command()
@workspace_flag
@seed_flag
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@verbosity
def estimate(workspace: Path, seed: int, as_json: bool) -> None:
    """Estimate precision and recall of the models' verdicts over the whole workspace, with 95 % intervals.

    Counted are the frames that were decided of a random sample: choose "a random sample" in curate review, or fill in
    what curate review next --random prints. It is drawn from each verdict apart; frames that were looked at for another
    reason do not count, since they were chosen for being suspect. The intervals are exact (Clopper and Pearson, the
    risk shared among the verdicts): they hold the truth at least as often as they say.
    """
    from curate.review.estimating import estimate_workspace
    from curate.run.session import open_session

    found = estimate_workspace(open_session(workspace, write=False), seed)
    strata = {
        verdict: {"frames": s.size, "drawn": s.drawn, "surgical": s.surgical, "unknown": s.unknown, "taken": s.taken}
        for verdict, s in found.strata.items()
    }
    if as_json:
        figures = {n: [_or_none(v) for v in (f.value, f.low, f.high)] for n, f in _figures(found)}
        show(json.dumps({**figures, "strata": strata}, indent=2))
        return
    for name, figure in _figures(found):
        show(f"{name:10} {figure}")
    for verdict, s in strata.items():
        show(f"{verdict:13} {s['frames']} frames, {s['drawn']} of the sample decided, {s['surgical']} show surgery")


def _figures(found: Any) -> list[tuple[str, Any]]:
    return [("precision", found.precision), ("recall", found.recall)]


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@verbosity
def agreement(first: Path, second: Path, as_json: bool) -> None:
    """Compare two files of decisions, FIRST and SECOND: decisions/NAME.jsonl of a workspace, or CSVs of labels.

    Labels of frames: Cohen's kappa on frames that both decided, with a 95 % interval by bootstrap over videos. Trims:
    how far apart the edges lie. Boxes: F1 at an intersection over union of 0.5.
    """
    from curate.review.agreement import compare, read_reviewed

    one, other = read_reviewed(first), read_reviewed(second)
    problems = [*one.problems, *other.problems]
    found = compare(one, other)
    k = found.labels
    if as_json:
        data = {
            "frames": {"both": k.frames, "videos": k.videos, "agreed": k.agreed, "kappa": _or_none(k.value)},
            "interval": [_or_none(k.low), _or_none(k.high)],
            "trims": {"edges": len(found.edges), "median_seconds": _or_none(found.median_edge)},
            "boxes": {"first": found.boxes[0], "second": found.boxes[1], "f1": _or_none(found.box_f1)},
            "videos": {"both": found.videos[0], "agreed": found.videos[1]},
        }
        show(json.dumps(data, indent=2))
    else:
        said = "cannot be said" if math.isnan(k.value) else f"{k.value:.3f} ({k.low:.3f} to {k.high:.3f})"
        show(f"frames  kappa {said}; {k.agreed} of {k.frames} alike, in {k.videos} videos")
        apart = f", {found.median_edge:g} s apart (median)" if found.edges else ""
        show(f"trims   {len(found.edges)} edges that both moved{apart}")
        f1 = "" if math.isnan(found.box_f1) else f", F1 {found.box_f1:.3f}"
        show(f"boxes   {found.boxes[0]} and {found.boxes[1]}{f1}")
        show(f"videos  {found.videos[1]} of {found.videos[0]} alike")
    _say_problems(problems)
    leave(failures=problems)


@click.command()
@workspace_flag
@verbosity
def check(workspace: Path) -> None:
    """Name every line of decisions that is not heeded, and what reviewers do not agree on.

    Lines that are damaged, of another workspace or edited into nonsense; decisions about videos, frames and boxes that
    are not there; contradictions. The exit code is 2 if there are any.
    """
    from curate.review.checking import check_decisions
    from curate.run.session import open_session

    session = open_session(workspace, write=False)
    problems = check_decisions(session)
    show(f"{len(session.pipeline.journal.standing())} decisions stand")
    _say_problems(problems)
    leave(failures=problems)


@click.command()
@click.argument("table", type=click.Path(path_type=Path))
@workspace_flag
@reviewer_flag
@verbosity
def add(table: Path, workspace: Path, who: str) -> None:
    """Take the labels of TABLE, a CSV with the columns video, timestamp and label, into the workspace's decisions.

    What curate review next and curate report review write has these columns. Rows without a label decide nothing; rows
    that make no sense are named, and the rest counts.
    """
    from curate.review.checking import add_labels
    from curate.run.session import open_session

    count, problems = add_labels(open_session(workspace), table, who)
    show(f"{count} decisions of {who} were added; 'curate run -w {workspace}' takes them in")
    _say_problems(problems)
    leave(failures=problems)


@click.command()
@workspace_flag
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="New folder to write."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["labels", "boxes", "fiftyone"]),
    default="labels",
    show_default=True,
    help="labels: for curate train classifier; boxes: for curate train masks and curate evaluate masks; "
    "fiftyone: a FiftyOneDataset.",
)
@verbosity
def export(workspace: Path, output: Path, form: Any) -> None:
    """Write the decided frames as pictures, with what people said of them.

    The folder is read by curate train classifier --labels FOLDER/labels.csv, by curate train masks --boxes
    FOLDER/boxes.csv and curate evaluate masks FOLDER/boxes.csv, or by FiftyOne as a FiftyOneDataset.
    """
    from curate.review.hand_over import hand_over
    from curate.run.session import open_session

    made = hand_over(open_session(workspace, write=False), output, form)
    show(f"{made.frames} frames: {output}")
    _say_problems(list(made.problems))
    leave(failures=made.problems)


def _say_problems(problems: list[str]) -> None:
    for problem in problems[:_SHOWN]:
        say(problem)
    if len(problems) > _SHOWN:
        say(f"and {len(problems) - _SHOWN} more")
