"""Videos whose authors asked to be left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from curate.manifests.entries import BadRow, RowError, bad_row
from curate.manifests.identity import checked_video_id, local_id, parse_url
from curate.manifests.text import decode, is_text, lines, read_bytes
from curate.records import Video


@dataclass
class OptOuts:
    """Ids and sources that must not be used, and the lines that could not be understood."""

    ids: set[str] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)
    bad_rows: list[BadRow] = field(default_factory=list)

    def add(self, word: str) -> None:
        """Take in an id or a URL.

        Raises:
            RowError: It is neither.
        """
        if "/" in word:
            video_id, source = parse_url(word)
            self.sources.add(source)
        else:
            video_id = checked_video_id(word)
        self.ids.add(video_id)

    def covers(self, video: Video) -> bool:
        """Whether a video is to be left out.

        A local file is also known by its name: it may have got another id because its own was taken.
        """
        if video.id in self.ids or video.source in self.sources:
            return True
        return video.is_local and local_id(Path(video.source)) in self.ids


def read_opt_outs(files: Iterable[Path]) -> OptOuts:
    """Read lists in the format of ``labels/opt_out.txt``: an id or a URL a line, then perhaps `` # comment``.

    Raises:
        CurateError: A list cannot be read.
    """
    found = OptOuts()
    for file in files:
        for number, line in enumerate(lines(decode(read_bytes(str(file)))), 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            try:
                if not is_text(line):
                    raise RowError("bytes that are not UTF-8")
                if len(words) > 1 and not words[1].startswith("#"):
                    raise RowError("expected one id or URL; a comment starts with ' #'")
                found.add(words[0])
            except RowError as error:
                found.bad_rows.append(bad_row(str(file), number, line, error))
    return found
