"""Whole interfaces as they lie over surgical pictures: consoles, towers, processors, microscopes, editing, software.

Each family draws the parts of one kind of screen in many variants, each part on a layer of its own with its own truth:
the lines of a processor are single lines and not the tissue between them, and the outline that a program draws round a
finding is four thin bars and not what it encloses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from draw_overlays import Artist, Colour, Pen, font_of
from PIL import Image, ImageDraw, ImageFilter, ImageOps

Random = np.random.Generator

INTERFACES = (
    "tabs",
    "banner",
    "message",
    "telestration",
    "status",
    "icons",
    "menu",
    "processor",
    "position",
    "phaco",
    "stamp",
    "lower_third",
    "beside",
    "detections",
)
"""Families for training."""

OTHER_INTERFACES = ("discs", "strip", "gauge", "legend")
"""Families that are kept for tests."""

CAPITALS = "ABCDEFGHIJKLMNOPRSTUVWXYZ"
UNITS = ("mmHg", "l/min", "W", "%", "ml", "cm", "cc/min", "s", "bpm")


class Part(NamedTuple):
    """One part of an interface.

    Attributes:
        kind: Its class, of `curate.nets.detect.overlay.CLASSES`.
        layers: One for all frames of a clip, or one for each.
        exact: Whether what is drawn is the truth, and not the box around it.
    """

    kind: str
    layers: list[Image.Image]
    exact: bool = False


def interface(artist: Artist, rng: Random, family: str, frames: int) -> list[Part]:
    """The parts of one interface, lowest first.

    Args:
        artist: Whose fonts, colours and layers are used.
        rng: Source of all randomness.
        family: Of `INTERFACES` or `OTHER_INTERFACES`.
        frames: Of the clip; what changes has a layer for each.
    """
    return list(FAMILIES[family](artist, rng, frames))


def _ground(rng: Random) -> Colour:
    """Colour of a panel: most are dark, many nearly as dark as tissue, some in a dark colour."""
    if rng.random() < 0.6:
        shade = int(rng.integers(0, 75))
        return shade, shade, shade
    red, green, blue = (int(v) for v in rng.integers(0, 120, 3))
    return red, green, blue


def _ink(rng: Random) -> tuple[int, int, int, int]:
    """Colour of letters: white, grey, green, yellow, or any bright one."""
    kind = rng.random()
    if kind < 0.6:
        shade = int(rng.integers(140, 256))
        return shade, shade, shade, 255
    if kind < 0.75:
        return int(rng.integers(0, 120)), int(rng.integers(180, 256)), int(rng.integers(0, 120)), 255
    return int(rng.integers(120, 256)), int(rng.integers(120, 256)), int(rng.integers(0, 256)), 255


def _name(artist: Artist, rng: Random, most: int = 2) -> str:
    return artist.words(rng, CAPITALS if rng.random() < 0.6 else CAPITALS.title() + CAPITALS.lower(), most)


def _value(rng: Random) -> str:
    unit = UNITS[int(rng.integers(len(UNITS)))]
    number = int(rng.integers(0, 300))
    return f"{number / 10:.1f} {unit}" if rng.random() < 0.4 else f"{number} {unit}"


def _latin(artist: Artist, rng: Random) -> str:
    """Path of a Latin font."""
    faces = artist.fonts.scripts["latin"]
    return str(faces[int(rng.integers(len(faces)))].path)


def _write(
    pen: Pen, at: tuple[float, float], text: str, path: str, size: int, ink: tuple[int, ...], room: float
) -> None:
    """Write on a line what fits into a room."""
    font = font_of(path, size)
    while len(text) > 1 and font.getlength(text) > room:
        text = text[:-1]
    pen.text(at, text, font=font, fill=ink)


def _panel(
    artist: Artist, rng: Random, box: tuple[float, float, float, float], *, rim: float = 0.5
) -> tuple[Image.Image, Pen]:
    """A layer with a panel: a ground of its own, with or without a rim, round corners or soft edges."""
    layer = artist.layer()
    pen = ImageDraw.Draw(layer)
    line = (*artist.colour(rng), 255) if rng.random() < rim else None
    radius = int(rng.choice([0, 0, 3, 8]))
    opacity = 255 if rng.random() < 0.4 else int(rng.integers(110, 256))
    pen.rounded_rectangle(box, radius, fill=(*_ground(rng), opacity), outline=line, width=int(rng.integers(1, 3)))
    if rng.random() < 0.15:
        layer = layer.filter(ImageFilter.GaussianBlur(float(rng.uniform(1, 4))))
        pen = ImageDraw.Draw(layer)
    return layer, pen


def _fill(artist: Artist, rng: Random, layer: Image.Image, cell: tuple[float, float, float, float]) -> None:
    """Something inside a cell: letters, a value, an icon, a meter, a field in a colour, or nothing."""
    pen = ImageDraw.Draw(layer)
    x1, y1, x2, y2 = cell
    down, across = y2 - y1, x2 - x1
    if down < 7 or across < 7:
        return
    kind = rng.random()
    if kind < 0.35:
        text = _name(artist, rng) if rng.random() < 0.5 else _value(rng)
        _write(pen, (x1 + 1, y1), text, _latin(artist, rng), int(min(down * 0.8, 30)), _ink(rng), across)
    elif kind < 0.55:
        _icon(artist, rng, layer, (x1, y1, x1 + min(across, down), y2))
    elif kind < 0.75:
        share = float(rng.random())
        high = min(down, 4 + float(rng.integers(0, 8)))
        pen.rectangle((x1, y1, x2, y1 + high), outline=_ink(rng))
        pen.rectangle((x1, y1, x1 + across * share, y1 + high), fill=_ink(rng))
    elif kind < 0.88:
        colour = ((30, 160, 60), (210, 180, 20), (30, 90, 200), (200, 40, 30))[int(rng.integers(4))]
        pen.rounded_rectangle((x1, y1, x2, y2), int(rng.choice([0, 3])), fill=(*colour, 255))


def _icon(artist: Artist, rng: Random, layer: Image.Image, box: tuple[float, float, float, float]) -> None:
    side = max(int(min(box[2] - box[0], box[3] - box[1])), 6)
    symbol = artist.symbol(rng, side)
    symbol.thumbnail((side, side))
    at = max(min(int(box[0]), layer.width - symbol.width), 0), max(min(int(box[1]), layer.height - symbol.height), 0)
    layer.alpha_composite(symbol, at)


def tabs(artist: Artist, rng: Random, frames: int) -> Iterator[Part]:
    """A robot's row of tabs along the lower edge; which is active may change."""
    width, height = artist.size
    count = int(rng.integers(3, 6))
    high = height * float(rng.uniform(0.045, 0.11))
    gap = float(rng.choice([0, 2, 6]))
    across = min(width * float(rng.uniform(0.15, 0.26)), (width - gap * count) / count)
    left = (width - count * (across + gap)) / 2 if rng.random() < 0.6 else float(rng.uniform(0, 4))
    top = height - high - float(rng.choice([0, 0, 3, 8])) if rng.random() < 0.85 else float(rng.uniform(0, 6))
    for index in range(count):
        if rng.random() < 0.12:
            continue
        x = left + index * (across + gap)
        layer, pen = _panel(artist, rng, (x, top, x + across, top + high), rim=0.3)
        path, ink = _latin(artist, rng), _ink(rng)
        _write(pen, (x + 4, top + 1), str(index + 1), path, int(high * 0.7), ink, high)
        name = _name(artist, rng)
        _write(pen, (x + high, top + 1), name, path, int(high * rng.uniform(0.3, 0.5)), ink, across - high - 2)
        _fill(artist, rng, layer, (x + high, top + high * 0.55, x + across - 3, top + high - 2))
        lit = layer.copy()
        ImageDraw.Draw(lit).rectangle((x, top, x + across, top + high), outline=_ink(rng), width=2)
        yield Part("ui", [lit if rng.random() < 0.3 else layer for _ in range(frames)])


