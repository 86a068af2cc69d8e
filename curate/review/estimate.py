"""Precision and recall of a whole corpus, from a random sample of frames that people looked at, with intervals.

Frames are drawn at random inside of strata, one for each verdict. Inside of a stratum all frames are as likely, so the
share of surgery in the sample stands for that of the stratum, however much the frames of a video resemble one another:
chance lies in the drawing. Precision is the share of surgery among what is taken, recall the share of all surgery that
is taken; the latter needs the strata that are left out as well, each weighed by its size.

Intervals are those of C. Clopper and E. Pearson (Biometrika 26, 1934) in each stratum, with the risk shared evenly
among the strata that enter a figure (Bonferroni). Precision and recall rise with the share in a stratum that is taken
and recall falls with that in one that is not, so the ends of the intervals give the ends of theirs. They cover the
truth at least as often as they say, also where no error at all was seen, as Wilson's and the bootstrap's do not.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from curate.records import NON_SURGICAL, SURGICAL, UNCERTAIN
from curate.review.judged import JudgedFrame

LONGEST = 20_000
"""Frames of a stratum that can be drawn at most."""


@dataclass(frozen=True)
class Stratum:
    """Frames of one verdict, and the sample of them.

    Attributes:
        size: Frames in it.
        surgical: Frames of the sample that show surgery.
        other: Frames of the sample that do not.
        unknown: Frames of the sample of which people did not know or did not agree.
        taken: Whether such frames are in the corpus.
    """

    size: int
    surgical: int
    other: int
    unknown: int = 0
    taken: bool = True

    @property
    def drawn(self) -> int:
        """Frames of the sample."""
        return self.surgical + self.other + self.unknown

    def share(self) -> float:
        """Share of surgery, those of which nobody knows counted half."""
        return (self.surgical + self.unknown / 2) / self.drawn if self.drawn else 0.5

    def interval(self, risk: float) -> tuple[float, float]:
        """Interval of that share that misses it with a chance of ``risk`` at most, whatever the unknown ones show."""
        if not self.size:
            return 0.0, 0.0
        if self.drawn >= self.size:
            return self.surgical / self.size, (self.surgical + self.unknown) / self.size
        low = clopper_pearson(self.surgical, self.drawn, risk)[0]
        return low, clopper_pearson(self.surgical + self.unknown, self.drawn, risk)[1]


def clopper_pearson(right: int, count: int, risk: float = 0.05) -> tuple[float, float]:
    """Exact interval of a share; see above.

    Args:
        right: Successes.
        count: Trials.
        risk: Chance that the interval misses the share, at most.
    """
    from scipy.stats import beta

    if not count:
        return 0.0, 1.0
    low = float(beta.ppf(risk / 2, right, count - right + 1)) if right else 0.0
    high = float(beta.ppf(1 - risk / 2, right + 1, count - right)) if right < count else 1.0
    return low, high


@dataclass(frozen=True)
class Figure:
    """A share with its interval; 0..1, ``nan`` where nothing can be said."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2%} ({self.low:.2%} to {self.high:.2%})"


@dataclass(frozen=True)
class Estimate:
    """What a sample says of a corpus.

    Attributes:
        precision: Share of surgery among the frames that are taken.
        recall: Share of all surgical frames that are taken.
        strata: By verdict.
    """

    precision: Figure
    recall: Figure
    strata: Mapping[str, Stratum] = field(default_factory=dict)


def estimate(strata: Mapping[str, Stratum], confidence: float = 0.95) -> Estimate:
    """Estimate precision and recall.

    Args:
        strata: By verdict.
        confidence: With which the intervals cover the truth, at least, each of the two.
    """
    taken = [stratum for stratum in strata.values() if stratum.size and stratum.taken]
    left = [stratum for stratum in strata.values() if stratum.size and not stratum.taken]
    return Estimate(_precision(taken, 1 - confidence), _recall(taken, left, 1 - confidence), dict(strata))


