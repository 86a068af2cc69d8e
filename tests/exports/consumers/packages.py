"""Readers that are packages, each by its own name: pictures of ``folders``, tars, Parquet; frames of ``clips``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.functional import pil_to_tensor, resize

from tests.exports.consumers.training import train

root, scratch, kind = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
folders = root / "folders" / "train"
clips = sorted((root / "clips" / "train").rglob("*.mp4"))


class Prepared(Dataset[Any]):
    """Pictures, or frames of clips as (H, W, 3), of a function, 64 pixels square."""

    def __init__(self, count: int, read: Callable[[int], Any]) -> None:
        self._count, self._read = count, read

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Any:
        picture = self._read(index)
        if isinstance(picture, np.ndarray):
            from PIL import Image

            picture = Image.fromarray(picture)
        return resize(pil_to_tensor(picture.convert("RGB")), [64, 64]) / 255


def torchvision() -> tuple[int, Callable[[int], Any]]:
    from torchvision.datasets import ImageFolder

    frames = ImageFolder(folders)
    return len(frames), lambda index: frames[index][0]


def lightly() -> tuple[int, Callable[[int], Any]]:
    from lightly.data import LightlyDataset

    frames = LightlyDataset(input_dir=str(folders))
    return len(frames), lambda index: frames[index][0]


def monai() -> tuple[int, Callable[[int], Any]]:
    from monai.data import Dataset as MonaiDataset
    from monai.transforms import LoadImaged

    files = [{"image": path} for path in sorted(folders.rglob("*.jpg"))]
    frames = MonaiDataset(files, LoadImaged("image", reader="PILReader", reverse_indexing=False, dtype=np.uint8))
    return len(frames), lambda index: np.ascontiguousarray(frames[index]["image"].numpy())


def datasets() -> tuple[int, Callable[[int], Any]]:
    from datasets import load_dataset

    frames = load_dataset(str(root / "parquet"), split="train", cache_dir=str(scratch / "cache"))
    return len(frames), lambda index: frames[index]["image"]


def webdataset() -> tuple[int, Callable[[int], Any]]:
    """In order: a tar is read from its beginning to its end."""
    import webdataset as wds

    tars = sorted(map(str, (root / "webdataset").glob("train-*.tar")))
    frames = wds.WebDataset(tars, shardshuffle=False).decode("pil")
    count = sum(1 for _ in frames)
    forever = (sample["jpg"] for _ in iter(int, 1) for sample in frames)
    return count, lambda index: next(forever)


def curate() -> tuple[int, Callable[[int], Any]]:
    from curate import FrameDataset

    frames = FrameDataset(root / "parquet")
    return len(frames), lambda index: frames[index]["image"]


def decord() -> tuple[int, Callable[[int], Any]]:
    import decord

    return len(clips), lambda index: decord.VideoReader(str(clips[index]), num_threads=1)[7].asnumpy()


def opencv() -> tuple[int, Callable[[int], Any]]:
    import cv2

    def read(index: int) -> np.ndarray:
        video = cv2.VideoCapture(str(clips[index]))
        assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 20
        video.set(cv2.CAP_PROP_POS_FRAMES, 7)
        picture = video.read()[1]
        video.release()
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)

    return len(clips), read


def torchcodec() -> tuple[int, Callable[[int], Any]]:
    from torchcodec.decoders import VideoDecoder

    def read(index: int) -> np.ndarray:
        video = VideoDecoder(str(clips[index]), dimension_order="NHWC", num_ffmpeg_threads=1)
        assert len(video) == 20
        return video[7].numpy()

    return len(clips), read


count, read = globals()[kind]()
shuffle = kind != "webdataset"
train(DataLoader(Prepared(count, read), batch_size=4, shuffle=shuffle), plain=(read(index) for index in range(count)))
