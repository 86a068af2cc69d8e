"""Short clips with drawn overlays and their exact places: what the overlay network is trained and tested on.

A clip is surgery without overlays: frames of one video as they followed each other, or one still frame set in motion
(wandering camera, soft tissue, flicker, noise) behind a fixed field of view. Text, logos, interface bars and
picture-in-picture windows of `draw_overlays`, and whole interfaces of `draw_interfaces`, are laid over it in screen
coordinates; some fade in or out, and the clip may be as small and as compressed as web video. Text that moves with the
scene, lettering on instruments, green light, a small round picture, its black, white or coloured surround: these are
there as well, and are no overlays. Redaction boxes are neither: they count for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from draw_interfaces import interface
from draw_overlays import Artist, bounds, font_of
from PIL import Image as PilImage
from PIL import ImageDraw

from curate.nets.detect.overlay import CLASSES, pieces
from curate.training.overlay_unet import UNSEEN
from curate.vision.static_content import COLUMNS, ROWS, WINDOW

SCALE = 2
"""Overlays are drawn this much larger than the reduced image."""

HEIGHT, WIDTH = ROWS * SCALE, COLUMNS * SCALE

VISIBLE = 10.0
"""Change of a pixel (0..255, mean over the frames that show the overlay) from which it can be seen. The truth is the
box around such pixels: a dark panel that reaches into a dark border ends, for the eye, at the border."""

FEWEST = 12
"""An overlay of fewer visible pixels of the reduced image is too faint as a whole."""

INTERFACES_SHARE = 0.55
"""Share of clips with an interface, where there are families of them."""

Image = np.ndarray
Box = tuple[int, int, int, int]
Layer = tuple[Box, list[Image], list[Image]]
"""Box in pixels of the frames, colours weighted by the opacity, and opacity (rows, columns, 1) in 0..1; one of each for
all frames, or one for each frame."""


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
        interfaces: Families of `draw_interfaces`; none are needed.
        varied: Whether scenes are varied as real ones are (surrounds, light, instruments with letters, redactions)
            and clips have the qualities of web video.
    """

    scenes: Sequence[Image]
    sequences: Sequence[Sequence[Image]]
    inserts: Sequence[Image]
    artist: Artist
    detail: int = 1
    lettered: float = 0.2
    interfaces: Sequence[str] = ()
    varied: bool = True

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
            frames = int(rng.choice(np.arange(1, WINDOW + 1), p=[0.1, 0.08, 0.08, 0.08, 0.1, 0.12, 0.12, 0.32]))
        families: list[str] = []
        if kinds is None:
            if self.interfaces and rng.random() < INTERFACES_SHARE:
                families = [str(name) for name in rng.choice(self.interfaces, int(rng.choice([1, 2], p=[0.7, 0.3])))]
            count = int(rng.choice([0, 1, 2, 3], p=[0.6, 0.3, 0.1, 0] if families else [0.35, 0.35, 0.2, 0.1]))
            kinds = [str(kind) for kind in rng.choice(CLASSES[1:], size=count, p=[0.25, 0.4, 0.2, 0.15])]
        clip = self._scene(rng, frames, followed)
        target = np.zeros(clip[0].shape[:2], np.uint8)
        if self.varied:
            _redact(rng, clip, target)
        drawn: list[Drawn] = []
        for family in families:
            shown = _shown(rng, frames)
            for part in interface(self.artist, rng, family, frames):
                layer = self._reduced(part.layers, 1.0)
                drawn += _lay(clip, target, part.kind, layer, shown, self.detail, exact=part.exact)
        for kind in sorted(kinds, key=["ui", "pip", "logo", "text"].index):
            layer = self._insert(rng, frames) if kind == "pip" else self._layer(rng, kind, frames)
            drawn += _lay(clip, target, kind, layer, _shown(rng, frames), self.detail)
        if rng.random() < 0.25:
            soft = float(rng.uniform(0.4, 1.0))
            clip = [cv2.GaussianBlur(frame, (0, 0), soft) for frame in clip]
        sigma = rng.choice([0.0, 1.0, 2.5])
        if sigma:
            clip = [frame + np.float32(sigma) * rng.standard_normal(frame.shape, np.float32) for frame in clip]
        pixels = [np.clip(frame, 0, 255).astype(np.uint8) for frame in clip]
        return Clip(_web_video(rng, pixels) if self.varied else pixels, target, drawn)

    def _layer(self, rng: np.random.Generator, kind: str, frames: int) -> Layer:
        """What the artist draws, at the size of the frames."""
        artist = self.artist
        if kind == "text":
            layers = artist.text(rng, frames)
        else:
            layers = [artist.logo(rng) if kind == "logo" else artist.bar(rng)]
        opacity = 1.0
        if rng.random() < (0.5 if kind == "logo" else 0.2):
            opacity = float(rng.uniform(0.3, 1.0))
        return self._reduced(layers, opacity)

    def _reduced(self, layers: list[PilImage.Image], opacity: float) -> Layer:
        """Layers at the size of the frames, as far as something is drawn on them."""
        found = bounds(layers)
        if found is None:
            return (0, 0, 0, 0), [], []
        scale = SCALE // self.detail
        x1, y1, x2, y2 = found[0] // scale, found[1] // scale, -(-found[2] // scale), -(-found[3] // scale)
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

    def _insert(self, rng: np.random.Generator, frames: int) -> Layer:
        """A picture-in-picture window: still, swaying, or jumping from shot to shot."""
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
        if self.varied and rng.random() < 0.08:
            canvas = _in_green_light(rng, canvas)
        if self.varied and rng.random() < self.lettered:
            canvas = self._with_instrument(rng, canvas)
        elif rng.random() < self.lettered:
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
        ground = _surround(rng) if self.varied else np.zeros(3, np.float32)
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
            shot.append(moved.astype(np.float32) * view * np.float32(1 + rng.normal(0, 0.03)) + ground * (1 - view))
        return shot

    def _with_instrument(self, rng: np.random.Generator, canvas: Image) -> Image:
        """A picture with a shaft that reaches in from outside and carries its maker's name or marks of depth."""
        thick, length = float(rng.uniform(24, 90)), int(rng.uniform(0.5, 1.2) * WIDTH)
        light = bool(rng.random() < 0.4)
        across = np.linspace(-1, 1, int(thick))[:, None, None]
        shade = (rng.uniform(150, 240) if light else rng.uniform(15, 90)) * (1 - 0.55 * across**2)
        tint = 1 + rng.normal(0, 0.04, 3)
        shaft = PilImage.fromarray(np.clip(shade * tint * np.ones((1, length, 1)), 0, 255).astype(np.uint8))
        pen = ImageDraw.Draw(shaft)
        face = self.artist.typeface(rng)
        ink = int(rng.integers(0, 90)) if light else int(rng.integers(150, 256))
        size = int(thick * rng.uniform(0.35, 0.8))
        start = float(rng.uniform(0, 0.5)) * length
        pen.text(
            (start, (thick - size) / 2 - 2),
            self.artist.words(rng, face.letters, 3),
            font=font_of(face.path, size),
            fill=(ink,) * 3,
        )
        if rng.random() < 0.3:
            for x in range(0, length, int(rng.integers(30, 90))):
                pen.line((x, 0, x, thick), fill=(ink,) * 3, width=int(rng.integers(1, 5)))
        angle = (
            float(rng.uniform(0, 360)) if rng.random() < 0.7 else float(rng.choice([0, 180])) + float(rng.normal(0, 8))
        )
        mask = PilImage.new("L", shaft.size, 255).rotate(angle, expand=True, resample=PilImage.Resampling.BILINEAR)
        turned = shaft.rotate(angle, expand=True, resample=PilImage.Resampling.BILINEAR)
        middle = (
            np.array([WIDTH / 2, HEIGHT / 2])
            + np.array([np.cos(np.radians(angle)), -np.sin(np.radians(angle))]) * (length * rng.uniform(0.35, 0.7))
            + rng.normal(0, 60, 2)
        )
        picture = PilImage.fromarray(canvas)
        picture.paste(turned, (int(middle[0] - turned.width / 2), int(middle[1] - turned.height / 2)), mask)
        return np.asarray(picture)

    def _field_of_view(self, rng: np.random.Generator) -> Image:
        """Share of light per pixel: full, a disc with or without a notch, an octagon, between bars or framed."""
        view = np.ones((HEIGHT, WIDTH), np.float32)
        kind = rng.random()
        if kind < 0.35:
            view[:] = 0
            radius = rng.uniform(0.2 if self.varied and rng.random() < 0.25 else 0.42, 0.75) * HEIGHT
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
        elif self.varied and kind < 0.65:
            _octagon(rng, view)
        elif self.varied and kind < 0.7:
            margin = int(rng.uniform(0.008, 0.05) * HEIGHT)
            view[:margin] = view[HEIGHT - margin :] = 0
            view[:, :margin] = view[:, WIDTH - margin :] = 0
        if not self.varied and rng.random() < 0.2:
            x, y = int(rng.integers(0, WIDTH - 60)), int(rng.integers(0, HEIGHT - 40))
            view[y : y + int(rng.integers(10, 60)), x : x + int(rng.integers(20, 120))] = 0
        if rng.random() < 0.5:
            view = cv2.GaussianBlur(view, (0, 0), rng.uniform(0.5, 3))
        size = (COLUMNS * self.detail, ROWS * self.detail)
        return cv2.resize(view, size, interpolation=cv2.INTER_AREA)[..., None]


