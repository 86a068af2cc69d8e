"""Training, validation and test sets: by group, never by frame, and never a second time otherwise.

Frames of one video look alike, and so do videos of one case (a patient, a procedure), of one channel, and copies of one
another. What shares any of these is a *group*, and a group lies in one split. A group is drawn by a threshold on a hash
of its own name, so it falls where it falls whatever other groups come or go.

A new video can join two groups that were drawn apart: a re-upload, say, in one channel of what another channel showed.
No rule without a memory can then keep everybody where they were, since the same videos could have come in another
order. So what was drawn is recorded (`Record`), and what is recorded stays; the video that would join them is put
*aside*: it is in no split, with a reason that names what it shares and with which split.

Where lists state splits that share a case, a channel or a copy, or where it is found out later that recorded videos do,
the side that is easier to replace is put aside: training before validation, validation before test.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from curate.config import ExportOptions
from curate.errors import CurateError
from curate.records import Video

TRAIN, VAL, TEST = "train", "val", "test"

KINDS = ("video", "case", "channel")
"""Kinds of `Key`, from the narrowest to the widest."""


class Key(NamedTuple):
    """What videos may have in common.

    Attributes:
        kind: One of `KINDS`. Copies of one another have the ids of all copies in common.
        name: Of the video, the case (with its corpus, ``corpus/case``) or the channel.
    """

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


Record = Mapping[Key, str]
"""The split that each video, case and channel was given once."""


@dataclass(frozen=True)
class Member:
    """A video as splits see it.

    Attributes:
        id: Of the video.
        shared: What it may share with others, beside its own id: its case, its channel, the ids of its copies.
        stated: Split that a list gives it, or empty.
        stratum: What shares are to be met within: its first procedure.
    """

    id: str
    shared: tuple[Key, ...] = ()
    stated: str = ""
    stratum: str = ""

    @property
    def own(self) -> Key:
        """Its id."""
        return Key("video", self.id)

    @property
    def keys(self) -> tuple[Key, ...]:
        """All that it may share."""
        return (self.own, *self.shared)


@dataclass(frozen=True)
class Splits:
    """Who is in which split.

    Attributes:
        of: Split by video id. Names hold letters, digits and ``_`` only, as file names and Hugging Face ask for.
        aside: Ids of videos that are in no split, with why.
        record: The record that was given, and what was drawn now; for the next time.
        shared: Keys that several splits share although nobody was put aside, with these splits: only where ``leaks``
            is ``keep``, and only of lists.
    """

    of: Mapping[str, str]
    aside: Mapping[str, str] = field(default_factory=dict)
    record: Record = field(default_factory=dict)
    shared: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)


def assign_splits(
    videos: Sequence[Video],
    options: ExportOptions,
    *,
    record: Record | None = None,
    copies: Iterable[Collection[str]] = (),
) -> Splits:
    """Give every video a split; see `assign`.

    Args:
        videos: All of them, with distinct ids.
        options: Shares, seed, what makes a group, and what becomes of leaks.
        record: What was drawn before.
        copies: Groups of ids that are copies of one another.

    Raises:
        CurateError: The fractions add up to more than 1.
    """
    return assign(members(videos, options, copies), options, record or {})


def members(videos: Sequence[Video], options: ExportOptions, copies: Iterable[Collection[str]] = ()) -> list[Member]:
    """Videos as splits see them, with what makes a group by the options."""
    kinds = set(options.split_by)
    others: dict[str, set[str]] = defaultdict(set)
    if "duplicate" in kinds:
        for group in copies:
            for video_id in group:
                others[video_id] |= set(group)
    found = []
    for video in videos:
        shared = [Key("video", name) for name in sorted(others[video.id] - {video.id})] if video.id in others else []
        if "case" in kinds and video.case:
            shared.append(Key("case", f"{video.corpus}/{video.case}"))
        if "channel" in kinds and video.channel:
            shared.append(Key("channel", video.channel))
        stratum = video.procedures[0] if video.procedures else ""
        found.append(Member(video.id, tuple(shared), split_name(video.split) if video.split else "", stratum))
    return found


def assign(members: Sequence[Member], options: ExportOptions, record: Record) -> Splits:
    """Give every member a split, or put it aside.

    In this order: what a list states, what the record holds, the split of what a member shares a key with, a draw. No
    two splits share a key, unless lists do and ``options.leaks`` is ``keep``. Nobody who is in a split by the record
    comes into another one, unless a list says so now.

    With ``stratify``, a group is not drawn by its hash but given to the split that lacks most of its share within the
    group's procedure; groups come in the order of their hashes. The record keeps them there.

    Args:
        members: With distinct ids.
        options: Shares, seed, stratification, and what becomes of leaks between lists.
        record: What was drawn before, of these videos and others.

    Raises:
        CurateError: The fractions add up to more than 1.
    """
    if options.val_fraction + options.test_fraction > 1:
        raise CurateError(
            f"export.val_fraction {options.val_fraction:g} and export.test_fraction {options.test_fraction:g} "
            "add up to more than 1: lower one of them"
        )
    return _Draw(members, options, record).run()


def split_name(stated: str) -> str:
    """A split's name as Hugging Face allows it: word characters only, and not the reserved ``all``."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", stated)
    return "all_" if name == "all" else name


