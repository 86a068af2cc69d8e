"""``curate push``."""

from __future__ import annotations

from pathlib import Path

import click

from curate.cli.common import is_quiet, verbosity
from curate.cli.meter import byte_bar
from curate.errors import CurateError
from curate.files.text import printable

_HUB = "hf://"


@click.command()
@click.argument("export", type=click.Path(path_type=Path))
@click.argument("url")
@click.option("--public", is_flag=True, help="hf:// only: a data set that is made now is public.")
@click.option(
    "--gate", type=click.Choice(["licences", "always", "never"]), default="licences", show_default=True,
    help="hf:// only: readers must ask; licences: where one does not let everybody pass the work on.",
)  # fmt: skip
@verbosity
def push(export: Path, url: str, public: bool, gate: str) -> None:
    """Copy an export to object storage or the Hugging Face hub, or bring an earlier copy in step.

    EXPORT is the folder of one format, such as W/exports/lmdb, or a folder that holds some; then each goes to a folder
    of its name. URL is s3://bucket/prefix, gs://bucket/prefix, file:///folder or hf://datasets/OWNER/NAME, which takes
    one export; credentials come from the environment as usual (HF_TOKEN for the hub), and
    ?endpoint_override=host:port&scheme=http names another S3 server.

    Only files that differ are copied, and files that left the export are removed, so that a purge reaches the copy when
    it is pushed again; a bucket that keeps old versions keeps them, and so does the history of a data set on the hub.
    export.json comes last. Safe to interrupt and to run again.

    A data set on the hub is made private, and gated before anything is in it where a licence asks for it; one that is
    there stays as it is, but that it is gated.
    """
    from curate.exports.disk.folder import RECORD

    inner = sorted(path.parent for path in export.glob(f"*/{RECORD}")) if export.is_dir() else []
    folders = [export] if (export / RECORD).exists() or not inner else inner
    if url.startswith(_HUB):
        if folders != [export]:
            names = ", ".join(folder.name for folder in folders)
            raise CurateError(f"a data set of the hub takes one export, and {export} holds {names}: name one of them")
        _to_hub(export, url, public=public, gate=gate)
        return
    if public or gate != "licences":
        raise CurateError("--public and --gate are for hf:// only")
    for folder in folders:
        _to_store(folder, url if folder == export else _inside(url, folder.name))


def _to_store(folder: Path, url: str) -> None:
    from curate.exports.push import push_export

    with byte_bar(f"push {printable(folder.name)}", quiet=is_quiet()) as bar:
        done = push_export(folder, url, progress=bar.update)
    if not is_quiet():
        state = f"{done.copied} copied, {done.copied_bytes / 1e6:.1f} MB, {done.removed} removed"
        click.echo(f"{folder}: {done.files} files, {state if done.copied else 'up to date'}")


def _to_hub(folder: Path, url: str, *, public: bool, gate: str) -> None:
    from curate.exports.hub.sending import HubOptions, push_to_hub

    options = HubOptions(public, gate)  # type: ignore[arg-type]
    with byte_bar(f"push {printable(folder.name)}", quiet=is_quiet()) as bar:
        done = push_to_hub(folder, url, options, progress=bar.update)
    if is_quiet():
        return
    state = f"{done.sent} sent, {done.sent_bytes / 1e6:.1f} MB, {done.removed} removed"
    changed = done.sent or done.removed
    access = f"{'private' if done.private else 'public'}{', gated' if done.gated else ''}"
    click.echo(f"{folder}: {done.files} files, {state if changed else 'up to date'}; {access}")
    if done.asking:
        named = printable(", ".join(done.asking[:5])) + (", ..." if len(done.asking) > 5 else "")
        click.echo(f"licences that ask for a gate: {named}")


def _inside(url: str, name: str) -> str:
    """The URL of a folder in the place that a URL names."""
    path, mark, options = url.partition("?")
    return f"{path.rstrip('/')}/{name}{mark}{options}"
