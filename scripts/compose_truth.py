"""Frames with drawn overlays and their truth, for ``curate evaluate masks``.

Writes sequences of frames, some of them without overlays, and ``truth.csv``. Nothing that they are made of was trained
on: with ``--held-out``, neither sources, inserts, fonts nor families of logos; without it, only the groups (videos,
cases, scenes) of the training sources that are kept for validation, for choosing thresholds. A third of the frames'
motion is real: frames that followed each other in a video.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import simplejpeg
from compose_overlays import SCALE, UNSEEN, Clip, Composer
from draw_overlays import LOGOS, OTHER_LOGOS
from train_overlay_net import HELD_OUT_INSERTS, HELD_OUT_SCENES, INSERTS, SCENES, composer_of

from curate.evaluation.mask_truth import COLUMNS, IGNORE

QUALITY = 95
"""JPEG quality of the frames, as ``curate sample`` writes them."""

FOLLOWED = 0.35
"""Share of sequences that are frames of a real video."""


def sequences(composer: Composer, count: int, clean: int, length: int, seed: int) -> list[Clip]:
    """Clips, the first ``clean`` of them without overlays, the others with one at least that can be seen."""
    rng = np.random.default_rng(seed)
    clips = [composer.clip(rng, length, kinds=[], followed=FOLLOWED) for _ in range(clean)]
    while len(clips) < clean + count:
        clip = composer.clip(rng, length, followed=FOLLOWED)
        if clip.target[clip.target != UNSEEN].any():
            clips.append(clip)
    return clips


def write(clips: list[Clip], folder: Path) -> None:
    """Write the frames as JPEG files, and their truth."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "truth.csv", "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*COLUMNS, "sequence"])
        for number, clip in enumerate(clips):
            for n, frame in enumerate(clip.frames):
                name = f"{number:04d}_{n:02d}.jpg"
                (folder / name).write_bytes(simplejpeg.encode_jpeg(frame, quality=QUALITY))
                shown = [one for one in clip.drawn if one.shown[n]]
                for one in shown:
                    writer.writerow([name, one.kind or IGNORE, *one.box, f"{number:04d}"])
                if not shown:
                    writer.writerow([name, "", "", "", "", "", f"{number:04d}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frames", type=Path, help="folder with labels.csv and the frames")
    parser.add_argument("output", type=Path, help="folder for the frames and truth.csv")
    parser.add_argument("--fonts", type=Path, required=True, help="folder searched for fonts of text and of icons")
    parser.add_argument("--held-out", action="store_true", help="sources, inserts and logos that were not trained on")
    parser.add_argument("--clips", type=int, default=80, help="sequences with overlays")
    parser.add_argument("--clean", type=int, default=60, help="sequences without")
    parser.add_argument("--length", type=int, default=12, help="frames of a sequence")
    parser.add_argument("--seed", type=int, default=11)
    arguments = parser.parse_args()

    scenes, inserts, logos = (
        (HELD_OUT_SCENES, HELD_OUT_INSERTS, OTHER_LOGOS) if arguments.held_out else (SCENES, INSERTS, LOGOS)
    )
    composer = composer_of(
        arguments.frames,
        arguments.fonts,
        scenes,
        inserts,
        logos,
        validation=None if arguments.held_out else True,
        detail=SCALE,
    )
    composer = replace(composer, lettered=0.0)
    write(sequences(composer, arguments.clips, arguments.clean, arguments.length, arguments.seed), arguments.output)


if __name__ == "__main__":
    main()
