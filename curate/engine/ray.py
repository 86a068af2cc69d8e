"""Runs tasks on the nodes of a Ray cluster.

An actor stands for one place of a worker. It starts and watches the same worker process that the local engine does, so
that limits and isolation from crashes are the same code. Only tasks and replies cross Ray; files lie on a disk that all
nodes see under one path.

Ray retries nothing: the loss of an actor or of its node costs no task anything, it is given out again. A worker that
crashes costs its task a second try, on another node if there is one; a second crash is the task's.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from curate.config import EngineOptions
from curate.engine.board import Board, Pressure
from curate.engine.child import Child, ChildLimits
from curate.engine.protocol import Fault, Observer, Task, Work
from curate.engine.share import USABLE, PoolKey, group
from curate.engine.worker import Reply
from curate.errors import CurateError, why_of
from curate.files.machine import usable_cores, usable_memory
from curate.files.presence import shown_in
from curate.records import Reason
from curate.stage import GIB, Resources
from curate.version import __version__

DOWNLOAD_RESOURCE = "curate_download"
"""Custom resource of the node that may download: ``ray start --resources '{"curate_download": 1}'``."""

WATCH_SECONDS = 1.0
"""How often a worker is looked at for silence and memory, and how long the driver waits for a reply."""

RECRUIT_SECONDS = 5.0
"""How often the cluster is looked at for nodes that came."""

SEEN_SECONDS = 10.0
"""How long a node may take to see a file that was just written on the shared disk."""

CONNECT_SECONDS = 5.0
"""How long an address may take to answer."""

SETTINGS = b"\x04"
"""Kind of the frame with which either side of HTTP/2 begins (RFC 9113, section 6.5)."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + SETTINGS + bytes(5)
"""What a client of HTTP/2 sends first (RFC 9113, section 3.4), with empty settings."""

LOSSES = 5
"""Times that a task may be lost with its actor or node before it counts as failed: it may be what brings them down."""

log = logging.getLogger(__name__)


class RayEngine:
    """An `curate.engine.Engine` on a Ray cluster; connects when it is made, and `run` disconnects.

    Args:
        options: Use of the cluster.
        folder: A folder that all nodes see under this path.

    Raises:
        CurateError: Ray is not installed, or does not answer.
    """

    def __init__(self, options: EngineOptions, folder: Path) -> None:
        self._options = options
        self._folder = folder
        self._started = connect(options)

    def run(self, works: Mapping[str, Work], tasks: Iterable[Task], observe: Observer) -> None:
        """See `curate.engine.Engine.run`."""
        import ray

        pools, needs = group(works)
        paced = next((key for key in needs if key.paced), None)
        pressure = Pressure(self._options.ahead, self._folder, int(self._options.reserve * 1e9))
        board = Board(pools, paced, pressure, observe)
        try:
            with shown_in(self._folder) as probe:  # by which a node shows that it sees the folder
                troupe = _Troupe(works, needs, self._options, probe)
                try:
                    board.add(tasks)
                    while board.out or board.left:
                        troupe.recruit(board)
                        troupe.give_out(board)
                        troupe.collect(board)
                finally:
                    troupe.dismiss()
        finally:
            if self._started:
                ray.shutdown()


