"""The download stage: local files are linked, URLs are fetched with yt-dlp at a modest pace."""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import random
import re
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from curate.acquire.arrival import Digests, NotDecodable, Probe, digests, probe
from curate.acquire.breaker import Breaker
from curate.acquire.ytdlp import Downloader, FetchError, Found, is_youtube, usable_runtimes, version
from curate.config import DownloadOptions
from curate.errors import StageHalted
from curate.files.urls import redact_url
from curate.manifests.resolved import Listing
from curate.records import Done, Dropped, Failed, Outcome, Reason, Video
from curate.stage import Files, Resources, Stage
from curate.workspace.retry_policy import POLICIES, is_retryable

log = logging.getLogger(__name__)

DURATION_TOLERANCE = 0.02
"""Share of the stated duration by which a finished file may be off."""

DURATION_SLACK = 1.0
"""Seconds it may always be off: sites state whole seconds."""

HEIGHT_TOLERANCE = 0.05
"""Share of the stated height by which a finished file may be lower: stated heights include padding."""

PAUSES = {Reason.RATE_LIMITED: 1.0, Reason.NETWORK: 1 / 6}
"""Reasons that time mends, with the share of the ``pause`` option to wait: YouTube's limit lasts up to an hour."""

MAX_PAUSES = 24
"""Pauses in a row, without one video arriving, before the stage stops."""

EXTENSIONS = frozenset({"mp4", "m4v", "mov", "webm", "mkv", "avi", "flv", "wmv", "mpg", "mpeg", "ts", "3gp", "ogv"})
"""Extensions kept as they are; other files are named after their container."""


