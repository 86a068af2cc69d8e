"""Measure the field of view on real frames: shapes by source, what is cut off, time, and sheets to look at.

    python scripts/evaluate_field.py DATA/frames --sheets FOLDER

`alone` takes every surgical frame by itself; `together` takes the frames of a group as the stage takes a video's, one
field a shot (groups of `yousskad` are frames of several videos in no order, which no video is). Nobody has drawn the
true fields: what is counted is the share of the lit pixels that lie outside of the field, lit being above grey level 30
after an opening by 7 pixels, which removes captions. The rest is for a person who looks at the sheets.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from curate.vision.field_of_view import SHAPES, FieldOfView, fit_field, reduction
from curate.vision.shots import find_shots

LIT = 30
COLUMNS, TILE = 10, (194, 132)
MOST = 60
"""Frames on a sheet."""

Judged = tuple[Path, FieldOfView]


def listed(frames: Path) -> Iterator[tuple[str, str, list[Path]]]:
    """Source, group and files of the surgical frames."""
    groups: dict[tuple[str, str], list[Path]] = defaultdict(list)
    with open(frames / "labels.csv", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["label"] == "surgical":
                groups[row["source"], row["group"]].append(frames / row["file"])
    for (source, group), files in sorted(groups.items()):
        yield source, group, sorted(files)


def grey(path: Path) -> tuple[np.ndarray, int]:
    """The frame grey and reduced as the stage reduces it, and by how much."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    by = reduction(image.shape[1], image.shape[0])
    rows, columns = (-(-side // by) for side in image.shape)
    return cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA), by


def alone(files: Sequence[Path]) -> list[Judged]:
    return [(path, fit_field(small).scaled(by, by)) for path in files for small, by in [grey(path)]]


def together(files: Sequence[Path]) -> list[Judged]:
    small = [grey(path) for path in files]
    judged: list[Judged] = []
    for shot in find_shots((n, picture) for n, (picture, _) in enumerate(small)):
        judged += [(files[n], shot.field.scaled(small[n][1], small[n][1])) for n in range(shot.first, shot.last + 1)]
    return judged


def lost(path: Path, field: FieldOfView) -> float:
    """Share of the lit pixels outside of the field."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    lit = cv2.morphologyEx((image > LIT).astype(np.uint8), cv2.MORPH_OPEN, np.ones((7, 7), np.uint8)).astype(bool)
    return float((lit & ~field.mask(image.shape[1], image.shape[0], grow=1)).sum() / max(lit.sum(), 1))


def sheet(judged: Sequence[Judged], path: Path) -> None:
    """Frames, brightened, with their field drawn: a spread of them, by shape."""
    order = sorted(judged, key=lambda one: (one[1].shape, -one[1].score))
    tiles = []
    for i in np.unique(np.linspace(0, len(order) - 1, min(MOST, len(order))).round().astype(int)):
        file, field = order[i]
        image = cv2.convertScaleAbs(cv2.imread(str(file)), alpha=1.6, beta=20)
        if field.shape != "none":
            corners = (int(field.x1), int(field.y1)), (int(field.x2) - 1, int(field.y2) - 1)
            cv2.rectangle(image, *corners, (255, 0, 0), 2)
        if field.is_round:
            middle, radii = (round(field.cx), round(field.cy)), (round(field.rx), round(field.ry))
            cv2.ellipse(image, middle, radii, 0, 0, 360, (0, 255, 0), 1)
        scale = min(TILE[0] / image.shape[1], TILE[1] / image.shape[0])
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        tile = np.full((TILE[1] + 16, TILE[0], 3), 60, np.uint8)
        tile[: image.shape[0], : image.shape[1]] = image
        said = f"{len(tiles)} {field.shape} {field.score:.2f}"
        cv2.putText(tile, said, (0, TILE[1] + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1)
        tiles.append(tile)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(str(path), np.vstack(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frames", type=Path)
    parser.add_argument("--sheets", type=Path, help="Folder for the sheets.")
    arguments = parser.parse_args()
    groups = list(listed(arguments.frames))
    for how in (alone, together):
        by_source: dict[str, list[Judged]] = defaultdict(list)
        begin = time.process_time()
        for source, _, files in groups:
            by_source[source] += how(files)
        count = sum(map(len, by_source.values()))
        spent = (time.process_time() - begin) / count * 1000
        print(f"{how.__name__}: {count} frames, {spent:.1f} CPU ms each with reading and reducing")
        for source, judged in by_source.items():
            shapes = Counter(field.shape for _, field in judged)
            shares = np.array([lost(*one) for one in judged if one[1].shape != "none"] or [0.0])
            named = ", ".join(f"{shape} {shapes[shape]}" for shape in SHAPES if shapes[shape])
            print(
                f"  {source}: {named}; lit pixels outside: mean {shares.mean():.4f}, "
                f"95th percentile {np.percentile(shares, 95):.4f}, most {shares.max():.4f}"
            )
            if arguments.sheets:
                arguments.sheets.mkdir(parents=True, exist_ok=True)
                sheet(judged, arguments.sheets / f"{how.__name__}-{source}.png")


if __name__ == "__main__":
    main()