def banner(artist: Artist, rng: Random, frames: int) -> Iterator[Part]:
    """A dark banner of full width along an edge, with a sign and capitals."""
    width, height = artist.size
    high = height * float(rng.uniform(0.05, 0.12))
    top = 0.0 if rng.random() < 0.75 else height - high
    layer, pen = _panel(artist, rng, (-2, top, width + 2, top + high), rim=0.2)
    x = float(rng.uniform(0.02, 0.4)) * width
    if rng.random() < 0.6:
        points = [(x, top + high - 3), (x + high * 0.5, top + 3), (x + high, top + high - 3)]
        pen.polygon(points, fill=(230, 190, 20, 255) if rng.random() < 0.7 else _ink(rng))
        x += high * 1.4
    _write(
        pen,
        (x, top + high * 0.2),
        artist.words(rng, CAPITALS, 6),
        _latin(artist, rng),
        int(high * 0.55),
        _ink(rng),
        width - x,
    )
    yield Part("ui", [layer])


def message(artist: Artist, rng: Random, frames: int) -> Iterator[Part]:
    """A panel with an icon and a few words, low at a side."""
    width, height = artist.size
    across, down = width * float(rng.uniform(0.14, 0.32)), height * float(rng.uniform(0.06, 0.16))
    x, y = artist.place(rng, int(across), int(down))
    layer, pen = _panel(artist, rng, (x, y, x + across, y + down))
    _icon(artist, rng, layer, (x + 3, y + 3, x + down - 3, y + down - 3))
    path, ink = _latin(artist, rng), _ink(rng)
    rows = int(rng.integers(0, 3))
    for row in range(rows):
        size = int(down / (rows + 0.5) * 0.75)
        _write(pen, (x + down, y + 2 + row * down / rows), _name(artist, rng, 4), path, size, ink, across - down - 3)
    yield Part("ui", [layer])


