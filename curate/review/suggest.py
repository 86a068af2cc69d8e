"""What to look at next: frames whose verdict is most likely wrong, and that tell most about others.

The chance that a verdict is wrong is weighed from two sides: how sure the model is, which a temperature has calibrated,
and how many of the frames that look alike are judged the other way. Where the model is sure and wrong, only the second
tells. Inside a batch, and against what is labelled already, frames that look new come first.

Frames are compared by their embeddings where the stage ``embed`` has made those of all videos with one model, else by
coarse descriptions of the pictures (`curate.review.lookalikes`).
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from curate.errors import BadArtefact
from curate.files.digest import digest
from curate.records import NON_SURGICAL, SURGICAL, UNCERTAIN
from curate.review.judged import JudgedFrame, JudgedVideo, judged_frames
from curate.review.lookalikes import LENGTH, Floats, describe, dissent
from curate.workspace.tables.embeddings import read_embedding_model, read_embeddings
from curate.workspace.tables.frames import read_frames

LOOKED_AT = 60_000
"""Pictures that are looked at in a whole workspace, about; a minute of work."""

FEWEST, MOST = 12, 600
"""Pictures of one video that are looked at, whatever their number."""

REFERENCE = 4000
"""Frames of the whole workspace among which look-alikes are sought, beside those of the same video."""

CANDIDATES = 2000
"""Most suspect frames that are put in order."""

ALIKE = 8
"""Look-alikes that are asked."""

TRUST_IN_PEOPLE = 3.0
"""How many verdicts of a model the label of a person weighs among look-alikes."""

NOVELTY = 0.3
"""Share of a frame's worth that hangs on how new it looks."""


@dataclass(frozen=True)
class Suggestion:
    """A frame to look at.

    Attributes:
        video: Id of the video.
        frame: The frame.
        chance: That its verdict is wrong, 0..1.
        novelty: How unlike it is to what is labelled or stands before it, 0..1.
        why: In words.
    """

    video: str
    frame: JudgedFrame
    chance: float
    novelty: float
    why: str


Looks = dict[tuple[str, int], Floats]
"""Descriptions of pictures by video and frame number: 1 kB each, of some `LOOKED_AT` pictures."""


@dataclass(frozen=True)
class _Described:
    video: str
    frame: JudgedFrame
    picture: Floats
    label: str = ""


