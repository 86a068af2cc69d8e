"""The page of one video with its pictures and its summary, written into a folder; work that any process can do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from curate.engine.protocol import Attempt, Task
from curate.errors import BadArtefact
from curate.report.pages.choice import choose
from curate.report.pages.facts import Sources, VideoFacts, read_facts
from curate.report.pages.options import ReportOptions
from curate.report.pages.pictures import small_pictures
from curate.report.pages.render import render_video
from curate.report.pages.summary import summarise
from curate.report.pages.video import video_data
from curate.stage import Resources

SUMMARY = "summary.json"
"""Kept beside each page: what the overview needs, with the fingerprint of all that the page shows."""


@dataclass(frozen=True)
class PageJob:
    """A page to write.

    Attributes:
        sources: What it is made of.
        fingerprint: Of all that it shows.
    """

    sources: Sources
    fingerprint: str


def write_page(folder: Path, name: str, job: PageJob, options: ReportOptions, *, problem: str = "") -> str:
    """Write the page of a video, with its pictures and its summary.

    Args:
        folder: To be made.
        name: Of the workspace.
        job: What is shown.
        options: How it is shown.
        problem: Why nothing can be read, where that is known before.

    Returns:
        What could not be read; the page then says so in place of what it would show, and its summary has no
        fingerprint, so that it is written anew the next time.
    """
    folder.mkdir(parents=True)
    facts = VideoFacts(job.sources.video, job.sources.statuses, problem=problem)
    chosen: Mapping[int, list[str]] = {}
    drawn: set[int] = set()
    if not problem:
        try:
            read = read_facts(job.sources)
            chosen = choose(read)
            drawn = _draw(folder, read, chosen, options)
            facts = read
        except BadArtefact as error:
            problem = str(error)
            facts, chosen, drawn = VideoFacts(facts.video, facts.statuses, problem=problem), {}, set()
    hidden = not options.show_findings
    data = video_data(facts, chosen, lambda n: f"{n:06d}.jpg" if n in drawn else "", hidden=hidden)
    (folder / "index.html").write_text(render_video(name, data), encoding="utf-8")
    summary = {"fingerprint": "" if problem else job.fingerprint, **summarise(facts, data)}
    (folder / SUMMARY).write_text(json.dumps(summary, separators=(",", ":")), encoding="utf-8")
    return problem


def _draw(folder: Path, facts: VideoFacts, chosen: Mapping[int, list[str]], options: ReportOptions) -> set[int]:
    """Write the pictures of some rows; returns the numbers of their frames."""
    judged = facts.judged
    if not options.pictures or judged is None or facts.frames is None:
        return set()
    rows = {int(judged.n[row]): row for row in chosen}
    hidden = {} if options.show_findings else facts.findings
    coarse = set() if options.show_findings else {n for n, row in rows.items() if not facts.seen(row)}
    drawn = set()
    for n, jpeg in small_pictures(facts.frames, rows, hidden, coarse):
        (folder / f"{n:06d}.jpg").write_bytes(jpeg)
        drawn.add(n)
    return drawn


class PageWork:
    """A `curate.engine.Work` that writes pages below a folder, each as ``{token}/{id}``.

    Its results are these folders, relative to the folder, and what could not be read.

    Args:
        folder: Where they are written.
        name: Of the workspace.
        options: Of the report.
    """

    def __init__(self, folder: Path, name: str, options: ReportOptions) -> None:
        self._folder, self._name, self._options = folder, name, options

    @property
    def resources(self) -> Resources:
        """A core: there are many pages."""
        return Resources()

    def setup(self) -> None:
        """Templates are read with the first page."""

    def do(self, task: Task, attempt: Attempt) -> tuple[str, str]:
        """Write a page; the task's payload is a `PageJob`."""
        made = f"{attempt.token}/{task.id}"
        problem = write_page(self._folder / made, self._name, task.payload, self._options)
        attempt.progress()
        return made, problem

    def close(self) -> None:
        """Nothing was taken."""