def connect(options: EngineOptions) -> bool:
    """Connect this process to a cluster, or start one on this machine; returns whether it was not connected before.

    Raises:
        CurateError: Ray is not installed, or none answers at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing of a run is anybody else's business
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
        from ray import is_initialized  # which the folder that an uninstalled Ray leaves has not
    except Exception as error:  # a broken installation fails in any way
        is_there = not isinstance(error, ModuleNotFoundError) or error.name != "ray"
        told = f"cannot be loaded ({why_of(error)})" if is_there else "is not installed"
        raise CurateError(f"Ray {told}: pip install 'curate[ray]', or use --engine local") from error
    if is_initialized():
        return False
    address = options.address or os.environ.get("RAY_ADDRESS", "")
    if address and not _answers(address):
        raise CurateError(
            f"no Ray answers at {address}: start one there with 'ray start --head', or name another --address"
        )
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "configure_logging": True}
    own: dict[str, Any] = {
        "num_cpus": options.workers or usable_cores(),
        "resources": {DOWNLOAD_RESOURCE: 1},
        "include_dashboard": False,
    }
    with _own_signals():
        if address:
            try:
                ray.init(address=address, **quiet)
            except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
                first = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise CurateError(f"no Ray answers at {address}: {first}") from error
            return True
        try:
            # Not "auto": that would join the cluster which another run started for itself and takes along when it ends.
            ray.init(**own, **quiet)
        except ValueError:  # there is one that was begun with `ray start`, so nothing may be said about what it has
            try:
                ray.init(**quiet)
            except (ConnectionError, RuntimeError, ray.exceptions.RayError):  # or there was
                ray.init(address="local", **own, **quiet)
    return True


def _answers(address: str) -> bool:
    """Whether ``host:port`` speaks HTTP/2, as all of Ray's servers do; other forms of addresses are left to Ray.

    Ray itself waits for minutes before it says that something else listens there.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()) or os.environ.get("RAY_USE_TLS", "0") != "0":
        return True
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS) as stream:
            stream.sendall(PREFACE)
            return stream.recv(9, socket.MSG_WAITALL)[3:4] == SETTINGS
    except (OSError, OverflowError):
        return False


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep our handlers of signals, which Ray replaces when it connects."""
    ours = [signal.SIGTERM, signal.SIGINT] if threading.current_thread() is threading.main_thread() else []
    before = {number: signal.getsignal(number) for number in ours}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class _Report:
    """What an actor says when it is ready.

    Attributes:
        node: Ray's id of its node.
        trouble: Why the node cannot be used, or empty.
    """

    node: str
    trouble: str


class Supervisor:
    """Body of an actor: one worker process, started and watched like those of the local engine.

    Args:
        works: Every kind that it may be asked for.
        need: What its worker needs.
        options: Use of the machine.
        log_level: Level of the ``curate`` logger.
    """

    def __init__(self, works: Mapping[str, Work], need: Resources, options: EngineOptions, log_level: int) -> None:
        logging.getLogger("curate").setLevel(log_level)
        self._works = works
        self._limits = limits_on_node(need, options)
        self._child: Child | None = None

    def ready(self, probe: Path, version: str) -> _Report:
        """Say where this is and whether the node can be used."""
        import ray

        node = ray.get_runtime_context().get_node_id()
        host = socket.gethostname()
        if version != __version__:
            return _Report(node, f"node {host} has curate {__version__}, not {version}: install the same on all nodes")
        deadline = time.monotonic() + SEEN_SECONDS
        while not probe.exists():
            if time.monotonic() > deadline:
                where = probe.parent
                return _Report(node, f"node {host} does not see {where}: a workspace must lie on a disk they all share")
            time.sleep(0.2)
        return _Report(node, "")

    def run(self, task: Task, token: str) -> Reply:
        """Do one task in the worker process, whatever comes of it."""
        if self._child is None or not self._child.give(task, token):
            self._child = Child(self._works, self._limits)
            if not self._child.give(task, token):
                return Fault(Reason.CRASHED, "a worker process could not be started", 0.0)
        child = self._child
        while True:
            reply = child.receive() if wait([child.connection], timeout=WATCH_SECONDS) else child.check()
            if reply is not None:
                break
        if child.spent:
            child.retire()
            self._child = None
        return reply


def limits_on_node(need: Resources, options: EngineOptions) -> ChildLimits:
    """What a worker may use on this node: a share of its memory like that of its cores."""
    if options.worker_memory:
        memory = (options.worker_memory << 20) * need.memory // GIB
    else:
        memory = max(need.memory, int(USABLE * usable_memory()) * need.cpus // usable_cores())
    threads = max(2, need.cpus) if need.gpus else need.cpus
    return ChildLimits(threads, memory, options.silence, options.worker_tasks)


@dataclass(eq=False)
class _Actor:
    """An actor as the driver sees it.

    Attributes:
        key: Its pool.
        handle: Ray's.
        call: The call in hand, if any.
        task: What it is doing; without one, the call asks whether it is ready.
        node: Where it is, once that is known.
        again: When to ask once more whether it is ready (monotonic), after it was lost.
    """

    key: PoolKey
    handle: Any
    call: Any = None
    task: Task | None = None
    node: str = ""
    again: float = 0.0


class _Troupe:
    """The actors of a run."""

    def __init__(
        self, works: Mapping[str, Work], needs: Mapping[PoolKey, Resources], options: EngineOptions, probe: Path
    ) -> None:
        import ray

        self._ray = ray
        self._works = dict(works)
        self._needs = needs
        self._options = options
        self._probe = probe
        self._actors: list[_Actor] = []
        self._second: list[tuple[Task, str]] = []
        self._crashed: set[tuple[str, str]] = set()
        self._lost: Counter[tuple[str, str]] = Counter()
        self._bad_nodes: dict[str, str] = {}
        self._stillborn = 0
        self._recruited = -RECRUIT_SECONDS

    def recruit(self, board: Board[PoolKey]) -> None:
        """Have as many actors as the cluster has room for, in every pool with something to do.

        Raises:
            CurateError: It has no room for one of them.
        """
        if time.monotonic() - self._recruited < RECRUIT_SECONDS:
            return
        self._recruited = time.monotonic()
        there = self._ray.cluster_resources()
        for key in self._needs:
            have = sum(actor.key == key for actor in self._actors)
            if have or board.waits_for(key):
                for _ in range(self._room(key, there) - have):
                    self._actors.append(self._start(key, there))

    def _room(self, key: PoolKey, there: Mapping[str, float]) -> int:
        gpus = int(there.get("GPU", 0)) if any(other.gpus for other in self._needs) else 0
        if key.paced:
            return 1
        if key.gpus:
            if not gpus:
                raise CurateError("no node of the Ray cluster has a GPU: use --device cpu")
            return gpus
        pools = sum(not (other.paced or other.gpus) for other in self._needs)
        cores = self._options.workers or max(1, int(there.get("CPU", 0)) - gpus)
        return max(1, cores // key.cpus // pools)

    def _start(self, key: PoolKey, there: Mapping[str, float]) -> _Actor:
        wanted: dict[str, Any] = {"num_cpus": key.cpus, "max_restarts": -1, "max_task_retries": 0}
        if key.gpus:
            wanted |= {"num_cpus": 1, "num_gpus": key.gpus}
        elif key.paced:
            wanted["num_cpus"] = 0
            if DOWNLOAD_RESOURCE in there:  # so that all runs on the cluster together have one pace
                wanted["resources"] = {DOWNLOAD_RESOURCE: 1}
            else:
                from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

                here = self._ray.get_runtime_context().get_node_id()
                wanted["scheduling_strategy"] = NodeAffinitySchedulingStrategy(here, soft=True)
        level = logging.getLogger("curate").getEffectiveLevel()
        make = self._ray.remote(**wanted)(Supervisor)
        actor = _Actor(key, make.remote(self._works, self._needs[key], self._options, level))
        self._ask(actor)
        return actor

    def _ask(self, actor: _Actor) -> None:
        actor.node, actor.task = "", None
        actor.call = actor.handle.ready.remote(self._probe, __version__)

    def give_out(self, board: Board[PoolKey]) -> None:
        """Give a task to every actor that is ready and idle."""
        for actor in self._actors:
            if actor.call is None and not actor.node and time.monotonic() >= actor.again:
                self._ask(actor)
            if actor.call is not None or not actor.node:
                continue
            task = self._second_try(board, actor) or board.take(actor.key)
            if task is not None:
                actor.task = task
                actor.call = actor.handle.run.remote(task, board.token())

    def _second_try(self, board: Board[PoolKey], actor: _Actor) -> Task | None:
        """A task whose worker crashed elsewhere, or here if there is no other node."""
        nodes = {other.node for other in self._actors if other.key == actor.key and other.node}
        for index, (task, node) in enumerate(self._second):
            if board.pool(task) == actor.key and (actor.node != node or nodes == {node}):
                del self._second[index]
                return task
        return None

    def collect(self, board: Board[PoolKey]) -> None:
        """Wait for replies and for actors that are lost."""
        calls = {actor.call: actor for actor in self._actors if actor.call is not None}
        if not calls:
            time.sleep(WATCH_SECONDS)
            return
        done, _ = self._ray.wait(list(calls), num_returns=len(calls), timeout=0)
        if not done:
            done, _ = self._ray.wait(list(calls), num_returns=1, timeout=WATCH_SECONDS)
        for call in done:
            actor = calls[call]
            task, actor.call = actor.task, None
            try:
                answer = self._ray.get(call)
            except self._ray.exceptions.RayError as error:
                self._mourn(board, actor, task, error)
                continue
            actor.task = None
            if task is None:
                self._meet(actor, answer)
            else:
                self._settle(board, actor, task, answer)

    def _meet(self, actor: _Actor, report: _Report) -> None:
        """An actor is ready, or its node cannot be used.

        Raises:
            CurateError: No node can be used.
        """
        if not report.trouble:
            actor.node = report.node
            self._stillborn = 0
            return
        self._dismiss(actor)
        if report.node not in self._bad_nodes:
            self._bad_nodes[report.node] = report.trouble
            log.warning("%s; it gets no work", report.trouble)
        alive = {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}
        if alive <= self._bad_nodes.keys():
            raise CurateError(report.trouble)

    def _settle(self, board: Board[PoolKey], actor: _Actor, task: Task, reply: Reply) -> None:
        key = task.kind, task.id
        if isinstance(reply, Fault) and reply.reason is Reason.CRASHED and key not in self._crashed:
            self._crashed.add(key)
            self._second.append((task, actor.node))
            log.info("%s of %s: %s; it gets a second try", task.kind, task.id, reply.detail)
            return
        board.settle(task, reply)

    def _mourn(self, board: Board[PoolKey], actor: _Actor, task: Task | None, error: Exception) -> None:
        """An actor was lost, with its node or by itself: its task is given out again; Ray starts the actor anew.

        Raises:
            CurateError: Actors cannot be started at all.
        """
        actor.node, actor.task, actor.again = "", None, time.monotonic() + WATCH_SECONDS
        if isinstance(error, self._ray.exceptions.ActorDiedError):  # for good: its class cannot be made, say
            self._dismiss(actor)
        if task is None:
            self._stillborn += isinstance(error, self._ray.exceptions.ActorDiedError)
            if self._stillborn > LOSSES:
                last = (str(error).strip().splitlines() or [""])[-1].strip()
                raise CurateError(f"workers cannot be started on the Ray cluster: {last}")
            return
        key = task.kind, task.id
        self._lost[key] += 1
        if self._lost[key] >= LOSSES:
            board.settle(task, Fault(Reason.CRASHED, f"its worker was lost {LOSSES} times, with all that ran it", 0.0))
        else:
            log.info("%s of %s was lost with its worker and is given out again", task.kind, task.id)
            board.give_back(task)

    def _dismiss(self, actor: _Actor) -> None:
        self._actors.remove(actor)
        self._ray.kill(actor.handle, no_restart=True)

    def dismiss(self) -> None:
        """End all actors; their worker processes end with them."""
        for actor in list(self._actors):
            self._dismiss(actor)
