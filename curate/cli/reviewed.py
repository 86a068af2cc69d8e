"""What was decided in reviews, as input of the training commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from curate.cli.exits import say

if TYPE_CHECKING:
    from curate.review.hand_over import Format


def written_reviews(workspaces: Sequence[Path], folder: Path, format: Format) -> Iterator[Path]:
    """Write what was decided in some workspaces into folders of their own; what cannot be read is said.

    Args:
        workspaces: The workspaces.
        folder: In which the folders are made; those of an earlier try are replaced.
        format: What is written (`curate.review.hand_over`).

    Yields:
        The folder of each workspace.

    Raises:
        CurateError: A workspace cannot be opened, or nothing of that kind was decided in it.
    """
    from curate.files.atomic import clear
    from curate.review.hand_over import hand_over
    from curate.run.session import open_session

    for number, workspace in enumerate(workspaces):
        place = folder / f"review-{number}"
        clear(place)
        for problem in hand_over(open_session(workspace, write=False), place, format).problems:
            say(problem)
        yield place
