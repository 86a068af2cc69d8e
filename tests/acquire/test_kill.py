"""``kill -9`` in the middle of a transfer, through the real command, and the run that follows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.acquire.server import Serve, Server, Stall

HALF = 60_000


def test_a_killed_transfer_goes_on_where_it_was(tmp_path: Path, server: Server, clip: bytes):
    (tmp_path / "list.csv").write_text(f"id,url\n-v,{server.url('/clip.mp4')}\n")
    flags = ["--sleep-interval-requests", "0", "--free-space", "0", "-q"]
    command = ["download", str(tmp_path / "list.csv"), "-w", str(tmp_path / "w"), *flags]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
    server.behave("/clip.mp4", Serve(), Stall(HALF), then=Serve())

    process = subprocess.Popen(
        [sys.executable, "-c", "from curate.cli import main; main()", *command], env=environment, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not any(p.stat().st_size for p in (tmp_path / "w" / "videos").glob(".-v.tmp*.part")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not list((tmp_path / "w" / "videos").glob("-v.*"))

    server.requests.clear()
    again = subprocess.run([sys.executable, "-c", "from curate.cli import main; main()", *command], env=environment)
    assert again.returncode == 0
    assert (tmp_path / "w" / "videos" / "-v.mp4").read_bytes() == clip
    wanted = server.requests[-1][1]
    assert wanted is not None and 0 < int(wanted.removeprefix("bytes=").removesuffix("-")) <= HALF
    assert sorted(p.name for p in (tmp_path / "w" / "videos").iterdir()) == ["-v.json", "-v.mp4"]
