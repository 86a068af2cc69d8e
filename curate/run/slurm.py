"""A Slurm script that runs a workspace: a job array over its parts, then the export."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from curate.errors import CurateError

TIME = re.compile(r"\d+(-\d{1,2}(:\d{2}){0,2}|(:\d{2}){0,2})")
"""Slurm's forms of a time limit: minutes, M:S, H:M:S, D-H, D-H:M, D-H:M:S."""

MEMORY = re.compile(r"\d+[KMGT]?")

PARTITION = re.compile(r"[A-Za-z0-9_.,-]+")


@dataclass(frozen=True)
class SlurmOptions:
    """What each part of the array gets.

    Attributes:
        parts: Tasks of the array.
        cpus: Cores of one.
        memory: Memory of one, as Slurm writes it.
        time: Time limit of one, as Slurm writes it.
        gpus: GPUs of one.
        partition: Where they run; empty leaves it to Slurm.
        jitter: Largest pause before a part begins, in seconds, so that they do not all open the workspace at once.
    """

    parts: int
    cpus: int = 8
    memory: str = "32G"
    time: str = "24:00:00"
    gpus: int = 0
    partition: str = ""
    jitter: int = 60

    def check(self) -> None:
        """Hold the texts against what Slurm takes.

        Raises:
            CurateError: One of them is something else.
        """
        for name, text, form, example in (
            ("time", self.time, TIME, "24:00:00"),
            ("memory", self.memory, MEMORY, "32G"),
            ("partition", self.partition or "any", PARTITION, "gpu"),
        ):
            if not form.fullmatch(text):
                raise CurateError(f"--{name} {text!r} is not what Slurm takes, such as {example}")


def slurm_script(workspace: Path, options: SlurmOptions, *, until: str) -> str:
    """The script; run it with ``bash`` where ``sbatch`` is.

    Args:
        workspace: The workspace, with its list of videos stored.
        options: Of the array.
        until: Last stage before the export.

    Raises:
        CurateError: As `SlurmOptions.check`, or the path of the workspace has a line break.
    """
    options.check()
    if "\n" in str(workspace):  # a line of it could end the job's text
        raise CurateError(f"workspace {workspace} has a line break in its path, which no script can carry: rename it")
    where = shlex.quote(str(workspace))
    common = [f"#SBATCH --cpus-per-task={options.cpus}", f"#SBATCH --mem={options.memory}"]
    common += [f"#SBATCH --time={options.time}"]
    common += [f"#SBATCH --partition={options.partition}"] if options.partition else []
    gpus = [f"#SBATCH --gpus-per-task={options.gpus}", "#SBATCH --ntasks=1"] if options.gpus else []
    lines = [
        "#!/bin/bash",
        "# Submits a job array over the parts of the workspace, and the export for when all of them have ended.",
        "# Run it again to go on: what is finished is skipped.",
        "set -euo pipefail",
        "",
        "array=$(sbatch --parsable <<'JOB'",
        "#!/bin/bash",
        "#SBATCH --job-name=curate",
        f"#SBATCH --array=0-{options.parts - 1}",
        *common,
        *gpus,
        f"sleep $((RANDOM % {options.jitter + 1}))",
        f'exec curate run -w {where} --shard "$SLURM_ARRAY_TASK_ID/{options.parts}" --until {until}',
        "JOB",
        ")",
        "",
        # afterany: a part with failed videos exits with 2, and the others are exported all the same
        "sbatch --dependency=\"afterany:${array%%;*}\" <<'JOB'",
        "#!/bin/bash",
        "#SBATCH --job-name=curate-export",
        *common,
        f"exec curate export -w {where}",
        "JOB",
    ]
    return "\n".join(lines) + "\n"
