"""Lists of videos in the formats the field uses, read into one normalised list of `Video`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from curate.errors import CurateError
from curate.manifests import folder, gensurgery, lemon, table, urls
from curate.manifests.detect import FORMATS, Format, detect_content, detect_folder
from curate.manifests.entries import BadRow, Entry, Ignored
from curate.manifests.merge import Duplicate, ManifestReport, Merger
from curate.manifests.opt_out import read_opt_outs
from curate.manifests.procedures import Taxonomy, shipped_taxonomy
from curate.manifests.store import read_manifest, write_manifest
from curate.manifests.text import STANDARD_INPUT, read_bytes
from curate.resources import labels_folder

__all__ = [
    "FORMATS",
    "BadRow",
    "Duplicate",
    "Format",
    "ManifestReport",
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
) -> ManifestReport:
    """Read, normalise and merge lists of videos.

    Args:
        sources: Files, folders, ``http(s)`` URLs of videos, or ``-`` for standard input.
        format: Of all sources; recognised from the content if not given.
        opt_out: Further opt-out lists.
        use_shipped_opt_out: Whether ``labels/opt_out.txt`` counts.

    Raises:
        CurateError: A source or an opt-out list is missing, unreadable, empty or of no known format.
    """
    taxonomy = shipped_taxonomy()
    shipped = [labels_folder() / "opt_out.txt"] if use_shipped_opt_out else []
    merger = Merger(taxonomy, read_opt_outs([*shipped, *opt_out]))
    for source in sources:
        kind, entries = _open(source, format, taxonomy)
        merger.start(str(source), kind)
        listing = 0
        for entry in entries:
            merger.add(entry)
            listing += not isinstance(entry, Ignored)
        if not listing:
            raise CurateError(f"{source} is empty: it lists no video")
    return merger.report()


def _open(source: str | Path, format: Format | None, taxonomy: Taxonomy) -> tuple[Format, Iterator[Entry]]:
    name = str(source)
    if name.lower().startswith(("http://", "https://")):
        return "urls", urls.read("command line", name.encode("utf-8", "surrogateescape"))
    path = Path(name)
    if name != STANDARD_INPUT:
        _check_exists(path)
        if path.is_dir():
            kind = format or detect_folder(path)
            if kind not in ("folder", "gensurgery"):
                raise CurateError(f"{name} is a folder, which cannot be read as {kind}")
            return kind, (folder if kind == "folder" else gensurgery).read(path)
        if format == "folder" or (format is None and folder.is_video(path)):
            return "folder", folder.read(path)
    elif format in ("folder", "gensurgery"):
        raise CurateError(f"standard input cannot be read as {format}")
    data = read_bytes(name)
    kind = format or detect_content(name, data, taxonomy)
    return kind, _read(name, data, kind)


def _check_exists(path: Path) -> None:
    try:
        path.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CurateError(f"cannot read {path}: {reason}") from error


def _read(name: str, data: bytes, kind: Format) -> Iterator[Entry]:
    if kind == "lemon":
        return lemon.read(name, data)
    if kind == "parquet":
        return table.read_parquet(name, data)
    if kind == "csv" or kind == "tsv" or kind == "jsonl":
        return table.read(name, data, kind)
    if kind == "gensurgery":
        return gensurgery.read(Path(name))
    return urls.read(name, data)
