"""``curate evaluate``: how good models and finished runs are, against known truth."""

from __future__ import annotations

import click

from curate.cli.lazy import CommandTable, LazyGroup

COMMANDS: CommandTable = {
    "classifier": ("curate.cli.evaluate_classifier:classifier", "A frame classifier against labelled frames."),
    "masks": ("curate.cli.evaluate_masks:masks", "What the mask stage covers, against boxes."),
    "run": ("curate.cli.evaluate_run:run", "A finished workspace against the truth about its videos."),
}
"""Command name: where it is, and its line in ``curate evaluate --help``."""


@click.group(cls=LazyGroup, table=COMMANDS)
def evaluate() -> None:
    """Measure models and finished runs against known truth."""
