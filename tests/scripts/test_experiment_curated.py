"""The experiment's parts: what its videos show, what its networks see, and the loss they learn by."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def experiment() -> Iterator[Any]:
    """The script, imported from beside the others."""
    sys.path.insert(0, str(ROOT / "scripts"))
    import experiment_curated

    yield experiment_curated
    sys.path.remove(str(ROOT / "scripts"))


def test_videos_show_every_chosen_frame_once_and_nothing_that_is_held_out(experiment: Any) -> None:
    frames = [
        experiment.Frame(Path(f"{source}-{i:03d}.jpg"), surgical, source, f"{source}/{i // 10}")
        for source, surgical, count in (
            ("a", True, 400), ("b", True, 40), ("gynsurg", True, 90), ("slides", False, 300), ("faces", False, 300),
        )
        for i in range(count)
    ]  # fmt: skip
    videos = experiment.plan_videos(frames, np.random.default_rng(0))
    shown = [frame for video in videos for frame in video]
    assert len(shown) == len(set(shown)) and not any(frame.source in experiment.HELD_OUT for frame in shown)
    surgical = [frame for frame in shown if frame.surgical]
    assert len(surgical) == experiment.MOST + 40
    assert 0 <= len(shown) - 2 * len(surgical) <= 8
    for video in videos:
        assert len({frame.source for frame in video if frame.surgical}) <= 1
    again = experiment.plan_videos(frames, np.random.default_rng(0))
    assert again == videos


def test_views_are_parts_of_their_pictures_and_differ(experiment: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    batch = torch.randint(0, 256, (8, 3, 96, 96), dtype=torch.uint8, generator=generator)
    one, other = (experiment.views(batch, 0.3, generator) for _ in range(2))
    assert one.shape == (8, 3, experiment.SIDE, experiment.SIDE) and one.min() >= 0 and one.max() <= 1
    assert not torch.equal(one, other)


def test_the_loss_is_least_where_views_of_a_picture_agree(experiment: Any) -> None:
    apart = torch.eye(6)
    agreeing, crossed = experiment.contrast(apart, apart, 0.2), experiment.contrast(apart, apart.roll(1, 0), 0.2)
    assert agreeing < crossed
    # one cosine of 1 and ten of 0, at a temperature of a fifth
    assert float(agreeing) == pytest.approx(-5 + math.log(math.exp(5) + 10), abs=1e-5)


def test_tasks_take_their_labels_from_names(experiment: Any) -> None:
    _, pattern = experiment.TASKS["bleeding"]
    names = {
        "0_case_103_Non_bleeding_0_08_08_28-0_08_14_01fps_clip_2_f45.jpg": "Non_bleeding",
        "1_case_103_Bleeding_0_08_08_28-0_08_14_01fps_clip_2_f45.jpg": "Bleeding",
        "2_case_103_Bleeding_light_0_08_08_28-0_08_14_01fps_clip_2_f45.jpg": "Bleeding",
        "3_case_706_Non_bleeding_bleeding_0_00_22_84-0_00_38_80fps_clip_1_f4.jpg": None,
    }
    for name, label in names.items():
        found = pattern.search(name)
        assert (found and found[1]) == label
