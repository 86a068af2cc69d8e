"""`FrameDataset`: an export of any format of pictures as a PyTorch dataset, and its frames as a stream for training."""

from curate.dataset.frames import COLUMNS, FrameDataset
from curate.dataset.neighbours import Neighbours
from curate.dataset.stream import FrameStream

__all__ = ["COLUMNS", "FrameDataset", "FrameStream", "Neighbours"]
