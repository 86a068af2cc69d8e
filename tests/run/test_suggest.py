"""Labels suggested in a workspace: by titles, and by the labelled videos that look alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from curate.cli import run_command
from curate.corpus.alike_videos import FRAMES_A_VIDEO, AlikeOptions, Frames, look_alike
from curate.files.csv_file import read_csv
from curate.manifests.store import write_manifest
from curate.run.session import open_session
from curate.workspace.tables.embeddings import spread
from tests.finished import make_finished
from tests.run.test_neighbours import MODEL, WEB, embed


def test_frames_are_spread_evenly() -> None:
    assert spread(0, FRAMES_A_VIDEO).tolist() == []
    assert spread(3, FRAMES_A_VIDEO).tolist() == [0, 1, 2]
    rows = spread(1000, FRAMES_A_VIDEO)
    assert len(rows) == 32 and rows[0] == 0 and rows[-1] == 999


def test_the_nearest_videos_speak_and_one_long_scene_does_not_outvote_them() -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(3, 16)

    def near(centre: int, count: int) -> np.ndarray:
        return (centres[centre] + 0.01 * rng.normal(size=(count, 16))).astype(np.float16)

    vectors = np.concatenate([near(0, 4), near(0, 4), near(0, 30), near(2, 4)])
    labelled = Frames(["a", "b", "long", "d"], [4, 4, 30, 4], vectors)
    procedures = {
        "a": ("splenectomy",),
        "b": ("splenectomy", "appendectomy"),
        "long": ("hysterectomy",),
        "d": ("myomectomy",),
    }
    unlabelled = Frames(["x", "none"], [6, 0], near(0, 6))
    found = look_alike(unlabelled, labelled, procedures, AlikeOptions(min_share=0.3))
    assert set(found) == {"x"}
    assert next(iter(found["x"].procedures)) == "splenectomy"
    assert set(found["x"].procedures) == {"splenectomy", "appendectomy", "hysterectomy"}
    assert found["x"].procedures["splenectomy"] == pytest.approx(2 / 3, abs=0.02)
    assert set(found["x"].videos) == {"a", "b", "long"}
    assert look_alike(unlabelled, Frames([], [], np.empty((0, 0), np.float16)), {}, AlikeOptions()) == {}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = make_finished(tmp_path / "w", WEB, ["parquet"])
    (root / "options.toml").write_text('[embed]\nmodel = "default"\n')
    return root


def relabel(root: Path, procedures: dict[str, tuple[str, ...]]) -> None:
    import dataclasses

    videos = open_session(root).pipeline.videos
    changed = [
        dataclasses.replace(v, procedures=procedures.get(v.id, ()), robotic=None, title=f"Robotic film {v.id}")
        for v in videos
    ]
    write_manifest(changed, root / "manifest.parquet")


def rows(path: Path) -> dict[str, dict[str, str]]:
    return {row["id"]: row for _, row in read_csv(path, ("id", "alike_procedures"), "suggestions")}


def test_suggestions_for_a_workspace(workspace: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out.csv"
    relabel(workspace, {"two": ("splenectomy",), "three": ("splenectomy",), "four": ("myomectomy",)})
    assert run_command(["corpus", "suggest", "-w", str(workspace), "-o", str(out)]) == 0
    assert {row["alike_procedures"] for row in rows(out).values()} == {""}
    assert {row["suggested_robotic"] for row in rows(out).values()} == {"true"}
    rng = np.random.default_rng(0)
    place = {"-one": 0, "two": 0, "three": 0, "four": 1, "five_5": 1}
    for name, axis in place.items():
        embed(workspace, name, np.eye(2, 16)[[axis] * 5] + 0.01 * rng.normal(size=(5, 16)))
    config = str(workspace / "options.toml")
    words = ["corpus", "suggest", "-w", str(workspace), "--config", config, "--min-share", "0.6", "-o", str(out)]
    assert run_command(words) == 0
    found = rows(out)
    assert found["-one"]["alike_procedures"] == "splenectomy"
    assert "splenectomy: 1.00 of frames; like " in found["-one"]["alike_evidence"]
    assert found["two"]["alike_procedures"] == ""
    assert found["-one"]["procedures"] == ""


def test_embeddings_of_two_models_are_refused(workspace: Path, tmp_path: Path, capsys) -> None:
    import dataclasses

    relabel(workspace, {"two": ("splenectomy",)})
    embed(workspace, "two", np.eye(5, 16))
    embed(workspace, "four", np.eye(5, 16), dataclasses.replace(MODEL, sha256="cd" * 32))
    config = str(workspace / "options.toml")
    words = ["corpus", "suggest", "-w", str(workspace), "--config", config, "-o", str(tmp_path / "o.csv")]
    assert run_command(words) == 1
    assert "embeddings of different models cannot be compared" in capsys.readouterr().err
    assert not (tmp_path / "o.csv").exists()
