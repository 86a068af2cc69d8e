"""``curate pull``."""

from __future__ import annotations

from pathlib import Path

import click

from curate.cli.common import is_quiet, verbosity
from curate.cli.meter import byte_bar


@click.command()
@click.argument("url")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@verbosity
def pull(url: str, folder: Path) -> None:
    """Fetch an export from the Hugging Face hub, or bring an earlier copy in step.

    URL is hf://datasets/OWNER/NAME, with @REVISION for another state than the newest; HF_TOKEN opens what is private or
    gated. Only the files that its export.json names are fetched, and only those that differ from what FOLDER has; each
    is held against its checksum. FOLDER is replaced when all is there. Safe to interrupt and to run again.
    """
    from curate.exports.hub.fetching import pull_from_hub

    with byte_bar("pull", quiet=is_quiet()) as bar:
        done = pull_from_hub(url, folder, progress=bar.update)
    if not is_quiet():
        fetched = f"{done.fetched} fetched, {done.fetched_bytes / 1e6:.1f} MB"
        click.echo(f"{folder}: {done.files} files, {fetched}; commit {done.commit[:12]}")
