"""``curate train masks``: an overlay network for a lab's own interface, from hand-drawn boxes."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import click

from curate.cli.common import is_quiet, verbosity
from curate.cli.meter import Meter
from curate.cli.reviewed import written_reviews
from curate.errors import CurateError


@click.command()
@click.option("--boxes", type=click.Path(path_type=Path), help="CSV of hand-drawn boxes, see above.")
@click.option(
    "--review",
    "reviewed",
    type=click.Path(path_type=Path, file_okay=False),
    multiple=True,
    help="Workspace whose frames with boxes corrected in curate review are learnt from too; repeatable.",
)
@click.option("--media", type=click.Path(path_type=Path, file_okay=False), help="Folder of the pictures named.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of the new model."
)
@click.option(
    "--steps", type=click.IntRange(1, 100_000), default=300, show_default=True, help="Steps of the optimiser."
)
@click.option(
    "--folds",
    type=click.IntRange(2, 100),
    default=3,
    show_default=True,
    help="Parts in which videos are left out in turn, at most.",
)
@click.option(
    "--evaluation/--no-evaluation", default=True, show_default=True, help="Whether to test on what is left out."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Another number draws other windows.")
@click.option("--threads", type=click.IntRange(1, 1024), help="CPU threads.  [default: all]")
@verbosity
def masks(
    boxes: Path | None,
    reviewed: tuple[Path, ...],
    media: Path | None,
    output: Path,
    steps: int,
    folds: int,
    evaluation: bool,
    seed: int,
    threads: int | None,
) -> None:
    """Teach the mask stage your own interface; use it with curate run --mask-overlay-model FOLDER.

    BOXES is a CSV with the columns of curate evaluate masks: file, kind, x1, y1, x2, y2, a row a box, in pixels, right
    and bottom excluded; a row without a kind says that there is nothing on the picture. A few dozen frames will do,
    with all that is to be covered and some without anything. Optional: video, what a frame comes from. Frames on which
    boxes were added, moved or deleted in curate review count as well, with all boxes that are left on them: --review
    WORKSPACE, beside BOXES or instead of them.

    Kinds text, logo, ui, pip and other are learnt; what is under a box of another kind (redaction, face, border,
    ignore) counts for nothing. The packaged network is trained further. Videos are left out in turn, and the figures on
    them are printed and stand in the card, beside those of the packaged network. An interface that never moves needs no
    training: see curate mask --template.

    Exit codes: 0 done, 1 wrong usage or boxes, 130 interrupted.
    """
    from curate.nets.detect.boxed import read_boxed
    from curate.nets.detect.own_overlay import SEAL

    if (output / SEAL).exists():
        raise CurateError(f"{output} holds a model already: name another folder, or delete it")
    if boxes is None and not reviewed:
        raise click.UsageError("name frames with boxes: --boxes CSV, --review WORKSPACE, or both")
    if media is not None and boxes is None:
        raise click.UsageError("--media is the folder of the pictures that --boxes names")
    scratch = output / ".training"
    frames = read_boxed(boxes, media) if boxes is not None else []
    for place in written_reviews(reviewed, scratch, "boxes"):
        frames += read_boxed(place / "boxes.csv")

    from curate.files.atomic import write_atomic
    from curate.nets.device import available_threads
    from curate.training.masks import MaskTraining, parts_of, train_masks
    from curate.training.masks_card import render_masks_card, table_of

    settings = MaskTraining(steps, folds=folds if evaluation else 0, seed=seed, threads=threads or available_threads())
    rounds = 1 + (len(parts_of(frames, folds)) if evaluation else 0)
    with Meter("training", rounds * steps, "step", quiet=is_quiet()) as meter:
        figures = train_masks(frames, settings, output, scratch, advance=meter)
    words = [] if boxes is None else ["--boxes", boxes.name]
    for workspace in reviewed:
        words += ["--review", workspace.resolve().name]
    words += ["-o", output.resolve().name, "--steps", str(steps), "--seed", str(seed)]
    words += ["--folds", str(folds)] if evaluation else ["--no-evaluation"]
    command = f"curate train masks {shlex.join(words)}"
    card = render_masks_card(output.resolve().name, frames, figures, command)
    write_atomic(output / "README.md", card.encode())
    shutil.rmtree(scratch, ignore_errors=True)
    if figures:
        click.echo(table_of(figures))
    if not is_quiet():
        click.echo(f"\n{output}: use it with curate run --mask-overlay-model {shlex.quote(str(output))}")
