"""Where the files of each format lie, as globs: what Hugging Face ``datasets`` reads, and what holds the pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

NO_PICTURES = "metadata"
"""Split under which ``datasets`` gives the table of frames of a format whose pictures it cannot read."""


@dataclass(frozen=True)
class Layout:
    """Where the files of a format lie.

    Attributes:
        data: Glob of the files of a split that hold its pictures or videos; ``{split}`` stands for its name.
        builder: Module of ``datasets`` that reads them: ``parquet``, ``webdataset``, ``imagefolder``, ``videofolder``;
            empty where none does, and the table of frames is read instead.
        labels: Whether the folder of a file is its label.
        media: Encoding of the files, as a MIME type.
        sharded: Whether a loader gives whole files to its workers.
    """

    data: str
    builder: str = ""
    labels: bool = False
    media: str = "image/jpeg"
    sharded: bool = False

    def files(self, split: str) -> str:
        """The glob of a split.

        Names of splits are letters, digits and ``_``: it matches files of no other split, whatever classes are called.
        """
        return self.data.replace("{split}", split)

    def of(self, split: str, names: Iterable[str]) -> list[str]:
        """Those of some paths that hold pictures of a split."""
        pattern = self.files(split)
        depth = pattern.count("/")
        return [name for name in names if name.count("/") == depth and fnmatchcase(name, pattern)]

    def parameters(self) -> dict[str, Any]:
        """What the module of ``datasets`` is told beside the files."""
        return {"drop_labels": not self.labels} if self.builder in ("imagefolder", "videofolder") else {}


LAYOUTS: Mapping[str, Layout] = {
    "parquet": Layout("data/{split}-*.parquet", "parquet", media="application/x-parquet", sharded=True),
    "lmdb": Layout("{split}.lmdb/data.mdb", media="application/octet-stream"),
    "lmdb-lemon": Layout("{split}.lmdb/data.mdb", media="application/octet-stream"),
    "webdataset": Layout("{split}-*.tar", "webdataset", media="application/x-tar", sharded=True),
    "folders": Layout("{split}/*/*.jpg", "imagefolder", labels=True),
    "surgenet": Layout("{split}/*/*/*.jpg", "imagefolder"),
    "dinov2": Layout("{split}/*.tar", media="application/x-tar"),
    "video": Layout("{split}/*.mp4", "videofolder", media="video/mp4"),
    "clips": Layout("{split}/*/*.mp4", "videofolder", labels=True, media="video/mp4"),
}
"""By format."""
