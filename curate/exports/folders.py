"""Loose JPEG files: class folders as torchvision's ``ImageFolder`` reads them, and SurgeNet's tree."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from curate.exports.classes import class_of
from curate.exports.dataset import Dataset
from curate.exports.frames import ExportFrame
from curate.exports.tables import FrameTable, frame_row, made_with

VERSION = 1
"""Raised when the bytes written for the same input change."""

SURGENET_BATCH = 10_000
"""Indices of one ``Batch`` folder, by SurgeNet's ``create_SurgeNetXL.py``."""

READING = (
    "`{split}/{{procedure}}/{{video_id}}_{{n}}.jpg`. DINO: `ImageFolder` on the folder `{split}`. MAE and timm: on "
    "this folder. All metadata is in `metadata.parquet`, one row a file.\n\n"
    "```python\n"
    "from torchvision.datasets import ImageFolder\n\n"
    'dataset = ImageFolder("path/to/this/folder/{split}")\n'
    "```"
)

SURGENET_READING = (
    "SurgeNet's tree below each split: `{split}/{{procedure}}/Batch{{k}}/{{video_id}}_frame_{{n}}_Sample{{i}}.jpg`, "
    "`n` counted from the start of the source video, `i` over the exported frames of the procedure, 10,000 of them a "
    "batch. `{split}.txt` is the list of file names. Match frames of other releases by video and `n`, since `i` shifts "
    "with every video that comes or goes."
)


def write_folders(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Write ``{split}/{class}/{key}.jpg``.

    Args:
        dataset: What to write.
        folder: Existing folder of the export.

    Returns:
        How many bytes the loose files have, for ``export.json``.

    Raises:
        BrokenVideo: The artefacts of a video cannot be read.
    """
    return _write_files(dataset, folder, lambda frame: f"{frame.video.split}/{class_of(frame.video)}/{frame.key}.jpg")


def write_surgenet(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Write ``{split}/{class}/Batch{k}/{video}_frame_{n}_Sample{i}.jpg`` and the frame list of each split.

    Args:
        dataset: What to write.
        folder: Existing folder of the export.

    Returns:
        How many bytes the loose files have, for ``export.json``.

    Raises:
        BrokenVideo: The artefacts of a video cannot be read.
    """
    counts: dict[tuple[str, str], int] = defaultdict(int)

    def name(frame: ExportFrame) -> str:
        split, procedure = frame.video.split, class_of(frame.video)
        i = counts[split, procedure]
        counts[split, procedure] += 1
        file = f"{frame.video.id}_frame_{frame.n}_Sample{i}.jpg"
        with open(folder / f"{split}.txt", "a", encoding="ascii") as stream:
            stream.write(f"{file}\n")
        return f"{split}/{procedure}/Batch{i // SURGENET_BATCH}/{file}"

    return _write_files(dataset, folder, name)


def _write_files(dataset: Dataset, folder: Path, name_of: Callable[[ExportFrame], str]) -> dict[str, Any]:
    """Write every frame to a file of its own, and the table that tells where it is and what its checksum is."""
    made: set[Path] = set()
    total = 0
    with FrameTable(folder / "metadata.parquet", made_with(dataset), checksums=True) as table:
        for videos in dataset.plan.splits().values():
            for frame, jpeg in dataset.pictures(videos):
                name = name_of(frame)
                path = folder / name
                if path.parent not in made:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    made.add(path.parent)
                path.write_bytes(jpeg)
                total += len(jpeg)
                checksum = hashlib.sha256(jpeg).hexdigest()
                table.add(frame_row(frame, dataset.renderer), file=name, offset=0, size=len(jpeg), sha256=checksum)
    return {"loose_bytes": total}
