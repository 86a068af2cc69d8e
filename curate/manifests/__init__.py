"""Lists of videos in the formats the field uses, read into one normalised list of `Video`."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from curate.errors import CurateError, why_of
from curate.manifests import folder, gensurgery, json_lists, parquet_lists, separated, urls
from curate.manifests.detect import FORMATS, Format, detect_content, detect_folder
from curate.manifests.entries import BadRow, Entry, Ignored, LeftOut, Listed, Remark
from curate.manifests.merge import Duplicate, ManifestReport, Merger, Note
from curate.manifests.opt_out import read_opt_outs
from curate.manifests.procedures import Taxonomy, shipped_taxonomy
from curate.manifests.store import read_manifest, write_manifest
from curate.manifests.text import STANDARD_INPUT, opened
from curate.manifests.unstated import Unstated
from curate.resources import labels_folder

__all__ = [
    "FORMATS",
    "BadRow",
    "Duplicate",
    "Format",
    "LeftOut",
    "ManifestReport",
    "Note",
    "Remark",
    "Unstated",
    "read_manifest",
    "read_sources",
    "write_manifest",
]


def read_sources(
    sources: Sequence[str | Path],
    *,
    format: Format | None = None,
    opt_out: Sequence[Path] = (),
    use_shipped_opt_out: bool = True,
    unstated: Unstated | None = None,
) -> ManifestReport:
    """Read, normalise and merge lists of videos.

    Args:
        sources: Files, folders, ``http(s)`` URLs of videos, or ``-`` for standard input.
        format: Of all sources; recognised from the content if not given.
        opt_out: Further opt-out lists.
        use_shipped_opt_out: Whether ``labels/opt_out.txt`` counts.
        unstated: Values for videos about which the lists are silent.

    Raises:
        CurateError: A source or an opt-out list is missing, unreadable, empty or of no known format.
    """
    taxonomy = shipped_taxonomy()
    shipped = [labels_folder() / "opt_out.txt"] if use_shipped_opt_out else []
    merger = Merger(taxonomy, read_opt_outs([*shipped, *opt_out]))
    unstated = unstated or Unstated()
    for source in sources:
        with _open(source, format, taxonomy) as (kind, entries):
            merger.start(str(source), kind)
            listing = 0
            for entry in entries:
                if isinstance(entry, Listed):
                    entry = replace(entry, video=unstated.fill(entry.video, kind))
                merger.add(entry)
                listing += not isinstance(entry, Ignored | LeftOut | Remark)
        if not listing:
            raise CurateError(f"{source} is empty: it lists no video")
    return merger.report()


@contextmanager
def _open(source: str | Path, format: Format | None, taxonomy: Taxonomy) -> Iterator[tuple[Format, Iterator[Entry]]]:
    name = str(source)
    path = Path(name)
    if name.lower().startswith(("http://", "https://")):
        yield "urls", urls.read("command line", io.BytesIO(name.encode("utf-8", "surrogateescape")))
        return
    if name != STANDARD_INPUT:
        _check_exists(path)
        if path.is_dir():
            yield _open_folder(path, format)
            return
        if format == "folder" or (format is None and folder.is_video(path)):
            yield "folder", folder.read(path)
            return
    elif format in ("folder", "gensurgery"):
        raise CurateError(f"standard input cannot be read as {format}")
    with opened(name) as stream:
        kind = format or detect_content(name, stream, taxonomy)
        yield kind, _read(name, stream, kind)


def _open_folder(path: Path, format: Format | None) -> tuple[Format, Iterator[Entry]]:
    if format == "gensurgery":
        return format, gensurgery.read(path)
    found = folder.scan(path)
    kind = format or detect_folder(path, found)
    if kind not in ("folder", "gensurgery"):
        raise CurateError(f"{path} is a folder, which cannot be read as {kind}")
    return kind, folder.read(path, found) if kind == "folder" else gensurgery.read(path)


def _check_exists(path: Path) -> None:
    try:
        path.stat()
    except (OSError, ValueError) as error:
        reason = why_of(error)
        raise CurateError(f"cannot read {path}: {reason}") from error


def _read(name: str, stream: IO[bytes], kind: Format) -> Iterator[Entry]:
    if kind == "parquet":
        return parquet_lists.read(name, stream)
    if kind == "json" or kind == "lemon":
        return json_lists.read_document(name, stream)
    if kind == "jsonl":
        return json_lists.read_lines(name, stream)
    if kind == "csv" or kind == "tsv":
        return separated.read(name, stream, kind)
    if kind == "gensurgery":
        return gensurgery.read(Path(name))
    return urls.read(name, stream)
