"""Vectors of several videos: only those of one model can be compared."""

from __future__ import annotations

from pathlib import Path

from curate.errors import BadArtefact, CurateError
from curate.workspace.tables.embeddings import EmbeddingModel, read_embedding_model


class OneModel:
    """Holds the tables of videos to the model of the first."""

    def __init__(self) -> None:
        self._first: tuple[str, EmbeddingModel, int] | None = None

    def take(self, video: str, path: Path) -> None:
        """Look at the table of a video.

        Raises:
            CurateError: It cannot be read, or its vectors are of another model than those before.
        """
        try:
            model, columns = read_embedding_model(path)
        except BadArtefact as error:
            raise CurateError(f"{error}: run 'curate embed' again") from error
        if self._first is None:
            self._first = video, model, columns
        elif (model.identity, columns) != (self._first[1].identity, self._first[2]):
            raise CurateError(
                f"embeddings of different models cannot be compared: {self._first[0]} has one of {self._first[1]}, "
                f"{video} of {model}; run 'curate embed' for all"
            )

    @property
    def found(self) -> tuple[EmbeddingModel, int]:
        """The model, and the columns of its vectors; a table was taken."""
        assert self._first is not None, "asked after the first table"
        return self._first[1:]
