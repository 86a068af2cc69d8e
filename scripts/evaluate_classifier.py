"""Measure the shipped frame classifier on sources it has not seen.

Every source is left out in turn, a head is fitted to the rest by the recipe of the shipped model and tested on what was
left out; ``--wide`` leaves several families out at once (`classifier_protocol.WIDE_FOLDS`). Written are every
prediction, the tables of the model card, the calibration for ``train_classifier.py``, and the network that never saw
the cholecystectomies, for the videos that show some.

    python scripts/evaluate_classifier.py --labels frames/labels.csv \
        --backbones mobilenet_v2-b0353104.pth efficientnet-lite0-57934424.pth --cache cache --out evaluation
    curate run videos -w work --classify-model evaluation/without-cholecystectomies --until trim
    curate evaluate run -w work videos
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from classifier_protocol import BASE, RECIPE, WIDE_FOLDS, add_arguments, command_of, prepared, single_families

from curate.config import TrimOptions
from curate.evaluation.classifier import WEIGHINGS, Scored, figures, markdown
from curate.evaluation.labels import LabelledFrame
from curate.evaluation.statistics import calibration_error, wilson
from curate.nets.preprocess import decode
from curate.records import NON_SURGICAL, SURGICAL
from curate.training.own import calibrated
from curate.training.save import save_model
from curate.verdicts.rules import smooth
from curate.vision.colour_change import change, colours


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--wide", action="store_true", help="leave several families out at once")
    parser.add_argument("--out", type=Path, required=True, help="folder for predictions, tables, calibration")
    parser.add_argument(
        "--model", type=Path, help="folder for the model of all sources, as train_classifier.py makes it"
    )
    evaluate(parser.parse_args())


def evaluate(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    network, experiment = prepared(arguments)
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    composed: list[dict[str, object]] = []
    margins = np.full(len(experiment.frames), np.nan)
    folds = list(WIDE_FOLDS.values()) if arguments.wide else single_families(experiment)
    for fold in experiment.leave_out(folds, RECIPE):
        margins[fold.tested] = fold.margins
        for index, margin in zip(fold.tested, fold.margins, strict=True):
            frame = experiment.frames[index]
            rows.append(
                {
                    "file": str(frame.path.relative_to(arguments.labels.parent)),
                    "source": frame.source,
                    "label": SURGICAL if frame.surgical else NON_SURGICAL,
                    "margin": float(margin),
                }
            )
        labels = np.array([experiment.draws[i].surgical for i in fold.composed])
        right = (fold.composed_margins > 0) == labels
        for label, said in ((True, SURGICAL), (False, NON_SURGICAL)):
            counts = {"right": int(right[labels == label].sum()), "count": int((labels == label).sum())}
            composed.append({"without": " ".join(fold.families), "label": said, **counts})
        if "cholecystectomies" in fold.families:
            fold.head.put_into(network, BASE)
    _write(arguments.out / "predictions.csv", rows)
    _write(arguments.out / "composed.csv", composed)
    text, calibration = _report(experiment.frames, margins, composed)
    (arguments.out / "calibration.json").write_text(json.dumps(calibration, indent=2) + "\n")
    save_model(network, BASE, arguments.out / "without-cholecystectomies", **calibration)
    if arguments.model:
        experiment.head(RECIPE).put_into(network, BASE)
        save_model(network, BASE, arguments.model, training_command=command_of("evaluate_classifier.py"), **calibration)
    (arguments.out / "sources.md").write_text(text)
    print(text)


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _report(
    frames: Sequence[LabelledFrame], margins: np.ndarray, composed: list[dict[str, object]]
) -> tuple[str, dict[str, Any]]:
    """Tables in Markdown, and the fields of a model's config that follow from the predictions."""
    scored, temperature = calibrated(frames, margins)
    calibration = {
        "temperature": round(temperature, 4),
        "threshold": scored.threshold,
        "uncertain": scored.uncertain,
    }
    lines = [markdown(figures(scored))]
    raw = [
        f"{calibration_error(1 / (1 + np.exp(-margins)), scored.truth, scored.weights(name)):.4f} weighing {words}"
        for name, words in WEIGHINGS.items()
    ]
    lines.append(f"- Temperature {temperature:.4f}; calibration error before it {', '.join(raw)}.")
    for said in (SURGICAL, NON_SURGICAL):
        mine = [r for r in composed if r["label"] == said]
        right, count = (sum(int(str(r[name])) for r in mine) for name in ("right", "count"))
        low, high = wilson(right, count)
        lines.append(
            f"- Composed pictures of held-out {said} frames: {right} of {count} right at 0.5 before temperature "
            f"({right / count:.4f}, {low:.4f} to {high:.4f})."
        )
    lines.append(f"- {_timelines(frames, scored)}")
    return "\n".join(lines) + "\n", calibration


def _timelines(frames: Sequence[LabelledFrame], scored: Scored, shuffles: int = 20) -> str:
    """What neighbouring frames are worth: groups of at least five frames, one after another as in an edited video."""
    options = TrimOptions()
    groups: dict[str, list[int]] = defaultdict(list)
    for index in sorted(range(len(frames)), key=lambda i: frames[i].path):
        groups[frames[index].group].append(index)
    runs = [np.array(group) for group in groups.values() if len(group) >= 5]
    seen = {index: colours(decode(frames[index].path.read_bytes(), 224, 224)) for run in runs for index in run}
    alone = together = 0
    for seed in range(shuffles):
        line = np.concatenate([runs[i] for i in np.random.default_rng(seed).permutation(len(runs))])
        p, truth = scored.p[line], scored.truth[line]
        changes = np.array([0.0, *(change(seen[a], seen[b]) for a, b in pairwise(line))])
        smoothed = smooth(p, np.arange(len(p), dtype=np.float64), changes, options.stay, options.stay_cut)
        alone += int(((p >= scored.threshold) != truth).sum())
        together += int(((smoothed >= scored.threshold) != truth).sum())
    return (
        f"Smoothing over {len(runs)} groups of at least five frames, put one after another in {shuffles} random "
        f"orders: {together / shuffles:.1f} of {len(line)} frames wrong, {alone / shuffles:.1f} without."
    )


if __name__ == "__main__":
    main()
