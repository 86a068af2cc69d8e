"""Writing a shard in a worker; it loads no more of the exports than that needs, since every worker does."""

from __future__ import annotations

import errno
import sys

from curate.engine.protocol import Attempt, Task
from curate.errors import StageHalted, why_of
from curate.exports.formats.registry import do_job
from curate.files.disk import DISK_ERRORS
from curate.stage import Resources


class ShardWork:
    """A `curate.engine.Work` that writes shards; its results are answers of `do_job`."""

    def __init__(self) -> None:
        self._without_pandas = _WithoutPandas()

    @property
    def resources(self) -> Resources:
        """A core: there are many shards."""
        return Resources()

    def setup(self) -> None:
        """Keep Arrow from loading pandas, which it does to see whether it is handed any of it.

        That takes a worker as long as all other modules together, and no format has a use for it.
        """
        sys.meta_path.insert(0, self._without_pandas)

    def do(self, task: Task, attempt: Attempt) -> object:
        """Write a shard.

        Raises:
            StageHalted: The disk is full or fails, or files may not get so large.
        """
        try:
            return do_job(task.payload, attempt.token, attempt.progress)
        except OSError as error:
            if error.errno not in DISK_ERRORS | {errno.EFBIG}:
                raise
            where = f": {error.filename}" if error.filename else ""
            raise StageHalted(f"{why_of(error)}{where}; free space, or raise the limit") from error

    def close(self) -> None:
        """Let pandas be loaded again."""
        sys.meta_path.remove(self._without_pandas)


class _WithoutPandas:
    """A finder of modules that says of pandas that it is not installed."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """See `importlib.abc.MetaPathFinder`.

        Raises:
            ModuleNotFoundError: It is asked for pandas.
        """
        if name == "pandas":
            raise ModuleNotFoundError("pandas is not loaded here", name=name)
