"""Does a curated corpus train better? The experiment at the scale of two cores.

    python scripts/experiment_curated.py compose DATA WORK    # videos as the web has them, from labelled frames
    python scripts/experiment_curated.py corpus WORK          # both recipes of scripts/experiment/, built by curate
    python scripts/experiment_curated.py pretrain WORK        # SimCLR, the same steps on either corpus, three seeds
    python scripts/experiment_curated.py tasks DATA WORK      # labelled frames of sources that are in neither

DATA has ``frames/labels.csv`` (file, label, source, group, licence) and ``videos/``. Each step skips what it finds
done. Then ``curate probe`` compares the networks; docs/experiment.md has the commands and what came out.

Composed videos are what the web's are: a title, people and pictures of an operating room before surgery of one source,
an interruption, an end; a channel's name in a corner and captions in some; some have no surgery. A second shows one
frame. The frames of `HELD_OUT` are in none of them.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from curate.cli import run_command
from curate.dataset import FrameDataset
from curate.nets.torchvision_repair import import_timm

Image = npt.NDArray[np.uint8]

HELD_OUT = ("gynsurg", "hysteroscopy", "gastroscopy")
"""Sources of the probes' frames."""

ASSEMBLED = ("dev01", "dev02", "dev04", "dev05", "dev06")
"""Assembled videos of the corpus: dev03 shows cases of gynsurg, as the probe found."""

MOST = 300
"""Frames of a source in the corpus, at most."""

WIDTH, HEIGHT, FPS = 640, 360, 2

ARMS = ("everything", "curated")
"""Names of the recipes."""

ARCHITECTURE = "regnetx_002"
"""timm's name of the network: 2.3 million weights without a head."""

SIDE = 64
"""Pixels of a side of what the network sees."""


# --- the corpus


@dataclass(frozen=True)
class Frame:
    """A labelled picture: its file, whether it shows surgery, its source, and its video, case or scene."""

    path: Path
    surgical: bool
    source: str
    group: str


def read_frames(data: Path) -> list[Frame]:
    with open(data / "frames" / "labels.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return [
        Frame(data / "frames" / row["file"], row["label"] == "surgical", row["source"], row["group"]) for row in rows
    ]


def chosen(frames: Sequence[Frame], rng: np.random.Generator) -> dict[str, list[Frame]]:
    """Frames of the corpus by source, at most `MOST` of each, in the order of their groups and names."""
    by_source: dict[str, list[Frame]] = defaultdict(list)
    for frame in frames:
        if frame.source not in HELD_OUT:
            by_source[frame.source].append(frame)
    found = {}
    for source, members in sorted(by_source.items()):
        kept = rng.permutation(len(members))[:MOST]
        found[source] = sorted((members[i] for i in kept), key=lambda frame: (frame.group, frame.path.name))
    return found


def pieces(members: Sequence[Frame], rng: np.random.Generator, low: int, high: int) -> list[list[Frame]]:
    """Frames in runs of ``low`` to ``high``."""
    runs, start = [], 0
    while start < len(members):
        count = int(rng.integers(low, high + 1))
        runs.append(list(members[start : start + count]))
        start += count
    return runs


def plan_videos(frames: Sequence[Frame], rng: np.random.Generator) -> list[list[Frame]]:
    """The frames of each video, a second each; as many seconds without surgery as with it, in all."""
    by_source = chosen(frames, rng)
    surgery = [run for members in by_source.values() if members[0].surgical for run in pieces(members, rng, 24, 48)]
    wanted = sum(map(len, surgery))
    other = [run for members in by_source.values() if not members[0].surgical for run in pieces(members, rng, 3, 8)]
    order = rng.permutation(len(other))
    rest, taken = [], 0
    for i in order:
        if taken < wanted:
            rest.append(other[i])
            taken += len(other[i])
    videos = []
    for run in surgery:
        begin = [frame for _ in range(2) if rest for frame in rest.pop()]
        middle = rest.pop() if rest and len(run) > 30 else []
        end = rest.pop() if rest else []
        cut = len(run) // 2
        videos.append([*begin, *run[:cut], *middle, *run[cut:], *end])
    while rest:  # what is left makes talks without surgery
        videos.append([frame for _ in range(8) if rest for frame in rest.pop()])
    return videos


