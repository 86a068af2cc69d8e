"""``corpus/splits-{digest}.json``: what was drawn once, so that it stays.

There is one record for each set of options that decide a draw: other shares or another seed are another draw, and going
back to the former ones finds the former draw again.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from curate.config import ExportOptions
from curate.corpus.splits import KINDS, Key, Record, split_name
from curate.errors import CurateError, why_of
from curate.files.atomic import write_atomic, write_changed
from curate.files.bounded import parse_json, read_bounded
from curate.files.digest import digest

LARGEST = 256_000_000
"""Bytes of a record, at most; a video takes some fifty."""

_PATTERN = "splits-*.json"


def draw_options(options: ExportOptions) -> dict[str, object]:
    """The options that decide a draw."""
    return {
        "seed": options.split_seed,
        "val": options.val_fraction,
        "test": options.test_fraction,
        "stratify": options.stratify,
        "by": sorted(options.split_by),
    }


def record_path(folder: Path, options: ExportOptions) -> Path:
    """Where the record of a draw lies in the folder of a corpus."""
    return folder / f"splits-{digest(draw_options(options))[:12]}.json"


def read_record(path: Path) -> dict[Key, str]:
    """A record; empty if there is none.

    Raises:
        CurateError: It cannot be read. Nothing is drawn anew then, since everybody could come into another split.
    """
    try:
        data = parse_json(read_bounded(path, LARGEST))
        drawn = data["drawn"]
        return {
            Key(kind, name): split
            for kind in KINDS
            for name, split in drawn.get(kind, {}).items()
            if isinstance(split, str) and split and split == split_name(split)
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CurateError(
            f"the record of splits {path} cannot be read ({why_of(error)}): "
            "bring it back, or delete it to draw all splits anew"
        ) from error


def write_record(path: Path, record: Record, options: ExportOptions) -> None:
    """Write a record, if it would change; the folder is made if it is missing."""
    drawn: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    for key, split in sorted(record.items()):
        drawn[key.kind][key.name] = split
    text = json.dumps({"options": draw_options(options), "drawn": drawn}, ensure_ascii=False, indent=1) + "\n"
    path.parent.mkdir(exist_ok=True)
    write_changed(path, text.encode("utf-8", "surrogatepass"))


def forget_in_records(folder: Path, videos: Collection[str]) -> list[Path]:
    """Take videos out of every record in the folder of a corpus, with the cases that carry their ids.

    Returns:
        The records that were changed; those that cannot be read are removed.
    """
    changed = []
    for path in sorted(folder.glob(_PATTERN)):
        try:
            data = parse_json(read_bounded(path, LARGEST))
            drawn = {
                kind: {name: split for name, split in data["drawn"][kind].items() if not _names(name, videos)}
                for kind in KINDS
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            path.unlink()
            changed.append(path)
            continue
        if drawn != data["drawn"]:
            text = json.dumps({"options": data.get("options"), "drawn": drawn}, ensure_ascii=False, indent=1) + "\n"
            write_atomic(path, text.encode("utf-8", "surrogatepass"))
            changed.append(path)
    return changed


def _names(name: str, videos: Collection[str]) -> bool:
    return name in videos or name.rpartition("/")[2] in videos
