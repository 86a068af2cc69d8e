"""``curate card`` as a user types it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from curate.cli import run_command
from tests.exports.making import tree_bytes
from tests.finished import make_finished
from tests.run.processes import CLOCK, preloaded, run

CARDS = {"README.md", "croissant.json", "export.json"}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_finished(tmp_path / "w", {name: f"https://www.youtube.com/watch?v={name}" for name in ("aaaa", "bbbb")})


def test_what_is_said_of_the_corpus_goes_into_the_cards_and_stays(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree_bytes(workspace / "exports")
    assert run_command(["card", "-w", str(workspace)]) == 0
    assert capsys.readouterr().out.count("up to date") == 2
    assert tree_bytes(workspace / "exports") == before
    arguments = ["--name", "Ours", "--creators", "A Lab,B Lab", "--contact", "ask@example.org", "--gated", "never"]
    assert run_command(["card", "lmdb", "-w", str(workspace), *arguments]) == 0
    assert capsys.readouterr().out == f"{workspace}/exports/lmdb: written\n"
    after = tree_bytes(workspace / "exports")
    assert {name for name in after if after[name] != before[name]} == {f"lmdb/{name}" for name in CARDS}
    card = after["lmdb/README.md"].decode()
    assert "# Ours" in card and "Made by A Lab and B Lab." in card and "ask@example.org" in card
    assert "extra_gated" not in card
    assert [one["name"] for one in json.loads(after["lmdb/croissant.json"])["creator"]] == ["A Lab", "B Lab"]
    assert run_command(["verify", str(workspace / "exports")]) == 0
    assert run_command(["export", "-w", str(workspace)]) == 0
    assert "# Ours" in (workspace / "exports" / "parquet" / "README.md").read_text()


def test_a_card_is_printed_and_nothing_is_written(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree_bytes(workspace)
    assert run_command(["card", "parquet", "-w", str(workspace), "--print", "readme", "--name", "Other"]) == 0
    assert "# Other" in capsys.readouterr().out
    assert run_command(["card", "parquet", "-w", str(workspace), "--print", "croissant"]) == 0
    assert json.loads(capsys.readouterr().out)["conformsTo"][0] == "http://mlcommons.org/croissant/1.1"
    assert tree_bytes(workspace) == before


def test_the_funnel_names_the_list_the_steps_and_the_days(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["card", "parquet", "-w", str(workspace), "--print", "readme"]) == 0
    out = capsys.readouterr().out
    assert "| standard input | 1970-01-01 | 2 | 2 |" in out
    assert "| list | named | download | sample |" in out and "| standard input | 2 | 2 | 2 |" in out


def test_what_cannot_be_done_is_said(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["card", "nothing", "-w", str(workspace)]) == 1
    assert "there are lmdb, parquet" in capsys.readouterr().err
    assert run_command(["card", "-w", str(workspace), "--print", "readme"]) == 1
    assert "name it" in capsys.readouterr().err
    assert run_command(["card", "-w", str(workspace), "--published", "soon"]) == 1
    assert "YYYY-MM-DD" in capsys.readouterr().err
    (workspace / "exports" / "lmdb" / "procedures.csv").unlink()
    (workspace / "exports" / "parquet" / "videos.parquet").write_bytes(b"PAR1 no table")
    assert run_command(["card", "-w", str(workspace)]) == 2
    err = capsys.readouterr().err
    assert "procedures.csv" in err and "videos.parquet" in err and "curate verify" in err
    assert run_command(["card", "parquet", "-w", str(workspace), "--print", "readme"]) == 1
    assert "curate verify" in capsys.readouterr().err


def test_a_purge_keeps_the_counts_of_the_cards_true(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["purge", "-w", str(workspace), "--id", "bbbb", "--yes"]) == 0
    assert "HF_DATASETS_CACHE" in capsys.readouterr().out
    card = (workspace / "exports" / "parquet" / "README.md").read_text()
    assert "num_examples: 4" in card and "4 frames of 1 surgical videos" in card and "bbbb" not in card
    assert "| standard input | 1 | 1 |" in card
    assert run_command(["verify", str(workspace / "exports")]) == 0


def test_the_day_on_which_it_is_exported_changes_no_byte(workspace: Path, tmp_path: Path) -> None:
    made = []
    for days in (0, 400):
        shutil.rmtree(workspace / "exports")
        odd = tmp_path / str(days)
        odd.mkdir()
        code, said = run("export", "-w", workspace, env=preloaded(odd, CLOCK, SECONDS=days * 86_400))
        assert code == 0, said
        made.append(tree_bytes(workspace / "exports"))
    assert made[0] == made[1]
