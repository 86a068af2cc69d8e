"""Pictures of overlays: captions, counters, logos, interface bars and panels, each on a transparent layer.

Everything is drawn by rule, out of the fonts and pictures given, so that what is tested on can be made of fonts and of
families of logos that were not trained on.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from fontTools.ttLib import TTFont
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps

Colour = tuple[int, int, int]
Pen = ImageDraw.ImageDraw

SCRIPTS = {
    "latin": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    "accented": "".join(map(chr, range(0xC0, 0x180))),
    "cyrillic": "".join(map(chr, range(0x410, 0x450))),
    "greek": "".join(map(chr, range(0x391, 0x3CA))),
    "hebrew": "".join(map(chr, range(0x5D0, 0x5EB))),
    "arabic": "".join(map(chr, range(0x627, 0x64B))),
    "devanagari": "".join(map(chr, range(0x905, 0x93A))),
    "bengali": "".join(map(chr, range(0x985, 0x9BA))),
    "tamil": "".join(map(chr, range(0xB85, 0xBBA))),
    "malayalam": "".join(map(chr, range(0xD05, 0xD3A))),
    "thai": "".join(map(chr, range(0xE01, 0xE2F))),
    "georgian": "".join(map(chr, range(0x10D0, 0x10F1))),
    "armenian": "".join(map(chr, range(0x531, 0x588))),
    "hangul": "".join(map(chr, range(0xAC00, 0xD7A4, 7))),
    "kana": "".join(map(chr, range(0x3041, 0x30FF))),
    "han": "".join(map(chr, range(0x4E00, 0x9FA6, 5))),
}
"""Letters of each script (Unicode blocks; every seventh syllable and fifth ideograph is variety enough)."""

FEWEST_LETTERS = 20
"""A font of fewer letters of a script is not used for it."""

LATIN_SHARE = 0.6
"""Share of texts in plain Latin letters and digits; the rest is spread over the other scripts evenly."""

PRIVATE_USE = range(0xE000, 0xF900)
SYMBOLS = (range(0x2190, 0x2400), range(0x2460, 0x2800), range(0x1F300, 0x1F700))

LOGOS = ("badge", "glyph", "rosette", "wordmark", "arcs", "cloud")
"""Families of logos for training."""

OTHER_LOGOS = ("tiles", "shield", "crest", "ribbon")
"""Families of logos that are kept for tests."""


class Typeface(NamedTuple):
    """A font file and letters that it has."""

    path: Path
    letters: str


@dataclass(frozen=True)
class Fonts:
    """Fonts by script, and fonts of icons.

    Attributes:
        scripts: For each script the fonts that have its letters.
        icons: Fonts with icons, and the icons.
    """

    scripts: dict[str, list[Typeface]]
    icons: list[Typeface]

    @classmethod
    def read(cls, folder: Path) -> Fonts:
        """All TrueType and OpenType files below a folder.

        Raises:
            ValueError: There is no Latin font, or no font of icons.
        """
        scripts: dict[str, list[Typeface]] = {}
        icons = []
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".ttf", ".otf", ".ttc"))
        for path in files:
            if path.is_symlink():
                continue
            points = TTFont(path, fontNumber=0, lazy=True).getBestCmap()
            symbols = "".join(chr(p) for p in points if p in PRIVATE_USE or any(p in block for block in SYMBOLS))
            if len(symbols) > 100 and ord("Ω") not in points:
                icons.append(Typeface(path, symbols))
                continue
            for script, letters in SCRIPTS.items():
                had = "".join(letter for letter in letters if ord(letter) in points)
                if len(had) >= FEWEST_LETTERS:
                    scripts.setdefault(script, []).append(Typeface(path, had))
        if "latin" not in scripts or not icons:
            raise ValueError(f"{folder} needs at least one Latin font and one font of icons")
        return cls(scripts, icons)


@functools.lru_cache(maxsize=256)
def font_of(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """A font at a size in pixels, never below 6."""
    return ImageFont.truetype(str(path), max(size, 6))


class Artist:
    """Draws overlays on layers of one size.

    Args:
        fonts: What texts and icons are made of.
        pictures: RGB pictures for logos that are photographs.
        logos: Families of logos to draw, of `LOGOS` and `OTHER_LOGOS`.
        size: Width and height of a layer in pixels.
    """

    def __init__(self, fonts: Fonts, pictures: Sequence[np.ndarray], logos: Sequence[str], size: tuple[int, int]):
        self.fonts, self.pictures, self.logos, self.size = fonts, pictures, tuple(logos), size

    def place(self, rng: np.random.Generator, across: int, down: int) -> tuple[int, int]:
        """Top left corner for something of this size: mostly near the edges, as overlays are."""
        width, height = self.size
        free_x, free_y = max(width - across, 1), max(height - down, 1)
        x, y = int(rng.integers(free_x)), int(rng.integers(free_y))
        margin_x, margin_y = (int(v) for v in rng.integers(0, 40, 2))
        if rng.random() < 0.7:
            y = min(margin_y, free_y) if rng.random() < 0.5 else max(free_y - margin_y, 0)
            if rng.random() < 0.7:
                x = min(margin_x, free_x) if rng.random() < 0.5 else max(free_x - margin_x, 0)
        return x, y

    def colour(self, rng: np.random.Generator) -> Colour:
        """A grey or a colour."""
        if rng.random() < 0.5:
            shade = int(rng.choice([255, 235, 20, 0, 128]))
            return shade, shade, shade
        return int(rng.integers(256)), int(rng.integers(256)), int(rng.integers(256))

    def typeface(self, rng: np.random.Generator) -> Typeface:
        """A font and the letters to write with it."""
        others = [script for script in self.fonts.scripts if script != "latin"]
        script = "latin" if not others or rng.random() < LATIN_SHARE else others[int(rng.integers(len(others)))]
        faces = self.fonts.scripts[script]
        path, letters = faces[int(rng.integers(len(faces)))]
        if script == "latin":
            kind = rng.random()
            letters = letters if kind < 0.6 else letters[:26] if kind < 0.8 else "0123456789:./-"
        return Typeface(path, letters)

    def words(self, rng: np.random.Generator, letters: str, most: int = 5) -> str:
        """One to ``most`` words."""
        sizes = rng.integers(1, 11, int(rng.integers(1, most + 1)))
        return " ".join("".join(letters[int(i)] for i in rng.integers(len(letters), size=size)) for size in sizes)

    def layer(self) -> Image.Image:
        """A transparent layer."""
        return Image.new("RGBA", self.size, (0, 0, 0, 0))

    def text(self, rng: np.random.Generator, frames: int) -> list[Image.Image]:
        """A caption, or a counter that changes from frame to frame: one layer for all frames, or one for each."""
        face = self.typeface(rng)
        size = int(np.exp(rng.uniform(np.log(9), np.log(40))))
        font = font_of(face.path, size)
        counter = frames > 1 and rng.random() < 0.15
        if counter:
            head = "" if rng.random() < 0.5 else self.words(rng, face.letters, 1) + " "
            first, step = int(rng.integers(0, 90_000)), int(rng.choice([1, 1, 7, 983]))
            style = int(rng.integers(3))
            texts = [head + _count(first + step * k, style) for k in range(frames)]
        else:
            rows = int(rng.choice([1, 2, 3, 6], p=[0.66, 0.2, 0.1, 0.04]))
            texts = ["\n".join(self.words(rng, face.letters) for _ in range(rows))]
        pen = ImageDraw.Draw(self.layer())
        boxes = [pen.multiline_textbbox((0, 0), text, font=font) for text in texts]
        left, top = (int(min(box[i] for box in boxes)) for i in (0, 1))
        right, bottom = (int(max(box[i] for box in boxes)) for i in (2, 3))
        across, down = right - left, bottom - top
        pad = int(rng.integers(2, size // 2 + 4))
        x, y = self.place(rng, across + 2 * pad, down + 2 * pad)
        shade = int(rng.choice([255, 255, 255, 0, 230]))
        colour = (shade,) * 3 if rng.random() < 0.7 else self.colour(rng)
        panel = None
        if rng.random() < 0.4:
            panel = (*((255 - shade,) * 3 if rng.random() < 0.7 else self.colour(rng)), int(rng.integers(80, 256)))
        full_width, radius = rng.random() < 0.25, int(rng.choice([0, 0, 4, 12]))
        outline = int(rng.choice([0, 1, 2], p=[0.6, 0.25, 0.15]))
        shadow = rng.random() < 0.25
        turn = float(rng.choice([90, 270])) if not counter and panel is None and rng.random() < 0.06 else 0.0
        layers = []
        for text in texts:
            layer = self.layer()
            pen = ImageDraw.Draw(layer)
            if panel:
                box = (
                    0 if full_width else x,
                    y,
                    self.size[0] if full_width else x + across + 2 * pad,
                    y + down + 2 * pad,
                )
                pen.rounded_rectangle(box, 0 if full_width else min(radius, down // 2), fill=panel)
            origin = (x + pad - left, y + pad - top)
            edge = (255 - shade,) * 3
            pen.multiline_text(origin, text, font=font, fill=(*colour, 255), stroke_width=outline, stroke_fill=edge)
            layer = _shadowed(layer, 2) if shadow and not panel else layer
            layers.append(layer.rotate(turn, center=(x + down, y + down)) if turn else layer)
        return layers

    def logo(self, rng: np.random.Generator) -> Image.Image:
        """A logo of one of the families: in its colours or in one, opaque or not, with or without a shadow."""
        across = int(np.exp(rng.uniform(np.log(20), np.log(160))))
        down = max(int(across * rng.uniform(0.3, 1.1)), 10)
        family = self.logos[int(rng.integers(len(self.logos)))]
        sprite = getattr(self, f"_{family}")(rng, across, down)
        if rng.random() < 0.3 and family != "wordmark":
            sprite = self._captioned(rng, sprite)
        if rng.random() < 0.3:
            tint = (255, 255, 255) if rng.random() < 0.7 else self.colour(rng)
            sprite = Image.merge(
                "RGBA", [*ImageOps.colorize(sprite.convert("L"), _darker(tint), tint).split(), sprite.getchannel("A")]
            )
        if rng.random() < 0.06:
            sprite = sprite.rotate(float(rng.uniform(-90, 90)), expand=True)
        layer = self.layer()
        layer.alpha_composite(sprite, self._inside(self.place(rng, *sprite.size), sprite))
        return _shadowed(layer, int(rng.integers(1, 4))) if rng.random() < 0.2 else layer

    def _inside(self, corner: tuple[int, int], sprite: Image.Image) -> tuple[int, int]:
        return max(min(corner[0], self.size[0] - sprite.width), 0), max(min(corner[1], self.size[1] - sprite.height), 0)

    def _captioned(self, rng: np.random.Generator, sprite: Image.Image) -> Image.Image:
        """A logo with its name beside or below it."""
        face = self.typeface(rng)
        beside = rng.random() < 0.6
        size = int(sprite.height * rng.uniform(0.25, 0.6))
        name = self.words(rng, face.letters, 2)[:14]
        if not beside:
            # A name below a logo is hardly wider than it.
            size = min(size, int(size * 1.3 * sprite.width / max(font_of(face.path, size).getlength(name), 1)))
        font = font_of(face.path, size)
        left, top, right, bottom = (int(v) for v in font.getbbox(name))
        across, down = right - left, bottom - top
        gap = max(sprite.height // 10, 2)
        if beside:
            canvas = Image.new("RGBA", (sprite.width + gap + across, max(sprite.height, down)), (0, 0, 0, 0))
            canvas.alpha_composite(sprite, (0, (canvas.height - sprite.height) // 2))
            origin = (sprite.width + gap - left, (canvas.height - down) // 2 - top)
        else:
            canvas = Image.new("RGBA", (max(sprite.width, across), sprite.height + gap + down), (0, 0, 0, 0))
            canvas.alpha_composite(sprite, ((canvas.width - sprite.width) // 2, 0))
            origin = ((canvas.width - across) // 2 - left, sprite.height + gap - top)
        ImageDraw.Draw(canvas).text(origin, name, font=font, fill=(*self.colour(rng), 255))
        return canvas.crop((0, 0, min(canvas.width, self.size[0]), min(canvas.height, self.size[1])))

    def _badge(self, rng: np.random.Generator, across: int, down: int) -> Image.Image:
        """A disc, a rounded plate or a polygon, mostly with letters and a few arcs in it."""
        sprite = Image.new("RGBA", (across + 1, down + 1), (0, 0, 0, 0))
        pen = ImageDraw.Draw(sprite)
        box = (0, 0, across, down)
        fill = (*self.colour(rng), 255) if rng.random() < 0.75 else None
        line = (*self.colour(rng), 255)
        shape = rng.random()
        if shape < 0.4:
            pen.ellipse(box, fill=fill, outline=line, width=int(rng.integers(1, 5)))
        elif shape < 0.75:
            radius = int(rng.integers(0, min(across, down) // 2 + 1))
            pen.rounded_rectangle(box, radius, fill=fill, outline=line, width=int(rng.integers(1, 4)))
        else:
            corners = [(across * float(u), down * float(v)) for u, v in rng.random((int(rng.integers(3, 8)), 2))]
            pen.polygon([*corners, (0, 0), (across, down)], fill=fill or line, outline=line)
        if fill and rng.random() < 0.3:
            sprite = _graded(sprite, self.colour(rng), upright=rng.random() < 0.5)
            pen = ImageDraw.Draw(sprite)
        if rng.random() < 0.8:
            face = self.typeface(rng)
            font = font_of(face.path, int(down * rng.uniform(0.25, 0.7)))
            letters = self.words(rng, face.letters, 2)[: int(rng.integers(1, 8))]
            pen.text((across / 2, down / 2), letters, font=font, fill=(*self.colour(rng), 255), anchor="mm")
        return sprite

    def _arcs(self, rng: np.random.Generator, across: int, down: int) -> Image.Image:
        """Swooshes: arcs, some of them around letters."""
        sprite = Image.new("RGBA", (across + 1, down + 1), (0, 0, 0, 0))
        pen = ImageDraw.Draw(sprite)
        thick = max(min(across, down) // 8, 2)
        for _ in range(int(rng.integers(2, 6))):
            (u1, u2), (v1, v2) = np.sort(rng.random((2, 2)), axis=1)
            mark = (across * u1, down * v1, across * u2 + 1, down * v2 + 1)
            start = int(rng.integers(360))
            pen.arc(
                mark,
                start,
                start + int(rng.integers(90, 361)),
                fill=(*self.colour(rng), 255),
                width=int(rng.integers(1, thick + 1)),
            )
        if rng.random() < 0.5:
            face = self.typeface(rng)
            font = font_of(face.path, int(down * rng.uniform(0.3, 0.8)))
            pen.text(
                (across / 2, down / 2),
                self.words(rng, face.letters, 1)[:4],
                font=font,
                fill=(*self.colour(rng), 255),
                anchor="mm",
            )
        return sprite

    def symbol(self, rng: np.random.Generator, side: int) -> Image.Image:
        """An icon of about this height in pixels."""
        path, icons = self.fonts.icons[int(rng.integers(len(self.fonts.icons)))]
        font = font_of(path, side)
        for _ in range(5):
            icon = icons[int(rng.integers(len(icons)))]
            left, top, right, bottom = (int(v) for v in font.getbbox(icon))
            if right - left > 4 and bottom - top > 4:
                break
        sprite = Image.new("RGBA", (max(right - left, 4), max(bottom - top, 4)), (0, 0, 0, 0))
        ImageDraw.Draw(sprite).text((-left, -top), icon, font=font, fill=(*self.colour(rng), 255))
        return sprite

    def _glyph(self, rng: np.random.Generator, across: int, down: int) -> Image.Image:
        """An icon, bare or on a plate."""
        symbol = self.symbol(rng, max(min(across, down), 14))
        if rng.random() < 0.3:
            symbol = _graded(symbol, self.colour(rng), upright=rng.random() < 0.5)
        if rng.random() < 0.5:
            return symbol
        side = int(max(symbol.size) * rng.uniform(1.1, 1.5))
        plate = Image.new("RGBA", (side, side), (0, 0, 0, 0))
        radius = side // 2 if rng.random() < 0.5 else int(rng.integers(0, side // 3 + 1))
        ImageDraw.Draw(plate).rounded_rectangle((0, 0, side - 1, side - 1), radius, fill=(*self.colour(rng), 255))
        plate.alpha_composite(symbol, ((side - symbol.width) // 2, (side - symbol.height) // 2))
        return plate

    def _rosette(self, rng: np.random.Generator, across: int, down: int) -> Image.Image:
        """A figure of rotational symmetry: petals, spokes and rings."""
        side = max(min(int((across + down) / 2), 120), 14)
        sprite = Image.new("RGBA", (side, side), (0, 0, 0, 0))
        pen = ImageDraw.Draw(sprite)
        centre, petals = side / 2, int(rng.integers(2, 10))
        if rng.random() < 0.4:
            pen.ellipse((0, 0, side - 1, side - 1), outline=(*self.colour(rng), 255), width=max(side // 16, 1))
        shape = np.column_stack([rng.uniform(0.1, 0.95, 5), np.sort(rng.uniform(-0.9, 0.9, 5)) * np.pi / petals])
        palette = [self.colour(rng) for _ in range(int(rng.integers(1, 3)))]
        for petal in range(petals):
            angles = shape[:, 1] + 2 * np.pi * petal / petals
            points = centre + centre * shape[:, :1] * np.column_stack([np.cos(angles), np.sin(angles)])
            pen.polygon([(centre, centre), *map(tuple, points)], fill=(*palette[petal % len(palette)], 255))
        hub = side * float(rng.uniform(0, 0.2))
        pen.ellipse((centre - hub, centre - hub, centre + hub, centre + hub), fill=(*self.colour(rng), 255))
        return sprite

    def _wordmark(self, rng: np.random.Generator, across: int, down: int) -> Image.Image:
        """A name in one or two colours, some underlined."""
        face = self.typeface(rng)
        font = font_of(face.path, max(down // 2, 10))
        parts = [self.words(rng, face.letters, 1)[:7] for _ in range(int(rng.integers(1, 3)))]
        ends = list(itertools.accumulate(font.getlength(part) for part in parts))
        _, top, _, bottom = (int(v) for v in font.getbbox("".join(parts)))
        sprite = Image.new("RGBA", (min(int(ends[-1]) + 3, self.size[0]), bottom - top + 6), (0, 0, 0, 0))
        pen = ImageDraw.Draw(sprite)
        for part, start in zip(parts, [0.0, *ends], strict=False):
            pen.text((start, -top), part, font=font, fill=(*self.colour(rng), 255))
        if rng.random() < 0.3:
            pen.line((0, sprite.height - 2, sprite.width, sprite.height - 2), fill=(*self.colour(rng), 255), width=2)
        return sprite

    def _cloud(self, rng: np.random.Generator, across: int, down: int) -> Image.Image:
        """A disc, plate or polygon filled with colours that run over into each other, with or without a rim."""
        size = (across + 1, down + 1)
        patches = rng.integers(0, 256, (*rng.integers(2, 7, 2), 3), dtype=np.uint8)
        sprite = Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC).convert("RGBA")
        mask = Image.new("L", size, 0)
        outline, pen = ImageDraw.Draw(mask), ImageDraw.Draw(sprite)
        rim = (*self.colour(rng), 255) if rng.random() < 0.5 else None
        thick = int(rng.integers(1, 5))
        kind = rng.random()
        if kind < 0.4:
            outline.ellipse((0, 0, across, down), fill=255)
            pen.ellipse((0, 0, across, down), outline=rim, width=thick)
        elif kind < 0.7:
            radius = int(rng.integers(0, min(size) // 2))
            outline.rounded_rectangle((0, 0, across, down), radius, fill=255)
            pen.rounded_rectangle((0, 0, across, down), radius, outline=rim, width=thick)
        else:
            angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(5, 10))))
            corners = [(across * (0.5 + 0.5 * np.cos(a)), down * (0.5 + 0.5 * np.sin(a))) for a in angles]
            outline.polygon(corners, fill=255)
            pen.polygon(corners, outline=rim, width=thick)
        sprite.putalpha(mask)
        return sprite

    def _tiles(self, rng: np.random.Generator, across: int, down: int) -> Image.Image:
        """A mosaic of coloured tiles, some of them missing."""
        sprite = Image.new("RGBA", (across + 1, down + 1), (0, 0, 0, 0))
        pen = ImageDraw.Draw(sprite)
        columns, rows = (int(v) for v in rng.integers(2, 5, 2))
        palette = [self.colour(rng) for _ in range(3)]
        for column, row in itertools.product(range(columns), range(rows)):
            if rng.random() < 0.75 or (column, row) in ((0, 0), (columns - 1, rows - 1)):
                box = (
                    across * column / columns,
                    down * row / rows,
                    across * (column + 0.9) / columns,
                    down * (row + 0.9) / rows,
                )
                draw = pen.ellipse if rng.random() < 0.3 else pen.rectangle
                draw(box, fill=(*palette[int(rng.integers(3))], 255))
        return sprite

    def _shield(self, rng: np.random.Generator, across: int, down: int) -> Image.Image:
        """A coat of arms with an icon."""
        width, height = min(across, down) + 8, int((min(across, down) + 8) * 1.2)
        sprite = Image.new("RGBA", (width, height), (0, 0, 0, 0))
        points = [(0, 0), (width - 1, 0), (width - 1, height * 0.55), (width / 2, height - 1), (0, height * 0.55)]
        ImageDraw.Draw(sprite).polygon(points, fill=(*self.colour(rng), 255), outline=(*self.colour(rng), 255), width=2)
        symbol = self.symbol(rng, max(int(width * 0.6), 8))
        symbol.thumbnail((int(width * 0.7) + 2, int(height * 0.6) + 2))
        sprite.alpha_composite(symbol, ((width - symbol.width) // 2, max(int(height * 0.42) - symbol.height // 2, 0)))
        return sprite

    def _crest(self, rng: np.random.Generator, across: int, down: int) -> Image.Image:
        """A round or square photograph with a rim."""
        side = max(min(across, down), 16)
        picture = Image.fromarray(self.pictures[int(rng.integers(len(self.pictures)))])
        sprite = ImageOps.fit(picture, (side, side)).convert("RGBA")
        mask = Image.new("L", (side, side), 0)
        radius = side // 2 if rng.random() < 0.7 else 0
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, side - 1, side - 1), radius, fill=255)
        sprite.putalpha(mask)
        rim = max(side // 12, 1)
        ImageDraw.Draw(sprite).rounded_rectangle(
            (0, 0, side - 1, side - 1), radius, outline=(*self.colour(rng), 255), width=rim
        )
        return sprite

    def _ribbon(self, rng: np.random.Generator, across: int, down: int) -> Image.Image:
        """A slanted band with a name."""
        sprite = Image.new("RGBA", (across + 1, down + 1), (0, 0, 0, 0))
        pen = ImageDraw.Draw(sprite)
        slant = across * float(rng.uniform(0.1, 0.3))
        pen.polygon([(slant, 0), (across, 0), (across - slant, down), (0, down)], fill=(*self.colour(rng), 255))
        face = self.typeface(rng)
        font = font_of(face.path, int(down * rng.uniform(0.4, 0.7)))
        pen.text(
            (across / 2, down / 2),
            self.words(rng, face.letters, 1)[:5],
            font=font,
            fill=(*self.colour(rng), 255),
            anchor="mm",
        )
        return sprite

    def bar(self, rng: np.random.Generator) -> Image.Image:
        """An interface: a bar along an edge, a thin line of progress, or a panel of values."""
        kind = rng.random()
        if kind < 0.15:
            return self._progress(rng)
        if kind < 0.35:
            return self._panel(rng)
        return self._cells(rng)

    def _progress(self, rng: np.random.Generator) -> Image.Image:
        width, height = self.size
        layer = self.layer()
        pen = ImageDraw.Draw(layer)
        thick = int(rng.integers(3, 12))
        inset = int(rng.choice([0, 0, 10, 40]))
        y = int(rng.choice([0, height - thick, height - thick - int(rng.integers(0, 40)), int(rng.integers(0, 30))]))
        pen.rectangle(
            (inset, y, width - inset - 1, y + thick - 1), fill=(*self.colour(rng), int(rng.integers(120, 256)))
        )
        reached = inset + int((width - 2 * inset) * rng.random())
        pen.rectangle((inset, y, reached, y + thick - 1), fill=(*self.colour(rng), 255))
        if rng.random() < 0.5:
            pen.ellipse(
                (reached - thick, y - thick // 2, reached + thick, y + thick + thick // 2),
                fill=(*self.colour(rng), 255),
            )
        return layer

    def _panel(self, rng: np.random.Generator) -> Image.Image:
        """A box of labelled values, meters and curves."""
        layer = self.layer()
        pen = ImageDraw.Draw(layer)
        rows = int(rng.integers(1, 6))
        size = int(rng.integers(10, 22))
        across, down = int(rng.uniform(70, 240)), int(rows * size * 1.5 + 8)
        x, y = self.place(rng, across, down)
        ground = (int(rng.integers(0, 90)),) * 3 if rng.random() < 0.7 else self.colour(rng)
        edge = (*self.colour(rng), 255) if rng.random() < 0.5 else None
        pen.rounded_rectangle(
            (x, y, x + across, y + down),
            int(rng.choice([0, 4, 10])),
            fill=(*ground, int(rng.integers(120, 256))),
            outline=edge,
        )
        for row in range(rows):
            face = self.typeface(rng)
            font = font_of(face.path, size)
            top = y + 4 + int(row * size * 1.5)
            room = max(int(across / size), 2)
            ink = (*(int(rng.integers(150, 256)),) * 3, 255) if rng.random() < 0.7 else (*self.colour(rng), 255)
            style = rng.random()
            if style < 0.6:
                pen.text((x + 5, top), self.words(rng, face.letters, 2)[:room], font=font, fill=ink)
            elif style < 0.8:
                share = float(rng.random())
                pen.rectangle((x + 6, top + 3, x + across - 6, top + size), outline=ink)
                pen.rectangle((x + 6, top + 3, x + 6 + (across - 12) * share, top + size), fill=ink)
            else:
                points = np.column_stack([np.linspace(x + 5, x + across - 5, 24), top + size * rng.random(24)])
                pen.line([tuple(point) for point in points], fill=ink, width=1)
        return layer

    def _cells(self, rng: np.random.Generator) -> Image.Image:
        """A bar along an edge, divided into cells with text, icons or lights."""
        layer = self.layer()
        pen = ImageDraw.Draw(layer)
        width, height = self.size
        thick = int(np.exp(rng.uniform(np.log(0.025), np.log(0.16))) * height)
        side = str(rng.choice(["top", "bottom", "left", "right"], p=[0.35, 0.4, 0.125, 0.125]))
        length = width if side in ("top", "bottom") else height
        begin, end = 0, length
        if rng.random() < 0.3:
            begin, end = int(rng.uniform(0, 0.3) * length), int(rng.uniform(0.6, 1) * length)
        gap = int(rng.choice([0, 0, 0, 6]))
        box = {
            "top": (begin, gap, end, gap + thick),
            "bottom": (begin, height - thick - gap, end, height - gap),
            "left": (gap, begin, gap + thick, end),
            "right": (width - thick - gap, begin, width - gap, end),
        }[side]
        ground = (int(rng.integers(0, 90)),) * 3 if rng.random() < 0.7 else self.colour(rng)
        pen.rectangle(box, fill=(*ground, int(rng.integers(110, 256))))
        for first, last in itertools.pairwise(np.linspace(begin, end, int(rng.integers(2, 9)) + 1)):
            inset = 2 + thick * 0.1
            cell = (first + inset, box[1] + inset, last - inset, box[3] - inset)
            if side in ("left", "right"):
                cell = (box[0] + inset, first + inset, box[2] - inset, last - inset)
            if cell[2] <= cell[0] + 2 or cell[3] <= cell[1] + 2:
                continue
            if rng.random() < 0.5:
                fill = (*self.colour(rng), 255) if rng.random() < 0.5 else None
                pen.rounded_rectangle(cell, int(rng.choice([0, 0, 4])), fill=fill, outline=(*ground, 255))
            style = rng.random()
            small = int(min(cell[2] - cell[0], cell[3] - cell[1]))
            if style < 0.6:
                face = self.typeface(rng)
                size = int(min(thick, 40) * rng.uniform(0.3, 0.7))
                words = self.words(rng, face.letters)[: max(int((cell[2] - cell[0]) / (max(size, 6) * 0.7)), 1)]
                ink = (*(int(rng.integers(150, 256)),) * 3, 255)
                pen.text((cell[0] + 3, cell[1] + 1), words, font=font_of(face.path, size), fill=ink)
            elif style < 0.75:
                pen.ellipse((cell[0], cell[1], cell[0] + small, cell[1] + small), fill=(*self.colour(rng), 255))
            elif style < 0.9 and small > 8:
                symbol = self.symbol(rng, small)
                symbol.thumbnail((small, small))
                layer.alpha_composite(symbol, self._inside((int(cell[0]), int(cell[1])), symbol))
        return layer


def _count(value: int, style: int) -> str:
    """A number as a clock, a plain counter or a measurement."""
    if style == 0:
        return f"{value // 3600:02d}:{value // 60 % 60:02d}:{value % 60:02d}"
    return f"{value:06d}" if style == 1 else f"{value / 100:.2f}"


def _darker(colour: Colour) -> Colour:
    return colour[0] // 2, colour[1] // 2, colour[2] // 2


def _shadowed(layer: Image.Image, reach: int) -> Image.Image:
    """A layer with a soft shadow below and to the right of what is on it."""
    dark = ImageChops.offset(layer.getchannel("A"), reach, reach).filter(ImageFilter.GaussianBlur(reach * 0.7))
    shadow = Image.merge("RGBA", [*(Image.new("L", layer.size, 0) for _ in range(3)), dark.point(lambda v: v * 0.7)])
    shadow.alpha_composite(layer)
    return shadow


def _graded(sprite: Image.Image, colour: Colour, *, upright: bool) -> Image.Image:
    """A sprite whose colours run over into another one."""
    ramp = Image.linear_gradient("L").rotate(0 if upright else 90).resize(sprite.size)
    blend = Image.composite(Image.new("RGB", sprite.size, colour), sprite.convert("RGB"), ramp)
    return Image.merge("RGBA", [*blend.split(), sprite.getchannel("A")])


def bounds(layers: Iterable[Image.Image], least: int = 25) -> tuple[int, int, int, int] | None:
    """Box around what is at least faintly drawn (alpha of 0..255) on any of some layers."""
    boxes = [box for layer in layers if (box := layer.getchannel("A").point(lambda v: 255 * (v >= least)).getbbox())]
    if not boxes:
        return None
    return min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)
