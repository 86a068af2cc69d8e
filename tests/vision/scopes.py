"""Drawn endoscope pictures with a known field of view."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Scope:
    """What is seen through an endoscope: a scene inside a box, and inside a circle if there is one.

    Attributes:
        width: Of the frame.
        height: Of the frame.
        box: Half open, in pixels; the whole frame by default.
        circle: Centre and radius, or ``None``.
        surround: Grey level around the field.
        captions: Text on the frame, each with where it begins.
        notch: Whether the little triangle of some scopes sits on the upper right of the circle.
        dark: Share of the scene that is nearly black.
    """

    width: int = 480
    height: int = 270
    box: tuple[int, int, int, int] = (0, 0, 10_000, 10_000)
    circle: tuple[float, float, float] | None = None
    surround: int = 0
    captions: tuple[tuple[str, int, int], ...] = ()
    notch: bool = False
    dark: float = 0.0

    def field(self) -> np.ndarray:
        """Pixels of the field: bool, shape (height, width)."""
        y, x = np.mgrid[0 : self.height, 0 : self.width] + 0.5
        x1, y1, x2, y2 = self.box
        inside = (x > x1) & (x < x2) & (y > y1) & (y < y2)
        if self.circle is not None:
            cx, cy, radius = self.circle
            away = np.hypot(x - cx, y - cy)
            inside &= away < radius
            if self.notch:
                inside &= (np.abs(np.degrees(np.arctan2(y - cy, x - cx)) + 40) > 2.5) | (away < 0.95 * radius)
        return inside

    def frame(self, seed: int, n: int) -> np.ndarray:
        """Frame ``n`` of a scene that turns and wanders: RGB, uint8."""
        image = scene(self.width, self.height, seed, n, dark=self.dark)
        image[~self.field()] = self.surround
        for text, x, y in self.captions:
            cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (230, 230, 230), 1, cv2.LINE_AA)
        return image


def scene(width: int, height: int, seed: int, n: int, *, dark: float = 0.0) -> np.ndarray:
    """Tissue-like blobs that turn by a few degrees a frame; a share of them is nearly black."""
    side = 2 * max(width, height)
    coarse = np.random.default_rng(seed).random((14, 14)).astype(np.float32)
    blobs = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), 7.0 * n, 1 + 0.1 * np.sin(0.7 * n))
    turn[:, 2] += 15 * np.sin(1.3 * n + seed), 12 * np.cos(0.9 * n)
    light = cv2.warpAffine(blobs, turn, (side, side), borderMode=cv2.BORDER_REFLECT)
    light = np.clip(light[(side - height) // 2 :, (side - width) // 2 :][:height, :width], 0, 1)
    lit = 1 / (1 + np.exp(np.clip(-40 * (light - np.quantile(coarse, dark)), -60, 60))) if dark else 1.0
    image = (0.03 + (0.32 + 0.5 * light) * lit)[:, :, None] * np.array([235, 130, 110])
    image += np.random.default_rng(seed * 1000 + n).normal(0, 3, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)
