"""Lists of links: one URL or YouTube id a line, ``#`` starts a comment line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import IO

from curate.manifests.entries import Entry, Ignored, Listed, RowError, bad_row
from curate.manifests.identity import clean_text, parse_url
from curate.manifests.separated import code_page_remark
from curate.manifests.text import Lines
from curate.records import Video

_ARCHIVE_LINE = re.compile(r"youtube ([A-Za-z0-9_-]{11})")
"""A line of the archive in which yt-dlp notes what it has fetched."""


def read(name: str, stream: IO[bytes], *, procedures: Sequence[str] = ()) -> Iterator[Entry]:
    """Entries of a list of links.

    Args:
        name: The file, for origins and bad rows.
        stream: Its content.
        procedures: Labels that every video of the list gets.
    """
    lines = Lines(stream)
    for line in lines:
        text = line.text.strip(" \t\ufeff\"',;")
        if not text or text.startswith("#"):
            yield Ignored()
            continue
        try:
            if line.problem:
                raise RowError(line.problem)
            archived = _ARCHIVE_LINE.fullmatch(text)
            video_id, url = parse_url(archived[1] if archived else text)
        except RowError as error:
            yield bad_row(name, line.number, line.text, error)
            continue
        yield Listed(Video(video_id, url, procedures=tuple(procedures), origin=clean_text(f"{name}:{line.number}")))
    if lines.converted:
        yield code_page_remark(name, lines.converted)
