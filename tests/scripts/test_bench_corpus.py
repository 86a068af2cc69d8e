from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from curate.run.session import open_session
from curate.workspace.ledger import read_ledger

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    import bench_corpus

    return bench_corpus


def test_the_table_tells_what_a_further_video_costs(bench) -> None:
    def row(videos: int):
        cost = bench.Cost(wall=1 + videos / 100, cpu=1 + videos / 1000, memory=100 + videos / 500, early=100.0)
        return bench.Row(videos, cost, cost, cost, cost, cost)

    lines = bench.table([row(500), row(1000)]).splitlines()
    assert lines[2].startswith("| 500 | 6.0, 1.50, 101 |") and lines[2].endswith("| 100, 101 |")
    assert lines[-1].startswith("| each further | 10.00 ms, 1.000 ms, 2.0 kB |")


def test_a_command_is_measured_while_it_runs_and_one_that_fails_is_said(bench) -> None:
    cost = bench.cost("doctor", "--help")
    assert 0 < cost.wall < 60 and 0 <= cost.memory < 1000 and cost.cpu <= cost.wall + 1
    with pytest.raises(RuntimeError, match="curate nothing-like-it ended with 1"):
        bench.cost("nothing-like-it")


def test_made_workspaces_are_as_if_every_stage_had_run(bench, tmp_path: Path) -> None:
    import made_workspace

    made_workspace.make_workspace(tmp_path / "w", 3)
    session = open_session(tmp_path / "w")
    assert len(session.pipeline.complete()) == 3
    assert [record.last.outcome for record in read_ledger(tmp_path / "w" / "ledger").values()] == ["done"] * 21
    assert {path.stat().st_size for path in (tmp_path / "w" / "frames").iterdir()} == {10}


def test_what_is_asked_of_a_made_workspace_is_measured(tmp_path: Path) -> None:
    # In a process of its own: what this one holds would count as the memory of all that it starts.
    code = (
        f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); "
        "from pathlib import Path; import bench_corpus; "
        f"print(bench_corpus.table([bench_corpus.measure_made(Path({str(tmp_path)!r}), 2, repeats=1)]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    head, _, row = done.stdout.splitlines()
    assert head.endswith("| resume: s, CPU s, MB |")
    costs = [[float(figure) for figure in cell.split(",")] for cell in row.strip("| ").split(" | ")[1:]]
    assert len(costs) == 3
    assert all(0 < cpu < 60 and 10 < memory < 1000 for _, cpu, memory in costs)


@pytest.mark.parametrize("command", ["status", "plan"])
def test_who_asks_about_a_workspace_waits_for_no_codec_and_no_network(bench, tmp_path: Path, command: str) -> None:
    import made_workspace

    made_workspace.make_workspace(tmp_path / "w", 2)
    code = (
        f"import sys; from curate.cli import run_command; run_command([{command!r}, '-w', {str(tmp_path / 'w')!r}]); "
        "heavy = {'av', 'cv2', 'cloup', 'onnxruntime', 'pandas', 'torch', 'yt_dlp'} & set(sys.modules); "
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "download" in done.stdout
