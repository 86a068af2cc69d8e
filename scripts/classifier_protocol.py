"""What is known of the development frames: which sources are one family, which matter most, and the folds.

Used by ``train_classifier.py`` and ``evaluate_classifier.py``, which must agree on it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curate.nets.model_config import ModelConfig, WeightsFile
from curate.nets.training.data import Draw, Families, LabelledFrame, Sampler, read_labels
from curate.nets.training.fit import ARCHITECTURE, FeatureMaker, Lower, Recipe, cached_features, pretrained

FAMILIES = Families(dict.fromkeys(("m2cai", "lowlight", "saraph", "cholecseg", "desmoke"), "cholecystectomies"))
"""These show the same cholecystectomies (Cholec80 and its kin)."""

EMPHASIS = {"webframes": 2.0, "animations": 1.5}
"""Drawn more often: frames of surgical web videos themselves, and rendered anatomy, the nearest to the task."""

FOLDS = {
    "A": ("cholecystectomies", "animations", "clothing", "liveportrait"),
    "B": ("gynsurg", "webframes", "mri", "openpose"),
    "C": ("kvasir", "photos", "imageio"),
    "D": ("yousskad", "slides", "instrument-photos", "suturing-sim-mjirik"),
    "E": ("surgtoolloc", "lecture-cau", "intel-sample-videos", "xray", "portraits"),
    "F": ("cataract-mixed", "phantom", "mmaction2"),
}
"""Families left out together: every family is tested by a network that never saw it, nor the rest of its fold."""

COMPOSITIONS = 1
"""Raised when `curate.nets.training.augment` makes other pictures of the same draws, so that no cache is stale."""

BASE = ModelConfig(
    name="frames-mobilenetv2", architecture=ARCHITECTURE, weights=(WeightsFile("model.safetensors", ""),)
)


@dataclass(frozen=True)
class Prepared:
    """The labelled frames, the composed pictures, and the frozen network's answers to them."""

    frames: list[LabelledFrame]
    draws: list[Draw]
    features: npt.NDArray[np.float16]
    maker: FeatureMaker

    @property
    def surgical(self) -> npt.NDArray[np.bool_]:
        """Labels of the composed pictures."""
        return np.array([d.surgical for d in self.draws])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--labels", type=Path, required=True, help="labels.csv of the frames")
    parser.add_argument(
        "--backbone", type=Path, required=True, help="mobilenet_v2-*.pth, torchvision's ImageNet weights"
    )
    parser.add_argument("--cache", type=Path, required=True, help="folder for features of composed pictures")
    parser.add_argument("--draws", type=int, default=16000, help="composed pictures")
    parser.add_argument("--frozen-blocks", type=int, default=Recipe.frozen_blocks, help="of seven stages of blocks")
    parser.add_argument("--epochs", type=float, default=Recipe.epochs)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)


def prepare(arguments: argparse.Namespace) -> Prepared:
    arguments.cache.mkdir(parents=True, exist_ok=True)
    frames = read_labels(arguments.labels)
    draws = Sampler(frames, FAMILIES, emphasis=EMPHASIS).draws(arguments.draws, arguments.seed)
    lower = Lower(pretrained(arguments.backbone, BASE), BASE, arguments.frozen_blocks)
    maker = FeatureMaker(lower, BASE, arguments.cache, arguments.threads)
    key = {"frozen_blocks": arguments.frozen_blocks, "compositions": COMPOSITIONS}
    return Prepared(frames, draws, cached_features(maker, draws, frames, key, arguments.cache), maker)


def recipe(arguments: argparse.Namespace) -> Recipe:
    return Recipe(frozen_blocks=arguments.frozen_blocks, epochs=arguments.epochs, seed=arguments.seed)
