"""A review in progress: what is shown, what was decided, what is left. One reviewer, one workspace, no HTTP."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from curate.errors import BadArtefact, CurateError
from curate.files.digest import digest
from curate.files.text import printable
from curate.records import REGION_KINDS, Region, VideoDecisions
from curate.review.estimate import Draw, Estimate, estimate
from curate.review.estimating import drawn, taken
from curate.review.judged import JudgedFrame, judged_frames, judged_videos, told_verdicts
from curate.review.suggest import Looks, expected, suggest
from curate.run.session import Session
from curate.verdicts.decisions import milliseconds
from curate.verdicts.journal import Decision, Journal, JournalWriter
from curate.verdicts.redrawn import redrawn
from curate.verdicts.settle import settle
from curate.workspace.tables.frames import read_frame_sizes, read_frames
from curate.workspace.tables.regions import read_regions

Order = Literal["next", "sample", "video"]
"""Suggested frames, a random sample, or the frames of one video."""

BATCH = 60
"""Frames of one queue."""

LOOKED_AT_ONCE = 3000
"""Pictures by which each further queue of suggestions looks at more, until all are looked at that are to be."""

TIMELINE = 1000
"""Points of a timeline at most."""


class Refused(Exception):
    """What was asked for cannot be: about something that is not there, or makes no sense. The message says what."""


@dataclass(frozen=True)
class _Rows:
    """What is known of the frames of a video: by milliseconds, and in order."""

    frames: Mapping[int, JudgedFrame]
    sizes: Mapping[int, tuple[int, int]]

    @property
    def times(self) -> list[int]:
        return list(self.frames)


class Desk:
    """One review. Safe to use from several threads. Close it at the end.

    Args:
        session: The open workspace.
        who: Name of the reviewer.
        seed: Of the random sample.

    Raises:
        CurateError: No video has verdicts, or the decisions cannot be written.
    """

    def __init__(self, session: Session, who: str, seed: int = 0) -> None:
        self._session = session
        self._videos = {video.id: video for video in judged_videos(session.pipeline)}
        if not self._videos:
            raise CurateError(f"no video of {session.workspace.root} was judged yet: see 'curate status'")
        self._seed = seed
        self._lock = threading.RLock()
        self._writer = JournalWriter(session.workspace.decisions_folder, who)
        session.pipeline.refresh()
        self._decisions: list[Decision] = list(session.pipeline.journal.decisions)
        self._standing = Journal(tuple(self._decisions)).standing()
        self._of: dict[str, VideoDecisions] = {}
        self._dissents: dict[str, int] = {}
        by_video: dict[str, list[Decision]] = {}
        for decision in self._standing:
            by_video.setdefault(decision.video, []).append(decision)
        for video, said in by_video.items():
            self._settle(video, said)
        weights = session.pipeline.specs["classify"].make().fingerprint_extra()["model"]["sha256"]
        self._weights = weights[0] if len(weights) == 1 else digest(weights)
        self._looks: Looks = {}
        self._looked_at = 0
        self._rows = lru_cache(maxsize=8)(self._read_rows)
        self._regions = lru_cache(maxsize=8)(self._read_regions)

    @property
    def who(self) -> str:
        """The reviewer."""
        return self._writer.who

    def close(self) -> None:
        """End the review."""
        self._writer.close()

    # what is there

    def videos(self) -> list[dict[str, Any]]:
        """All videos with verdicts: id, title, and how many of their frames were decided."""
        with self._lock:
            decided: dict[str, int] = {}
            for video, _ in self.labels():
                decided[video] = decided.get(video, 0) + 1
            return [
                {
                    "id": video.id,
                    "title": self._title(video.id),
                    "decided": decided.get(video.id, 0),
                    "dropped": self._is_dropped(video.id),
                }
                for video in self._videos.values()
            ]

    def labels(self) -> dict[tuple[str, int], str]:
        """What holds: label by video and milliseconds."""
        return {(video, f.at): f.label for video, said in self._of.items() for f in said.frames}

    def own_labels(self) -> dict[tuple[str, int], str]:
        """What this reviewer said last, by video and milliseconds."""
        return {
            (d.video, milliseconds(d.at)): d.label
            for d in self._standing
            if d.kind == "frame" and d.who == self.who and d.at is not None
        }

    def queue(self, order: Order, video: str = "") -> dict[str, Any]:
        """Frames to look at, in order, without those that this reviewer decided.

        Args:
            order: Which.
            video: Id, for ``video``.

        Returns:
            ``frames``: ``video``, ``at`` in milliseconds and ``why`` of each, `BATCH` at most; ``expected``: of them,
            how many verdicts are expected to be wrong; ``note``: in words.

        Raises:
            Refused: No such video, or one that cannot be read.
        """
        with self._lock:
            own, told = self.own_labels(), told_verdicts(self._decisions)
            if order == "video":
                left = [(video, at) for at in self._frames(video).times if (video, at) not in own]
                return _queue([_item(*frame) for frame in left], f"{len(left)} frames left")
            if order == "sample":
                sample = (frame for frame in self.draw().interleaved() if frame not in own)
                left = list(itertools.islice(sample, BATCH))
                note = "drawn at random, to estimate precision and recall from"
                return _queue([_item(*frame, "drawn at random") for frame in left], note)
            self._looked_at = looked_at = self._looked_at + LOOKED_AT_ONCE
        found = suggest(list(self._videos.values()), told, own, BATCH, self._looks, looked_at)
        wrong = expected(found)
        note = f"of these {len(found)} verdicts about {wrong:.0f} are expected to be wrong"
        return _queue([_item(s.video, s.frame.at, s.why, round(s.chance, 3)) for s in found], note, round(wrong, 2))

    def listed(self, count: int, *, at_random: bool, everywhere: bool = False) -> tuple[list[dict[str, Any]], str]:
        """Frames to look at as rows of a table, and a word on them.

        Args:
            count: How many.
            at_random: A random sample instead of what is suggested.
            everywhere: Whether all videos are looked at for suggestions. Else the look widens as that of `queue` does,
                by `LOOKED_AT_ONCE` pictures for each `BATCH` of frames that this reviewer decided or asks for.
        """
        with self._lock:
            own, told = self.own_labels(), told_verdicts(self._decisions)
            if not at_random:
                looked_at = None if everywhere else LOOKED_AT_ONCE * -(-(len(own) + count) // BATCH)
                found = suggest(list(self._videos.values()), told, own, count, self._looks, looked_at)
                rows = [_row(s.video, s.frame, round(s.chance, 3), s.why) for s in found]
                wrong = expected(found)
                return rows, f"of these {len(found)} verdicts about {wrong:.0f} are expected to be wrong"
            order = (frame for frame in self.draw().interleaved() if frame not in own)
            left = list(itertools.islice(order, count))
            return [_row(v, self._frames(v).frames[at], None, "drawn at random") for v, at in left], "drawn at random"

    def draw(self) -> Draw:
        """The order of the random sample."""
        return drawn(list(self._videos.values()), self._decisions, self._seed)

    def estimate(self) -> Estimate:
        """Precision and recall of the models' verdicts, from the frames of the sample that were decided."""
        with self._lock:
            return estimate(self.draw().strata(self.labels(), taken(self._session)))

    def frame(self, video: str, at: int) -> dict[str, Any]:
        """All that is shown of a frame.

        Args:
            video: Id.
            at: Milliseconds.

        Raises:
            Refused: There is no such frame.
        """
        with self._lock:
            rows = self._frames(video)
            frame, size = self._frame(rows, video, at)
            said = self._of.get(video)
            found = self._regions(video).get(frame.n, [])
            shown = redrawn(found, said.boxes, at, size) if said else found
            trim = self._trim(rows, video)
            return {
                "video": video,
                "title": self._title(video),
                "at": at,
                "p": round(frame.p, 4),
                "verdict": frame.verdict,
                "label": self.own_labels().get((video, at), ""),
                "settled": next((f.label for f in said.frames if f.at == at), "") if said else "",
                "kept": trim is not None and trim[0] <= at < trim[1],
                "trim": trim,
                "size": size,
                "boxes": [_box(region) for region in shown],
                "dropped": self._is_dropped(video),
                "timeline": _timeline(rows, self.labels(), video),
                "times": rows.times,
            }

    def picture(self, video: str, at: int) -> bytes:
        """The JPEG of a frame.

        Raises:
            Refused: There is no such frame.
        """
        with self._lock:
            frame, _ = self._frame(self._frames(video), video, at)
            path = self._videos[video].frames
        try:
            return next(iter(read_frames(path, {frame.n}))).jpeg
        except (BadArtefact, StopIteration) as error:
            raise Refused(f"the frame of {video} at {at / 1000:g} s cannot be read") from error

    def progress(self) -> dict[str, Any]:
        """How many decisions stand, of this reviewer and of all, by kind; and the last one."""
        with self._lock:
            own = [d for d in self._standing if d.who == self.who]
            kinds = dict.fromkeys(("frame", "trim", "box", "video"), 0)
            for decision in own:
                kinds[decision.kind] += 1
            return {
                "who": self.who,
                "decisions": len(own),
                "kinds": kinds,
                "others": len(self._standing) - len(own),
                "last": _told(own[-1]) if own else None,
                "dissents": sum(self._dissents.values()),
            }

    # what is decided

    def decide(self, video: str, kind: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Take a decision down; it is on disk when this returns.

        Args:
            video: Id.
            kind: ``frame``, ``trim``, ``box`` or ``video``.
            facts: Attributes of `Decision`, of that kind; ``at`` and ``until`` in milliseconds.

        Raises:
            Refused: It is about nothing that is there, or makes no sense.
            OSError: The disk is full or gone.
        """
        allowed = _FACTS.get(kind) if isinstance(kind, str) else None
        if allowed is None or not isinstance(facts, Mapping) or facts.keys() - allowed:
            raise Refused("no decision of a review")
        with self._lock:
            rows = self._frames(video)
            said = dict(facts)
            for name in ("box", "to", "size"):
                if isinstance(said.get(name), list):
                    said[name] = tuple(said[name])
            if "at" in allowed:
                frame, size = self._frame(rows, video, said.get("at"))
                said |= {"at": frame.at / 1000, "model": self._model(video, frame)}
                if kind == "box":
                    said |= self._placed(said, size)
            try:
                decision = self._writer.append(video, kind, **said)
            except (ValueError, TypeError) as error:
                raise Refused(str(error)) from error
            self._take(decision)
            return _told(decision)

    def undo(self) -> dict[str, Any]:
        """Take the reviewer's last decision back.

        Raises:
            Refused: There is none.
            OSError: The disk is full or gone.
        """
        with self._lock:
            own = [d for d in self._standing if d.who == self.who]
            if not own:
                raise Refused("there is nothing to take back")
            last = own[-1]
            self._take(self._writer.append(last.video, "undo", undoes=last.seq))
            return _told(last)

    # inside

    def _take(self, decision: Decision) -> None:
        """Heed a decision that was just written; only its video is settled again."""
        self._decisions.append(decision)
        if decision.kind == "undo":
            gone = (decision.who, decision.undoes)
            self._standing = [d for d in self._standing if (d.who, d.seq) != gone]
        else:
            self._standing.append(decision)
        self._settle(decision.video, [d for d in self._standing if d.video == decision.video])

    def _settle(self, video: str, said: Sequence[Decision]) -> None:
        settled = settle(Journal(tuple(sorted(said, key=lambda d: (d.who, d.seq)))))
        self._of[video] = settled.of.get(video, VideoDecisions())
        self._dissents[video] = len(settled.dissents)

    def _title(self, video: str) -> str:
        """Title in printable characters; empty where it is the id again."""
        row = self._videos[video].video
        title = printable(row.title if row else "", 200)
        return "" if title == video else title

    def _is_dropped(self, video: str) -> bool:
        said = self._of.get(video)
        return said is not None and said.dropped

    def _model(self, video: str, frame: JudgedFrame) -> dict[str, Any]:
        seen = self._videos[video].seen
        return {"p": round(frame.p, 6), "verdict": frame.verdict, "sha256": self._weights, "seen": seen}

    def _placed(self, said: Mapping[str, Any], size: tuple[int, int]) -> dict[str, Any]:
        """Size and end of a box, checked: it lies in the picture, and its end is not before it."""
        for name in ("box", "to"):
            box = said.get(name)
            inside = isinstance(box, tuple) and len(box) == 4 and all(type(side) is int for side in box)
            if box is not None and not (inside and box[2] <= size[0] and box[3] <= size[1]):
                raise Refused(f"{name} is no box in a picture of {size[0]} x {size[1]} pixels")
        found: dict[str, Any] = {"size": size}
        if said.get("until") is not None:
            if type(said["until"]) is not int:
                raise Refused("until is no number of milliseconds")
            found["until"] = said["until"] / 1000
        return found

    def _frames(self, video: str) -> _Rows:
        if not isinstance(video, str) or video not in self._videos:
            raise Refused(f"there is no video {str(video)[:64]!r} here")
        try:
            return self._rows(video)
        except BadArtefact as error:
            raise Refused(f"the tables of {video} cannot be read: {error.why}") from error

    def _frame(self, rows: _Rows, video: str, at: Any) -> tuple[JudgedFrame, tuple[int, int]]:
        if type(at) is not int or at not in rows.frames or at not in rows.sizes:
            raise Refused(f"{video} has no frame at {str(at)[:20]} ms")
        return rows.frames[at], rows.sizes[at]

    def _read_rows(self, video: str) -> _Rows:
        judged = self._videos[video]
        told = told_verdicts(d for d in self._decisions if d.video == video)
        frames = {frame.at: frame for frame in judged_frames(judged, told.get(video, {}))}
        sizes = {milliseconds(row.timestamp): (row.width, row.height) for row in read_frame_sizes(judged.frames)}
        return _Rows(frames, sizes)

    def _read_regions(self, video: str) -> dict[int, list[Region]]:
        """Regions as the networks found them: those that people drew are added from the decisions."""
        found: dict[int, list[Region]] = {}
        path = self._videos[video].regions
        try:
            for n, region in read_regions(path) if path is not None else ():
                if region.model != "reviewer":
                    found.setdefault(n, []).append(region)
        except BadArtefact:
            return {}
        return found

    def _trim(self, rows: _Rows, video: str) -> tuple[int, int] | None:
        """First millisecond that is kept, and the first that no longer is."""
        kept = [frame.at for frame in rows.frames.values() if frame.kept]
        said = self._of.get(video)
        times = rows.times
        step = times[-1] - times[-2] if len(times) > 1 else 1000
        start, end = (kept[0], kept[-1] + step) if kept else (None, None)
        if said and said.start is not None:
            start = milliseconds(said.start)
        if said and said.end is not None:
            end = milliseconds(said.end)
        return (start, end) if start is not None and end is not None and start < end else None


_FACTS: Mapping[str, frozenset[str]] = {
    "frame": frozenset({"at", "label"}),
    "trim": frozenset({"start", "end"}),
    "box": frozenset({"at", "until", "action", "box", "to", "region"}),
    "video": frozenset({"action"}),
}


def _queue(frames: list[dict[str, Any]], note: str, wrong: float | None = None) -> dict[str, Any]:
    return {"frames": frames, "expected": wrong, "note": note}


def _item(video: str, at: int, why: str = "", chance: float | None = None) -> dict[str, Any]:
    return {"video": video, "at": at, "why": why, "chance": chance}


def _row(video: str, frame: JudgedFrame, chance: float | None, why: str) -> dict[str, Any]:
    return {
        "video": video,
        "timestamp": frame.at / 1000,
        "label": "",
        "p_surgical": round(frame.p, 4),
        "verdict": frame.verdict,
        "chance": chance,
        "why": why,
    }


def _box(region: Region) -> dict[str, Any]:
    return {"box": region.box, "kind": region.kind, "model": region.model, "score": round(region.score, 3)}


def _told(decision: Decision) -> dict[str, Any]:
    """A decision in words of the page."""
    said = {"frame": decision.label, "trim": "trim", "box": decision.action, "video": decision.action}
    at = None if decision.at is None else milliseconds(decision.at)
    return {"seq": decision.seq, "video": decision.video, "kind": decision.kind, "at": at, "said": said[decision.kind]}


def _timeline(rows: _Rows, labels: Mapping[tuple[str, int], str], video: str) -> list[list[Any]]:
    """Points of a timeline: milliseconds, probability, first letter of what holds."""
    times = rows.times
    places = np.unique(np.linspace(0, len(times) - 1, min(len(times), TIMELINE)).round().astype(int)) if times else ()
    points: list[list[Any]] = []
    for place in places:
        frame = rows.frames[times[int(place)]]
        holds = labels.get((video, frame.at), frame.verdict)
        points.append([frame.at, round(frame.p, 2), holds[0], (video, frame.at) in labels])
    return points


KINDS_OF_BOXES: Sequence[str] = tuple(kind for kind in REGION_KINDS if kind not in ("face", "border"))
"""Kinds that a reviewer may draw."""
