"""Probes of frozen features: how well a linear layer, or the nearest neighbours, tell the classes of labelled frames.

Every frame is answered once, by a probe that has seen no frame of its video: the splits are those that the set states,
or folds drawn by video with a fixed seed, the same for every network. What a probe may choose (the strength of the
regularisation) is chosen on its training frames alone, by folds of their videos.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curate.evaluation.probe_set import TEST, ProbeSet

Floats = npt.NDArray[np.float64]
Features = npt.NDArray[np.float32]
"""(frames, columns), each row of unit length."""
Numbers = npt.NDArray[np.int64]

PROBES = ("linear", "knn")
FIGURES = ("accuracy", "macro_f1")

STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)
"""Inverse strengths of the regularisation (scikit-learn's C) among which one is chosen."""

_INNER = 3
_ITERATIONS = 2000


@dataclass(frozen=True)
class ProbeOptions:
    """How features are probed.

    Attributes:
        folds: Parts that are left out in turn, where the set states no splits; at most as many as its rarest class has
            videos.
        neighbours: Nearest frames that vote.
        temperature: A neighbour's vote weighs exp(cosine / temperature), as in DINO's evaluation.
        seed: Of folds and bootstrap.
        replicates: Of the bootstrap.
    """

    folds: int = 5
    neighbours: int = 20
    temperature: float = 0.07
    seed: int = 0
    replicates: int = 2000


@dataclass(frozen=True)
class Split:
    """Numbers of the frames to learn from, and of those to answer."""

    train: Numbers
    test: Numbers


@dataclass(frozen=True)
class Interval:
    """A figure with its interval of 95 %."""

    value: float
    low: float
    high: float


Answers = Mapping[str, Numbers]
"""For each of `PROBES` the class that it gives to each frame, by number; -1 for frames that are only learnt from."""


def make_splits(probe_set: ProbeSet, options: ProbeOptions) -> list[Split]:
    """The splits of a set: its own, or folds by video with like shares of the classes."""
    frames = probe_set.frames
    if probe_set.stated:
        test = np.array([frame.split == TEST for frame in frames])
        return [Split(np.flatnonzero(~test), np.flatnonzero(test))]
    labels, units = targets(probe_set), units_of(probe_set)
    return list(_folds(labels, units, options.folds, options.seed))


def targets(probe_set: ProbeSet) -> Numbers:
    """Number of each frame's class among the classes of the set."""
    return np.array([probe_set.classes.index(frame.label) for frame in probe_set.frames], np.int64)


def units_of(probe_set: ProbeSet) -> Numbers:
    """Number of each frame's video."""
    names = sorted({frame.unit for frame in probe_set.frames})
    numbers = {name: number for number, name in enumerate(names)}
    return np.array([numbers[frame.unit] for frame in probe_set.frames], np.int64)


def _folds(labels: Numbers, units: Numbers, most: int, seed: int) -> Iterator[Split]:
    from sklearn.model_selection import StratifiedGroupKFold

    fewest = min(len(np.unique(units[labels == label])) for label in np.unique(labels))
    folds = StratifiedGroupKFold(max(min(most, fewest), 2), shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class with fewer frames than folds is allowed for above
        for train, test in folds.split(labels, labels, units):
            yield Split(np.asarray(train, np.int64), np.asarray(test, np.int64))


def probe(features: Features, probe_set: ProbeSet, splits: Sequence[Split], options: ProbeOptions) -> Answers:
    """Answer the test frames of every split.

    Args:
        features: Of the frames of the set, in its order.
        probe_set: The labelled frames.
        splits: Of `make_splits`.
        options: How.
    """
    labels, units = targets(probe_set), units_of(probe_set)
    answers = {name: np.full(len(labels), -1, np.int64) for name in PROBES}
    for split in splits:
        train, test = features[split.train], features[split.test]
        known = labels[split.train]
        answers["linear"][split.test] = _linear(train, known, units[split.train], test, options.seed)
        answers["knn"][split.test] = _nearest(train, known, test, len(probe_set.classes), options)
    return answers


def _linear(train: Features, labels: Numbers, units: Numbers, test: Features, seed: int) -> Numbers:
    """Answers of a logistic regression on standardised features; both classes of a pair weigh alike."""
    strength = _strength(train, labels, units, seed)
    return np.asarray(_fitted(train, labels, strength).predict(test), np.int64)


def _strength(features: Features, labels: Numbers, units: Numbers, seed: int) -> float:
    """The strength whose answers to left out videos have the best macro F1; the stronger regularisation of equals."""
    if min(len(np.unique(units[labels == label])) for label in np.unique(labels)) < 2:
        return 0.1
    answers = {strength: np.full(len(labels), -1, np.int64) for strength in STRENGTHS}
    for split in _folds(labels, units, _INNER, seed):
        if len(np.unique(labels[split.train])) < 2:
            continue
        for strength in STRENGTHS:
            fitted = _fitted(features[split.train], labels[split.train], strength)
            answers[strength][split.test] = fitted.predict(features[split.test])
    classes = int(labels.max()) + 1
    counts = np.stack([confusion(labels, answers[strength], classes) for strength in STRENGTHS])
    return STRENGTHS[int(np.argmax(macro_f1(counts)))]


def _fitted(features: Features, labels: Numbers, strength: float):  # type: ignore[no-untyped-def]
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=strength, class_weight="balanced", max_iter=_ITERATIONS)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(features, labels)


def _nearest(train: Features, labels: Numbers, test: Features, classes: int, options: ProbeOptions) -> Numbers:
    """Answers of the nearest neighbours by cosine, whose votes weigh by it."""
    count = min(options.neighbours, len(train))
    found = np.empty(len(test), np.int64)
    for start in range(0, len(test), 1024):
        alike = test[start : start + 1024] @ train.T
        nearest = np.argpartition(-alike, count - 1, axis=1)[:, :count]
        cosines = np.take_along_axis(alike, nearest, axis=1)
        weights = np.exp((cosines - cosines.max(axis=1, keepdims=True)) / options.temperature)
        votes = np.zeros((len(alike), classes))
        for label in range(classes):
            votes[:, label] = (weights * (labels[nearest] == label)).sum(axis=1)
        found[start : start + 1024] = votes.argmax(axis=1)
    return found


def confusion(truth: Numbers, answers: Numbers, classes: int) -> Floats:
    """Counts, float64 (classes, classes), by truth and answer; frames without an answer do not count."""
    there = answers >= 0
    flat = np.bincount(truth[there] * classes + answers[there], minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.float64)


def accuracy(counts: Floats) -> Floats:
    """Share of right answers in confusions (..., classes, classes)."""
    right = np.trace(counts, axis1=-2, axis2=-1)
    return np.asarray(right / np.maximum(counts.sum(axis=(-2, -1)), 1e-12))


def macro_f1(counts: Floats) -> Floats:
    """Mean F1 of the classes that are there, in confusions (..., classes, classes)."""
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    true, said = counts.sum(axis=-1), counts.sum(axis=-2)
    f1 = 2 * right / np.maximum(true + said, 1e-12)
    there = true > 0
    return np.asarray((f1 * there).sum(axis=-1) / np.maximum(there.sum(axis=-1), 1))


FIGURE_OF = {"accuracy": accuracy, "macro_f1": macro_f1}


class Bootstrap:
    """Intervals by resampling: videos, and the runs of whoever has several.

    One draw of videos serves all networks, so that differences between them are paired. A network of which several
    runs (seeds of its pretraining) are given has the mean of their figures, and its runs are drawn too: the first of
    one with the first of another.

    Attributes:
        units: Videos that are drawn from.

    Args:
        probe_set: The labelled frames.
        splits: Of `make_splits`; frames that are in no test part do not count.
        options: Seed and number of replicates.
    """

    def __init__(self, probe_set: ProbeSet, splits: Sequence[Split], options: ProbeOptions) -> None:
        tested = np.unique(np.concatenate([split.test for split in splits]))
        self._tested = tested
        self._truth = targets(probe_set)[tested]
        names, self._units = np.unique(units_of(probe_set)[tested], return_inverse=True)
        self._classes = len(probe_set.classes)
        self._seed, self._replicates = options.seed, options.replicates
        self.units = len(names)
        share = np.full(self.units, 1 / self.units)
        self._weights = np.random.default_rng(options.seed).multinomial(self.units, share, size=options.replicates)

    def samples(self, runs: Sequence[Numbers], figure: str) -> tuple[float, Floats]:
        """A figure of a network, and its replicates.

        Args:
            runs: Answers of one probe to all frames of the set, one array a run.
            figure: One of `FIGURES`.
        """
        of = FIGURE_OF[figure]
        values, replicates = [], []
        for answers in runs:
            by_unit = self._by_unit(answers[self._tested])
            values.append(float(of(by_unit.sum(axis=0))))
            drawn = self._weights @ by_unit.reshape(self.units, -1)
            replicates.append(of(drawn.reshape(self._replicates, self._classes, self._classes)))
        chosen = self._drawn_runs(len(runs))
        table = np.stack(replicates, axis=1)
        return float(np.mean(values)), np.take_along_axis(table, chosen, axis=1).mean(axis=1)

    def mean(self, values: Floats) -> tuple[float, Floats]:
        """The mean over the tested frames of a value that each frame of the set has, and its replicates."""
        tested = values[self._tested]
        sums = np.bincount(self._units, weights=tested, minlength=self.units)
        sizes = np.bincount(self._units, minlength=self.units)
        return float(tested.mean()), np.asarray((self._weights @ sums) / (self._weights @ sizes))

    def _drawn_runs(self, count: int) -> Numbers:
        """Numbers of runs, (replicates, count); the same for all networks with so many, whose runs are paired too."""
        draw = np.random.default_rng([self._seed, count])
        return draw.integers(count, size=(self._replicates, count))

    def _by_unit(self, answers: Numbers) -> Floats:
        cells = self._classes * self._classes
        flat = self._units * cells + self._truth * self._classes + answers
        counts = np.bincount(flat, minlength=self.units * cells)
        return counts.reshape(self.units, self._classes, self._classes).astype(np.float64)


def interval(value: float, replicates: Floats) -> Interval:
    """The interval of 95 % by percentiles."""
    low, high = np.percentile(replicates, (2.5, 97.5))
    return Interval(value, float(low), float(high))
