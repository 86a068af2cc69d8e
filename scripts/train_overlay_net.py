"""Train the overlay network on composed clips and export it to ONNX.

Scenes come from sources whose frames carry no overlays of their own; frames with text that the packaged detector finds
are left out. Sources named with --held-out are used for the figures only.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import simplejpeg
import torch
from compose_overlays import UNSEEN, Composer
from torch import nn
from torch.nn import functional

from curate.config import MaskOptions
from curate.media.evidence import CHANNELS, COLUMNS, ROWS, statistics
from curate.media.paint import cover
from curate.nets.overlay import CLASSES, boxes_of
from curate.nets.text_detector import TextDetector, packaged_model

SCENES = ("yousskad", "surgtoolloc", "cataract-mixed", "kvasir")
HELD_OUT_SCENES = ("m2cai", "lowlight", "desmoke", "cholecseg", "saraph")
INSERTS = ("portraits", "photos", "lecture-cau", "mri", "xray", "slides", "instrument-photos", "intel-sample-videos")
HELD_OUT_INSERTS = ("liveportrait", "webframes", "mmaction2")
THRESHOLD = MaskOptions().overlay_threshold
CLASS_WEIGHTS = (1.0, 1.5, 2.0, 1.5, 1.5)


def double(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """U-Net on half-resolution cells: pixels are folded into channels first and unfolded last.

    Takes (batch, channels, rows, columns), gives logits (batch, classes, rows, columns).
    """

    def __init__(self, channels: int, classes: int, widths: tuple[int, ...] = (24, 32, 48, 64, 96)) -> None:
        super().__init__()
        self.classes = classes
        self.stem = double(channels * 4, widths[0])
        self.down = nn.ModuleList(double(a, b) for a, b in itertools.pairwise(widths))
        self.up = nn.ModuleList(double(a + b, a) for a, b in itertools.pairwise(widths))
        self.head = nn.Conv2d(widths[0], classes * 4, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Logits of every pixel."""
        x = self.stem(functional.pixel_unshuffle(maps, 2))
        skips = []
        for block in self.down:
            skips.append(x)
            x = block(functional.max_pool2d(x, 2))
        for block, skip in zip(reversed(self.up), reversed(skips), strict=True):
            x = block(torch.cat([skip, functional.interpolate(x, scale_factor=2.0, mode="nearest")], 1))
        return functional.pixel_shuffle(self.head(x), 2)


class Clips(torch.utils.data.IterableDataset[tuple[np.ndarray, np.ndarray]]):
    """Statistics and targets of composed clips without end."""

    def __init__(self, composer: Composer, seed: int) -> None:
        self.composer, self.seed = composer, seed

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        info = torch.utils.data.get_worker_info()
        rng = np.random.default_rng((self.seed, info.id if info else 0))
        while True:
            clip, target = self.composer.clip(rng)
            yield statistics(clip), target.astype(np.int64)


