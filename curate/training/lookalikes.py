"""Drawn pictures with the colours and the textures of surgery that show none: what takes a classifier in.

Glowing spheres and fire, meat and fruit, the back of an eye, an eye and skin seen close up, folds of cloth, models of
organs. They are drawn by rule, each time another; real pictures of such things are too few to learn from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from curate.nets.preprocess import Image

Random = np.random.Generator
Floats = npt.NDArray[np.float32]

HEIGHT = 288
"""Of what is drawn, in pixels; the width is 1 to 16/9 of it."""


def lookalike(rng: Random) -> Image:
    """Draw one of them: uint8 RGB, shape (`HEIGHT`, width, 3)."""
    width = int(HEIGHT * rng.choice([1.0, 4 / 3, 16 / 9]))
    draw = KINDS[int(rng.integers(len(KINDS)))]
    return np.clip(draw(rng, width), 0, 255).astype(np.uint8)


def cloud(rng: Random, width: int, cells: int, octaves: int = 4) -> Floats:
    """Noise of several sizes: float32 in 0..1, shape (`HEIGHT`, width)."""
    total = np.zeros((HEIGHT, width), np.float32)
    for octave in range(octaves):
        side = cells * 2**octave
        grid = rng.random((side + 1, side + 1)).astype(np.float32)
        total += np.asarray(cv2.resize(grid, (width, HEIGHT), interpolation=cv2.INTER_CUBIC)) / 2**octave
    low, high = float(total.min()), float(total.max())
    return (total - low) / (high - low + 1e-6)


def _places(width: int, x: float, y: float) -> tuple[Floats, Floats]:
    """Coordinates across and down from a point, in heights."""
    down, across = np.mgrid[0:HEIGHT, 0:width].astype(np.float32) / HEIGHT
    return across - np.float32(x), down - np.float32(y)


def _mix(share: npt.NDArray[np.floating[Any]], below: npt.ArrayLike, above: npt.ArrayLike) -> Floats:
    """Colours or pictures laid over others, by a share (rows, columns) of 0..1."""
    part = np.clip(share, 0, 1)[..., None]
    return np.asarray(part * np.asarray(above, np.float32) + (1 - part) * np.asarray(below, np.float32), np.float32)


def _ramp(values: npt.NDArray[np.floating[Any]], colours: npt.ArrayLike) -> Floats:
    """Values of 0..1 through colours at even distances."""
    table = np.asarray(colours, np.float32)
    at = np.linspace(0, 1, len(table))
    return np.stack([np.interp(values, at, table[:, c]) for c in range(3)], axis=-1).astype(np.float32)


def _ground(rng: Random, width: int) -> Floats:
    """A plain or shaded ground: dark, white, or any colour."""
    kind = rng.random()
    first = (
        np.full(3, rng.uniform(0, 25)) if kind < 0.5 else np.full(3, 255.0) if kind < 0.65 else rng.uniform(0, 255, 3)
    )
    second = first * rng.uniform(0.4, 1.0)
    return _mix(np.linspace(0, 1, width, dtype=np.float32)[None].repeat(HEIGHT, 0), first, second)


def _warm(rng: Random) -> Floats:
    """A red, orange, pink or brown."""
    return np.array([rng.uniform(120, 255), rng.uniform(20, 150), rng.uniform(10, 120)], np.float32)


def sphere(rng: Random, width: int) -> Floats:
    """A glowing sphere, plain or with something that boils on it."""
    x, y, radius = rng.uniform(0.3, 0.7) * width / HEIGHT, rng.uniform(0.35, 0.65), rng.uniform(0.2, 0.65)
    across, down = _places(width, x, y)
    away = np.hypot(across, down) / radius
    surface = np.clip(1 - away**2, 0, 1) ** 0.5 * rng.uniform(0.6, 1.2)
    texture = surface * (1 - rng.uniform(0, 0.6) * cloud(rng, width, int(rng.integers(3, 10))))
    dark, light = _warm(rng) * 0.3, np.clip(_warm(rng) * 1.3 + 40, 0, 255)
    glow = np.exp(-np.clip(away - 1, 0, None) * rng.uniform(2, 9))
    return _mix(
        (away < 1).astype(np.float32),
        _mix(glow * 0.8, _ground(rng, width), light),
        _ramp(texture, [dark, _warm(rng), light]),
    )


def fire(rng: Random, width: int) -> Floats:
    """Fire, lava, molten metal: dark crusts, bright cracks."""
    heat = cloud(rng, width, int(rng.integers(2, 7)), 5)
    if rng.random() < 0.5:
        heat = (1 - np.abs(2 * heat - 1) ** rng.uniform(0.4, 1.2)).astype(np.float32)
    if rng.random() < 0.4:
        heat = heat * np.linspace(0.3, 1.2, HEIGHT, dtype=np.float32)[:, None]
    return _ramp(np.clip(heat, 0, 1), [(10, 4, 4), (120, 15, 5), (235, 80, 10), (255, 190, 60), (255, 245, 200)])


def meat(rng: Random, width: int) -> Floats:
    """Meat or sausage with streaks of fat, the whole picture or a piece on a plate."""
    base = _ramp(cloud(rng, width, int(rng.integers(3, 9))), [_warm(rng) * 0.6, _warm(rng)])
    grain = np.abs(2 * cloud(rng, width, int(rng.integers(2, 8)), 5) - 1)
    streaks = np.clip(1 - grain / rng.uniform(0.08, 0.25), 0, 1)
    piece = _mix(streaks * rng.uniform(0.5, 1), base, (240, 220, 205))
    if rng.random() < 0.4:
        return piece
    across, down = _places(width, 0.5 * width / HEIGHT, 0.5)
    reach = rng.uniform(0.25, 0.45) * (0.7 + 0.6 * cloud(rng, width, 3, 2))
    inside = np.clip((reach - np.hypot(across * rng.uniform(0.5, 1), down)) * 40, 0, 1)
    return _mix(inside, _ground(rng, width), piece)


def fruit(rng: Random, width: int) -> Floats:
    """Fruit cut open: a rind, segments or a soft inside, seeds."""
    across, down = _places(width, rng.uniform(0.35, 0.65) * width / HEIGHT, rng.uniform(0.4, 0.6))
    radius = rng.uniform(0.25, 0.6)
    away, angle = np.hypot(across, down) / radius, np.arctan2(down, across)
    flesh = _ramp(np.clip(away * 0.7 + 0.3 * cloud(rng, width, 8), 0, 1), [_warm(rng), _warm(rng)])
    parts = int(rng.integers(0, 13))
    walls = np.clip(np.abs(np.cos(angle * parts / 2)) * 12 - 11, 0, 1) if parts > 3 else np.zeros_like(away)
    picture = _mix(walls * (away < 0.9), flesh, (250, 235, 200))
    for _ in range(int(rng.integers(0, 15))):
        x, y = rng.normal(0, radius * 0.35, 2)
        seed = np.clip(1.5 - np.hypot((across - x) * 1.8, down - y) / 0.02, 0, 1)
        picture = _mix(seed, picture, (60, 35, 15))
    picture = _mix(((away > 0.9) & (away < 1)).astype(np.float32), picture, rng.uniform(60, 250, 3))
    return _mix((away < 1).astype(np.float32), _ground(rng, width), picture)


def fundus(rng: Random, width: int) -> Floats:
    """The back of an eye: an orange disc, a pale spot, vessels that branch from it."""
    middle = 0.5 * width / HEIGHT
    across, down = _places(width, middle, 0.5)
    away = np.hypot(across, down) / rng.uniform(0.42, 0.6)
    warm = np.array([rng.uniform(170, 250), rng.uniform(70, 140), rng.uniform(20, 80)], np.float32)
    picture = _ramp(np.clip(1.2 - away * 0.8 - 0.3 * cloud(rng, width, 4), 0, 1), [warm * 0.4, warm])
    side = float(rng.choice([-1, 1]))
    spot = np.array([(middle + side * rng.uniform(0.05, 0.3)) * HEIGHT, rng.uniform(0.4, 0.6) * HEIGHT])
    vessels = np.zeros((HEIGHT, width), np.uint8)
    for _ in range(int(rng.integers(5, 11))):
        at, heading, thick = spot.copy(), rng.uniform(0, 2 * np.pi), float(rng.uniform(2, 5))
        while thick > 0.7:
            heading += rng.normal(0, 0.25)
            after = at + 12 * np.array([np.cos(heading), np.sin(heading)])
            cv2.line(vessels, _point(at), _point(after), 255, int(np.ceil(thick)), cv2.LINE_AA)
            at, thick = after, thick * 0.93
    picture = _mix(vessels.astype(np.float32) / 255 * 0.7, picture, warm * [0.6, 0.3, 0.4])
    pale = np.clip(
        1.3 - np.hypot(across * HEIGHT + middle * HEIGHT - spot[0], down * HEIGHT + HEIGHT / 2 - spot[1]) / 22, 0, 1
    )
    picture = _mix(pale, picture, (255, 235, 180))
    return _mix((away < 1).astype(np.float32), np.full(3, rng.uniform(0, 15)), picture)


def _point(at: npt.NDArray[np.float64]) -> tuple[int, int]:
    return int(at[0]), int(at[1])


def eye(rng: Random, width: int) -> Floats:
    """An eye close up: lids, white, iris, pupil, a glint."""
    across, down = _places(width, rng.uniform(0.4, 0.6) * width / HEIGHT, rng.uniform(0.4, 0.6))
    picture = skin(rng, width)
    lid = np.clip((1 - (across / rng.uniform(0.45, 0.8)) ** 2 - (down / rng.uniform(0.22, 0.4)) ** 2) * 12, 0, 1)
    white = _mix(cloud(rng, width, 6) * rng.uniform(0, 0.5), (235, 228, 222), (220, 120, 110))
    away, angle = np.hypot(across, down) / rng.uniform(0.15, 0.28), np.arctan2(down, across)
    fibres = 0.5 + 0.5 * np.sin(angle * int(rng.integers(20, 60)) + 6 * cloud(rng, width, 8))
    colour = rng.uniform(20, 190, 3)
    iris = _ramp(np.clip(0.3 + 0.7 * fibres * away, 0, 1), [colour * 0.3, colour])
    ball = _mix((away < 1).astype(np.float32), white, iris)
    ball = _mix((away < rng.uniform(0.25, 0.6)).astype(np.float32), ball, (8, 6, 6))
    glint = np.clip(1.5 - np.hypot(across - 0.05, down + 0.05) / 0.03, 0, 1)
    return _mix(lid, picture, _mix(glint, ball, (255, 255, 255)))


def skin(rng: Random, width: int) -> Floats:
    """Skin close up: pores, creases, a mole or a rash."""
    tone = np.array([rng.uniform(110, 240), 0, 0], np.float32)
    tone[1:] = tone[0] * np.array([rng.uniform(0.6, 0.8), rng.uniform(0.45, 0.7)])
    picture = _ramp(cloud(rng, width, 3, 6), [tone * 0.75, tone * 1.08])
    crease = np.abs(2 * cloud(rng, width, int(rng.integers(3, 8)), 4) - 1)
    picture = _mix(np.clip(1 - crease / 0.06, 0, 1) * 0.4, picture, tone * 0.5)
    for _ in range(int(rng.integers(0, 8))):
        across, down = _places(width, rng.uniform(0, width / HEIGHT), rng.uniform(0, 1))
        patch = np.clip(1.4 - np.hypot(across, down * rng.uniform(0.6, 1.5)) / rng.uniform(0.015, 0.12), 0, 1)
        picture = _mix(patch * rng.uniform(0.3, 0.9), picture, tone * [rng.uniform(0.4, 1.1), 0.5, 0.5])
    return picture


def drape(rng: Random, width: int) -> Floats:
    """Folds of a curtain or a cloth, most of them red."""
    across, down = _places(width, 0, 0)
    bend = (cloud(rng, width, 3, 2) - 0.5) * rng.uniform(0, 0.4)
    folds = np.sin((across + bend + down * rng.uniform(-0.4, 0.4)) * rng.uniform(12, 60) + 2 * np.sin(across * 9))
    colour = _warm(rng) * [1, 0.4, 0.5] if rng.random() < 0.7 else rng.uniform(20, 220, 3)
    weave = 0.06 * rng.standard_normal((HEIGHT, width)).astype(np.float32)
    return _ramp(np.clip(0.5 + 0.45 * folds + weave, 0, 1), [colour * 0.25, colour, np.clip(colour * 1.3 + 20, 0, 255)])


def organ(rng: Random, width: int) -> Floats:
    """A model of organs: smooth bodies in pink and red with a shine, before a plain ground."""
    picture = _ground(rng, width)
    for _ in range(int(rng.integers(1, 5))):
        across, down = _places(width, rng.uniform(0.2, 0.8) * width / HEIGHT, rng.uniform(0.2, 0.8))
        turn = rng.uniform(0, np.pi)
        u, v = across * np.cos(turn) + down * np.sin(turn), down * np.cos(turn) - across * np.sin(turn)
        away = np.hypot(u / rng.uniform(0.15, 0.6), v / rng.uniform(0.1, 0.4)) + 0.25 * (cloud(rng, width, 3, 2) - 0.5)
        height = np.clip(1 - away**2, 0, 1) ** 0.5
        colour = _warm(rng)
        body = _ramp(height, [colour * 0.35, colour, np.clip(colour * 1.15 + 15, 0, 255)])
        shine = np.clip(1.2 - np.hypot(across + 0.08, down + 0.08) / 0.07, 0, 1) * rng.uniform(0, 0.9)
        picture = _mix(np.clip((1 - away) * 25, 0, 1), picture, _mix(shine, body, (255, 250, 245)))
    return picture


KINDS: tuple[Callable[[Random, int], Floats], ...] = (sphere, fire, meat, fruit, fundus, eye, skin, drape, organ)
"""Everything that is drawn."""
