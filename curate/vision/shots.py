"""Shots with one field of view each, over a whole video, in memory that does not grow with its length.

Frames are taken a few at a time. A block that shows nothing outside of the running shot's field, and no smaller field
of its own, belongs to that shot; otherwise a new one begins. Shots of a single block are not believed: they are
flashes, or blocks with a cut inside. Between two shots that stay, the frames around the cut are dealt to the one
whose field they fill.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.vision.field_of_view import FieldOfView, Grey, block_evidence, boundary_score, fit_field, surround_of

BLOCK = 6
"""Frames that are looked at together; a field that does not last for two blocks is not believed.

One that lasts for 15 frames always does, wherever the blocks begin: frames of a lighter field spoil one at either end.
"""

CHANGED = 0.01
"""Share of the frame that must be lit on the wrong side of a boundary for it to have moved."""

_CLEAR = 0.8
_SAME = 0.97
_WAITING = 6
_CLEARLY = 4.0
_GROW = 3.0

Frame = tuple[int, Grey]
"""Number of the frame, and its grey levels: uint8, shape (rows, columns)."""


@dataclass(frozen=True)
class Shot:
    """Frames with one field of view.

    Attributes:
        first: Number of its first frame.
        last: Number of its last frame.
        frames: How many frames it has.
        shape: Rows and columns of the frames as they were given.
        field: In pixels of the frames as they were given.
    """

    first: int
    last: int
    frames: int
    shape: tuple[int, int]
    field: FieldOfView


def find_shots(frames: Iterable[Frame]) -> Iterator[Shot]:
    """Divide a video where its field of view changes.

    Args:
        frames: In rising order of their numbers; a change of their size is a cut.

    Yields:
        Shots in order; together they hold every frame once.
    """
    waiting: Shot | None = None
    for run in _runs(frames):
        shot = run.shot()
        if waiting is not None and waiting.shape == shot.shape and _alike(waiting, shot):
            longer = max(waiting, shot, key=lambda one: one.frames)
            waiting = dataclasses.replace(
                longer, first=waiting.first, last=shot.last, frames=waiting.frames + shot.frames
            )
            continue
        if waiting is not None:
            yield waiting
        waiting = shot
    if waiting is not None:
        yield waiting


def _alike(one: Shot, other: Shot) -> bool:
    rows, columns = one.shape
    return one.field.overlap(other.field, columns, rows) >= _SAME


def _runs(frames: Iterable[Frame]) -> Iterator[_Run]:
    runs: list[_Run] = []
    for block in _blocks(frames):
        if runs and runs[-1].shape != block[0][1].shape:
            yield from _settled(runs)
            runs = []
        if runs and runs[-1].take(block):
            if len(runs) == 1 or runs[-1].blocks > 2:
                continue
        else:
            runs.append(_Run(block))
        if runs[-1].blocks == 2 or len(runs) > _WAITING:
            *done, running = _settled(runs)
            yield from done
            runs = [running]
    yield from _settled(runs)


def _blocks(frames: Iterable[Frame]) -> Iterator[list[Frame]]:
    """A few frames of one size at a time."""
    block: list[Frame] = []
    for frame in frames:
        if block and (len(block) == BLOCK or block[0][1].shape != frame[1].shape):
            yield block
            block = []
        block.append(frame)
    if block:
        yield block


def _settled(runs: Sequence[_Run]) -> list[_Run]:
    """Runs of which only the first and the last may be a single block; frames of the others go to their neighbours.

    A first or last block that keeps no more than half of its frames is joined as well.
    """
    settled: list[_Run] = []
    loose: list[Frame] = []
    for i, run in enumerate(runs):
        if settled and run.blocks == 1 and i < len(runs) - 1:
            loose += run.head
        elif settled and settled[-1].agrees(run):
            settled[-1].append(run, between=len(loose))
            loose = []
        else:
            if settled:
                _deal(settled[-1], loose, run)
                loose = []
            if settled and settled[-1].is_stub:
                run.first = settled[-1].first
                run.frames += settled.pop().frames
            if settled and run.is_stub:
                settled[-1].extend(run.head)
            else:
                settled.append(run)
    return settled


def _deal(before: _Run, loose: list[Frame], after: _Run) -> None:
    """Put the cut between two runs where the frames around it change sides.

    A frame takes sides by how much is lit of what only one of the two fields contains, and where that says nothing, by
    whose boundary it shows.
    """
    frames = [*before.tail, *loose, *after.head]
    # What is lit in a run outside of its own field is an overlay, and tells nothing.
    only_before = before.mask() & ~after.mask(_GROW) & ~after.lit
    only_after = after.mask() & ~before.mask(_GROW) & ~before.lit
    votes = []
    for _, grey in frames:
        share = float((grey[only_before] > after.surround.lit + _CLEARLY).sum()) / grey.size
        share -= float((grey[only_after] > before.surround.lit + _CLEARLY).sum()) / grey.size
        if abs(share) <= CHANGED / 4:
            share = CHANGED / 4 * (boundary_score(before.field, grey) - boundary_score(after.field, grey))
        votes.append(share)
    cut = 1 + int(np.cumsum(votes[:-1]).argmax())
    before.frames += cut - len(before.tail)
    after.frames += len(frames) - cut - len(after.head)
    before.last, after.first = frames[cut - 1][0], frames[cut][0]
    before.tail, after.head = frames[:cut], frames[cut:]
    if after.blocks == 1:
        after.tail = after.head


class _Run:
    """Blocks that follow each other and show one field, and the evidence they give together.

    Attributes:
        first: Number of the first frame.
        last: Number of the last frame.
        frames: How many.
        blocks: How many.
        head: Frames of the first block.
        tail: Frames of the last block.
        field: As the evidence has it so far.
        surround: What is around it.
        lit: Pixels that the evidence shows lit, inside and outside of the field.
    """

    def __init__(self, block: list[Frame]) -> None:
        self.first, self.last, self.frames = block[0][0], block[-1][0], len(block)
        self.head = self.tail = block
        self.blocks = 1
        evidence = block_evidence([grey for _, grey in block])
        self._sum = evidence.astype(np.float32)
        self.field = fit_field(evidence)
        self._look()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self._sum.shape
        return rows, columns

    @property
    def is_stub(self) -> bool:
        """Whether there are too few frames to make a shot."""
        return self.blocks == 1 and self.frames <= BLOCK // 2

    @property
    def evidence(self) -> npt.NDArray[np.float32]:
        """Mean over the blocks of what each shows."""
        return self._sum / np.float32(self.blocks)

    def mask(self, grow: float = 0.0) -> npt.NDArray[np.bool_]:
        """Pixels of the field."""
        rows, columns = self.shape
        return self.field.mask(columns, rows, grow=grow)

    def take(self, block: list[Frame]) -> bool:
        """Add a block if it belongs here; says whether it did."""
        evidence = block_evidence([grey for _, grey in block])
        if self._shows_more(evidence):
            return False
        # A block that shows the boundary nearly as well as all before it did needs no fit of its own.
        known = boundary_score(self.field, evidence) > _CLEAR * self.field.score
        if not known and self._lit_outside(fit_field(evidence), evidence):
            return False
        self._sum += evidence
        self.blocks += 1
        self.extend(block)
        self.tail = block
        if self.blocks.bit_count() == 1:
            self._fit()
        return True

    def extend(self, frames: list[Frame]) -> None:
        """Add frames at the end without a look at them."""
        self.frames += len(frames)
        self.last = frames[-1][0]

    def agrees(self, other: _Run) -> bool:
        """Whether neither shows anything outside of the other's field."""
        return not (self._lit_outside(other.field, other.evidence) or other._lit_outside(self.field, self.evidence))

    def append(self, other: _Run, between: int) -> None:
        """Join a later run, and ``between`` frames before it, to this one."""
        self._sum += other._sum
        self.blocks += other.blocks
        self.frames += between + other.frames
        self.last, self.tail = other.last, other.tail
        self._fit()

    def shot(self) -> Shot:
        """What came of it."""
        self._fit()
        return Shot(self.first, self.last, self.frames, self.shape, self.field)

    def _fit(self) -> None:
        field = fit_field(self.evidence)
        if field.shape != "none":
            self.field = field
        self._look()

    def _look(self) -> None:
        self.surround = surround_of(self.evidence)
        self.lit = self.evidence > self.surround.lit
        self._outside = ~self.mask(_GROW)

    def _shows_more(self, evidence: Grey) -> bool:
        """Whether much is lit outside of the field that was dark so far."""
        return _is_much((evidence > self.surround.lit + _CLEARLY) & self._outside & ~self.lit)

    def _lit_outside(self, field: FieldOfView, evidence: npt.NDArray[Any]) -> bool:
        """Whether much was lit here outside of the field of some other evidence, and is dark there.

        What is lit in both may be an overlay. Lit is what is lighter than the surround of that field: a picture that
        fills the frame has none.
        """
        if field.shape == "none":
            return False
        rows, columns = self.shape
        lit = surround_of(evidence).lit
        return _is_much((self.evidence > lit + _CLEARLY) & (evidence <= lit) & ~field.mask(columns, rows, grow=_GROW))


def _is_much(lit: npt.NDArray[np.bool_]) -> bool:
    """Whether a lit area is more than captions make."""
    import cv2

    if lit.sum() <= CHANGED * lit.size:
        return False
    opened = cv2.morphologyEx(lit.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    return bool(opened.sum() > CHANGED * lit.size)
