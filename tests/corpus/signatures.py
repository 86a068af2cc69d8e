"""Signatures of videos that were never filmed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from curate.workspace.tables.signatures import CROPS, Signature, write_signature


def codes(seed: int, rows: int) -> np.ndarray:
    """Hashes of unrelated pictures, (rows, 32)."""
    return np.random.default_rng(seed).integers(0, 256, (rows, 32), dtype=np.uint8)


def flipped(of: np.ndarray, bits: int, seed: int = 0) -> np.ndarray:
    """The same hashes with some bits of each turned."""
    rng = np.random.default_rng(seed)
    loose = np.unpackbits(of, axis=-1)
    for row in loose.reshape(-1, 256):
        row[rng.choice(256, bits, replace=False)] ^= 1
    return np.packbits(loose, axis=-1)


def signature(
    whole: np.ndarray,
    *,
    mirror: np.ndarray | None = None,
    crop: np.ndarray | None = None,
    frame: np.ndarray | None = None,
    quality: Sequence[int] | None = None,
    start: float = 0.0,
    size: tuple[int, int] = (640, 360),
) -> Signature:
    """A signature of one row a second; what is not given is unrelated to anything."""
    rows = len(whole)
    unrelated = np.random.default_rng(int(whole.sum()) + 1)
    crops = unrelated.integers(0, 256, (rows, CROPS, 32), dtype=np.uint8)
    if crop is not None:
        crops[:, 0] = crop
    return Signature(
        n=np.arange(rows, dtype=np.int32),
        timestamps=start + np.arange(rows, dtype=np.float64),
        quality=np.array(quality if quality is not None else [50] * rows, np.uint8),
        whole=whole,
        mirror=mirror if mirror is not None else unrelated.integers(0, 256, (rows, 32), dtype=np.uint8),
        crops=crops,
        frame=frame if frame is not None else whole,
        width=size[0],
        height=size[1],
        spacing=1.0,
    )


def written(folder: Path, **signatures: Signature) -> list[Path]:
    """Write signatures, by the ids of their videos."""
    folder.mkdir(exist_ok=True)
    for name, one in signatures.items():
        write_signature(folder / f"{name}.parquet", one)
    return [folder / f"{name}.parquet" for name in signatures]
