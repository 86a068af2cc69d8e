"""The page of one video as plain data: what the template shows, and what its script reads from one block of JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from curate.files.text import printable
from curate.files.urls import redact_url
from curate.records import NON_SURGICAL, SURGICAL, UNCERTAIN, Finding, Region, Video
from curate.report.pages.choice import doubt, runs_of
from curate.report.pages.facts import VERDICTS, Judged, VideoFacts
from curate.run.pipeline import StageStatus
from curate.workspace.tables.fields import ShotField

LETTERS = "snu"
"""A letter for each of `VERDICTS`, in their order."""

REASONS = {
    "before_first_run": "before the first run of surgery",
    "after_last_run": "after the last run of surgery",
    "no_run": "the video has no run of surgery",
}
"""Why a second lies outside of the trimmed video, in words."""

Chosen = Mapping[int, Sequence[str]]


def video_data(
    facts: VideoFacts, chosen: Chosen, pictures: Callable[[int], str], *, hidden: bool = True
) -> dict[str, Any]:
    """Everything a page shows, of types that JSON has; no text of it steers a page or turns its writing.

    Args:
        facts: Of the video.
        chosen: Rows to show, and why (`curate.report.pages.choice.choose`).
        pictures: Address of the picture of frame ``n``, relative to the page; empty where there is none.
        hidden: Whether findings are unrecognisable in the pictures, and those of frames that no audit saw are coarse.

    Returns:
        ``id``, ``title`` and the like; ``stages``; with verdicts also ``timeline``, ``runs`` and ``pictures``.
    """
    video = facts.video
    data: dict[str, Any] = {
        **about(video),
        "width": facts.size[0] or video.width or 0,
        "height": facts.size[1] or video.height or 0,
        "state": facts.last.state,
        "stage": facts.last.stage,
        "reason": _reason(facts.last),
        "detail": facts.last.event.detail if facts.last.event else "",
        "stages": [_stage(status) for status in facts.statuses],
        "problem": facts.problem,
        "masked": facts.masked,
        "audited": facts.audited,
        "hidden": hidden,
        "timeline": None,
        "runs": [],
        "pictures": [],
    }
    if facts.judged is not None:
        data["timeline"] = _timeline(facts, facts.judged)
        data["runs"] = _runs(facts.judged)
        data["pictures"] = [_picture(facts, facts.judged, row, whys, pictures) for row, whys in chosen.items()]
    return clean(data)


def about(video: Video) -> dict[str, Any]:
    """What is known of a video without looking at it.

    Of a local file only the name is told; a case is not told at all: it may name a patient.
    """
    address = PurePath(video.source).name if video.is_local else redact_url(video.source)
    return {
        "id": video.id,
        "title": video.title,
        "source": address,
        "url": "" if video.is_local else address,
        "site": "local files" if video.is_local else (urlsplit(video.source).hostname or "").removeprefix("www."),
        "procedures": list(video.procedures),
        "domain": video.domain,
        "robotic": video.robotic,
        "licence": video.licence,
        "channel": video.channel,
        "corpus": video.corpus,
        "public": video.public,
        "duration": video.duration,
    }


def clean(value: Any) -> Any:
    """Data with every text in it made printable (`curate.files.text`)."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {key: clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item) for item in value]
    return value


def _reason(status: StageStatus) -> str:
    return str(status.event.reason) if status.event and status.event.reason else ""


def _stage(status: StageStatus) -> dict[str, Any]:
    event = status.event
    when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(event.time)) if event else ""
    return {
        "name": status.stage,
        "state": status.state,
        "reason": _reason(status),
        "detail": event.detail if event else "",
        "seconds": event.seconds if event else 0.0,
        "when": when,
        "figures": dict(event.figures) if event else {},
    }