def _octagon(rng: np.random.Generator, view: Image) -> None:
    """Blacken all but a rectangle with cut corners, as flexible endoscopes show it."""
    left, right = (int(v * WIDTH) for v in (rng.uniform(0, 0.35), 1 - rng.uniform(0, 0.12)))
    top, low = (int(v * HEIGHT) for v in (rng.uniform(0, 0.06), 1 - rng.uniform(0, 0.06)))
    cut = float(rng.uniform(0.08, 0.35)) * HEIGHT
    corners = np.array(
        [
            (left + cut, top),
            (right - cut, top),
            (right, top + cut),
            (right, low - cut),
            (right - cut, low),
            (left + cut, low),
            (left, low - cut),
            (left, top + cut),
        ]
    )
    view[:] = 0
    cv2.fillConvexPoly(view, corners.astype(np.int32), 1.0, cv2.LINE_AA)


def _shown(rng: np.random.Generator, frames: int) -> Image:
    """How much of an overlay each frame shows: all, nothing before or after, or more and more of it as it fades."""
    shown = np.ones(frames, np.float32)
    if frames >= 4 and rng.random() < 0.15:
        first = int(rng.integers(1, frames // 2 + 1))
        shown[:first] = 0
        if rng.random() < 0.3:
            shown[first] = rng.uniform(0.3, 0.9)
        if rng.random() < 0.5:
            shown = shown[::-1].copy()
    return shown


def _lay(
    clip: list[Image], target: Image, kind: str, layer: Layer, shown: Image, detail: int, *, exact: bool = False
) -> list[Drawn]:
    """Draw an overlay over the frames that show it, and write its class where it can be seen.

    Args:
        clip: Frames, float32; changed.
        target: Classes; changed.
        kind: Its class.
        layer: What is drawn.
        shown: For each frame how much of it is there, 0..1.
        detail: Sides of the frames in those of the reduced image.
        exact: Whether what can be seen is the truth, and not the box around it.
    """
    (x1, y1, x2, y2), pictures, alphas = layer
    if x2 <= x1 or y2 <= y1:
        return []
    change = np.zeros((y2 - y1, x2 - x1), np.float32)
    for k in np.flatnonzero(shown):
        window = clip[k][y1:y2, x1:x2]
        part = shown[k]
        changed = window * (1 - part * alphas[k % len(alphas)]) + part * pictures[k % len(pictures)]
        change += np.abs(changed - window).max(axis=2)
        window[:] = changed
    area = target[y1:y2, x1:x2]
    touched = np.max(alphas, axis=0)[..., 0] > 0 if exact else np.ones(area.shape, bool)
    area[(area == 0) & touched] = UNSEEN
    on = shown > 0
    visible = change >= VISIBLE * shown.sum()
    if visible.sum() < FEWEST * detail**2:
        return [Drawn(None, (x1, y1, x2, y2), on)]
    if exact:
        area[visible] = CLASSES.index(kind)
        found = pieces(visible)
    else:
        ys, xs = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
        left, top, right, bottom = int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1
        area[top:bottom, left:right] = CLASSES.index(kind)
        found = [(left, top, right, bottom)]
    return [Drawn(kind, (x1 + a, y1 + b, x1 + c, y1 + d), on) for a, b, c, d in found]


def _redact(rng: np.random.Generator, clip: list[Image], target: Image) -> None:
    """Cover parts of all frames: black, white or grey, some with soft edges, or blurred beyond recognition."""
    if rng.random() < 0.8:
        return
    rows, columns = target.shape
    for _ in range(int(rng.integers(1, 4))):
        across, down = int(rng.uniform(0.03, 0.35) * columns), int(rng.uniform(0.03, 0.3) * rows)
        x = int(rng.choice([0, columns - across, rng.integers(0, columns - across)]))
        y = int(rng.choice([0, rows - down, rng.integers(0, rows - down)]))
        alpha = np.zeros((rows, columns, 1), np.float32)
        alpha[y : y + down, x : x + across] = 1
        if rng.random() < 0.3:
            alpha = cv2.GaussianBlur(alpha, (0, 0), float(rng.uniform(0.7, 4)))[..., None]
        blurred = rng.random() < 0.2
        colour = np.float32(rng.choice([0.0, 0.0, 0.0, 255.0, 128.0]))
        for frame in clip:
            cover = cv2.GaussianBlur(frame, (0, 0), across / 6 + 2) if blurred else colour
            frame[:] = frame * (1 - alpha) + cover * alpha
        target[alpha[..., 0] > 0.02] = UNSEEN


def _surround(rng: np.random.Generator) -> Image:
    """Colour outside the round picture: black, white, or a plain colour, float32 RGB."""
    kind = rng.random()
    if kind < 0.7:
        return np.full(3, rng.choice([0.0, 0.0, rng.uniform(0, 25)]), np.float32)
    if kind < 0.85:
        return np.full(3, rng.uniform(225, 255), np.float32)
    return rng.uniform(10, 200, 3).astype(np.float32)


def _in_green_light(rng: np.random.Generator, picture: Image) -> Image:
    """A picture as fluorescence shows it: one hue, dark where nothing glows."""
    luma = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32) / 255
    glow = np.clip(luma, 0, 1) ** float(rng.uniform(0.7, 2.0)) * rng.uniform(150, 300)
    hue = np.array([rng.uniform(0, 0.3), 1.0, rng.uniform(0, 0.6)], np.float32)
    hue = hue if rng.random() < 0.8 else hue[::-1]
    return np.clip(glow[..., None] * hue, 0, 255).astype(np.uint8)


def _web_video(rng: np.random.Generator, clip: list[Image]) -> list[Image]:
    """Frames as a web video of little resolution and a low rate shows them, or as they are."""
    if rng.random() < 0.5:
        return clip
    height, width = clip[0].shape[:2]
    factor, quality = float(rng.uniform(0.5, 1.0)), int(rng.integers(25, 91))
    small = max(16, int(width * factor)), max(16, int(height * factor))
    spoilt = []
    for frame in clip:
        part = cv2.resize(frame, small, interpolation=cv2.INTER_AREA) if factor < 0.9 else frame
        _, data = cv2.imencode(".jpg", part, [cv2.IMWRITE_JPEG_QUALITY, quality])
        part = cv2.imdecode(data, cv2.IMREAD_COLOR)
        spoilt.append(cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR))
    return spoilt


def _round(mask: PilImage.Image, radius: int) -> None:
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, mask.width - 1, mask.height - 1), radius, fill=255)
