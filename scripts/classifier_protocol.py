"""What is known of the development frames: which sources are one family, which matter most, and the folds.

Used by ``train_classifier.py`` and ``evaluate_classifier.py``, which must agree on it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from curate.evaluation.labels import Families, read_labels
from curate.nets.levels import LevelsNetwork
from curate.nets.weights.model_config import LEVELS, Branch, ModelConfig, WeightsFile
from curate.training.experiment import Experiment, prepare
from curate.training.fit import Recipe, pretrained

FAMILIES = Families(
    dict.fromkeys(("m2cai", "lowlight", "saraph", "cholecseg", "desmoke", "captioned-chole"), "cholecystectomies")
)
"""These show the same cholecystectomies (Cholec80 and its kin)."""

EMPHASIS = {"webframes": 2.0, "animations": 1.5}
"""Drawn more often: frames of surgical web videos themselves, and rendered anatomy, the nearest to the task."""

WIDE_FOLDS = {
    "A": ("cholecystectomies", "animations", "clothing", "liveportrait"),
    "B": ("gynsurg", "webframes", "mri", "openpose"),
    "C": ("kvasir", "photos", "imageio"),
    "D": ("yousskad", "slides", "instrument-photos", "suturing-sim-mjirik"),
    "E": ("surgtoolloc", "lecture-cau", "intel-sample-videos", "xray", "portraits"),
    "F": ("cataract-mixed", "phantom", "mmaction2"),
}
"""Families left out together, for a stricter test: several kinds of pictures are missing at once."""

BASE = ModelConfig(
    name="frames-duo",
    architecture=LEVELS,
    weights=(WeightsFile("model.safetensors", ""),),
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    branches=(
        Branch("mobilenetv2_100"),
        Branch("tf_efficientnet_lite0", mean=(127 / 255,) * 3, std=(128 / 255,) * 3),
    ),
)
"""The shipped classifier. EfficientNet-Lite was trained on ``(value - 127) / 128``."""

RECIPE = Recipe()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--labels", type=Path, required=True, help="labels.csv of the frames")
    parser.add_argument(
        "--backbones",
        type=Path,
        nargs=2,
        required=True,
        help="mobilenet_v2-*.pth and efficientnet-lite0-*.pth, ImageNet weights of the two packages",
    )
    parser.add_argument("--cache", type=Path, required=True, help="folder for features of composed pictures")
    parser.add_argument("--draws", type=int, default=16000, help="composed pictures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)


def command_of(script: str) -> str:
    """How a script was called, paths cut to their last part: a config says nothing of the machine it was made on."""
    words = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
    return " ".join(["python", f"scripts/{script}", *words])


def prepared(arguments: argparse.Namespace) -> tuple[LevelsNetwork, Experiment]:
    frames = read_labels(arguments.labels)
    network = pretrained(arguments.backbones, BASE)
    with tqdm(total=arguments.draws + len(frames), unit="picture", desc="features") as bar:
        experiment = prepare(
            frames,
            FAMILIES,
            network,
            BASE,
            draws=arguments.draws,
            cache=arguments.cache,
            backbones=" ".join(path.name for path in arguments.backbones),
            emphasis=EMPHASIS,
            seed=arguments.seed,
            threads=arguments.threads,
            advance=bar.update,
        )
    return network, experiment


def single_families(experiment: Experiment) -> list[tuple[str, ...]]:
    """Folds of one family each: leave one source out."""
    return [(name,) for name in sorted({FAMILIES.of(frame.source) for frame in experiment.frames})]
