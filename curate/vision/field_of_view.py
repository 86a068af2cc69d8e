"""The endoscope's field of view in a picture: the circle or rectangle that shows the scene, in a dark surround.

The picture is `evidence`: what a few frames of a shot have in common, small and grey, so that the field is lit even
where a single frame is dark, while the surround stays dark. On it the surround's level is read at the edge of the
frame, the boundary of what is brighter is traced row by row and column by column, and circle, ellipse and rectangle
are fitted to it by consensus (M. A. Fischler and R. C. Bolles, "Random sample consensus", 1981), since captions,
notches and dark tissue all leave points that lie elsewhere. A circle is nearly always cut by the frame, and sometimes
by a window inside it: the field is the part of the ellipse inside the box. It is only believed where the brightness
drops to the surround's level within a few pixels along most of its visible boundary.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]
Shape = Literal["none", "rectangle", "circle", "ellipse"]

SHAPES: tuple[str, ...] = get_args(Shape)
"""``none``: the whole frame shows the scene, or nothing can be told. An ``ellipse`` is a circle in pixels that are not
square."""

FEWEST_ROWS = 160
"""Short side in pixels that the evidence has at least, where the frames are large enough."""

CONTRAST = (5.0, 12.0)
"""Grey levels above the surround from which a pixel counts as lit: the least where the surround is a clean black, the
most where it wavers."""

LIGHTEST_SURROUND = 48
"""A surround that is lighter than this grey level is none."""

TOLERANCE = 1.5
"""Distance in pixels of the evidence up to which a point agrees with a fit."""

SMALLEST_BORDER = 0.01
"""Borders narrower than this share of the frame's side are left alone."""

TRUSTED = 0.6
"""Smallest share of a field's visible boundary with a sharp drop to the surround."""

TRUSTED_SHORT_ARC = 0.8
"""The same for a circle of which less than a quarter is to be seen: dark corners of a scene can pass for one."""

_TRIALS = 256
_TRIAL_POINTS = 160
_ARC_BINS = 120
_GRID = 64
_LONG_ARC = _ARC_BINS // 2
_FEWEST_SAMPLES = 12
_GOOD = 0.93
_LEAST_EXPLAINED = 0.35


