from __future__ import annotations

from pathlib import Path

import pytest

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
    assert lines[-1].startswith("| each further | 10.0 ms, 1.00 ms, 2.0 kB |")


def test_a_command_is_measured_while_it_runs_and_one_that_fails_is_said(bench) -> None:
    cost = bench.cost("doctor", "--help")
    assert 0 < cost.wall < 60 and 0 <= cost.memory < 1000 and cost.cpu <= cost.wall + 1
    with pytest.raises(RuntimeError, match="curate nothing-like-it ended with 1"):
        bench.cost("nothing-like-it")
