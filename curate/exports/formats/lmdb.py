"""LMDB as the loaders of LEMON (LemonFM, PL-Stitch) read it, in two channel orders.

One environment a split, ``{split}.lmdb``, a folder with ``data.mdb`` and no lock file. Its keys are
``{video id}_{n}``, ``n`` a plain decimal counted from the first frame inside the trim; gaps are allowed. It holds
images and nothing else, since the readers take every key for one; all metadata is in ``metadata.parquet`` beside it.

``rgb`` stores ordinary JPEGs, byte for byte where nothing had to be painted. ``bgr`` is what LEMON's own writer
makes: JPEGs with R and B exchanged.

The generic flavour has two entries more, for readers that cannot list keys: ``__keys__``, the pickled list of all keys
as bytes in the order of ``metadata.parquet``, and ``__len__``, the pickled number of them. LEMON's readers would take
these for images.
"""

from __future__ import annotations

import errno
import os
import pickle
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import lmdb

from curate.exports.formats.dataset import Dataset
from curate.exports.formats.tables import METADATA, FrameTable, frame_row, made_with
from curate.exports.plan.plan import PlannedVideo

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

GENERIC_READING = (
    "One LMDB environment a split, `{split}.lmdb`. Values are ordinary JPEGs (`channel_order` is `rgb`). Two further "
    "entries serve readers that look for them: `__keys__`, a pickled list of all keys as bytes, and `__len__`, a "
    "pickled integer. All metadata is in `metadata.parquet`, one row a key, in the order of `__keys__`."
)

INITIAL_MAP = 1 << 30
"""Bytes of address space to start with; it doubles whenever it is full."""

_BATCH_ROWS = 100
_BATCH_BYTES = 64_000_000


def write_lmdb(
    dataset: Dataset,
    folder: Path,
    channel_order: Literal["rgb", "bgr"],
    *,
    index: bool = False,
    initial_map: int = INITIAL_MAP,
) -> dict[str, Any]:
    """Write one environment a split and the sidecar table.

    Args:
        dataset: What to write.
        folder: Existing folder of the export.
        channel_order: ``rgb`` or ``bgr``, see the module.
        index: Whether to add ``__keys__`` and ``__len__``.
        initial_map: Bytes of the map at first.

    Returns:
        The channel order, for ``export.json``.

    Raises:
        BrokenVideo: The artefacts of a video cannot be read.
    """
    metadata = made_with(dataset) | {"channel_order": channel_order}

    with FrameTable(folder / METADATA, metadata, dataset.staging) as table:

        def items(split: str, videos: list[PlannedVideo]) -> Iterator[tuple[bytes, bytes]]:
            keys: list[bytes] = []
            for frame, image in dataset.pictures(videos, swapped=channel_order == "bgr"):
                row = frame_row(frame, dataset.renderer)
                table.add(row, file=f"{split}.lmdb", offset=None, size=len(image))
                if index:
                    keys.append(frame.key.encode())
                yield frame.key.encode(), image
            if index:
                yield from index_entries(keys).items()

        for split, videos in dataset.plan.splits().items():
            environment = folder / f"{split}.lmdb"
            write_environment(items(split, videos), environment, initial_map=initial_map)
            dataset.staging.checksums.written(environment / "data.mdb")
    return {"channel_order": channel_order}


def index_entries(keys: list[bytes]) -> dict[bytes, bytes]:
    """The two entries of the generic flavour for these keys."""
    return {b"__keys__": pickle.dumps(keys, protocol=4), b"__len__": pickle.dumps(len(keys), protocol=4)}


def write_environment(items: Iterable[tuple[bytes, bytes]], path: Path, *, initial_map: int = INITIAL_MAP) -> None:
    """Write keys and values, in any order, to a new compact environment.

    They first go to a scratch environment that need not survive a crash; its compact copy has the keys in order, no
    free pages, and the same bytes for the same items. For a while this takes the space twice.

    Args:
        items: Distinct keys with their values.
        path: Folder to make.
        initial_map: Bytes of the map at first.

    Raises:
        OSError: The disk is full or fails, or the map cannot grow.
    """
    scratch = path.with_name(f".{path.name}.scratch")
    environment = lmdb.open(str(scratch), map_size=initial_map, sync=False, metasync=False, lock=False, max_dbs=0)
    try:
        for batch in _batches(items):
            _put(environment, batch)
        path.mkdir()
        # Not `copy`, which goes past the page cache: the file is read again at once, for its checksum.
        with open(path / "data.mdb", "wb") as stream:
            environment.copyfd(stream.fileno(), compact=True)
    except lmdb.Error as error:
        raise _cause(path, error) from error
    finally:
        environment.close()
        shutil.rmtree(scratch)


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
