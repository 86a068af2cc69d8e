"""Short clips with drawn overlays and their exact places: what the overlay network is trained and tested on.

A clip is surgery without overlays: frames of one video as they followed each other, or one still frame set in motion
(wandering camera, soft tissue, flicker, noise) behind a fixed field of view. Text, logos, interface bars and
picture-in-picture windows of `draw_overlays` are laid over it in screen coordinates. Text that moves with the scene,
black redaction boxes and the edge of the field of view are there as well: they are no overlays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from draw_overlays import Artist, bounds
from PIL import Image as PilImage

from curate.nets.detect.overlay import CLASSES
from curate.vision.static_content import COLUMNS, ROWS, WINDOW

SCALE = 2
"""Overlays are drawn this much larger than the reduced image."""

HEIGHT, WIDTH = ROWS * SCALE, COLUMNS * SCALE

UNSEEN = 255
"""Class of pixels under what is too faint to be seen of an overlay: neither surgery nor overlay."""

VISIBLE = 10.0
"""Change of a pixel (0..255, mean over the frames that show the overlay) from which it can be seen. The truth is the
box around such pixels: a dark panel that reaches into a dark border ends, for the eye, at the border."""

FEWEST = 12
"""An overlay of fewer visible pixels of the reduced image is too faint as a whole."""

Image = np.ndarray
Box = tuple[int, int, int, int]


class Drawn(NamedTuple):
    """One overlay of a clip.

    Attributes:
        kind: One of `CLASSES`, or ``None`` if it is too faint to be seen.
        box: Half-open, in pixels of the frames: around what can be seen of it, or around all of it if nothing can.
        shown: For each frame whether it is there.
    """

    kind: str | None
    box: Box
    shown: Image


class Clip(NamedTuple):
    """Frames and what was drawn over them.

    Attributes:
        frames: RGB, uint8.
        target: Class of every pixel as an index into `CLASSES`, or `UNSEEN`: uint8, as large as a frame.
        drawn: The overlays, lowest first.
    """

    frames: list[Image]
    target: Image
    drawn: list[Drawn]


@dataclass(frozen=True)
class Composer:
    """Draws clips.

    Attributes:
        scenes: RGB frames of surgery without overlays.
        sequences: RGB frames of one video each, in order, without overlays; none are needed.
        inserts: RGB pictures for picture-in-picture windows.
        artist: Draws on layers of `WIDTH` by `HEIGHT`.
        detail: Sides of the frames in those of the reduced image, 1 to `SCALE`.
        lettered: Share of still frames with text that moves with the scene.
    """

    scenes: Sequence[Image]
    sequences: Sequence[Sequence[Image]]
    inserts: Sequence[Image]
    artist: Artist
    detail: int = 1
    lettered: float = 0.2

    def clip(
        self,
        rng: np.random.Generator,
        frames: int | None = None,
        kinds: Sequence[str] | None = None,
        followed: float = 0.3,
    ) -> Clip:
        """One clip.

        Args:
            rng: Source of all randomness.
            frames: Length; drawn from 1 to 8 if not given.
            kinds: Overlays to draw; drawn at random if not given.
            followed: Share of clips made of frames that followed each other, if there are sequences.
        """
        if frames is None:
            frames = int(rng.choice(np.arange(1, WINDOW + 1), p=[0.12, 0.06, 0.06, 0.06, 0.1, 0.1, 0.1, 0.4]))
        if kinds is None:
            count = int(rng.choice([0, 1, 2, 3], p=[0.25, 0.35, 0.25, 0.15]))
            kinds = [str(kind) for kind in rng.choice(CLASSES[1:], size=count, p=[0.25, 0.4, 0.2, 0.15])]
        clip = self._scene(rng, frames, followed)
        target = np.zeros(clip[0].shape[:2], np.uint8)
        drawn = [
            overlay
            for kind in sorted(kinds, key=["ui", "pip", "logo", "text"].index)
            if (overlay := self._overlay(rng, clip, target, kind))
        ]
        if rng.random() < 0.25:
            soft = float(rng.uniform(0.4, 1.0))
            clip = [cv2.GaussianBlur(frame, (0, 0), soft) for frame in clip]
        sigma = rng.choice([0.0, 1.0, 2.5])
        if sigma:
            clip = [frame + np.float32(sigma) * rng.standard_normal(frame.shape, np.float32) for frame in clip]
        return Clip([np.clip(frame, 0, 255).astype(np.uint8) for frame in clip], target, drawn)

    def _overlay(self, rng: np.random.Generator, clip: list[Image], target: Image, kind: str) -> Drawn | None:
        """Draw one overlay over the frames that show it, and write its class where it can be seen."""
        frames = len(clip)
        shown = np.ones(frames, bool)
        if frames >= 4 and rng.random() < 0.15:
            shown[: int(rng.integers(1, frames // 2 + 1))] = False
            if rng.random() < 0.5:
                shown = shown[::-1]
        if kind == "pip":
            box, pictures, alphas = self._insert(rng, frames)
        else:
            box, pictures, alphas = self._layer(rng, kind, frames)
        x1, y1, x2, y2 = box
        if x2 <= x1 or y2 <= y1:
            return None
        change = np.zeros((y2 - y1, x2 - x1), np.float32)
        for k in np.flatnonzero(shown):
            window = clip[k][y1:y2, x1:x2]
            drawn = window * (1 - alphas[k % len(alphas)]) + pictures[k % len(pictures)]
            change += np.abs(drawn - window).max(axis=2)
            window[:] = drawn
        area = target[y1:y2, x1:x2]
        area[area == 0] = UNSEEN
        visible = change >= VISIBLE * shown.sum()
        if visible.sum() < FEWEST * self.detail**2:
            return Drawn(None, box, shown)
        ys, xs = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
        left, top, right, bottom = int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1
        area[top:bottom, left:right] = CLASSES.index(kind)
        return Drawn(kind, (x1 + left, y1 + top, x1 + right, y1 + bottom), shown)

    def _layer(self, rng: np.random.Generator, kind: str, frames: int) -> tuple[Box, list[Image], list[Image]]:
        """What the artist draws, at the size of the frames.

        Returns:
            Box in pixels of the frames, colours weighted by the opacity, and opacity (rows, columns, 1) in 0..1.
        """
        artist = self.artist
        if kind == "text":
            layers = artist.text(rng, frames)
        else:
            layers = [artist.logo(rng) if kind == "logo" else artist.bar(rng)]
        found = bounds(layers)
        if found is None:
            return (0, 0, 0, 0), [], []
        scale = SCALE // self.detail
        x1, y1, x2, y2 = found[0] // scale, found[1] // scale, -(-found[2] // scale), -(-found[3] // scale)
        opacity = 1.0
        if rng.random() < (0.5 if kind == "logo" else 0.2):
            opacity = float(rng.uniform(0.3, 1.0))
        pictures, alphas = [], []
        for layer in layers:
            part = np.asarray(layer.crop((x1 * scale, y1 * scale, x2 * scale, y2 * scale)), dtype=np.float32)
            alpha = part[..., 3:] * np.float32(opacity / 255)
            size = (x2 - x1, y2 - y1)
            pictures.append(
                cv2.resize(part[..., :3] * alpha, size, interpolation=cv2.INTER_AREA).reshape(*size[::-1], 3)
            )
            alphas.append(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA).reshape(*size[::-1], 1))
        return (x1, y1, x2, y2), pictures, alphas

    def _insert(self, rng: np.random.Generator, frames: int) -> tuple[Box, list[Image], list[Image]]:
        """A picture-in-picture window, in the form of `_layer`: still, swaying, or jumping from shot to shot."""
        pictures = self.inserts if rng.random() < 0.85 else self.scenes
        source = pictures[int(rng.integers(len(pictures)))]
        rows, columns, scale = ROWS * self.detail, COLUMNS * self.detail, SCALE // self.detail
        across = int(np.exp(rng.uniform(np.log(0.1), np.log(0.45))) * columns)
        down = min(int(across * rng.uniform(0.5, 1.2)), rows // 2)
        x, y = self.artist.place(rng, across * scale, down * scale)
        x, y = min(x // scale, columns - across), min(y // scale, rows - down)
        edge = int(rng.choice([0, 1, 2], p=[0.5, 0.35, 0.15])) * self.detail
        colour = np.array(self.artist.colour(rng), np.float32)
        sway = rng.choice([0.0, 0.5, 2.0, 6.0, 40.0], p=[0.25, 0.2, 0.2, 0.2, 0.15])
        big = cv2.resize(source, (int(across * 1.3) + 1, int(down * 1.3) + 1), interpolation=cv2.INTER_AREA)
        at = np.array([0.15 * across, 0.15 * down])
        mask = np.ones((down, across, 1), np.float32)
        if rng.random() < 0.12:
            corner = PilImage.new("L", (across, down), 0)
            _round(corner, int(rng.choice([4, min(across, down) // 2])))
            mask = np.asarray(corner, np.float32)[..., None] / 255
        contents = []
        for _ in range(frames):
            at = np.clip(at + rng.normal(0, sway * self.detail, 2), 0, [0.3 * across, 0.3 * down])
            left, top = (int(v) for v in at)
            content = big[top : top + down, left : left + across].astype(np.float32) * np.float32(
                1 + rng.normal(0, 0.02)
            )
            if edge:
                content[:edge] = content[-edge:] = colour
                content[:, :edge] = content[:, -edge:] = colour
            contents.append(np.clip(content, 0, 255) * mask)
        return (x, y, x + across, y + down), contents, [mask]

    def _scene(self, rng: np.random.Generator, frames: int, followed: float) -> list[Image]:
        if self.sequences and rng.random() < followed:
            return self._run(rng, frames)
        if frames >= 2 and rng.random() < 0.25:
            first = int(rng.integers(1, frames))
            return [*self._shot(rng, first), *self._shot(rng, frames - first)]
        return self._shot(rng, frames)

    def _run(self, rng: np.random.Generator, frames: int) -> list[Image]:
        """Frames of one video as they followed each other, cut and flipped alike."""
        sequence = self.sequences[int(rng.integers(len(self.sequences)))]
        first = int(rng.integers(max(len(sequence) - frames, 0) + 1))
        flip = rng.random() < 0.5
        zoom = float(rng.choice([0.0, rng.uniform(0, 0.25)]))
        (left, top), light = zoom * rng.random(2), float(rng.uniform(0.8, 1.15))
        run = []
        for image in sequence[first : first + frames]:
            height, width = image.shape[:2]
            across, down = int(width * (1 - zoom)), int(height * (1 - zoom))
            x, y = int(left * width), int(top * height)
            size = (COLUMNS * self.detail, ROWS * self.detail)
            part = cv2.resize(image[y : y + down, x : x + across], size, interpolation=cv2.INTER_AREA)
            run.append((part[:, ::-1] if flip else part).astype(np.float32) * np.float32(light))
        while len(run) < frames:
            run.append(run[-1].copy())
        return run

    def _shot(self, rng: np.random.Generator, frames: int) -> list[Image]:
        """One still frame set in motion."""
        still = self.scenes[int(rng.integers(len(self.scenes)))]
        canvas = cv2.resize(still, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
        if rng.random() < 0.5:
            canvas = np.ascontiguousarray(canvas[:, ::-1])
        if rng.random() < self.lettered:
            for _ in range(int(rng.integers(1, 4))):
                origin = (int(rng.integers(0, WIDTH - 100)), int(rng.integers(30, HEIGHT)))
                words, shade = (
                    self.artist.words(rng, "ABCDEFGHIKLMNOPRSTUVWXYZ0123456789", 2)[:10],
                    int(rng.integers(60, 256)),
                )
                cv2.putText(canvas, words, origin, cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(0.3, 0.8), (shade,) * 3, 1)
        zoom = rng.uniform(1.08, 1.5)
        reach = rng.choice([0.0, 0.3, 1.0, 4.0, 15.0], p=[0.08, 0.17, 0.25, 0.3, 0.2])
        bend = rng.choice([0.0, 0.5, 2.0, 8.0], p=[0.25, 0.25, 0.3, 0.2]) if reach else 0.0
        view = self._field_of_view(rng)
        rows, columns, scale = ROWS * self.detail, COLUMNS * self.detail, SCALE // self.detail
        ys, xs = np.mgrid[0:rows, 0:columns].astype(np.float32) * scale + (scale - 1) / 2
        at, angle = rng.normal(0, 5, 2), 0.0
        shot = []
        for _ in range(frames):
            at = np.clip(at + rng.normal(0, reach, 2), -WIDTH * 0.03, WIDTH * 0.03)
            angle += rng.normal(0, reach * 0.05)
            matrix = cv2.getRotationMatrix2D(
                (WIDTH / 2, HEIGHT / 2), angle, 1 / (zoom * (1 + rng.normal(0, reach * 0.001)))
            )
            a, b, c, d, e, f = (np.float32(v) for v in matrix.ravel())
            u, v = a * xs + b * ys + c - np.float32(at[0]), d * xs + e * ys + f - np.float32(at[1])
            if bend:
                flow = cv2.resize(rng.normal(0, bend, (4, 6, 2)).astype(np.float32), (columns, rows))
                u, v = u + flow[..., 0], v + flow[..., 1]
            moved = cv2.remap(canvas, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
            shot.append(moved.astype(np.float32) * view * np.float32(1 + rng.normal(0, 0.03)))
        return shot

    def _field_of_view(self, rng: np.random.Generator) -> Image:
        """Share of light per pixel: a full picture, a disc with or without a notch, an upright bar, redaction boxes."""
        view = np.ones((HEIGHT, WIDTH), np.float32)
        kind = rng.random()
        if kind < 0.35:
            view[:] = 0
            radius = rng.uniform(0.42, 0.75) * HEIGHT
            stretch = rng.uniform(0.55, 1.5)
            centre = (int(WIDTH / 2 + rng.normal(0, 20)), int(HEIGHT / 2 + rng.normal(0, 10)))
            axes = (int(radius * stretch), int(radius))
            cv2.ellipse(view, centre, axes, 0, 0, 360, 1.0, -1, cv2.LINE_AA)
            if rng.random() < 0.25:
                angle = rng.uniform(0, 2 * np.pi)
                tip = (centre[0] + axes[0] * np.cos(angle), centre[1] + axes[1] * np.sin(angle))
                notch = np.array(tip) + rng.normal(0, 10, (3, 2))
                cv2.fillConvexPoly(view, cv2.convexHull(notch.astype(np.int32)), 0.0, cv2.LINE_AA)
        elif kind < 0.5:
            margin = int(rng.uniform(0.03, 0.25) * WIDTH)
            view[:, :margin] = view[:, WIDTH - margin :] = 0
        elif kind < 0.55:
            margin = int(rng.uniform(0.03, 0.2) * HEIGHT)
            view[:margin] = view[HEIGHT - margin :] = 0
        if rng.random() < 0.2:
            x, y = int(rng.integers(0, WIDTH - 60)), int(rng.integers(0, HEIGHT - 40))
            view[y : y + int(rng.integers(10, 60)), x : x + int(rng.integers(20, 120))] = 0
        if rng.random() < 0.5:
            view = cv2.GaussianBlur(view, (0, 0), rng.uniform(0.5, 3))
        size = (COLUMNS * self.detail, ROWS * self.detail)
        return cv2.resize(view, size, interpolation=cv2.INTER_AREA)[..., None]


def _round(mask: PilImage.Image, radius: int) -> None:
    from PIL import ImageDraw

    ImageDraw.Draw(mask).rounded_rectangle((0, 0, mask.width - 1, mask.height - 1), radius, fill=255)
