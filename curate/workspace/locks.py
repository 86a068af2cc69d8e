"""Who may work on which videos: locks on files in the root of a workspace, and shards.

Locks are `flock`: they end with the process that holds them, however it ends, and Linux carries them over NFS. A file
to be locked is opened for reading and writing, since NFSv4 refuses a shared lock on a file that cannot be read and an
exclusive one on a file that cannot be written.

``.lock``
    Held for a moment by whoever takes another lock or writes what all share (``curate.toml``, the manifest).
``.lock-{i}-of-{n}``
    Held as long as a process works on shard ``i`` of ``n``; ``0`` of ``1`` is everything. Two shards that have videos
    in common exclude one another, also if they are of different splits.
``.workers-{i}-of-{n}``
    Held shared by the worker processes of that shard, so that a run that follows a killed one waits for its last
    workers.
``.lock-report``
    Held while the report is written, and while a purge removes what it shows. Runs go on meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import math
import os
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

from curate.errors import CurateError
from curate.files.atomic import open_own

Shard = tuple[int, int]
"""``(i, n)``: the i-th of n parts, from 0."""

GATE_SECONDS = 60.0
"""How long one waits for a lock that is held for moments only."""

WORKER_SECONDS = 30.0
"""How long one waits for the workers of a run that was killed."""

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EBADF, errno.EINVAL})
_NAME = re.compile(r"\.(?:lock|workers)-(\d+)-of-(\d+)")


def shard_of(video: str, count: int) -> int:
    """The shard to which a video belongs, by the hash of its id: it does not depend on the list that names it."""
    return int.from_bytes(hashlib.sha256(video.encode()).digest()[:8]) % count


def overlap(one: Shard, other: Shard) -> bool:
    """Whether two shards, of the same split or of different ones, can have a video in common."""
    return (one[0] - other[0]) % math.gcd(one[1], other[1]) == 0


@contextlib.contextmanager
def hold_gate(root: Path) -> Iterator[None]:
    """Hold ``.lock`` for the length of a ``with`` block, which must be short.

    Raises:
        CurateError: It stays held, or the disk gives no locks.
    """
    with _opened(root / ".lock") as gate:
        deadline = time.monotonic() + GATE_SECONDS
        while not _take(gate, root / ".lock"):
            if time.monotonic() > deadline:
                raise CurateError(f"another curate has held {root / '.lock'} for a minute: wait for it, or stop it")
            time.sleep(random.uniform(0.01, 0.05))
        yield


@contextlib.contextmanager
def hold_shard(root: Path, shard: Shard) -> Iterator[Path]:
    """Hold the videos of a shard for the length of a ``with`` block.

    Yields:
        The file that worker processes hold (`hold_shared`).

    Raises:
        CurateError: Another process holds videos of this shard, or its workers do not end, or the disk gives no locks.
    """
    own = root / _name("lock", shard)
    workers = root / _name("workers", shard)
    with contextlib.ExitStack() as stack:
        with hold_gate(root):
            for path, other in _named(root, "lock"):
                if path != own and overlap(shard, other):
                    _remove_if_free(path, shard, other)
            if not _take(stack.enter_context(_opened(own)), own):
                raise CurateError(f"another curate is at work in {root}: wait for it, or stop it")
        for path, other in (*_named(root, "workers"), (workers, shard)):
            if overlap(shard, other):
                _wait_until_unused(path)
                if path != workers:
                    path.unlink(missing_ok=True)
        yield workers


@contextlib.contextmanager
def hold_report(root: Path) -> Iterator[None]:
    """Hold the report of a workspace for the length of a ``with`` block.

    Raises:
        CurateError: Another process writes it or purges, or the disk gives no locks.
    """
    path = root / ".lock-report"
    with _opened(path) as descriptor:
        if not _take(descriptor, path):
            raise CurateError(f"another curate writes the report of {root}, or purges: wait for it, or stop it")
        yield


def hold_shared(path: Path) -> int:
    """Take a shared lock on ``path`` for the rest of the process; returns the descriptor.

    Raises:
        CurateError: The disk gives no locks.
    """
    descriptor = _open(path)
    _flock(descriptor, fcntl.LOCK_SH, path)
    return descriptor


def _name(kind: str, shard: Shard) -> str:
    return f".{kind}-{shard[0]}-of-{shard[1]}"


def _named(root: Path, kind: str) -> list[tuple[Path, Shard]]:
    """Files of a kind in a workspace, with the shards that they speak of."""
    found = ((path, _NAME.fullmatch(path.name)) for path in sorted(root.glob(f".{kind}-*")))
    return [(path, (int(name[1]), int(name[2]))) for path, name in found if name and int(name[1]) < int(name[2])]


def _remove_if_free(path: Path, shard: Shard, other: Shard) -> None:
    """Remove the lock of another shard that nobody holds; the gate is held, so nobody can be about to take it."""
    with _opened(path) as descriptor:
        if not _take(descriptor, path):
            who = "on all videos" if other[1] == 1 else f"on shard {other[0]}/{other[1]}"
            raise CurateError(
                f"another curate is at work in {path.parent} {who}, which has videos in common with "
                f"{'all videos' if shard[1] == 1 else f'shard {shard[0]}/{shard[1]}'}: wait for it, or stop it; the "
                "shards of one job array have one n"
            )
        path.unlink(missing_ok=True)


def _wait_until_unused(path: Path) -> None:
    deadline = time.monotonic() + WORKER_SECONDS
    with _opened(path) as descriptor:
        while not _take(descriptor, path):
            if time.monotonic() > deadline:
                raise CurateError(f"workers of an earlier run still hold {path}: stop them")
            time.sleep(0.1)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = _open(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        return open_own(path, os.O_RDWR)
    except OSError as error:
        raise CurateError(f"cannot lock {path}: {error.strerror}; check the disk and rights") from error


def _take(descriptor: int, path: Path) -> bool:
    """Take an exclusive lock, if nobody else holds the file."""
    try:
        _flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, path)
    except BlockingIOError:
        return False
    return True


def _flock(descriptor: int, kind: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, kind)
    except OSError as error:
        if isinstance(error, BlockingIOError) or error.errno not in _NO_LOCKS:
            raise
        raise CurateError(
            f"the disk of {path} gives no locks ({error.strerror}), which keep two runs apart: mount it with them "
            "(Lustre: -o flock; NFS 3: with its lock daemon), or put the workspace on another disk"
        ) from error