@dataclass(frozen=True)
class FieldOfView:
    """Where the scene is in a frame: the part of an ellipse that lies in a box.

    Attributes:
        shape: One of `SHAPES`.
        x1: Left edge of the bounding box, in pixels; the box lies inside the frame.
        y1: Upper edge.
        x2: Right edge, exclusive.
        y2: Lower edge, exclusive.
        cx: Centre of the circle or ellipse, which may lie outside of the frame; 0 for the other shapes.
        cy: Centre.
        rx: Radius across; 0 where there is no ellipse.
        ry: Radius down; equal to ``rx`` for a circle.
        score: Share of the visible boundary that drops sharply to a dark surround, 0..1; 0 for ``none``.
    """

    shape: str
    x1: float
    y1: float
    x2: float
    y2: float
    cx: float = 0.0
    cy: float = 0.0
    rx: float = 0.0
    ry: float = 0.0
    score: float = 0.0

    @classmethod
    def whole(cls, width: int, height: int) -> FieldOfView:
        """No field: the whole frame."""
        return cls("none", 0, 0, width, height)

    @property
    def is_round(self) -> bool:
        """Whether there is an ellipse beside the box."""
        return self.rx > 0

    def scaled(self, x: float, y: float) -> FieldOfView:
        """The field in a picture of another size.

        Args:
            x: New width over old width.
            y: New height over old height.
        """
        return dataclasses.replace(
            self,
            x1=self.x1 * x,
            y1=self.y1 * y,
            x2=self.x2 * x,
            y2=self.y2 * y,
            cx=self.cx * x,
            cy=self.cy * y,
            rx=self.rx * x,
            ry=self.ry * y,
        )

    def mask(self, width: int, height: int, *, grow: float = 0.0) -> npt.NDArray[np.bool_]:
        """Which pixels belong to the field.

        Args:
            width: Of the picture.
            height: Of the picture.
            grow: Pixels by which box and ellipse are made larger on every side.

        Returns:
            bool, shape (height, width); a pixel belongs to the field if its centre does.
        """
        x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
        inside = ((y >= self.y1 - grow) & (y < self.y2 + grow))[:, None] & (
            (x >= self.x1 - grow) & (x < self.x2 + grow)
        )[None, :]
        if self.is_round:
            across = ((x - self.cx) / max(self.rx + grow, 1e-6)) ** 2
            down = ((y - self.cy) / max(self.ry + grow, 1e-6)) ** 2
            inside &= down[:, None] + across[None, :] <= 1
        return np.asarray(inside)

    def inscribed(self) -> tuple[int, int, int, int]:
        """The largest upright rectangle in the field, as a half-open box in whole pixels.

        Where no pixel is wholly inside, as in a sliver between an ellipse and its box, it is the box around the field.
        Found by search over its upper and lower edge, first on a coarse grid and then on finer ones around the best.
        """
        low = [self.y1, self.y1]
        high = [self.y2, self.y2]
        best = (self.x1, self.y1, self.x2, self.y2)
        for _ in range(4 if self.is_round else 0):
            top, bottom = (np.linspace(a, b, _GRID) for a, b in zip(low, high, strict=True))
            (left_top, right_top), (left_bottom, right_bottom) = self._span(top), self._span(bottom)
            left = np.maximum(left_top[:, None], left_bottom[None, :])
            right = np.minimum(right_top[:, None], right_bottom[None, :])
            areas = np.maximum(right - left, 0) * np.maximum(bottom[None, :] - top[:, None], 0)
            i, j = np.unravel_index(int(areas.argmax()), areas.shape)
            best = (left[i, j], top[i], right[i, j], bottom[j])
            steps = top[1] - top[0], bottom[1] - bottom[0]
            low = [max(top[i] - steps[0], self.y1), max(bottom[j] - steps[1], self.y1)]
            high = [min(top[i] + steps[0], self.y2), min(bottom[j] + steps[1], self.y2)]
        x1, y1, x2, y2 = math.ceil(best[0]), math.ceil(best[1]), math.floor(best[2]), math.floor(best[3])
        if x1 < x2 and y1 < y2:
            return x1, y1, x2, y2
        return math.floor(self.x1), math.floor(self.y1), math.ceil(self.x2), math.ceil(self.y2)

    def _span(self, y: Points) -> tuple[Points, Points]:
        """Where the field begins and ends at some heights."""
        half = self.rx * np.sqrt(np.maximum(1 - ((y - self.cy) / self.ry) ** 2, 0))
        return np.maximum(self.cx - half, self.x1), np.minimum(self.cx + half, self.x2)

    def overlap(self, other: FieldOfView, width: int, height: int) -> float:
        """Area in common over area together, 0..1, of two fields of one frame."""
        mine, yours = self.mask(width, height), other.mask(width, height)
        together = int((mine | yours).sum())
        return int((mine & yours).sum()) / together if together else 1.0


