"""The templates filled in.

Every text that a template prints is escaped by jinja2 and passes `curate.files.text.printable` first, so no title can
hold markup, steer the page, or turn the direction of what stands beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from curate.charts.svg import STYLE
from curate.files.clock import clock
from curate.files.digest import digest
from curate.files.text import printable
from curate.report.embedding_map import EmbeddingMap
from curate.report.funnel import Funnel
from curate.report.pages.duplicates import Shared
from curate.report.pages.overview import SHEETS, Overview
from curate.report.pages.plots import plots_of
from curate.report.pages.settings import Model, Setting
from curate.version import __version__

ASSETS = ("icon.svg", "report.css", "report.js")
"""Files that the pages link, beside ``charts.css``."""


def _finalize(value: Any) -> Any:
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def environment() -> Environment:
    """The templates of the report."""
    made = Environment(
        loader=PackageLoader("curate.report.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "clock": clock,
        "hours": lambda seconds: f"{seconds / 3600:,.1f}" if seconds >= 360 else f"{seconds / 3600:.2f}",
        "whole": lambda value: f"{value:,.0f}",
        "percent": lambda share: f"{share:.1%}",
        "words": lambda name: str(name).replace("_", " "),
        "figure": lambda value: f"{value:,}" if isinstance(value, int) else f"{value:,.1f}",
    }
    made.globals["version"] = __version__
    return made


def render_index(
    name: str,
    overview: Overview,
    counted: Funnel,
    *,
    options: Mapping[str, Sequence[Setting]],
    models: Sequence[Model],
    placed: EmbeddingMap | None = None,
) -> str:
    """The first page: the funnel, what the corpus is made of, and the list of videos.

    Args:
        name: Of the workspace.
        overview: Figures over all videos.
        counted: Where the videos stand.
        options: Options used, by table (`curate.report.pages.settings`).
        models: Weights of the stages.
        placed: Some frames in the plane, where there are vectors.
    """
    template = environment().get_template("index.html")
    return template.render(
        root="",
        name=name,
        overview=overview,
        plots=plots_of(overview, counted, placed),
        reasons=_reasons(counted),
        options=options,
        models=models,
    )


def _reasons(counted: Funnel) -> list[tuple[str, str, str, int]]:
    """Stage, outcome, reason and how many videos, the most first."""
    found = [
        (stage, kind, reason, number)
        for stage, row in counted.stages.items()
        for kind, numbers in (("dropped", row.dropped), ("failed", row.failed))
        for reason, number in numbers.items()
    ]
    return sorted(found, key=lambda line: (-line[3], line[:3]))


def render_worst(name: str, overview: Overview, *, duplicates: Shared | None = None) -> str:
    """The page of contact sheets: least sure, flipped, most covered, with findings, duplicates.

    Args:
        name: Of the workspace.
        overview: Figures over all videos.
        duplicates: Groups of duplicates; ``None`` if they were not looked for.
    """
    sheets = [(why, *SHEETS[why][:2], overview.sheets[why].pictures()) for why in SHEETS]
    template = environment().get_template("worst.html")
    return template.render(
        root="",
        name=name,
        sheets=sheets,
        turned=overview.turned.pictures(),
        duplicates=duplicates,
    )


def render_video(name: str, data: Mapping[str, Any]) -> str:
    """The page of one video.

    Args:
        name: Of the workspace.
        data: Of `curate.report.pages.video.video_data`; it stands in the page once more as JSON, in ``#data``.
    """
    return environment().get_template("video.html").render(root="../../", name=name, video=data)


def assets() -> dict[str, bytes]:
    """Files that the pages link, by name."""
    folder = files("curate.report.pages") / "assets"
    return {"charts.css": STYLE.encode(), **{name: (folder / name).read_bytes() for name in ASSETS}}


@cache
def look() -> str:
    """Fingerprint of all that makes pages look as they do; a new version of curate may change it."""
    templates = files("curate.report.pages") / "templates"
    sources = {entry.name: entry.read_text("utf-8") for entry in templates.iterdir() if entry.name.endswith(".html")}
    return digest([__version__, sources, {name: data.decode() for name, data in assets().items()}])


def script(name: str, value: Any) -> bytes:
    """A script that sets ``window.{name}``: the only way to read data from a page that was opened from disk."""
    data = json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    return f"window.{name} = {data};\n".encode()