def telestration(artist: Artist, rng: Random, frames: int) -> Iterator[Part]:
    """Thin bright lines drawn by hand, rings and arrows."""
    width, height = artist.size
    layer = artist.layer()
    pen = ImageDraw.Draw(layer)
    colour = (*((int(v) for v in rng.choice([0, 60, 255], 3)) if rng.random() < 0.7 else (255, 255, 255)), 255)
    thick = int(rng.integers(2, 6))
    x, y = width * float(rng.uniform(0.15, 0.8)), height * float(rng.uniform(0.15, 0.8))
    kind = rng.random()
    if kind < 0.5:
        turns = np.cumsum(rng.normal(0, 0.5, 18)) + rng.uniform(0, 6)
        points = np.array([x, y]) + np.cumsum(np.column_stack([np.cos(turns), np.sin(turns)]) * 9, axis=0)
        pen.line([tuple(point) for point in points], fill=colour, width=thick, joint="curve")
    elif kind < 0.75:
        a, b = (float(v) for v in rng.uniform(12, 60, 2))
        pen.ellipse((x - a, y - b, x + a, y + b), outline=colour, width=thick)
    else:
        angle, length = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(25, 90))
        tip = (x + length * np.cos(angle), y + length * np.sin(angle))
        pen.line([(x, y), tip], fill=colour, width=thick)
        wings = [(tip[0] - 14 * np.cos(angle + s), tip[1] - 14 * np.sin(angle + s)) for s in (0.5, -0.5)]
        pen.polygon([tip, *wings], fill=colour)
    yield Part("ui", [layer], exact=True)


def status(artist: Artist, rng: Random, frames: int) -> Iterator[Part]:
    """A tower's short lines in a corner, its maker's mark, and the title of a mode at the lower edge."""
    width, height = artist.size
    path, size = _latin(artist, rng), int(height * rng.uniform(0.02, 0.04))
    left, low = rng.random() < 0.7, rng.random() < 0.8
    x = width * float(rng.uniform(0.01, 0.05)) if left else width * 0.72
    ink = _ink(rng)
    for row in range(int(rng.integers(1, 4))):
        y = height * 0.9 + row * size * 1.5 - 10 if low else 8 + row * size * 1.6
        layer = artist.layer()
        words = f"{_name(artist, rng).title()} {_value(rng)}"
        if rng.random() < 0.3:
            ink = _ink(rng)
        _write(ImageDraw.Draw(layer), (x, y), words, path, size, ink, width * 0.26)
        yield Part("text", [layer])
    if rng.random() < 0.5:
        layer = artist.layer()
        shade = int(rng.integers(60, 200))
        mark = width * float(rng.uniform(0.86, 0.93)), height * float(rng.uniform(0.88, 0.95))
        _write(
            ImageDraw.Draw(layer),
            mark,
            artist.words(rng, CAPITALS, 1),
            path,
            int(height * 0.035),
            (shade,) * 3 + (255,),
            60,
        )
        yield Part("logo", [layer])


