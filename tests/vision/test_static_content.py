"""Statistics over time: still edges are coherent, moving ones are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from curate.vision.static_content import CHANNELS, COLUMNS, ROWS, WINDOW, gradients, presence, reduce, statistics

STEADY = 7


def moving(count: int, seed: int = 0) -> list[np.ndarray]:
    """Texture that wanders by whole pixels."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (ROWS // 4, COLUMNS // 4, 3), dtype=np.uint8)
    texture = cv2.resize(coarse, (COLUMNS, ROWS), interpolation=cv2.INTER_CUBIC)
    return [np.roll(texture, tuple(rng.integers(-30, 31, 2)), axis=(0, 1)) for _ in range(count)]


def stamped(frames: list[np.ndarray]) -> list[np.ndarray]:
    """The same frames with a checkerboard that stands still at rows 20 to 60, columns 30 to 110."""
    board = np.kron(np.indices((4, 8)).sum(axis=0) % 2, np.ones((10, 10))).astype(np.uint8) * 255
    stamped = [frame.copy() for frame in frames]
    for frame in stamped:
        frame[20:60, 30:110] = board[..., None]
    return stamped


def test_reduce_squeezes_every_shape():
    for shape in ((720, 1280, 3), (480, 480, 3), (50, 40, 3)):
        assert reduce(np.zeros(shape, np.uint8)).shape == (ROWS, COLUMNS, 3)


def test_gradients_of_a_ramp_are_its_slope():
    ramp = np.repeat(np.arange(COLUMNS, dtype=np.uint8)[None, :200], ROWS, axis=0)
    across, down = gradients(np.stack([ramp] * 3, axis=-1))
    assert np.allclose(across[:, 1:-1], 2 / 255, atol=1e-4)
    assert np.allclose(down, 0, atol=1e-4)


def test_what_stands_still_is_coherent_and_what_moves_is_not():
    maps = statistics(stamped(moving(WINDOW)))
    assert maps.shape == (CHANNELS, ROWS, COLUMNS) and maps.dtype == np.float32
    edges = maps[6] > 0.2
    inside = np.zeros((ROWS, COLUMNS), bool)
    inside[22:58, 32:108] = True
    outside = ~cv2.dilate(inside.astype(np.uint8), np.ones((15, 15))).astype(bool)
    assert maps[STEADY][inside & edges].min() > 0.9
    assert maps[STEADY][outside & edges].mean() < 0.6
    assert maps[3][inside].max() == 0
    assert maps[3][outside].mean() > 0.2


def test_a_single_frame_is_wholly_steady():
    maps = statistics(moving(1))
    assert maps[3].max() == 0
    assert maps[STEADY][maps[6] > 0.2].min() > 0.9
    assert np.allclose(maps[8], 1 / WINDOW)


@pytest.mark.parametrize("count", [0, WINDOW + 1])
def test_windows_of_other_lengths_are_refused(count):
    with pytest.raises(ValueError, match="a window has 1 to"):
        statistics(moving(count))


def test_presence_tells_frames_with_an_overlay_from_those_without():
    plain = moving(WINDOW)
    frames = [*stamped(plain[:6]), *plain[6:]]
    steps = [gradients(frame) for frame in frames]
    steady = np.mean(steps, axis=0)
    shown = [presence(step, steady, (30, 20, 110, 60)) for step in steps]
    assert min(shown[:6]) > 0.8
    assert max(shown[6:]) < 0.5


def test_gradients_that_are_there_already_change_nothing():
    window = stamped(moving(5))
    again = statistics([frame.copy() for frame in window], [gradients(frame) for frame in window])
    assert again.tobytes() == statistics(window).tobytes()
