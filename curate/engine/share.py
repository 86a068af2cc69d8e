"""How one machine is shared among the workers that some works need."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from curate.config import EngineOptions
from curate.engine.child import ChildLimits
from curate.engine.protocol import Work
from curate.errors import CurateError
from curate.files.machine import usable_cores, usable_memory
from curate.stage import GIB, Resources

USABLE = 0.8
"""Share of the memory that workers may use together."""


@dataclass(frozen=True)
class PoolKey:
    """Which workers are alike: those that need the same resources, whatever memory.

    Attributes:
        cpus: Cores of one worker.
        gpus: CUDA devices of one worker.
        paced: Whether it is the paced lane.
    """

    cpus: int
    gpus: int
    paced: bool

    @classmethod
    def of(cls, resources: Resources) -> PoolKey:
        """The pool of a work."""
        return cls(resources.cpus, resources.gpus, resources.paced)


def group(works: Mapping[str, Work]) -> tuple[dict[str, PoolKey], dict[PoolKey, Resources]]:
    """Sort works into pools.

    Returns:
        The pool of each kind, and what a worker of each pool needs: the most that one of its works does. ``device``
        names all the devices that were asked for, separated by commas.
    """
    wanted = {kind: work.resources for kind, work in works.items()}
    pools = {kind: PoolKey.of(resources) for kind, resources in wanted.items()}
    needs: dict[PoolKey, Resources] = {}
    for key in dict.fromkeys(pools.values()):
        alike = [wanted[kind] for kind in pools if pools[kind] == key]
        devices = sorted({resources.device for resources in alike} - {""})
        needs[key] = Resources(
            key.cpus, key.gpus, max(resources.memory for resources in alike), key.paced, ",".join(devices)
        )
    return pools, needs


def share_machine(needs: Mapping[PoolKey, Resources], options: EngineOptions) -> dict[PoolKey, tuple[ChildLimits, ...]]:
    """Turn what works need into workers of this machine.

    Cores and memory are those of the process's control group where it has less than the machine. Memory is shared in
    proportion to what the works state as normal; there are no more CPU workers than get that much.

    Raises:
        CurateError: A CUDA device is asked for that is not there.
    """
    cores = usable_cores()
    budget = int(USABLE * usable_memory())
    counts: dict[PoolKey, int] = {}
    devices: dict[PoolKey, tuple[str, ...]] = {}
    for key, need in needs.items():
        if key.paced:
            counts[key] = 1
        elif key.gpus:
            devices[key] = cuda_devices(need.device)
            counts[key] = len(devices[key])
        else:
            fitting = cores if options.worker_memory else min(cores, budget // need.memory)
            counts[key] = max(1, (options.workers or fitting) // key.cpus)
    whole = sum(needs[key].memory * counts[key] for key in needs)
    shares: dict[PoolKey, tuple[ChildLimits, ...]] = {}
    for key, need in needs.items():
        if options.worker_memory:
            memory = (options.worker_memory << 20) * need.memory // GIB
        else:
            memory = budget * need.memory // whole
        limits = [
            ChildLimits(_threads(key, cores // counts[key]), memory, options.silence, options.worker_tasks, device)
            for device in devices.get(key, (None,) * counts[key])
        ]
        shares[key] = tuple(limits)
    return shares


def _threads(key: PoolKey, share: int) -> int:
    """Threads of one worker; that of a GPU has two at least, so that it decodes while the network runs."""
    if key.paced:
        return 1
    return max(2, share) if key.gpus else max(key.cpus, share)


def cuda_devices(named: str) -> tuple[str, ...]:
    """CUDA devices to use, as values for ``CUDA_VISIBLE_DEVICES``.

    Args:
        named: Their numbers among the visible ones, separated by commas; empty for all.

    Raises:
        CurateError: None of them is there.
    """
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:
        visible = [d.strip() for d in listed.split(",") if d.strip()]
    else:
        import torch

        visible = [str(i) for i in range(torch.cuda.device_count())]
    chosen = [d for i, d in enumerate(visible) if not named or str(i) in named.split(",")]
    if not chosen:
        raise CurateError(f"no CUDA device {named or 'is visible'}: use --device cpu")
    return tuple(chosen)
