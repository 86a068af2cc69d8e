"""Nearest neighbours among many vectors: exact where that is quick, by clusters (faiss) above.

Vectors stay where they are, in a file that is mapped into memory, say; the index holds a byte a number. What it answers
are candidates, whose distances are then computed from the vectors themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float16]
"""(rows, columns)."""

EXACT = 50_000
"""Vectors up to which every pair is looked at."""

PROBES = 32
"""Clusters that are searched for each vector: a neighbour may lie behind the border of its own."""

_A_CLUSTER = 39
"""Vectors a cluster is trained on; fewer, and faiss warns."""

_BLOCK = 16_384
_MANY = 1000
"""Candidates above which clusters do not matter any more: someone has hundreds of neighbours that do not count."""
_EXACT_BLOCK = 1024
_ROUNDS = 10


@dataclass(frozen=True)
class Search:
    """How neighbours are looked for.

    Attributes:
        exact: Vectors up to which every pair is looked at.
        probes: Clusters searched for each vector above that.
        threads: CPU threads; 0 takes all of this process.
        seed: Of the choice of vectors that clusters are made of.
    """

    exact: int = EXACT
    probes: int = PROBES
    threads: int = 0
    seed: int = 0


class NearestIndex:
    """An index over some rows of a table of vectors; the same rows and options give the same answers.

    Args:
        vectors: All vectors.
        rows: Numbers of the rows that may be found, int64 (n,).
        search: How.
    """

    def __init__(self, vectors: Vectors, rows: npt.NDArray[np.int64], search: Search) -> None:
        import faiss

        self._vectors, self._rows, self._search = vectors, rows, search
        if search.threads:
            faiss.omp_set_num_threads(search.threads)
        if len(rows) > search.exact:
            self._index = self._clusters()
        else:
            self._index = faiss.IndexFlatL2(vectors.shape[1])
            self._index.add(vectors[rows].astype(np.float32))

    def __len__(self) -> int:
        return len(self._rows)

    def candidates(self, queries: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.int64]:
        """Rows of the vectors that are nearest to some others.

        Args:
            queries: (n, columns).
            count: How many for each, at most; where it is large, every pair is looked at.

        Returns:
            (n, k) numbers of rows, nearest first as far as the index knows; -1 where it has no more.
        """
        count = min(count, len(self._rows))
        found = self._all(queries, count) if count > _MANY else self._index.search(queries, count)[1]
        return np.where(found < 0, -1, self._rows[found])

    def _all(self, queries: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.int64]:
        """Places among the rows of those nearest to each query, with every row looked at."""
        parts = [self._every_row(query, count) for query in queries]
        return np.stack(parts)

    def _every_row(self, query: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.int64]:
        starts = range(0, len(self._rows), _BLOCK)
        blocks = (self._vectors[self._rows[start : start + _BLOCK]].astype(np.float32) for start in starts)
        apart = np.concatenate([((block - query) ** 2).sum(axis=1) for block in blocks])
        nearest = np.argpartition(apart, count - 1)[:count]
        return nearest[np.argsort(apart[nearest], kind="stable")]

    def _clusters(self) -> Any:
        import faiss

        rows, columns = len(self._rows), self._vectors.shape[1]
        clusters = 1 << round(math.log2(4 * math.sqrt(rows)))
        clusters = max(min(clusters, rows // _A_CLUSTER), 1)
        chosen = np.random.RandomState(self._search.seed).permutation(rows)[: _A_CLUSTER * clusters]
        sample = self._vectors[self._rows[np.sort(chosen)]].astype(np.float32)
        quantizer = faiss.IndexFlatL2(columns)
        index = faiss.IndexIVFScalarQuantizer(
            quantizer, columns, clusters, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_L2
        )
        index.cp.niter, index.cp.seed = _ROUNDS, self._search.seed + 1
        index.train(sample)
        del sample
        for start in range(0, rows, _BLOCK):
            index.add(self._vectors[self._rows[start : start + _BLOCK]].astype(np.float32))
        index.nprobe = self._search.probes
        return index


def distances(
    vectors: Vectors, queries: npt.NDArray[np.float32], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Euclidean distances of each query (n, columns) from its own rows (n, k), by the vectors themselves.

    They are above 0 wherever two vectors differ in any number, which the expansion of the square would not hold to.
    Where a row is -1 the distance is infinite.
    """
    found = np.full(rows.shape, np.inf, np.float32)
    for start in range(0, len(rows), _EXACT_BLOCK):
        part = slice(start, start + _EXACT_BLOCK)
        others = vectors[np.maximum(rows[part], 0)].astype(np.float32)
        found[part] = np.sqrt(((others - queries[part][:, None, :]) ** 2).sum(axis=2))
    found[rows < 0] = np.inf
    return found
