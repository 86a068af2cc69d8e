"""Which format a source has, told from its content."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from curate.errors import CurateError
from curate.manifests import folder, gensurgery
from curate.manifests.procedures import Taxonomy
from curate.manifests.table import delimiter, looks_like_header
from curate.manifests.text import STANDARD_INPUT, decode, lines

Format = Literal["lemon", "gensurgery", "csv", "tsv", "jsonl", "parquet", "folder", "urls"]
FORMATS: Sequence[Format] = get_args(Format)


def detect_folder(path: Path) -> Format:
    """``folder`` if there are videos, else ``gensurgery`` if there are text files.

    Raises:
        CurateError: Neither.
    """
    if next(folder.video_files(path), None) is not None:
        return "folder"
    if gensurgery.link_lists(path):
        return "gensurgery"
    raise CurateError(f"{path} holds neither videos nor .txt files with links")


def detect_content(name: str, data: bytes, taxonomy: Taxonomy) -> Format:
    """Format of a file's content. A list of links named after a known procedure is one of GenSurgery's.

    Raises:
        CurateError: Empty, or nothing that is known.
    """
    if data.startswith(b"PAR1"):
        return "parquet"
    text = decode(data)
    rows = [line.strip() for line in lines(text) if line.strip()]
    if not rows:
        raise CurateError(f"{name} is empty")
    if text.lstrip().startswith("["):
        return "lemon"
    if text.lstrip().startswith("{"):
        return "jsonl" if len(rows) == 1 or _is_json(rows[0]) else "lemon"
    known_list = Path(name).suffix.lower() == ".txt" and taxonomy.meaning(Path(name).stem).known
    links: Format = "gensurgery" if known_list and name != STANDARD_INPUT else "urls"
    content = [row for row in rows if not row.startswith("#")]
    if content and content[0].lower().startswith(("http://", "https://")):
        return links
    header = rows[0]
    tables: tuple[Literal["tsv", "csv"], ...] = ("tsv", "csv")
    for kind in tables:
        if looks_like_header(cell.strip('"') for cell in header.split(delimiter(header, kind))):
            return kind
    suffix = Path(name).suffix.lower()
    if "\x00" in text[:4096]:
        raise CurateError(
            f"{name} is neither a video by its name nor a list of videos; known formats: {', '.join(FORMATS)}"
        )
    if suffix in (".csv", ".tsv"):
        return "csv" if suffix == ".csv" else "tsv"
    if suffix == ".txt" or name == STANDARD_INPUT or "://" in text:
        return links
    raise CurateError(f"{name}: the format is not recognised; give it with --format ({', '.join(FORMATS)})")


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
