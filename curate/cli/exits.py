"""How commands end: their exit codes, and what is said where something went wrong."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import NoReturn

import click

from curate.errors import CurateError, why_of
from curate.files.disk import FULL


class ExitCode(IntEnum):
    """What a command tells the shell."""

    DONE = 0
    ERROR = 1
    """Wrong usage or configuration: nothing was begun, or it could not go on."""
    FAILURES = 2
    """All was done that could be, and something failed; it was named."""
    INTERRUPTED = 130


def say(text: object) -> None:
    """Write a line to standard error."""
    click.echo(text, err=True)


def show(text: str) -> None:
    """Print a line of the result."""
    click.echo(text)


def leave(*, failures: object) -> None:
    """End a command that has done all it could; ``failures`` is true, or not empty, if something failed."""
    if failures:
        raise click.exceptions.Exit(ExitCode.FAILURES)


def hold(thing: object) -> None:
    """Keep what a command has read until its process ends, which it then does without taking it apart (`end_process`).

    For commands that only look, and leave no thread, process or open file behind.
    """
    held = click.get_current_context().obj
    if held is not None:
        held.append(thing)


def end_process(code: int) -> NoReturn:
    """End the process at once: to free a million objects one by one is a tenth of the time of a look at them."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def exit_code_of(command: Callable[[], object]) -> int:
    """Run a command; whatever it raises becomes words on standard error and an exit code, never a traceback."""
    try:
        code = command()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return ExitCode.ERROR
    except click.ClickException as error:
        error.show()
        return ExitCode.ERROR
    except CurateError as error:
        say(f"error: {error}")
        return ExitCode.ERROR
    except (click.Abort, KeyboardInterrupt):
        say("interrupted; what was finished is kept, run the same command again to go on")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:  # of a command that has nothing to do where nobody listens
        return ExitCode.DONE
    except OSError as error:
        named = error.filename2 or error.filename  # the former is what a temporary file was to be called
        where = f": {named}" if named else ""
        say(f"error: {why_of(error)}{where}{_advice(error)}")
        return ExitCode.ERROR
    except Exception as error:
        if isinstance(error, ImportError) and (error.name or "").partition(".")[0] != "curate":
            say(f"error: a package is missing or does not load ({why_of(error)}): 'curate doctor' says which")
            return ExitCode.ERROR
        return _report_bug(error)
    return code if isinstance(code, int) else ExitCode.DONE


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say of a file that the user named, and not of a temporary one beside it, that it cannot be written.

    Raises:
        CurateError: As `curate.files.atomic.check_replaceable`, or an ``OSError`` came out of the ``with`` block.
    """
    from curate.files.atomic import check_replaceable

    check_replaceable(path)
    try:
        yield
    except OSError as error:
        raise CurateError(f"cannot write {path}: {why_of(error)}{_advice(error)}") from error


def _advice(error: OSError) -> str:
    if error.errno in FULL:
        return "; free space or name another disk"
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return "; there is a file where a folder must be: move it away"
    return ""


def _report_bug(error: Exception) -> ExitCode:
    """Keep the traceback in a file and tell the user where it is."""
    try:
        with tempfile.NamedTemporaryFile("w", prefix="curate-error-", suffix=".txt", delete=False) as stream:
            traceback.print_exception(error, file=stream)
        details = f"are in {stream.name}"
    except OSError as full:
        details = f"could not be kept ({why_of(full)}): set TMPDIR to a folder that can be written, and run it again"
    say(f"error: unexpected {type(error).__name__}: {error}\nThis is a fault in curate. Details {details}")
    return ExitCode.ERROR
