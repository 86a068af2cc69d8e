"""``curate evaluate classifier``: a frame classifier against labelled frames."""

from __future__ import annotations

from pathlib import Path

import click

from curate.cli.common import is_quiet, verbosity
from curate.cli.exits import leave, say
from curate.cli.meter import Meter
from curate.config import TrimOptions
from curate.errors import CurateError


@click.command()
@click.option("--labels", type=click.Path(path_type=Path), required=True, help="CSV, as for curate train classifier.")
@click.option("--model", default="default", show_default=True, help="Frame classifier, as for curate classify.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the report."
)
@click.option(
    "--threshold", type=click.FloatRange(0, 1), help="At or above it is surgical.  [default: the model's own]"
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, or cuda:N.")
@verbosity
def classifier(labels: Path, model: str, output: Path, threshold: float | None, device: str) -> None:
    """Say how good a frame classifier is on labelled frames.

    LABELS is a CSV with file and label (surgical or non-surgical), and optionally source, group and licence. OUTPUT
    gets report.md and report.json, predictions.csv, sources.csv with Wilson's intervals, plots of precision and
    recall, reliability and confusion, and contact sheets of the worst errors and of the uncertain frames.

    Frames that the model was trained on say nothing about it.

    Exit codes: 0 done, 1 wrong usage, 2 some pictures could not be read; they are listed and left out.
    """
    from curate.evaluation.labels import read_labels

    frames = read_labels(labels)

    from curate.evaluation.classifier import Scored, markdown
    from curate.evaluation.report import score, write_report
    from curate.nets.classifier import load_classifier
    from curate.nets.device import available_threads
    from curate.stages.trim import operating_point

    loaded = load_classifier(model, device=device)
    quiet = is_quiet()
    with Meter("evaluate", len(frames), "picture", quiet=quiet) as meter:
        read, p, broken = score(loaded, frames, meter, available_threads())
    for frame, why in broken:
        say(f"{labels}:{frame.line}: left out, the picture cannot be read: {why}")
    if {frame.surgical for frame in read} != {True, False}:
        raise CurateError(f"{labels}: no picture of one of the labels can be read, so there is nothing to compare")
    own = loaded.config
    at, band = operating_point(TrimOptions(threshold=threshold), own.threshold, own.uncertain)
    facts = {"name": own.name, "sha256": [part.sha256 for part in own.weights], "temperature": own.temperature}
    result = write_report(Scored(read, p, at, band), output, labels, facts)
    click.echo(markdown(result))
    if not quiet:
        click.echo(f"\nreport, plots and contact sheets: {output}")
    leave(failures=broken)