def shown(picture: Image, channel: str, caption: str) -> Image:
    """A picture in the middle of a black frame, with words over it."""
    rows, columns = picture.shape[:2]
    scale = min(WIDTH / columns, HEIGHT / rows)
    size = max(round(columns * scale), 1), max(round(rows * scale), 1)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    canvas = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    top, left = (HEIGHT - size[1]) // 2, (WIDTH - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = small
    for text, place, height in ((channel, (WIDTH - 190, 34), 0.8), (caption, (40, HEIGHT - 24), 0.7)):
        cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_DUPLEX, height, (0, 0, 0), 5, cv2.LINE_AA)
        cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_DUPLEX, height, (255, 255, 255), 1, cv2.LINE_AA)
    return canvas


CHANNELS = ("SurgiTube", "OR Live", "MedChannel", "Clinic TV", "Scope Academy")
CAPTIONS = ("Dissection of the plane", "Subscribe for more", "Step 2: exposure", "Please watch in HD", "Haemostasis")


def seconds(frames: Sequence[Frame], rng: np.random.Generator) -> Iterator[Image]:
    """A video's pictures, one a second."""
    channel = str(rng.choice(CHANNELS)) if rng.random() < 0.6 else ""
    captioned = rng.random() < 0.5
    caption = ""
    for i, frame in enumerate(frames):
        if i % 6 == 0:
            caption = str(rng.choice(CAPTIONS)) if captioned and rng.random() < 0.6 else ""
        picture = cv2.imread(str(frame.path))
        yield shown(np.asarray(picture[..., ::-1], np.uint8), channel, caption)


