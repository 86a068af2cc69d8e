"""``curate train classifier``: a frame classifier from a lab's own labels."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curate.cli.common import is_quiet, verbosity
from curate.cli.meter import Meter
from curate.cli.reviewed import written_reviews
from curate.errors import CurateError

if TYPE_CHECKING:
    from curate.training.own import TrainingSettings


@click.command()
@click.option("--labels", type=click.Path(path_type=Path), help="CSV of labelled frames, see above.")
@click.option(
    "--review",
    "reviewed",
    type=click.Path(path_type=Path, file_okay=False),
    multiple=True,
    help="Workspace whose reviewed frames are labelled frames too; repeatable.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of the new model."
)
@click.option(
    "--backbone",
    default="default",
    show_default=True,
    help="Model whose backbones are used, as for curate classify, or MobileNetV2's ImageNet weights (.pth).",
)
@click.option(
    "--pictures",
    type=click.IntRange(32, 1_000_000),
    help="Pictures to compose from the frames.  [default: 8 a frame, 2,000 to 16,000]",
)
@click.option("--steps", type=click.IntRange(1, 1000), default=30, show_default=True, help="Steps of the optimiser.")
@click.option(
    "--folds",
    type=click.IntRange(2, 1000),
    default=10,
    show_default=True,
    help="Parts in which sources or groups are left out in turn, at most.",
)
@click.option(
    "--evaluation/--no-evaluation",
    default=True,
    show_default=True,
    help="Whether to test on what is left out; without it the model is not calibrated.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Another number composes other pictures.")
@click.option("--threads", type=click.IntRange(1, 1024), help="CPU threads.  [default: all]")
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that keeps the pictures' features for other trainings.  [default: in OUTPUT, until it is finished]",
)
@verbosity
def classifier(
    labels: Path | None,
    reviewed: tuple[Path, ...],
    output: Path,
    backbone: str,
    pictures: int | None,
    steps: int,
    folds: int,
    evaluation: bool,
    seed: int,
    threads: int | None,
    cache: Path | None,
) -> None:
    """Train a frame classifier on your own labels; use it with curate run --classify-model FOLDER.

    LABELS is a CSV with a header. file: picture, relative to the CSV. label: surgical or non-surgical. Optional:
    source: the data set or hospital, which is left out as a whole to test on what is new; give what shows the same
    cases the same source. group: the video, case or scene, never split. licence: for the model's card. Frames that were
    decided in curate review are labelled frames as well: --review WORKSPACE, beside LABELS or instead of them.

    Pictures are composed from the frames (borders, boxes, text, insets, blur, light, colours), frozen backbones turn
    them into features, and a linear head is fitted. Sources are left out in turn, or groups where there are too few
    sources, and the answers on them give the figures of the card, the temperature that makes p_surgical a
    probability, the threshold, and the band of uncertain frames. A training that was stopped goes on where it was.

    Exit codes: 0 done, 1 wrong usage or labels, 130 interrupted.
    """
    from curate.evaluation.labels import read_labels
    from curate.nets.device import available_threads

    if (output / "config.json").exists():
        raise CurateError(f"{output} holds a model already: name another folder, or delete it")
    if labels is None and not reviewed:
        raise click.UsageError("name labelled frames: --labels CSV, --review WORKSPACE, or both")
    work = output / ".training"
    frames = read_labels(labels) if labels is not None else []
    for place in written_reviews(reviewed, work, "labels"):
        frames += read_labels(place / "labels.csv")

    from curate.evaluation.classifier import markdown
    from curate.files.atomic import write_atomic
    from curate.training.card import render_card
    from curate.training.folds import make_folds
    from curate.training.own import TrainingSettings, look_at, readable, train, usual_pictures
    from curate.training.start import start_from

    quiet = is_quiet()
    start = start_from(backbone, output.resolve().name)
    settings = TrainingSettings(
        pictures or usual_pictures(len(frames)),
        steps,
        folds if evaluation else 0,
        seed,
        threads or available_threads(),
    )
    if evaluation:
        make_folds(frames, folds)  # said before the work begins
    with Meter("checking", len(frames), "picture", quiet=quiet) as meter:
        usable = readable(frames, labels or work, work, meter)
    with Meter("features", settings.pictures + len(frames), "picture", quiet=quiet) as meter:
        experiment, parts = look_at(usable, start, settings, cache or work, meter)
    command = f"curate train classifier {_options(labels, reviewed, output, backbone, settings)}"
    with Meter("evaluation", len(parts.parts) if parts else 0, "fold", quiet=quiet) as meter:
        trained = train(experiment, parts, usable, start, settings, output, command=command, advance=meter)
    write_atomic(output / "README.md", render_card(trained, start, frames, command).encode())
    shutil.rmtree(work, ignore_errors=True)
    if trained.figures:
        click.echo(markdown(trained.figures))
    if not quiet:
        click.echo(f"\n{output}: use it with curate run --classify-model {shlex.quote(str(output))}")


def _options(
    labels: Path | None, reviewed: tuple[Path, ...], output: Path, backbone: str, settings: TrainingSettings
) -> str:
    """The options that made a model, paths cut to their last part: a card says nothing of the machine."""
    words = [] if labels is None else ["--labels", labels.name]
    for workspace in reviewed:
        words += ["--review", workspace.resolve().name]
    words += ["-o", output.resolve().name]
    words += ["--backbone", Path(backbone).name if Path(backbone).exists() else backbone]
    words += ["--pictures", str(settings.pictures), "--steps", str(settings.steps), "--seed", str(settings.seed)]
    words += ["--folds", str(settings.folds)] if settings.folds else ["--no-evaluation"]
    return shlex.join(words)
