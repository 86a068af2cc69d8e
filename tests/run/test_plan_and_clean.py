"""What the next run would do, and what can go."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from curate.cli import cli
from curate.errors import CurateError
from curate.files.presence import shown_in
from curate.run.clean import clean, needless
from curate.run.plan import pending_videos, plan_run
from curate.run.session import Sources, open_session, run_stages, store
from curate.workspace.tree import Workspace
from tests.finished import make_finished

WEB = {name: f"https://example.org/{name}.mp4" for name in ("one", "two", "three")}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_finished(tmp_path / "w", WEB, ["folders"])


def test_a_plan_says_what_is_next_and_why(workspace: Path) -> None:
    found = plan_run(open_session(workspace).pipeline)
    assert not any(stage.videos for stage in found.stages.values())
    assert "nothing is left" in CliRunner().invoke(cli, ["plan", "-w", str(workspace)]).output
    (workspace / "frames" / "two.parquet").unlink()
    session = open_session(workspace, given={"trim": {"min_run": 1.5}})
    found = plan_run(session.pipeline)
    assert dict(found.stages["sample"].first) == {"missing": 1}
    assert dict(found.stages["trim"].first) == {"changed": 2} and found.stages["trim"].later == 1
    assert found.stages["classify"].videos == 1 and found.stages["mask"].later == 3
    assert [video.id for video, _ in pending_videos(session.pipeline, "sample")] == ["two"]
    store(session)
    said = CliRunner().invoke(cli, ["plan", "-w", str(workspace), "--stage", "sample"]).output
    assert said == "two  what was made is not there any more\n"


def test_what_nobody_needs_is_counted_and_removed(workspace: Path, tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text(f"id,url\none,{WEB['one']}\ntwo,{WEB['two']}\n")
    store(open_session(workspace, sources=Sources((str(listed),))))
    (workspace / "frames" / ".one.tmp-x.parquet").write_bytes(b"half")
    mine = tmp_path / "mine.mp4"
    mine.write_bytes(b"the user's own")
    (workspace / "videos" / "four.mp4").symlink_to(mine)
    found = needless(open_session(workspace))
    kinds = {item.path.name: item.kind for item in found}
    assert kinds[".one.tmp-x.parquet"] == "leftover" and kinds["three.parquet"] == kinds["four.mp4"] == "unlisted"
    assert not any(name.startswith(("one", "two")) for name in kinds)
    before = sorted(workspace.rglob("*"))
    assert "--yes" in CliRunner().invoke(cli, ["clean", "-w", str(workspace)]).output
    assert sorted(workspace.rglob("*")) == before, "nothing is removed unasked"
    assert "removed" in CliRunner().invoke(cli, ["clean", "-w", str(workspace), "--yes"]).output
    assert mine.exists() and not (workspace / "videos" / "four.mp4").is_symlink()
    assert not list(workspace.glob("*/three*"))
    assert needless(open_session(workspace)) == []
    assert len(open_session(workspace).pipeline.complete()) == 2


def test_what_a_killed_run_showed_itself_by_goes_with_clean_and_with_any_run(workspace: Path) -> None:
    left = workspace / ".seen-0123456789abcdef"
    with shown_in(workspace) as alive:
        left.touch()
        assert [(item.path, item.kind) for item in needless(open_session(workspace))] == [(left, "leftover")]
        clean(open_session(workspace))
        assert not left.exists() and alive.exists()
        left.touch()
        run_stages(open_session(workspace), ["download"], lambda task, answer: None)
        assert not left.exists() and alive.exists()


def test_nothing_is_removed_while_somebody_works(workspace: Path) -> None:
    with Workspace(workspace).lock((1, 2)), pytest.raises(CurateError, match="another curate is at work"):
        clean(open_session(workspace))
