"""One command a stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import cloup

from curate.cli import reports
from curate.cli.common import verbosity
from curate.cli.exits import leave
from curate.cli.flags import config_flag, shard_flag, workspace_flag
from curate.cli.options import Layer, stage_flags
from curate.cli.source_flags import source_flags
from curate.errors import CurateError

if TYPE_CHECKING:
    from curate.run.session import Session


Flag = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Adds a flag to a command."""


@dataclass(frozen=True)
class Report:
    """A flag of a stage command that writes a report once the stage is done.

    Attributes:
        name: Of the parameter.
        flag: Adds it to a command.
        show: Writes the report; called with the value of the flag if one was given.
    """

    name: str
    flag: Flag
    show: Callable[[Session, Any], None]


def _stage_command(name: str, help: str, *, takes_source: bool = False, report: Report | None = None) -> click.Command:
    """The command of a stage.

    Args:
        name: Of the stage.
        help: What it does.
        takes_source: Whether it may be given a list of videos.
        report: What it can show of its results.
    """

    def body(workspace: Path, config_file: Path | None, shard: tuple[int, int], given: Layer, **others: Any) -> None:
        from curate.cli.work import do_stages
        from curate.run.session import Sources, open_session

        source = others.get("source", ())
        sources = Sources(source, others.get("source_format"), others.get("opt_out", ()), others.get("unstated"))
        session = open_session(workspace, given=given, config_file=config_file, sources=sources, create=bool(source))
        if name not in session.pipeline.specs:
            raise CurateError(f"{name} is switched off in {session.workspace.config_path}: see 'curate {name} --help'")
        failures = do_stages(session, [name], shard, export=False)
        if report is not None and others[report.name]:
            report.show(session, others[report.name])
        leave(failures=failures)

    body.__doc__ = help
    decorated: Any = body
    flags: list[Flag] = [
        verbosity,
        stage_flags(name, "engine"),
        *([report.flag] if report else []),
        shard_flag,
        config_flag,
    ]
    for flag in (*flags, workspace_flag, *([source_flags] if takes_source else [])):
        decorated = flag(decorated)  # the last one comes first in the help
    return cloup.command(name=name)(decorated)


download = _stage_command(
    "download",
    """Fetch the videos of SOURCE, or of the workspace's own manifest; local files are linked, not copied.

    Safe to interrupt and to run again: finished videos are skipped, partial files resume.
    """,
    takes_source=True,
)

screen = _stage_command(
    "screen",
    """Look at whole videos, and drop those that do not show surgery, before they are sampled.

    Off by default: --method frames or lemon switches it on for the workspace. Every video gets a storyboard picture
    to look at in storyboards/, dropped ones too.
    """,
)

sample = _stage_command(
    "sample", "Take frames at a fixed rate by presentation time, and store them as JPEG in Parquet, once."
)

classify = _stage_command("classify", "Give every sampled frame its probability of showing surgery.")

trim = _stage_command(
    "trim",
    """Turn probabilities into verdicts, and find where the surgery begins and ends.

    Kept is what lies between the start of the first and the end of the last run of surgical frames that is long
    enough. A video without such a run is dropped; its verdicts stay for inspection.

    Frames of which the network is not sure are uncertain. A person can decide them: --review FOLDER writes them as
    pictures, contact sheets and frames.csv; fill in its column label (surgical or non-surgical), and give it to
    --decisions. Only the videos it is about are done again.
    """,
    report=Report(
        "review",
        click.option(
            "--review",
            type=click.Path(path_type=Path, file_okay=False),
            help="Lay out the uncertain frames in this new folder, with a table to fill in for --decisions.",
        ),
        reports.show_review,
    ),
)

mask = _stage_command(
    "mask",
    "Find regions of surgical frames that are not surgery, and store their boxes; nothing is painted.",
    report=Report(
        "explain",
        click.option(
            "--explain", metavar="VIDEO", multiple=True, help="Write frames of this video with their boxes drawn."
        ),
        reports.show_masks,
    ),
)

field = _stage_command(
    "field",
    """Find the endoscope's field of view, a circle or rectangle in a dark surround, and store it; nothing is cropped.

    One field a shot: it changes where the picture's borders change and nowhere else.
    """,
)

audit = _stage_command(
    "audit",
    """Find faces, and text that reads like a name, a date or an identifier, on the frames that are kept.

    Boxes are stored, and the shape of the text, not the text. What becomes of them is decided by --privacy when shards
    are written.
    """,
    report=Report(
        "report",
        click.option("--report", is_flag=True, help="Write pages with pictures of what was found to report/audit."),
        lambda session, _: reports.show_audit(session),
    ),
)

embed = _stage_command(
    "embed",
    """Make a vector of each sampled frame, so that neighbours and duplicates can be found across videos.

    Off by default: --model switches it on for the workspace. SurgeNet's, SurgeNetDINO's and LemonFM's published
    checkpoints are recognised by the names of their tensors; all of the backbone is loaded, or nothing.
    """,
)

signature = _stage_command(
    "signature",
    """Hash one kept frame a second, and its mirror image, so that 'curate corpus dedup' can find duplicates.

    Hashed is the field of view, without the regions of mask. Off by default: --method hashes switches it on for the
    workspace, and so does --dedup of 'curate run'.
    """,
)
