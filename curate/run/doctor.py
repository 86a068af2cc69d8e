"""Looks at a machine, and at a workspace, for what would make a long run fail."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from curate.acquire.estimate import Estimate
from curate.acquire.refusals import shipped_refusals
from curate.config import DownloadOptions
from curate.errors import CurateError
from curate.files.atomic import temporary_beside
from curate.files.machine import usable_cores
from curate.nets.onnx_session import CUDA
from curate.resources import labels_folder, models_folder

OLD_YT_DLP_DAYS = 90
"""Age at which yt-dlp itself warns that sites may have changed since."""

OLD_REFUSALS_DAYS = 365
"""Age at which sites have probably worded some of their refusals anew."""

OLD_COOKIES_DAYS = 14
"""Age at which exported YouTube cookies have often been rotated away by the browser they came from."""

COMPILED = ("av", "cv2", "lmdb", "numpy", "onnxruntime", "pandas", "pyarrow", "safetensors", "simplejpeg", "torch")
"""Modules with compiled parts, which can be installed and yet not load."""

State = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Check:
    """One line of the doctor.

    Attributes:
        name: What was looked at.
        state: ``error`` means that a run cannot work; ``warning`` that it may suffer.
        text: What was found.
        advice: What to do; empty when all is well.
    """

    name: str
    state: State
    text: str
    advice: str = ""

    def __str__(self) -> str:
        mark = {"ok": "ok     ", "warning": "warning", "error": "error  "}[self.state]
        return f"{mark}  {self.name}: {self.text}" + (f"; {self.advice}" if self.advice else "")


def check_machine(options: DownloadOptions) -> Iterator[Check]:
    """Everything that does not depend on a workspace."""
    yield check_python()
    yield check_packages()
    yield check_compiled()
    yield check_data_files()
    yield check_yt_dlp()
    yield check_refusals()
    yield check_javascript()
    yield Check("ffmpeg", "ok", "not needed: PyAV brings its own libraries, and streams are never merged")
    yield check_gpu()
    yield from check_cookies(options)


def check_python() -> Check:
    """The interpreter and the cores it may use."""
    text = f"{sys.version.split()[0]}, {usable_cores()} cores"
    return Check("python", "ok", text)


def check_packages() -> Check:
    """Whether every required distribution is installed."""
    try:
        needed = importlib.metadata.requires("curate") or []
    except importlib.metadata.PackageNotFoundError:
        return Check("packages", "error", "curate itself is not installed", "pip install . in the checkout")
    names = [re.split(r"[\s\[<>=!~;(]", line, maxsplit=1)[0] for line in needed if "extra ==" not in line]
    absent = [name for name in names if not _version(name)]
    if absent:
        return Check("packages", "error", f"missing {', '.join(absent)}", f"pip install {' '.join(absent)}")
    return Check("packages", "ok", f"all {len(names)} required packages are installed")


def check_compiled() -> Check:
    """Whether packages with compiled parts load."""
    broken = {}
    for name in COMPILED:
        try:
            importlib.import_module(name)
        except Exception as error:
            broken[name] = str(error).partition("\n")[0]
    if broken:
        text = "; ".join(f"{name} does not load ({why})" for name, why in broken.items())
        return Check("libraries", "error", text, "install them again: pip install --force-reinstall NAME")
    return Check("libraries", "ok", f"{', '.join(COMPILED)} load")


def check_data_files() -> Check:
    """Whether labels and weights were installed with the package."""
    absent = [str(path) for path in (labels_folder() / "procedures.toml", models_folder()) if not path.exists()]
    if absent:
        return Check("data files", "error", f"missing {', '.join(absent)}", "install curate again")
    return Check("data files", "ok", "labels and models are there")


def check_yt_dlp() -> Check:
    """Version and age of yt-dlp, and its solver for YouTube's JavaScript."""
    version = _version("yt-dlp")
    if not version:
        return Check("yt-dlp", "error", "not installed", "pip install 'curate[download]'")
    if not _version("yt-dlp-ejs"):
        return Check("yt-dlp", "warning", f"{version} without yt-dlp-ejs", "pip install 'yt-dlp[default]'")
    found = re.match(r"(\d{4})\.(\d{1,2})\.(\d{1,2})", version)
    if found:
        released = datetime(*map(int, found.groups()), tzinfo=UTC)  # type: ignore[misc,arg-type]
        days = (datetime.now(UTC) - released).days
        if days > OLD_YT_DLP_DAYS:
            return Check("yt-dlp", "warning", f"{version} is {days} days old", "pip install -U 'curate[download]'")
    return Check("yt-dlp", "ok", version)


