"""Lists of links: one URL a line, ``#`` starts a comment line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from curate.manifests.entries import Entry, Ignored, Listed, RowError, bad_row
from curate.manifests.identity import clean_text, parse_url
from curate.manifests.text import decode, is_text, lines
from curate.manifests.youtube_id import YOUTUBE_ID
from curate.records import Video


def read(name: str, data: bytes, *, procedures: Sequence[str] = ()) -> Iterator[Entry]:
    """Entries of a list of links.

    Args:
        name: The file, for origins and bad rows.
        data: Its content.
        procedures: Labels that every video of the list gets.
    """
    for number, line in enumerate(lines(decode(data)), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            yield Ignored()
            continue
        try:
            if not is_text(text):
                raise RowError("bytes that are not UTF-8")
            if YOUTUBE_ID.fullmatch(text):
                raise RowError(f"a bare id; write https://youtu.be/{text} or use a table with a youtube_id column")
            video_id, url = parse_url(text)
        except RowError as error:
            yield bad_row(name, number, line, error)
            continue
        yield Listed(Video(video_id, url, procedures=tuple(procedures), origin=clean_text(f"{name}:{number}")))
