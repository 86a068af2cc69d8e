"""Suggested labels for the videos of a workspace: from their titles, and from what their frames look like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from curate.corpus.alike_videos import FRAMES_A_VIDEO, Alike, AlikeOptions, Frames, look_alike
from curate.errors import BadArtefact, CurateError
from curate.manifests.suggested import SUGGESTED, is_unlabelled, title_cells
from curate.manifests.titles import shipped_title_words
from curate.records import Video
from curate.run.embeddings import OneModel
from curate.run.session import Session
from curate.workspace.tables.embeddings import read_some_embeddings

COLUMNS = (*SUGGESTED, "alike_procedures", "alike_evidence")
"""Beside those of a list: what titles suggest, and what neighbours do."""


def suggest(session: Session, options: AlikeOptions, *, everything: bool) -> list[tuple[Video, dict[str, Any]]]:
    """Videos with something unstated, and `COLUMNS` for each.

    Neighbours are asked where embeddings are: of videos without a procedure, among those with one.

    Args:
        session: The open workspace.
        options: How neighbours speak.
        everything: All videos, and not only those with something unstated.

    Raises:
        CurateError: Embeddings are of different models, or cannot be read.
    """
    words = shipped_title_words()
    videos = session.pipeline.videos
    alike = _alike(session, videos, options)
    chosen = [video for video in videos if everything or is_unlabelled(video)]
    return [(video, {**title_cells(words, video), **_cells(alike.get(video.id))}) for video in chosen]


def _cells(alike: Alike | None) -> dict[str, str]:
    if alike is None:
        return {"alike_procedures": "", "alike_evidence": ""}
    return {"alike_procedures": ";".join(alike.procedures), "alike_evidence": alike.evidence}


def _alike(session: Session, videos: Sequence[Video], options: AlikeOptions) -> dict[str, Alike]:
    pipeline = session.pipeline
    if "embed" not in pipeline.specs:
        return {}
    tables = [(video, path) for video in videos if (path := pipeline.made(video, "embed")) is not None]
    one = OneModel()
    for video, path in tables:
        one.take(video.id, path)
    labelled = _frames((video, path) for video, path in tables if video.procedures)
    unlabelled = _frames((video, path) for video, path in tables if not video.procedures)
    return look_alike(unlabelled, labelled, {video.id: video.procedures for video in videos}, options)


def _frames(tables: Iterable[tuple[Video, Path]]) -> Frames:
    ids, counts, parts = [], [], []
    for video, path in tables:
        try:
            vectors = read_some_embeddings(path, FRAMES_A_VIDEO)
        except BadArtefact as error:
            raise CurateError(f"{error}: run 'curate embed' again") from error
        ids.append(video.id)
        counts.append(len(vectors))
        parts += [vectors] if len(vectors) else []
    return Frames(ids, counts, np.concatenate(parts) if parts else np.empty((0, 0), np.float16))
