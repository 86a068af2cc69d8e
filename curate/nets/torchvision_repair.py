"""Import of timm beside a torchvision whose compiled part does not load.

torchvision's wheel on the package index is a CUDA build. Beside a CPU build of torch its shared library does not load,
the operators it would register are missing, and ``import torchvision`` fails while it describes them
(``torchvision/_meta_registrations.py``). timm and the torchvision detection models need only one of them,
non-maximum suppression, which is `curate.vision.boxes.suppress`.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from curate.vision.boxes import suppress

if TYPE_CHECKING:
    import torch

_MISSING = "operator torchvision::"
_library: torch.library.Library | None = None
"""Keeps the operators registered: torch forgets them when the object is collected."""


def import_timm() -> ModuleType:
    """Import timm, mending torchvision first where its operators are missing.

    Returns:
        The ``timm`` module.

    Raises:
        ImportError: timm or torchvision is missing or broken in another way.
    """
    ensure_torchvision()
    return importlib.import_module("timm")


def ensure_torchvision() -> bool:
    """Make ``import torchvision`` work, changing nothing where it already does.

    Returns:
        Whether a repair was needed.

    Raises:
        ImportError: torchvision is not installed.
        RuntimeError: It fails to import for another reason than missing operators.
    """
    global _library
    try:
        importlib.import_module("torchvision")
        return False
    except RuntimeError as error:
        if _MISSING not in str(error):
            raise
    if _library is None:
        _library = _register()
    for name in [n for n in sys.modules if n == "torchvision" or n.startswith("torchvision.")]:
        del sys.modules[name]
    importlib.import_module("torchvision")
    # torchvision.ops.nms asks first whether the compiled part was loaded; other operators still say they are missing.
    extension: Any = importlib.import_module("torchvision.extension")
    extension._has_ops = lambda: True
    return True


def greedy_nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Greedy non-maximum suppression.

    Args:
        boxes: float (N, 4), ``x1, y1, x2, y2`` with ``x1 <= x2`` and ``y1 <= y2``.
        scores: float (N,).
        iou_threshold: Boxes whose intersection over union with a kept, better box is greater are removed.

    Returns:
        int64 (K,), indices of the kept boxes, best first; ties in the order given.
    """
    import torch

    kept = suppress(boxes.cpu().numpy(), scores.cpu().numpy(), iou_threshold)
    return torch.as_tensor(kept, dtype=torch.int64, device=boxes.device)


def _register() -> torch.library.Library:
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.impl("nms", greedy_nms, "CompositeExplicitAutograd")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library
