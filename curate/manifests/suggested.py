"""A list of videos with what their titles suggest beside what is stated, for a person to take or leave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from curate.files.csv_file import csv_text
from curate.manifests.store import list_cells
from curate.manifests.titles import TitleWords
from curate.records import Video
from curate.workspace.tables import manifest_schema

SUGGESTED = ("suggested_procedures", "suggested_robotic", "evidence")
"""Columns that stand beside those of a list. No reader takes them for what is stated."""


def is_unlabelled(video: Video) -> bool:
    """Whether a video's procedure, or whether a robot was used, is stated nowhere."""
    return not video.procedures or video.robotic is None


def title_cells(words: TitleWords, video: Video) -> dict[str, Any]:
    """`SUGGESTED` for one video: what its title says of what is not stated, and the words that say it."""
    return suggested_cells(words, video.title, procedures=not video.procedures, robotic=video.robotic is None)


def suggested_cells(words: TitleWords, title: str, *, procedures: bool, robotic: bool) -> dict[str, Any]:
    """`SUGGESTED` for a title.

    Args:
        words: Phrases.
        title: Of a video.
        procedures: Whether procedures are wanted.
        robotic: Whether the robot is.
    """
    found = words.suggest(title)
    return {
        "suggested_procedures": ";".join(found.procedures) if procedures else "",
        "suggested_robotic": found.robotic if robotic else None,
        "evidence": found.evidence(procedures=procedures, robotic=robotic),
    }


def suggestions_csv(
    videos: Iterable[Video], cells: Iterable[Mapping[str, Any]], columns: Sequence[str] = SUGGESTED
) -> str:
    """A list in CSV that every command reads, with further columns.

    Args:
        videos: What is stated.
        cells: The further columns of each.
        columns: Their names.
    """
    rows = ({**list_cells(video), **more} for video, more in zip(videos, cells, strict=True))
    return csv_text((*manifest_schema().names, *columns), rows)
