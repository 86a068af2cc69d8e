"""``curate doctor``: what would make a run fail, said before it does."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from curate.acquire.estimate import Estimate, estimate
from curate.cli.common import verbosity
from curate.cli.exits import ExitCode
from curate.config import DownloadOptions, load_given, resolve
from curate.errors import CurateError
from curate.run.doctor import Check, check_disk, check_machine, check_writable
from curate.run.pipeline import estimate_pending
from curate.workspace.tree import Workspace


@click.command()
@click.argument("source", nargs=-1)
@click.option("-w", "--workspace", type=click.Path(path_type=Path), help="Workspace folder, existing or planned.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="TOML file with option tables.")
@verbosity
def doctor(source: tuple[str, ...], workspace: Path | None, config_file: Path | None) -> None:
    """Check packages, JavaScript runtime, GPU, disk and cookies; each line says what to do.

    With SOURCE, or in a workspace that has a manifest, the disk is compared with what is still to be downloaded.

    Exit codes: 0 nothing stands in the way, 1 an error was found.
    """
    layers = [load_given(config_file)] if config_file is not None else []
    existing = workspace is not None and (workspace / "curate.toml").exists()
    if existing and workspace is not None:
        layers.insert(0, Workspace(workspace).stored_options(*layers))
    options = resolve("options", *layers).download
    checks = _show(check_machine(options))
    folder = workspace if workspace is not None else Path.cwd()
    checks += _show([check_writable(folder)])
    try:
        cost = _cost(source, workspace if existing else None, options)
        checks += _show([check_disk(folder, cost, options)])
    except CurateError as error:
        checks += _show([Check("manifest", "error", str(error)), check_disk(folder, None, options)])
    if any(check.state == "error" for check in checks):
        raise click.exceptions.Exit(ExitCode.ERROR)


def _show(checks: Iterable[Check]) -> list[Check]:
    shown = []
    for check in checks:
        click.echo(str(check))
        shown.append(check)
    return shown


def _cost(source: tuple[str, ...], workspace: Path | None, options: DownloadOptions) -> Estimate | None:
    if source:
        from curate.manifests import read_sources

        return estimate(read_sources(source).videos, options)
    if workspace is None:
        return None
    from curate.run.session import open_session

    return estimate_pending(open_session(workspace, write=False).pipeline)
