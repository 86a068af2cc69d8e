"""LMDB as the loaders of LEMON (LemonFM, PL-Stitch) read it, in two channel orders.

One environment a split, ``{split}.lmdb``, a folder with ``data.mdb`` and no lock file. Its keys are
``{video id}_{n}``, ``n`` a plain decimal counted from the first frame inside the trim; gaps are allowed. It holds
images and nothing else, since the readers take every key for one; all metadata is in ``metadata.parquet`` beside it.

``rgb`` stores ordinary JPEGs, byte for byte where nothing had to be painted. ``bgr`` is what LEMON's own writer
makes: JPEGs with R and B exchanged.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from curate.config import ExportOptions
from curate.exports.disk.environment import KeyTree, Shape, padding
from curate.exports.disk.output import OutputFile
from curate.exports.disk.previous import Offer
from curate.exports.formats.dataset import Dataset
from curate.exports.formats.finished import FinishedShard
from curate.exports.formats.joining import StagedPictures, in_order_of_keys, joined
from curate.exports.formats.making import Making
from curate.exports.formats.tables import (
    METADATA,
    ROWS,
    RowsFile,
    made_with,
    read_batches,
    with_place,
    write_frame_table,
)
from curate.exports.formats.taking import take_joined
from curate.exports.plan.plan import Plan
from curate.exports.plan.shards import PORTION, Shard, by_split

VERSION = 2
"""Raised when the bytes written for the same input change."""

READING = (
    "One LMDB environment a split, `{split}.lmdb`. Keys are `{{video_id}}_{{n}}`, `n` counted from the first frame "
    "inside the trim, with gaps where frames were left out. Values are ordinary JPEGs (`channel_order` is `rgb`). "
    "All metadata is in `metadata.parquet`, one row a key.\n\n"
    "```python\n"
    "import io\n\n"
    "import lmdb\n"
    "from PIL import Image\n\n"
    'environment = lmdb.open("{split}.lmdb", readonly=True, lock=False, readahead=False)\n'
    "with environment.begin() as transaction:\n"
    "    key, value = next(iter(transaction.cursor()))\n"
    "Image.open(io.BytesIO(value))\n"
    "```"
)

LEMON_READING = (
    "One LMDB environment a split, `{split}.lmdb`, for the loaders of LEMON. Keys are `{{video_id}}_{{n}}`, `n` "
    "counted from the first frame inside the trim, with gaps where frames were left out. Values are JPEGs with R "
    "and B exchanged (`channel_order` is `bgr`): decode them with `cv2.imdecode` and use the array as RGB without "
    "converting it. All metadata is in `metadata.parquet`, one row a key."
)


def shards(plan: Plan, options: ExportOptions) -> list[Shard]:
    """Shards of some thousand pictures, whatever their split will hold."""
    return by_split(plan, PORTION)


def write_split(making: Making) -> dict[str, Any]:
    """Write the environment of a split, ``data.mdb``, and its rows.

    Args:
        making: What to write; it joins the shards of the split.

    Returns:
        Nothing to keep.

    Raises:
        BrokenVideo: The artefacts of a video cannot be read.
        DamagedArtefact: The frames are not the ones that were sampled.
    """
    name = f"{making.job.shard.part}.lmdb"
    with RowsFile(making.folder) as rows:
        for group in joined(making):
            count = len(group.batch)
            rows.add_batch(with_place(group.batch, file=[name] * count, offset=[None] * count))
    (making.folder / name).mkdir()
    with OutputFile(making.folder / name / "data.mdb") as file, StagedPictures() as pictures:
        file.write(_shape(making).head())
        tree = KeyTree(file.write)
        for place in in_order_of_keys(making):
            tree.add(place.key.encode(), place.size)
            file.write(pictures.read(place))
            file.write(padding(place.size))
            making.tick()
        tree.finish()
    making.summed[f"{name}/data.mdb"] = file.facts()
    return {}


def take_split(making: Making, offer: Offer) -> None:
    """Take over the environment of a split, and its rows.

    Raises:
        Refused: They are not as they were written, or not what is wanted.
        BadArtefact: They cannot be read.
    """
    data = f"{making.job.shard.part}.lmdb/data.mdb"
    take_joined(making, offer, data, data)


def holds_split(finished: FinishedShard) -> bool:
    """Whether what is staged of a split is what `write_split` would leave."""
    name = f"{finished.job.shard.part}.lmdb"
    return finished.has_files(ROWS, f"{name}/data.mdb") and finished.has_rows([name])


def _shape(making: Making) -> Shape:
    """What the head of the environment has to tell, before anything is written."""
    tree = KeyTree()
    for place in in_order_of_keys(making):
        tree.add(place.key.encode(), place.size)
    return tree.finish()


def assemble(dataset: Dataset, folder: Path, channel_order: Literal["rgb", "bgr"]) -> dict[str, Any]:
    """Put the environments into the export, and write the sidecar table.

    Args:
        dataset: With a shard a split.
        folder: Of the export.
        channel_order: ``rgb`` or ``bgr``, see the module.

    Returns:
        The channel order, for ``export.json``.
    """
    for made in dataset.shards:
        data = f"{made.shard.part}.lmdb/data.mdb"
        dataset.place(made, data, folder, data)
    rows = (batch for made in dataset.shards for batch in read_batches(made.folder))
    write_frame_table(folder / METADATA, rows, made_with(dataset.context) | {"channel_order": channel_order})
    return {"channel_order": channel_order}
