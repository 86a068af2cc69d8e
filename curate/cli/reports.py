"""What people look at, written and told of: by ``curate report`` and by flags of the stage commands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from curate.cli.common import is_quiet
from curate.cli.exits import say, show, writing
from curate.errors import CurateError

if TYPE_CHECKING:
    from curate.report.pages.options import ReportOptions
    from curate.run.session import Session


def show_pages(session: Session, options: ReportOptions) -> bool:
    """Bring the pages of the report up to date; returns whether something could not be read."""
    from curate.cli.meter import Meter
    from curate.report.pages.write import write_pages

    with Meter("report", len(session.pipeline.videos), "video", quiet=is_quiet()) as meter:
        written = write_pages(session, options, meter)
    for video, problem in written.problems:
        say(f"video {video}: {problem}: 'curate run' makes it again" if video else problem)
    gone = f", {written.removed} removed" if written.removed else ""
    show(f"{written.written} of {written.videos} pages of videos were written{gone}: {written.index}")
    return bool(written.problems)


def show_masks(session: Session, videos: Sequence[str]) -> None:
    """Draw the boxes of some videos.

    Raises:
        CurateError: A video has none, or is not in the manifest; those of the others are drawn.
    """
    from curate.report.masks import explain_masks

    wrong = []
    for video in videos:
        try:
            folder, count = explain_masks(session, video)
        except CurateError as error:
            wrong.append(str(error))
            continue
        show(f"{video}: {count} frames with their boxes drawn: {folder}")
    if wrong:
        raise CurateError("; ".join(wrong))


def show_audit(session: Session) -> None:
    """Write the pages of the privacy audit."""
    from curate.report.audit import report_audit

    folder, videos, pictures = report_audit(session)
    show(f"{videos} videos with findings, {pictures} pictures: {folder / 'index.html'}")


def show_review(session: Session, folder: Path) -> None:
    """Lay out the uncertain frames for a person to decide."""
    from curate.review.uncertain import review_uncertain

    videos, frames = review_uncertain(session, folder)
    show(f"{frames} uncertain frames of {videos} videos to decide: {folder}")


def show_missing(session: Session, path: Path) -> None:
    """Write the table of videos that are not downloaded; said on standard error, since the funnel may follow."""
    from curate.report.missing import write_missing

    with writing(path):
        count = write_missing(session.pipeline, path)
    say(f"{count} videos that are not downloaded are listed in {path}")


def show_funnel(session: Session, *, as_json: bool) -> None:
    """Print the funnel."""
    from curate.report.funnel import funnel, render, render_troubles

    result = funnel(session.pipeline)
    if as_json:
        show(json.dumps(result.to_json(), indent=2))
        return
    show(render(result, procedures=True))
    if result.troubles:
        show("\n" + render_troubles(result))