def suggest(
    videos: Sequence[JudgedVideo],
    told: Mapping[str, Mapping[int, tuple[str, str]]],
    labels: Mapping[tuple[str, int], str],
    count: int,
    looks: Looks | None = None,
    looked_at: int | None = None,
) -> list[Suggestion]:
    """Order frames that nobody has decided yet, the most useful first.

    Args:
        videos: Videos with verdicts.
        told: See `curate.review.judged.told_verdicts`.
        labels: What people said, by video and milliseconds.
        count: How many to suggest, at most `CANDIDATES`.
        looks: Descriptions that were made by an earlier call; those that this one makes are added.
        looked_at: Pictures that are looked at, about; `LOOKED_AT` at most, or `FEWEST` of each video if that is more,
            which is the default. Where they do not do for `FEWEST` of each video, only some videos are: those that
            people looked into, and others drawn by their ids, which are among those of any larger number.
    """
    looks = {} if looks is None else looks
    most = max(LOOKED_AT, FEWEST * len(videos))
    looked_at = most if looked_at is None else min(looked_at, most)
    videos = _some(videos, labels, max(looked_at // FEWEST, 2))
    if not _comparable(videos):
        videos = [replace(video, embeddings=None) for video in videos]
    each = min(max(looked_at // max(len(videos), 1), FEWEST), MOST)
    references = min(REFERENCE, looked_at // 3)
    reference = _reference(videos, told, labels, max(references // max(len(videos), 1), 2), looks)
    known = [described for described in reference if described.label]
    elsewhere = _asked(reference)
    suspects: list[tuple[float, int, _Described, float]] = []
    order = itertools.count()
    for video in videos:
        described = list(_described(video, told.get(video.id, {}), labels, each, looks))
        undecided = [item for item in described if not item.label]
        known += [item for item in described if item.label]
        if not undecided:
            continue
        dissents = _dissents(undecided, _asked(described), elsewhere.without(video.id))
        for item, against in zip(undecided, dissents, strict=True):
            entry = (chance_of_error(item.frame, float(against)), -next(order), item, float(against))
            (heapq.heappush if len(suspects) < CANDIDATES else heapq.heappushpop)(suspects, entry)
    return _in_order(sorted(suspects, key=lambda entry: entry[:2], reverse=True), known, count)


def _some(videos: Sequence[JudgedVideo], labels: Mapping[tuple[str, int], str], most: int) -> Sequence[JudgedVideo]:
    """At most so many videos, in their order."""
    if len(videos) <= most:
        return videos
    looked_into = {video for video, _ in labels}
    drawn = sorted(videos, key=lambda video: (video.id not in looked_into, digest(video.id)))[:most]
    chosen = {video.id for video in drawn}
    return [video for video in videos if video.id in chosen]


def chance_of_error(frame: JudgedFrame, against: float) -> float:
    """Chance that a verdict is wrong, from the model's probability and the dissent of look-alikes.

    Both are taken for evidence of their own, in log-odds, and shrunk, since neither is.

    Args:
        frame: What the model says.
        against: Share of look-alikes that are judged the other way, 0..1.
    """
    doubt = {SURGICAL: 1 - frame.p, NON_SURGICAL: frame.p, UNCERTAIN: 0.5}[frame.verdict]
    odds = 0.5 * _logit(min(max(doubt, 0.01), 0.9)) + 0.75 * _logit((ALIKE * against + 0.5) / (ALIKE + 1))
    return float(1 / (1 + np.exp(-odds)))


def _logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


@dataclass(frozen=True)
class _Asked:
    """Frames that are asked as look-alikes; arrays of one length.

    Attributes:
        pictures: (N, D), descriptions.
        said: How they are judged: 1 surgical, 0 not, 0.5 unknown.
        weights: How much each counts.
        videos: Their videos.
    """

    pictures: Floats
    said: Floats
    weights: Floats
    videos: npt.NDArray[np.str_]

    def without(self, video: str) -> _Asked:
        """Those of other videos."""
        other = self.videos != video
        return _Asked(self.pictures[other], self.said[other], self.weights[other], self.videos[other])


def _asked(items: Sequence[_Described]) -> _Asked:
    values = {SURGICAL: 1.0, NON_SURGICAL: 0.0, UNCERTAIN: 0.5}
    return _Asked(
        _stack(items),
        np.array([values[item.label or item.frame.verdict] for item in items], np.float32),
        np.array([TRUST_IN_PEOPLE if item.label else 1.0 for item in items], np.float32),
        np.array([item.video for item in items], np.str_),
    )


def _dissents(these: Sequence[_Described], *asked: _Asked) -> Floats:
    asked = tuple(some for some in asked if len(some.said))
    pictures, said, weights = (
        np.concatenate([getattr(some, name) for some in asked]) for name in ("pictures", "said", "weights")
    )
    surgical = np.array([_side(item.frame) for item in these])
    return dissent(_stack(these), surgical, pictures, said, weights, ALIKE)


def _side(frame: JudgedFrame) -> bool:
    return frame.verdict == SURGICAL or (frame.verdict == UNCERTAIN and frame.p >= 0.5)


def _stack(items: Sequence[_Described]) -> Floats:
    return np.stack([item.picture for item in items]) if items else np.zeros((0, LENGTH), np.float32)


def _reference(
    videos: Sequence[JudgedVideo],
    told: Mapping[str, Mapping[int, tuple[str, str]]],
    labels: Mapping[tuple[str, int], str],
    each: int,
    looks: Looks,
) -> list[_Described]:
    """Some frames of videos spread over the workspace; of those of a small one, of all."""
    step = max(len(videos) * each // REFERENCE, 1)
    return [
        item
        for video in videos[::step]
        for item in _described(video, told.get(video.id, {}), labels, min(each, MOST), looks, sure=True)
    ]


def _described(
    video: JudgedVideo,
    told: Mapping[int, tuple[str, str]],
    labels: Mapping[tuple[str, int], str],
    most: int,
    looks: Looks,
    *,
    sure: bool = False,
) -> Iterator[_Described]:
    """Some frames of a video with their descriptions; none of one whose tables cannot be read.

    Those that people decided are among them, then half the least sure, half evenly spread; all evenly if ``sure``.
    """
    try:
        frames = judged_frames(video, told)
        wanted = {frame.n: frame for frame in _chosen(video.id, frames, labels, most, sure=sure)}
        for n, picture in _pictures(video, wanted, looks):
            frame = wanted[n]
            yield _Described(video.id, frame, picture, labels.get((video.id, frame.at), ""))
    except BadArtefact:
        return


def _comparable(videos: Sequence[JudgedVideo]) -> bool:
    """Whether all videos have embeddings of one model."""
    try:
        made = {read_embedding_model(v.embeddings)[0].identity if v.embeddings else None for v in videos}
    except BadArtefact:
        return False
    return len(made) == 1 and None not in made


def _pictures(video: JudgedVideo, wanted: Collection[int], looks: Looks) -> Iterator[tuple[int, Floats]]:
    """Number and description of frames, of unit length; a frame without an embedding has that of the one before."""
    if video.embeddings is None:
        missing = {n for n in wanted if (video.id, n) not in looks}
        for row in read_frames(video.frames, missing) if missing else ():
            with contextlib.suppress(ValueError):  # a picture that is damaged
                looks[video.id, row.n] = describe(row.jpeg)
        yield from ((n, looks[video.id, n]) for n in sorted(wanted) if (video.id, n) in looks)
        return
    left = sorted(wanted, reverse=True)
    last: Floats | None = None
    for numbers, vectors in read_embeddings(video.embeddings):
        for n, vector in zip(numbers.tolist(), vectors, strict=True):
            while left and left[-1] < n and last is not None:
                yield left.pop(), last
            last = vector.astype(np.float32)
            if left and left[-1] == n:
                yield left.pop(), last
    while left and last is not None:
        yield left.pop(), last


def _chosen(
    video: str, frames: Sequence[JudgedFrame], labels: Mapping[tuple[str, int], str], most: int, *, sure: bool
) -> Collection[JudgedFrame]:
    if len(frames) <= most:
        return frames
    decided = [frame for frame in frames if (video, frame.at) in labels][:most]
    spread = frames[:: -(-len(frames) // (most if sure else max(most // 2, 1)))]
    doubtful = [] if sure else sorted(frames, key=lambda frame: abs(frame.p - 0.5))[: most // 2]
    return {frame.n: frame for frame in (*decided, *spread, *doubtful)}.values()


def _in_order(
    suspects: Sequence[tuple[float, int, _Described, float]], known: Sequence[_Described], count: int
) -> list[Suggestion]:
    """Pick one after another what is worth most: likely wrong, and unlike what is labelled or picked before."""
    if not suspects:
        return []
    pictures = _stack([entry[2] for entry in suspects])
    chances = np.array([entry[0] for entry in suspects])
    nearest = (pictures @ _stack(known).T).max(axis=1) if known else np.zeros(len(suspects), np.float32)
    left = np.ones(len(suspects), bool)
    found: list[Suggestion] = []
    for _ in range(min(count, len(suspects))):
        novelty = np.clip(1 - nearest, 0, 1)
        worth = np.where(left, chances * (1 - NOVELTY + NOVELTY * novelty), -1.0)
        best = int(worth.argmax())
        left[best] = False
        chance, _, item, against = suspects[best]
        found.append(Suggestion(item.video, item.frame, chance, float(novelty[best]), _why(item.frame, against)))
        nearest = np.maximum(nearest, pictures @ pictures[best])
    return found


def _why(frame: JudgedFrame, against: float) -> str:
    said = [f"the model says {frame.verdict}, p {frame.p:.2f}"]
    if against > 0.5:
        said.append(f"{round(against * 100)} % of look-alikes are judged the other way")
    if frame.verdict != UNCERTAIN and (frame.verdict == SURGICAL) != (frame.p >= 0.5):
        said.append("its neighbours in time turned it")
    return "; ".join(said)


def expected(suggestions: Sequence[Suggestion]) -> float:
    """How many of these verdicts are expected to be wrong."""
    return float(sum(suggestion.chance for suggestion in suggestions))
