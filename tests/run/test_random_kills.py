"""Kills at random instants: whatever is hit, a rerun ends with the bytes of a run that nobody disturbed.

``CURATE_KILLS`` says how many kills are made; without it a few.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"

KILLS = int(os.environ.get("CURATE_KILLS", "4"))


@pytest.mark.slow
@pytest.mark.timeout(36_000)
def test_kills_at_random_instants_change_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    import kill_runs

    tally = kill_runs.kill_runs(tmp_path, KILLS, 35_000, os.environ.get("CURATE_SEED", "14"))
    assert tally.faults == []
    assert tally.hits >= KILLS
    assert tally.workspaces >= 1


def test_what_the_kills_are_checked_by_sees_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    import kill_runs

    from curate.workspace.events import Event

    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "a").write_text("other")
    (tmp_path / "ledger").mkdir()
    events = [Event(1.0, "v", "sample", "done", "f", attempt=attempt) for attempt in (1, 3)]
    (tmp_path / "ledger" / "h.jsonl").write_text("".join(event.to_json() + "\n" for event in events))
    (tmp_path / ".v.tmp").write_text("half")
    faults = kill_runs.faults_of(tmp_path, 0, "", {"a": "0" * 64, "b": "1" * 64})
    assert faults == [
        "exports/a differs",
        "exports/b differs",
        ".v.tmp is left over",
        "the attempts at sample of v are [1, 3]",
    ]
    said = "words\nerror: why"
    assert kill_runs.faults_of(tmp_path, 2, said, {}) == [
        f"the last run ended with 2: error: why; its last words: {said}"
    ]
