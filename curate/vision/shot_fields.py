"""The field of view of a frame, by the table that has one a shot."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

from curate.errors import BadArtefact
from curate.vision.field_of_view import FieldOfView
from curate.workspace.tables.fields import read_fields


class ShotFields:
    """Fields of view of a video's shots.

    Args:
        path: The table; ``None`` where nobody looked for the field of view.

    Raises:
        BadArtefact: The table cannot be read, or is not ordered.
    """

    def __init__(self, path: Path | None) -> None:
        self._shots = list(read_fields(path)) if path else []
        self._firsts = [shot.first for shot in self._shots]
        if path and self._firsts != sorted(self._firsts):
            raise BadArtefact(path, "it is not ordered")

    def of(self, n: int, width: int, height: int) -> FieldOfView | None:
        """Field of a frame: that of the shot it is in, or of the shot before where it lies between two.

        Args:
            n: Number of the sample.
            width: Of the frame; a shot of frames of another size tells nothing of it.
            height: Of the frame.

        Returns:
            ``None`` where no shot is known.
        """
        if not self._shots:
            return None
        shot = self._shots[max(bisect_right(self._firsts, n) - 1, 0)]
        if (shot.width, shot.height) != (width, height):
            return FieldOfView.whole(width, height)
        box = shot.x1, shot.y1, shot.x2, shot.y2
        return FieldOfView(shot.shape, *box, shot.cx, shot.cy, shot.rx, shot.ry, shot.score)
