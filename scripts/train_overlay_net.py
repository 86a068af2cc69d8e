"""Train the overlay network on composed clips and export it to ONNX.

Scenes come from sources whose frames carry no overlays of their own; frames with text that the packaged detector finds
are left out. A fixed number of steps, one worker, one thread: the same machine and packages give the same file.

Fonts are no package of Python's; the card of the model (``models/overlay/README.md``) names the Debian packages.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import time
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
import torch
from compose_overlays import HEIGHT, WIDTH, Composer
from draw_interfaces import INTERFACES
from draw_overlays import LOGOS, Artist, Fonts
from torch import nn

from curate.files.csv_file import read_csv
from curate.nets.detect.text_detector import TextDetector, packaged_model
from curate.training.overlay_unet import UNet, export, loss_of, weights_of
from curate.vision.static_content import WINDOW, statistics

SCENES = (
    "yousskad",
    "surgtoolloc",
    "cataract-mixed",
    "hysteroscopy",
    "bronchoscopy",
    "smoke-tantalum",
)
"""Of the sources whose overlays are boxed by hand only yousskad (its redactions) is among them; `--without` leaves
boxed frames out."""

HELD_OUT_SCENES = ("m2cai", "lowlight", "desmoke", "cholecseg", "saraph")
INSERTS = ("portraits", "photos", "lecture-cau", "mri", "xray", "slides", "instrument-photos", "intel-sample-videos")
HELD_OUT_INSERTS = ("liveportrait", "webframes", "mmaction2")

VALIDATION = 6
"""One group (video, case or scene) in so many of the training sources is not trained on, but thresholds are chosen on
it."""


Sample = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Statistics of a window, the class of every pixel, and its weight."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Attributes:
        steps: Of the optimiser, over which the learning rate falls.
        rate: The highest one.
        batch: Windows a step.
        stop: Ends after so many of the steps; ``None`` for all.
    """

    steps: int
    rate: float
    batch: int = 8
    stop: int | None = None


class Clips(torch.utils.data.IterableDataset[Sample]):
    """Statistics, targets and weights of composed clips without end: each as a whole, and one frame of it alone."""

    def __init__(self, composer: Composer, seed: int) -> None:
        self.composer, self.seed = composer, seed

    def __iter__(self) -> Iterator[Sample]:
        rng = np.random.default_rng(self.seed)
        while True:
            frames, target, drawn = self.composer.clip(rng)
            sample = target.astype(np.int64), weights_of(target)
            yield statistics(frames), *sample
            complete = np.flatnonzero(np.all([one.shown for one in drawn], axis=0)) if drawn else range(len(frames))
            if len(frames) > 1 and len(complete):
                yield statistics([frames[int(rng.choice(complete))]]), *sample


def validates(group: str) -> bool:
    """Whether a group of a training source is kept for validation."""
    return zlib.crc32(group.encode()) % VALIDATION == 0