def icons(artist: Artist, rng: Random, frames: int) -> Iterator[Part]:
    """A column or row of square icons, without letters, with or without plates; or a single one in a corner."""
    side = artist.size[1] * float(rng.uniform(0.045, 0.12))
    count = int(rng.choice([1, 1, 3, 5, 7]))
    upright = rng.random() < 0.7
    x, y = artist.place(rng, int(side if upright else side * count), int(side * count if upright else side))
    layer = artist.layer()
    pen = ImageDraw.Draw(layer)
    plate = (*_ground(rng), int(rng.integers(150, 256))) if rng.random() < 0.7 else None
    disc = rng.random() < 0.3
    gap = float(rng.choice([0, 0, 2, 4]))
    for index in range(count):
        left, top = (x, y + index * (side + gap)) if upright else (x + index * (side + gap), y)
        box = (left, top, left + side - 1, top + side - 1)
        if plate:
            (pen.ellipse if disc else pen.rectangle)(box, fill=plate, outline=_ink(rng) if rng.random() < 0.5 else None)
        inset = side * 0.18
        _icon(artist, rng, layer, (box[0] + inset, box[1] + inset, box[2] - inset, box[3] - inset))
    yield Part("ui" if count > 2 else "logo", [layer])


def menu(artist: Artist, rng: Random, frames: int) -> Iterator[Part]:
    """A menu: a panel of rows with names, sliders, fields and buttons."""
    width, height = artist.size
    across, down = width * float(rng.uniform(0.2, 0.45)), height * float(rng.uniform(0.2, 0.5))
    x, y = artist.place(rng, int(across), int(down))
    layer, pen = _panel(artist, rng, (x, y, x + across, y + down))
    rows = int(rng.integers(3, 8))
    path, ink, step = _latin(artist, rng), _ink(rng), down / rows
    for row in range(rows):
        top = y + row * step + step * 0.15
        _write(pen, (x + 6, top), _name(artist, rng, 3), path, int(step * 0.55), ink, across * 0.5)
        if rng.random() < 0.7:
            _fill(artist, rng, layer, (x + across * 0.6, top, x + across - 6, top + step * 0.6))
    if rng.random() < 0.3:
        mark = y + float(rng.integers(rows)) * step
        pen.rectangle((x + 2, mark, x + across - 2, mark + step), outline=_ink(rng))
    yield Part("ui", [layer])


def processor(artist: Artist, rng: Random, frames: int) -> Iterator[Part]:
    """The short lines of a flexible endoscope's processor at the left, small squares in a row, and one at the right."""
    width, height = artist.size
    path, size = _latin(artist, rng), int(height * rng.uniform(0.025, 0.055))
    x = width * float(rng.uniform(0.0, 0.05)) if rng.random() < 0.9 else width * float(rng.uniform(0.75, 0.85))
    y = height * float(rng.uniform(0.02, 0.3))
    ink = _ink(rng)
    for _ in range(int(rng.integers(3, 13))):
        if y > height - 2 * size:
            break
        kind, layers = rng.random(), [artist.layer()]
        pen = ImageDraw.Draw(layers[0])
        if kind < 0.15:
            for square in range(int(rng.integers(3, 9))):
                at = x + square * size * 0.7
                pen.rectangle(
                    (at, y, at + size * 0.5, y + size * 0.5), fill=ink if rng.random() < 0.6 else None, outline=ink
                )
        elif kind < 0.35:
            first = int(rng.integers(0, 80_000))
            layers = [artist.layer() for _ in range(frames)]
            for k, layer in enumerate(layers):
                now = first + k * int(rng.choice([1, 1, 30]))
                clock = f"{now // 3600:02d}:{now // 60 % 60:02d}:{now % 60:02d}"
                _write(ImageDraw.Draw(layer), (x, y), clock, path, size, ink, width * 0.2)
        else:
            words = (
                f"{rng.integers(1, 29):02d}/{rng.integers(1, 13):02d}/{rng.integers(1995, 2026)}",
                f"{CAPITALS[int(rng.integers(24))]}{CAPITALS[int(rng.integers(24))].lower()}:{rng.integers(9)} "
                f"{CAPITALS[int(rng.integers(24))]}:{rng.integers(9)}",
                _name(artist, rng, 1),
                _value(rng),
            )[int(rng.integers(4))]
            _write(pen, (x, y), words, path, size, ink, width * 0.22)
        yield Part("text", layers)
        y += size * float(rng.choice([1.3, 1.3, 1.6, 3.0]))
    if rng.random() < 0.3:
        yield _thumbnail(artist, rng, (0.0, height * 0.62, width * float(rng.uniform(0.15, 0.3)), height * 0.99))
    if rng.random() < 0.5:
        layer, side = artist.layer(), height * float(rng.uniform(0.025, 0.06))
        x, y = width * float(rng.uniform(0.85, 0.97)), height * float(rng.uniform(0.7, 0.96))
        ImageDraw.Draw(layer).rectangle((x, y, x + side, y + side), outline=ink, width=int(rng.integers(1, 3)))
        _icon(artist, rng, layer, (x + side * 0.2, y + side * 0.2, x + side * 0.8, y + side * 0.8))
        yield Part("logo", [layer])


