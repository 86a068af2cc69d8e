"""Train the overlay network on real frames with hand-drawn boxes, among composed clips, and say what it is worth.

Starts from a checkpoint of `train_overlay_net.py`. The sources of the boxed frames are shared out over some parts; for
each part a network is trained without its boxes and scored on them, every frame alone and among its neighbours
(`overlay_sequences.py`). The last network has learnt from all of them, and is written.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from compose_overlays import Composer
from overlay_sequences import groups_of, write
from train_overlay_net import Clips, Sample, Schedule, train, training_composer

from curate.config import MaskOptions
from curate.evaluation.mask_report import table
from curate.evaluation.mask_truth import read_truth
from curate.evaluation.masks import MaskReport, evaluate
from curate.nets.detect.boxed import BoxedFrame, read_boxed
from curate.nets.detect.own_overlay import MODEL, seal
from curate.training.masks import parts_of, pictures_of, window_of
from curate.training.overlay_unet import UNet, export, weights_of
from curate.vision.static_content import statistics

REAL = 0.3
"""Share of the windows that are of real frames."""


class Mixed(torch.utils.data.IterableDataset[Sample]):
    """Composed clips, and windows of boxed frames among them, without end."""

    def __init__(self, composer: Composer, boxed: list[BoxedFrame], seed: int) -> None:
        self.clips, self.seed = Clips(composer, seed), seed
        self.groups = pictures_of(boxed)

    def __iter__(self) -> Iterator[Sample]:
        rng = np.random.default_rng([self.seed, 1])
        names = sorted(self.groups)
        for clip in self.clips:
            while rng.random() < REAL:
                frames, target = window_of(rng, self.groups[names[int(rng.integers(len(names)))]])
                yield statistics(frames), target.astype(np.int64), weights_of(target)
            yield clip


def folder_of(net: UNet, folder: Path) -> Path:
    """A folder with a network, as `curate mask --overlay-model` takes it."""
    folder.mkdir(parents=True, exist_ok=True)
    export(net.to(memory_format=torch.contiguous_format), folder / MODEL)
    seal(folder)
    return folder


def score(report: MaskReport, boxes: Path, sources: Sequence[str], model: Path, frames: Path, scratch: Path) -> None:
    """Add what a network makes of the boxed frames of some sources, alone and among their neighbours."""
    with open(boxes, newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if source_of(row["file"]) in sources]
    truth = scratch / "truth.csv"
    write(rows, frames, truth)
    for row in evaluate(read_truth(truth, frames), MaskOptions(overlay_model=model, device="cpu")).rows:
        report.rows.append(row)
        report.figures[row.way].add(row.score)


def source_of(file: str) -> str:
    """Source of a frame, by its name in the listing: label, source, file."""
    return file.split("/")[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frames", type=Path, help="folder with labels.csv and the frames")
    parser.add_argument("initial", type=Path, help="checkpoint (*.pt) of train_overlay_net.py")
    parser.add_argument("boxes", type=Path, help="CSV with the columns file, kind, x1, y1, x2, y2")
    parser.add_argument("output", type=Path, help="folder to write model.onnx and masks.json to")
    parser.add_argument("--fonts", type=Path, required=True, help="folder searched for fonts of text and of icons")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--rate", type=float, default=1e-3, help="highest learning rate")
    parser.add_argument("--folds", type=int, default=4, help="parts that sources are left out in")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    torch.use_deterministic_algorithms(True)
    groups = groups_of(arguments.frames)
    boxed = read_boxed(arguments.boxes, arguments.frames)
    names = {frame.path: frame.path.relative_to(arguments.frames).as_posix() for frame in boxed}
    by_source = [dataclasses.replace(frame, video=source_of(names[frame.path])) for frame in boxed]
    by_group = [dataclasses.replace(frame, video=groups[names[frame.path]]) for frame in boxed]
    composer = training_composer(arguments.frames, arguments.fonts, names.values())

    def refined(left_out: Sequence[str]) -> UNet:
        torch.manual_seed(arguments.seed)
        net = UNet().to(memory_format=torch.channels_last)
        net.load_state_dict(torch.load(arguments.initial, weights_only=True))
        if learnt := [frame for frame in by_group if source_of(names[frame.path]) not in left_out]:
            schedule = Schedule(arguments.steps, arguments.rate)
            train(net, Mixed(composer, learnt, arguments.seed), schedule, scratch / "refined.pt")
        return net

    before, after = MaskReport(), MaskReport()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        everywhere = sorted({frame.video for frame in by_source})
        first = folder_of(refined(everywhere), scratch / "before")
        score(before, arguments.boxes, everywhere, first, arguments.frames, scratch)
        print(f"before\n{table(before)}", flush=True)
        for number, sources in enumerate(parts_of(by_source, arguments.folds)):
            model = folder_of(refined(sources), scratch / f"part{number}")
            score(after, arguments.boxes, sources, model, arguments.frames, scratch)
        print(f"with boxes of other sources\n{table(after)}", flush=True)
        folder_of(refined(()), arguments.output)


if __name__ == "__main__":
    main()
