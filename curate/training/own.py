"""A classifier from a lab's own labels: fitted, tested on what it has not seen, calibrated, written with a card."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

from curate.errors import CurateError, why_of
from curate.evaluation.classifier import Scored, figures
from curate.evaluation.labels import Families, LabelledFrame, even_weights
from curate.evaluation.statistics import choose_operating_point, fit_temperature
from curate.nets.preprocess import decode
from curate.nets.weights.model_config import ModelConfig
from curate.training.experiment import Experiment, prepare
from curate.training.fit import Recipe
from curate.training.folds import Folds, by_unit, make_folds, unit_of
from curate.training.save import save_model
from curate.training.start import Start

Advance = Callable[[int], object]

RELATED_SOURCES = Families({})
"""Sources are not merged into families: what shows the same cases is to carry the same source."""


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How a model is trained.

    Attributes:
        pictures: Pictures to compose from the frames.
        steps: Steps of the optimiser.
        folds: Largest number of parts that are left out in turn; 0 tests nothing.
        seed: Of the compositions.
        threads: CPU threads.
    """

    pictures: int
    steps: int = Recipe.iterations
    folds: int = 10
    seed: int = 0
    threads: int = 1


@dataclasses.dataclass(frozen=True)
class Trained:
    """What came of it.

    Attributes:
        config: Of the model that was written.
        scored: The frames as judged by networks that had not seen their source or group; ``None`` if not tested.
        figures: Of ``scored``.
        folds: How it was tested.
    """

    config: ModelConfig
    scored: Scored | None
    figures: dict[str, Any] | None
    folds: Folds | None


def usual_pictures(frames: int) -> int:
    """How many pictures to compose for a number of frames: eight for each, 2,000 to 16,000."""
    return min(max(2000, 8 * frames), 16000)


def readable(frames: Sequence[LabelledFrame], labels: Path, folder: Path, advance: Advance) -> list[LabelledFrame]:
    """Check every picture, and copy those that are no JPEGs as JPEGs.

    Args:
        frames: As read from ``labels``.
        labels: Named in errors.
        folder: For the copies; made if needed.
        advance: Told how many more are checked.

    Raises:
        CurateError: A picture cannot be decoded; with its line.
    """
    from curate.predict.predictor import decode_image

    def check(frame: LabelledFrame) -> LabelledFrame:
        try:
            data = frame.path.read_bytes()
            if data.startswith(b"\xff\xd8"):
                decode(data, 32, 32)
                return frame
            image = decode_image(data)
        except (OSError, ValueError) as error:
            raise CurateError(
                f"{labels}:{frame.line}: cannot read the picture {frame.path}: {why_of(error)}"
            ) from error
        folder.mkdir(parents=True, exist_ok=True)
        copy = folder / f"{frame.line}-{frame.path.stem}.jpg"
        copy.write_bytes(simplejpeg.encode_jpeg(image, 98, "RGB", "444"))
        return dataclasses.replace(frame, path=copy)

    checked = []
    with ThreadPoolExecutor(2) as pool:
        for frame in pool.map(check, frames):
            checked.append(frame)
            advance(1)
    return checked


def look_at(
    frames: Sequence[LabelledFrame], start: Start, settings: TrainingSettings, cache: Path, advance: Advance
) -> tuple[Experiment, Folds | None]:
    """Compose pictures, see all through the backbones, and split the frames into what is left out in turn.

    Args:
        frames: JPEGs of both labels.
        start: Network whose backbones are used.
        settings: How.
        cache: Keeps the features of composed pictures, so that a stopped training goes on where it was.
        advance: Told how many more of ``settings.pictures + len(frames)`` pictures have been seen.

    Raises:
        CurateError: Too few sources and groups to leave some out.
    """
    folds = make_folds(frames, settings.folds) if settings.folds else None
    experiment = prepare(
        folds.frames if folds else by_unit(frames, unit_of(frames)),
        RELATED_SOURCES,
        start.network,
        start.config,
        draws=settings.pictures,
        cache=cache,
        backbones=start.sha256,
        seed=settings.seed,
        threads=settings.threads,
        advance=advance,
    )
    return experiment, folds


def train(
    experiment: Experiment,
    folds: Folds | None,
    frames: Sequence[LabelledFrame],
    start: Start,
    settings: TrainingSettings,
    folder: Path,
    *,
    command: str,
    advance: Advance,
) -> Trained:
    """Test, calibrate, fit to everything and write a classifier.

    Args:
        experiment: From `look_at`.
        folds: From `look_at`.
        frames: The frames it was made of.
        start: Gets the new head.
        settings: How.
        folder: Of the model.
        command: Written into the config.
        advance: Told how many more parts have been tested.
    """
    import torch

    torch.set_num_threads(settings.threads)
    recipe = Recipe(iterations=settings.steps)
    calibration: dict[str, Any] = {}
    scored = None
    if folds is not None:
        margins = np.empty(len(frames))
        for fold in experiment.leave_out(folds.parts, recipe):
            margins[fold.tested] = fold.margins
            advance(1)
        scored, temperature = calibrated(frames, margins)
        point = {"threshold": scored.threshold, "uncertain": scored.uncertain}
        calibration = {"temperature": round(temperature, 4), **point}
    experiment.head(recipe).put_into(start.network, start.config)
    config = save_model(start.network, start.config, folder, training_command=command, **calibration)
    return Trained(config, scored, figures(scored) if scored else None, folds)


def calibrated(frames: Sequence[LabelledFrame], margins: np.ndarray) -> tuple[Scored, float]:
    """Probabilities, threshold and band from the margins of frames that the networks had not seen.

    Sources weigh by the root of their size, both labels alike.

    Returns:
        The frames with their probabilities, and the temperature.
    """
    truth = np.array([frame.surgical for frame in frames])
    weights = even_weights(frames, RELATED_SOURCES, 0.5)
    temperature = fit_temperature(margins, truth, weights)
    p = 1 / (1 + np.exp(-margins / temperature))
    point = choose_operating_point(p, truth, weights)
    return Scored(frames, p, point.threshold, point.uncertain), temperature