def _thumbnail(artist: Artist, rng: Random, box: tuple[float, float, float, float]) -> Part:
    """A small picture, with or without a rim."""
    layer = artist.layer()
    picture = Image.fromarray(artist.pictures[int(rng.integers(len(artist.pictures)))])
    size = max(int(box[2] - box[0]), 8), max(int(box[3] - box[1]), 8)
    layer.paste(ImageOps.fit(picture, size), (int(box[0]), int(box[1])))
    if rng.random() < 0.5:
        ImageDraw.Draw(layer).rectangle(box, outline=_ink(rng), width=int(rng.integers(1, 3)))
    return Part("pip", [layer])


def position(artist: Artist, rng: Random, frames: int) -> Iterator[Part]:
    """An insert that shows where a scope lies: a bright line on a ground in a colour; the line moves."""
    width, height = artist.size
    across, down = width * float(rng.uniform(0.12, 0.3)), height * float(rng.uniform(0.2, 0.4))
    x = 0.0 if rng.random() < 0.6 else width - across
    y = height - down - float(rng.choice([0, 0, 8])) if rng.random() < 0.8 else 0.0
    ground = ((20, 160, 130), (10, 90, 60), (20, 40, 110), (5, 5, 5), (60, 60, 70))[int(rng.integers(5))]
    turns = np.cumsum(rng.normal(0, 0.35, 24)) + rng.uniform(0, 6)
    points = np.cumsum(np.column_stack([np.cos(turns), np.sin(turns)]), axis=0)
    points = (points - points.min(0)) / (np.ptp(points, axis=0) + 1e-6)
    ink, layers = _ink(rng), []
    for _ in range(frames):
        points = np.clip(points + rng.normal(0, 0.01, points.shape), 0, 1)
        layer = artist.layer()
        pen = ImageDraw.Draw(layer)
        pen.rectangle((x, y, x + across, y + down), fill=(*ground, 255))
        line = points * [across * 0.8, down * 0.8] + [x + across * 0.1, y + down * 0.1]
        pen.line([tuple(p) for p in line], fill=ink, width=2)
        layers.append(layer)
    yield Part("ui", layers)


def phaco(artist: Artist, rng: Random, frames: int) -> Iterator[Part]:
    """A microscope's values in a bar at the lower edge: names, figures and meters that run."""
    width, height = artist.size
    high = height * float(rng.uniform(0.06, 0.14))
    top = height - high - float(rng.choice([0, 0, 4]))
    opacity, ground, ink = int(rng.choice([0, 90, 180, 255])), _ground(rng), _ink(rng)
    path, cells = _latin(artist, rng), int(rng.integers(2, 6))
    names = [_name(artist, rng, 1) for _ in range(cells)]
    begin, end = (0.0, 1.0) if rng.random() < 0.6 else (float(rng.uniform(0, 0.4)), float(rng.uniform(0.6, 1)))
    step = width * (end - begin) / cells
    layers = []
    for _ in range(frames):
        layer = artist.layer()
        pen = ImageDraw.Draw(layer)
        if opacity:
            pen.rectangle((begin * width, top, end * width, top + high), fill=(*ground, opacity))
        for index, name in enumerate(names):
            x = begin * width + index * step
            _write(pen, (x + 3, top + 1), name, path, int(high * 0.35), ink, step)
            _write(pen, (x + 3, top + high * 0.42), str(rng.integers(0, 100)), path, int(high * 0.5), ink, step * 0.5)
            share = float(rng.random()) * step * 0.4
            pen.rectangle((x + step * 0.55, top + high * 0.5, x + step * 0.55 + share, top + high * 0.8), fill=ink)
        layers.append(layer)
    yield Part("ui" if opacity else "text", layers)


