"""LMDB as the loaders of LEMON (LemonFM, PL-Stitch) read it, in two channel orders.

One environment a split, ``{split}.lmdb``, a folder with ``data.mdb`` and no lock file. Its keys are
``{video id}_{n}``, ``n`` a plain decimal counted from the first frame inside the trim; gaps are allowed. It holds
images and nothing else, since the readers take every key for one; all metadata is in ``metadata.parquet`` beside it.

``rgb`` stores ordinary JPEGs, byte for byte where nothing had to be painted. ``bgr`` is what LEMON's own writer
makes: JPEGs with R and B exchanged.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import lmdb

from curate.config import ExportOptions
from curate.exports.disk.checksums import FileFacts
from curate.exports.disk.output import PIECE, OutputFile
from curate.exports.formats.dataset import Dataset
from curate.exports.formats.joining import joined
from curate.exports.formats.making import Making
from curate.exports.formats.tables import (
    METADATA,
    RowsFile,
    made_with,
    read_batches,
    with_place,
    write_frame_table,
)
from curate.exports.plan.plan import Plan
from curate.exports.plan.shards import PORTION, Shard, by_split

VERSION = 1
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

INITIAL_MAP = 1 << 30
"""Bytes of address space to start with; it doubles whenever it is full."""

_BATCH_ROWS = 100
_BATCH_BYTES = 64_000_000


def shards(plan: Plan, options: ExportOptions) -> list[Shard]:
    """Shards of some thousand pictures, whatever their split will hold."""
    return by_split(plan, PORTION)


def write_split(
    making: Making,
    channel_order: Literal["rgb", "bgr"],
    *,
    initial_map: int = INITIAL_MAP,
) -> dict[str, Any]:
    """Write the environment of a split, ``data.mdb``, and its rows.

    Args:
        making: What to write; it joins the shards of the split.
        channel_order: ``rgb`` or ``bgr``, see the module.
        initial_map: Bytes of the map at first.

    Returns:
        The channel order.

    Raises:
        BrokenVideo: The artefacts of a video cannot be read.
    """
    name = f"{making.job.shard.part}.lmdb"

    with RowsFile(making.folder) as rows:

        def items() -> Iterator[tuple[bytes, bytes]]:
            for group in joined(making):
                sizes = []
                for key, picture in zip(group.keys, group.pictures, strict=True):
                    sizes.append(len(picture))
                    yield key.encode(), picture
                count = len(sizes)
                rows.add_batch(with_place(group.batch, file=[name] * count, offset=[None] * count, size=sizes))

        environment = making.folder / name
        facts = write_environment(items(), environment, initial_map=initial_map, tick=making.tick)
    making.summed[f"{name}/data.mdb"] = facts
    return {"channel_order": channel_order}


def assemble(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Put the environments into the export, and write the sidecar table.

    Args:
        dataset: With a shard a split.
        folder: Of the export.

    Returns:
        The channel order, for ``export.json``.
    """
    order = {str(made.record.facts["channel_order"]) for made in dataset.shards}.pop()
    for made in dataset.shards:
        data = f"{made.shard.part}.lmdb/data.mdb"
        dataset.place(made, data, folder, data)
    rows = (batch for made in dataset.shards for batch in read_batches(made.folder))
    write_frame_table(folder / METADATA, rows, made_with(dataset.context) | {"channel_order": order})
    return {"channel_order": order}


def write_environment(
    items: Iterable[tuple[bytes, bytes]],
    path: Path,
    *,
    initial_map: int = INITIAL_MAP,
    tick: Callable[[], None] = lambda: None,
) -> FileFacts:
    """Write keys and values, in any order, to a new compact environment.

    They first go to a scratch environment that need not survive a crash; its compact copy has the keys in order, no
    free pages, and the same bytes for the same items. For a while this takes the space twice.

    Args:
        items: Distinct keys with their values.
        path: Folder to make.
        initial_map: Bytes of the map at first.
        tick: Called for each piece of the copy.

    Returns:
        Size and checksum of its ``data.mdb``.

    Raises:
        OSError: The disk is full or fails, or the map cannot grow.
    """
    scratch = path.with_name(f".{path.name}.scratch")
    environment = lmdb.open(str(scratch), map_size=initial_map, sync=False, metasync=False, lock=False, max_dbs=0)
    try:
        for batch in _batches(items):
            _put(environment, batch)
        path.mkdir()
        return _copy(environment, path / "data.mdb", tick)
    except lmdb.Error as error:
        raise _cause(path, error) from error
    finally:
        environment.close()
        shutil.rmtree(scratch)


def _copy(environment: lmdb.Environment, path: Path, tick: Callable[[], None]) -> FileFacts:
    """Write a compact copy, which comes out of a pipe: so it is summed on the way, and one sees it get on."""
    source, sink = os.pipe()
    with ThreadPoolExecutor(1) as pool, open(source, "rb", buffering=0) as stream:

        def copy() -> None:
            try:
                environment.copyfd(sink, compact=True)
            finally:
                os.close(sink)

        copying = pool.submit(copy)
        try:
            with OutputFile(path) as file:
                while piece := stream.read(PIECE):
                    file.write(piece)
                    tick()
        except BaseException:
            stream.close()  # so that the other end does not wait for ever
            raise
        copying.result()
    return file.facts()


def _put(environment: lmdb.Environment, batch: list[tuple[bytes, bytes]]) -> None:
    while True:
        try:
            with environment.begin(write=True) as transaction:
                for key, value in batch:
                    transaction.put(key, value)
            return
        except lmdb.MapFullError:
            larger = 2 * environment.info()["map_size"]
            try:
                environment.set_mapsize(larger)
            except lmdb.Error as error:
                why = f"the LMDB map is full and cannot grow to {larger >> 20} MiB: raise the limit of address space"
                raise OSError(errno.ENOMEM, f"{why} (ulimit -v)") from error


def _cause(path: Path, error: lmdb.Error) -> OSError:
    """What the system says of a write that LMDB could not finish.

    LMDB calls a short write an input/output error, so the disk is asked again: the same file, a batch longer.
    """
    for name in (path.with_name(f".{path.name}.scratch"), path):
        data = name / "data.mdb"
        if not data.exists():
            continue
        try:
            with open(data, "ab", buffering=0) as stream:
                for _ in range(_BATCH_BYTES >> 20):
                    stream.write(bytes(1 << 20))
                os.fsync(stream.fileno())
        except OSError as told:
            return OSError(told.errno, f"{told.strerror}, while {path.name} was written", str(path.parent))
    return OSError(errno.EIO, f"{path.name}: {error}", str(path.parent))


def _batches(items: Iterable[tuple[bytes, bytes]]) -> Iterator[list[tuple[bytes, bytes]]]:
    batch: list[tuple[bytes, bytes]] = []
    size = 0
    for key, value in items:
        batch.append((key, value))
        size += len(value)
        if len(batch) == _BATCH_ROWS or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
