"""Workspaces that are judged: sampled frames, scores and verdicts, made without networks or videos."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curate.config import Config
from curate.records import Done, Dropped, Video
from curate.run.pipeline import Pipeline
from curate.run.session import store_manifest
from curate.stage import Files
from curate.workspace.events import Event
from curate.workspace.ledger import LedgerWriter
from curate.workspace.tables import frame_schema, score_schema
from curate.workspace.tree import Workspace
from tests.nets.making import jpeg

LEVELS = {"s": 0.95, "n": 0.05, "u": 0.45, "U": 0.55}
"""Probability of a surgical, a non-surgical, and an uncertain frame below and above the threshold."""

METADATA = {"model": "m", "sha256": "0", "threshold": "0.5", "uncertain_low": "0.4", "uncertain_high": "0.6"}


def frames_table(path: Path, text: str, interval: float = 1.0) -> Path:
    rows = [
        {
            "n": n,
            "timestamp": n * interval,
            "source_index": n,
            "key_frame": True,
            "width": 160,
            "height": 90,
            "image": jpeg(n, 90, 160),
        }
        for n in range(len(text))
    ]
    pq.write_table(pa.Table.from_pylist(rows, frame_schema()), path)
    return path


def scores_table(path: Path, text: str, interval: float = 1.0) -> Path:
    """Scores of a video whose shot changes wherever the letter does."""
    rows = [
        {"n": n, "timestamp": n * interval, "p_surgical": LEVELS[c], "change": 0.8 if c != before else 0.1}
        for n, (before, c) in enumerate(zip(text[:1] + text, text, strict=False))
    ]
    pq.write_table(pa.Table.from_pylist(rows, score_schema()).replace_schema_metadata(METADATA), path)
    return path


def make_judged(root: Path, videos: Mapping[str, str], config: Config | None = None) -> Path:
    """A workspace in which every video is done down to trim, judged by the trim stage itself.

    Args:
        root: Folder to make.
        videos: By id, a letter of `LEVELS` a sampled frame.
        config: Options; the defaults if not given.
    """
    workspace = Workspace.open(root, create=True)
    workspace.store_options(config or Config())
    listed = [Video(id=name, source=f"https://example.org/{name}") for name in videos]
    store_manifest(workspace, listed)
    pipeline = Pipeline(workspace, config or Config(), listed)
    writer = LedgerWriter(workspace.ledger_folder)
    for video in listed:
        fingerprints = pipeline.fingerprints(video)
        inputs: dict[str, Path] = {}
        for name in ("download", "sample", "classify", "trim"):
            stage = pipeline.specs[name].make()
            folder = workspace.folder(stage.folder)
            path, outcome, reason = folder / f"{video.id}.parquet", "done", None
            if name == "sample":
                frames_table(path, videos[video.id])
            elif name == "classify":
                scores_table(path, videos[video.id])
            elif name == "trim":
                files = Files({"classify": inputs["classify"]}, folder, video.id)
                answer = stage.process(video, files)
                assert isinstance(answer, Done | Dropped) and answer.artefact is not None
                answer.artefact.replace(path)
                if isinstance(answer, Dropped):
                    outcome, reason = "dropped", answer.reason
            else:
                path.touch()
            inputs[name] = path
            writer.append(Event(1.0, video.id, name, outcome, fingerprints[name], reason=reason, artefact=path.name))
    writer.close()
    return root
