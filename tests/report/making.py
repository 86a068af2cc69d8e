"""A small workspace with all that the report shows, made of real tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from curate.config import Config
from curate.records import Finding, Reason, Region, Video
from curate.run.session import open_session, store_manifest
from curate.verdicts import rules
from curate.workspace.events import Event
from curate.workspace.ledger import LedgerWriter
from curate.workspace.tables.fields import FieldWriter, ShotField
from curate.workspace.tables.frames import FrameWriter
from curate.workspace.tables.regions import BoxWriter
from curate.workspace.tables.schemas import audit_schema, region_schema
from curate.workspace.tables.scores import Scores, write_scores
from curate.workspace.tables.verdicts import write_verdicts
from curate.workspace.tree import Workspace
from tests.exports.making import encode

SIZE = (320, 180)
FACE = (200, 40, 260, 100)
"""Where every frame has a checkerboard, which stands for a face."""

P = [0.02] * 6 + [0.97] * 8 + [0.3] + [0.97] * 8 + [0.52] + [0.96] * 6 + [0.05] * 6
"""Probabilities: a lone dip that smoothing lifts, and one frame in the uncertain band."""

BAND = (0.45, 0.6)


def make_workspace(root: Path, videos: Sequence[Video], *, failed: Sequence[str] = ()) -> Path:
    """A workspace of finished videos; those of ``failed`` could not be downloaded."""
    workspace = Workspace.open(root, create=True)
    workspace.store_options(Config())
    store_manifest(workspace, videos)
    pipeline = open_session(root).pipeline
    writer = LedgerWriter(workspace.ledger_folder)
    for video in videos:
        fingerprints = pipeline.fingerprints(video)
        for stage, spec in pipeline.specs.items():
            if video.id in failed:
                text = "private <b>video</b> \x1b[31m"
                writer.append(Event(1.0, video.id, stage, "failed", fingerprints[stage], Reason.PRIVATE, text))
                break
            path = workspace.folder(spec.stage.folder) / f"{video.id}{'.mp4' if stage == 'download' else '.parquet'}"
            figures = make_table(stage, path)
            writer.append(
                Event(
                    *(2.0, video.id, stage, "done", fingerprints[stage]),
                    artefact=path.name,
                    figures=figures,
                    seconds=1.5,
                )
            )
    writer.close()
    return root


def frame(n: int) -> np.ndarray:
    """RGB: plain red, and a checkerboard at `FACE`."""
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    image[:, :, 0] = 120 + n
    x1, y1, x2, y2 = FACE
    board = (np.indices((y2 - y1, x2 - x1)) // 6).sum(axis=0) % 2
    image[y1:y2, x1:x2] = (board * 255)[..., None]
    return image


def make_table(stage: str, path: Path) -> Mapping[str, int | float]:
    """Write what a stage leaves of a video; returns its figures."""
    count = len(P)
    n, seconds, p = np.arange(count, dtype=np.int32), np.arange(count, dtype=np.float64), np.array(P)
    changes = np.where(n == 6, 0.8, 0.05).astype(np.float32)
    kept = (n >= 6) & (n < count - 6)
    if stage == "download":
        path.write_bytes(b"a video")
        return {"bytes": 7}
    if stage == "sample":
        with FrameWriter(path) as frames:
            for i in range(count):
                row = {"n": i, "timestamp": float(i), "source_index": i, "key_frame": True}
                frames.add(row | {"width": SIZE[0], "height": SIZE[1], "image": encode(frame(i))})
        return {"frames": count, "seconds": float(count)}
    if stage == "classify":
        write_scores(path, Scores(n, seconds, p.astype(np.float32), changes, "made", "0" * 64, 0.5, BAND))
        return {"frames": count}
    if stage == "trim":
        options = Config().trim
        smoothed = rules.smooth(p, seconds, changes.astype(float), options.stay, options.stay_cut)
        verdicts = rules.judge(np.where(n == 23, p, smoothed), 0.5, BAND)
        said = {"threshold": "0.5", "uncertain_low": str(BAND[0]), "uncertain_high": str(BAND[1])}
        reasons = np.where(kept, "", np.where(n < 6, "before_first_run", "after_last_run"))
        write_verdicts(path, n, seconds, p.astype(np.float32), verdicts, kept, reasons, said)
        figures = {word: int((verdicts == word).sum()) for word in ("surgical", "uncertain")}
        return {"frames": count, "kept": int(kept.sum()), "seconds_kept": float(kept.sum()), **figures}
    if stage == "mask":
        with BoxWriter(path, region_schema()) as boxes:
            for i in range(8, 14):
                boxes.add(
                    i, [Region(0, 160, 10 * i, 180, "text", 0.9, "made"), Region(300, 0, 320, 20, "logo", 0.8, "made")]
                )
        return {"frames": int(kept.sum())}
    if stage == "field":
        with FieldWriter(path) as fields:
            fields.add(ShotField(6, count - 7, *SIZE, "circle", 0.9, 70, 0, 250, 180, 160, 90, 90, 90))
        return {"frames": int(kept.sum())}
    assert stage == "audit", stage
    with BoxWriter(path, audit_schema()) as boxes:
        for i in range(6, count - 6):
            boxes.add(i, [Finding("face", 0.9, *FACE, "", "centerface")])
    return {"frames": int(kept.sum()), "frames_with_findings": int(kept.sum())}
