"""The stage contract: what a stage is, and the files it is handed.

A stage knows neither the engine that runs it, nor the command line, nor where state lives. It gets options, a video,
the paths of its inputs and a folder to write into; it answers with one of three outcomes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar

from curate.records import Outcome, Video

OptionsT = TypeVar("OptionsT")

Lane = Literal["download", "cpu", "gpu"]
"""Which kind of worker runs a stage: the single paced download lane, a CPU worker, or the worker of a GPU."""


@dataclass(frozen=True)
class Files:
    """The files of one (video, stage).

    Attributes:
        inputs: Artefact of each upstream stage named in `Stage.inputs`.
        folder: Existing folder for this stage's artefacts.
        stem: File stem of the video, equal to its id.
    """

    inputs: Mapping[str, Path]
    folder: Path
    stem: str

    def temporary(self, suffix: str) -> Path:
        """Path to write to; the same for every attempt, so that an interrupted download can resume."""
        return self.folder / f".{self.stem}.tmp{suffix}"

    def final(self, temporary: Path) -> Path:
        """Name under which a temporary file of this video is committed."""
        prefix = f".{self.stem}.tmp"
        if temporary.parent != self.folder or not temporary.name.startswith(prefix):
            raise ValueError(f"{temporary} is not a temporary file of {self.stem} in {self.folder}")
        return self.folder / (self.stem + temporary.name[len(prefix) :])


class Stage(ABC, Generic[OptionsT]):
    """One step of the pipeline. Subclasses set the class attributes and implement `process`.

    Life of an instance, all in one worker process: ``Stage(options)``, `setup` once, `process` for many videos,
    `close` once. Construction is cheap and imports nothing heavy: instances are also made only to ask for
    `fingerprint_extra` and `lane`.
    """

    name: ClassVar[str]
    """Command name, and key in the ledger."""
    folder: ClassVar[str]
    """Folder of the workspace that holds its artefacts."""
    inputs: ClassVar[tuple[str, ...]] = ()
    """Names of upstream stages whose artefacts it reads."""
    version: ClassVar[int] = 1
    """Raised when the stage's output changes for unchanged options; part of the fingerprint."""

    def __init__(self, options: OptionsT) -> None:
        self.options = options

    @property
    def enabled(self) -> bool:
        """Whether these options ask for the stage; one that is switched off is left out of the pipeline."""
        return True

    @property
    def lane(self) -> Lane:
        """Kind of worker this stage wants with these options."""
        return "cpu"

    def fingerprint_extra(self) -> dict[str, Any]:
        """Anything beside the options that determines the output: the sha256 of weights, say."""
        return {}

    def video_extra(self, video: Video) -> dict[str, Any]:
        """What determines the output for one video and not for others: what people decided about it, say.

        Raises:
            CurateError: It cannot be read.
        """
        return {}

    def setup(self) -> None:
        """Load what is needed for many videos: networks, sessions.

        Raises:
            CurateError: What is missing can be mended by the user; the run stops.
        """

    @abstractmethod
    def process(self, video: Video, files: Files) -> Outcome:
        """Do the work for one video.

        Expected trouble is an outcome, not an exception. An exception that escapes is recorded as ``Failed(error)``.

        Raises:
            StageHalted: Going on would be wrong for every video.
        """

    def close(self) -> None:
        """Release what `setup` took."""
