"""``curate status --watch``: the funnel again and again, while runs are at work."""

from __future__ import annotations

import select
import shutil
import sys
import time
from pathlib import Path

from curate.cli.exits import show
from curate.cli.terminal import is_unheard, unwrapped
from curate.files.text import printable
from curate.report.funnel import Funnel, funnel, render, render_troubles
from curate.run.session import Session, open_session

_REST = 3
"""Pauses are at least so many times as long as a look, which asks the disk for every file of the workspace."""

_CLEAR = "\x1b[H\x1b[J"
"""Cursor to the upper left corner, and nothing below it."""


def watch_funnel(workspace: Path, seconds: float) -> None:
    """Show where the videos of a workspace stand until none is pending, or nobody reads any more.

    Args:
        workspace: The folder.
        seconds: Pause between two looks; longer where a look takes long.

    Raises:
        CurateError: The workspace cannot be used.
        BrokenPipeError: Nobody reads standard output any more.
    """
    screen = sys.stdout.isatty()
    session, opened = open_session(workspace, write=False), _written(workspace)
    before = ""
    while True:
        started = time.monotonic()
        result = funnel(session.pipeline)
        if screen:
            _draw(result)
        elif (line := _line(result)) != before:
            show(f"{time.strftime('%H:%M:%S')}  {line}")
            sys.stdout.flush()
            before = line
        if not any(row.pending for row in result.stages.values()):
            return
        _pause(max(seconds, _REST * (time.monotonic() - started)))
        session, opened = _look_again(session, workspace, opened)


def _look_again(session: Session, workspace: Path, opened: object) -> tuple[Session, object]:
    """The session with what was written since; opened anew after a change of the options or of the list."""
    now = _written(workspace)
    if now != opened:
        return open_session(workspace, write=False), now
    session.pipeline.refresh()
    return session, opened


def _written(workspace: Path) -> object:
    """What changes with the options of a workspace, with its list, and with what is left out of it."""
    found: list[tuple[int, int, int] | None] = []
    for name in ("curate.toml", "manifest.parquet", "opt_out.txt", "purged.txt"):
        try:
            status = (workspace / name).stat()
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
        except OSError:
            found.append(None)
    return found


def _draw(result: Funnel) -> None:
    """Redraw the screen, with as many lines as it has."""
    columns, lines = shutil.get_terminal_size()
    text = render(result, procedures=False)
    if result.troubles:
        text += "\n\n" + render_troubles(result)
    shown = [printable(line, lines=True)[:columns] for line in [time.strftime("%H:%M:%S"), *text.split("\n")]]
    stream = unwrapped(sys.stdout)
    stream.write(_CLEAR + "\n".join(shown[: lines - 1]) + "\n")
    stream.flush()


def _line(result: Funnel) -> str:
    """The funnel in one line: what is complete, what failed, and what each stage has before it."""
    pending = ", ".join(f"{name} {row.pending}" for name, row in result.stages.items() if row.pending)
    dropped = sum(row.dropped.total() for row in result.stages.values())
    return (
        f"{result.videos} videos: {result.complete} complete, {dropped} dropped, {result.failed} failed, "
        f"pending: {pending or 'none'}"
    )


def _pause(seconds: float) -> None:
    """Wait, or less if the reader of standard output goes.

    Raises:
        BrokenPipeError: It went.
    """
    if is_unheard(sys.stdout):
        raise BrokenPipeError
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    if any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(seconds * 1000)):
        raise BrokenPipeError
