"""The command line in this process."""

from __future__ import annotations

import contextlib
import io
from typing import NamedTuple

from curate.cli import run_command


class Ended(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


def run(*arguments: object) -> Ended:
    """Run a command; its exit code and what it wrote."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_command([str(argument) for argument in arguments])
    return Ended(code, out.getvalue(), err.getvalue())