def _timeline(facts: VideoFacts, judged: Judged) -> dict[str, Any]:
    """Columns with a place a frame; sparse ones are lists of ``[row, ...]``. Probabilities in thousandths."""
    rows = {int(n): row for row, n in enumerate(judged.n)}
    covered = facts.covered
    kept = np.flatnonzero(judged.kept)
    shots = [rows[shot.first] for shot in facts.fields if shot.first in rows]
    return {
        "n": judged.n.tolist(),
        "t": np.round(judged.timestamps, 2).tolist(),
        "p": _thousandths(judged.p),
        "smoothed": _thousandths(judged.smoothed) if judged.smoothed is not judged.p else None,
        "verdict": "".join(LETTERS[code] for code in judged.verdict),
        "kept": [int(kept[0]), int(kept[-1]) + 1] if len(kept) else None,
        "threshold": judged.threshold,
        "band": list(judged.band),
        "shots": sorted({*shots, *judged.cuts.tolist()}),
        "masks": [
            [rows[n], round(1000 * covered.get(n, 0.0)), len(regions)]
            for n, regions in sorted(facts.regions.items())
            if n in rows
        ],
        "findings": [
            [rows[n], sorted({finding.kind for finding in found})]
            for n, found in sorted(facts.findings.items())
            if n in rows
        ],
    }


def _thousandths(values: Any) -> list[int]:
    found: list[int] = np.round(values * 1000).astype(int).tolist()
    return found


def _runs(judged: Judged) -> list[dict[str, Any]]:
    """The verdicts as a table of stretches, in order: the timeline for those who do not see it."""
    keys = list(zip(judged.verdict.tolist(), judged.reasons, strict=True))
    ends = [*judged.timestamps[1:].tolist(), float(judged.timestamps[-1])]
    return [
        {
            "start": float(judged.timestamps[first]),
            "end": ends[last - 1],
            "frames": last - first,
            "verdict": VERDICTS[judged.verdict[first]],
            "kept": bool(judged.kept[first]),
            "why": REASONS.get(judged.reasons[first], judged.reasons[first]),
            "p": float(judged.p[first:last].mean()),
        }
        for first, last in runs_of(keys)
    ]


def _picture(
    facts: VideoFacts, judged: Judged, row: int, whys: Sequence[str], pictures: Callable[[int], str]
) -> dict[str, Any]:
    n = int(judged.n[row])
    verdict = VERDICTS[judged.verdict[row]]
    return {
        "row": row,
        "n": n,
        "t": float(judged.timestamps[row]),
        "p": float(judged.p[row]),
        "smoothed": float(judged.smoothed[row]),
        "doubt": float(doubt(judged)[row]),
        "flipped": bool(judged.flipped[row]),
        "verdict": verdict,
        "kept": bool(judged.kept[row]),
        "reason": _because(judged, row, verdict),
        "whys": list(whys),
        "src": pictures(n),
        "width": facts.size[0],
        "height": facts.size[1],
        "boxes": [_box(region) for region in facts.regions.get(n, ())],
        "covered": facts.covered.get(n, 0.0),
        "findings": [_box(finding) for finding in facts.findings.get(n, ())],
        "field": _field(facts.fields, n),
        "audited": facts.seen(row),
    }


def _because(judged: Judged, row: int, verdict: str) -> str:
    if judged.reasons[row]:
        return REASONS.get(judged.reasons[row], judged.reasons[row])
    if verdict != UNCERTAIN and (verdict == SURGICAL) != (judged.smoothed[row] >= judged.threshold):
        return "decided by a person"
    if verdict == UNCERTAIN:
        return f"probability between {judged.band[0]:.2f} and {judged.band[1]:.2f}"
    if verdict == NON_SURGICAL:
        return f"probability below {judged.threshold:.2f}"
    return f"probability at least {judged.threshold:.2f}"


def _box(found: Region | Finding) -> dict[str, Any]:
    return {"kind": found.kind, "score": float(found.score), "model": found.model, "box": list(found.box)}


def _field(fields: Sequence[ShotField], n: int) -> dict[str, Any] | None:
    """The field of view in a frame; ``None`` where it is not known or is the whole frame."""
    shot = next((shot for shot in fields if shot.first <= n <= shot.last), None)
    if shot is None or shot.shape == "none":
        return None
    return {
        "shape": shot.shape,
        "box": [shot.x1, shot.y1, shot.x2, shot.y2],
        "ellipse": [float(value) for value in (shot.cx, shot.cy, shot.rx, shot.ry)] if shot.rx > 0 else None,
    }
