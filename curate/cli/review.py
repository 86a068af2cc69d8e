"""``curate review``: people correct what models said, and what they say goes before them."""

from __future__ import annotations

from pathlib import Path

import click

from curate.cli.common import is_quiet, verbosity
from curate.cli.exits import say, show
from curate.cli.lazy import CommandTable, LazyGroup
from curate.errors import CurateError

COMMANDS: CommandTable = {
    "next": ("curate.cli.review_tools:next_frames", "Frames that are most worth looking at, as CSV."),
    "estimate": ("curate.cli.review_tools:estimate", "Precision and recall of the corpus, from a random sample."),
    "agreement": ("curate.cli.review_tools:agreement", "How far two files of decisions agree."),
    "check": ("curate.cli.review_tools:check", "What is wrong with decisions, line by line."),
    "add": ("curate.cli.review_tools:add", "Take a CSV of labels into the workspace's decisions."),
    "export": ("curate.cli.review_tools:export", "Hand decisions on: labels, boxes, FiftyOne."),
}
"""Command name: where it is, and its line in ``curate review --help``."""

reviewer_flag = click.option(
    "--as",
    "who",
    default="reviewer",
    show_default=True,
    metavar="NAME",
    help="Name under which decisions are kept; everybody needs their own. It is exported with the corpus.",
)


@click.group(cls=LazyGroup, table=COMMANDS, invoke_without_command=True)
@click.option("-w", "--workspace", type=click.Path(path_type=Path), help="Workspace folder.")
@reviewer_flag
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of 127.0.0.1.  [default: a free one]")
@click.option("--seed", type=click.IntRange(0, 1 << 40), default=0, show_default=True, help="Of the random sample.")
@verbosity
@click.pass_context
def review(context: click.Context, workspace: Path | None, who: str, port: int, seed: int) -> None:
    """Look at frames in a browser and decide, with one key a decision.

    Serves pages on this machine only, at the address that is printed; Ctrl-C ends it. Every decision is on disk before
    the next frame is shown, in decisions/NAME.jsonl of the workspace. The next curate run takes decisions in: they go
    before every model, and only what they are about is done again. Keys stand on the page.
    """
    if context.invoked_subcommand is not None:
        return
    if workspace is None:
        raise click.UsageError("Missing option '-w' / '--workspace'.", context)
    from curate.review.desk import Desk
    from curate.review.server import ReviewServer
    from curate.run.session import open_session

    session = open_session(workspace)
    desk = Desk(session, who, seed)
    try:
        try:
            server = ReviewServer(desk, session.workspace.root / "report", port)
        except OSError as error:
            raise CurateError(f"cannot listen on port {port}: {error.strerror}; take another with --port") from error
        with server:
            show(f"review: {server.url}")
            if not is_quiet():
                say("open this address in a browser of this machine; Ctrl-C ends the review")
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                made = desk.progress()["decisions"]
                show(f"{made} decisions of {who} stand; 'curate run -w {workspace}' takes them in")
    finally:
        desk.close()
