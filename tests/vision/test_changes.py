"""What changed since it was looked at, on drawn pictures."""

from __future__ import annotations

import numpy as np
import pytest

from curate.vision.changes import AGAIN, GAP, GRID, TILE, Changes, changed_tiles, index_of, parts_of
from curate.vision.static_content import COLUMNS, ROWS


def picture(level: int = 90) -> np.ndarray:
    return np.full((ROWS, COLUMNS, 3), level, dtype=np.uint8)


def noisy(image: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(-4, 5, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def test_noise_is_no_change_and_a_letter_is_one_in_its_tile():
    before, after = noisy(picture(), 1), noisy(picture(), 2)
    assert not changed_tiles(before, after).any()
    after[19:22, 44:46] += 40
    assert np.argwhere(changed_tiles(before, after)).tolist() == [[19 // TILE, 44 // TILE]]


def test_a_slow_drift_is_seen():
    changes = Changes()
    seen = [changes.see(n, picture(90 + 3 * n)).any for n in range(11)]
    assert seen == [True, *[False] * 3, True, *[False] * 3, True, False, False]


def test_a_still_picture_is_looked_at_again_after_a_while():
    changes = Changes()
    anew = [n for n in range(2 * AGAIN + 1) if changes.see(n, picture()).anew]
    assert anew == [0, AGAIN, 2 * AGAIN]


@pytest.mark.parametrize(("n", "level"), [(GAP + 1, 90), (1, 250)])
def test_after_a_gap_or_a_cut_nothing_is_known(n, level):
    changes = Changes()
    changes.see(0, picture())
    assert changes.see(n, picture(level)).anew


def test_parts_hold_all_that_is_wanted_and_a_margin():
    wanted = np.zeros(GRID[::-1], dtype=bool)
    wanted[0, 0] = wanted[10, 10:20] = wanted[10, 21] = wanted[20, 38] = True
    parts = parts_of(wanted, 1)
    assert parts == [(0, 0, 2, 2), (9, 9, 23, 12), (37, 19, 40, 22)]
    covered = np.zeros_like(wanted)
    for part in parts:
        covered[index_of(part)] = True
    assert covered[wanted].all()
    assert parts_of(np.zeros_like(wanted), 1) == []
