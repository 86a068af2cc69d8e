"""Pictures as the web shows them: borders, overlays, embedded pictures, and the ways cameras and codecs spoil them.

Every function takes uint8 RGB (H, W, 3) and a random generator and returns a new picture. The label decides only what
is embedded in what: a small inset leaves surgery surgery, and endoscopic pictures inside slides, faces or photographs
leave those what they are. Borders, boxes, texts, colours and damage are drawn alike for both classes, so that none of
them tells the class.
"""

from __future__ import annotations

import string
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from curate.nets.preprocess import Image
from curate.training.blanks import blank
from curate.training.lookalikes import lookalike

Random = np.random.Generator
Step = Callable[[Image, Random], Image]

CANVAS = 288
"""Short side, in pixels, pictures are composed at: enough for a network of 224, and quick."""

LOOKALIKES, BLANKS = 0.5, 0.2
"""Shares of pictures made without a frame that look like surgery, and that show nothing; the others are cards."""

_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_PLAIN,
)


def surgical(image: Image, inset: Image, rng: Random) -> Image:
    """Vary a surgical picture; it stays surgical, also with an inset of ``inset`` that covers up to a ninth of it."""
    image = _geometry(image, rng)
    steps: list[tuple[float, Step]] = [
        (0.08, close),
        (0.7, colours),
        (0.12, smoke),
        (0.06, blood),
        (0.25, circular_border),
        (0.15, black_boxes),
        (0.2, lambda im, r: paste(im, inset, r, share=(0.02, 0.11), at_rim=True)),
        *_COMMON,
    ]
    return _apply(image, steps, rng)


def non_surgical(image: Image, tissue: Image, rng: Random) -> Image:
    """Vary a non-surgical picture; it stays so with ``tissue`` embedded in it, or with the colours of ``tissue``."""
    image = _geometry(image, rng)
    steps: list[tuple[float, Step]] = [
        (0.15, lambda im, r: take_colours(im, tissue, r)),
        (0.6, colours),
        (0.06, smoke),
        (0.04, blood),
        (0.18, lambda im, r: paste(im, tissue, r, share=(0.04, 0.3), at_rim=False)),
        (0.25, circular_border),
        (0.15, black_boxes),
        *_COMMON,
    ]
    return _apply(image, steps, rng)


def stand_in(rng: Random) -> Image:
    """A non-surgical picture that no frame is needed for: a card, nothing, or what only looks like surgery."""
    kind = rng.random()
    if kind < BLANKS:
        return _apply(blank(rng), [(0.15, circular_border), (0.1, black_boxes), (0.1, bars), (0.3, compress)], rng)
    if kind < BLANKS + LOOKALIKES:
        return _apply(lookalike(rng), [(0.15, circular_border), (0.5, colours), (0.1, black_boxes), *_COMMON], rng)
    return title_card(rng)


def title_card(rng: Random) -> Image:
    """Render a non-surgical card: a plain or shaded background, any or no text, any or no shapes."""
    height, width = CANVAS, int(CANVAS * rng.choice([4 / 3, 16 / 9]))
    first = _card_colour(rng)
    image = np.full((height, width, 3), first, np.uint8)
    if rng.random() < 0.4:
        ramp = np.linspace(0, 1, height if rng.random() < 0.5 else width)[:, None]
        shade = (1 - ramp) * first + ramp * _card_colour(rng)
        image[:] = shade[:, None, :] if len(ramp) == height else shade[None, :, :]
    for _ in range(rng.integers(0, 4)):
        shape(image, rng)
    for _ in range(rng.choice([0, 1, 2, 4, 8], p=[0.2, 0.2, 0.25, 0.2, 0.15])):
        image = caption(image, rng)
    return _apply(image, [(0.15, noise), (0.1, circular_border), (0.1, black_boxes), *_COMMON], rng)


def circular_border(image: Image, rng: Random) -> Image:
    """Black, white or another colour outside a circle or a flattened circle, as scopes show it."""
    height, width = image.shape[:2]
    radius = rng.uniform(0.42, 0.62) * (height if rng.random() < 0.7 else width)
    centre = (int(width * rng.uniform(0.44, 0.56)), int(height * rng.uniform(0.44, 0.56)))
    mask = np.zeros((height, width), np.uint8)
    cv2.circle(mask, centre, max(8, int(radius)), 255, -1)
    if rng.random() < 0.3:
        mask[:, : int(width * rng.uniform(0, 0.15))] = 0
        mask[:, int(width * rng.uniform(0.85, 1)) :] = 0
    image = _pixels(cv2.bitwise_and(image, image, mask=mask))
    kind = rng.random()
    if kind > 0.7:
        image[mask == 0] = rng.uniform(215, 256) if kind < 0.9 else rng.integers(0, 256, 3)
    return image


