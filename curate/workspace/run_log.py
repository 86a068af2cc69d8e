"""The log of one run: lines of JSON in the workspace, for whoever asks later what ran, with what, and how it ended.

Each line has ``time`` (Unix seconds) and ``event``. The ledger tells what became of a video; a log tells of the run,
and nothing in the workspace depends on it. No secret is written, whatever text it came with.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from curate.errors import CurateError
from curate.files.atomic import open_own, unique_tag, write_atomic
from curate.files.bounded import open_regular
from curate.files.text import printable
from curate.files.urls import HIDDEN, redact

log = logging.getLogger(__name__)


class RunLog:
    """Appends lines to a file of its own. Close it at the end.

    Args:
        folder: The workspace's folder of logs, made if missing.
        secrets: Texts that must not be written, longer ones first.

    Raises:
        CurateError: It cannot be written.
    """

    def __init__(self, folder: Path, secrets: Sequence[str] = ()) -> None:
        self.path = folder / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{unique_tag()}.jsonl"
        self._secrets = secrets
        self._descriptor = -1
        try:
            folder.mkdir(exist_ok=True)
            self._descriptor = open_own(self.path, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            raise CurateError(
                f"the log of the run, {self.path}, cannot be written: {error.strerror}; check the disk and rights, or "
                f"move {folder.name} away: nothing depends on it"
            ) from error

    def add(self, event: str, **facts: Any) -> None:
        """Write a line. Where the disk does not take it, that is said once, and the run goes on without a log."""
        if self._descriptor < 0:
            return
        line = {"time": round(time.time(), 3), "event": event, **self._clean(facts)}
        try:
            os.write(self._descriptor, json.dumps(line, separators=(",", ":")).encode() + b"\n")
        except OSError as error:
            self.close()
            log.warning("the log of the run, %s, ends here: %s", self.path, error.strerror)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @contextlib.contextmanager
    def warnings(self) -> Iterator[None]:
        """Write what curate warns of during a ``with`` block, too."""
        handler = _Warnings(self)
        logger = logging.getLogger("curate")
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)

    def _clean(self, value: Any) -> Any:
        """Plain data with texts that are printable and without secrets."""
        if isinstance(value, str):
            text = redact(printable(value, lines=True))
            for secret in self._secrets:
                text = text.replace(secret, HIDDEN)
            return text
        if isinstance(value, Mapping):
            return {str(key): self._clean(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._clean(inner) for inner in value]
        return value if value is None or isinstance(value, bool | int | float) else self._clean(str(value))


class _Warnings(logging.Handler):
    def __init__(self, run: RunLog) -> None:
        super().__init__(logging.WARNING)
        self._run = run

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != __name__:
            self._run.add("warning", text=record.getMessage())


def forget_in_logs(folder: Path, words: Collection[str]) -> int:
    """Rewrite logs without the lines in which any of some words stands; nothing may be writing to them.

    Args:
        folder: The folder of logs.
        words: Ids, titles and addresses.

    Returns:
        How many lines were removed.

    Raises:
        CurateError: A log cannot be read or written.
    """
    sought = [form for word in words if word for form in {word.encode(), json.dumps(word)[1:-1].encode()}]
    removed = 0
    for path in sorted(folder.glob("*.jsonl")) if not folder.is_symlink() else ():
        try:
            with open_regular(path) as stream:
                lines = stream.readlines()
            kept = [line for line in lines if not any(word in line for word in sought)]
            if len(kept) < len(lines):
                removed += len(lines) - len(kept)
                write_atomic(path, b"".join(kept)) if kept else path.unlink()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise CurateError(f"{path} cannot be rewritten ({why}): delete it") from error
    return removed
