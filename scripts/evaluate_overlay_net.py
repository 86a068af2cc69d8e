"""Figures of the overlay network alone on composed clips from held-out sources.

Nothing in these clips was trained on: neither scenes, inserts, fonts, icons, nor the families of logos. Clips of eight
frames are looked at together and, for the figures without evidence over time, their last frames alone. Half of the
clips are frames that followed each other in a real video.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from compose_overlays import UNSEEN, Composer
from draw_overlays import OTHER_LOGOS
from train_overlay_net import HELD_OUT_INSERTS, HELD_OUT_SCENES, composer_of

from curate.config import MaskOptions
from curate.media.evidence import COLUMNS, ROWS, WINDOW, statistics
from curate.media.paint import cover
from curate.nets.fusion import ONE_OFF
from curate.nets.overlay import CLASSES, OverlayNet, boxes_of, packaged_model


class Tally:
    """Counts over clips."""

    def __init__(self) -> None:
        self.covered, self.drawn = np.zeros(len(CLASSES), np.int64), np.zeros(len(CLASSES), np.int64)
        self.clean = self.touched = 0

    def add(self, painted: np.ndarray, target: np.ndarray) -> None:
        """Count one clip: what is covered, and what is where."""
        for index in range(len(CLASSES)):
            self.covered[index] += painted[target == index].sum()
            self.drawn[index] += (target == index).sum()
        if not target.any():
            self.clean += 1
            self.touched += bool(painted.any())

    def line(self) -> str:
        """The figures in one line."""
        kinds = [f"{kind} {self.covered[i] / max(self.drawn[i], 1):.3f}" for i, kind in enumerate(CLASSES) if i]
        every = self.covered[1:].sum() / max(self.drawn[1:].sum(), 1)
        lost = 100 * self.covered[0] / max(self.drawn[0], 1)
        return f"recall {every:.3f} ({', '.join(kinds)}), lost {lost:.2f} %, touched {self.touched}/{self.clean}"


def examples(composer: Composer, count: int, clean: int, seed: int) -> list[tuple[list[np.ndarray], np.ndarray]]:
    """Clips of a full window, the first ``clean`` of them without overlays."""
    rng = np.random.default_rng(seed)
    clips = [composer.clip(rng, WINDOW, kinds=[], followed=0.5) for _ in range(clean)]
    while len(clips) < clean + count:
        clip, target = composer.clip(rng, WINDOW, followed=0.5)
        if target[target != UNSEEN].any():
            clips.append((clip, target))
    return clips


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frames", type=Path, help="folder with labels.csv and the frames")
    parser.add_argument("--fonts", type=Path, required=True, help="folder searched for fonts that were not trained on")
    parser.add_argument("--model", type=Path, default=packaged_model())
    parser.add_argument("--threshold", type=float, nargs="+", default=[MaskOptions().overlay_threshold])
    parser.add_argument("--clips", type=int, default=300, help="clips with overlays")
    parser.add_argument("--clean", type=int, default=200, help="clips without")
    parser.add_argument("--seed", type=int, default=11)
    arguments = parser.parse_args()

    composer = composer_of(arguments.frames, arguments.fonts, HELD_OUT_SCENES, HELD_OUT_INSERTS, OTHER_LOGOS)
    clips = examples(composer, arguments.clips, arguments.clean, arguments.seed)
    net = OverlayNet(arguments.model)
    for way, first, extra in ((f"{WINDOW} frames", 0, 0.0), ("single frames", WINDOW - 1, ONE_OFF)):
        found = [(net.probabilities(statistics(clip[first:])), target) for clip, target in clips]
        for threshold in arguments.threshold:
            tally = Tally()
            for probabilities, target in found:
                boxes = boxes_of(probabilities, threshold + extra)
                tally.add(cover([box[:4] for box in boxes], COLUMNS, ROWS), target)
            print(f"{way}, threshold {threshold:.2f}: {tally.line()}", flush=True)


if __name__ == "__main__":
    main()