def stamp(artist: Artist, rng: Random, frames: int) -> Iterator[Part]:
    """A recorder's clock in a corner, now and then a dot that says it records."""
    width, height = artist.size
    size, path, ink = int(height * rng.uniform(0.03, 0.1)), _latin(artist, rng), _ink(rng)
    first = int(rng.integers(0, 80_000))
    text = f"{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d} " if rng.random() < 0.4 else ""
    x, y = artist.place(rng, int(font_of(path, size).getlength(text + "00:00:00")), size)
    layers = []
    for k in range(frames):
        layer = artist.layer()
        pen = ImageDraw.Draw(layer)
        now = first + k
        clock = f"{text}{now // 3600:02d}:{now // 60 % 60:02d}:{now % 60:02d}"
        pen.text(
            (x, y), clock, font=font_of(path, size), fill=ink, stroke_width=int(size > 14), stroke_fill=(0, 0, 0, 255)
        )
        layers.append(layer)
    yield Part("text", layers)
    if rng.random() < 0.3:
        layer = artist.layer()
        dot = float(rng.uniform(0.9, 0.96)) * width, float(rng.uniform(0.03, 0.08)) * height
        reach = height * 0.02
        ImageDraw.Draw(layer).ellipse(
            (dot[0] - reach, dot[1] - reach, dot[0] + reach, dot[1] + reach), fill=(220, 20, 20, 255)
        )
        yield Part("logo", [layer])


def lower_third(artist: Artist, rng: Random, frames: int) -> Iterator[Part]:
    """Two lines of a name on a coloured band, with or without an accent at its end."""
    width, height = artist.size
    high = height * float(rng.uniform(0.1, 0.22))
    top = height * float(rng.uniform(0.66, 0.8))
    x = float(rng.choice([0, 0, 0.04, 0.5])) * width
    across = width * float(rng.uniform(0.35, 1.0))
    layer = artist.layer()
    pen = ImageDraw.Draw(layer)
    pen.rectangle((x, top, min(x + across, width), top + high), fill=(*artist.colour(rng), int(rng.integers(120, 256))))
    if rng.random() < 0.4:
        pen.rectangle((x, top, x + 6, top + high), fill=(*artist.colour(rng), 255))
    path, ink = _latin(artist, rng), _ink(rng)
    _write(pen, (x + 12, top + high * 0.08), _name(artist, rng, 4), path, int(high * 0.42), ink, across - 16)
    _write(pen, (x + 12, top + high * 0.58), _name(artist, rng, 6), path, int(high * 0.26), ink, across - 16)
    yield Part("ui", [layer])


def beside(artist: Artist, rng: Random, frames: int) -> Iterator[Part]:
    """A second picture or a band of plots beside the first one, over the whole height or half of it."""
    width, height = artist.size
    across = width * float(rng.uniform(0.2, 0.5))
    x = 0.0 if rng.random() < 0.5 else width - across
    y, down = (0.0, float(height)) if rng.random() < 0.6 else (float(rng.uniform(0, 0.4)) * height, height * 0.5)
    if rng.random() < 0.55:
        yield _thumbnail(artist, rng, (x, y, x + across, y + down))
        return
    layer, pen = _panel(artist, rng, (x, y, x + across, y + down), rim=0.3)
    rows = int(rng.integers(1, 5))
    for row in range(rows):
        top, step, ink = y + row * down / rows, down / rows, _ink(rng)
        points = np.column_stack([np.linspace(x + 5, x + across - 5, 40), top + step * (0.3 + 0.5 * rng.random(40))])
        pen.line([tuple(point) for point in points], fill=ink, width=int(rng.integers(1, 3)))
        _write(
            pen, (x + 5, top + 3), _name(artist, rng), _latin(artist, rng), int(min(step * 0.15, 18)), ink, across - 8
        )
    yield Part("ui", [layer])