class DownloadStage(Stage[DownloadOptions]):
    """Brings every video into the workspace, with a JSON of what the source says about it."""

    name = "download"
    folder = "videos"
    resumes = True

    def __init__(self, options: DownloadOptions) -> None:
        super().__init__(options)
        self._downloader: Downloader | None = None
        self._breaker = Breaker(options.breaker, options.trouble_breaker)
        self._pauses = 0
        self._last_visit: dict[str, float] = {}
        self._listings: dict[Path, Listing] = {}

    @property
    def resources(self) -> Resources:
        """The single paced lane."""
        return Resources(paced=True)

    def process(self, video: Video, files: Files) -> Outcome:
        """Link a local file, or fetch a URL and look into what arrived.

        Raises:
            StageHalted: The disk is nearly full, or the site turns this session away.
            CurateError: Cookies or further options of yt-dlp are wrong.
        """
        if video.is_local:
            return self._link(video, files)
        return self._fetch(video, files)

    def close(self) -> None:
        """Close the connections."""
        if self._downloader is not None:
            self._downloader.close()

    def _link(self, video: Video, files: Files) -> Outcome:
        source = Path(video.source)
        try:
            if source.is_dir():
                return _failed(Reason.NOT_A_VIDEO, f"{source} is a folder")
            if source.exists() and not source.is_file():
                return _failed(Reason.NOT_A_VIDEO, f"{source} is a pipe, a device or a socket")
            sums = digests(source, files.progress)
        except OSError as error:
            return _failed(Reason.FILE_MISSING, f"{source}: {error.strerror}")
        except ValueError as error:
            return _failed(Reason.FILE_MISSING, f"{video.source!r} is no path: {error}")
        if not sums.bytes:
            return _failed(Reason.EMPTY_FILE, f"{source} has no bytes")
        link = files.temporary(f".{_extension(source.suffix[1:], None)}")
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.abspath(source))
        sidecar = _write_json(files, _described(video, sums, None))
        return Done(link, (sidecar,), {"bytes": sums.bytes}, sha256=sums.sha256)

    def _fetch(self, video: Video, files: Files) -> Outcome:
        while True:
            self._check_space(files.folder, 0)
            self._keep_pace(video.source, files)
            try:
                done = self._download(video, files)
            except FetchError as error:
                if error.reason is Reason.NO_FORMAT and is_youtube(video.source):
                    self._check_runtime(error)
                if not self._breaker.failed(error.reason):
                    return _failed(error.reason, error.text)
                self._pause_or_halt(video, error, files)
            else:
                self._breaker.succeeded()
                self._pauses = 0
                return done
            finally:
                self._last_visit[_host(video.source)] = time.monotonic()

    def _download(self, video: Video, files: Files) -> Done | Dropped:
        """Fetch one video; a refused file is asked for once more with fresh addresses."""
        downloader = self._session(video.source)
        found = downloader.find(video.source)
        listing = self._listing(files.folder.parent)
        if (dropped := listing.decide(video, found.info)) is not None:
            return dropped
        try:
            path = self._fetch_format(downloader, found, files)
        except FetchError as error:
            if error.reason is not Reason.FORBIDDEN:
                raise
            log.info("video %s: %s; asking for it again", video.id, error.text)
            found = downloader.find(video.source)
            path = self._fetch_format(downloader, found, files)
        done = self._accept(video, found, path, files)
        listing.note(video, found.info)
        return done

    def _listing(self, workspace: Path) -> Listing:
        """What the workspace lists and excludes, read once a worker."""
        if workspace not in self._listings:
            self._listings[workspace] = Listing.of_workspace(workspace)
        return self._listings[workspace]

    def _session(self, url: str) -> Downloader:
        if self._downloader is None:
            self._downloader = Downloader(self.options)
            if is_youtube(url):
                _report_runtimes()
        return self._downloader

    def _fetch_format(self, downloader: Downloader, found: Found, files: Files) -> Path:
        height = found.height
        if height is not None and height < self.options.min_height:
            raise FetchError(Reason.LOW_RESOLUTION, f"the best format offered is {height} pixels high")
        self._check_space(files.folder, found.bytes or 0)
        target = files.adopt(f".{found.format_key}.{found.extension}")
        downloader.fetch(found, target, files.progress)
        return target

    def _accept(self, video: Video, found: Found, path: Path, files: Files) -> Done:
        """Check a finished file; one that is not what was promised is removed, so that the next try starts anew.

        Raises:
            FetchError: It is too short, too low, or does not decode.
        """
        try:
            probed = probe(path)
            self._check_promises(found, probed)
        except NotDecodable as error:
            path.unlink()
            raise FetchError(error.reason, f"the file that arrived cannot be used: {error}") from error
        except FetchError:
            path.unlink()
            raise
        sums = digests(path, files.progress)
        final = files.temporary(f".{_extension(found.extension, probed)}")
        path.rename(final)
        described = _described(video, sums, probed) | found.metadata()
        described |= {"yt_dlp": version(), "downloaded": datetime.now(UTC).isoformat(timespec="seconds")}
        figures: dict[str, int | float] = {"bytes": sums.bytes}
        if probed.duration is not None:
            figures["seconds"] = round(probed.duration, 3)
        return Done(final, (_write_json(files, described),), figures, sha256=sums.sha256)

    def _check_promises(self, found: Found, probed: Probe) -> None:
        stated, actual = found.duration, probed.duration
        if actual is not None:
            allowed = max(DURATION_TOLERANCE * actual, DURATION_SLACK)
            if stated is not None and abs(stated - actual) > max(DURATION_TOLERANCE * stated, DURATION_SLACK):
                raise FetchError(Reason.INCOMPLETE, f"{actual:.1f} s arrived, the site states {stated:.1f} s")
            if probed.reach is not None and actual - probed.reach > allowed:
                raise FetchError(Reason.INCOMPLETE, f"the file says {actual:.1f} s and ends after {probed.reach:.1f} s")
        wanted = max(self.options.min_height, (1 - HEIGHT_TOLERANCE) * (found.height or 0))
        if probed.height < wanted:
            raise FetchError(Reason.LOW_RESOLUTION, f"{probed.height} pixels high, {wanted:g} wanted")

    def _keep_pace(self, url: str, files: Files) -> None:
        """Sleep until the site may be asked again."""
        last = self._last_visit.get(_host(url))
        if last is None or _is_this_machine(url):
            return
        low, high = self.options.sleep_interval, self.options.max_sleep_interval
        wait = last + random.uniform(low, max(low, high)) - time.monotonic()
        if wait > 0:
            _sleep(wait, files)

    def _pause_or_halt(self, video: Video, error: FetchError, files: Files) -> None:
        """The breaker is open: sleep where time helps, stop for anything else.

        Raises:
            StageHalted: Waiting does not help, or has not helped.
        """
        pause = PAUSES.get(error.reason, 0.0) * self.options.pause
        if pause and self._pauses < MAX_PAUSES and not _is_this_machine(video.source):
            self._pauses += 1
            log.warning(
                "%s several times in a row (%s): pausing for %.0f minutes", error.reason, error.text, pause / 60
            )
            _sleep(pause, files)
            return
        raise StageHalted(
            f"{error.reason} several times in a row, last for {video.id}: {error.text}. The videos stay pending. "
            f"What helps: {POLICIES[error.reason].advice}; then run the same command again"
        )

    def _check_runtime(self, error: FetchError) -> None:
        """Without a JavaScript runtime every YouTube video ends like this, so the stage stops.

        Raises:
            StageHalted: No usable runtime is there.
        """
        if not usable_runtimes():
            raise StageHalted(
                f"{error.text}; no JavaScript runtime was found, without which YouTube offers no formats: "
                "pip install 'curate[download]', then run the same command again"
            )

    def _check_space(self, folder: Path, needed: int) -> None:
        free = shutil.disk_usage(folder).free
        floor = int(self.options.free_space * 1e9)
        if free - needed < floor:
            wanted = f" and the next video needs {needed / 1e9:.2f} GB" if needed else ""
            raise StageHalted(
                f"{free / 1e9:.2f} GB are free on the disk of {folder}{wanted}, {floor / 1e9:g} GB are to stay free: "
                "free space or lower --free-space, then run the same command again"
            )


