"""Ground truth for `curate evaluate masks` in which boxed still frames stand among their neighbours.

Each file that a CSV of boxes names is put between the frames of its group (one video, case or scene) in a listing with
the columns ``file`` and ``group``, by name. Neighbours are wholly ignored: the detectors see them, nothing is judged
there. So a boxed frame is looked at as `curate mask` looks at it in a video, though its neighbours are further away
than a second. A frame without neighbours of its size stays alone.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import defaultdict
from pathlib import Path

import simplejpeg

from curate.evaluation.mask_truth import COLUMNS, IGNORE
from curate.vision.static_content import WINDOW


def by_number(name: str) -> list[tuple[int, str]]:
    """Key that sorts names as people do: numbers by their value."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def sequences(boxes: list[dict[str, str]], groups: dict[str, str], folder: Path) -> list[dict[str, str]]:
    """Rows of the truth: those of the boxes, and one for each neighbour that is not boxed itself.

    Args:
        boxes: Rows with `COLUMNS`.
        groups: Group of every frame.
        folder: Holds the frames.
    """
    boxed = defaultdict(list)
    for row in boxes:
        boxed[row["file"]].append({name: row[name] for name in COLUMNS})
    members = defaultdict(list)
    for file in sorted(groups, key=by_number):
        members[groups[file]].append(file)
    sizes: dict[str, tuple[int, int]] = {}

    def size(file: str) -> tuple[int, int]:
        if file not in sizes:
            height, width, _, _ = simplejpeg.decode_jpeg_header((folder / file).read_bytes())
            sizes[file] = width, height
        return sizes[file]

    rows: list[dict[str, str]] = []
    for group in dict.fromkeys(groups[file] for file in boxed):
        listed = members[group]
        places = [i for i, file in enumerate(listed) if file in boxed]
        near = [i for i in range(len(listed)) if min(abs(i - place) for place in places) < WINDOW]
        for width, height in dict.fromkeys(size(listed[i]) for i in places):
            for file in (listed[i] for i in near if size(listed[i]) == (width, height)):
                whole = dict(zip(COLUMNS, (file, IGNORE, "0", "0", str(width), str(height)), strict=True))
                rows += [row | {"sequence": f"{group} {width}x{height}"} for row in boxed.get(file, [whole])]
    return rows


def groups_of(frames: Path) -> dict[str, str]:
    """Group of every frame in a folder with labels.csv."""
    with open(frames / "labels.csv", newline="") as stream:
        return {row["file"]: row["group"] for row in csv.DictReader(stream)}


def write(boxes: list[dict[str, str]], frames: Path, output: Path) -> None:
    """Write the truth of `sequences`.

    Args:
        boxes: Rows with `COLUMNS`.
        frames: Folder with labels.csv and the frames.
        output: CSV to write.
    """
    with open(output, "w", newline="") as stream:
        writer = csv.DictWriter(stream, [*COLUMNS, "sequence"])
        writer.writeheader()
        writer.writerows(sequences(boxes, groups_of(frames), frames))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("boxes", type=Path, help=f"CSV with the columns {', '.join(COLUMNS)}")
    parser.add_argument("frames", type=Path, help="folder with labels.csv and the frames")
    parser.add_argument("output", type=Path, help="CSV to write")
    arguments = parser.parse_args()
    with open(arguments.boxes, newline="") as stream:
        write(list(csv.DictReader(stream)), arguments.frames, arguments.output)


if __name__ == "__main__":
    main()
