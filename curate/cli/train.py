"""``curate train``: models from a lab's own labels."""

from __future__ import annotations

import click

from curate.cli.lazy import CommandTable, LazyGroup

COMMANDS: CommandTable = {
    "classifier": ("curate.cli.train_classifier:classifier", "A frame classifier from labelled frames."),
    "masks": ("curate.cli.train_masks:masks", "An overlay network for your own interface from hand-drawn boxes."),
}
"""Command name: where it is, and its line in ``curate train --help``."""


@click.group(cls=LazyGroup, table=COMMANDS)
def train() -> None:
    """Train models on your own labels."""
