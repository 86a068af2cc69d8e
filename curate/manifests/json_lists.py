"""Lists in JSON and JSON Lines, in the shapes that pandas, yt-dlp, YouTube, data sets and people write."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from curate.errors import CurateError
from curate.manifests.columns import entry, key, kind_of, names_a_video, no_columns
from curate.manifests.entries import Entry, Ignored, bad_row, shown
from curate.manifests.identity import looks_like_id
from curate.manifests.separated import code_page_remark
from curate.manifests.text import Lines

DOCUMENT_LIMIT = 128 << 20
"""Largest JSON document read as a whole, in bytes; JSON Lines may be longer."""

_DEPTH = 8
"""Containers inside containers that are looked into."""

_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "dev", "test", "testing"})
# fmt: off
_LIST_KEYS = frozenset({
    "videos", "entries", "items", "data", "rows", "records", "results", "list", "playlist", "urls", "links", "ids",
    "files", "clips", "database", "annotations", "dataset", "samples", "examples",
})
# fmt: on
_DESCRIBES_ONE = frozenset(map(key, ("webpage_url", "formats", "extractor", "extractor_key")))


@dataclass(frozen=True)
class _Bad:
    """A value that is no row, and why."""

    value: Any
    problem: str


Row = Mapping[str, Any] | _Bad


def parse(text: str) -> Any:
    """JSON of unknown origin; whole numbers that no list needs stay text.

    Raises:
        ValueError: It is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) <= 18 else digits)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_document(name: str, stream: IO[bytes]) -> Iterator[Entry]:
    """Entries of one JSON document; the row is the position among the videos, from 1.

    Understood are lists of objects, ids, links or paths; what pandas writes (orient ``records``, ``split``, ``index``,
    ``columns``, ``list`` and ``table``); yt-dlp's description of a video or a playlist; objects with a list of videos
    in them, by split or not; and objects from an id to what is known of the video.

    Raises:
        CurateError: Not JSON, too large, or nothing in it says which videos are meant.
    """
    size = stream.seek(0, 2)
    if size > DOCUMENT_LIMIT:
        raise CurateError(
            f"{name}: a JSON document of more than {DOCUMENT_LIMIT >> 20} MiB; write it as JSON Lines, one video a line"
        )
    lines = Lines(stream, DOCUMENT_LIMIT)
    texts = []
    for line in lines:
        if line.problem:
            raise CurateError(f"{name}:{line.number}: {line.problem}")
        texts.append(line.text)
    try:
        document = parse("\n".join(texts))
    except json.JSONDecodeError as error:
        raise CurateError(f"{name}:{error.lineno}: not valid JSON: {error.msg}") from error
    except ValueError as error:
        raise CurateError(f"{name}: not usable as JSON: {error}") from error
    del texts
    found = _Found()
    for number, row in enumerate(_rows(document, 0), 1):
        yield found.entry(name, number, row, "")
    if not found.named and not found.bad:
        if document in ([], {}):
            raise CurateError(f"{name} is empty: it lists no video")
        raise found.error(name, document)
    if lines.converted:
        yield code_page_remark(name, lines.converted)


def read_lines(name: str, stream: IO[bytes]) -> Iterator[Entry]:
    """Entries of a file with one JSON value a line; the row is the line.

    Raises:
        CurateError: No line says which video is meant.
    """
    lines = Lines(stream)
    found = _Found()
    for line in lines:
        if not line.text.strip(" \ufeff\t"):
            yield Ignored()
            continue
        if line.problem:
            yield bad_row(name, line.number, line.text, line.problem)
            continue
        try:
            value = parse(line.text.lstrip("\ufeff"))
        except ValueError as error:
            yield bad_row(name, line.number, line.text, f"not valid JSON ({error})")
            continue
        for row in _rows([value] if not _is_container(value) else value, 0):
            yield found.entry(name, line.number, row, line.text)
    if found.rows > found.bad and not found.named:
        raise found.error(name, None)
    if lines.converted:
        yield code_page_remark(name, lines.converted)


class _Found:
    """Whether any row said which video it means, and which names were seen where none did."""

    def __init__(self) -> None:
        self.rows = 0
        self.bad = 0
        self.named = 0
        self._seen: dict[str, None] = {}

    def entry(self, name: str, number: int, row: Row, content: str) -> Entry:
        self.rows += 1
        if isinstance(row, _Bad):
            self.bad += 1
            return bad_row(name, number, content or shown(row.value), row.problem)
        if names_a_video(row):
            self.named += 1
        elif len(self._seen) < 100:
            self._seen.update(dict.fromkeys(row))
        return entry(name, number, row, content)

    def error(self, name: str, document: Any) -> CurateError:
        names = self._seen or (document if isinstance(document, Mapping) else ())
        return no_columns(name, list(names))


def _is_container(value: Any) -> bool:
    return (isinstance(value, Mapping) and not names_a_video(_flat(value))) or _is_playlist(value)


def _is_playlist(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("entries"), list)


def _rows(value: Any, depth: int, given: Mapping[str, Any] | None = None) -> Iterator[Row]:
    """Rows in a JSON value, whatever its shape."""
    given = given or {}
    if depth > _DEPTH:
        yield _Bad("...", "nested too deeply for a list of videos")
    elif isinstance(value, list):
        yield from _rows_of_list(value, depth, given)
    elif isinstance(value, Mapping):
        yield from _rows_of_object(value, depth, given)
    else:
        yield _scalar(value, given)