def encode(path: Path, pictures: Iterator[Image]) -> None:
    """Encode pictures, one a second, as H.264."""
    temporary = path.with_name(f".{path.name}")
    with av.open(str(temporary), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        stream.options = {"crf": "20", "preset": "veryfast", "threads": "1"}
        count = 0
        for picture in pictures:
            for _ in range(FPS):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts = count
                count += 1
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    temporary.replace(path)


def compose(data: Path, work: Path) -> None:
    rng = np.random.default_rng(15)
    folder = work / "videos"
    folder.mkdir(parents=True, exist_ok=True)
    videos = plan_videos(read_frames(data), rng)
    truth = []
    for number, frames in enumerate(videos):
        path = folder / f"composed-{number:03d}.mp4"
        if not path.exists():
            encode(path, seconds(frames, np.random.default_rng(number)))
        truth += [
            {"video": path.stem, "second": i, "surgical": f.surgical, "source": f.source} for i, f in enumerate(frames)
        ]
    with open(work / "truth.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(truth[0]))
        writer.writeheader()
        writer.writerows(truth)
    for name in ASSEMBLED:
        if not (folder / f"{name}.mp4").exists():
            shutil.copyfile(data / "videos" / f"{name}.mp4", folder / f"{name}.mp4")
    count, surgical = len(truth), sum(row["surgical"] for row in truth)
    print(f"{len(videos)} composed videos, {count} s, {surgical} s of them surgery")


def corpus(work: Path) -> None:
    for arm in ARMS:
        recipe = work / f"{arm}.toml"
        shutil.copyfile(Path(__file__).parent / "experiment" / recipe.name, recipe)
        if (code := run_command(["corpus", "build", str(recipe), "-o", str(work / arm)])) not in (0, 2):
            raise SystemExit(code)


# --- pretraining: SimCLR (Chen et al., ICML 2020)


@dataclass(frozen=True)
class Recipe:
    """How a network is pretrained; the same for both corpora.

    Attributes:
        steps: Of the optimiser.
        batch: Pictures of a step; each is seen twice.
        rate: Highest learning rate of AdamW, with a warm-up over a twentieth of the steps and half a cosine after it.
        decay: Weight decay.
        temperature: Of the loss.
        least: Smallest share of a picture's area that a view shows.
    """

    steps: int = 240
    batch: int = 96
    rate: float = 2e-3
    decay: float = 1e-4
    temperature: float = 0.2
    least: float = 0.3


def pictures(export: Path) -> torch.Tensor:
    """All pictures of an export, uint8 (N, 3, 96, 96): half as large again as what the network sees."""
    side = SIDE * 3 // 2
    found = []
    for sample in FrameDataset(export).stream():
        found.append(cv2.resize(np.asarray(sample["image"]), (side, side), interpolation=cv2.INTER_AREA))
    return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).contiguous()


def views(batch: torch.Tensor, least: float, generator: torch.Generator) -> torch.Tensor:
    """One view of each picture, float (N, 3, SIDE, SIDE) in 0..1: a part, perhaps mirrored, in other colours."""
    count = len(batch)

    def uniform(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    area, ratio = uniform(least, 1), torch.exp(uniform(math.log(3 / 4), math.log(4 / 3)))
    across, down = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    mirrored = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = across * mirrored, down
    theta[:, 0, 2], theta[:, 1, 2] = (1 - across) * uniform(-1, 1), (1 - down) * uniform(-1, 1)
    grid = F.affine_grid(theta, [count, 3, SIDE, SIDE], align_corners=False)
    seen = F.grid_sample(batch.float() / 255, grid, align_corners=False, padding_mode="reflection")
    column = (count, 1, 1, 1)
    jittered = (uniform(0, 1) < 0.8).view(column)
    changed = seen * uniform(0.6, 1.4).view(column)
    middle = changed.mean(dim=(1, 2, 3), keepdim=True)
    changed = middle + (changed - middle) * uniform(0.6, 1.4).view(column)
    grey = changed.mean(dim=1, keepdim=True)
    changed = grey + (changed - grey) * uniform(0.6, 1.4).view(column)
    changed = changed * (1 + 0.1 * torch.randn(count, 3, 1, 1, generator=generator))
    seen = torch.where(jittered, changed, seen)
    grey = seen.mean(dim=1, keepdim=True).expand_as(seen)
    seen = torch.where((uniform(0, 1) < 0.2).view(column), grey, seen)
    blurred = F.avg_pool2d(F.pad(seen, (1, 1, 1, 1), mode="reflect"), 3, stride=1)
    return torch.where((uniform(0, 1) < 0.5).view(column), blurred, seen).clamp(0, 1)


def contrast(one: torch.Tensor, other: torch.Tensor, temperature: float) -> torch.Tensor:
    """The loss of SimCLR: each view is to find the other one of its picture among all."""
    both = F.normalize(torch.cat([one, other]), dim=1)
    alike = both @ both.T / temperature
    alike.fill_diagonal_(-torch.inf)
    count = len(one)
    return F.cross_entropy(alike, torch.cat([torch.arange(count) + count, torch.arange(count)]))


def make_network(seed: int) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    timm = import_timm()
    torch.manual_seed(seed)
    network = timm.create_model(ARCHITECTURE, pretrained=False, num_classes=0)
    known = timm.get_pretrained_cfg(ARCHITECTURE)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (known.mean, known.std))
    return network, mean, std


def save(network: nn.Module, folder: Path, notes: dict[str, object]) -> None:
    """Write a folder that ``curate probe --backbone`` takes: weights, and timm's config beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"architecture": ARCHITECTURE, "pretrained_cfg": {"input_size": [3, SIDE, SIDE]}}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    (folder / "notes.json").write_text(json.dumps(notes, indent=1) + "\n")
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(state, folder / "model.safetensors")


def train(stock: torch.Tensor, recipe: Recipe, seed: int) -> tuple[nn.Module, list[float]]:
    """Pretrain one network; returns it with the loss of every step."""
    network, mean, std = make_network(seed)
    features = network.num_features
    head = nn.Sequential(nn.Linear(features, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 128))
    weights = [*network.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=recipe.rate, weight_decay=recipe.decay)
    warm = max(recipe.steps // 20, 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min((step + 1) / warm, 0.5 * (1 + math.cos(math.pi * min(step / recipe.steps, 1)))),
    )
    generator = torch.Generator().manual_seed(seed)
    network.to(memory_format=torch.channels_last).train()
    order = torch.empty(0, dtype=torch.long)
    losses = []
    for _ in range(recipe.steps):
        while len(order) < recipe.batch:
            order = torch.cat([order, torch.randperm(len(stock), generator=generator)])
        batch, order = stock[order[: recipe.batch]], order[recipe.batch :]
        seen = torch.cat([views(batch, recipe.least, generator) for _ in range(2)])
        seen = ((seen - mean) / std).contiguous(memory_format=torch.channels_last)
        one, other = head(network(seen)).chunk(2)
        loss = contrast(one, other, recipe.temperature)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if len(losses) % 40 == 0:
            print(f"  step {len(losses)}: loss {np.mean(losses[-40:]):.3f}", flush=True)
    return network.eval(), losses


def pretrain(work: Path, recipe: Recipe, seeds: int, arms: Sequence[str]) -> None:
    import time

    torch.set_num_threads(1)
    stocks: dict[str, torch.Tensor] = {}
    for seed in range(seeds):
        for arm in arms:
            folder = work / "networks" / f"{arm}-{seed}"
            if (folder / "model.safetensors").exists():
                continue
            if arm == "untrained":
                save(make_network(seed)[0], folder, {"seed": seed})
                continue
            if arm not in stocks:
                stocks[arm] = pictures(work / arm / "exports" / "webdataset")
            print(f"{arm}, seed {seed}: {len(stocks[arm])} pictures", flush=True)
            began = time.monotonic()
            network, losses = train(stocks[arm], recipe, seed)
            told = {
                "seed": seed,
                "pictures": len(stocks[arm]),
                "seconds": round(time.monotonic() - began),
                **vars(recipe),
            }
            save(network, folder, {**told, "losses": [round(loss, 4) for loss in losses]})


# --- what is probed

TASKS = {
    "bleeding": ("gynsurg", re.compile(r"_case_\d+_(Bleeding|Non_bleeding)(?:_light)?_\d")),
    "hysteroscopy": ("hysteroscopy", re.compile(r"__(polyp|uterus)__")),
    "gastroscopy": ("gastroscopy", re.compile(r"__0vs12__\w+__([01])__")),
}
"""Of each task its source, and where in the name of a file the label stands."""


def tasks(data: Path, work: Path) -> None:
    """Write a table of labelled frames a task, for ``curate probe``."""
    frames = read_frames(data)
    folder = work / "tasks"
    folder.mkdir(parents=True, exist_ok=True)
    for name, (source, pattern) in TASKS.items():
        rows = []
        for frame in frames:
            if frame.source == source and (found := pattern.search(frame.path.name)):
                rows.append((frame.path.absolute(), found[1].lower(), source, frame.group))
        with open(folder / f"{name}.csv", "w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(("file", "label", "source", "group"))
            writer.writerows(rows)
        print(f"{name}: {len(rows)} frames of {len({row[3] for row in rows})} groups")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("compose", "corpus", "pretrain", "tasks"))
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="DATA and WORK, or WORK.")
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", default=",".join(("untrained", *ARMS)))
    arguments = parser.parse_args()
    *data, work = arguments.folders
    if len(data) != (arguments.step in ("compose", "tasks")):
        parser.error(f"{arguments.step} takes {'DATA WORK' if arguments.step in ('compose', 'tasks') else 'WORK'}")
    if arguments.step == "compose":
        compose(data[0], work)
    elif arguments.step == "corpus":
        corpus(work)
    elif arguments.step == "pretrain":
        pretrain(work, Recipe(steps=arguments.steps), arguments.seeds, arguments.arms.split(","))
    else:
        tasks(data[0], work)


if __name__ == "__main__":
    main()