def load(folder: Path, sources: tuple[str, ...], *, textless: bool) -> list[np.ndarray]:
    """Frames of some sources, without those that carry text if asked for."""
    detector = TextDetector(packaged_model(), threshold=0.6) if textless else None
    images = []
    with open(folder / "labels.csv", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["source"] not in sources:
                continue
            image = simplejpeg.decode_jpeg((folder / row["file"]).read_bytes())
            if detector is None or not detector.detect([image])[0]:
                images.append(image)
    return images


def evaluate(net: nn.Module, composer: Composer, count: int, frames: int | None) -> dict[str, float]:
    """Pixel recall of each kind, share of overlay-free pixels lost, share of overlay-free clips touched."""
    rng = np.random.default_rng(7)
    found, drawn = np.zeros(len(CLASSES)), np.zeros(len(CLASSES))
    clean = touched = 0
    net.eval()
    for _ in range(count):
        clip, target = composer.clip(rng, frames=frames)
        with torch.no_grad():
            probabilities = net(torch.from_numpy(statistics(clip))[None]).softmax(1)[0].numpy()
        overlay = cover([box[:4] for box in boxes_of(probabilities, THRESHOLD)], COLUMNS, ROWS)
        for index in range(len(CLASSES)):
            found[index] += overlay[target == index].sum()
            drawn[index] += (target == index).sum()
        if not target.any():
            clean += 1
            touched += bool(overlay.any())
    figures = {f"recall_{kind}": found[i] / max(drawn[i], 1) for i, kind in enumerate(CLASSES) if i}
    figures |= {"lost": found[0] / drawn[0], "clean_touched": touched / max(clean, 1)}
    return {name: round(float(value), 4) for name, value in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frames", type=Path, help="folder with labels.csv and the frames")
    parser.add_argument("output", type=Path, help="ONNX file to write; figures go beside it as JSON")
    parser.add_argument("--fonts", type=Path, required=True, help="folder searched for TrueType files")
    parser.add_argument("--minutes", type=float, default=30, help="time to train")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--initial", type=Path, help="checkpoint (*.pt) to go on from")
    parser.add_argument("--evaluate", type=int, default=300, help="clips for the figures")
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    torch.set_num_threads(1)
    fonts = sorted(arguments.fonts.rglob("*.ttf"))
    if not fonts:
        parser.error(f"no *.ttf in {arguments.fonts}")
    composer = Composer(
        load(arguments.frames, SCENES, textless=True), load(arguments.frames, INSERTS, textless=False), fonts
    )
    print(f"{len(composer.scenes)} scenes, {len(composer.inserts)} inserts, {len(fonts)} fonts", flush=True)
    net = UNet(CHANNELS, len(CLASSES)).to(memory_format=torch.channels_last)
    if arguments.initial:
        net.load_state_dict(torch.load(arguments.initial, weights_only=True))
    train(net, composer, arguments)
    torch.save(net.state_dict(), arguments.output.with_suffix(".pt"))

    held_out = Composer(
        load(arguments.frames, HELD_OUT_SCENES, textless=True),
        load(arguments.frames, HELD_OUT_INSERTS, textless=False),
        fonts,
    )
    figures = {
        "held_out_eight_frames": evaluate(net, held_out, arguments.evaluate, 8),
        "held_out_single_frames": evaluate(net, held_out, arguments.evaluate, 1),
        "training_sources_eight_frames": evaluate(net, composer, arguments.evaluate, 8),
    }
    print(json.dumps(figures, indent=1))
    arguments.output.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n")
    export(net, arguments.output)


def train(net: nn.Module, composer: Composer, arguments: argparse.Namespace) -> None:
    loader = torch.utils.data.DataLoader(
        Clips(composer, arguments.seed), batch_size=arguments.batch, num_workers=1, prefetch_factor=4
    )
    optimizer = torch.optim.AdamW(net.parameters(), lr=arguments.rate, weight_decay=1e-2)
    weights = torch.tensor(CLASS_WEIGHTS)
    begin, seconds, running = time.monotonic(), arguments.minutes * 60, 0.0
    net.train()
    for step, (maps, target) in enumerate(loader):
        done = (time.monotonic() - begin) / seconds
        if done >= 1:
            break
        warm = min((step + 1) / 100, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = arguments.rate * warm * (0.5 + 0.5 * np.cos(np.pi * done)) + 1e-5
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = net(maps.to(memory_format=torch.channels_last))
        loss = functional.cross_entropy(logits.float(), target, weight=weights, ignore_index=UNSEEN)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        running = 0.98 * running + 0.02 * loss.item()
        if step % 50 == 0:
            print(f"{done:.2f} step {step} loss {running / (1 - 0.98 ** (step + 1)):.4f}", flush=True)
        if step % 500 == 499:
            torch.save(net.state_dict(), arguments.output.with_suffix(".pt"))


def export(net: nn.Module, path: Path) -> None:
    net.eval()
    torch.onnx.export(
        nn.Sequential(net, nn.Softmax(dim=1)).to(memory_format=torch.contiguous_format),
        (torch.zeros(1, CHANNELS, ROWS, COLUMNS),),
        path,
        input_names=["maps"],
        output_names=["probabilities"],
        dynamic_axes={"maps": {0: "batch"}, "probabilities": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )


if __name__ == "__main__":
    main()
