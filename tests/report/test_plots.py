"""Plots as files, and the map of embeddings, over real tables."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from curate.charts.scatter import Group, scatter
from curate.charts.svg import GROUPS
from curate.cli import run_command
from curate.config import Config, EmbedOptions
from curate.records import Video
from curate.report import embedding_map as maps
from curate.report.embedding_map import embedding_map
from curate.run.session import open_session
from curate.workspace.events import Event
from curate.workspace.ledger import LedgerWriter
from curate.workspace.tables.embeddings import EmbeddingModel, EmbeddingWriter
from curate.workspace.tree import Workspace
from tests.report.making import make_workspace

NS = {"svg": "http://www.w3.org/2000/svg"}
MODEL = EmbeddingModel("made", "0" * 64, "levels", 224, 224)
PROCEDURES = ("cholecystectomy", "hernia repair", '<b>"evil"</b>')


def embed(root: Path, video: Video, vectors: np.ndarray, model: EmbeddingModel = MODEL) -> Path:
    """Give a video of a workspace vectors, as the stage would."""
    workspace = Workspace.open(root)
    path = workspace.folder("embeddings") / f"{video.id}.parquet"
    with EmbeddingWriter(path, vectors.shape[1], model, 0.0) as writer:
        count = len(vectors)
        writer.add(np.arange(count, dtype=np.int32), np.arange(count, dtype=np.float64), vectors.astype(np.float16))
    fingerprint = open_session(root).pipeline.fingerprints(video)["embed"]
    ledger = LedgerWriter(workspace.ledger_folder)
    ledger.append(Event(3.0, video.id, "embed", "done", fingerprint, artefact=path.name))
    ledger.close()
    return path


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Six videos of three procedures and one of none; each procedure's vectors lie around a direction of its own."""
    videos = [
        Video(f"v{i}", f"https://example.org/{i}", procedures=(PROCEDURES[i % 3],), domain="laparoscopic")
        for i in range(6)
    ]
    videos.append(Video("none", "https://example.org/none"))
    root = make_workspace(tmp_path / "w", videos)
    Workspace.open(root).store_options(Config(embed=EmbedOptions(model="default")))
    noise = np.random.default_rng(0)
    for i, video in enumerate(videos):
        centre = np.eye(16)[i % 3] if video.procedures else np.eye(16)[5]
        embed(root, video, centre + 0.05 * noise.standard_normal((50, 16)))
    return root


def test_frames_of_a_procedure_lie_together_on_the_map(workspace: Path) -> None:
    pipeline = open_session(workspace).pipeline
    found = embedding_map(pipeline)
    assert found is not None and found.videos == found.of_videos == 7
    assert Counter(found.procedures) == dict.fromkeys(PROCEDURES, 48) | {maps.NO_PROCEDURE: 24}  # those that are kept
    names = np.array(found.procedures)
    centres = {name: found.places[names == name].mean(axis=0) for name in PROCEDURES}
    for name in PROCEDURES:
        own = np.linalg.norm(found.places[names == name] - centres[name], axis=1)
        others = [np.linalg.norm(centres[name] - centre) for other, centre in centres.items() if other != name]
        assert own.max() < min(others) / 2
    again = embedding_map(pipeline)
    assert again is not None and again.svg() == found.svg()
    assert 0.3 < sum(found.share) <= 1


def test_the_work_is_bounded_and_every_procedure_is_on_the_map(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maps, "MOST_VIDEOS", 4)
    monkeypatch.setattr(maps, "MOST_POINTS", 40)
    found = embedding_map(open_session(workspace).pipeline)
    assert found is not None and found.videos == 4 and found.of_videos == 7
    assert Counter(found.procedures) == dict.fromkeys([*PROCEDURES, maps.NO_PROCEDURE], 10)


def test_vectors_of_another_model_and_damaged_tables_stay_out(workspace: Path) -> None:
    pipeline = open_session(workspace).pipeline
    embed(workspace, pipeline.videos[0], np.ones((50, 8)), EmbeddingModel("other", "1" * 64, "levels", 9, 9))
    (workspace / "embeddings" / "v1.parquet").write_bytes(b"PAR1 no table")
    problems: list[tuple[str, str]] = []
    found = embedding_map(open_session(workspace).pipeline, problems)
    assert found is not None and found.videos == 5 and found.model == "made"
    assert [video for video, _ in problems] == ["v1"]


def test_without_vectors_there_is_no_map(tmp_path: Path) -> None:
    root = make_workspace(tmp_path / "w", [Video("a", "https://example.org/a")])
    assert embedding_map(open_session(root).pipeline) is None


def test_the_map_has_a_legend_that_names_each_group_with_its_points() -> None:
    groups = [Group(f"group {i}", [(i, j) for j in range(3)]) for i in range(len(GROUPS))]
    chart = ElementTree.fromstring(scatter("Map", groups, Group("2 others", [(0.5, 0.5)]), across="one", up="two"))
    words = [text.text for text in chart.iterfind(".//svg:text", NS)]
    assert words == ["across: one; up: two"] + [w for i in range(8) for w in (f"group {i}", "3")] + ["2 others", "1"]
    legend = [circle.get("class") for circle in chart.iterfind("svg:circle", NS)]
    assert legend == [*GROUPS, "others"]
    dots = chart.findall(".//svg:g/svg:circle", NS)
    assert len(dots) == 25
    assert all(0 <= float(dot.get("cx", -1)) <= 400 and 8 <= float(dot.get("cy", -1)) <= 308 for dot in dots)
    with pytest.raises(ValueError, match="9 groups"):
        scatter("Map", [*groups, groups[0]], across="", up="")


def test_plots_are_files_that_any_viewer_opens(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "plots"
    assert run_command(["corpus", "plots", "-w", str(workspace), "-o", str(out)]) == 0
    names = {path.stem for path in out.iterdir()}
    assert {
        *("funnel", "frames-by-procedure", "hours-by-procedure", "durations", "resolutions", "probabilities"),
        "embedding-map",
    } <= names
    assert capsys.readouterr().out.splitlines()[0] == f"{out}/funnel.svg"
    for path in out.iterdir():
        chart = ElementTree.fromstring(path.read_text("utf-8"))
        assert chart.tag == "{http://www.w3.org/2000/svg}svg" and chart.findtext("svg:style", namespaces=NS)
        assert not chart.findall(".//svg:b", NS)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert run_command(["corpus", "plots", "-w", str(workspace), "-o", str(out), "-q"]) == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    (workspace / "verdicts" / "v1.parquet").write_bytes(b"PAR1 no table")
    assert run_command(["corpus", "plots", "-w", str(workspace), "-o", str(out), "-q"]) == 2
    assert "v1: " in capsys.readouterr().err


def test_the_report_shows_frames_by_procedure_and_the_map(workspace: Path) -> None:
    assert run_command(["report", "-w", str(workspace), "--no-pictures", "-q"]) == 0
    page = (workspace / "report" / "index.html").read_text("utf-8")
    assert "Frames by procedure" in page and "Hours by procedure" in page and "Embedding map" in page
    assert "<b>&#34;evil" not in page and '<b>"evil' not in page
