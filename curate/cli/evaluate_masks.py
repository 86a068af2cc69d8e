"""``curate evaluate masks``: boxes that are to be covered against what the mask stage covers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from curate.cli.common import verbosity
from curate.cli.options import Layer, stage_flags
from curate.config import load_toml, resolve

_PATHS = ("yolo", "overlay_model", "template")
"""Options that name files of this machine, of which a report says nothing."""


@click.command()
@click.argument("truth", nargs=-1, required=True, metavar="TRUTH...", type=click.Path(path_type=Path))
@click.option(
    "--media", type=click.Path(path_type=Path, file_okay=False), help="Folder of the images and videos named."
)
@click.option("--rate", type=click.FloatRange(1e-3, 240), default=1.0, show_default=True, help="Frames a second.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="TOML file; its [mask] table counts.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for report.json, frames.csv and sheets of the worst misses and false alarms.",
)
@stage_flags("mask")
@verbosity
def masks(
    truth: tuple[Path, ...],
    media: Path | None,
    rate: float,
    config_file: Path | None,
    output: Path | None,
    given: Layer,
) -> None:
    """Compare what curate mask covers with hand-drawn boxes.

    TRUTH is a file, or a folder of such files:

    \b
    COCO JSON   boxes on images; images with the same video_id are frames
                of one video, in the order of frame_id
    JSON        one video, beside it: {"overlays": [{"start", "end", "kind",
                "xyxy"}], "segments": [{"start", "end", "label"}]}
    CSV         file,kind,x1,y1,x2,y2 and for videos start,end; for frames
                that follow each other, sequence; kind "ignore" counts for
                nothing, a row without kind says "nothing to cover here"

    Boxes are in pixels of the frame, times in seconds; right, bottom and end are excluded. Only frames of surgery
    belong in there. Printed with and without evidence over time: the share of overlay pixels covered and the boxes
    found, for each kind; the share of other pixels covered; and the frames without overlays that are touched.
    """  # noqa: D301 -- click wants the backspace itself
    layers = [load_toml(config_file)] if config_file is not None else []
    options = resolve("options", *layers, given).mask

    from curate.evaluation.mask_report import table, write
    from curate.evaluation.mask_truth import read_truth, truth_files
    from curate.evaluation.masks import evaluate

    files = truth_files(truth)
    report = evaluate([one for path in files for one in read_truth(path, media)], options, rate)
    click.echo(table(report), nl=False)
    if output is not None:
        named = {name: value for name, value in asdict(options).items() if name not in _PATHS}
        about = {"truth": [path.name for path in files], "rate": rate, "options": named}
        for path in write(report, output, about):
            click.echo(str(path))
