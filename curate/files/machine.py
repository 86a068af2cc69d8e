"""Facts about this machine, and about how much of it this process may use."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path

MACHINE_ERRORS = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN})
"""System errors that speak of no file, but of this machine, which has no more files to open or threads to give."""

GROUPS = Path("/sys/fs/cgroup")
"""Where Linux shows its control groups."""

MEMBERSHIP = Path("/proc/self/cgroup")
"""Which of them this process is in."""


def usable_cores() -> int:
    """CPU cores that this process may use, at least 1.

    Where the system pins processes to cores (Linux: ``taskset``, job schedulers, container sets) that is the size of
    the set; elsewhere it is the number of cores of the machine. A quota of the control group (containers, job
    schedulers), rounded up, makes it fewer.
    """
    pinned = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = group_cores()
    return pinned if quota is None else max(1, min(pinned, math.ceil(quota)))


def worker_threads() -> int:
    """Threads that this process may keep busy: those that the engine gave it, else one a usable core."""
    given = os.environ.get("CURATE_THREADS", "")
    return max(1, int(given)) if given.isdecimal() else usable_cores()


def usable_memory() -> int:
    """Bytes of main memory that this process and its children may use: the machine's, or its control group's."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = group_memory()
    return machine if limit is None else min(machine, limit)


def group_cores(groups: Path = GROUPS, membership: Path = MEMBERSHIP) -> float | None:
    """Cores worth of time that the control groups of this process allow; ``None`` where there is no limit.

    Args:
        groups: Where the groups are mounted.
        membership: File that names the groups of this process, as ``/proc/self/cgroup`` does.
    """
    found = []
    for folder in _folders("cpu", groups, membership):
        quota, period = _numbers(folder / "cpu.max", 2) or (None, None)  # version 2: "quota period"
        if quota is None:
            quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
        if quota and period and quota > 0:
            found.append(quota / period)
    return min(found, default=None)


def group_memory(groups: Path = GROUPS, membership: Path = MEMBERSHIP) -> int | None:
    """Bytes of memory that the control groups of this process allow; ``None`` where there is no limit.

    Args:
        groups: As for `group_cores`.
        membership: As for `group_cores`.
    """
    found = []
    for folder in _folders("memory", groups, membership):
        for name in ("memory.max", "memory.limit_in_bytes"):  # of version 2 and of version 1
            limit = _number(folder / name)
            if limit:
                found.append(limit)
    return min(found, default=None)


def _folders(controller: str, groups: Path, membership: Path) -> list[Path]:
    """Folders of the groups that may limit this process: its own and those above it, of both versions.

    In a container the group's own path may not be mounted; then its mount point is the container's group.
    """
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    folders: list[Path] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            root = groups
        elif controller in controllers.split(","):
            root = groups / controllers if (groups / controllers).is_dir() else groups / controller
        else:
            continue
        own = root / path.lstrip("/")
        folders += [folder for folder in (own, *own.parents) if folder == root or root in folder.parents]
    return folders


def _numbers(path: Path, count: int) -> tuple[int, ...] | None:
    """The whole numbers in a file; ``None`` where it is not there or says anything else, such as ``max``."""
    try:
        words = path.read_text(encoding="ascii").split()
        return tuple(map(int, words)) if len(words) == count else None
    except (OSError, ValueError):
        return None


def _number(path: Path) -> int | None:
    numbers = _numbers(path, 1)
    return None if numbers is None else numbers[0]
