"""Verdicts and regions of images and videos without a workspace, by the stages' own code.

A video is sampled, classified and judged exactly as ``curate run`` does it, in a scratch folder that holds one video
at a time. Images are classified in batches.
"""

from __future__ import annotations

import heapq
import io
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curate.config import Config
from curate.errors import CurateError, why_of
from curate.manifests.folder import VIDEO_SUFFIXES
from curate.nets.detect.regions import RegionFinder
from curate.nets.device import available_threads
from curate.nets.preprocess import MAX_PIXELS, Image, decode
from curate.records import NON_SURGICAL, Done, Dropped, Outcome, Region, Video
from curate.stage import Files
from curate.stages.classify import ClassifyStage
from curate.stages.mask import decoded_frames
from curate.stages.sample import SampleStage
from curate.stages.trim import TrimStage, operating_point
from curate.verdicts.rules import judge
from curate.workspace.tables.verdicts import read_verdicts

if TYPE_CHECKING:
    from curate.nets.classifier import Classifier

_LOG = logging.getLogger(__name__)

JPEG_SUFFIXES = frozenset({".jpg", ".jpeg"})

IMAGE_SUFFIXES = JPEG_SUFFIXES | {".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}
"""File name endings (lower case) that mark an image."""


@dataclass(frozen=True)
class Prediction:
    """What is said of one image or sampled frame.

    Attributes:
        path: As the user gave it, or below the folder the user gave.
        timestamp: Seconds from the start of the video; ``None`` for an image.
        p_surgical: Calibrated probability of surgery, 0..1.
        verdict: ``surgical``, ``non-surgical`` or ``uncertain``.
        regions: What is not surgery, in pixels of the image, top to bottom.
    """

    path: str
    timestamp: float | None
    p_surgical: float
    verdict: str
    regions: Sequence[Region]


@dataclass(frozen=True)
class Broken:
    """A file of which nothing can be said, and why."""

    path: str
    why: str


class _Unreadable(Exception):
    """One input file cannot be used; the message says why."""


def input_files(inputs: Sequence[str]) -> list[str]:
    """Images and videos among files and folders.

    Args:
        inputs: Files, taken whatever they are called, and folders, searched to any depth for names with known endings;
            hidden files and folders are left out.

    Returns:
        Paths in the order given, those of a folder sorted by name, folder by folder.

    Raises:
        CurateError: A path does not exist, a folder cannot be listed, or there is nothing to predict.
    """
    found: list[str] = []
    for given in inputs:
        if Path(given).is_dir():
            found += _in_folder(given)
        elif Path(given).exists():
            found.append(given)
        else:
            raise CurateError(f"{given}: there is no such file or folder")
    if not found:
        known = ", ".join(sorted(IMAGE_SUFFIXES | VIDEO_SUFFIXES))
        raise CurateError(f"{', '.join(inputs)}: no image or video in there; known endings: {known}")
    return found


def _in_folder(root: str) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise CurateError(f"cannot list {error.filename}: {error.strerror}") from error

    for folder, subfolders, names in os.walk(root, onerror=refuse):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and _suffix(name) in IMAGE_SUFFIXES | VIDEO_SUFFIXES:
                yield f"{folder.rstrip(os.sep)}/{name}"


class Predictor:
    """The models that ``curate run`` would use with these options.

    Args:
        config: The tables ``sample``, ``classify``, ``trim`` and ``mask`` count.
        scratch: Existing folder for the sampled frames of the video in hand.
    """

    def __init__(self, config: Config, scratch: Path) -> None:
        self._config = config
        self._scratch = scratch

    def predict(self, paths: Iterable[str]) -> Iterator[Prediction | Broken]:
        """Say what is in each image and each sampled frame, in the order of the paths.

        Frames and images are looked at for regions whatever their verdict.

        Raises:
            CurateError: A model or the device is not there.
        """
        for is_image, group in groupby(paths, key=lambda path: _suffix(path) in IMAGE_SUFFIXES):
            if not is_image:
                yield from chain.from_iterable(map(self._video, group))
                continue
            while batch := list(islice(group, self._classifier.batch_size)):
                yield from self._images(batch)

    def _images(self, paths: Sequence[str]) -> Iterator[Prediction | Broken]:
        def prepare(path: str) -> Image | _Unreadable:
            try:
                return self._prepared(path)
            except _Unreadable as error:
                return error

        with ThreadPoolExecutor(available_threads()) as pool:
            prepared = list(pool.map(prepare, paths))
        usable = [image for image in prepared if not isinstance(image, _Unreadable)]
        scores: Iterator[np.float32] = iter(self._classifier.predict_prepared(np.stack(usable)) if usable else ())
        own = self._classifier.config
        threshold, band = operating_point(self._config.trim, own.threshold, own.uncertain)
        for path, image in zip(paths, prepared, strict=True):
            if isinstance(image, _Unreadable):
                yield Broken(path, str(image))
                continue
            p = next(scores)
            try:
                regions = self._regions_of_image(path)
            except _Unreadable as error:
                yield Broken(path, str(error))
                continue
            (verdict,) = judge(np.array([p], np.float64), threshold, band)
            yield Prediction(path, None, float(p), str(verdict), regions)

    def _prepared(self, path: str) -> Image:
        """An image at the size of the classifier's input; JPEGs go the way of sampled frames."""
        data = _read(path)
        try:
            return self._classifier.prepare(data if _suffix(path) in JPEG_SUFFIXES else decode_image(data))
        except ValueError as error:
            raise _Unreadable(str(error)) from error

    def _regions_of_image(self, path: str) -> list[Region]:
        if self._finder is None:
            return []
        data = _read(path)
        try:
            image = decode(data) if _suffix(path) in JPEG_SUFFIXES else decode_image(data)
        except ValueError as error:
            raise _Unreadable(str(error)) from error
        ((_, regions),) = self._finder.find([(0, image)])
        return regions

    def _video(self, path: str) -> Iterator[Prediction | Broken]:
        with tempfile.TemporaryDirectory(prefix=".curate-predict-", dir=self._scratch) as folder:
            try:
                frames, verdicts = self._judged(Path(path), Path(folder))
            except _Unreadable as error:
                yield Broken(path, str(error))
                return
            for row, regions in zip(read_verdicts(verdicts), self._regions_of_frames(frames, verdicts), strict=True):
                yield Prediction(path, row.timestamp, row.p_surgical, row.verdict, regions)

    def _judged(self, path: Path, folder: Path) -> tuple[Path, Path]:
        """Tables of the sampled frames and of their verdicts."""
        video = Video(id="video", source=str(path))
        frames = _artefact(self._sampler.process(video, _files(folder, "sample", download=path)))
        scores = _artefact(self._scorer.process(video, _files(folder, "classify", sample=frames)))
        judge_stage = TrimStage(replace(self._config.trim, min_run=0.0))
        return frames, _artefact(judge_stage.process(video, _files(folder, "trim", classify=scores)))

    def _regions_of_frames(self, frames: Path, verdicts: Path) -> Iterator[Sequence[Region]]:
        """Regions frame by frame.

        As in the mask stage, evidence over time is gathered from surgical and uncertain frames alone; the others are
        looked at apart.
        """
        judged = {row.n: row.verdict for row in read_verdicts(verdicts)}
        if self._finder is None:
            yield from ([] for _ in judged)
            return
        rejected = frozenset(n for n, verdict in judged.items() if verdict == NON_SURGICAL)
        found = (
            self._finder.find(decoded_frames(frames, wanted)) for wanted in (frozenset(judged) - rejected, rejected)
        )
        for _, regions in heapq.merge(*found, key=lambda numbered: numbered[0]):
            yield regions

    @cached_property
    def _classifier(self) -> Classifier:
        from curate.nets.classifier import load_classifier

        options = self._config.classify
        return load_classifier(options.model, device=options.device, batch_size=options.batch_size)

    @cached_property
    def _finder(self) -> RegionFinder | None:
        options = self._config.mask
        wanted = options.detector != "none" or options.overlays or options.yolo
        return RegionFinder(options) if wanted else None

    @cached_property
    def _sampler(self) -> SampleStage:
        stage = SampleStage(self._config.sample)
        stage.setup()
        return stage

    @cached_property
    def _scorer(self) -> ClassifyStage:
        stage = ClassifyStage(self._config.classify)
        stage.setup()
        return stage


def decode_image(data: bytes) -> Image:
    """Decode an image of any format OpenCV knows.

    Returns:
        uint8 RGB (H, W, 3); grey becomes RGB, 16 bits become 8, transparency is dropped.

    Raises:
        ValueError: Not an image, damaged, or more than `MAX_PIXELS` pixels.
    """
    import cv2
    import PIL.Image

    try:
        with PIL.Image.open(io.BytesIO(data)) as header:
            width, height = header.size
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise ValueError(f"not a readable image: {why_of(error)}") from error
    if width * height > MAX_PIXELS:
        raise ValueError(f"image of {width}x{height} pixels is larger than {MAX_PIXELS} pixels")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ValueError(f"not a readable image: {error}") from error
    if image is None:
        raise ValueError("the image is damaged")
    return np.ascontiguousarray(image[:, :, ::-1], dtype=np.uint8)


def _suffix(path: str) -> str:
    return Path(path).suffix.lower()


def _read(path: str) -> bytes:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise _Unreadable(str(error.strerror)) from error
    if not data:
        raise _Unreadable("the file is empty")
    return data


def _files(folder: Path, stage: str, **inputs: Path) -> Files:
    own = folder / stage
    own.mkdir()
    return Files(inputs, own, "video")


def _artefact(outcome: Outcome) -> Path:
    """The file a stage made; a video dropped for want of surgery has its verdicts too."""
    if isinstance(outcome, Done) and outcome.note:
        _LOG.warning("%s", outcome.note)
    if isinstance(outcome, Done | Dropped) and outcome.artefact is not None:
        return outcome.artefact
    assert not isinstance(outcome, Done), "the stages used here all make a file"
    raise _Unreadable(f"{outcome.reason}: {outcome.detail}")
