"""The command line: thin modules that parse, build options and call; one a command family.

Commands are imported when they are asked for, so that ``curate --help`` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from curate.cli.exits import end_process, exit_code_of
from curate.cli.lazy import CommandTable, LazyGroup
from curate.cli.terminal import open_streams, printable_streams
from curate.version import __version__

COMMANDS: CommandTable = {
    "run": ("curate.cli.run:run", "Everything: from a list of videos to shards."),
    "manifest": ("curate.cli.manifest:manifest", "Check, convert and count lists of videos; suggest labels."),
    "search": ("curate.cli.search:search", "Find videos on YouTube and write a manifest."),
    "download": ("curate.cli.stages:download", "Fetch the videos; local files are linked."),
    "screen": ("curate.cli.stages:screen", "Drop videos that do not show surgery; off by default."),
    "sample": ("curate.cli.stages:sample", "Take frames at a fixed rate, by presentation time."),
    "classify": ("curate.cli.stages:classify", "Tell surgical from non-surgical frames."),
    "trim": ("curate.cli.stages:trim", "Give verdicts and cut what lies outside the surgery."),
    "mask": ("curate.cli.stages:mask", "Find regions that are not surgery."),
    "field": ("curate.cli.stages:field", "Find the endoscope's field of view, shot by shot."),
    "audit": ("curate.cli.stages:audit", "Find faces, names, dates and identifiers on the kept frames."),
    "embed": ("curate.cli.stages:embed", "Make a vector of each frame, so that neighbours can be found."),
    "signature": ("curate.cli.stages:signature", "Hash the kept frames, so that duplicates can be found."),
    "export": ("curate.cli.run:export", "Write the shards."),
    "predict": ("curate.cli.predict:predict", "The models alone, on images and videos."),
    "evaluate": ("curate.cli.evaluate:evaluate", "Measure models and finished runs against known truth."),
    "probe": ("curate.cli.probe:probe", "What backbones have learnt, by probes on labelled frames."),
    "train": ("curate.cli.train:train", "Train models on your own labels."),
    "models": ("curate.cli.models:models", "List, show, fetch and check the weights."),
    "card": ("curate.cli.card:card", "Write the cards of exports anew: README.md and croissant.json."),
    "verify": ("curate.cli.verify:verify", "Check exports: checksums, counts, keys, pictures."),
    "purge": ("curate.cli.purge:purge", "Remove videos for good, from the workspace and all its exports."),
    "push": ("curate.cli.push:push", "Copy exports to object storage or the hub, and only what changed."),
    "pull": ("curate.cli.pull:pull", "Fetch an export from the hub, and only what changed."),
    "review": ("curate.cli.review:review", "Look at frames, decide, and say what holds."),
    "report": ("curate.cli.report:report", "Pages to look at the corpus; masks, audit, missing videos."),
    "corpus": ("curate.cli.corpus:corpus", "What joins videos: recipes, balance."),
    "splits": ("curate.cli.splits:splits", "What the splits of lists and folders share."),
    "plan": ("curate.cli.plan:plan", "What the next run would do, and why; time and disk."),
    "clean": ("curate.cli.clean:clean", "Remove files that nobody needs any more."),
    "retry": ("curate.cli.retry:retry", "Give failed videos another try."),
    "slurm": ("curate.cli.slurm:slurm", "Write the script of a Slurm job array over a workspace."),
    "status": ("curate.cli.status:status", "The funnel: videos and frames by stage, outcome and reason."),
    "doctor": ("curate.cli.doctor:doctor", "Check this machine, and a workspace if one is named."),
}
"""Command name: where it is, and its line in ``curate --help`` in pipeline order."""


@click.group(
    cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="curate")
def cli() -> None:
    """Turn a list of surgical videos into clean pretraining shards.

    Exit codes: 0 all done, 1 wrong usage or configuration, 2 finished with failures, 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: run a command and leave the process with its exit code, never with a traceback."""
    open_streams()
    held: list[object] = []
    code = run_command(arguments, held)
    if held:
        end_process(code)
    sys.exit(code)


def run_command(arguments: Sequence[str] | None = None, held: list[object] | None = None) -> int:
    """Run a command in this process and return its exit code.

    Args:
        arguments: Those of the process if not given.
        held: Filled by commands that have nothing left to do but to take it apart (`curate.cli.exits.hold`).
    """
    with printable_streams():
        return exit_code_of(lambda: cli.main(args=arguments, prog_name="curate", standalone_mode=False, obj=held))