def _precision(taken: Sequence[Stratum], risk: float) -> Figure:
    ends = [stratum.interval(risk / len(taken)) for stratum in taken]
    sizes = [stratum.size for stratum in taken]
    low, high = (_share(_times(sizes, end), _times(sizes, (1 - e for e in end))) for end in _turned(ends))
    shares = [stratum.share() for stratum in taken]
    return Figure(_share(_times(sizes, shares), _times(sizes, (1 - share for share in shares))), low, high)


def _recall(taken: Sequence[Stratum], left: Sequence[Stratum], risk: float) -> Figure:
    each = risk / max(len(taken) + len(left), 1)
    found, missed = [s.size for s in taken], [s.size for s in left]
    (low, high), (fewest, most) = (_turned([s.interval(each) for s in strata]) for strata in (taken, left))
    value = _share(_times(found, (s.share() for s in taken)), _times(missed, (s.share() for s in left)))
    return Figure(
        value,
        _share(_times(found, low), _times(missed, most)),
        _share(_times(found, high), _times(missed, fewest)),
    )


def _turned(ends: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """The lower ends and the upper ones."""
    return [low for low, _ in ends], [high for _, high in ends]


def _times(sizes: Iterable[int], shares: Iterable[float]) -> float:
    return sum(size * share for size, share in zip(sizes, shares, strict=True))


def _share(part: float, rest: float) -> float:
    return part / (part + rest) if part + rest else float("nan")


class Draw:
    """A random order of the frames of each stratum, the same whenever it is made with the same seed.

    A frame's place hangs on a hash of the seed, its video and its time, so that the order is as good as random, does
    not depend on the order of videos, and a sample that grows keeps what it had.

    Args:
        seed: Another number draws another sample.
        most: Frames of a stratum that are held.
    """

    def __init__(self, seed: int = 0, most: int = LONGEST) -> None:
        self._key = seed.to_bytes(8, "little", signed=True)
        self._most = most
        self._heaps: dict[str, list[tuple[int, str, int]]] = {SURGICAL: [], UNCERTAIN: [], NON_SURGICAL: []}
        self.sizes = dict.fromkeys(self._heaps, 0)

    def add(self, video: str, frames: Iterable[JudgedFrame]) -> None:
        """Take in the frames of a video."""
        for frame in frames:
            heap = self._heaps[frame.verdict]
            self.sizes[frame.verdict] += 1
            name = f"{video}:{frame.at}".encode()
            place = int.from_bytes(hashlib.blake2b(name, digest_size=8, key=self._key).digest(), "big")
            (heapq.heappush if len(heap) < self._most else heapq.heappushpop)(heap, (-place, video, frame.at))

    def order(self, verdict: str) -> list[tuple[str, int]]:
        """Frames of a verdict in the order in which they are drawn: video and milliseconds."""
        return [(video, at) for _, video, at in sorted(self._heaps[verdict], reverse=True)]

    def interleaved(self) -> Iterator[tuple[str, int]]:
        """Frames of all strata in turn, each in its order."""
        orders = [self.order(verdict) for verdict in self._heaps]
        for place in range(max(map(len, orders))):
            yield from (order[place] for order in orders if place < len(order))

    def strata(self, labels: Mapping[tuple[str, int], str], taken: Mapping[str, bool]) -> dict[str, Stratum]:
        """What people said of the sample: in each stratum the frames drawn first, as far as all were looked at.

        A frame that was looked at for another reason and lies beyond them is not counted, since it was not drawn.

        Args:
            labels: By video and milliseconds.
            taken: Whether frames of a verdict are in the corpus.
        """
        found = {}
        for verdict in self._heaps:
            counts = {SURGICAL: 0, NON_SURGICAL: 0, UNCERTAIN: 0}
            for frame in self.order(verdict):
                if frame not in labels:
                    break
                counts[labels[frame]] += 1
            found[verdict] = Stratum(
                self.sizes[verdict], counts[SURGICAL], counts[NON_SURGICAL], counts[UNCERTAIN], taken[verdict]
            )
        return found
