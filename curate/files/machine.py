"""Facts about this machine."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """CPU cores that this process may use, at least 1.

    Where the system pins processes to cores (Linux: ``taskset``, job schedulers, container sets) that is the size of
    the set; elsewhere it is the number of cores of the machine.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
