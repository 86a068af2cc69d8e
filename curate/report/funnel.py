"""The funnel: how many videos and frames stand where, and why the others do not. A group-by over outcomes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from curate.records import Reason, Video
from curate.run.deduplicate import find_repeats, is_current
from curate.run.pipeline import Pipeline, StageStatus

NO_PROCEDURE = "(none)"


@dataclass
class StageRow:
    """One stage of the funnel.

    Attributes:
        done: Videos that passed.
        dropped: Videos dropped here, by reason.
        failed: Videos that failed here and wait, by reason.
        pending: Videos whose next step this is.
        figures: Sums of the stage's figures (frames, say) over the videos that passed or were dropped.
    """

    done: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    pending: int = 0
    figures: dict[str, int | float] = field(default_factory=dict)


@dataclass
class ProcedureRow:
    """One procedure of the funnel; a video with several procedures counts in each."""

    videos: int = 0
    complete: int = 0
    dropped: int = 0
    failed: int = 0
    pending: int = 0
    surgical: int = 0


@dataclass(frozen=True)
class Trouble:
    """A video that failed, or whose last try failed and will be tried again."""

    video: Video
    status: StageStatus


@dataclass
class Funnel:
    """All figures of a workspace.

    Attributes:
        videos: Videos in the manifest.
        complete: Videos done at every stage.
        stages: Rows by stage, in pipeline order.
        procedures: Rows by procedure, by name; `NO_PROCEDURE` where a video has none.
        troubles: Videos that failed, and pending ones whose last try failed.
        notes: (video id, stage, note) of finished videos that have something to say.
        duplicates: Ids of complete videos that exports leave out, with the id of the one that stays in their place.
    """

    videos: int = 0
    complete: int = 0
    stages: dict[str, StageRow] = field(default_factory=dict)
    procedures: dict[str, ProcedureRow] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    notes: list[tuple[str, str, str]] = field(default_factory=list)
    duplicates: dict[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        """Videos that did not get through for a reason that is not a decision."""
        return len(self.troubles)

    def to_json(self) -> dict[str, Any]:
        """Plain data, stable in its order."""
        return {
            "videos": self.videos,
            "complete": self.complete,
            "stages": {
                name: {
                    "done": row.done,
                    "dropped": dict(sorted(row.dropped.items())),
                    "failed": dict(sorted(row.failed.items())),
                    "pending": row.pending,
                    "figures": {k: round(v, 3) for k, v in sorted(row.figures.items())},
                }
                for name, row in self.stages.items()
            },
            "procedures": {name: vars(row) for name, row in sorted(self.procedures.items())},
            "failures": [
                {
                    "id": t.video.id,
                    "stage": t.status.stage,
                    "state": t.status.state,
                    "reason": t.status.event.reason if t.status.event else None,
                    "detail": t.status.event.detail if t.status.event else "",
                }
                for t in self.troubles
            ],
            "notes": [{"id": video, "stage": stage, "note": note} for video, stage, note in self.notes],
            "duplicates": [{"id": video, "kept": kept} for video, kept in self.duplicates.items()],
        }


def funnel(pipeline: Pipeline) -> Funnel:
    """Count where every video of a workspace stands."""
    result = Funnel(videos=len(pipeline.videos), stages={name: StageRow() for name in pipeline.specs})
    for video, statuses in pipeline.statuses_of(pipeline.videos):
        surgical = 0
        for last in statuses:
            _count(result, video, last)
            if last.stage == "trim" and last.event is not None:
                surgical = int(last.event.figures.get("surgical", 0))
        if last.state == "done":
            result.complete += 1
        for name in dict.fromkeys(video.procedures or (NO_PROCEDURE,)):
            row = result.procedures.get(name)
            if row is None:
                row = result.procedures[name] = ProcedureRow()
            row.videos += 1
            row.complete += last.state == "done"
            row.dropped += last.state == "dropped"
            row.failed += last.state == "failed"
            row.pending += last.state == "pending"
            row.surgical += surgical
    if pipeline.config.dedup.enabled:
        _count_duplicates(result, pipeline)
    return result


def _count_duplicates(result: Funnel, pipeline: Pipeline) -> None:
    """A row for what exports leave out of the complete videos; pending where these were not compared yet."""
    row = result.stages["dedup"] = StageRow()
    videos = pipeline.complete()
    if not is_current(pipeline, videos):
        row.pending = len(videos)
        return
    repeats = find_repeats(pipeline, videos)
    result.duplicates = dict(repeats.lost)
    row.done = len(videos) - len(repeats.lost)
    row.dropped[str(Reason.DUPLICATE)] += len(repeats.lost)
    row.dropped = +row.dropped
    if repeats.groups:
        row.figures["groups"] = len(repeats.groups)
    seconds = sum(end - start for spans in repeats.spans.values() for start, end in spans)
    if seconds:
        row.figures["seconds_left_out"] = round(seconds)


def _count(result: Funnel, video: Video, status: StageStatus) -> None:
    row = result.stages[status.stage]
    event = status.event
    if status.state == "pending":
        row.pending += 1
        if event is not None and event.outcome == "failed":
            result.troubles.append(Trouble(video, status))
        return
    assert event is not None
    if status.state == "failed":
        row.failed[str(event.reason)] += 1
        result.troubles.append(Trouble(video, status))
        return
    if status.state == "dropped":
        row.dropped[str(event.reason)] += 1
    else:
        row.done += 1
        if event.detail:
            result.notes.append((video.id, status.stage, event.detail))
    total = row.figures  # a plain dict: sums in a Counter take twice as long
    for name, value in event.figures.items():
        total[name] = total.get(name, 0) + value


def table(header: list[str], rows: list[list[str]]) -> str:
    """A plain text table: first column left, the others right, two blanks between."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = []
    for row in [header, *rows]:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def render(result: Funnel, *, procedures: bool) -> str:
    """The funnel as text for people."""
    parts = [f"{result.videos} videos in the manifest, {result.complete} complete"]
    rows = []
    for name, row in result.stages.items():
        dropped, failed = row.dropped.total(), row.failed.total()
        figures = ", ".join(_figure(k, v) for k, v in row.figures.items())
        rows.append([name, str(row.done), str(dropped), str(failed), str(row.pending), figures])
    text = table(["stage", "done", "dropped", "failed", "pending"], [r[:-1] for r in rows]).split("\n")
    parts.append("\n".join([text[0], *(f"{line}  {r[-1]}".rstrip() for line, r in zip(text[1:], rows, strict=True))]))
    reasons = [
        f"  {name}: {kind} {reason}: {count}"
        for name, row in result.stages.items()
        for kind, counter in (("dropped", row.dropped), ("failed", row.failed))
        for reason, count in sorted(counter.items())
    ]
    if reasons:
        parts.append("\n".join(["reasons:", *reasons]))
    if procedures and result.procedures:
        body = [
            [name, str(p.videos), str(p.complete), str(p.dropped), str(p.failed), str(p.pending), str(p.surgical)]
            for name, p in sorted(result.procedures.items())
        ]
        header = ["procedure", "videos", "complete", "dropped", "failed", "pending", "surgical frames"]
        parts.append(table(header, body))
    return "\n\n".join(parts)


def _figure(name: str, value: int | float) -> str:
    if name == "bytes":
        return f"{value / 1e6:.1f} MB"
    number = str(value) if isinstance(value, int) else f"{value:.1f}"
    return f"{number} {name.replace('_', ' ')}"


def render_troubles(result: Funnel, limit: int = 20) -> str:
    """The videos that failed, with reason and raw text, one a line."""
    lines = []
    for trouble in result.troubles[:limit]:
        event = trouble.status.event
        assert event is not None
        again = "will be tried again" if trouble.status.state == "pending" or event.retryable else "final"
        detail = " ".join(event.detail.split())[:200]
        lines.append(f"  {trouble.video.id}  {trouble.status.stage}: {event.reason} ({again}): {detail}")
    more = len(result.troubles) - limit
    if more > 0:
        lines.append(f"  and {more} more: curate status --json")
    return "\n".join([f"{len(result.troubles)} failed:", *lines])
