"""Which format a source has, told from its content."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Literal, get_args

from curate.errors import CurateError
from curate.manifests import folder, gensurgery, json_lists, separated
from curate.manifests.procedures import Taxonomy
from curate.manifests.sniff import looks_like_video, not_a_list
from curate.manifests.text import STANDARD_INPUT, Line, Lines

Format = Literal["lemon", "gensurgery", "csv", "tsv", "json", "jsonl", "parquet", "folder", "urls"]
FORMATS: Sequence[Format] = get_args(Format)

_HEAD = separated.HEADER_LINES + 10


def detect_folder(path: Path, found: folder.Scan) -> Format:
    """``folder`` if there are videos, else ``gensurgery`` if there are text files.

    Raises:
        CurateError: Neither.
    """
    if found.videos:
        return "folder"
    if gensurgery.link_lists(path):
        return "gensurgery"
    reasons = sorted({item.why for item in found.left_out})
    what = f"; left out: {'; '.join(reasons[:5])}" if reasons else ""
    raise CurateError(f"{path} holds neither videos nor .txt files with links{what}")


def detect_content(name: str, stream: IO[bytes], taxonomy: Taxonomy) -> Format:
    """Format of a file's content. A list of links named after a known procedure is one of GenSurgery's.

    Raises:
        CurateError: Empty, or nothing that is known.
    """
    head = stream.read(4096)
    if head.startswith(b"PAR1"):
        return "parquet"
    if (what := not_a_list(head)) is not None:
        raise CurateError(f"{name} is {what}")
    lines = list(islice(Lines(stream), _HEAD))
    rows = [line for line in lines if line.text.strip(" \t\ufeff")]
    if not rows:
        raise CurateError(f"{name} is empty")
    if (json_kind := _json_kind(name, rows)) is not None:
        return json_kind
    header = separated.find_header(lines)
    content = [row.text.strip(" \t\ufeff\"'") for row in rows if not row.text.lstrip("\ufeff ").startswith("#")]
    known_list = Path(name).suffix.lower() == ".txt" and taxonomy.meaning(Path(name).stem).known
    links: Format = "gensurgery" if known_list and name != STANDARD_INPUT else "urls"
    if content and content[0].lower().startswith(("http://", "https://")):
        return links
    if header is not None:
        return "tsv" if header.separator == "\t" else "csv"
    suffix = Path(name).suffix.lower()
    if b"\x00" in head and not any(row.text.isprintable() for row in rows[:3]):
        begins = " (it begins like one: rename it)" if looks_like_video(head) else ""
        raise CurateError(
            f"{name} is neither a video by its name{begins} nor a list of videos; known formats: {', '.join(FORMATS)}"
        )
    if suffix in (".csv", ".tsv"):
        return "csv" if suffix == ".csv" else "tsv"
    if suffix == ".txt" or name == STANDARD_INPUT or any("://" in row.text for row in rows):
        return links
    raise CurateError(f"{name}: the format is not recognised; give it with --format ({', '.join(FORMATS)})")


def _json_kind(name: str, rows: Sequence[Line]) -> Format | None:
    first = rows[0].text.lstrip(" \t\ufeff")
    if not first.startswith(("[", "{")):
        return None
    jsonl = Path(name).suffix.lower() in (".jsonl", ".ndjson", ".jsonlines")
    if rows[0].problem:
        return "jsonl" if jsonl else "json"
    try:
        json_lists.parse(first)
    except ValueError:
        if jsonl:
            return "jsonl"
    else:
        if jsonl or len(rows) > 1:
            return "jsonl"
    return "lemon" if _is_lemon(rows) else "json"


def _is_lemon(rows: Sequence[Line]) -> bool:
    start = "\n".join(row.text[:4096] for row in rows[:30])
    return start.lstrip("\ufeff ").startswith("[") and '"youtubeId"' in start and '"procedureName"' in start
