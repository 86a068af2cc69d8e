from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from curate.config import DedupOptions
from curate.corpus.duplicates import is_accepted
from curate.corpus.similarity import with_similarity
from curate.errors import BadArtefact
from curate.workspace.tables.embeddings import EmbeddingModel, EmbeddingWriter
from tests.corpus.test_duplicates import match

MODEL = EmbeddingModel("m", "0" * 64, "levels", 224, 224)
COMMON = np.random.default_rng(0).normal(size=32)
"""What all scenes of a procedure have in common."""


def vectors(seed: int, rows: int) -> np.ndarray:
    return 2 * COMMON + np.random.default_rng(seed).normal(size=(rows, 32))


def written(folder: Path, name: str, values: np.ndarray, start: float = 0.0, model: EmbeddingModel = MODEL) -> Path:
    path = folder / f"{name}.parquet"
    with EmbeddingWriter(path, values.shape[1], model, 0.0) as writer:
        rows = np.arange(len(values))
        writer.add(rows.astype(np.int32), start + rows.astype(np.float64), values.astype(np.float16))
    return path


def test_copies_stand_out_from_what_unrelated_videos_have_in_common(tmp_path: Path) -> None:
    long = vectors(1, 60)
    noisy = long[20:40] + np.random.default_rng(9).normal(scale=0.1, size=(20, 32))
    tables = {f"v{i}": written(tmp_path, f"v{i}", vectors(10 + i, 30)) for i in range(8)}
    tables |= {"a": written(tmp_path, "a", long), "b": written(tmp_path, "b", noisy, start=5.0)}
    tables["other"] = written(tmp_path, "other", vectors(3, 60))
    copy, chance = match("a", "b", (20, 40), (5, 25)), match("a", "other", (10, 30), (10, 30))
    right, wrong = with_similarity([copy, chance], tables)
    assert right.similarity is not None and wrong.similarity is not None
    assert right.similarity > 0.05 > wrong.similarity
    strict = DedupOptions(similarity=0.05)
    assert is_accepted(right, strict) and not is_accepted(wrong, strict) and is_accepted(wrong, DedupOptions())


def test_where_embeddings_cannot_be_compared_nothing_is_said(tmp_path: Path) -> None:
    other = EmbeddingModel("n", "1" * 64, "levels", 224, 224)
    tables = {name: written(tmp_path, name, vectors(1, 30)) for name in "ab"}
    pair, lone = match("a", "b", (0, 20), (0, 20)), match("a", "c", (0, 20), (0, 20))
    assert with_similarity([pair], tables) == [pair], "there is nobody to compare with"
    assert with_similarity([lone], tables) == [lone]
    foreign = tables | {"c": written(tmp_path, "c", vectors(2, 30), model=other)}
    assert with_similarity([lone], foreign) == [lone]
    strict = DedupOptions(similarity=0.9)
    assert is_accepted(lone, strict), "what has no embeddings is judged by its hashes"
    late = tables | {"v": written(tmp_path, "v", vectors(5, 30))}
    outside = match("a", "b", (50, 70), (50, 70))
    assert with_similarity([outside], late) == [outside]


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    tables = {name: written(tmp_path, name, vectors(1, 30)) for name in "abv"}
    tables["b"].write_bytes(tables["b"].read_bytes()[:50])
    with pytest.raises(BadArtefact, match=r"b\.parquet"):
        with_similarity([match("a", "b", (0, 20), (0, 20))], tables)
