"""Scoring labelled frames with a classifier, and the folder that tells how good it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.errors import why_of
from curate.evaluation.classifier import Floats, Scored, figures, markdown
from curate.evaluation.labels import LabelledFrame
from curate.evaluation.plots import write_plots
from curate.files.atomic import write_atomic
from curate.files.csv_file import csv_text
from curate.nets.classifier import Classifier
from curate.nets.preprocess import decode
from curate.predict.predictor import decode_image
from curate.records import NON_SURGICAL, SURGICAL
from curate.verdicts.rules import judge
from curate.vision.contact_sheet import Cell, Image, contact_sheet, thumbnail

SHOWN = 48
"""Pictures on a contact sheet."""


def score(
    classifier: Classifier, frames: Sequence[LabelledFrame], advance: Callable[[int], object], threads: int = 1
) -> tuple[list[LabelledFrame], Floats, list[tuple[LabelledFrame, str]]]:
    """Ask a classifier about labelled frames.

    Args:
        classifier: Loaded.
        frames: Pictures of any format.
        advance: Told how many more are done.
        threads: That decode.

    Returns:
        The frames that can be read, their probabilities float64 (N,), and the others with what is wrong.
    """

    def prepare(frame: LabelledFrame) -> Image | str:
        try:
            data = frame.path.read_bytes()
            return classifier.prepare(data if data.startswith(b"\xff\xd8") else decode_image(data))
        except (OSError, ValueError) as error:
            return why_of(error)

    read: list[LabelledFrame] = []
    answers: list[npt.NDArray[np.float32]] = []
    broken: list[tuple[LabelledFrame, str]] = []
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(frames), classifier.batch_size):
            batch = frames[start : start + classifier.batch_size]
            pixels = []
            for frame, made in zip(batch, pool.map(prepare, batch), strict=True):
                if isinstance(made, str):
                    broken.append((frame, made))
                else:
                    read.append(frame)
                    pixels.append(made)
            if pixels:
                answers.append(classifier.predict_prepared(np.stack(pixels)))
            advance(len(batch))
    p = np.concatenate(answers).astype(np.float64) if answers else np.empty(0)
    return read, p, broken


def write_report(scored: Scored, folder: Path, labels: Path, model: dict[str, Any]) -> dict[str, Any]:
    """Write all there is to know about a classifier's answers.

    ``report.json`` (all figures), ``report.md``, ``predictions.csv``, ``sources.csv``, three plots, and the contact
    sheets ``errors.jpg`` (most confident first) and ``uncertain.jpg``, where there are such frames.

    Args:
        scored: The answers.
        folder: Made if missing; what an earlier report left there is replaced.
        labels: The labels file, beside which the pictures' paths begin.
        model: Facts about the model for ``report.json``.

    Returns:
        What ``report.json`` holds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    result = {"model": model, **figures(scored)}
    _write_json(folder / "report.json", result)
    write_atomic(folder / "report.md", f"# {model['name']} on {labels.name}\n\n{markdown(result)}\n".encode())
    verdicts = judge(scored.p, scored.threshold, scored.uncertain)
    rows = [
        {
            "file": _shown(frame, labels),
            "label": _label(frame),
            "source": frame.source,
            "group": frame.group,
            "p_surgical": f"{p:.6f}",
            "verdict": str(verdict),
        }
        for frame, p, verdict in zip(scored.frames, scored.p, verdicts, strict=True)
    ]
    _write_csv(folder / "predictions.csv", rows)
    sources = [{**row, "low": row["interval"][0], "high": row["interval"][1]} for row in map(dict, result["sources"])]
    for row in sources:
        del row["interval"]
    _write_csv(folder / "sources.csv", sources)
    write_plots(scored, folder)
    side = np.where(scored.truth, scored.threshold - scored.p, scored.p - scored.threshold)
    from_threshold = np.abs(scored.p - scored.threshold)
    for name, chosen in (
        ("errors.jpg", _ranked(scored.wrong, -side)),
        ("uncertain.jpg", _ranked(scored.unsure, from_threshold)),
    ):
        if len(chosen):
            write_atomic(folder / name, contact_sheet(list(_cells(scored, chosen[:SHOWN], labels))))
        else:
            (folder / name).unlink(missing_ok=True)
    return result


def _ranked(chosen: npt.NDArray[np.bool_], by: Floats) -> npt.NDArray[np.int64]:
    """Indices of the chosen rows, the smallest value of ``by`` first."""
    indices = np.flatnonzero(chosen)
    return indices[np.argsort(by[indices], kind="stable")]


def _cells(scored: Scored, indices: Sequence[int] | npt.NDArray[np.int64], labels: Path) -> Iterator[Cell]:
    for index in indices:
        frame = scored.frames[index]
        data = frame.path.read_bytes()
        image = decode(data) if data.startswith(b"\xff\xd8") else decode_image(data)
        caption = (f"p {scored.p[index]:.4f}, labelled {_label(frame)}", _shown(frame, labels))
        yield Cell(thumbnail(image), caption)


def _shown(frame: LabelledFrame, labels: Path) -> str:
    """A picture's path as the labels file gives it."""
    folder = labels.parent
    return str(frame.path.relative_to(folder)) if frame.path.is_relative_to(folder) else str(frame.path)


def _label(frame: LabelledFrame) -> str:
    return SURGICAL if frame.surgical else NON_SURGICAL


def _write_json(path: Path, value: Any) -> None:
    write_atomic(path, (json.dumps(value, indent=2) + "\n").encode())


def _write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    write_atomic(path, csv_text(list(rows[0]), rows).encode("utf-8", "backslashreplace"))
