"""Commands as processes of their own, some of them on a machine that is odd in one respect."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LOCKS_OF_NFS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
int flock(int fd, int kind) {
    int mode = fcntl(fd, F_GETFL) & O_ACCMODE;
    if (((kind & LOCK_SH) && mode == O_WRONLY) || ((kind & LOCK_EX) && mode == O_RDONLY)) { errno = EBADF; return -1; }
    return ((int (*)(int, int))dlsym(RTLD_NEXT, "flock"))(fd, kind);
}
"""
"""A shared lock needs a file open for reading, an exclusive one a file open for writing, as on NFSv4."""

NO_LOCKS = """
#include <errno.h>
int flock(int fd, int kind) { errno = ENOSYS; return -1; }
"""
"""Lustre without ``-o flock``."""

CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    int got = ((int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime"))(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += SECONDS;
    return got;
}
"""
"""A clock that is off by SECONDS."""


def preloaded(folder: Path, source: str, **defines: int) -> dict[str, str]:
    """Environment in which a process meets other versions of some functions of the system; skips without a compiler."""
    compiler = shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs gcc and Linux")
    code, library = folder / "shim.c", folder / "shim.so"
    code.write_text(source)
    flags = [f"-D{name}={value}" for name, value in defines.items()]
    subprocess.run([compiler, "-shared", "-fPIC", *flags, "-o", str(library), str(code), "-ldl"], check=True)
    return {"LD_PRELOAD": str(library)}


def start(*arguments: str | Path, env: Mapping[str, str] | None = None, before: str = "") -> subprocess.Popen[str]:
    """Start a command of curate in a session of its own; ``before`` is Python that runs first."""
    code = f"import sys\n{before}\nfrom curate.cli import main\nif __name__ == '__main__': main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and everything that was said."""
    said, _ = process.communicate(timeout=240)
    assert "Traceback" not in said, said
    return process.returncode, said


def run(*arguments: str | Path, env: Mapping[str, str] | None = None, before: str = "") -> tuple[int, str]:
    """Run a command of curate to its end."""
    return end(start(*arguments, env=env, before=before))