def black_boxes(image: Image, rng: Random) -> Image:
    """Paint one to three boxes, most of them black: redactions, and the corner boxes of endoscopes."""
    image = image.copy()
    height, width = image.shape[:2]
    for _ in range(rng.integers(1, 4)):
        w, h = int(width * rng.uniform(0.06, 0.38)), int(height * rng.uniform(0.04, 0.3))
        x = int(rng.choice([0, width - w, rng.integers(0, width - w)]))
        y = int(rng.choice([0, height - h, rng.integers(0, height - h)]))
        image[y : y + h, x : x + w] = 0 if rng.random() < 0.85 else rng.integers(0, 256, 3)
    return image


def bars(image: Image, rng: Random) -> Image:
    """Letterbox or pillarbox, mostly black; sometimes on all four sides."""
    height, width = image.shape[:2]
    vertical, horizontal = rng.uniform(0.04, 0.35, 2)
    kind = rng.random()
    top = int(height * vertical) if kind < 0.35 or kind > 0.8 else 0
    side = int(width * horizontal) if kind >= 0.35 else 0
    colour = (0, 0, 0) if rng.random() < 0.8 else tuple(int(v) for v in rng.integers(0, 256, 3))
    return _pixels(cv2.copyMakeBorder(image, top, top, side, side, cv2.BORDER_CONSTANT, value=colour))