def check_refusals(today: date | None = None) -> Check:
    """Age of the table of sentences in which sites refuse a video."""
    table = shipped_refusals()
    days = ((today or datetime.now(UTC).date()) - table.newest).days
    text = f"{len(table.wordings)} sentences in which sites refuse a video, the newest seen {table.newest}"
    if days > OLD_REFUSALS_DAYS:
        return Check("refusals", "warning", f"{text}, {days} days ago: reasons may be wrong", "install a newer curate")
    return Check("refusals", "ok", f"{text}, {max(days, 0)} days ago")


def check_javascript() -> Check:
    """Which JavaScript runtime yt-dlp finds, by its own search."""
    from curate.acquire.ytdlp import javascript_runtimes

    try:
        runtimes = javascript_runtimes()
    except ImportError as error:
        return Check("javascript", "error", f"yt-dlp does not load ({error})", "pip install 'curate[download]'")
    usable = [f"{r.name} {r.version}" for r in runtimes if r.supported]
    if usable:
        return Check("javascript", "ok", ", ".join(usable))
    old = ", ".join(f"{r.name} {r.version} is too old" for r in runtimes) or "no runtime found"
    return Check(
        "javascript",
        "warning",
        f"{old}; YouTube offers few formats or none",
        "pip install 'curate[download]' brings Deno; local files need none",
    )


def check_gpu() -> Check:
    """CUDA devices that torch sees, and whether ONNX Runtime, which runs the detectors, can use them."""
    try:
        import onnxruntime
        import torch
    except Exception as error:
        return Check("gpu", "error", f"torch or ONNX Runtime does not load ({error})", "install them again")
    if not torch.cuda.is_available():
        return Check("gpu", "ok", f"none visible to torch {torch.__version__}: networks run on the CPU")
    names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    text = f"{names} (torch {torch.__version__})"
    if CUDA not in onnxruntime.get_available_providers():
        told = f"{text}, but ONNX Runtime {onnxruntime.__version__} has no CUDA: mask and audit run on the CPU"
        return Check("gpu", "warning", told, "pip install onnxruntime-gpu")
    return Check("gpu", "ok", text)


def check_cookies(options: DownloadOptions) -> Iterator[Check]:
    """Format, age and rights of the cookies file, if one is set; its content is never shown."""
    if options.cookies is None:
        return
    from curate.acquire.cookies import read_cookies

    path = options.cookies.expanduser()
    try:
        read_cookies(path).close()
    except CurateError as error:
        yield Check("cookies", "error", str(error))
        return
    status = path.stat()
    days = (time.time() - status.st_mtime) / 86400
    if status.st_mode & 0o077:
        yield Check("cookies", "warning", f"others can read {path}", f"chmod 600 {path}")
    elif days > OLD_COOKIES_DAYS:
        yield Check("cookies", "warning", f"{path} is {days:.0f} days old", "export it again from a private window")
    else:
        yield Check("cookies", "ok", f"{path}, {days:.1f} days old")


def check_writable(folder: Path) -> Check:
    """Whether a file can be made in a folder, or in the nearest one above it that exists."""
    place = _existing(folder)
    try:
        temporary_beside(place / "curate-doctor").unlink()
    except OSError as error:
        return Check(
            "workspace", "error", f"{place} cannot be written: {error.strerror}", "name another folder with -w"
        )
    return Check("workspace", "ok", f"{folder} can be written")


def check_disk(folder: Path, cost: Estimate | None, options: DownloadOptions) -> Check:
    """Free space against the floor and against what is still to be downloaded."""
    free, floor = shutil.disk_usage(_existing(folder)).free, options.free_space * 1e9
    have = f"{free / 1e9:.1f} GB free"
    if free < floor:
        return Check("disk", "error", f"{have}, downloads stop below {floor / 1e9:g} GB", "free space")
    if cost is None or not cost.videos:
        return Check("disk", "ok", have)
    if free - floor < cost.bytes:
        return Check(
            "disk", "warning", f"{have}; to download: {cost}", "free space, lower --max-height, or expect it to stop"
        )
    return Check("disk", "ok", f"{have}; to download: {cost}")


def _existing(folder: Path) -> Path:
    place = Path(os.path.abspath(folder))
    while not place.exists():
        place = place.parent
    return place


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
