"""What is put together to an export: the plan, the options, and the finished shards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from curate.config import ExportOptions
from curate.corpus.balance import Balance, ProcedureRow, frame_weights, procedure_rows
from curate.exports.disk.checksums import FileFacts
from curate.exports.disk.folder import link
from curate.exports.disk.staging import ShardRecord
from curate.exports.plan.plan import Plan
from curate.exports.plan.shards import Shard


@dataclass(frozen=True)
class MadeShard:
    """A finished shard.

    Attributes:
        shard: What is in it.
        folder: Where its files are.
        record: What is known of them.
    """

    shard: Shard
    folder: Path
    record: ShardRecord

    @property
    def key(self) -> str:
        """Fingerprint of all that its bytes depend on."""
        return self.folder.name

    def numbered(self, suffix: str) -> list[str]:
        """Its files of one kind, ``{i}{suffix}``, in order."""
        return sorted(
            (name for name in self.record.files if name.endswith(suffix)), key=lambda name: int(name[: -len(suffix)])
        )


def balance_of(options: ExportOptions) -> Balance:
    """How the sampling weights of an export are balanced."""
    return Balance(by=options.balance_by, alpha=options.balance_alpha, frames=options.balance_frames)


@dataclass(frozen=True)
class Dataset:
    """A dataset about to be put together in one format.

    Attributes:
        format: Name of the format.
        plan: Videos, their splits and numbers of frames.
        options: What to take and how to paint and encode it.
        context: Facts about how it was made, such as names and checksums of weights; written into every export.
        shards: All finished shards, in the order of the export.
        labels: Label of each class, in their order.
        summed: Checksums of files of the export that are known already, by path; filled on the way.
        placed: Paths in the export of the files of each shard, by its key, in order; filled on the way.
    """

    format: str
    plan: Plan
    options: ExportOptions
    context: Mapping[str, str]
    shards: tuple[MadeShard, ...]
    labels: Mapping[str, int]
    summed: dict[str, FileFacts] = field(default_factory=dict)
    placed: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @cached_property
    def procedures(self) -> list[ProcedureRow]:
        """Table of procedures, split by split."""
        how = balance_of(self.options)
        return [row for split, videos in self.plan.splits().items() for row in procedure_rows(split, videos, how)]

    @cached_property
    def weights(self) -> dict[str, float]:
        """Sampling weight of one frame of each video, by video id; see `curate.corpus.balance.frame_weights`."""
        weights: dict[str, float] = {}
        for videos in self.plan.splits().values():
            weights |= frame_weights(videos, balance_of(self.options))
        return weights

    def of(self, split: str) -> Iterator[MadeShard]:
        """Shards of a split."""
        return (made for made in self.shards if made.shard.part == split)

    def place(self, made: MadeShard, name: str, folder: Path, final: str) -> None:
        """Put a file of a shard into the folder of the export.

        Args:
            made: The shard.
            name: Of the file in it.
            folder: Of the export.
            final: Path of the file in it.
        """
        (folder / final).parent.mkdir(parents=True, exist_ok=True)
        link(made.folder / name, folder / final)
        self.summed[final] = made.record.files[name]
        self.placed[made.key].append(final)
