"""Whatever is skipped, the sampled frames are those that decoding everything gives, bit for bit."""

from __future__ import annotations

import gc
import os
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from curate.media.decode import Sampler
from curate.media.select import AtRate, AtTimes, EveryKth, FrameList, KeyFrames, Native, Selection, Spread
from tests.media.videos import decode_everything, encode, encode_apart, on_screen

ENCODERS = [name for name in ("libx264", "libx265", "libvpx-vp9") if name in av.codecs_available]
RATES = [25, 30, Fraction(30000, 1001), Fraction(24000, 1001), 60]


@st.composite
def streams(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of `encode` for a random stream."""
    codec = draw(st.sampled_from(ENCODERS))
    gop = draw(st.integers(1, 30))
    containers = ["webm", "mp4"] if codec == "libvpx-vp9" else ["mp4", "matroska", "mpegts"]
    options: dict[str, str] = {"g": str(gop)}
    if codec == "libx264":
        options["preset"] = draw(st.sampled_from(["ultrafast", "veryfast", "medium"]))
        options["x264-params"] = ":".join(
            [
                f"bframes={draw(st.integers(0, 5))}",
                f"b-pyramid={draw(st.sampled_from(['none', 'strict', 'normal']))}",
                f"open-gop={draw(st.integers(0, 1))}",
                f"scenecut={draw(st.sampled_from([0, 40]))}",
                f"ref={draw(st.integers(1, 5))}",
                f"weightp={draw(st.integers(0, 2))}",
                f"slices={draw(st.integers(1, 3))}",
                f"intra-refresh={draw(st.sampled_from([0, 0, 0, 1]))}",
                "b-adapt=0",
            ]
        )
    elif codec == "libx265":
        options["preset"] = draw(st.sampled_from(["ultrafast", "fast"]))
        bframes, pyramid, open_gop = (
            draw(st.integers(0, max(0, min(4, gop - 2)))),
            draw(st.integers(0, 1)),
            draw(st.integers(0, 1)),
        )
        options["x265-params"] = ":".join(
            [
                f"bframes={bframes}:b-pyramid={pyramid}:open-gop={open_gop}",
                f"radl={0 if open_gop or gop < 8 else draw(st.integers(0, bframes))}",
                f"temporal-layers={draw(st.sampled_from([1, 3])) if bframes > 2 and pyramid else 1}",
                "b-adapt=0:rc-lookahead=10:log-level=none:pools=none:frame-threads=1",
            ]
        )
    else:
        options |= {
            "cpu-used": "8",
            "deadline": draw(st.sampled_from(["realtime", "good"])),
            "auto-alt-ref": str(draw(st.integers(0, 1))),
            "lag-in-frames": str(draw(st.sampled_from([0, 16]))),
            "error-resilient": draw(st.sampled_from(["0", "default"])),
        }
    return {
        "codec": codec,
        "options": options,
        "container": draw(st.sampled_from(containers)),
        "frames": draw(st.integers(1, 70)),
        "rate": draw(st.sampled_from(RATES)),
        "size": (96, 64),
    }


def selections() -> st.SearchStrategy[Selection]:
    times = st.lists(st.floats(0, 3), min_size=1, max_size=5).map(tuple)
    numbers = st.lists(st.integers(0, 80), min_size=1, max_size=5).map(tuple)
    return st.one_of(
        st.sampled_from([0.3, 1.0, 2.0, 7.5, 29.97, 90.0]).map(AtRate),
        st.integers(1, 40).map(EveryKth),
        times.map(AtTimes),
        numbers.map(FrameList),
        st.integers(1, 6).map(Spread),
        st.just(KeyFrames()),
        st.just(Native()),
    )


def expected(
    frames: list[tuple[Fraction, bool, np.ndarray]], end: Fraction, selection: Selection
) -> list[tuple[int, int]]:
    """Sample number and frame index for a selection, worked out from all frames."""
    match selection:
        case AtRate(rate):
            due = [(n, Fraction(n) / Fraction(str(rate))) for n in range(int(end * Fraction(str(rate))) + 2)]
            return [(n, on_screen(frames, time)) for n, time in due if time < end]
        case EveryKth(k):
            return [(index // k, index) for index in range(0, len(frames), k)]
        case AtTimes(times):
            microsecond = Fraction(1, 10**6)
            due = sorted((Fraction(time) + microsecond, n) for n, time in enumerate(times))
            return [(n, on_screen(frames, time)) for time, n in due if time < end]
        case FrameList(numbers):
            return [(number, number) for number in sorted(set(numbers)) if number < len(frames)]
        case Spread(count):
            return [(part, on_screen(frames, end * (2 * part + 1) / (2 * count))) for part in range(count)]
        case KeyFrames():
            return list(enumerate(index for index, (_, key, _) in enumerate(frames) if key))
        case Native():
            return [(index, index) for index in range(len(frames))]


def encode_or_reject(path: Path, stream: dict[str, Any]) -> Path:
    """Encode a random stream; what the encoder or the muxer itself refuses is no example."""
    try:
        return encode(path, **stream)
    except av.error.FFmpegError:
        reject()


def check(path: Path, selection: Selection) -> Sampler:
    frames = decode_everything(path)
    sampler = Sampler(path, selection)
    sampled = list(sampler)
    wanted = expected(frames, Fraction(sampler.statistics.duration).limit_denominator(10**7), selection)
    assert [(sample.n, sample.source_index) for sample in sampled] == wanted
    for sample in sampled:
        start, key, image = frames[sample.source_index]
        assert sample.timestamp == float(start)
        assert sample.key_frame == key
        assert np.array_equal(sample.image, image), f"sample {sample.n}, frame {sample.source_index}"
    return sampler


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(streams(), selections())
def test_sampled_frames_equal_decode_everything(stream: dict[str, Any], selection: Selection) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = encode_or_reject(Path(folder) / "video", stream)
        sampler = check(path, selection)
        assert sampler.statistics.damaged == 0
        assert sampler.statistics.whole in (
            "",
            "timestamps jump between key frames",
            "the stream does not begin with a key frame",
        )


@pytest.fixture(scope="module", params=[("mp4", 30, 3), ("webm", 9, 2), ("mp4", 60, 4)], ids=str)
def av1(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    container, gop, levels = request.param
    return encode_apart(
        tmp_path_factory.mktemp("av1") / "video",
        codec="libsvtav1",
        container=container,
        frames=70,
        options={"preset": "12", "g": str(gop), "svtav1-params": f"hierarchical-levels={levels}"},
    )


@pytest.mark.parametrize("selection", [AtRate(1.0), AtRate(7.5), EveryKth(7), KeyFrames(), Native()], ids=str)
def test_av1_frames_equal_decode_everything(av1: Path, selection: Selection) -> None:
    sampler = check(av1, selection)
    assert sampler.statistics.whole == ""
    if selection == AtRate(1.0):
        assert sampler.statistics.sent < 0.7 * sampler.statistics.frames, "leaves of the pyramid and tails are skipped"


def resident_megabytes() -> float:
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_memory_is_flat_even_without_the_garbage_collector(tmp_path: Path) -> None:
    still = np.zeros((480, 640, 3), np.uint8)
    path = encode(
        tmp_path / "video.mp4", options={"preset": "ultrafast"}, frames=300, size=(640, 480), images=lambda index: still
    )
    gc.collect()
    gc.disable()
    try:
        start = 0.0
        for sampled in Sampler(path, Native()):
            if sampled.n == 60:
                start = resident_megabytes()
        # 240 frames of 1.4 MB of RGB and YUV went through since.
        assert resident_megabytes() - start < 40
    finally:
        gc.enable()


# Always the same streams: on rare ones an encoder of FFmpeg brings the whole process down.
@pytest.mark.slow
@settings(max_examples=600, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(streams(), selections())
def test_sampled_frames_equal_decode_everything_at_length(stream: dict[str, Any], selection: Selection) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check(encode_or_reject(Path(folder) / "video", stream), selection)
