"""What every command shares: verbosity, and how log lines reach the user."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from typing import Any

import click

from curate.files.text import PrintableFormatter

_META = "curate.verbosity"


def verbosity(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``-q`` and ``-v`` and set up logging before it runs.

    Log lines go to standard error: warnings by default, errors only with ``-q``, details with ``-v``, everything with
    ``-vv``.
    """

    @click.option("-q", "--quiet", is_flag=True, help="Only errors and the result.")
    @click.option("-v", "--verbose", count=True, help="More detail; twice for everything.")
    @functools.wraps(command)
    def wrapper(*args: Any, quiet: bool, verbose: int, **kwargs: Any) -> Any:
        level = -1 if quiet else min(verbose, 2)
        set_up_logging(level)
        click.get_current_context().meta[_META] = level
        return command(*args, **kwargs)

    return wrapper


def is_quiet() -> bool:
    """Whether the command that is running was given ``-q``."""
    return bool(click.get_current_context().meta.get(_META, 0) < 0)


def set_up_logging(level: int) -> None:
    """Send the package's log records to standard error at a verbosity from -1 to 2."""
    logger = logging.getLogger("curate")
    logger.handlers.clear()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter())
    logger.addHandler(handler)
    logger.setLevel({-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO, 2: logging.DEBUG}[level])
    logger.propagate = False
