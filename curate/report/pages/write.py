"""Writing the report, and only what changed of it.

``report/index.html`` and ``report/worst.html`` are written each time: they are small. The page of a video, with its
pictures, is written when its fingerprint changes, which covers the manifest's words about it, the outcomes of its
stages, the options of the report, and how pages look. Pages are written by workers of the engine below ``report/.new``
and moved to where they belong when they are whole; ``videos/{id}/summary.json`` holds the fingerprint.

A run may go on meanwhile: stages leave whole files, and a page whose video got on is written again by the next report.
What excludes one another are reports, and a report and a purge.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.engine import Answer, Finished, Halt, Task, make_engine
from curate.errors import BadArtefact, CurateError
from curate.files.atomic import clear, clear_planted, write_changed
from curate.files.bounded import parse_json, read_bounded
from curate.files.digest import digest
from curate.records import Video
from curate.report.embedding_map import embedding_map
from curate.report.funnel import funnel
from curate.report.pages.duplicates import shared_by
from curate.report.pages.facts import sources_of
from curate.report.pages.options import ReportOptions
from curate.report.pages.overview import ROW, Overview, row_of
from curate.report.pages.page import SUMMARY, PageJob, PageWork, write_page
from curate.report.pages.render import assets, look, render_index, render_worst, script
from curate.report.pages.settings import models_of, settings_of
from curate.report.pages.summary import Summary
from curate.run.deduplicate import table_path
from curate.run.pipeline import Pipeline
from curate.run.session import Session, refuse_purged

log = logging.getLogger(__name__)

VERSION = 2
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
        progress: Told of each video whose page is as it should be.

    Raises:
        CurateError: The folder cannot be written, or another report or a purge is at work.
    """
    folder = session.workspace.root / "report"
    try:
        with session.workspace.reporting():
            return _write(session, folder, options or ReportOptions(), progress or (lambda _: None))
    except OSError as error:
        raise CurateError(f"cannot write the report to {folder}: {error.strerror or error}") from error


def rewrite_lists(session: Session) -> int:
    """Write the overview of a report anew, from the pages that are there; the caller holds `Workspace.reporting`.

    Returns:
        Videos that have no page, and are left out of the list until the next report.

    Raises:
        CurateError: Something cannot be read.
        OSError: Something cannot be written.
    """
    folder = session.workspace.root / "report"
    _prepare(folder)
    _remove_others(folder / "videos", {video.id for video in session.pipeline.videos})
    return len(session.pipeline.videos) - _write_lists(session, folder, [])


def _write(session: Session, folder: Path, options: ReportOptions, progress: Callable[[int], None]) -> Written:
    pipeline = session.pipeline
    refuse_purged(session)
    pipeline.refresh()
    session.workspace.folder("report")
    _prepare(folder)
    removed = _remove_others(folder / "videos", {video.id for video in pipeline.videos})
    pages = _Pages(session, folder, options, progress)
    try:
        pages.bring_up_to_date()
    finally:
        clear(folder / ".new")
    problems = pages.problems()
    count = _write_lists(session, folder, problems)
    return Written(folder / "index.html", count, pages.written, removed, tuple(problems))


def _prepare(folder: Path) -> None:
    for name in ("assets", "data", "videos"):
        (folder / name).mkdir(exist_ok=True)
        clear_planted(folder / name)
        (folder / name).mkdir(exist_ok=True)
    clear(folder / ".new")


def _write_lists(session: Session, folder: Path, problems: list[tuple[str, str]]) -> int:
    """Write all pages but those of videos; returns for how many videos, and adds to ``problems`` what is unreadable."""
    pipeline = session.pipeline
    overview, rows, covers = Overview(), [], {}
    for video in pipeline.videos:
        if (summary := _stored(folder / "videos" / video.id)) is None:
            continue
        overview.add(summary)
        rows.append(row_of(summary))
        if summary["cover"]:
            covers[video.id] = f"videos/{video.id}/{summary['cover']}", (summary["width"], summary["height"])
    duplicates = None
    try:
        table = table_path(session.workspace)
        duplicates = shared_by(table, pipeline.videos, session.config.dedup, covers)
    except BadArtefact as error:
        problems.append(("", str(error)))
    name = session.workspace.root.name
    for asset, data in assets().items():
        write_changed(folder / "assets" / asset, data)
    write_changed(folder / "data" / "videos.js", script("curateVideos", {"columns": ROW, "rows": rows}))
    write_changed(folder / "worst.html", render_worst(name, overview, duplicates=duplicates).encode())
    index = render_index(
        name,
        overview,
        funnel(pipeline),
        options=settings_of(session.config),
        models=models_of(pipeline),
        placed=embedding_map(pipeline, problems),
    )
    write_changed(folder / "index.html", index.encode())
    return len(rows)


