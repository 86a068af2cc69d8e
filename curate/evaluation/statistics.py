"""Figures of a two-class classifier, and the choice of its temperature, operating point and uncertain band."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def wilson(right: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Score interval of a share (E. B. Wilson, JASA 22, 1927); 95 % for the default ``z``."""
    if not count:
        return 0.0, 1.0
    share = right / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * ((share * (1 - share) / count + z * z / (4 * count * count)) ** 0.5)
    # Rounding must not push the share itself out.
    return min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half))


def calibration_error(p: Floats, truth: Bools, weights: Floats | None = None, bins: int = 15) -> float:
    """Expected calibration error of the probability of the positive class, in equal bins (Guo et al., ICML 2017).

    Args:
        p: (N,), in 0..1.
        truth: (N,).
        weights: (N,), of the samples; even if not given.
        bins: Number of bins over 0..1.
    """
    w = np.ones(len(p)) if weights is None else weights
    index = np.minimum((p * bins).astype(int), bins - 1)
    total = np.zeros(bins)
    np.add.at(total, index, w * (p - truth))
    return float(np.abs(total).sum() / w.sum())


def precision_at_recall(p: Floats, truth: Bools, recall: float, weights: Floats | None = None) -> tuple[float, float]:
    """Precision at the highest threshold that reaches a recall, and that threshold."""
    w = np.ones(len(p)) if weights is None else weights
    order = np.argsort(-p, kind="stable")
    positive = np.cumsum(w[order] * truth[order])
    taken = np.cumsum(w[order])
    reached = int(np.searchsorted(positive, recall * positive[-1] - 1e-9))
    threshold = p[order][reached]
    last = int(np.flatnonzero(p[order] == threshold)[-1])
    return float(positive[last] / taken[last]), float(threshold)


def fit_temperature(margins: Floats, truth: Bools, weights: Floats) -> float:
    """Temperature that makes the logistic loss of ``margins / temperature`` least, by golden section.

    Args:
        margins: (N,), logit of the positive class minus that of the other.
        truth: (N,).
        weights: (N,).
    """
    signed = np.where(truth, margins, -margins)

    def loss(log_t: float) -> float:
        return float((weights * np.logaddexp(0, -signed / np.exp(log_t))).sum())

    low, high = np.log(0.05), np.log(20)
    ratio = (5**0.5 - 1) / 2
    while high - low > 1e-4:
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if loss(a) < loss(b) else (a, high)
    return float(np.exp((low + high) / 2))


@dataclass(frozen=True)
class OperatingPoint:
    """Threshold and band of uncertain frames around it."""

    threshold: float
    uncertain: tuple[float, float]


def choose_operating_point(
    p: Floats,
    truth: Bools,
    weights: Floats,
    *,
    precision: float = 0.995,
    recall: float = 0.975,
    share: float = 0.02,
    wrong: float = 0.25,
) -> OperatingPoint:
    """Choose the lowest threshold from 0.5 up that reaches a precision without losing a recall.

    Where no threshold does both, the one with the best precision at that recall. The band holds the least sure frames,
    ``share`` of the weight at most: it reaches equally far to both sides of the threshold in log-odds, but to neither
    side farther than where ``wrong`` of what that side holds is wrong, so that it does not hide mostly right answers.
    """
    candidates = np.round(np.arange(0.5, 0.96, 0.01), 2)
    best = (-1.0, 0.5)
    for threshold in candidates:
        taken = p >= threshold
        hit = float((weights * (taken & truth)).sum())
        found = hit / float((weights * truth).sum())
        exact = hit / max(float((weights * taken).sum()), 1e-12)
        if found < recall:
            break
        if exact > best[0]:
            best = (exact, float(threshold))
        if exact >= precision:
            break
    threshold = best[1]
    distance = np.abs(_log_odds(p) - _log_odds(np.array(threshold)))
    order = np.argsort(distance, kind="stable")
    inside = order[np.cumsum(weights[order]) <= share * weights.sum()]
    reach = float(distance[inside].max()) if len(inside) else 0.0
    at, bounds = _log_odds(np.array(threshold)), []
    for side, on, missed in ((-1, p < threshold, truth), (1, p >= threshold, ~truth)):
        far = _reach(distance, on & (distance <= reach), missed, weights, wrong)
        bounds.append(float(1 / (1 + np.exp(-(at + side * far)))))
    low, high = bounds
    return OperatingPoint(threshold, (round(low, 3), round(high, 3)))


def _reach(distance: Floats, here: Bools, missed: Bools, weights: Floats, wrong: float) -> float:
    """Largest distance up to which a share of ``wrong`` of the weight ``here`` is ``missed``; 0 if there is none."""
    order = np.flatnonzero(here)[np.argsort(distance[here], kind="stable")]
    held = np.cumsum(weights[order])
    enough = np.flatnonzero(np.cumsum(weights[order] * missed[order]) >= wrong * held)
    return float(distance[order[enough[-1]]]) if len(enough) else 0.0


def _log_odds(p: Floats) -> Floats:
    clipped = np.clip(p, 1e-9, 1 - 1e-9)
    return np.log(clipped / (1 - clipped))
