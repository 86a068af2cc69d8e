"""An overlay network of a lab's own: a folder that ``curate train masks`` writes, and the check that it is whole."""

from __future__ import annotations

import json
from pathlib import Path

from curate.errors import CurateError, why_of
from curate.files.atomic import write_atomic
from curate.files.bounded import read_bounded
from curate.files.digest import sha256_of
from curate.nets.detect import overlay

MODEL = "model.onnx"

SEAL = "masks.json"
"""Written last: a folder without it was not finished."""

LARGEST_SEAL = 10_000


def seal(folder: Path) -> None:
    """Say that the network in a folder is finished."""
    content = {"model": MODEL, "sha256": sha256_of(folder / MODEL)}
    write_atomic(folder / SEAL, (json.dumps(content, indent=2) + "\n").encode())


def overlay_model(folder: Path | None) -> Path:
    """Graph of the overlay network: that of a folder, or the packaged one.

    Raises:
        CurateError: The folder holds no network, one whose training did not end, or one that was changed.
    """
    if folder is None:
        return overlay.packaged_model()
    graph = folder / MODEL
    if not (folder / SEAL).is_file() or not graph.is_file():
        raise CurateError(f"{folder}: no finished overlay network; curate train masks writes {MODEL} and {SEAL} there")
    try:
        said = json.loads(read_bounded(folder / SEAL, LARGEST_SEAL))["sha256"]
    except OSError as error:
        raise CurateError(f"cannot read {folder / SEAL}: {why_of(error)}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CurateError(f"{folder / SEAL} is damaged: {error!r}; train the network again") from error
    if said != sha256_of(graph):
        raise CurateError(f"{graph} is not the file that {SEAL} tells of; train the network again")
    return graph
