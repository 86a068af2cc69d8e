import os
import subprocess
import sys
from pathlib import Path

import pytest

from curate.files import machine
from curate.files.machine import group_cores, group_memory, usable_cores, usable_memory

ASK = "from curate.files.machine import usable_cores; print(usable_cores())"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not pin processes to cores")
def test_a_process_that_is_pinned_to_one_core_uses_one():
    def pin() -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    answer = subprocess.run([sys.executable, "-c", ASK], preexec_fn=pin, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "1"


def test_cores_of_the_machine_where_processes_are_not_pinned(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert usable_cores() == 12
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1


def groups(root: Path, membership: str, files: dict[str, str]) -> tuple[Path, Path]:
    """A tree of control groups as Linux shows it, and the file that says where the process is."""
    for name, text in files.items():
        path = root / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    (root / "membership").write_text(membership)
    return root / "cgroup", root / "membership"


@pytest.mark.parametrize(
    ("membership", "files", "cores", "memory"),
    [
        ("0::/\n", {"cpu.max": "150000 100000", "memory.max": "1073741824"}, 1.5, 1 << 30),
        ("0::/\n", {"cpu.max": "max 100000", "memory.max": "max"}, None, None),
        # the limit of a group above counts too
        ("0::/job/step\n", {"job/cpu.max": "400000 100000", "job/step/cpu.max": "800000 100000"}, 4.0, None),
        ("0::/job/step\n", {"job/memory.max": "4096", "job/step/memory.max": "8192"}, None, 4096),
        (
            "5:memory:/docker/a\n4:cpu,cpuacct:/docker/a\n",
            {
                "cpu,cpuacct/docker/a/cpu.cfs_quota_us": "200000",
                "cpu,cpuacct/docker/a/cpu.cfs_period_us": "100000",
                "memory/docker/a/memory.limit_in_bytes": "2147483648",
            },
            2.0,
            2 << 30,
        ),
        # in a container its own group is mounted where all groups would be
        (
            "5:memory:/docker/a\n4:cpu:/docker/a\n",
            {
                "cpu/cpu.cfs_quota_us": "-1",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": "2147483648",
            },
            None,
            2 << 30,
        ),
        ("", {}, None, None),
    ],
)
def test_limits_of_control_groups_are_read(
    tmp_path: Path, membership: str, files: dict[str, str], cores: float | None, memory: int | None
) -> None:
    where = groups(tmp_path, membership, files)
    assert group_cores(*where) == cores
    assert group_memory(*where) == memory


def test_a_system_without_control_groups_has_no_limits(tmp_path: Path) -> None:
    assert group_cores(tmp_path, tmp_path / "missing") is None
    assert group_memory(tmp_path, tmp_path / "missing") is None


def test_this_machine_has_cores_and_memory() -> None:
    assert usable_cores() >= 1
    assert usable_memory() > 1 << 26


def test_what_a_control_group_allows_is_what_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "group_memory", lambda: 1 << 26)
    monkeypatch.setattr(machine, "group_cores", lambda: 0.4)
    assert (usable_memory(), usable_cores()) == (1 << 26, 1)
    monkeypatch.setattr(machine, "group_memory", lambda: 1 << 60)
    monkeypatch.setattr(machine, "group_cores", lambda: 1e6)
    assert usable_memory() < 1 << 60 and usable_cores() < 1e6
