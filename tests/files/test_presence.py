"""The file by which nodes show that they see a workspace: gone when its run is, even a killed one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from curate.files.presence import shown_in

HOLD = """
import sys, time
from pathlib import Path
from curate.files.presence import shown_in
with shown_in(Path(sys.argv[1])) as probe:
    print(probe.name, flush=True)
    time.sleep(60)
"""


def test_probes_of_killed_runs_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    runs = [
        subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    names = [run.stdout.readline().strip() for run in runs if run.stdout is not None]
    for name, age in ((".making-old", 100), (".making-now", 0)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    runs[0].send_signal(signal.SIGKILL)
    runs[0].wait()
    outside = tmp_path / "outside"
    outside.write_bytes(b"kept")
    (tmp_path / ".seen-link").symlink_to(outside)
    with shown_in(tmp_path) as probe:
        assert {path.name for path in tmp_path.glob(".seen-*")} == {names[1], probe.name, ".seen-link"}
        assert [path.name for path in tmp_path.glob(".making-*")] == [".making-now"]
    assert not probe.exists() and outside.read_bytes() == b"kept"
    runs[1].kill()
    for run in runs:
        run.wait()
        assert run.stdout is not None
        run.stdout.close()
