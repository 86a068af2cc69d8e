"""Lists of splits as the field publishes them: what is in which split.

Read are

- ``path label`` lines, the path in quotes where it has spaces (SurgRec, VideoMAE), or one name a line;
- CSV and TSV with a header: a column of names (`NAMES`), and one of splits (`SPLITS`) where one file has them all;
- JSON: ``{"train": [...], "test": [...]}``, ``{name: split}``, a list of names or of objects with such columns (LEMON),
  or COCO's ``images``;
- folders of such files, and folders of pictures or clips whose first level is the split (``train/...``);
- exports of curate.

Where a file names no split, its own name does: ``train.csv``, ``val_list.txt``, ``fold1.txt``.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from curate.corpus.names import stem_of
from curate.corpus.splits import TEST, TRAIN, VAL, split_name
from curate.errors import BadArtefact, CurateError
from curate.files.bounded import lines_bounded, open_regular, parse_json, read_bounded
from curate.files.parquet import read_rows
from curate.resources import labels_folder

NAMES = (
    "video_id",
    "video",
    "id",
    "youtubeid",
    "path",
    "file",
    "filename",
    "file_name",
    "name",
    "key",
    "clip",
    "image",
)
"""Columns that may hold the name, the first of them that is there."""

SPLITS = ("split", "set", "subset", "fold", "partition")
"""Columns that may hold the split."""

LIST_ENDINGS = (".csv", ".tsv", ".txt", ".json", ".lst")
MEDIA_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".mp4", ".avi", ".mkv", ".mov", ".webm", ".mpg", ".m4v")

_LARGEST_JSON = 512_000_000
_LONGEST_LINE = 100_000
_WORDS = {
    TRAIN: ("train", "training"),
    VAL: ("val", "valid", "validation", "dev", "development"),
    TEST: ("test", "testing", "eval"),
}


class Listed(NamedTuple):
    """One entry of a list.

    Attributes:
        split: Name of its split.
        name: As listed, without the folder of the split.
        origin: ``file:line``, or the file itself.
        path: Where its file would be, relative to the list; ``None`` where the name is no path.
    """

    split: str
    name: str
    origin: str
    path: Path | None = None


@dataclass(frozen=True)
class ListSet:
    """Lists that belong together: the splits of one data set. They are read anew each time they are gone through.

    Attributes:
        name: Of the folder or file.
        parts: Each a way to go through a file or folder.
    """

    name: str
    parts: tuple[Callable[[], Iterator[Listed]], ...]

    def __iter__(self) -> Iterator[Listed]:
        for part in self.parts:
            yield from part()


def split_of_word(text: str) -> str:
    """The split that a file, a folder or a cell names: ``train``, ``val``, ``test``, else the text as a name."""
    words = re.split(r"[^a-z]+", text.lower())
    for split, known in _WORDS.items():
        if any(word in known for word in words):
            return split
    return split_name(text.strip())


def published(name: str) -> Path | None:
    """The published list of that name that ships with curate; ``None`` if there is none."""
    path = labels_folder() / "splits" / f"{name}.csv"
    return path if re.fullmatch(r"[a-z0-9-]+", name) and path.is_file() else None


def open_sets(sources: Sequence[str]) -> list[ListSet]:
    """Find lists; files that are named side by side make one set, and so does each folder of lists or of pictures.

    Going through a set raises `CurateError` where a list cannot be read or names nothing.

    Args:
        sources: Files, folders, ``SPLIT=FILE``, or names of published lists.

    Raises:
        CurateError: There is no such file, or nothing in a folder that is a list, a picture or a clip.
    """
    loose: list[Callable[[], Iterator[Listed]]] = []
    sets: list[ListSet] = []
    for source in sources:
        stated, path = _named(source)
        if path.is_dir():
            sets += _folder_sets(path, stated)
        else:
            loose.append(partial(_read_file, path, stated))
    return [ListSet("lists", tuple(loose)), *sets] if loose else sets


def _named(source: str) -> tuple[str, Path]:
    """The split that ``SPLIT=FILE`` states, and the path."""
    path = Path(source)
    stated, equals, rest = source.partition("=")
    if equals and not path.exists() and Path(rest).exists():
        return split_of_word(stated), Path(rest)
    if not path.exists() and (shipped := published(path.name)):
        return "", shipped
    if not path.exists():
        raise CurateError(f"{source}: there is no such file or folder, and no published list of that name")
    return "", path


def _folder_sets(folder: Path, stated: str) -> list[ListSet]:
    """The sets in a folder: an export, lists, pictures by split, or subfolders with any of them."""
    if (folder / "videos.parquet").is_file() and (folder / "export.json").is_file():
        return [ListSet(folder.name, (partial(_read_export, folder),))]
    inside = sorted(folder.iterdir())
    lists = [path for path in inside if path.suffix.lower() in LIST_ENDINGS and path.is_file() and _holds_names(path)]
    if lists:
        return [ListSet(folder.name, tuple(partial(_read_file, path, stated) for path in lists))]
    if any(split_of_word(path.name) in _WORDS for path in inside if path.is_dir()) or stated:
        return [ListSet(folder.name, (partial(_read_tree, folder, stated),))]
    found = [one for path in inside if path.is_dir() and not path.is_symlink() for one in _folder_sets_or_none(path)]
    if found:
        return found
    if next(_read_tree(folder, stated), None):
        return [ListSet(folder.name, (partial(_read_tree, folder, stated),))]
    raise CurateError(f"{folder}: no lists ({', '.join(LIST_ENDINGS)}), no pictures or clips, and no export in it")


def _folder_sets_or_none(folder: Path) -> list[ListSet]:
    try:
        return _folder_sets(folder, "")
    except CurateError:
        return []


def _holds_names(path: Path) -> bool:
    """Whether a file is a list, and not a map of labels or a text about the set."""
    return not re.search(r"label|mapping|class|readme|licen[cs]e|metadata", path.stem, re.IGNORECASE)


def _read_tree(folder: Path, stated: str) -> Iterator[Listed]:
    """Pictures and clips below a folder whose first level is the split; links to folders are not followed."""
    for place, folders, files in os.walk(folder):
        folders.sort()
        inside = Path(place).relative_to(folder)
        if not inside.parts and not stated:
            continue
        split = stated or split_of_word(inside.parts[0])
        rest = inside if stated else Path(*inside.parts[1:])
        for name in sorted(files):
            if name.lower().endswith(MEDIA_ENDINGS):
                path = Path(place) / name
                yield Listed(split, (rest / name).as_posix(), str(path), path)


def _read_export(folder: Path) -> Iterator[Listed]:
    path = folder / "videos.parquet"
    try:
        for video, split in read_rows(path, ("video_id", "split")):
            yield Listed(split, video, str(path))
    except BadArtefact as error:
        raise CurateError(f"{path} cannot be read: {error.why}") from error


def _read_file(path: Path, stated: str) -> Iterator[Listed]:
    entry = None
    try:
        for entry in _read_json(path, stated) if path.suffix.lower() == ".json" else _read_lines(path, stated):
            yield entry
    except OSError as error:
        raise CurateError(f"cannot read the list {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise CurateError(f"the list {path} {error}") from error
    if entry is None:
        raise CurateError(f"the list {path} is empty: it names nothing")


def _read_lines(path: Path, stated: str) -> Iterator[Listed]:
    own = stated or split_of_word(path.stem)
    columns: _Columns | None = None
    with open_regular(path) as stream:
        for number, line in enumerate(lines_bounded(stream, _LONGEST_LINE), 1):
            if line is None:
                raise ValueError(f"has a line of more than {_LONGEST_LINE} bytes, number {number}: is it a list?")
            text = line.decode("utf-8-sig" if number == 1 else "utf-8", "replace").strip()
            if not text or text.startswith("#"):
                continue
            if columns is None:
                columns = _Columns.of(text)
                if columns.header:
                    continue
            name, split = columns.parse(text)
            if name:
                yield _listed(split_of_word(split) if split else own, name, f"{path}:{number}", path)


@dataclass(frozen=True)
class _Columns:
    """How the lines of a list are cut.

    Attributes:
        delimiter: Between cells; empty for ``path label`` lines.
        name: Place of the name.
        split: Place of the split, or ``None``.
        header: Whether the first line names the columns.
    """

    delimiter: str = ""
    name: int = 0
    split: int | None = None
    header: bool = False

    @classmethod
    def of(cls, first: str) -> _Columns:
        """Recognise a header; a list without one has ``path label`` lines, or cells with commas."""
        for delimiter in (",", "\t", ";"):
            cells = [cell.strip().lower() for cell in next(csv.reader([first], delimiter=delimiter))]
            names = [cells.index(name) for name in NAMES if name in cells]
            splits = [cells.index(name) for name in SPLITS if name in cells]
            if names and (len(cells) > 1 or cells[0] in NAMES):
                return cls(delimiter, names[0], splits[0] if splits else None, header=True)
        return cls("," if re.fullmatch(r"[^\s,]+,[^,]*", first) else "")

    def parse(self, text: str) -> tuple[str, str]:
        """Name and split of a line; the split is empty where no column has it."""
        if not self.delimiter:
            return _path_label(text), ""
        cells = next(csv.reader([text], delimiter=self.delimiter))
        name = cells[self.name].strip() if self.name < len(cells) else ""
        split = cells[self.split].strip() if self.split is not None and self.split < len(cells) else ""
        return name, split


def _path_label(text: str) -> str:
    """The path of a ``path label`` line: in quotes, or all but the last word if that is a label."""
    if text.startswith('"') and (end := text.find('"', 1)) > 0:
        return text[1:end]
    head, _, label = text.rpartition(" ")
    looks_like_label = bool(head) and "/" not in label and not label.lower().endswith(MEDIA_ENDINGS)
    return head.strip() if looks_like_label else text


def _read_json(path: Path, stated: str) -> Iterator[Listed]:
    data = parse_json(read_bounded(path, _LARGEST_JSON))
    own = stated or split_of_word(path.stem)
    if isinstance(data, Mapping) and isinstance(data.get("images"), list):
        data = data["images"]
    if isinstance(data, Mapping) and all(isinstance(value, list) for value in data.values()):
        for split, items in data.items():
            yield from _read_items(path, stated or split_of_word(str(split)), items, f"{split}[{{}}]")
    elif isinstance(data, Mapping) and all(isinstance(value, str) for value in data.values()):
        for name, split in data.items():
            yield _listed(split_of_word(split), name, f"{path}: {name}", path)
    elif isinstance(data, list):
        yield from _read_items(path, own, data, "[{}]")
    else:
        raise ValueError('holds neither a list, nor {"train": [...]}, nor {name: split}')


def _read_items(path: Path, split: str, items: Sequence[Any], where: str) -> Iterator[Listed]:
    for i, item in enumerate(items):
        origin = f"{path}: {where.format(i)}"
        if isinstance(item, str):
            yield _listed(split, item, origin, path)
        elif isinstance(item, Mapping):
            cells = {str(key).lower(): value for key, value in item.items()}
            names = [cells[name] for name in NAMES if isinstance(cells.get(name), str)]
            splits = [cells[name] for name in SPLITS if isinstance(cells.get(name), str) and cells[name]]
            if not names:
                raise ValueError(f"has an item without a name at {where.format(i)}: known are {', '.join(NAMES)}")
            yield _listed(split_of_word(splits[0]) if splits else split, names[0], origin, path)
        else:
            raise ValueError(f"has an item that is neither a name nor an object at {where.format(i)}")


def _listed(split: str, name: str, origin: str, path: Path) -> Listed:
    is_path = "/" in name or stem_of(name) != name
    return Listed(split, name, origin, path.parent / name if is_path else None)
