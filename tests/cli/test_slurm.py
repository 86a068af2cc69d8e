"""The script of ``curate slurm``, submitted to an ``sbatch`` that runs jobs at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from curate.cli import run_command
from tests.rendered import render_operation

SBATCH = """#!/bin/bash
# Runs the job on standard input: once for each index of its array, at once, or by itself.
set -e
job=$(mktemp)
cat > "$job"
echo "$*" >> "$SUBMITTED"
last=$(sed -n 's/^#SBATCH --array=0-//p' "$job")
for index in $(seq 0 "${last:-0}"); do
    SLURM_ARRAY_TASK_ID=$index bash "$job" >> "$SUBMITTED.log" 2>&1 &
done
wait
echo 4711
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    videos = tmp_path / "the videos"
    videos.mkdir()
    for seed in range(3):
        render_operation(videos / f"v{seed}.mp4", before=1, surgery=5, after=1, seed=seed)
    work = tmp_path / "a workspace"
    assert run_command(["download", str(videos), "-w", str(work), "-q"]) == 0
    return work


@pytest.mark.slow
def test_the_array_and_the_export_after_it_do_everything(tmp_path: Path, workspace: Path) -> None:
    script = tmp_path / "submit.sh"
    arguments = ["--parts", "2", "--jitter", "0", "--cpus", "1", "--output", str(script)]
    assert run_command(["slurm", "-w", str(workspace), *arguments]) == 0
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in (
        ("sbatch", SBATCH),
        ("curate", f'#!/bin/bash\nexec {sys.executable} -c "from curate.cli import main; main()" "$@"\n'),
    ):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    submitted = tmp_path / "submitted"
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "SUBMITTED": str(submitted)}
    subprocess.run(["bash", str(script)], env=environment, check=True, cwd=Path(__file__).parents[2], timeout=250)
    assert submitted.read_text().splitlines() == ["--parsable", "--dependency=afterany:4711"]
    assert list((workspace / "exports" / "parquet").rglob("*.parquet")), submitted.with_suffix(".log").read_text()
    assert run_command(["verify", str(workspace / "exports" / "parquet")]) == 0


@pytest.mark.parametrize(
    ("flag", "value"), [("--time", "soon"), ("--memory", "32G\n#SBATCH"), ("--partition", "a b"), ("--time", "1:2:3:4")]
)
def test_what_slurm_would_not_take_is_said(
    tmp_path: Path, workspace: Path, capsys: pytest.CaptureFixture[str], flag: str, value: str
) -> None:
    assert run_command(["slurm", "-w", str(workspace), "--parts", "2", flag, value]) == 1
    assert f"{flag} {value!r} is not what Slurm takes" in capsys.readouterr().err


def test_the_script_is_printed_and_bash_can_read_it(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run_command(["slurm", "-w", str(workspace), "--parts", "32", "--gpus", "1", "--partition", "gpu"]) == 0
    script = capsys.readouterr().out
    assert "#SBATCH --array=0-31\n" in script and "#SBATCH --gpus-per-task=1\n" in script
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_a_path_that_would_end_the_job_in_the_middle_is_refused(
    tmp_path: Path, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / "a\nJOB\nb"
    workspace.rename(odd)
    assert run_command(["slurm", "-w", str(odd), "--parts", "2", "-o", str(tmp_path / "s.sh")]) == 1
    assert "has a line break in its path" in capsys.readouterr().err and not (tmp_path / "s.sh").exists()
