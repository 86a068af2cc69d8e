"""From what each reviewer said to what holds: the last word of each, and a rule where they do not agree.

Of one reviewer the last decision about a thing counts. Where reviewers contradict one another, less is shown:

- a frame to which they give different labels is uncertain;
- a trim starts at the latest start and ends at the earliest end;
- a box that any of them added is there, one that any of them deleted and nobody drew again is not;
- a video that any of them dropped or opted out is not used.

No clock decides: each reviewer's decisions are numbered, and the rules do not ask who was later, but for boxes, which
apply in the order of reviewers' names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from curate.records import UNCERTAIN, BoxDecision, FrameDecision, VideoDecisions
from curate.verdicts.decisions import milliseconds
from curate.verdicts.journal import Decision, Journal


@dataclass(frozen=True)
class Settled:
    """What holds in a workspace.

    Attributes:
        of: By id of the video.
        opted_out: Ids of videos that were opted out in a review.
        dissents: What reviewers do not agree on, each with the places of both.
    """

    of: Mapping[str, VideoDecisions] = field(default_factory=dict)
    opted_out: frozenset[str] = frozenset()
    dissents: tuple[str, ...] = ()


def settle(journal: Journal) -> Settled:
    """Settle all decisions of a workspace."""
    by_video: dict[str, list[Decision]] = defaultdict(list)
    for decision in journal.standing():
        by_video[decision.video].append(decision)
    dissents: list[str] = []
    videos = {video: _video(said, dissents) for video, said in sorted(by_video.items())}
    opted_out = frozenset(video for video, said in by_video.items() if "opt_out" in _actions(said))
    return Settled({k: v for k, v in videos.items() if v != VideoDecisions()}, opted_out, tuple(dissents))


def last_words(decisions: Iterable[Decision]) -> dict[tuple[str, int], dict[str, Decision]]:
    """The last decision of each reviewer about each frame, by video and milliseconds, then by reviewer.

    Args:
        decisions: Those that stand, in the order of `Journal`.
    """
    found: dict[tuple[str, int], dict[str, Decision]] = defaultdict(dict)
    for decision in decisions:
        if decision.kind == "frame" and decision.at is not None:
            found[decision.video, milliseconds(decision.at)][decision.who] = decision
    return found


def _video(said: list[Decision], dissents: list[str]) -> VideoDecisions:
    frames = []
    for (_, at), words in sorted(last_words(said).items()):
        first, *others = words.values()
        against = next((other for other in others if other.label != first.label), None)
        if against is not None:
            dissents.append(
                f"{against.where} says {against.label} of {first.video} at {at / 1000:g} s, {first.where} "
                f"{first.label}: the frame is uncertain"
            )
        label = UNCERTAIN if against is not None else first.label
        seen = {word.model.get("seen", "") if word.model.get("verdict") == label else "" for word in words.values()}
        frames.append(FrameDecision(at, label, seen.pop() if len(seen) == 1 else ""))
    start, end = (_edge(said, name, dissents) for name in ("start", "end"))
    return VideoDecisions(tuple(frames), start, end, tuple(_boxes(said)), bool({"drop", "opt_out"} & _actions(said)))


def _actions(said: Iterable[Decision]) -> set[str]:
    """What each reviewer said last of a video as a whole."""
    return set({d.who: d.action for d in said if d.kind == "video"}.values())


def _edge(said: list[Decision], name: str, dissents: list[str]) -> float | None:
    """Where the trim is moved, by the reviewer who shows least."""
    words = {d.who: d for d in said if d.kind == "trim" and getattr(d, name) is not None}
    if not words:
        return None
    ordered = sorted(words.values(), key=lambda d: getattr(d, name), reverse=name == "start")
    least, most = ordered[0], ordered[-1]
    if getattr(least, name) != getattr(most, name):
        dissents.append(
            f"{most.where} moves the {name} of {most.video} to {getattr(most, name):g} s, {least.where} to "
            f"{getattr(least, name):g} s: the latter holds"
        )
    found: float = getattr(least, name)
    return found


def _boxes(said: Iterable[Decision]) -> Iterable[BoxDecision]:
    for d in said:
        if d.kind != "box" or d.at is None or d.box is None or d.size is None:
            continue
        at, until = milliseconds(d.at), milliseconds(d.at if d.until is None else d.until)
        if d.action in ("move", "delete"):
            yield BoxDecision(at, until, "delete", d.box, d.size)
        if d.action == "add" or d.to is not None:
            yield BoxDecision(at, until, "add", d.to or d.box, d.size, d.region or "other")
