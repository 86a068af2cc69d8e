"""The repair of torchvision: what it adds, and that it keeps its hands off a working one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

torch = pytest.importorskip("torch")

from curate.nets.torchvision_repair import greedy_nms  # noqa: E402


def run(code: str, path: Path | None = None) -> str:
    """Run code in a fresh interpreter, with a folder in front of the module path."""
    prefix = f"import sys; sys.path.insert(0, {str(path)!r})\n" if path else ""
    done = subprocess.run([sys.executable, "-c", prefix + code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_timm_can_be_imported_and_torchvision_works() -> None:
    code = """
from curate.nets.torchvision_repair import import_timm, ensure_torchvision
timm = import_timm()
print(ensure_torchvision())
import torch, torchvision
boxes = torch.tensor([[0, 0, 10, 10.], [1, 1, 10, 10], [20, 20, 30, 30]])
print(torchvision.ops.nms(boxes, torch.tensor([.5, .9, .3]), .5).tolist())
print(timm.create_model("resnet18", num_classes=2).num_classes)
"""
    assert run(code).split("\n")[:3] == ["False", "[1, 2]", "2"]


def test_a_torchvision_that_loads_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text("loads = True\n")
    code = """
from curate.nets.torchvision_repair import ensure_torchvision
print(ensure_torchvision())
import torch, torchvision
print(torchvision.loads, hasattr(torch.ops.torchvision, "nms"))
"""
    assert run(code, tmp_path).split("\n")[:2] == ["False", "True False"]


@pytest.mark.parametrize("error", ["RuntimeError('operator other::nms does not exist')", "ImportError('no libjpeg')"])
def test_other_errors_are_not_hidden(tmp_path: Path, error: str) -> None:
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(f"raise {error}\n")
    code = """
from curate.nets.torchvision_repair import ensure_torchvision
try:
    ensure_torchvision()
except Exception as error:
    print(type(error).__name__)
"""
    assert run(code, tmp_path).strip() == error.partition("(")[0]


def iou(a: np.ndarray, b: np.ndarray) -> float:
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(w, 0) * max(h, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union


box = st.tuples(*[st.integers(0, 20)] * 2, *[st.integers(1, 15)] * 2).map(
    lambda t: (t[0], t[1], t[0] + t[2], t[1] + t[3])
)


@settings(max_examples=60, deadline=None)
@given(st.lists(box, min_size=0, max_size=12), st.sampled_from([0.3, 0.5, 0.7]), st.data())
def test_nms_keeps_a_set_that_is_apart_and_covers_the_rest(boxes: list, threshold: float, data) -> None:
    ranks = st.integers(0, 8)
    scores = [value / 8 for value in data.draw(st.lists(ranks, min_size=len(boxes), max_size=len(boxes)))]
    kept = greedy_nms(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), torch.tensor(scores), threshold).tolist()
    table = np.array(boxes, float).reshape(-1, 4)
    assert [scores[i] for i in kept] == sorted((scores[i] for i in kept), reverse=True)
    for position, i in enumerate(kept):
        assert all(iou(table[i], table[j]) <= threshold + 1e-6 for j in kept[position + 1 :])
    for i in set(range(len(boxes))) - set(kept):
        assert any(scores[k] >= scores[i] and iou(table[i], table[k]) > threshold - 1e-6 for k in kept)