def caption(image: Image, rng: Random) -> Image:
    """Write one line of text anywhere, with or without a box behind it."""
    image = image.copy()
    height, width = image.shape[:2]
    letters = string.ascii_letters + string.digits + "     .,:-/%"
    text = "".join(rng.choice(list(letters), rng.integers(3, 32)))
    font = int(rng.choice(_FONTS))
    scale = height * float(rng.uniform(0.0012, 0.0045)) * (1.8 if font == cv2.FONT_HERSHEY_PLAIN else 1)
    thick = int(rng.integers(1, 3))
    (w, h), base = cv2.getTextSize(text, font, scale, thick)
    x = int(rng.integers(-w // 8, max(1, width - w + w // 8)))
    y = int(rng.integers(h, max(h + 1, height - base)))
    if rng.random() < 0.35:
        cv2.rectangle(image, (x - 4, y - h - 4), (x + w + 4, y + base + 2), _colour(rng).tolist(), -1)
    bright = int(rng.choice([0, 255], p=[0.3, 0.7]))
    ink = (bright,) * 3 if rng.random() < 0.6 else _colour(rng).tolist()
    cv2.putText(image, text, (x, y), font, scale, ink, thick, cv2.LINE_AA)
    return image


def interface(image: Image, rng: Random) -> Image:
    """Lay a bar of a user interface along one edge, with text, buttons or gauges in it."""
    image = image.copy()
    height, width = image.shape[:2]
    across = rng.random() < 0.75
    size = int((height if across else width) * rng.uniform(0.05, 0.16))
    strip = np.full(
        (size, width, 3) if across else (height, size, 3), _colour(rng) // int(rng.integers(1, 5)), np.uint8
    )
    for _ in range(rng.integers(1, 5)):
        shape(strip, rng)
    for _ in range(rng.integers(0, 3)):
        strip = caption(strip, rng)
    at_start = rng.random() < 0.5
    if across:
        image[slice(0, size) if at_start else slice(height - size, height)] = strip
    else:
        image[:, slice(0, size) if at_start else slice(width - size, width)] = strip
    return image


def logo(image: Image, rng: Random) -> Image:
    """Put a small, maybe translucent, drawn mark into a corner."""
    height, width = image.shape[:2]
    size = int(min(height, width) * rng.uniform(0.08, 0.22))
    mark = np.full((size, size, 3), _colour(rng), np.uint8)
    for _ in range(rng.integers(1, 4)):
        shape(mark, rng)
    if rng.random() < 0.5:
        mark = caption(mark, rng)
    margin = int(min(height, width) * 0.03)
    y = margin if rng.random() < 0.5 else height - size - margin
    x = margin if rng.random() < 0.5 else width - size - margin
    image = image.copy()
    place = image[y : y + size, x : x + size]
    opacity = float(rng.uniform(0.4, 1))
    mask = np.ones((size, size, 1), np.float32)
    if rng.random() < 0.5:
        mask = np.zeros((size, size), np.float32)
        cv2.circle(mask, (size // 2, size // 2), size // 2, 1.0, -1)
        mask = mask[..., None]
    place[:] = (place * (1 - opacity * mask) + mark * (opacity * mask)).astype(np.uint8)
    return image


def shape(image: Image, rng: Random) -> None:
    """Draw a rectangle, a disc or a line into ``image``."""
    height, width = image.shape[:2]
    points = [(int(rng.integers(0, width)), int(rng.integers(0, height))) for _ in range(2)]
    colour = _colour(rng).tolist()
    kind = rng.random()
    if kind < 0.5:
        cv2.rectangle(image, points[0], points[1], colour, -1 if rng.random() < 0.6 else 2)
    elif kind < 0.75:
        cv2.circle(image, points[0], int(rng.integers(2, max(3, min(height, width) // 3))), colour, -1, cv2.LINE_AA)
    else:
        cv2.line(image, points[0], points[1], colour, int(rng.integers(1, 5)), cv2.LINE_AA)


def paste(image: Image, inset: Image, rng: Random, *, share: tuple[float, float], at_rim: bool) -> Image:
    """Lay ``inset`` over a part of ``image``.

    Args:
        image: The picture that keeps its label.
        inset: What is shown in it, stretched by up to a fifth.
        rng: Random numbers.
        share: Smallest and largest part of the area it covers.
        at_rim: Whether it sits at a corner or edge, as a picture-in-picture does, or anywhere.
    """
    height, width = image.shape[:2]
    area = rng.uniform(*share) * height * width
    aspect = inset.shape[1] / inset.shape[0] * rng.uniform(0.8, 1.2)
    w, h = min(int((area * aspect) ** 0.5), width - 2), min(int((area / aspect) ** 0.5), height - 2)
    if w < 8 or h < 8:
        return image
    small = cv2.resize(inset, (w, h), interpolation=cv2.INTER_AREA)
    margin = int(rng.integers(0, 12))
    free_x, free_y = width - w, height - h
    if at_rim:
        x = int(rng.choice([min(margin, free_x), max(free_x - margin, 0)]))
        y = int(rng.choice([min(margin, free_y), max(free_y - margin, 0)]))
    else:
        x, y = int(rng.integers(0, free_x)), int(rng.integers(0, free_y))
    image = image.copy()
    image[y : y + h, x : x + w] = small
    if rng.random() < 0.3:
        cv2.rectangle(image, (x, y), (x + w - 1, y + h - 1), _colour(rng).tolist(), int(rng.integers(1, 4)))
    return image


def take_colours(image: Image, other: Image, rng: Random) -> Image:
    """Give a picture the mean and spread of another's colours, wholly or in part.

    E. Reinhard et al., Color Transfer between Images, 2001, in CIELAB.
    """
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    model = cv2.cvtColor(other, cv2.COLOR_RGB2LAB).astype(np.float32)
    mean, std = lab.mean((0, 1)), lab.std((0, 1)) + 1
    moved = (lab - mean) / std * (model.std((0, 1)) + 1) + model.mean((0, 1))
    part = rng.uniform(0.6, 1)
    mixed = np.clip(lab + (moved - lab) * part, 0, 255).astype(np.uint8)
    return _pixels(cv2.cvtColor(mixed, cv2.COLOR_LAB2RGB))


def colours(image: Image, rng: Random) -> Image:
    """Exposure, gamma, white balance and saturation; now and then grey, or a narrow band of blue and green."""
    x = image.astype(np.float32) / 255
    gain = float(np.exp(rng.normal(0, 0.25))) * np.exp(rng.normal(0, 0.1, 3))
    x = np.clip(x * gain, 0, 1) ** float(np.exp(rng.normal(0, 0.25)))
    kind = rng.random()
    grey = x @ np.array([0.299, 0.587, 0.114])
    if kind < 0.02:
        x = np.repeat(grey[..., None], 3, axis=2)
    elif kind < 0.07:
        x = np.stack([x[..., 1] * rng.uniform(0.5, 1), x[..., 1], x[..., 2]], axis=2)[..., rng.permutation(3)]
    else:
        x = grey[..., None] + (x - grey[..., None]) * rng.uniform(0.4, 1.5)
    if rng.random() < 0.2:
        x = 0.5 + (x - 0.5) * rng.uniform(0.5, 1.4)
    if rng.random() < 0.05:
        x = x * rng.uniform(0.15, 0.5)
    return (np.clip(x, 0, 1) * 255).astype(np.uint8)


def smoke(image: Image, rng: Random) -> Image:
    """Blend in a pale cloud of low spatial frequency."""
    height, width = image.shape[:2]
    cells = rng.random((int(rng.integers(2, 6)), int(rng.integers(2, 6)))).astype(np.float32)
    cloud = cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    opacity = np.clip(cloud, 0, 1) * rng.uniform(0.3, 0.85)
    return (image * (1 - opacity) + rng.uniform(150, 240) * opacity).astype(np.uint8)


def blood(image: Image, rng: Random) -> Image:
    """Cover parts of the picture in red, as blood on a lens or a flooded field does."""
    height, width = image.shape[:2]
    cells = rng.random((int(rng.integers(2, 7)), int(rng.integers(2, 7)))).astype(np.float32)
    pool = cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    opacity = np.clip((pool - rng.uniform(0.2, 0.7)) * rng.uniform(2, 8), 0, 1) * rng.uniform(0.4, 0.95)
    red = np.array([rng.uniform(90, 220), rng.uniform(0, 45), rng.uniform(0, 45)], np.float32)
    return (image * (1 - opacity) + red * opacity).astype(np.uint8)


def close(image: Image, rng: Random) -> Image:
    """A small part of the picture, large and soft: a lens that nearly touches."""
    height, width = image.shape[:2]
    share = float(rng.uniform(0.25, 0.55))
    h, w = int(height * share), int(width * share)
    y, x = int(rng.integers(height // 8, height - h - height // 8 + 1)), int(rng.integers(0, width - w + 1))
    part = cv2.GaussianBlur(image[y : y + h, x : x + w], (0, 0), float(rng.uniform(0.5, 2.5)))
    return _pixels(cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR))


def blur(image: Image, rng: Random) -> Image:
    """Out of focus, or moved."""
    if rng.random() < 0.5:
        return _pixels(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.6, 4))))
    length = int(rng.integers(3, 22))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * length
    middle = np.array([length / 2, length / 2])
    ends = [tuple(int(v) for v in middle + reach * side) for side in (-0.5, 0.5)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1)
    return _pixels(cv2.filter2D(image, -1, kernel / max(1.0, float(kernel.sum()))))


def noise(image: Image, rng: Random) -> Image:
    """Sensor noise."""
    grain = rng.normal(0, rng.uniform(2, 18), image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def lower_resolution(image: Image, rng: Random) -> Image:
    """Shrink and enlarge again, as old web video."""
    height, width = image.shape[:2]
    factor = rng.uniform(0.25, 0.8)
    small = cv2.resize(image, (max(8, int(width * factor)), max(8, int(height * factor))), interpolation=cv2.INTER_AREA)
    return _pixels(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def compress(image: Image, rng: Random) -> Image:
    """JPEG at a quality from 15 to 90."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 91))])
    return _pixels(cv2.imdecode(data, cv2.IMREAD_COLOR))


_COMMON: list[tuple[float, Step]] = [
    (0.22, bars),
    (0.25, caption),
    (0.15, caption),
    (0.12, interface),
    (0.12, logo),
    (0.15, blur),
    (0.1, noise),
    (0.15, lower_resolution),
    (0.4, compress),
]


def _apply(image: Image, steps: list[tuple[float, Step]], rng: Random) -> Image:
    for chance, step in steps:
        if rng.random() < chance:
            image = step(image, rng)
    return image


def _geometry(image: Image, rng: Random) -> Image:
    """Crop, mirror, turn, and bring the short side to `CANVAS`."""
    height, width = image.shape[:2]
    if rng.random() < 0.6:
        h, w = (int(side * rng.uniform(0.6, 1)) for side in (height, width))
        y, x = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
        image = image[y : y + h, x : x + w]
    if rng.random() < 0.5:
        image = image[:, ::-1]
    if rng.random() < 0.1:
        image = image[::-1]
    height, width = image.shape[:2]
    scale = CANVAS / min(height, width)
    stretch = float(np.exp(rng.normal(0, 0.12)))
    size = (max(16, round(width * scale * stretch)), max(16, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    image = _pixels(cv2.resize(np.ascontiguousarray(image), size, interpolation=method))
    if rng.random() < 0.15:
        turn = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), float(rng.uniform(-25, 25)), 1.0)
        edge = cv2.BORDER_CONSTANT if rng.random() < 0.5 else cv2.BORDER_REFLECT
        image = _pixels(cv2.warpAffine(image, turn, size, borderMode=edge))
    return image


def _pixels(image: object) -> Image:
    """State the type of what OpenCV returns."""
    return np.asarray(image, np.uint8)


def _colour(rng: Random) -> npt.NDArray[np.int64]:
    return rng.integers(0, 256, 3)


def _card_colour(rng: Random) -> npt.NDArray[np.float64]:
    """Background of a card: often black or white, else any colour, reds among them."""
    kind = rng.random()
    if kind < 0.3:
        return np.full(3, rng.uniform(0, 12))
    if kind < 0.5:
        return np.full(3, rng.uniform(200, 255))
    if kind < 0.65:
        return np.array([rng.uniform(90, 255), rng.uniform(0, 120), rng.uniform(0, 120)])
    return rng.uniform(0, 255, 3)
