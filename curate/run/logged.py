"""What a run writes into its log: versions and options, what failed and why, what each stage took."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from curate.acquire.secrets import secrets_in_use
from curate.config import Config, is_run_only, option_fields, option_tables
from curate.engine.protocol import Halt
from curate.run.stage_work import StageAnswer, StageTask
from curate.version import __version__
from curate.workspace.run_log import RunLog
from curate.workspace.tree import Workspace

_PACKAGES = ("av", "lmdb", "numpy", "onnxruntime", "opencv-python-headless", "pyarrow", "torch", "yt-dlp")
"""Packages whose versions may change what comes out."""


@contextlib.contextmanager
def logged(workspace: Workspace, config: Config, what: str, **facts: Any) -> Iterator[RunLog]:
    """Write a log for the length of a ``with`` block, whatever ends it.

    Args:
        workspace: Where it is written; the caller holds the shard.
        config: Options of the run.
        what: ``stages`` or ``export``.
        facts: What else the first line tells.

    Raises:
        CurateError: It cannot be written.
    """
    run = RunLog(workspace.logs_folder, secrets_in_use(config.download))
    started, result = time.monotonic(), "done"
    try:
        run.add("start", what=what, **facts, versions=_versions(), options=_options(config))
        with run.warnings():
            yield run
    except KeyboardInterrupt:
        result = "interrupted"
        raise
    except BaseException as error:
        result = f"{type(error).__name__}: {error}"
        raise
    finally:
        run.add("end", result=result, seconds=round(time.monotonic() - started, 3))
        run.close()


class StageTally:
    """Observes a run: writes each failure into its log, and at the end what each stage did and took.

    Args:
        run: The log.
    """

    def __init__(self, run: RunLog) -> None:
        self._run = run
        self._outcomes: dict[str, Counter[str]] = {}
        self._seconds: Counter[str] = Counter()

    def __call__(self, task: StageTask, answer: StageAnswer) -> None:
        """Take note of an answer."""
        if isinstance(answer, Halt):
            self._run.add("stopped", stage=answer.kind, why=answer.message)
            return
        self._outcomes.setdefault(task.stage, Counter())[answer.outcome] += 1
        self._seconds[task.stage] += answer.seconds  # type: ignore[assignment]
        if answer.outcome == "failed":
            self._run.add(
                "failed",
                video=task.video.id,
                stage=task.stage,
                reason=answer.reason,
                detail=answer.detail,
                attempt=answer.attempt,
                seconds=answer.seconds,
            )

    def close(self) -> None:
        """Write what each stage did: videos by outcome, and seconds of work over all workers."""
        for stage, outcomes in self._outcomes.items():
            self._run.add("stage", stage=stage, videos=outcomes, seconds=round(self._seconds[stage], 3))


def _versions() -> dict[str, str]:
    import platform
    from importlib import metadata

    found = {"curate": __version__, "python": platform.python_version(), "system": platform.platform()}
    for name in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _options(config: Config) -> dict[str, dict[str, Any]]:
    """Options by table, but those that are kept out of workspaces."""
    return {
        table.name: {
            spec.name: value
            for spec, _ in option_fields(table.kind)
            if not is_run_only(spec, value := getattr(table.of(config), spec.name))
        }
        for table in option_tables()
    }
