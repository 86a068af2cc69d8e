"""The stage contract: what a stage is, and the files it is handed.

A stage knows neither the engine that runs it, nor the command line, nor where state lives. It gets options, a video,
the paths of its inputs and a folder to write into; it answers with one of three outcomes.
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from curate.files.atomic import clear, is_planted
from curate.records import Outcome, Video, VideoDecisions

OptionsT = TypeVar("OptionsT")
ItemT = TypeVar("ItemT")

GIB = 1 << 30


@dataclass(frozen=True)
class Resources:
    """What one worker needs; engines turn it into processes.

    Attributes:
        cpus: Cores that it can keep busy.
        gpus: CUDA devices that it has to itself: 0 or 1.
        memory: Bytes of main memory that are normal for it at worst.
        paced: Whether it asks other people's servers: there is one such worker for all, so there is one pace.
        device: Number of the CUDA device that was asked for, as in ``cuda:1``; empty where any will do.
    """

    cpus: int = 1
    gpus: int = 0
    memory: int = GIB
    paced: bool = False
    device: str = ""

    @classmethod
    def of_network(cls, on_gpu: bool, device: str = "") -> Resources:
        """What a stage needs whose networks run on a GPU, with decoding beside them, or on a core.

        Args:
            on_gpu: Which of the two.
            device: As in the stage's options: ``auto``, ``cuda`` or ``cuda:N``.
        """
        if not on_gpu:
            return cls()
        number = device.partition(":")[2]
        return cls(cpus=4, gpus=1, memory=4 * GIB, device=number)


def _nobody_listens() -> None:
    pass


@dataclass(frozen=True)
class Files:
    """The files of one (video, stage).

    Attributes:
        inputs: Artefact of each upstream stage named in `Stage.inputs`.
        folder: Existing folder for this stage's artefacts.
        stem: File stem of the video, equal to its id.
        progress: Call it whenever the stage got on: a frame, a block of bytes. A worker that is silent for long is
            ended.
        attempt: Marks the temporary files of one attempt, which no other one ever writes to: what is being made (a
            part of the fingerprint), a ``-``, and what no other attempt has. No dots.
        decided: What people decided about the video in this workspace.
    """

    inputs: Mapping[str, Path]
    folder: Path
    stem: str
    progress: Callable[[], None] = field(default=_nobody_listens, compare=False)
    attempt: str = ""
    decided: VideoDecisions = field(default_factory=VideoDecisions)

    def watched(self, items: Iterable[ItemT]) -> Iterator[ItemT]:
        """The same items; each is a sign of progress."""
        for item in items:
            self.progress()
            yield item

    def temporary(self, suffix: str) -> Path:
        """Path to write to; the same for every call of this attempt, and no other attempt's.

        A link that stands there, which may lead anywhere, is taken away.
        """
        mark = f"-{self.attempt}" if self.attempt else ""
        path = self.folder / f".{self.stem}.tmp{mark}{suffix}"
        if is_planted(path):
            path.unlink()
        return path

    def final(self, temporary: Path) -> Path:
        """Name under which a temporary file of this video, whatever attempt made it, is committed."""
        name = _TEMPORARY.fullmatch(temporary.name)
        if temporary.parent != self.folder or name is None or name[1] != self.stem:
            raise ValueError(f"{temporary} is not a temporary file of {self.stem} in {self.folder}")
        return self.folder / (self.stem + (name[3] or ""))

    def adopt(self, suffix: str) -> Path:
        """Take over what an earlier attempt at the same thing left unfinished, so that a download can resume.

        Everything else that attempts at this video left is removed. Whoever makes an attempt holds the video
        (`curate.workspace.locks`), so that all earlier ones have ended.

        Args:
            suffix: As for `temporary`; files whose names go on after it with a dot belong to it.

        Returns:
            ``temporary(suffix)``.
        """
        found: dict[str, dict[Path, str]] = {}
        for path, owner, attempt, rest in temporaries(self.folder):
            if owner != self.stem:
                continue
            wanted = (rest == suffix or rest.startswith(f"{suffix}.")) and not is_planted(path)
            if attempt == self.attempt and wanted:
                continue
            same = not attempt or attempt.partition("-")[0] == self.attempt.partition("-")[0]
            if same and wanted and path.is_file():
                found.setdefault(attempt, {})[path] = rest
            else:
                clear(path)
        most = max(found, key=lambda attempt: sum(path.stat().st_size for path in found[attempt]), default="")
        for attempt, files in found.items():
            for path, rest in files.items():
                if attempt == most:
                    path.replace(self.temporary(rest))
                else:
                    path.unlink()
        return self.temporary(suffix)


_TEMPORARY = re.compile(r"\.([A-Za-z0-9_-]{1,64})\.tmp(?:-([A-Za-z0-9_-]*))?(\..*)?", re.DOTALL)


def temporaries(folder: Path) -> Iterator[tuple[Path, str, str, str]]:
    """The temporary files in the folder of a stage.

    Yields:
        Path, stem of the video, attempt (empty in workspaces of a version that did not tell them apart), suffix.
    """
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:  # of a folder with an artefact a video; only names are made of all of them
        hidden = sorted(entry.name for entry in entries if entry.name[0] == ".")
    for each in hidden:
        if name := _TEMPORARY.fullmatch(each):
            yield folder / each, name[1], name[2] or "", name[3] or ""


class Stage(ABC, Generic[OptionsT]):
    """One step of the pipeline. Subclasses set the class attributes and implement `process`.

    Life of an instance, all in one worker process: ``Stage(options)``, `setup` once, `process` for many videos,
    `close` once. Construction is cheap and imports nothing heavy: instances are also made only to ask for
    `fingerprint_extra` and `resources`.
    """

    name: ClassVar[str]
    """Command name, and key in the ledger."""
    folder: ClassVar[str]
    """Folder of the workspace that holds its artefacts."""
    inputs: ClassVar[tuple[str, ...]] = ()
    """Names of upstream stages whose artefacts it reads."""
    optional: ClassVar[tuple[str, ...]] = ()
    """Those of `inputs` that may be switched off; the stage then does without their artefacts."""
    resumes: ClassVar[bool] = False
    """Whether an attempt can go on with what an earlier one left unfinished (`Files.adopt`)."""
    version: ClassVar[int] = 1
    """Raised when the stage's output changes for unchanged options; part of the fingerprint."""

    def __init__(self, options: OptionsT) -> None:
        self.options = options

    @property
    def enabled(self) -> bool:
        """Whether these options ask for the stage; one that is switched off is left out of the pipeline."""
        return True

    @property
    def resources(self) -> Resources:
        """What one worker of this stage needs with these options."""
        return Resources()

    def fingerprint_extra(self) -> dict[str, Any]:
        """Anything beside the options that determines the output: the sha256 of weights, say."""
        return {}

    def video_extra(self, video: Video) -> dict[str, Any]:
        """What determines the output for one video and not for others: what people decided about it, say.

        Raises:
            CurateError: It cannot be read.
        """
        return {}

    def heeded(self, decided: VideoDecisions, undecided: str) -> list[Any]:
        """Of what people decided about a video in the workspace, what changes this stage's output; plain data.

        Args:
            decided: Their decisions.
            undecided: Fingerprint of the output without any.
        """
        return []

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
