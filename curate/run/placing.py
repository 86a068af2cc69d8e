"""Which split each video of a workspace is exported in: what lists state, what was drawn before, and a draw."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from curate.config import ExportOptions
from curate.corpus.classes import class_of, number_classes, read_classes
from curate.corpus.split_record import read_record, record_path, write_record
from curate.corpus.splits import Splits, assign_splits
from curate.corpus.stated import read_stated
from curate.records import Video
from curate.workspace.tree import Workspace


@dataclass(frozen=True)
class Placed:
    """Videos with their splits.

    Attributes:
        splits: Split by id, and who is put aside.
    """

    splits: Splits


def corpus_folder(workspace: Workspace) -> Path:
    """Folder of what joins the videos of a workspace."""
    return workspace.root / "corpus"


def place(
    workspace: Workspace,
    videos: Sequence[Video],
    options: ExportOptions,
    copies: Iterable[Collection[str]] = (),
) -> Placed:
    """Give every video of a workspace its split; nothing is written.

    Args:
        workspace: With the record of earlier draws.
        videos: All that may be exported.
        options: Shares, rules, and a list of stated splits.
        copies: Groups of ids that are copies of one another.

    Raises:
        CurateError: A list or the record cannot be read, or the fractions add up to more than 1.
    """
    listed = read_stated(options.splits, videos).apply(videos) if options.splits is not None else videos
    record = read_record(record_path(corpus_folder(workspace), options))
    return Placed(assign_splits(listed, options, record=record, copies=copies))


def numbered_classes(workspace: Workspace, videos: Iterable[Video]) -> tuple[str, ...]:
    """Names of the classes of a workspace in the order of their numbers; nothing is written.

    Args:
        workspace: With the record of earlier numbers.
        videos: All of its list.

    Raises:
        CurateError: The record cannot be read.
    """
    return number_classes(read_classes(corpus_folder(workspace)), {class_of(video) for video in videos})


def remember(workspace: Workspace, placed: Placed, options: ExportOptions) -> None:
    """Record what was drawn; the caller holds the workspace."""
    if options.val_fraction or options.test_fraction:
        write_record(record_path(corpus_folder(workspace), options), placed.splits.record, options)
