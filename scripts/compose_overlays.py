"""Short reduced clips with drawn overlays and their exact places: what the overlay network is trained and tested on.

A clip is one still frame set in motion (wandering camera, soft tissue, flicker, noise) behind a fixed field of view,
with text, logos, interface bars and picture-in-picture windows drawn over it in screen coordinates. Text that moves
with the scene, black redaction boxes and glints are drawn as well: they are no overlays.
"""

from __future__ import annotations

import itertools
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from curate.media.evidence import COLUMNS, ROWS
from curate.nets.overlay import CLASSES

SCALE = 2
"""Overlays are drawn this much larger than the reduced image and then shrunk."""

HEIGHT, WIDTH = ROWS * SCALE, COLUMNS * SCALE

UNSEEN = 255
"""Class of pixels under an overlay too faint to be seen: neither surgery nor overlay."""

FAINT = 6.0
"""Mean change of the covered pixels (0..255) below which an overlay is too faint."""

ALPHABETS = (
    string.ascii_letters + string.digits,
    string.ascii_uppercase,
    string.digits + ":./-",
    "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЭЮЯабвгдежзийклмнопрстуфхцчшщэюя",
    "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩαβγδεζηθικλμνξοπρστυφχψω",
    "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
)


@dataclass(frozen=True)
class Composer:
    """Draws clips.

    Attributes:
        scenes: RGB frames of surgery without overlays.
        inserts: RGB pictures for picture-in-picture windows.
        fonts: TrueType files.
    """

    scenes: Sequence[np.ndarray]
    inserts: Sequence[np.ndarray]
    fonts: Sequence[Path]

    def clip(
        self, rng: np.random.Generator, frames: int | None = None, kinds: Sequence[str] | None = None
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """One clip and where its overlays are.

        Args:
            rng: Source of all randomness.
            frames: Length; drawn from 1 to 8 if not given.
            kinds: Overlays to draw; drawn at random if not given.

        Returns:
            The reduced frames, and the class of every pixel as an index into `CLASSES` or `UNSEEN`: uint8, shape
            (`ROWS`, `COLUMNS`).
        """
        if frames is None:
            frames = int(rng.choice([1, 2, 3, 4, 5, 6, 7, 8], p=[0.12, 0.06, 0.06, 0.06, 0.1, 0.1, 0.1, 0.4]))
        if kinds is None:
            count = int(rng.choice([0, 1, 2, 3], p=[0.25, 0.4, 0.25, 0.1]))
            kinds = [str(kind) for kind in rng.choice(CLASSES[1:], size=count, p=[0.3, 0.3, 0.2, 0.2])]
        clip = self._scene(rng, frames)
        target = np.zeros((ROWS, COLUMNS), np.uint8)
        for kind in sorted(kinds, key=["ui", "pip", "logo", "text"].index):
            shown = np.ones(frames, bool)
            if frames >= 4 and rng.random() < 0.15:
                missing = int(rng.integers(1, frames // 2 + 1))
                shown[:missing] = False
                if rng.random() < 0.5:
                    shown = shown[::-1]
            before = [frame.copy() for frame in clip]
            x1, y1, x2, y2 = self._draw(rng, clip, kind, shown)
            change = np.mean([np.abs(new - old).max(axis=2) for new, old in zip(clip, before, strict=True)], axis=0)
            touched = change[change > 1]
            seen = touched.size and touched.mean() * frames / shown.sum() >= FAINT
            target[y1:y2, x1:x2] = CLASSES.index(kind) if seen else UNSEEN
        sigma = rng.choice([0.0, 1.0, 2.5])
        noisy = [frame + rng.normal(0, sigma, frame.shape).astype(np.float32) if sigma else frame for frame in clip]
        return [np.clip(frame, 0, 255).astype(np.uint8) for frame in noisy], target

    def _scene(self, rng: np.random.Generator, frames: int) -> list[np.ndarray]:
        if frames >= 2 and rng.random() < 0.25:
            first = int(rng.integers(1, frames))
            return [*self._shot(rng, first), *self._shot(rng, frames - first)]
        return self._shot(rng, frames)

    def _shot(self, rng: np.random.Generator, frames: int) -> list[np.ndarray]:
        still = self.scenes[int(rng.integers(len(self.scenes)))]
        if rng.random() < 0.5:
            still = still[:, ::-1]
        canvas = cv2.resize(still, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
        if rng.random() < 0.2:
            canvas = canvas.copy()
            for _ in range(int(rng.integers(1, 4))):
                origin = (int(rng.integers(0, WIDTH - 100)), int(rng.integers(30, HEIGHT)))
                words, shade = self._words(rng)[:10], int(rng.integers(60, 256))
                cv2.putText(
                    canvas, words[:10], origin, cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(0.3, 0.8), (shade,) * 3, 1
                )
        zoom = rng.uniform(1.08, 1.5)
        reach = rng.choice([0.0, 0.3, 1.0, 4.0, 15.0], p=[0.08, 0.17, 0.25, 0.3, 0.2])
        bend = rng.choice([0.0, 0.5, 2.0, 8.0], p=[0.25, 0.25, 0.3, 0.2]) if reach else 0.0
        view = self._field_of_view(rng)
        grid = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
        at, angle = rng.normal(0, 5, 2), 0.0
        clip = []
        for _ in range(frames):
            at = at + rng.normal(0, reach, 2)
            at = np.clip(at, -WIDTH * 0.03, WIDTH * 0.03)
            angle += rng.normal(0, reach * 0.05)
            matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), angle, zoom * (1 + rng.normal(0, reach * 0.001)))
            matrix[:, 2] += at
            moved = cv2.warpAffine(canvas, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
            if bend:
                flow = cv2.resize(rng.normal(0, bend, (4, 6, 2)).astype(np.float32), (WIDTH, HEIGHT))
                moved = cv2.remap(
                    moved,
                    grid[1] + flow[..., 0],
                    grid[0] + flow[..., 1],
                    cv2.INTER_LINEAR,
                    borderMode=cv2.BORDER_REFLECT,
                )
            frame = cv2.resize(moved, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA).astype(np.float32)
            frame *= 1 + rng.normal(0, 0.03)
            clip.append(frame * view)
        return clip

    def _field_of_view(self, rng: np.random.Generator) -> np.ndarray:
        """Share of light per pixel: a full picture, a disc, an upright bar, or redaction boxes."""
        view = np.ones((HEIGHT, WIDTH), np.float32)
        kind = rng.random()
        if kind < 0.4:
            view[:] = 0
            radius = rng.uniform(0.42, 0.75) * HEIGHT
            stretch = rng.uniform(0.55, 1.5)
            centre = (int(WIDTH / 2 + rng.normal(0, 20)), int(HEIGHT / 2 + rng.normal(0, 10)))
            cv2.ellipse(view, centre, (int(radius * stretch), int(radius)), 0, 0, 360, 1.0, -1, cv2.LINE_AA)
        elif kind < 0.55:
            margin = int(rng.uniform(0.03, 0.25) * WIDTH)
            view[:, :margin] = view[:, WIDTH - margin :] = 0
        elif kind < 0.6:
            margin = int(rng.uniform(0.03, 0.2) * HEIGHT)
            view[:margin] = view[HEIGHT - margin :] = 0
        if rng.random() < 0.2:
            x, y = int(rng.integers(0, WIDTH - 60)), int(rng.integers(0, HEIGHT - 40))
            view[y : y + int(rng.integers(10, 60)), x : x + int(rng.integers(20, 120))] = 0
        if rng.random() < 0.5:
            view = cv2.GaussianBlur(view, (0, 0), rng.uniform(0.5, 3))
        return cv2.resize(view, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)[..., None]

    def _words(self, rng: np.random.Generator) -> str:
        alphabet = ALPHABETS[int(rng.choice(len(ALPHABETS), p=[0.5, 0.15, 0.15, 0.08, 0.05, 0.07]))]
        sizes = rng.integers(1, 11, int(rng.integers(1, 6)))
        return " ".join("".join(rng.choice(list(alphabet), size)) for size in sizes)

    def _font(self, rng: np.random.Generator, size: int) -> ImageFont.FreeTypeFont:
        return ImageFont.truetype(str(self.fonts[int(rng.integers(len(self.fonts)))]), max(size, 6))

    def _draw(self, rng: np.random.Generator, clip: list[np.ndarray], kind: str, shown: np.ndarray) -> tuple[int, ...]:
        """Draw one overlay over the frames that show it and return its box in reduced pixels."""
        if kind == "pip":
            return self._insert(rng, clip, shown)
        layer = PilImage.new("RGBA", (WIDTH, HEIGHT), (0, 0, 0, 0))
        pen = ImageDraw.Draw(layer)
        {"text": self._text, "logo": self._logo, "ui": self._bar}[kind](rng, pen)
        pixels = np.asarray(layer).astype(np.float32)
        alpha = pixels[..., 3:] / 255
        if kind == "logo" or rng.random() < 0.2:
            alpha = alpha * rng.uniform(0.4, 1.0)
        ys, xs = np.nonzero(alpha[..., 0] > 0.02)
        if not len(ys):
            return 0, 0, 0, 0
        colour = cv2.resize(pixels[..., :3] * alpha, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
        alpha = cv2.resize(alpha, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)[..., None]
        for frame, on in zip(clip, shown, strict=True):
            if on:
                frame *= 1 - alpha
                frame += colour
        return (
            int(xs.min()) // SCALE,
            int(ys.min()) // SCALE,
            -(-(int(xs.max()) + 1) // SCALE),
            -(-(int(ys.max()) + 1) // SCALE),
        )

    def _place(self, rng: np.random.Generator, across: int, down: int) -> tuple[int, int]:
        """Top left corner for something of this size: mostly near the edges, as overlays are."""
        free_x, free_y = max(WIDTH - across, 1), max(HEIGHT - down, 1)
        x, y = int(rng.integers(free_x)), int(rng.integers(free_y))
        margin = int(rng.integers(0, 30))
        if rng.random() < 0.75:
            y = min(margin, free_y) if rng.random() < 0.5 else max(free_y - margin, 0)
            if rng.random() < 0.7:
                x = min(margin, free_x) if rng.random() < 0.5 else max(free_x - margin, 0)
        return x, y

    def _colour(self, rng: np.random.Generator) -> tuple[int, int, int]:
        if rng.random() < 0.5:
            shade = int(rng.choice([255, 235, 20, 0, 128]))
            return shade, shade, shade
        return int(rng.integers(256)), int(rng.integers(256)), int(rng.integers(256))

    def _text(self, rng: np.random.Generator, pen: ImageDraw.ImageDraw) -> None:
        size = int(np.exp(rng.uniform(np.log(9), np.log(40))))
        font = self._font(rng, size)
        words = "\n".join(self._words(rng) for _ in range(int(rng.choice([1, 2, 3], p=[0.7, 0.2, 0.1]))))
        left, top, right, bottom = pen.multiline_textbbox((0, 0), words, font=font)
        across, down = int(right - left), int(bottom - top)
        pad = int(rng.integers(2, size // 2 + 4))
        x, y = self._place(rng, across + 2 * pad, down + 2 * pad)
        shade = int(rng.choice([255, 255, 255, 0, 230]))
        colour = (shade,) * 3 if rng.random() < 0.7 else self._colour(rng)
        if rng.random() < 0.4:
            panel = (*((255 - shade,) * 3 if rng.random() < 0.7 else self._colour(rng)), int(rng.integers(80, 256)))
            pen.rectangle((x, y, x + across + 2 * pad, y + down + 2 * pad), fill=panel)
        outline = int(rng.choice([0, 1, 2], p=[0.6, 0.25, 0.15]))
        origin = (x + pad - left, y + pad - top)
        pen.multiline_text(
            origin, words, font=font, fill=(*colour, 255), stroke_width=outline, stroke_fill=(255 - shade,) * 3
        )

    def _logo(self, rng: np.random.Generator, pen: ImageDraw.ImageDraw) -> None:
        across = int(np.exp(rng.uniform(np.log(18), np.log(150))))
        down = int(across * rng.uniform(0.3, 1.1))
        x, y = self._place(rng, across, down)
        box = (x, y, x + across, y + down)
        fill = (*self._colour(rng), 255) if rng.random() < 0.8 else None
        line = (*self._colour(rng), 255)
        shape = rng.random()
        if shape < 0.35:
            pen.ellipse(box, fill=fill, outline=line, width=int(rng.integers(1, 5)))
        elif shape < 0.7:
            radius = int(rng.integers(0, min(across, down) // 2 + 1))
            pen.rounded_rectangle(box, radius, fill=fill, outline=line, width=int(rng.integers(1, 4)))
        elif shape < 0.9:
            corners = [
                (x + across * float(u), y + down * float(v)) for u, v in rng.random((int(rng.integers(3, 8)), 2))
            ]
            pen.polygon([*corners, (x, y), (x + across, y + down)], fill=fill or line, outline=line)
        if rng.random() < 0.8 or shape >= 0.9:
            words = self._words(rng)[: int(rng.integers(1, 9))]
            font = self._font(rng, int(down * rng.uniform(0.2, 0.6)))
            pen.text((x + across / 2, y + down / 2), words, font=font, fill=(*self._colour(rng), 255), anchor="mm")
        for _ in range(int(rng.integers(0, 4))):
            (u1, u2), (v1, v2) = np.sort(rng.random((2, 2)), axis=1)
            mark = (x + across * u1, y + down * v1, x + across * u2, y + down * v2)
            pen.arc(mark, 0, int(rng.integers(90, 361)), fill=(*self._colour(rng), 255), width=int(rng.integers(1, 4)))

    def _bar(self, rng: np.random.Generator, pen: ImageDraw.ImageDraw) -> None:
        thick = int(rng.uniform(0.04, 0.16) * HEIGHT)
        side = rng.choice(["top", "bottom", "left", "right"], p=[0.35, 0.4, 0.125, 0.125])
        length = WIDTH if side in ("top", "bottom") else HEIGHT
        begin, end = 0, length
        if rng.random() < 0.25:
            begin, end = int(rng.uniform(0, 0.2) * length), int(rng.uniform(0.6, 1) * length)
        gap = int(rng.choice([0, 0, 0, 6]))
        box = {
            "top": (begin, gap, end, gap + thick),
            "bottom": (begin, HEIGHT - thick - gap, end, HEIGHT - gap),
            "left": (gap, begin, gap + thick, end),
            "right": (WIDTH - thick - gap, begin, WIDTH - gap, end),
        }[str(side)]
        ground = (int(rng.integers(0, 90)),) * 3 if rng.random() < 0.7 else self._colour(rng)
        pen.rectangle(box, fill=(*ground, int(rng.integers(140, 256))))
        cells = int(rng.integers(2, 9))
        edges = np.linspace(begin, end, cells + 1)
        for first, last in itertools.pairwise(edges):
            inset = 2 + thick * 0.1
            if side in ("top", "bottom"):
                cell = (first + inset, box[1] + inset, last - inset, box[3] - inset)
            else:
                cell = (box[0] + inset, first + inset, box[2] - inset, last - inset)
            if cell[2] <= cell[0] or cell[3] <= cell[1]:
                continue
            if rng.random() < 0.5:
                pen.rectangle(
                    cell, fill=(*self._colour(rng), 255) if rng.random() < 0.5 else None, outline=(*ground, 255)
                )
            style = rng.random()
            if style < 0.7:
                font = self._font(rng, int(min(thick, 40) * rng.uniform(0.3, 0.6)))
                words = self._words(rng)[: max(int((cell[2] - cell[0]) / (font.size * 0.7)), 1)]
                pen.text((cell[0] + 3, cell[1] + 1), words, font=font, fill=(*(int(rng.integers(150, 256)),) * 3, 255))
            elif style < 0.85:
                size = min(cell[2] - cell[0], cell[3] - cell[1])
                pen.ellipse((cell[0], cell[1], cell[0] + size, cell[1] + size), fill=(*self._colour(rng), 255))

    def _insert(self, rng: np.random.Generator, clip: list[np.ndarray], shown: np.ndarray) -> tuple[int, ...]:
        pictures = self.inserts if rng.random() < 0.85 else self.scenes
        source = pictures[int(rng.integers(len(pictures)))]
        across = int(rng.uniform(0.12, 0.4) * COLUMNS)
        down = min(int(across * rng.uniform(0.5, 1.2)), ROWS // 2)
        x, y = self._place(rng, across * SCALE, down * SCALE)
        x, y = min(x // SCALE, COLUMNS - across), min(y // SCALE, ROWS - down)
        edge = int(rng.choice([0, 1, 2], p=[0.5, 0.35, 0.15]))
        colour = np.array(self._colour(rng), np.float32)
        sway = rng.choice([0.0, 0.5, 2.0, 6.0])
        big = cv2.resize(source, (int(across * 1.3), int(down * 1.3)), interpolation=cv2.INTER_AREA)
        at = np.array([0.15 * across, 0.15 * down])
        for frame, on in zip(clip, shown, strict=True):
            at = np.clip(at + rng.normal(0, sway, 2), 0, [0.3 * across, 0.3 * down])
            matrix = np.float32([[1, 0, -at[0]], [0, 1, -at[1]]])
            content = cv2.warpAffine(big, matrix, (across, down), borderMode=cv2.BORDER_REFLECT).astype(np.float32)
            content *= 1 + rng.normal(0, 0.02)
            if edge:
                content[:edge] = content[-edge:] = colour
                content[:, :edge] = content[:, -edge:] = colour
            if on:
                frame[y : y + down, x : x + across] = content
        return x, y, x + across, y + down
