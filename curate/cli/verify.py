"""``curate verify``."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from tqdm import tqdm

from curate.cli.common import is_quiet, verbosity
from curate.cli.exits import leave, say
from curate.cli.terminal import unwrapped
from curate.files.text import printable

_SHOWN = 20
"""Problems printed in full; the rest are counted."""


@click.command()
@click.argument("export", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--decode/--no-decode", default=True, show_default=True, help="Decode every picture.")
@verbosity
def verify(export: tuple[Path, ...], decode: bool) -> None:
    """Check exports: files, checksums, counts, keys, pictures.

    EXPORT is the folder of one format, such as W/exports/lmdb, or a folder that holds some. The exit code is 2 if
    anything is wrong.
    """
    from curate.exports.check.verify import verify_export
    from curate.exports.disk.folder import RECORD

    quiet = is_quiet()
    unsound = False
    for named in export:
        inner = sorted(path.parent for path in named.glob(f"*/{RECORD}")) if named.is_dir() else []
        for folder in [named] if (named / RECORD).exists() or not inner else inner:
            count = 0
            with tqdm(
                desc=f"verify {printable(folder.name)}",
                unit="frame",
                file=unwrapped(sys.stderr),
                disable=not sys.stderr.isatty() or quiet,
            ) as bar:
                for problem in verify_export(folder, decode=decode, progress=bar.update):
                    count += 1
                    if count <= _SHOWN:
                        click.echo(f"{folder}: {problem.where} {problem.what}")
            if count > _SHOWN:
                click.echo(f"{folder}: and {count - _SHOWN} more problems")
            if count:
                say(f"{folder} is not as it was written: export it again, or copy it again from where it is sound")
            if not (count or quiet):
                click.echo(f"{folder}: sound")
            unsound |= count > 0
    leave(failures=unsound)
