from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from curate.config import DownloadOptions
from curate.records import Done, Outcome, Video
from curate.stage import Files
from curate.stages.download import DownloadStage
from tests.acquire.server import Server

sys.path.append(str(Path(__file__).parent / "plugins"))  # where yt-dlp looks for extractors of its own kind

QUICK: dict[str, Any] = {
    "sleep_interval": 0.0,
    "max_sleep_interval": 0.0,
    "sleep_interval_requests": 0.0,
    "backoff": 0.0,
    "retries": 2,
    "fragment_retries": 1,
    "socket_timeout": 0.5,
    "free_space": 0.0,
    "local_addresses": ("127.0.0.0/8", "::1"),
}
"""Options of the tests: no pauses, few repeats, servers on loopback."""


@pytest.fixture(autouse=True)
def servers_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands ask for the tests' servers the way a user does who has one at hand."""
    monkeypatch.setenv("CURATE_DOWNLOAD_LOCAL_ADDRESSES", ",".join(QUICK["local_addresses"]))


def encode(
    path: Path,
    *,
    seconds: int,
    size: tuple[int, int] = (320, 240),
    options: dict[str, str] | None = None,
    format: str | None = None,
) -> None:
    """Write a real H.264 video at 10 fps, of noise, so that it has some size."""
    width, height = size
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", format=format, options=options or {}) as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for _ in range(seconds * 10):
            image = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        container.mux(stream.encode())


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An mp4 of 6 s whose index comes first, as streaming sites send it."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    encode(path, seconds=6, options={"movflags": "faststart"})
    return path.read_bytes()


@pytest.fixture(scope="session")
def stream(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """An HLS stream of 6 s in pieces of one second: path on the server to bytes."""
    folder = tmp_path_factory.mktemp("hls")
    options = {"hls_time": "1", "hls_list_size": "0", "hls_playlist_type": "vod"}
    encode(folder / "talk.m3u8", seconds=6, format="hls", options=options)
    return {f"/{path.name}": path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def server(clip: bytes) -> Iterator[Server]:
    with Server(files={"/clip.mp4": clip}) as running:
        yield running


class Bench:
    """A download stage with a workspace folder; commits what is done, as the runner does."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.stage = DownloadStage(DownloadOptions(**{**QUICK, **options}))
        self._ids = (f"video{n}" for n in itertools.count())

    def get(self, source: str, id: str | None = None, **fields: Any) -> Outcome:
        id = id or next(self._ids)
        files = Files({}, self.folder, id)
        outcome = self.stage.process(Video(id, source, **fields), files)
        if isinstance(outcome, Done):
            assert outcome.artefact is not None
            for path in (outcome.artefact, *outcome.sidecars):
                path.rename(files.final(path))
        return outcome


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    folder = tmp_path / "videos"
    folder.mkdir()
    bench = Bench(folder)
    yield bench
    bench.stage.close()
