import os
import subprocess
import sys

import pytest

from curate.files.machine import usable_cores

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
