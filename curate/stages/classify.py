"""How surely each sampled frame shows surgery."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.config import ClassifyOptions
from curate.errors import BadArtefact
from curate.nets.device import wants_gpu
from curate.nets.weights.registry import ModelFiles, resolve_model
from curate.records import Done, Failed, Outcome, Reason, Video
from curate.stage import Files, Resources, Stage
from curate.workspace.tables.frames import read_frames
from curate.workspace.tables.scores import Scores, write_scores

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from curate.nets.classifier import Classifier


class ClassifyStage(Stage[ClassifyOptions]):
    """Probability of surgery for every sampled frame of one video."""

    name = "classify"
    folder = "scores"
    inputs = ("sample",)
    version = 3

    _classifier: Classifier | None = None

    @property
    def resources(self) -> Resources:
        """A GPU where a CUDA device is asked for, or there."""
        return Resources.of_network(wants_gpu(self.options.device), self.options.device)

    def fingerprint_extra(self) -> dict[str, Any]:
        """The weights' SHA-256 and the preprocessing, wherever they lie.

        Raises:
            CurateError: The model is not there.
        """
        return {"model": self._files.config.fingerprint()}

    def setup(self) -> None:
        """Load the network.

        Raises:
            CurateError: The model or the device is not there, or the weights are damaged.
        """
        from curate.nets.classifier import load_classifier

        self._classifier = load_classifier(
            self.options.model, device=self.options.device, batch_size=self.options.batch_size
        )

    def process(self, video: Video, files: Files) -> Outcome:
        """Score the frames of one video."""
        path = files.temporary(".parquet")
        try:
            figures = self._write(files, path)
        except BadArtefact as error:
            return Failed(Reason.BAD_ARTEFACT, str(error), retryable=True)
        return Done(path, figures=figures)

    def close(self) -> None:
        """Let the network go."""
        self._classifier = None

    @cached_property
    def _files(self) -> ModelFiles:
        return resolve_model(self.options.model)

    def _write(self, files: Files, path: Path) -> dict[str, int | float]:
        import numpy as np

        config = self._files.config
        numbers: list[int] = []
        timestamps: list[float] = []
        changes: list[float] = []
        frames = files.inputs["sample"]
        parts = list(files.watched(self._scored(frames, numbers, timestamps, changes)))
        if not parts:
            raise BadArtefact(frames, "it holds no frame; sample the video again")
        p = np.concatenate(parts)
        scores = Scores(
            n=np.array(numbers, np.int32),
            timestamps=np.array(timestamps, np.float64),
            p_surgical=p,
            changes=np.array(changes, np.float32),
            model=config.name,
            sha256=" ".join(part.sha256 for part in config.weights),
            threshold=config.threshold,
            band=config.uncertain,
        )
        write_scores(path, scores)
        surgical = int((p >= config.threshold).sum())
        uncertain = int(((p >= config.uncertain[0]) & (p < config.uncertain[1])).sum())
        return {
            "frames": len(p),
            "surgical": surgical,
            "non_surgical": len(p) - surgical,
            "uncertain": uncertain,
        }

    def _scored(
        self, frames: Path, numbers: list[int], timestamps: list[float], changes: list[float]
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Probabilities batch by batch; numbers, timestamps and changes of the frames are added to the lists.

        Pictures are read a row group at a time, so memory does not grow with the video.
        """
        from curate.vision.colour_change import change, colours

        assert self._classifier is not None, "setup() loads the network"

        def pictures() -> Iterator[bytes]:
            for frame in read_frames(frames):
                numbers.append(frame.n)
                timestamps.append(frame.timestamp)
                yield frame.jpeg

        scored = 0
        try:
            before = None
            for scores, shown in self._classifier.stream_seen(pictures(), colours):
                scored += len(scores)
                for after in shown:
                    changes.append(0.0 if before is None else change(before, after))
                    before = after
                yield scores
        except ValueError as error:
            last = numbers[min(scored + self._classifier.batch_size, len(numbers)) - 1]
            among = f"n = {numbers[scored]} to {last}"
            raise BadArtefact(frames, f"a picture of frames {among} cannot be decoded: {error}") from error
