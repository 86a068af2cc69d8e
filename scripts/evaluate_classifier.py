"""Measure the frame classifier honestly.

``sources`` leaves every source out in turn, trains on the rest by the recipe of the shipped model and tests on what was
left out; ``--wide`` leaves several families out at once (`classifier_protocol.WIDE_FOLDS`). It writes every prediction,
the tables of the model card, the calibration for ``train_classifier.py``, and the network that never saw the
cholecystectomies. ``videos`` runs the sample, classify and trim stages on videos with known truth and compares second
by second.

    python scripts/evaluate_classifier.py sources --labels frames/labels.csv \
        --backbones mobilenet_v2-b0353104.pth efficientnet-lite0-57934424.pth --cache cache --out evaluation
    python scripts/evaluate_classifier.py videos --videos videos --model evaluation/without-cholecystectomies
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from classifier_protocol import BASE, RECIPE, WIDE_FOLDS, add_arguments, prepared, single_families

from curate.config import ClassifyOptions, SampleOptions, TrimOptions
from curate.evaluation.truth import read_truth
from curate.evaluation.videos import compare, markdown
from curate.nets.training import evaluation
from curate.nets.training.save import save_model
from curate.records import NON_SURGICAL, SURGICAL, Done, Dropped, Video
from curate.stage import Files
from curate.stages.classify import ClassifyStage
from curate.stages.sample import SampleStage
from curate.stages.trim import TrimStage

RECALLS = (0.95, 0.98, 0.99)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    sources = commands.add_parser("sources", help="leave families of sources out")
    add_arguments(sources)
    sources.add_argument("--wide", action="store_true", help="leave several families out at once")
    sources.add_argument("--out", type=Path, required=True, help="folder for predictions, tables, calibration")
    sources.set_defaults(run=evaluate_sources)
    videos = commands.add_parser("videos", help="videos with truth in JSON beside them")
    videos.add_argument("--videos", type=Path, required=True, help="folder of NAME.mp4 with NAME.json")
    videos.add_argument("--model", default="default")
    videos.add_argument("--smooth", action="store_true", help="let neighbouring frames inform a verdict")
    videos.set_defaults(run=evaluate_videos)
    arguments = parser.parse_args()
    arguments.run(arguments)


def evaluate_sources(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    network, experiment = prepared(arguments)
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    composed: list[dict[str, object]] = []
    folds = list(WIDE_FOLDS.values()) if arguments.wide else single_families(experiment)
    for fold in experiment.leave_out(folds, RECIPE):
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
            save_model(network, BASE, arguments.out / "without-cholecystectomies")
    _write(arguments.out / "predictions.csv", rows)
    _write(arguments.out / "composed.csv", composed)
    text = _report(rows, composed, arguments.out)
    (arguments.out / "sources.md").write_text(text)
    print(text)


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _report(rows: list[dict[str, object]], composed: list[dict[str, object]], out: Path) -> str:
    margin = np.array([float(str(r["margin"])) for r in rows])
    truth = np.array([r["label"] == SURGICAL for r in rows])
    source = np.array([str(r["source"]) for r in rows])
    weights = _even_weights(source, truth)
    temperature = evaluation.fit_temperature(margin, truth, weights)
    p = 1 / (1 + np.exp(-margin / temperature))
    point = evaluation.choose_operating_point(p, truth, weights)
    (out / "calibration.json").write_text(
        json.dumps(
            {"temperature": round(temperature, 4), "threshold": point.threshold, "uncertain": point.uncertain}, indent=2
        )
        + "\n"
    )
    lines = [
        "| source | label | frames | right | accuracy | 95 % interval | right at 0.5 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in sorted(set(source), key=lambda s: (not truth[source == s].all(), s)):
        mine = source == name
        label = bool(truth[mine].all())
        right = int(((p[mine] >= point.threshold) == label).sum())
        low, high = evaluation.wilson(right, int(mine.sum()))
        at_half = int(((p[mine] >= 0.5) == label).sum())
        said = SURGICAL if label else NON_SURGICAL
        interval = f"{low:.4f} to {high:.4f}"
        cells = (name, said, mine.sum(), right, f"{right / mine.sum():.4f}", interval, at_half)
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += ["", f"Temperature {temperature:.4f}, threshold {point.threshold}, uncertain {point.uncertain}.", ""]
    for named, w in (("every frame alike", np.ones(len(p))), ("sources by the root of their size", weights)):
        taken = p >= point.threshold
        precision = (w * (taken & truth)).sum() / (w * taken).sum()
        recall = (w * (taken & truth)).sum() / (w * truth).sum()
        at = ", ".join(
            f"{value:.4f} at recall {r} (threshold {t:.3f})"
            for r in RECALLS
            for value, t in [evaluation.precision_at_recall(p, truth, r, w)]
        )
        error = evaluation.calibration_error(p, truth, w)
        raw = evaluation.calibration_error(1 / (1 + np.exp(-margin)), truth, w)
        lines.append(
            f"Weighing {named}: precision {precision:.4f}, recall {recall:.4f} at the threshold; precision {at}; "
            f"calibration error {error:.4f} (before temperature {raw:.4f})."
        )
    band = (p >= point.uncertain[0]) & (p < point.uncertain[1])
    wrong = (p >= point.threshold) != truth
    lines.append(
        f"Uncertain: {band.sum()} of {len(p)} frames, with {(band & wrong).sum()} of the {wrong.sum()} errors."
    )
    for said in (SURGICAL, NON_SURGICAL):
        mine_composed = [r for r in composed if r["label"] == said]
        right, count = (sum(int(str(r[name])) for r in mine_composed) for name in ("right", "count"))
        low, high = evaluation.wilson(right, count)
        lines.append(
            f"Composed pictures of held-out {said} frames: {right} of {count} right at 0.5 before temperature "
            f"({right / count:.4f}, {low:.4f} to {high:.4f})."
        )
    return "\n".join(lines) + "\n"


def _even_weights(source: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Weights by which a source counts as the root of its size, and both classes alike; they sum to 1."""
    counts: dict[str, int] = defaultdict(int)
    for name in source:
        counts[name] += 1
    weights = np.array([counts[name] ** -0.5 for name in source])
    for label in (True, False):
        weights[truth == label] /= 2 * weights[truth == label].sum()
    return weights


def evaluate_videos(arguments: argparse.Namespace) -> None:
    classify = ClassifyStage(ClassifyOptions(model=arguments.model, device="cpu"))
    sample, trim = SampleStage(SampleOptions()), TrimStage(TrimOptions(smooth=arguments.smooth))
    for stage in (sample, classify, trim):
        stage.setup()
    results = []
    for path in sorted(arguments.videos.glob("*.mp4")):
        truth = read_truth(path.with_suffix(".json"))
        with tempfile.TemporaryDirectory() as folder:
            verdicts = _through(sample, classify, trim, path, Path(folder))
            results.append(compare(path.stem, verdicts, truth, trim.options.min_run))
    print(markdown(results))


def _through(sample: SampleStage, classify: ClassifyStage, trim: TrimStage, path: Path, folder: Path) -> Path:
    video = Video(id=path.stem, source=str(path))
    artefact = {"download": path}
    for stage in (sample, classify, trim):
        place = folder / stage.folder
        place.mkdir()
        outcome = stage.process(video, Files({name: artefact[name] for name in stage.inputs}, place, video.id))
        if not isinstance(outcome, Done | Dropped) or outcome.artefact is None:
            raise SystemExit(f"{path}: {stage.name} answered {outcome}")
        artefact[stage.name] = outcome.artefact
    return artefact["trim"]


if __name__ == "__main__":
    main()
