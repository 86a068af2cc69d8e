"""``embeddings/{id}.parquet``: a vector for each sampled frame of a video."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import BadArtefact
from curate.files.parquet import RowWriter, open_parquet, read_rows, require_columns
from curate.workspace.tables.schemas import embedding_schema

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

BYTES_A_GROUP = 8 << 20
"""Bytes of vectors in one row group, about."""

MAX_COLUMNS = 1 << 16
"""Columns of a vector, at most."""


@dataclass(frozen=True)
class EmbeddingModel:
    """What made the vectors of a table; vectors of different models have nothing to do with each other.

    Attributes:
        name: Of the model, for people.
        sha256: Of its weights, hex digits with blanks between the files.
        architecture: timm's name of the network, or ``levels``.
        width: Of what it saw of a picture, in pixels.
        height: Of the same.
    """

    name: str
    sha256: str
    architecture: str
    width: int
    height: int

    @property
    def identity(self) -> tuple[str, str, int, int]:
        """The same for vectors that can be compared."""
        return self.sha256, self.architecture, self.width, self.height

    def __str__(self) -> str:
        return f"{self.name} ({self.architecture}, {self.width}x{self.height}, sha256 {self.sha256[:12]})"


class EmbeddingWriter:
    """Writes vectors as they come; a context manager.

    Args:
        path: File to write, under a temporary name.
        columns: Of a vector.
        model: What makes the vectors.
        spacing: Seconds from one vector to the next, about; 0 for every sampled frame.
    """

    def __init__(self, path: Path, columns: int, model: EmbeddingModel, spacing: float) -> None:
        said = {"model" if key == "name" else key: str(value) for key, value in asdict(model).items()}
        self._schema = embedding_schema(columns).with_metadata({**said, "spacing": repr(spacing)})
        self._writer = RowWriter(path, self._schema)
        self._most = max(BYTES_A_GROUP // (2 * columns), 1)
        self._held: list[tuple[Any, Any, Any]] = []
        self._rows = 0

    def __enter__(self) -> EmbeddingWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_group()
        self._writer.close()

    def add(
        self, n: npt.NDArray[np.int32], timestamps: npt.NDArray[np.float64], vectors: npt.NDArray[np.float16]
    ) -> None:
        """Append frames: numbers, seconds from the start of the video, and vectors (rows, columns)."""
        self._held.append((n, timestamps, vectors))
        self._rows += len(n)
        if self._rows >= self._most:
            self._end_group()

    def _end_group(self) -> None:
        import numpy as np
        import pyarrow as pa

        if self._held:
            n, timestamps, vectors = (np.concatenate(parts) for parts in zip(*self._held, strict=True))
            flat = pa.array(vectors.reshape(-1), pa.float16())
            lists = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
            self._writer.add_group(
                pa.table([n, timestamps, lists.cast(self._schema.field("vector").type)], schema=self._schema)
            )
            self._held, self._rows = [], 0


def read_embedding_model(path: Path) -> tuple[EmbeddingModel, int]:
    """What made the vectors of a table, and how many columns they have.

    Raises:
        BadArtefact: The table cannot be read, or does not tell.
    """
    with open_parquet(path) as file:
        require_columns(path, file, embedding_schema(1).names)
        kind = file.schema_arrow.field("vector").type
        said = {key.decode(): value.decode() for key, value in (file.schema_arrow.metadata or {}).items()}
    if not str(kind).startswith("fixed_size_list<") or str(kind.value_type) != "halffloat":
        raise BadArtefact(path, "its vectors are no lists of float16 of one size")
    if not 0 < kind.list_size <= MAX_COLUMNS:
        raise BadArtefact(path, f"its vectors have {kind.list_size} columns")
    return _model(path, said), int(kind.list_size)


def _model(path: Path, said: Mapping[str, str]) -> EmbeddingModel:
    try:
        return EmbeddingModel(
            said["model"], said["sha256"], said["architecture"], int(said["width"]), int(said["height"])
        )
    except (KeyError, ValueError) as error:
        raise BadArtefact(path, f"its metadata do not tell the model: {error}") from error


def read_embeddings(path: Path) -> Iterator[tuple[npt.NDArray[np.int32], npt.NDArray[np.float16]]]:
    """Numbers of frames, int32 (rows,), and their vectors, float16 (rows, columns), a row group at a time.

    Raises:
        BadArtefact: The table cannot be read, or has vectors that are not finite.
    """
    import numpy as np

    _, columns = read_embedding_model(path)
    with open_parquet(path) as file:
        for index in range(file.num_row_groups):
            table = file.read_row_group(index, columns=["n", "vector"], use_threads=False)
            flat = table.column("vector").combine_chunks()
            vectors = (flat.chunk(0) if hasattr(flat, "chunk") else flat).flatten().to_numpy(zero_copy_only=False)
            if table.column("n").null_count or len(vectors) != len(table) * columns or not np.isfinite(vectors).all():
                raise BadArtefact(path, "it has vectors that are missing or not finite")
            yield table.column("n").to_numpy().astype(np.int32), vectors.astype(np.float16).reshape(-1, columns)


def read_some_embeddings(path: Path, most: int, wanted: npt.NDArray[np.int32] | None = None) -> npt.NDArray[np.float16]:
    """Vectors of some frames, evenly spread: float16 (rows, columns). One row group is held beside them.

    Args:
        path: The table.
        most: How many, at most.
        wanted: Numbers of the frames that are taken from; all if ``None``.

    Raises:
        BadArtefact: As `read_embeddings`.
    """
    import numpy as np

    _, columns = read_embedding_model(path)
    numbers = np.array([n for (n,) in read_rows(path, ("n",))], np.int64)
    rows = np.arange(len(numbers)) if wanted is None else np.flatnonzero(np.isin(numbers, wanted))
    rows = rows[spread(len(rows), most)]
    found, start = [np.empty((0, columns), np.float16)], 0
    for n, vectors in read_embeddings(path):
        found.append(vectors[rows[(rows >= start) & (rows < start + len(n))] - start])
        start += len(n)
    return np.concatenate(found)


def spread(rows: int, most: int) -> npt.NDArray[np.int64]:
    """Up to so many rows, evenly spread over all."""
    import numpy as np

    return np.unique(np.linspace(0, rows - 1, min(rows, most)).round().astype(np.int64)) if rows else np.empty(0, int)
