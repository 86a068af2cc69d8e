"""Writing the report, and only what changed of it.

``report/index.html`` and ``report/worst.html`` are written each time: they are small. The page of a video, with its
pictures, is written when its fingerprint changes, which covers the manifest's words about it, the outcomes of its
stages, the options of the report, and how pages look. ``videos/{id}/summary.json`` holds the fingerprint and is written
last, so that a page that was left half written is written anew.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from curate.errors import BadArtefact, CurateError
from curate.files.atomic import clear, clear_planted, write_atomic
from curate.files.bounded import parse_json, read_bounded
from curate.files.digest import digest
from curate.records import Video
from curate.report.funnel import funnel
from curate.report.pages.choice import choose
from curate.report.pages.duplicates import shared_by
from curate.report.pages.facts import VideoFacts, read_facts
from curate.report.pages.options import ReportOptions
from curate.report.pages.overview import ROW, Overview, row_of
from curate.report.pages.pictures import small_pictures
from curate.report.pages.render import assets, look, render_index, render_video, render_worst, script
from curate.report.pages.settings import models_of, settings_of
from curate.report.pages.summary import Summary, summarise
from curate.report.pages.video import video_data
from curate.run.deduplicate import table_path
from curate.run.pipeline import Pipeline
from curate.run.session import Session

log = logging.getLogger(__name__)

VERSION = 1
"""Raised when the code makes other pages or pictures of the same; templates and assets are looked at (`look`)."""

_LARGEST = 4_000_000
"""Bytes of a summary, at most; one has some thousands."""


@dataclass(frozen=True)
class Written:
    """What was done.

    Attributes:
        index: The first page.
        videos: Pages of videos that there are.
        written: Of these, pages that were written now.
        removed: Pages that were removed, since their videos must not be shown or are no longer listed.
        problems: (video id, what is wrong) where something could not be read; its page says so as well. Without an id
            where it is about no one video.
    """

    index: Path
    videos: int
    written: int
    removed: int
    problems: tuple[tuple[str, str], ...]


def write_pages(
    session: Session, options: ReportOptions | None = None, progress: Callable[[int], None] | None = None
) -> Written:
    """Bring the report of a workspace up to date.

    Args:
        session: The open workspace.
        options: What is shown.
        progress: Told of each video that is looked at.

    Raises:
        CurateError: The folder cannot be written, or another run is at work.
    """
    options = options or ReportOptions()
    folder = session.workspace.root / "report"
    try:
        with session.workspace.lock():
            return _write(session, folder, options, progress or (lambda _: None))
    except OSError as error:
        raise CurateError(f"cannot write the report to {folder}: {error.strerror or error}") from error


def _write(session: Session, folder: Path, options: ReportOptions, progress: Callable[[int], None]) -> Written:
    pipeline = session.pipeline
    pipeline.refresh()
    session.workspace.folder("report")
    for name in ("assets", "data", "videos"):
        (folder / name).mkdir(exist_ok=True)
        clear_planted(folder / name)
        (folder / name).mkdir(exist_ok=True)
    removed = _remove_others(folder / "videos", {video.id for video in pipeline.videos})
    pages = _Pages(session, folder / "videos", options)
    overview, rows, covers = Overview(), [], {}
    for video in pipeline.videos:
        summary = pages.bring_up_to_date(video)
        overview.add(summary)
        rows.append(row_of(summary))
        if summary["cover"]:
            covers[video.id] = f"videos/{video.id}/{summary['cover']}", (summary["width"], summary["height"])
        progress(1)
    duplicates = None
    try:
        table = table_path(session.workspace)
        duplicates = shared_by(table, pipeline.videos, session.config.dedup, covers)
    except BadArtefact as error:
        pages.problems.append(("", str(error)))
    name = session.workspace.root.name
    for asset, data in assets().items():
        _write_changed(folder / "assets" / asset, data)
    _write_changed(folder / "data" / "videos.js", script("curateVideos", {"columns": ROW, "rows": rows}))
    _write_changed(folder / "worst.html", render_worst(name, overview, duplicates=duplicates).encode())
    index = render_index(
        name, overview, funnel(pipeline), options=settings_of(session.config), models=models_of(pipeline)
    )
    _write_changed(folder / "index.html", index.encode())
    return Written(folder / "index.html", len(rows), pages.written, removed, tuple(pages.problems))


def _write_changed(path: Path, data: bytes) -> None:
    if path.is_symlink() or not path.is_file() or path.read_bytes() != data:
        write_atomic(path, data)


def _remove_others(folder: Path, listed: Collection[str]) -> int:
    """Remove the pages of videos that are not listed: purged, opted out, or taken from the list."""
    others = [path for path in folder.iterdir() if path.name not in listed]
    for path in others:
        clear(path)
    return len(others)


class _Pages:
    """The pages of videos, each with its summary."""

    def __init__(self, session: Session, folder: Path, options: ReportOptions) -> None:
        self._pipeline, self._folder, self._options = session.pipeline, folder, options
        self._name = session.workspace.root.name
        self.written = 0
        self.problems: list[tuple[str, str]] = []

    def bring_up_to_date(self, video: Video) -> Summary:
        """Write the page of a video if it changed; returns its summary."""
        folder = self._folder / video.id
        fingerprint = page_fingerprint(self._pipeline, video, self._options)
        if (kept := _stored(folder / "summary.json", fingerprint)) is not None:
            return kept
        clear(folder)
        folder.mkdir()
        summary, whole = self._write(video, folder)
        summary["fingerprint"] = fingerprint if whole else ""
        write_atomic(folder / "summary.json", json.dumps(summary, separators=(",", ":")).encode())
        self.written += 1
        return summary

    def _write(self, video: Video, folder: Path) -> tuple[Summary, bool]:
        """Write the page; returns its summary, and whether all could be read."""
        problem = ""
        try:
            facts = read_facts(self._pipeline, video)
            chosen = choose(facts)
            drawn = self._draw(facts, chosen, folder)
        except BadArtefact as error:
            problem = str(error)
            self.problems.append((video.id, problem))
            facts = VideoFacts(video, list(self._pipeline.statuses(video)), problem=problem)
            chosen, drawn = {}, set()
        data = video_data(facts, chosen, lambda n: f"{n:06d}.jpg" if n in drawn else "")
        (folder / "index.html").write_text(render_video(self._name, data), encoding="utf-8")
        return summarise(facts, data), not problem

    def _draw(self, facts: VideoFacts, chosen: dict[int, list[str]], folder: Path) -> set[int]:
        """Write the pictures of some rows; returns the numbers of their frames."""
        if not self._options.pictures or facts.judged is None or facts.frames is None:
            return set()
        wanted = {int(facts.judged.n[row]) for row in chosen}
        hidden = {} if self._options.show_findings else facts.findings
        drawn = set()
        for n, jpeg in small_pictures(facts.frames, wanted, hidden):
            (folder / f"{n:06d}.jpg").write_bytes(jpeg)
            drawn.add(n)
        return drawn


def page_fingerprint(pipeline: Pipeline, video: Video, options: ReportOptions) -> str:
    """Fingerprint of all that the page of a video shows."""
    events = [
        [status.stage, status.state, status.fingerprint, event and [event.time, event.attempt, event.outcome]]
        for status in pipeline.statuses(video)
        for event in (status.event,)
    ]
    return digest([VERSION, look(), dataclasses.asdict(options), dataclasses.asdict(video), events])


def _stored(path: Path, fingerprint: str) -> Summary | None:
    """The summary of a page that is as it should be; ``None`` if the page is to be written."""
    try:
        found = parse_json(read_bounded(path, _LARGEST))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("fingerprint") == fingerprint else None