def detections(artist: Artist, rng: Random, frames: int) -> Iterator[Part]:
    """Boxes that a program draws round its findings, with a label and a figure: thin bars, and a line of text."""
    width, height = artist.size
    for _ in range(int(rng.integers(1, 3))):
        colour = (*((int(v) for v in rng.choice([0, 255], 3)) if rng.random() < 0.8 else artist.colour(rng)), 255)
        thick = int(rng.integers(2, 6))
        x1, y1 = float(rng.uniform(-0.05, 0.7)) * width, float(rng.uniform(-0.05, 0.7)) * height
        x2, y2 = x1 + width * float(rng.uniform(0.1, 0.8)), y1 + height * float(rng.uniform(0.1, 0.9))
        layer = artist.layer()
        ImageDraw.Draw(layer).rectangle((x1, y1, x2, y2), outline=colour, width=thick)
        yield Part("ui", [layer], exact=True)
        layer = artist.layer()
        pen = ImageDraw.Draw(layer)
        path, size = _latin(artist, rng), int(height * rng.uniform(0.03, 0.07))
        words = f"{_name(artist, rng, 1).lower()}: {rng.random():.2f}"
        at = max(x1, 0.0), max(y1 - size * 1.2, 0.0) if rng.random() < 0.6 else (y1 + y2) / 2
        length = font_of(path, size).getlength(words)
        filled = rng.random() < 0.5
        if filled:
            pen.rectangle((at[0], at[1], at[0] + length, at[1] + size * 1.2), fill=colour)
        pen.text(at, words, font=font_of(path, size), fill=(255, 255, 255, 255) if filled else colour)
        yield Part("text", [layer])


def discs(artist: Artist, rng: Random, frames: int) -> Iterator[Part]:
    """Numbered discs near a corner."""
    width, height = artist.size
    reach = height * float(rng.uniform(0.03, 0.06))
    for index in range(int(rng.integers(1, 4))):
        layer = artist.layer()
        pen = ImageDraw.Draw(layer)
        x, y = width - (index * 2.4 + 1.3) * reach, height * 0.06 + reach
        pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=(*_ground(rng), 230), outline=_ink(rng), width=2)
        font = font_of(_latin(artist, rng), int(reach * 1.1))
        pen.text((x, y), str(index + 1), font=font, fill=_ink(rng), anchor="mm")
        yield Part("logo", [layer])


def strip(artist: Artist, rng: Random, frames: int) -> Iterator[Part]:
    """Thumbnails side by side along an edge."""
    width, height = artist.size
    side, top = width * float(rng.uniform(0.1, 0.16)), float(rng.choice([0.02, 0.84])) * height
    for index in range(int(rng.integers(2, 6))):
        left = index * side * 1.08 + 4
        yield _thumbnail(artist, rng, (left, top, left + side, top + height * 0.14))


def gauge(artist: Artist, rng: Random, frames: int) -> Iterator[Part]:
    """An upright meter at a side, its level running."""
    width, height = artist.size
    x, across = (0.02 if rng.random() < 0.5 else 0.93) * width, width * float(rng.uniform(0.025, 0.05))
    top, low = height * float(rng.uniform(0.15, 0.35)), height * float(rng.uniform(0.65, 0.9))
    back, _ = _panel(artist, rng, (x, top, x + across, low), rim=1.0)
    colour, layers = _ink(rng), []
    for _ in range(frames):
        layer = back.copy()
        level = low - (low - top) * float(rng.random())
        ImageDraw.Draw(layer).rectangle((x + 3, level, x + across - 3, low - 2), fill=colour)
        layers.append(layer)
    yield Part("ui", layers)


def legend(artist: Artist, rng: Random, frames: int) -> Iterator[Part]:
    """A list of colours and names, on a ground or bare."""
    width, height = artist.size
    rows, size = int(rng.integers(2, 7)), int(height * rng.uniform(0.03, 0.05))
    across, down = width * 0.18, rows * size * 1.4 + 8
    x, y = artist.place(rng, int(across), int(down))
    layer, pen = _panel(artist, rng, (x, y, x + across, y + down))
    for row in range(rows):
        top = y + 4 + row * size * 1.4
        pen.rectangle((x + 4, top, x + 4 + size, top + size), fill=(*artist.colour(rng), 255))
        _write(
            pen, (x + 10 + size, top), _name(artist, rng, 1), _latin(artist, rng), size, _ink(rng), across - size - 12
        )
    yield Part("ui", [layer])


FAMILIES: dict[str, Callable[[Artist, Random, int], Iterator[Part]]] = {
    draw.__name__: draw
    for draw in (
        tabs,
        banner,
        message,
        telestration,
        status,
        icons,
        menu,
        processor,
        position,
        phaco,
        stamp,
        lower_third,
        beside,
        detections,
        discs,
        strip,
        gauge,
        legend,
    )
}
"""Every family by its name."""
