"""What every command shares: verbosity, and how lines reach the user."""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

import click

from curate.files.text import PrintableFormatter


def verbosity(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``-q`` and ``-v`` and set up logging before it runs.

    Log lines go to standard error: warnings by default, errors only with ``-q``, details with ``-v``, everything with
    ``-vv``. The level is also left in ``click.get_current_context().meta["curate.verbosity"]`` (-1, 0, 1, 2).
    """

    @click.option("-q", "--quiet", is_flag=True, help="Only errors and the result.")
    @click.option("-v", "--verbose", count=True, help="More detail; twice for everything.")
    @functools.wraps(command)
    def wrapper(*args: Any, quiet: bool, verbose: int, **kwargs: Any) -> Any:
        level = -1 if quiet else min(verbose, 2)
        set_up_logging(level)
        click.get_current_context().meta["curate.verbosity"] = level
        return command(*args, **kwargs)

    return wrapper


def say(text: str) -> None:
    """Print a line of the result. Where nobody reads it any more, as after ``| head -1``, the work goes on unheard."""
    try:
        click.echo(text)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def set_up_logging(level: int) -> None:
    """Send the package's log records to standard error at a verbosity from -1 to 2."""
    logger = logging.getLogger("curate")
    logger.handlers.clear()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter())
    logger.addHandler(handler)
    logger.setLevel({-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO, 2: logging.DEBUG}[level])
    logger.propagate = False
