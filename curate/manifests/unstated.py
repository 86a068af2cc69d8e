"""What is taken of videos about which their list is silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from curate.manifests.cells import CellError, as_public
from curate.manifests.identity import clean_text
from curate.records import Video

CORPORA: Mapping[str, str] = {"lemon": "lemon", "gensurgery": "gensurgery"}
"""Formats that are one corpus's own, with its name."""


@dataclass(frozen=True)
class Unstated:
    """Values for the videos of a list that states none.

    Attributes:
        corpus: Name of the corpus that the list is of; goes before that of the format.
        licence: Licence of its videos.
        public: Whether everybody sees its videos; ``None`` leaves that open.
    """

    corpus: str = ""
    licence: str = ""
    public: bool | None = None

    def fill(self, video: Video, format: str) -> Video:
        """A video with these values, and the corpus of its list's format, where it has none of its own."""
        return replace(
            video,
            corpus=video.corpus or clean_text(self.corpus) or CORPORA.get(format, ""),
            licence=video.licence or clean_text(self.licence),
            public=self.public if video.public is None else video.public,
        )


def as_site_says(video: Video, told: Mapping[str, Any]) -> Video:
    """A video with what its site said when it was downloaded, where the list is silent.

    Args:
        video: By the manifest.
        told: The JSON that the download left beside the video; untrusted. Empty where there is none.
    """
    channels = (_text(told, name) for name in ("channel_id", "uploader_id", "channel", "uploader"))
    try:
        public = as_public(told["availability"]) if isinstance(told.get("availability"), str) else None
    except CellError:
        public = None
    return replace(
        video,
        title=video.title or _text(told, "title"),
        licence=video.licence or _text(told, "licence"),
        channel=video.channel or next(filter(None, channels), ""),
        public=public if video.public is None else video.public,
    )


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    return clean_text(value) if isinstance(value, str) else ""