def _remove_others(folder: Path, listed: Collection[str]) -> int:
    """Remove the pages of videos that are not listed: purged, opted out, or taken from the list."""
    others = [path for path in folder.iterdir() if path.name not in listed]
    for path in others:
        clear(path)
    return len(others)


class _Pages:
    """The pages of videos, each with its summary."""

    def __init__(self, session: Session, folder: Path, options: ReportOptions, progress: Callable[[int], None]) -> None:
        self._session, self._pipeline, self._options = session, session.pipeline, options
        self._new, self._final = folder / ".new", folder / "videos"
        self._name = session.workspace.root.name
        self._progress = progress
        self._unread: dict[str, tuple[str, str]] = {}
        self.written = 0

    def bring_up_to_date(self) -> None:
        """Write the pages of the videos that changed.

        Raises:
            CurateError: The disk is full or fails, or the engine does not answer.
        """
        if not (tasks := list(self._changed())):
            return
        halts: list[str] = []

        def observe(task: Task, answer: Answer) -> Iterable[Task]:
            if isinstance(answer, Halt):
                halts.append(answer.message)
            elif isinstance(answer, Finished):
                self._take(task.payload, *answer.result)
            else:
                self._give_up(task.payload, f"{answer.reason}: {answer.detail}")
            return ()

        engine = make_engine(self._session.config.engine, self._session.workspace.root)
        engine.run({"page": PageWork(self._new, self._name, self._options)}, tasks, observe)
        if halts:
            raise CurateError(
                f"cannot write the report: {halts[0]}. Pages that are written stay: run it again to go on"
            )

    def problems(self) -> list[tuple[str, str]]:
        """What could not be read, with the ids of its videos; not of those that a run has got on with since."""
        if not self._unread:
            return []
        self._pipeline.refresh()
        now = {
            video.id: page_fingerprint(self._pipeline, video, self._options)
            for video in self._pipeline.videos
            if video.id in self._unread
        }
        return [(video, why) for video, (then, why) in sorted(self._unread.items()) if now[video] == then]

    def _changed(self) -> Iterator[Task]:
        for video in self._pipeline.videos:
            fingerprint = page_fingerprint(self._pipeline, video, self._options)
            kept = _stored(self._final / video.id)
            if kept is None or kept.get("fingerprint") != fingerprint:
                yield Task("page", video.id, PageJob(sources_of(self._pipeline, video), fingerprint))
            else:
                self._progress(1)

    def _take(self, job: PageJob, made: str, problem: str) -> None:
        """Move a page that is whole to where it belongs."""
        video = job.sources.video.id
        clear(self._final / video)
        os.replace(self._new / made, self._final / video)
        if problem:
            self._unread[video] = job.fingerprint, problem
        self.written += 1
        self._progress(1)

    def _give_up(self, job: PageJob, why: str) -> None:
        """Write the page of a video at which a worker ended, without anything that would have to be read."""
        made = f"given-up/{job.sources.video.id}"
        problem = f"its page could not be made ({why})"
        write_page(self._new / made, self._name, job, self._options, problem=problem)
        self._take(job, made, problem)


def page_fingerprint(pipeline: Pipeline, video: Video, options: ReportOptions) -> str:
    """Fingerprint of all that the page of a video shows."""
    events = [
        [status.stage, status.state, status.fingerprint, event and [event.time, event.attempt, event.outcome]]
        for status in pipeline.statuses(video)
        for event in (status.event,)
    ]
    return digest([VERSION, look(), dataclasses.asdict(options), dataclasses.asdict(video), events])


def _stored(folder: Path) -> Summary | None:
    """The summary beside a page; ``None`` if there is none, or no page."""
    try:
        found: Any = parse_json(read_bounded(folder / SUMMARY, _LARGEST))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and (folder / "index.html").is_file() else None