def _sleep(seconds: float, files: Files) -> None:
    """Wait on purpose, which is not silence."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        files.progress()
        time.sleep(min(left, 1.0))


def _report_runtimes() -> None:
    """Say which JavaScript runtime YouTube's pages will be read with."""
    usable = usable_runtimes()
    if usable:
        log.info("JavaScript runtime: %s", ", ".join(f"{runtime.name} {runtime.version}" for runtime in usable))
    else:
        log.warning("no JavaScript runtime found: YouTube offers few formats; pip install 'curate[download]'")


def _failed(reason: Reason, text: str) -> Failed:
    return Failed(reason, text, retryable=is_retryable(reason))


def _extension(extension: str, probed: Probe | None) -> str:
    """A file extension from the source's, or from the container where that says nothing."""
    extension = extension.lower()
    if probed is not None and "mpegts" in probed.container:
        return "ts"
    if probed is None:
        return extension if re.fullmatch(r"[a-z0-9]{1,8}", extension) and extension != "json" else "video"
    if extension in EXTENSIONS:
        return extension
    return "mp4" if "mp4" in probed.container else "mkv" if "matroska" in probed.container else "video"


def _described(video: Video, sums: Digests, probed: Probe | None) -> dict[str, Any]:
    described: dict[str, Any] = {
        "id": video.id,
        "source": redact_url(video.source),
        "file": {"bytes": sums.bytes, "sha256": sums.sha256, "md5": sums.md5},
    }
    if probed is not None:
        described["file"] |= {
            "container": probed.container,
            "codec": probed.codec,
            "width": probed.width,
            "height": probed.height,
            "duration": probed.duration,
            "frame_rate": probed.frame_rate,
        }
    if video.md5:
        described["md5_as_published"] = video.md5.lower() == sums.md5
    return described


def _write_json(files: Files, data: dict[str, Any]) -> Path:
    """Write the sidecar; ASCII only, so that control characters of titles are escaped."""
    path = files.temporary(".json")
    path.write_text(json.dumps(data, indent=1, sort_keys=True, ensure_ascii=True) + "\n", encoding="ascii")
    return path


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _is_this_machine(url: str) -> bool:
    """Whether a URL leads back to this machine, which no pace protects."""
    host = _host(url)
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
