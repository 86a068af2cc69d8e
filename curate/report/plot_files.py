"""The plots of the report as files of their own, for papers, cards and talks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from curate.charts.svg import standalone
from curate.errors import BadArtefact, CurateError
from curate.files.atomic import write_atomic
from curate.report.embedding_map import embedding_map
from curate.report.funnel import funnel
from curate.report.pages.facts import VideoFacts, read_facts, sources_of
from curate.report.pages.overview import Overview
from curate.report.pages.plots import plots_of
from curate.report.pages.summary import summarise
from curate.report.pages.video import video_data
from curate.run.pipeline import Pipeline


@dataclass(frozen=True)
class PlotFiles:
    """What was written.

    Attributes:
        paths: The files.
        problems: (video id, what is wrong) where something could not be read; the plots lack it.
    """

    paths: tuple[Path, ...]
    problems: tuple[tuple[str, str], ...]


def write_plots(pipeline: Pipeline, folder: Path) -> PlotFiles:
    """Draw a workspace as SVG files, each with its colours in it.

    Args:
        pipeline: Of the open workspace.
        folder: Where the files go; made if missing.

    Raises:
        CurateError: The folder cannot be written.
    """
    problems: list[tuple[str, str]] = []
    overview = _overview(pipeline, problems)
    shown = plots_of(overview, funnel(pipeline), embedding_map(pipeline, problems))
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for plot in shown:
            path = folder / f"{plot.title.lower().replace(' ', '-')}.svg"
            write_atomic(path, standalone(str(plot.svg), plot.title).encode())
            paths.append(path)
    except OSError as error:
        raise CurateError(f"cannot write plots to {folder}: {error.strerror or error}") from error
    return PlotFiles(tuple(paths), tuple(problems))


def _overview(pipeline: Pipeline, problems: list[tuple[str, str]]) -> Overview:
    """Figures over all videos, from their tables; no picture is read."""
    overview = Overview()
    for video in pipeline.videos:
        sources = sources_of(pipeline, video)
        try:
            facts = read_facts(sources)
        except BadArtefact as error:
            problems.append((video.id, str(error)))
            facts = VideoFacts(sources.video, sources.statuses, problem=str(error))
        overview.add(summarise(facts, video_data(facts, {}, lambda n: "")))
    return overview
