"""``curate predict``: the models alone, on images and videos."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import click

from curate.cli.common import is_quiet, verbosity
from curate.cli.exits import leave, say
from curate.config import load_toml, resolve

LOG_SECONDS = 10.0
"""Time between two progress lines."""

DETECTORS: dict[str, dict[str, Any]] = {
    "all": {"detector": "text", "overlays": True},
    "text": {"detector": "text", "overlays": False},
    "overlay": {"detector": "none", "overlays": True},
    "none": {"detector": "none", "overlays": False},
}
"""Values of the ``mask`` table for each choice of detectors."""


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="IMAGES_FOLDERS_OR_VIDEOS...", type=click.Path())
@click.option("--model", help="Frame classifier, as for curate classify.  [default: default]")
@click.option("--rate", type=float, help="Frames a second taken from videos.  [default: 1]")
@click.option("--threshold", type=float, help="At or above it is surgical.  [default: the model's own]")
@click.option("--uncertain-low", type=float, help="Start of the uncertain band.  [default: the model's own]")
@click.option("--uncertain-high", type=float, help="End of the uncertain band.  [default: the model's own]")
@click.option("--smooth/--no-smooth", default=None, help="Videos: let neighbours inform a verdict, as in curate trim.")
@click.option(
    "--detector", type=click.Choice(list(DETECTORS)), help="What looks for regions; none is fastest.  [default: all]"
)
@click.option("--device", help="auto, cpu, cuda, or cuda:N.  [default: auto]")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="TOML file; [sample] to [mask] tables count."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="File to write: .parquet, .csv or .jsonl.",
)
@verbosity
def predict(
    inputs: tuple[str, ...],
    model: str | None,
    rate: float | None,
    threshold: float | None,
    uncertain_low: float | None,
    uncertain_high: float | None,
    smooth: bool | None,
    detector: str | None,
    device: str | None,
    config_file: Path | None,
    output: Path,
) -> None:
    """Write one row for every image and every sampled frame of a video: p_surgical, verdict, regions.

    Nothing else is written, and no workspace is needed. A video gets the verdicts that curate run would give it.
    Regions are looked for whatever the verdict.

    Exit codes: 0 all read, 1 wrong usage, 2 some files could not be read; they are listed, the others are in OUTPUT.
    """
    # The detectors' runtime has its own CUDA support; they fall back to the CPU where it is missing.
    given: dict[str, dict[str, Any]] = {
        "sample": {"rate": rate},
        "classify": {"model": model, "device": device},
        "trim": {
            "threshold": threshold,
            "uncertain_low": uncertain_low,
            "uncertain_high": uncertain_high,
            "smooth": smooth,
        },
        "mask": {**(DETECTORS[detector] if detector else {}), "device": "cpu" if device == "cpu" else None},
    }
    layers = [load_toml(config_file)] if config_file is not None else []
    named = {table: {k: v for k, v in values.items() if v is not None} for table, values in given.items()}
    options = resolve("options", *layers, named)

    from curate.predict.predictor import Broken, Predictor, input_files
    from curate.predict.table import PredictionWriter

    paths = input_files(inputs)
    progress = _Progress(len(paths), quiet=is_quiet())
    verdicts: Counter[str] = Counter()
    broken = 0
    with PredictionWriter(output) as writer:
        for answer in Predictor(options, output.parent).predict(paths):
            progress.on(answer.path)
            if isinstance(answer, Broken):
                broken += 1
                say(f"failed: {answer.path}: {' '.join(answer.why.split())[:200]}")
                continue
            verdicts[answer.verdict] += 1
            shown = os.fsencode(answer.path).decode("utf-8", "backslashreplace")
            writer.add(shown, answer.timestamp, answer.p_surgical, answer.verdict, answer.regions)
    if not is_quiet():
        counts = ", ".join(f"{count} {name}" for name, count in sorted(verdicts.items()))
        click.echo(f"{output}: {verdicts.total()} rows of {len(paths) - broken} files{': ' if counts else ''}{counts}")
    if broken:
        say(f"{broken} of {len(paths)} files could not be read")
    leave(failures=broken)


class _Progress:
    """A line every few seconds: files begun, rows, rows a second."""

    def __init__(self, files: int, *, quiet: bool) -> None:
        self._files, self._quiet = files, quiet
        self._started = self._said = time.monotonic()
        self._begun = self._rows = 0
        self._path: str | None = None

    def on(self, path: str) -> None:
        """Take note of an answer for a file."""
        self._rows += 1
        if path != self._path:
            self._path, self._begun = path, self._begun + 1
        now = time.monotonic()
        if not self._quiet and now - self._said >= LOG_SECONDS:
            self._said = now
            rate = self._rows / (now - self._started)
            say(f"predict: file {self._begun}/{self._files}, {self._rows} rows, {rate:.1f}/s")