def protection(split: str) -> tuple[int, str]:
    """Order in which splits keep their videos where they share something: test first, train last."""
    return ({TEST: 0, VAL: 1, TRAIN: 3}.get(split, 2), split)


class _Draw:
    """One call of `assign`."""

    def __init__(self, members: Sequence[Member], options: ExportOptions, record: Record) -> None:
        self._members = members
        self._options = options
        self._record = record
        self._of: dict[str, str] = {}
        self._aside: dict[str, str] = {}
        self._claims: dict[Key, str] = {}
        self._drawn: list[Member] = []
        self._shared: dict[Key, set[str]] = defaultdict(set)

    def run(self) -> Splits:
        held = {m.id: m.stated or self._record.get(m.own, "") for m in self._members}
        self._settle(held)
        groups = _groups([m for m in self._members if not held[m.id]])
        fresh = [group for group in groups if not self._touched(group)]
        for group in groups:
            if touched := self._touched(group):
                self._join(group, touched)
        self._draw(fresh)
        record = dict(self._record)
        for member in self._drawn:
            for key in (member.own, *(key for key in member.shared if key.kind != "video")):
                record.setdefault(key, self._of[member.id])
        order = {m.id: None for m in self._members}
        return Splits(
            of={name: self._of[name] for name in order if name in self._of},
            aside={name: self._aside[name] for name in order if name in self._aside},
            record=dict(sorted(record.items())),
            shared={key: tuple(sorted(found, key=protection)) for key, found in sorted(self._shared.items())},
        )

    def _settle(self, held: Mapping[str, str]) -> None:
        """Place what lists and the record hold, the best protected split first; each claims what its members share."""
        stated = {m.own for m in self._members if m.stated}
        recorded = {key: split for key, split in self._record.items() if key not in stated}
        by_split: dict[str, list[Member]] = defaultdict(list)
        for member in self._members:
            if held[member.id]:
                by_split[held[member.id]].append(member)
        keys: dict[str, list[Key]] = defaultdict(list)
        for key, split in recorded.items():
            keys[split].append(key)
        for split in sorted({*by_split, *keys}, key=protection):
            staying = [m for m in by_split[split] if self._stays(m, split)]
            for key in keys[split]:
                self._claims.setdefault(key, split)
            for member in staying:
                self._place(member, split)

    def _stays(self, member: Member, split: str) -> bool:
        """Whether a held member shares nothing with a better protected split; it is put aside if it does."""
        foreign = [key for key in member.keys if self._claims.get(key, split) != split]
        if foreign and member.stated and self._options.leaks == "keep":
            for key in foreign:
                self._shared[key] |= {split, self._claims[key]}
            return True
        if foreign:
            self._put_aside(member, foreign)
        return not foreign

    def _place(self, member: Member, split: str) -> None:
        self._of[member.id] = split
        for key in member.keys:
            self._claims.setdefault(key, split)

    def _put_aside(self, member: Member, foreign: Iterable[Key]) -> None:
        self._aside[member.id] = "; ".join(f"shares {key} with {self._claims[key]}" for key in foreign)

    def _touched(self, group: Iterable[Member]) -> set[str]:
        return {self._claims[key] for member in group for key in member.keys if key in self._claims}

    def _join(self, group: Sequence[Member], touched: Collection[str]) -> None:
        """New members that share something with what is placed: they go there, those between two splits nowhere."""
        split = max(touched, key=protection)
        foreign = {m.id: [key for key in m.keys if self._claims.get(key, split) != split] for m in group}
        for member in group:
            if foreign[member.id]:
                self._put_aside(member, foreign[member.id])
            else:
                self._drawn.append(member)
                self._place(member, split)

    def _draw(self, groups: Sequence[Sequence[Member]]) -> None:
        """Groups that share nothing with what is placed."""
        drawn = sorted(((_position(_name(group), self._options.split_seed), group) for group in groups), key=_first)
        have: dict[str, Counter[str]] = defaultdict(Counter)
        if self._options.stratify:
            for member in self._members:
                if member.id in self._of:
                    have[member.stratum][self._of[member.id]] += 1
        for position, group in drawn:
            stratum = _stratum(group)
            split = self._lacking(have[stratum], len(group)) if self._options.stratify else self._by_position(position)
            for member in group:
                self._drawn.append(member)
                self._place(member, split)
            have[stratum][split] += len(group)

    def _by_position(self, position: float) -> str:
        if position < self._options.test_fraction:
            return TEST
        return VAL if position < self._options.test_fraction + self._options.val_fraction else TRAIN

    def _lacking(self, have: Mapping[str, int], more: int) -> str:
        """The split that lacks most of its share once a group of ``more`` members is there; training of equals."""
        options = self._options
        shares = {TRAIN: 1 - options.val_fraction - options.test_fraction, TEST: options.test_fraction}
        shares[VAL] = options.val_fraction
        total = sum(have.get(split, 0) for split in shares) + more
        return max(shares, key=lambda split: round(shares[split] * total - have.get(split, 0), 9))


