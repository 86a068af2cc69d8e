"""Shard mixing: an export for each source corpus, and the probability with which a loader draws from each."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from curate.corpus.balance import Balance, CountedVideo, group_rows
from curate.files.atomic import write_atomic

MIXING = "mixing.json"
"""File beside the exports that are mixed."""


def part_name(corpus: str) -> str:
    """Folder of a source corpus: letters, digits, ``_`` and ``-``."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", corpus).strip("-") or "unknown"


def write_mixing(train: Sequence[CountedVideo], balance: Balance, formats: Sequence[str], path: Path) -> None:
    """Write from which folders a loader draws, and how often.

    The probabilities are those of the first level of the balance, `webdataset.RandomMix`'s and
    `datasets.interleave_datasets`'s ``probabilities``; within a folder, ``frame_weight`` in ``videos.parquet`` goes on.

    Args:
        train: Videos of the training split.
        balance: With ``corpus`` as its first level.
        formats: Of the exports.
        path: File to write.
    """
    merged: dict[str, dict[str, float]] = {}
    for row in group_rows(train, balance):
        if len(row.path) == 1:
            part = merged.setdefault(part_name(row.path[0]), {"videos": 0, "frames": 0.0, "probability": 0.0})
            part["videos"] += row.videos
            part["frames"] += row.frames
            part["probability"] += row.share
    told = {
        "split": "train",
        "parts": [
            {
                "name": name,
                "folders": {form: f"{name}/{form}" for form in formats},
                "videos": part["videos"],
                "frames": round(part["frames"]),
                "probability": round(part["probability"], 9),
            }
            for name, part in sorted(merged.items())
        ],
    }
    write_atomic(path, (json.dumps(told, indent=1) + "\n").encode())
