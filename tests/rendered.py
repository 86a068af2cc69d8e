"""Rendered videos for tests that run the whole pipeline."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path
from types import ModuleType

import numpy as np


def _script(name: str) -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "scripts" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def render_operation(path: Path, *, before: int = 2, surgery: int = 6, after: int = 2, seed: int = 7) -> None:
    """Write a video: slide, rendered surgery, slide; lengths in seconds."""
    demo = _script("render_demo")
    frames = itertools.chain(
        demo.slide(["A title"], before), demo.surgery(np.random.default_rng(seed), surgery), demo.slide(["End"], after)
    )
    demo.encode(path, frames)


def render_slides(path: Path, seconds: int = 4) -> None:
    """Write a video without surgery."""
    demo = _script("render_demo")
    demo.encode(path, demo.slide(["Results"], seconds))