def _first(item: tuple[float, Sequence[Member]]) -> tuple[float, str]:
    return item[0], item[1][0].id


def _groups(members: Sequence[Member]) -> list[list[Member]]:
    """Members that share something, directly or through others; in the order of their first members."""
    parent: dict[Key, Key] = {}

    def root(key: Key) -> Key:
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for member in members:
        for key in member.shared:
            one, other = root(member.own), root(key)
            parent[max(one, other)] = min(one, other)
    found: dict[Key, list[Member]] = defaultdict(list)
    for member in members:
        found[root(member.own)].append(member)
    return list(found.values())


def _name(group: Sequence[Member]) -> str:
    """What a group is drawn by: its widest key, the first by name of several; the bare id of a video without others."""
    keys = {key for member in group for key in member.keys}
    kind = max((key.kind for key in keys), key=KINDS.index)
    name = min(key.name for key in keys if key.kind == kind)
    return name if kind == "video" else f"{kind}:{name}"


def _stratum(group: Sequence[Member]) -> str:
    """The stratum of most members, the first by name of equals."""
    counts = Counter(member.stratum for member in group)
    return min(counts, key=lambda name: (-counts[name], name))


def _position(name: str, seed: int) -> float:
    """A number in [0, 1) that depends on the name and the seed alone."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
