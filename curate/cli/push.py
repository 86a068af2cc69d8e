"""``curate push``."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from tqdm import tqdm

from curate.cli.common import is_quiet, verbosity
from curate.cli.terminal import unwrapped
from curate.files.text import printable


@click.command()
@click.argument("export", type=click.Path(path_type=Path))
@click.argument("url")
@verbosity
def push(export: Path, url: str) -> None:
    """Copy an export to object storage, or bring an earlier copy in step.

    EXPORT is the folder of one format, such as W/exports/lmdb, or a folder that holds some; then each goes to a folder
    of its name. URL is s3://bucket/prefix, gs://bucket/prefix or file:///folder; credentials come from the environment
    as usual, and ?endpoint_override=host:port&scheme=http names another S3 server.

    Only files that differ are copied, and files that left the export are removed, so that a purge reaches the copy when
    it is pushed again; a bucket that keeps old versions keeps them. export.json comes last. Safe to interrupt and to
    run again.
    """
    from curate.exports.disk.folder import RECORD
    from curate.exports.push import push_export

    quiet = is_quiet()
    inner = sorted(path.parent for path in export.glob(f"*/{RECORD}")) if export.is_dir() else []
    folders = [export] if (export / RECORD).exists() or not inner else inner
    for folder in folders:
        place = url if folder == export else _inside(url, folder.name)
        hidden = quiet or not sys.stderr.isatty()
        name, stream = f"push {printable(folder.name)}", unwrapped(sys.stderr)
        with tqdm(desc=name, unit="B", unit_scale=True, file=stream, disable=hidden) as bar:
            done = push_export(folder, place, progress=bar.update)
        if not quiet:
            state = f"{done.copied} copied, {done.copied_bytes / 1e6:.1f} MB, {done.removed} removed"
            click.echo(f"{folder}: {done.files} files, {state if done.copied else 'up to date'}")


def _inside(url: str, name: str) -> str:
    """The URL of a folder in the place that a URL names."""
    path, mark, options = url.partition("?")
    return f"{path.rstrip('/')}/{name}{mark}{options}"
