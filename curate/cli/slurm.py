"""``curate slurm``: the script of a job array."""

from __future__ import annotations

from pathlib import Path

import click

from curate.cli.common import verbosity
from curate.cli.exits import writing
from curate.files.atomic import write_atomic
from curate.run.session import open_session
from curate.run.slurm import SlurmOptions, slurm_script


@click.command()
@click.option("-w", "--workspace", type=click.Path(path_type=Path), required=True, help="Workspace folder.")
@click.option("--parts", type=click.IntRange(1), required=True, help="Parts of the array, each a share of the videos.")
@click.option("--cpus", type=click.IntRange(1), default=8, show_default=True, help="Cores of each part.")
@click.option("--memory", default="32G", show_default=True, help="Memory of each part, as Slurm writes it.")
@click.option("--time", default="24:00:00", show_default=True, help="Time limit of each part, as Slurm writes it.")
@click.option("--gpus", type=click.IntRange(0), default=0, show_default=True, help="GPUs of each part.")
@click.option("--partition", default="", help="Where to run.  [default: left to Slurm]")
@click.option(
    "--jitter", type=click.IntRange(0), default=60, show_default=True, help="Longest pause before a part, in seconds."
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write; else printed.")
@verbosity
def slurm(
    workspace: Path,
    parts: int,
    cpus: int,
    memory: str,
    time: str,
    gpus: int,
    partition: str,
    jitter: int,
    output: Path | None,
) -> None:
    """Write a script that submits the workspace to Slurm: a job array over its parts, then the export.

    The workspace must have its list of videos: make it with 'curate download LIST -w ...' in one job, which keeps the
    pace of downloads. Then run the script with bash where sbatch is.
    """
    session = open_session(workspace, write=False)
    options = SlurmOptions(parts, cpus, memory, time, gpus, partition, jitter)
    script = slurm_script(session.workspace.root, options, until=list(session.pipeline.specs)[-1])
    if output is None:
        click.echo(script, nl=False)
        return
    with writing(output):
        write_atomic(output, script.encode())
    click.echo(f"{output}: {parts} parts and the export; submit them with 'bash {output}'")