def reduction(width: int, height: int) -> int:
    """By which of 1, 2, 4 and 8 a frame of this size is divided for the evidence; a JPEG is decoded so at once."""
    return next((k for k in (8, 4, 2) if min(width, height) // k >= FEWEST_ROWS), 1)


def block_evidence(frames: Sequence[Grey]) -> Grey:
    """What a few frames of one shot show together: the second brightest value of each pixel.

    The field is lit by whatever passes through it, and a flash in a single frame leaves no trace. Of one or two frames
    it is the brightest value.

    Args:
        frames: uint8, all of shape (rows, columns), at least one.
    """
    if len(frames) < 3:
        return np.asarray(functools.reduce(np.maximum, frames))
    first, second = frames[0], np.zeros_like(frames[0])
    for frame in frames[1:]:
        second = np.maximum(second, np.minimum(first, frame))
        first = np.maximum(first, frame)
    return np.asarray(second)


class Surround(NamedTuple):
    """What is dark at the frame's edge.

    Attributes:
        level: Its grey level.
        contrast: Grey levels above it from which a pixel is lit.
    """

    level: float
    contrast: float

    @property
    def lit(self) -> float:
        """Grey level above which a pixel is lit."""
        return self.level + self.contrast


def surround_of(evidence: npt.NDArray[Any]) -> Surround:
    """Measure a dark surround, if there is one: nearly the darkest at the frame's edge, and how much that wavers.

    Args:
        evidence: Grey levels 0..255, shape (rows, columns).
    """
    strips = (evidence[:2], evidence[-2:], evidence[:, :2], evidence[:, -2:])
    edge = np.concatenate([strip.ravel() for strip in strips])
    level = float(np.percentile(edge, 5))
    least, most = CONTRAST
    wavers = float(np.percentile(edge[edge <= level + most], 90)) - level
    return Surround(level, min(max(1.5 * wavers, least), most))


def fit_field(evidence: npt.NDArray[Any]) -> FieldOfView:
    """Find the field of view in the evidence of a shot.

    Args:
        evidence: Grey levels 0..255, shape (rows, columns); the short side has `FEWEST_ROWS` pixels or more where it
            can.

    Returns:
        The field in pixels of the evidence; ``none`` where nothing can be believed.
    """
    grey = np.asarray(evidence, dtype=np.float32)
    height, width = grey.shape
    whole = FieldOfView.whole(width, height)
    surround = surround_of(grey)
    if surround.level > LIGHTEST_SURROUND:
        return whole
    lit = _main_part(grey > surround.lit)
    if not lit.any():
        return whole
    trace = _Trace(grey, lit, surround)
    if len(trace.points) < 8:
        return whole
    best, most = whole, _LEAST_EXPLAINED
    for make, advantage in ((_rectangle, 0.0), (_circle, 0.0), (_ellipse, 0.1)):
        field = make(trace)
        if field is None or field.score < TRUSTED:
            continue
        explained = _explained(trace, field)
        if explained > most + advantage:
            best, most = field, explained
        if most >= _GOOD:
            break
    return best


def _main_part(lit: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The large lit areas; captions and logos that lie apart from them are left out."""
    import cv2

    opened = cv2.morphologyEx(lit.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    areas = statistics[1:, cv2.CC_STAT_AREA]
    if not len(areas) or areas.max() < 0.03 * lit.size:
        return np.zeros_like(lit)
    return np.isin(labels, 1 + np.flatnonzero(areas >= 0.2 * areas.max()))


class _Trace:
    """Boundary of the lit area: its first and last pixel in every row and column, to a fraction of a pixel.

    Points at the edge of the frame are left out: nothing shows where the field ends there.

    Attributes:
        points: float64, shape (n, 2): x, y.
        sides: The points by the side on which they lie, in the order left, right, top, bottom.
        rows: Rows in which there is something lit.
        columns: Columns in which there is something lit.
    """

    def __init__(self, grey: npt.NDArray[np.float32], lit: npt.NDArray[np.bool_], surround: Surround) -> None:
        self.grey, self.surround = grey, surround
        left, right = _ends(grey, lit, surround.level)
        top, bottom = (side[:, ::-1] for side in _ends(grey.T, lit.T, surround.level))
        self.sides = (left, right, top, bottom)
        self.points = np.concatenate(self.sides)
        self.rows, self.columns = int(lit.any(axis=1).sum()), int(lit.any(axis=0).sum())


def _ends(grey: npt.NDArray[np.float32], lit: npt.NDArray[np.bool_], level: float) -> tuple[Points, Points]:
    """First and last lit point of every row, as x, y; ends at the frame's edge are left out."""
    width = grey.shape[1]
    rows = np.flatnonzero(lit.any(axis=1))
    first = lit[rows].argmax(axis=1)
    last = width - 1 - lit[rows, ::-1].argmax(axis=1)
    found = []
    for ends, inward in ((first, 1), (last, -1)):
        within = (ends >= 1) & (ends < width - 1)
        y, x = rows[within], ends[within]
        full = grey[y, np.clip(x + 2 * inward, 0, width - 1)] - level
        # The outermost lit pixel is covered in part, and by as much as it is bright.
        share = np.clip((grey[y, x] - level) / np.maximum(full, 1), 0, 1)
        edge = x + 1 - share if inward > 0 else x + share
        found.append(np.stack([edge, y + 0.5], axis=1))
    return found[0], found[1]


def _rectangle(trace: _Trace) -> FieldOfView | None:
    """The box that most of the points lie on; a side that cannot be believed is that of the frame."""
    height, width = trace.grey.shape
    frame = (0.0, float(width), 0.0, float(height))
    box = list(frame)
    for side, points in enumerate(trace.sides):
        place = _line(points[:, side // 2], least=0.3 * (trace.rows, trace.columns)[side // 2])
        smallest = max(SMALLEST_BORDER * (width, height)[side // 2], 1)
        if place is not None and abs(place - frame[side]) >= smallest:
            box[side] = place
    for side in range(4):
        points, outward = _along_side(box, side)
        if _score(_drops(trace.grey, trace.surround, points, outward)) < TRUSTED:
            box[side] = frame[side]
    if tuple(box) == frame:
        return None
    found = FieldOfView("rectangle", box[0], box[2], box[1], box[3])
    return dataclasses.replace(found, score=boundary_score(found, trace.grey, trace.surround))


def boundary_score(field: FieldOfView, evidence: npt.NDArray[Any], surround: Surround | None = None) -> float:
    """Share of a field's visible boundary at which the evidence drops sharply to a dark surround.

    Args:
        field: In pixels of the evidence.
        evidence: Grey levels 0..255, shape (rows, columns).
        surround: Measured on the evidence if not given.

    Returns:
        0..1; 0 where too little of the boundary is to be seen.
    """
    grey = np.asarray(evidence, dtype=np.float32)
    if surround is None:
        surround = surround_of(grey)
    parts = [_along_side((field.x1, field.x2, field.y1, field.y2), side) for side in range(4)]
    if field.is_round:
        ellipse = np.array([[field.cx, field.cy, field.rx, field.ry]])
        kept = [_distances(points, ellipse)[0] < -2 for points, _ in parts]
        parts = [(points[keep], outward[keep]) for (points, outward), keep in zip(parts, kept, strict=True)]
        parts.append(_along_ellipse(field))
    points, outward = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return _score(_drops(grey, surround, points, outward))


def _along_ellipse(field: FieldOfView) -> tuple[Points, Points]:
    """Points along the ellipse of a field, inside its box, and the direction outward."""
    turns = np.linspace(0, 2 * math.pi, 2 * _ARC_BINS, endpoint=False)
    outward = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    points = outward * (field.rx, field.ry) + (field.cx, field.cy)
    x, y = points.T
    keep = (x > field.x1 + 2) & (x < field.x2 - 2) & (y > field.y1 + 2) & (y < field.y2 - 2)
    return points[keep], outward[keep]


def _score(drops: npt.NDArray[np.bool_]) -> float:
    return float(drops.mean()) if len(drops) >= _FEWEST_SAMPLES else 0.0


def _along_side(box: Sequence[float], side: int) -> tuple[Points, Points]:
    """Points along a side of a box (x1, x2, y1, y2), a pixel apart, and the direction outward."""
    start, end = (box[2], box[3]) if side < 2 else (box[0], box[1])
    along = np.arange(start + 3, end - 3)
    fixed = np.full_like(along, box[side])
    points = np.stack([fixed, along] if side < 2 else [along, fixed], axis=1)
    outward = np.zeros_like(points)
    outward[:, side // 2] = 1 if side % 2 else -1
    return points, outward


def _line(places: Points, least: float) -> float | None:
    """The coordinate near which most of the points lie, if they are many enough."""
    if len(places) < max(least, 8):
        return None
    ordered = np.sort(places)
    ends = np.searchsorted(ordered, ordered + TOLERANCE, side="right")
    counts = ends - np.arange(len(ordered))
    start = int(counts.argmax())
    if counts[start] < least:
        return None
    return float(np.median(ordered[start : ends[start]]))


def _circle(trace: _Trace) -> FieldOfView | None:
    return _round(trace, "circle", _three_point_circles, _solve_circle, math.radians(40))


def _ellipse(trace: _Trace) -> FieldOfView | None:
    return _round(trace, "ellipse", _four_point_ellipses, _solve_ellipse, math.radians(75))


def _round(
    trace: _Trace,
    shape: Shape,
    propose: Callable[[Points, np.random.Generator], Points],
    solve: Callable[[Points], Points],
    least_arc: float,
) -> FieldOfView | None:
    """The ellipse that most of the points lie on and few outside of, and the window that cuts it."""
    height, width = trace.grey.shape
    step = -(-len(trace.points) // _TRIAL_POINTS)
    sparse = trace.points[::step]
    trials = propose(sparse, np.random.default_rng(0))
    trials = trials[_plausible(trials, width, height)]
    if not len(trials):
        return None
    far = _distances(sparse, trials)
    value = (np.abs(far) <= TOLERANCE).sum(axis=1) - (far > TOLERANCE).sum(axis=1)
    best = trials[int(value.argmax())]
    for _ in range(4):
        near = np.abs(_distances(trace.points, best[None])[0]) <= TOLERANCE
        if near.sum() < 8:
            return None
        best = solve(trace.points[near])
        if not _plausible(best[None], width, height)[0]:
            return None
    near = np.abs(_distances(trace.points, best[None])[0]) <= TOLERANCE
    cx, cy, rx, ry = map(float, best)
    angles = np.arctan2((trace.points[near, 1] - cy) / ry, (trace.points[near, 0] - cx) / rx)
    arc = len(np.unique((angles / (2 * math.pi) * _ARC_BINS).astype(int))) * 2 * math.pi / _ARC_BINS
    if arc < least_arc:
        return None
    box = [max(cx - rx, 0.0), min(cx + rx, float(width)), max(cy - ry, 0.0), min(cy + ry, float(height))]
    for side, points in enumerate(trace.sides):
        cut = points[_distances(points, best[None])[0] < -TOLERANCE] if len(points) else points
        place = _line(cut[:, side // 2], least=0.15 * (trace.rows, trace.columns)[side // 2])
        if place is None:
            continue
        window = [*box[:side], max(box[side], place) if side % 2 == 0 else min(box[side], place), *box[side + 1 :]]
        along, outward = _along_side(window, side)
        kept = _distances(along, best[None])[0] < -2
        if _score(_drops(trace.grey, trace.surround, along[kept], outward[kept])) >= TRUSTED:
            box = window
    found = FieldOfView(shape, box[0], box[2], box[1], box[3], cx, cy, rx, ry)
    arc_drops = _drops(trace.grey, trace.surround, *_along_ellipse(found))
    if _score(arc_drops) < (TRUSTED if len(arc_drops) >= _LONG_ARC else TRUSTED_SHORT_ARC):
        return None
    return dataclasses.replace(found, score=boundary_score(found, trace.grey, trace.surround))


def _plausible(ellipses: Points, width: int, height: int) -> npt.NDArray[np.bool_]:
    """Ellipses of a size and place that a field can have."""
    cx, cy, rx, ry = ellipses.T
    short, long = min(width, height), max(width, height)
    with np.errstate(invalid="ignore"):
        size = (np.minimum(rx, ry) >= 0.15 * short) & (np.maximum(rx, ry) <= 1.2 * long)
        ratio = (rx <= 2.5 * ry) & (ry <= 2.5 * rx)
        place = (cx > 0) & (cx < width) & (cy > 0) & (cy < height)
    return np.asarray(size & ratio & place)


def _three_point_circles(points: Points, random: np.random.Generator) -> Points:
    """Circles through three points each: cx, cy, rx, ry."""
    a, b, c = (points[random.integers(0, len(points), _TRIALS)] for _ in range(3))
    d = 2 * (a[:, 0] * (b - c)[:, 1] + b[:, 0] * (c - a)[:, 1] + c[:, 0] * (a - b)[:, 1])
    squares = [(p**2).sum(axis=1) for p in (a, b, c)]
    with np.errstate(divide="ignore", invalid="ignore"):
        x = (squares[0] * (b - c)[:, 1] + squares[1] * (c - a)[:, 1] + squares[2] * (a - b)[:, 1]) / d
        y = (squares[0] * (c - b)[:, 0] + squares[1] * (a - c)[:, 0] + squares[2] * (b - a)[:, 0]) / d
    radius = np.hypot(a[:, 0] - x, a[:, 1] - y)
    return np.stack([x, y, radius, radius], axis=1)


def _four_point_ellipses(points: Points, random: np.random.Generator) -> Points:
    """Upright ellipses through four points each: cx, cy, rx, ry; not a number where it is none."""
    scale = max(float(np.abs(points).max()), 1.0)
    x, y = np.moveaxis(points[random.integers(0, len(points), (_TRIALS, 4))] / scale, 2, 0)
    matrix = np.stack([y**2, x, y, np.ones_like(x)], axis=2)
    matrix = matrix[keep := np.abs(np.linalg.det(matrix)) > 1e-9]
    return _ellipse_of(np.linalg.solve(matrix, -(x[keep, :, None] ** 2))[..., 0], scale)


def _solve_ellipse(points: Points) -> Points:
    """Least squares of x^2 + a y^2 + b x + c y + d = 0."""
    scale = max(float(np.abs(points).max()), 1.0)
    x, y = (points / scale).T
    found = np.linalg.lstsq(np.stack([y**2, x, y, np.ones_like(x)], axis=1), -(x**2), rcond=None)[0]
    return np.asarray(_ellipse_of(found[None], scale)[0])


def _ellipse_of(coefficients: Points, scale: float) -> Points:
    """cx, cy, rx, ry of x^2 + a y^2 + b x + c y + d = 0; not a number where that is no ellipse."""
    a, b, c, d = coefficients.T
    with np.errstate(divide="ignore", invalid="ignore"):
        cx, cy = -b / 2, -c / (2 * a)
        square = cx**2 + a * cy**2 - d
        return np.stack([cx, cy, np.sqrt(square), np.sqrt(square / a)], axis=1) * scale


def _solve_circle(points: Points) -> Points:
    """Least squares of x^2 + y^2 + b x + c y + d = 0 (I. Kasa, 1976)."""
    x, y = points.T
    b, c, d = np.linalg.lstsq(np.stack([x, y, np.ones_like(x)], axis=1), -(x**2 + y**2), rcond=None)[0]
    radius = math.sqrt(max((b**2 + c**2) / 4 - d, 0))
    return np.array([-b / 2, -c / 2, radius, radius])


def _distances(points: Points, ellipses: Points) -> Points:
    """How far points lie outside of ellipses, to first order in pixels; negative inside. Exact for circles.

    Returns:
        Shape (ellipses, points).
    """
    cx, cy, rx, ry = (ellipses[:, i, None] for i in range(4))
    x, y = points[None, :, 0] - cx, points[None, :, 1] - cy
    norm = np.hypot(x / rx, y / ry)
    return np.asarray((norm - 1) * norm / np.maximum(np.hypot(x / rx**2, y / ry**2), 1e-9))


def _drops(grey: npt.NDArray[np.float32], surround: Surround, points: Points, outward: Points) -> npt.NDArray[np.bool_]:
    """Where on a boundary the brightness drops sharply to the surround.

    Args:
        grey: The evidence.
        surround: What is around the field.
        points: On the boundary.
        outward: Directions of length 1.

    Returns:
        One truth a point, those near the frame's edge left out: the pixel just outside is as dark as the surround, and
        at least 0.4 of the brightness ten pixels inside is gone within five pixels.
    """
    height, width = grey.shape
    outside = points + 2.5 * outward
    seen = (outside >= 0).all(axis=1) & (outside[:, 0] < width) & (outside[:, 1] < height)

    def at(distance: float) -> npt.NDArray[np.float32]:
        x, y = (points[seen] + distance * outward[seen]).T.astype(int)
        return grey[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]

    beyond, within, deep = at(2.5), at(-2.5), at(-10)
    dark = beyond <= surround.lit + 3
    return np.asarray(dark & (within - beyond >= np.maximum(0.7 * surround.contrast, 0.4 * (deep - beyond))))


def _explained(trace: _Trace, field: FieldOfView) -> float:
    """Share of the boundary's points that lie on the field's own boundary, less half the share of those outside."""
    x, y = trace.points.T
    inside = np.minimum.reduce([x - field.x1, field.x2 - x, y - field.y1, field.y2 - y])
    if field.is_round:
        ellipse = np.array([[field.cx, field.cy, field.rx, field.ry]])
        inside = np.minimum(inside, -_distances(trace.points, ellipse)[0])
    on = np.abs(inside) <= 1.5 * TOLERANCE
    return float(on.mean() - 0.5 * (inside < -1.5 * TOLERANCE).mean())
