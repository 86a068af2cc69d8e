"""``scripts/check_gpu.py`` where there is no GPU, or only the driver's word for one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_gpu.py"


@pytest.mark.parametrize(
    ("driver", "said"),
    [
        (None, "Nothing was checked. no GPU: nvidia-smi is not there or names none."),
        ("exit 9", "Nothing was checked. no GPU: nvidia-smi is not there or names none."),
        ("echo 'NVIDIA X, 570, 81559 MiB'", "sees no CUDA device"),
    ],
)
def test_without_a_gpu_it_says_so_at_once(tmp_path: Path, driver: str | None, said: str) -> None:
    if driver is not None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{driver}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin", "CUDA_VISIBLE_DEVICES": ""}
    page = tmp_path / "gpu.md"
    done = subprocess.run([sys.executable, str(SCRIPT), "--output", str(page)], env=environment, capture_output=True)
    assert done.returncode == 1
    assert said in page.read_text()
    assert not done.stderr
