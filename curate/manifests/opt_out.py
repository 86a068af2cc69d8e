"""Videos whose authors asked to be left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from curate.manifests.entries import BadRow, RowError, bad_row
from curate.manifests.identity import checked_video_id, parse_url, possible_ids
from curate.manifests.text import text_lines
from curate.manifests.youtube_id import canonical_url, id_behind
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
        if "/" in word or ":" in word:
            video_id, source = parse_url(word)
            self.sources.add(source)
        else:
            video_id = checked_video_id(word)
        self.ids.add(video_id)

    def covers(self, video: Video) -> bool:
        """Whether a video is to be left out.

        A local file is also known by its name: it may have got another id because its own was taken, and may carry a
        YouTube id between other letters.
        """
        if not self.ids and not self.sources:
            return False
        if video.id in self.ids or video.source in self.sources:
            return True
        if video.source == canonical_url(video.id):
            return False
        if video.is_local:
            return not self.ids.isdisjoint(possible_ids(Path(video.source)))
        return id_behind(video.source) in self.ids


def read_opt_outs(files: Iterable[Path]) -> OptOuts:
    """Read lists in the format of ``labels/opt_out.txt``: an id or a URL a line, then perhaps `` # comment``.

    Raises:
        CurateError: A list cannot be read.
    """
    found = OptOuts()
    for file in files:
        for line in text_lines(str(file)):
            words = line.text.strip("\ufeff").split()
            if not words or words[0].startswith("#"):
                continue
            try:
                if line.problem:
                    raise RowError(line.problem)
                if len(words) == 2 and words[0] == "youtube":
                    words = words[1:]
                if len(words) > 1 and not words[1].startswith("#"):
                    raise RowError("expected one id or URL; a comment starts with ' #'")
                found.add(words[0])
            except RowError as error:
                found.bad_rows.append(bad_row(str(file), line.number, line.text, error))
    return found