def _rows_of_list(items: list[Any], depth: int, given: Mapping[str, Any]) -> Iterator[Row]:
    columns = None
    if items and isinstance(items[0], list) and all(isinstance(name, str) for name in items[0]):
        columns = items[0] if names_a_video(items[0]) else None
    for item in items[1:] if columns else items:
        if isinstance(item, list):
            if columns and len(item) == len(columns):
                yield {**given, **dict(zip(columns, item, strict=True))}
            elif len(item) == 1 and not columns:
                yield _scalar(item[0], given)
            else:
                yield _Bad(item, "a list without names for what is in it")
        elif isinstance(item, Mapping):
            if _is_playlist(item):
                yield from _rows_of_object(item, depth + 1, given)
            else:
                yield {**given, **_flat(item)}
        else:
            yield _scalar(item, given)


def _rows_of_object(value: Mapping[str, Any], depth: int, given: Mapping[str, Any]) -> Iterator[Row]:
    if _is_playlist(value):
        yield from _rows_of_list(value["entries"], depth + 1, given)
    elif isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):
        yield from _rows_of_list([list(map(str, value["columns"])), *value["data"]], depth, given)
    elif (lists := _list_inside(value)) is not None:
        yield from _rows(lists, depth + 1, given)
    elif (table := _by_column(value)) is not None:
        for row in table:
            yield {**given, **row}
    elif _is_row(value):
        yield {**given, **_flat(value)}
    else:
        yield from _by_key(value, depth, given)


def _list_inside(value: Mapping[str, Any]) -> Any:
    """The one list of videos in an object that tells other things besides; ``None`` if there is none."""
    if any(key(name) in _DESCRIBES_ONE for name in value):
        return None
    inside = [v for k, v in value.items() if key(k) in _LIST_KEYS and isinstance(v, list | dict) and v]
    if len(inside) != 1:
        return None
    first = inside[0][0] if isinstance(inside[0], list) else None
    listing = isinstance(first, Mapping) and names_a_video(_flat(first))
    listing = listing or (isinstance(first, str) and kind_of(first) is not None)
    return inside[0] if listing or not _is_row(value) else None


def _by_column(value: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Rows of an object from column names to columns, which are lists or objects from row to cell."""
    columns: dict[str, Any] = {name: column for name, column in value.items() if isinstance(column, list | dict)}
    named = [column for name, column in columns.items() if names_a_video([name])]
    if not named or len(columns) != len(value):
        return None
    if all(isinstance(column, list) for column in columns.values()):
        if len({len(column) for column in columns.values()}) != 1:
            return None
        return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    if not all(isinstance(column, dict) for column in columns.values()):
        return None
    if any(isinstance(cell, dict | list) for column in named for cell in column.values()):
        return None
    places = dict.fromkeys(place for column in columns.values() for place in column)
    return [{name: column.get(place) for name, column in columns.items()} for place in places]


def _is_row(value: Mapping[str, Any]) -> bool:
    return names_a_video(name for name, v in _flat(value).items() if not isinstance(v, Mapping | list))


def _by_key(value: Mapping[str, Any], depth: int, given: Mapping[str, Any]) -> Iterator[Row]:
    """Rows of an object from an id, a link, a split or a number to what is known of a video, or to further videos."""
    ids = bool(value) and all(_id_of_key(name) is not None for name in value)
    rows = any(isinstance(v, Mapping) and _is_row(v) for v in value.values())
    links = bool(value) and all(isinstance(v, str) and kind_of(v) == "url" for v in value.values())
    for name, inside in value.items():
        own = {**given, **(_id_of_key(name) or {})} if ids else dict(given)
        if key(name) in _SPLITS:
            own["split"] = name
        if isinstance(inside, Mapping) and not ids and not rows:
            yield from _rows(inside, depth + 1, own)
        elif isinstance(inside, Mapping):
            yield {**own, **_flat(inside)}
        elif ids:
            title = isinstance(inside, str) and kind_of(inside) != "url"
            yield {**own, **({"title": inside} if title else {})}
        elif isinstance(inside, list):
            if inside and all(isinstance(item, Mapping | str) for item in inside):
                yield from _rows_of_list(inside, depth + 1, own)
        elif links:
            yield _scalar(inside, own)


def _id_of_key(name: str) -> dict[str, str] | None:
    """What a key says if it stands for a video: an id (after ``v_`` in some data sets), or a link."""
    bare = name.removeprefix("v_") if len(name) == 13 else name
    if looks_like_id(bare):
        return {"youtube_id": bare}
    return {"url": name} if kind_of(name) == "url" else None


def _scalar(value: Any, given: Mapping[str, Any]) -> Row:
    field = kind_of(value) if isinstance(value, str) else None
    if field is None:
        return _Bad(value, "neither an object nor an id, a link or a path")
    return {**given, field: value}


def _flat(row: Mapping[str, Any], depth: int = 3) -> dict[str, Any]:
    """A row with what stands in its own objects, such as ``snippet``; the row's own values win."""
    own = {name: value for name, value in row.items() if not (isinstance(value, Mapping) and key(name) in _PARTS)}
    for name, value in row.items():
        if isinstance(value, Mapping) and key(name) in _PARTS and depth:
            inner = {k: v for k, v in _flat(value, depth - 1).items() if key(k) not in _SHALLOW or key(name) in _WHOLE}
            own = {**inner, **own}
    return own


_WHOLE = frozenset({"video", "media", "file", "metadata", "meta", "info"})
"""Objects of a row that are about the video, whatever is in them."""

_PARTS = _WHOLE | {"id", "snippet", "contentdetails", "resourceid", "videoid", "status"}

_SHALLOW = frozenset(map(key, ("url", "id", "width", "height", "duration", "file", "source")))
"""Names that mean something else in other objects of a row: of a thumbnail, a channel, a format."""
