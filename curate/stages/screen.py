"""A look at a whole video before it is sampled: does it show surgery at all?"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.config import ScreenOptions
from curate.files.clock import clock
from curate.nets.device import wants_gpu
from curate.nets.weights.registry import LEMON_HUB, Kind, ModelFiles, resolve_model
from curate.records import Done, Dropped, Failed, Outcome, Reason, Video
from curate.stage import Files, Resources, Stage

if TYPE_CHECKING:
    from curate.nets.classifier import Classifier

JPEG_QUALITY = {"frames": 90, "lemon": 100}
"""Of the storyboard pictures; LEMON's own has 100."""


class ScreenStage(Stage[ScreenOptions]):
    """Drops videos that do not show surgery, by a few frames; leaves a storyboard of each to look at."""

    name = "screen"
    folder = "storyboards"
    version = 2
    inputs = ("download",)

    _classifier: Classifier | None = None

    @property
    def enabled(self) -> bool:
        """Off unless a method is chosen."""
        return self.options.method != "none"

    @property
    def resources(self) -> Resources:
        """A GPU where a CUDA device is asked for, or there."""
        return Resources.of_network(wants_gpu(self.options.device), self.options.device)

    def fingerprint_extra(self) -> dict[str, Any]:
        """The weights' SHA-256, the preprocessing and the operating point.

        Raises:
            CurateError: The model is not there.
        """
        config = self._files.config
        return {"model": config.fingerprint(), "threshold": config.threshold}

    def setup(self) -> None:
        """Load the network.

        Raises:
            CurateError: The model or the device is not there, or the weights are damaged.
        """
        from curate.nets.classifier import load_classifier

        self._classifier = load_classifier(self._model, kind=self._kind, device=self.options.device)

    def process(self, video: Video, files: Files) -> Outcome:
        """Screen one video and write ``storyboards/{id}.jpg``."""
        from curate.media.probe import MediaError

        path = files.temporary(".jpg")
        try:
            if self.options.method == "lemon":
                return self._by_storyboard(files.inputs["download"], path)
            return self._by_frames(files, path)
        except MediaError as error:
            return Failed(error.reason, error.detail)

    def close(self) -> None:
        """Let the network go."""
        self._classifier = None

    @property
    def _kind(self) -> Kind:
        return "storyboard" if self.options.method == "lemon" else "frame"

    @property
    def _model(self) -> str:
        return LEMON_HUB if self._kind == "storyboard" and self.options.model == "default" else self.options.model

    @cached_property
    def _files(self) -> ModelFiles:
        return resolve_model(self._model, self._kind)

    def _by_frames(self, files: Files, path: Path) -> Outcome:
        """Our form: the share of surgical frames among those spread over the video."""
        import numpy as np

        from curate.media.decode import Sampler
        from curate.media.select import Spread
        from curate.vision.storyboard import collage, tile

        assert self._classifier is not None, "setup() loads the network"
        prepared, tiles, seconds = [], [], []
        for frame in files.watched(Sampler(files.inputs["download"], Spread(self.options.count))):
            prepared.append(self._classifier.prepare(frame.image))
            tiles.append(tile(frame.image))
            seconds.append(frame.timestamp)
        if not tiles:
            return Failed(Reason.NO_FRAMES, "there is no frame to look at")
        size = self._classifier.batch_size
        batches = [np.stack(prepared[start : start + size]) for start in range(0, len(prepared), size)]
        scores = np.concatenate([self._classifier.predict_prepared(batch) for batch in batches])
        surgical = int((scores >= self._classifier.config.threshold).sum())
        captions = (f"{clock(second)}  p {p:.2f}" for second, p in zip(seconds, scores, strict=True))
        _write(path, collage(tiles, captions), JPEG_QUALITY["frames"])
        figures: dict[str, int | float] = {"frames_looked_at": len(tiles), "frames_surgical": surgical}
        if surgical < self.options.share * len(tiles):
            detail = f"{surgical} of {len(tiles)} frames are surgical, less than {self.options.share:.0%}"
            return Dropped(Reason.NOT_SURGICAL, detail, path, figures=figures)
        return Done(path, figures=figures)

    def _by_storyboard(self, video: Path, path: Path) -> Outcome:
        """LEMON's form: its collage, and the mean logits of its ensemble."""
        from curate.vision.storyboard import lemon_storyboard

        assert self._classifier is not None, "setup() loads the network"
        picture = lemon_storyboard(video)
        (p,) = self._classifier.predict([picture])
        _write(path, picture, JPEG_QUALITY["lemon"])
        if p < self._classifier.config.threshold:
            return Dropped(Reason.NOT_SURGICAL, f"the storyboard is uninformative: p = {p:.3f}", path)
        return Done(path)


def _write(path: Path, picture: Any, quality: int) -> None:
    from curate.media.jpeg import encode_jpeg

    path.write_bytes(encode_jpeg(picture, quality=quality))
