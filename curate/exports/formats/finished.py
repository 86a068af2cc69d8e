"""Whether a shard that an export left unfinished is one that this code would write.

What is staged may come from a curate that is not quite this one, though it calls itself the same version, or from a
stranger. Its checksums say that it is as it was written, not that it can be put together: so what each format leaves is
looked at, too, by name and by columns. A shard that is not understood is written anew.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from curate.exports.disk.staging import ShardRecord
from curate.exports.formats.making import Job
from curate.exports.formats.tables import ROWS, place_schema, read_batches


@dataclass(frozen=True)
class FinishedShard:
    """A shard that is staged, every file of it but loose pictures as its record tells.

    Attributes:
        job: That would write it.
        folder: Where it is.
        record: What is known of it.
        tick: To be called while files are read.
    """

    job: Job
    folder: Path
    record: ShardRecord
    tick: Callable[[], None]

    def has_files(self, *names: str) -> bool:
        """Whether these are its files, and no others."""
        return self.record.files.keys() == set(names)

    def numbered(self, suffix: str, *others: str) -> list[str]:
        """Names of files ``{i}{suffix}``, i from 0, if there are any, and beside them just ``others``; else none."""
        names = [f"{i}{suffix}" for i in range(len(self.record.files) - len(others))]
        return names if self.has_files(*names, *others) else []

    def has_rows(self, files: Collection[str] = (), *, checksums: bool = False) -> bool:
        """Whether its rows have the present columns, are as many as its frames, and name no files but some.

        Args:
            files: Those files; any if not given.
            checksums: As for `curate.exports.formats.tables.place_schema`.
        """
        schema, count = place_schema(checksums=checksums), 0
        for batch in read_batches(self.folder) if ROWS in self.record.files else ():
            named = set(batch.column("file").unique().to_pylist()) if batch.schema == schema else {None}
            if None in named or (files and not named <= set(files)):
                return False
            count += len(batch)
            self.tick()
        return count == self.job.shard.frames


Holds = Callable[[FinishedShard], bool]
"""Whether a shard is one that this code would write, and its loose pictures are as they were written."""


def is_understood(holds: Holds, finished: FinishedShard) -> bool:
    """As ``holds`` says; no if it does not come to an answer."""
    try:
        return finished.record.frames == finished.job.shard.frames and holds(finished)
    except (OSError, pa.ArrowException, ValueError, TypeError, KeyError, AttributeError):
        return False
