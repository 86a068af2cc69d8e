"""How a machine is shared: threads of GPU workers, memory by need, no more workers than there is room for."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.config import EngineOptions
from curate.engine.share import USABLE, PoolKey, cuda_devices, group, share_machine
from curate.errors import CurateError
from curate.stage import GIB, Resources

CPU, PACED = Resources(), Resources(paced=True)
GPU = Resources.of_network(True)


class Needs:
    """A work of which only the resources matter here."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """Makes a machine of so many cores, GiB and CUDA devices."""

    def make(cores: int, gib: float, devices: str = "") -> None:
        monkeypatch.setattr("curate.engine.share.usable_cores", lambda: cores)
        monkeypatch.setattr("curate.engine.share.usable_memory", lambda: int(gib * GIB))
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", devices)

    return make


def shared(*resources: Resources, **options: object):
    """Shares of the pools of some works, by what their workers need."""
    works = {f"w{i}": Needs(wanted) for i, wanted in enumerate(resources)}
    pools, needs = group(works)  # type: ignore[arg-type]
    shares = share_machine(needs, EngineOptions(**options))  # type: ignore[arg-type]
    return {wanted: shares[pools[f"w{i}"]] for i, wanted in enumerate(resources)}


def test_one_worker_a_core_and_one_for_the_paced_lane(machine) -> None:
    machine(8, 64)
    shares = shared(CPU, PACED)
    assert [limits.threads for limits in shares[CPU]] == [1] * 8
    assert [limits.threads for limits in shares[PACED]] == [1]
    assert [limits.threads for limits in shared(CPU, workers=2)[CPU]] == [4, 4]


def test_a_gpu_has_one_worker_with_threads_to_decode_beside_the_network(machine) -> None:
    machine(16, 64, "0,3")
    shares = shared(CPU, GPU)
    assert [(limits.device, limits.threads) for limits in shares[GPU]] == [("0", 8), ("3", 8)]
    assert len(shares[CPU]) == 16
    machine(2, 64, "0,1")
    assert [limits.threads for limits in shared(GPU)[GPU]] == [2, 2], "two at least, however few the cores"


def test_memory_is_shared_by_need_and_stays_within_the_machine(machine) -> None:
    machine(4, 40, "0")
    shares = shared(CPU, GPU, PACED)
    of_cpu, of_gpu = shares[CPU][0].memory, shares[GPU][0].memory
    assert GPU.memory == 4 * CPU.memory and abs(of_gpu - 4 * of_cpu) < 8
    assert sum(limits.memory for pool in shares.values() for limits in pool) <= USABLE * 40 * GIB
    fixed = shared(CPU, GPU, worker_memory=1500)
    assert (fixed[CPU][0].memory, fixed[GPU][0].memory) == (1500 << 20, 6000 << 20)


def test_there_are_no_more_workers_than_memory_for_them(machine) -> None:
    machine(32, 10)
    assert len(shared(CPU)[CPU]) == 8, "80 % of 10 GiB, a GiB each"
    assert len(shared(CPU, worker_memory=100)[CPU]) == 32, "told so, they are as many as cores"
    machine(32, 0.5)
    assert len(shared(CPU)[CPU]) == 1


def test_works_that_need_the_same_but_memory_share_workers_with_the_most(machine) -> None:
    machine(8, 16)
    more = Resources(memory=4 * GIB)
    shares = shared(CPU, more)
    assert shares[CPU] is shares[more] and len(shares[CPU]) == 3


def test_a_device_that_was_asked_for_is_the_only_one_used(machine) -> None:
    machine(8, 64, "5,6,7")
    (limits,) = shared(Resources.of_network(True, "cuda:1"))[Resources.of_network(True, "cuda:1")]
    assert limits.device == "6"
    assert cuda_devices("") == ("5", "6", "7")
    with pytest.raises(CurateError, match="no CUDA device 4: use --device cpu"):
        cuda_devices("4")
    machine(8, 64)
    with pytest.raises(CurateError, match="no CUDA device is visible"):
        shared(GPU)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.integers(1, 256),
    st.floats(0.25, 4096),
    st.integers(0, 8),
    st.lists(
        st.builds(Resources, st.integers(1, 8), memory=st.integers(1, 16).map(GIB.__mul__)), min_size=1, max_size=4
    ),
)
def test_whatever_the_machine_limits_add_up_to_what_may_be_used(machine, cores, gib, devices, wanted) -> None:
    machine(cores, gib, ",".join(map(str, range(devices))))
    works = {f"w{i}": Needs(needed) for i, needed in enumerate([*wanted, PACED, *([GPU] if devices else [])])}
    _, needs = group(works)  # type: ignore[arg-type]
    shares = share_machine(needs, EngineOptions())
    assert shares.keys() == needs.keys() == {PoolKey.of(work.resources) for work in works.values()}
    everyone = [limits for pool in shares.values() for limits in pool]
    assert sum(limits.memory for limits in everyone) <= USABLE * gib * GIB + 1
    assert all(limits.threads >= 1 for limits in everyone)
