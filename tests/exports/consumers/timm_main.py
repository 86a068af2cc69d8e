"""timm's trainer: huggingface/pytorch-image-models, ``train.py``, as it stands."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.exports.consumers.standing_in import start

start(Path(sys.argv[1]), sys.argv[2:])