def load(
    folder: Path, sources: tuple[str, ...], *, textless: bool, validation: bool | None, kept_aside: frozenset[str]
) -> dict[str, list[np.ndarray]]:
    """Frames of some sources by group (video, case or scene), in order.

    Args:
        folder: Holds ``labels.csv`` and the frames.
        sources: Names of sources.
        textless: Leave out frames that carry text.
        validation: Only the groups kept for validation, only the others, or all (``None``).
        kept_aside: Files that are not taken.
    """
    detector = TextDetector(packaged_model(), threshold=0.6) if textless else None
    groups: dict[str, list[np.ndarray]] = defaultdict(list)
    with open(folder / "labels.csv", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["source"] not in sources or row["file"] in kept_aside:
                continue
            if validation not in (None, validates(row["group"])):
                continue
            image = simplejpeg.decode_jpeg((folder / row["file"]).read_bytes())
            if detector is None or not detector.detect([image])[0]:
                groups[row["group"]].append(image)
    return groups


def composer_of(
    frames: Path,
    fonts: Path,
    scenes: tuple[str, ...],
    inserts: tuple[str, ...],
    logos: tuple[str, ...],
    interfaces: tuple[str, ...] = INTERFACES,
    validation: bool | None = None,
    detail: int = 1,
    kept_aside: frozenset[str] = frozenset(),
) -> Composer:
    """Composer out of some sources, fonts and families of logos; groups of two windows and more serve as sequences."""
    groups = load(frames, scenes, textless=True, validation=validation, kept_aside=kept_aside)
    inserted = load(frames, inserts, textless=False, validation=validation, kept_aside=kept_aside)
    pictures = [image for group in inserted.values() for image in group]
    return Composer(
        scenes=[image for group in groups.values() for image in group],
        sequences=[group for group in groups.values() if len(group) >= 2 * WINDOW],
        inserts=pictures,
        artist=Artist(Fonts.read(fonts), pictures, logos, (WIDTH, HEIGHT)),
        detail=detail,
        interfaces=interfaces,
    )


def training_composer(frames: Path, fonts: Path, kept_aside: Iterable[str]) -> Composer:
    """Composer of what is trained on, without the groups kept for validation and the files kept for tests."""
    return composer_of(frames, fonts, SCENES, INSERTS, LOGOS, validation=False, kept_aside=frozenset(kept_aside))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frames", type=Path, help="folder with labels.csv and the frames")
    parser.add_argument("output", type=Path, help="ONNX file to write; a checkpoint (*.pt) goes beside it")
    parser.add_argument("--fonts", type=Path, required=True, help="folder searched for fonts of text and of icons")
    parser.add_argument("--without", type=Path, help="CSV with a column file: frames that are kept for tests")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--stop", type=int, help="end after this many steps of the schedule; default all")
    parser.add_argument("--initial", type=Path, help="checkpoint (*.pt) to go on from instead of random weights")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    torch.use_deterministic_algorithms(True)
    try:
        kept_aside = read_csv(arguments.without, ("file",), "frames") if arguments.without else ()
        composer = training_composer(arguments.frames, arguments.fonts, (row["file"] for _, row in kept_aside))
    except ValueError as error:
        parser.error(str(error))
    print(
        f"{len(composer.scenes)} scenes, {len(composer.sequences)} sequences, {len(composer.inserts)} inserts",
        flush=True,
    )
    net = UNet().to(memory_format=torch.channels_last)
    if arguments.initial:
        net.load_state_dict(torch.load(arguments.initial, weights_only=True))
    schedule = Schedule(arguments.steps, arguments.rate, arguments.batch, arguments.stop)
    train(net, Clips(composer, arguments.seed), schedule, arguments.output.with_suffix(".pt"))
    torch.save(net.state_dict(), arguments.output.with_suffix(".pt"))
    export(net.to(memory_format=torch.contiguous_format), arguments.output)


def train(net: nn.Module, data: torch.utils.data.Dataset[Sample], schedule: Schedule, checkpoint: Path) -> None:
    """Train in place: AdamW, a short warm-up, then half a cosine."""
    loader = torch.utils.data.DataLoader(data, batch_size=schedule.batch, num_workers=1, prefetch_factor=8)
    optimizer = torch.optim.AdamW(net.parameters(), lr=schedule.rate, weight_decay=1e-2)
    running, begin = 0.0, time.monotonic()
    net.train()
    for step, (maps, target, weights) in enumerate(itertools.islice(loader, schedule.stop or schedule.steps)):
        warm = min((step + 1) / 100, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate * warm * (0.5 + 0.5 * np.cos(np.pi * step / schedule.steps)) + 1e-5
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = net(maps.to(memory_format=torch.channels_last))
        loss = loss_of(logits, target, weights)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        running = 0.98 * running + 0.02 * loss.item()
        if step % 50 == 0:
            mean = running / (1 - 0.98 ** (step + 1))
            print(f"step {step} loss {mean:.4f}, {time.monotonic() - begin:.0f} s", flush=True)
        if step % 500 == 499:
            torch.save(net.state_dict(), checkpoint)


if __name__ == "__main__":
    main()
