"""A vector for each sampled frame, by which corpora are searched for neighbours and duplicates.

Every sampled frame of a video that was not dropped is embedded, whatever its verdict, so that a change of the trim or
of people's decisions does not make the network run again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.config import EmbedOptions
from curate.errors import BadArtefact
from curate.nets.device import wants_gpu
from curate.nets.weights.backbones import BackboneFile, resolve_backbone
from curate.records import Done, Failed, Outcome, Reason, Video
from curate.stage import Files, Resources, Stage
from curate.workspace.tables.embeddings import EmbeddingModel, EmbeddingWriter
from curate.workspace.tables.frames import read_frames

if TYPE_CHECKING:
    from curate.nets.embedder import Embedder, Vectors


_EARLY = 0.05
"""Share of the spacing by which a frame may come before its time."""


class EmbedStage(Stage[EmbedOptions]):
    """The embedding of one video."""

    name = "embed"
    folder = "embeddings"
    inputs = ("sample",)

    _embedder: Embedder | None = None

    @property
    def enabled(self) -> bool:
        """Not for ``none``."""
        return self.options.model != "none"

    @property
    def resources(self) -> Resources:
        """A GPU where a CUDA device is asked for, or there."""
        return Resources.of_network(wants_gpu(self.options.device), self.options.device)

    def fingerprint_extra(self) -> dict[str, Any]:
        """The weights' SHA-256, wherever they lie, and what a config beside them says.

        Raises:
            CurateError: The model is not there.
        """
        return {"model": self._identity}

    @cached_property
    def _identity(self) -> dict[str, Any]:
        files = resolve_backbone(self.options.model, self.options.architecture)
        if isinstance(files, BackboneFile):
            told = {"architecture": files.architecture, "arguments": dict(files.arguments), "side": files.side}
            return {"sha256": files.sha256, **told}
        kept = ("architecture", "arguments", "branches", "width", "height", "interpolation", "crop_mode", "crop_pct")
        fingerprint = files.config.fingerprint()
        return {key: fingerprint[key] for key in (*kept, "mean", "std", "sha256")}

    def setup(self) -> None:
        """Load the network.

        Raises:
            CurateError: The model or the device is not there, or the weights are damaged or do not fill the backbone.
        """
        from curate.nets.embedder import load_embedder

        options = self.options
        self._embedder = load_embedder(
            options.model,
            architecture=options.architecture,
            side=options.side,
            device=options.device,
            batch_size=options.batch_size,
        )

    def process(self, video: Video, files: Files) -> Outcome:
        """Write ``embeddings/{id}.parquet``, one row a frame."""
        path = files.temporary(".parquet")
        try:
            frames = self._write(files, path)
        except BadArtefact as error:
            return Failed(Reason.BAD_ARTEFACT, str(error), retryable=True)
        return Done(path, figures={"frames": frames})

    def close(self) -> None:
        """Let the network go."""
        self._embedder = None

    def _write(self, files: Files, path: Path) -> int:
        """Embed the frames; returns how many."""
        import numpy as np

        assert self._embedder is not None, "setup() loads the network"
        made, frames = self._embedder, files.inputs["sample"]
        seen = made.input
        model = EmbeddingModel(made.name, made.sha256, made.architecture, seen.width, seen.height)
        numbers: list[int] = []
        times: list[float] = []
        writer: EmbeddingWriter | None = None
        done = 0
        with ExitStack() as stack:
            for vectors in files.watched(self._vectors(frames, numbers, times)):
                if writer is None:
                    made_for = EmbeddingWriter(path, vectors.shape[1], model, self.options.spacing)
                    writer = stack.enter_context(made_for)
                end = done + len(vectors)
                writer.add(np.array(numbers[done:end], np.int32), np.array(times[done:end], np.float64), vectors)
                done = end
        if not done:
            raise BadArtefact(frames, "it holds no frame; sample the video again")
        return done

    def _vectors(self, frames: Path, numbers: list[int], times: list[float]) -> Iterator[Vectors]:
        """Vectors batch by batch; numbers and times of the frames are added to the lists.

        Pictures are read a row group at a time, so memory does not grow with the video but by a few bytes a frame.
        """
        assert self._embedder is not None

        def pictures() -> Iterator[bytes]:
            spacing, before = self.options.spacing, -1
            for frame in read_frames(frames):
                # Frames come up to their own length before their time: a little earlier is in time.
                slot = math.floor(frame.timestamp / spacing + _EARLY) if spacing else frame.n
                if slot > before:
                    before = slot
                    numbers.append(frame.n)
                    times.append(frame.timestamp)
                    yield frame.jpeg

        done = 0
        try:
            for vectors in self._embedder.stream(pictures()):
                done += len(vectors)
                yield vectors
        except ValueError as error:
            last = numbers[min(done + self._embedder.batch_size, len(numbers)) - 1]
            among = f"n = {numbers[done]} to {last}"
            raise BadArtefact(frames, f"a picture of frames {among} cannot be embedded: {error}") from error
