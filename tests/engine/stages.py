"""Small real stages for the engine's tests; worker processes import them from here."""

from __future__ import annotations

import errno
import os
import resource
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from curate.config import option
from curate.errors import CurateError, StageHalted
from curate.files.parquet import open_parquet, write_table
from curate.records import Done, Dropped, Outcome, Reason, Video
from curate.stage import Files, Resources, Stage


@dataclass(frozen=True)
class Nothing:
    trace: str = option("", "Folder in which every try leaves a file.")


class Behave(Stage[Nothing]):
    """Does what the video's title says."""

    name: ClassVar[str] = "behave"
    folder: ClassVar[str] = "behaved"

    def process(self, video: Video, files: Files) -> Outcome:
        if self.options.trace:
            (Path(self.options.trace) / f"{video.id}-{os.getpid()}-{time.monotonic_ns()}").touch()
        match video.title:
            case "abort":
                os.abort()
            case "hang":
                time.sleep(600)
            case "slow":
                time.sleep(0.5)
            case "long":  # longer than any silence that the tests allow, but never silent
                for _ in files.watched(range(50)):
                    time.sleep(0.1)
            case "memory":
                hoard = [bytearray(os.urandom(1 << 20) * 8) for _ in range(200)]
                time.sleep(600)
                del hoard
            case "raise":
                raise ValueError("a hidden fault")
            case "drop":
                return Dropped(Reason.NOT_SURGICAL, "a decision")
            case "halt":
                raise StageHalted("wrong for every video")
            case "disk":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            case "mend":
                raise CurateError("the user can mend this")
            case "library":
                raise ImportError("libcuda.so.1: cannot open shared object file")
            case "threads":
                threading.stack_size(1 << 46)  # more than there is
                threading.Thread(target=int).start()
            case "files":
                target = files.temporary(".parquet")
                write_table(target, pa.table({"n": [1]}))
                _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
                resource.setrlimit(resource.RLIMIT_NOFILE, (3, most))  # fewer than are open
                with open_parquet(target):
                    pass
            case "cuda":
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
            case "cuda once" if not (marker := files.folder / f"{video.id}.met").exists():
                marker.touch()
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        target = files.temporary(".txt")
        target.write_text(f"{video.id}\n")
        return Done(target, figures={"lines": 1})


class After(Stage[Nothing]):
    """Copies what `Behave` wrote."""

    name: ClassVar[str] = "after"
    folder: ClassVar[str] = "after"
    inputs: ClassVar[tuple[str, ...]] = ("behave",)

    def process(self, video: Video, files: Files) -> Outcome:
        target = files.temporary(".txt")
        target.write_text(files.inputs["behave"].read_text() * 2)
        return Done(target)


class SlowAfter(After):
    """Takes its time."""

    def process(self, video: Video, files: Files) -> Outcome:
        time.sleep(0.2)
        return super().process(video, files)


class NoSetup(Behave):
    """Cannot be set up."""

    def setup(self) -> None:
        raise CurateError("weights are missing: pull them")


class Unready(Behave):
    """Meets something unforeseen while it is set up."""

    def setup(self) -> None:
        raise ValueError("the weights are not what they were")


class DiesInSetup(Behave):
    """Takes its worker down while it is set up."""

    def setup(self) -> None:
        os.abort()


class Fetch(Behave):
    """In the paced lane."""

    @property
    def resources(self) -> Resources:
        return Resources(paced=True)
