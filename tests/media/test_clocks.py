"""Times that files do not store, or store wrongly: each sample is the frame on screen all the same."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.media.decode import SampledFrame, Sampler
from curate.media.select import AtRate, Native, Selection, Spread
from tests.media.videos import encode, picture

X264 = {"preset": "veryfast", "g": "12", "bf": "2", "x264-params": "scenecut=0:b-adapt=0"}
X265 = {"preset": "ultrafast", "x265-params": "keyint=12:bframes=3:log-level=none:pools=none:frame-threads=1"}
SIZE = (96, 64)


def sample(path: Path, selection: Selection) -> tuple[list[SampledFrame], Sampler]:
    sampler = Sampler(path, selection)
    return list(sampler), sampler


def dropped(path: Path, codec: str, slots: Sequence[int], *, rate: int = 25, **arguments: object) -> Path:
    """Encode pictures that are shown from these slots on."""
    return encode(
        path, codec, frames=len(slots), times=list(slots), time_base=Fraction(1, rate), rate=rate, **arguments
    )  # type: ignore[arg-type]


def assert_on_screen(path: Path, slots: Sequence[int], rate: Fraction, *, sampled_at: float = 5.0) -> Sampler:
    """Every sample shows the last picture before it, by the slots the pictures were given."""
    samples, sampler = sample(path, AtRate(sampled_at))
    start = slots[0]
    end = slots[-1] + 1 - start
    wanted = []
    while len(wanted) / Fraction(repr(sampled_at)) < end / rate:
        due = len(wanted) / Fraction(repr(sampled_at)) * rate
        wanted.append(max(index for index, slot in enumerate(slots) if slot - start <= due))
    assert [found.source_index for found in samples] == wanted
    for found in samples:
        assert found.timestamp == pytest.approx(float((slots[found.source_index] - start) / rate), abs=0.002)
    assert sampler.statistics.duration == pytest.approx(float(end / rate), abs=0.02)
    assert sampler.statistics.frames == len(slots)
    assert sampler.statistics.losses() == ""
    every = {frame.source_index: frame.image for frame in Sampler(path, Native(), whole=True)}
    assert all(np.array_equal(found.image, every[found.source_index]) for found in samples)
    return sampler


AVI_CODECS = [
    ("mjpeg", {}, "yuvj420p"),
    ("libx264", X264, "yuv420p"),
    ("libx264", {"preset": "veryfast", "bf": "0"}, "yuv420p"),
    ("libx264", {**X264, "x264-params": "b-pyramid=none:bframes=1"}, "yuv420p"),
    ("libx264", {"preset": "veryfast", "x264-params": "tff=1"}, "yuv420p"),
    ("mpeg4", {}, "yuv420p"),
    ("mpeg4", {"bf": "2", "g": "12"}, "yuv420p"),
    ("msmpeg4v2", {}, "yuv420p"),
    ("mpeg2video", {"bf": "2", "g": "12"}, "yuv420p"),
    ("libvpx", {"cpu-used": "8", "deadline": "realtime"}, "yuv420p"),
    ("ffv1", {}, "yuv420p"),
    ("huffyuv", {}, "yuv422p"),
    ("rawvideo", {}, "bgr24"),
    ("cinepak", {}, "rgb24"),
]


@pytest.mark.parametrize(("codec", "options", "pixels"), AVI_CODECS, ids=lambda value: str(value)[:30])
def test_an_empty_chunk_of_avi_repeats_the_last_frame(
    tmp_path: Path, codec: str, options: dict[str, str], pixels: str
) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this build of FFmpeg has no {codec}")
    slots = [slot for slot in range(70) if not 12 <= slot < 31 and slot % 13 != 7]
    path = dropped(tmp_path / "v.avi", codec, slots, options=options, pixel_format=pixels, size=SIZE)
    assert_on_screen(path, slots, Fraction(25))


def test_a_gap_in_avi_as_recorders_leave_it(tmp_path: Path) -> None:
    slots = [slot for slot in range(300) if not 50 <= slot < 151]
    path = dropped(tmp_path / "gap.avi", "mjpeg", slots, pixel_format="yuvj420p")
    samples, sampler = sample(path, AtRate(1))
    assert [found.source_index for found in samples] == [0, 25, *[49] * 5, 74, 99, 124, 149, 174]
    assert sampler.statistics.losses() == ""
    slots = [slot for slot in range(250) if slot % 25 != 7]
    path = dropped(tmp_path / "scattered.avi", "mjpeg", slots, pixel_format="yuvj420p")
    samples, sampler = sample(path, AtRate(1))
    assert [found.source_index for found in samples] == list(range(0, 240, 24))
    assert sampler.statistics.duration == 10


@pytest.mark.parametrize("codec", ["mjpeg", "libx264", "mpeg4"])
def test_empty_chunks_at_the_end_of_avi_hold_the_last_frame(tmp_path: Path, codec: str) -> None:
    options = {"mjpeg": {}, "libx264": X264, "mpeg4": {"bf": "2"}}[codec]
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    whole = encode(tmp_path / "whole.avi", codec, frames=30, options=options, pixel_format=pixels)
    path = tmp_path / "tail.avi"
    with av.open(str(whole)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream, packet.pts = stream, packet.dts
                made.mux(packet)
        empty = av.Packet(b"")
        empty.stream, empty.time_base, empty.dts, empty.pts = stream, Fraction(1, 25), 79, 79
        made.mux(empty)
    for selection in (AtRate(5), Native()):
        _, sampler = sample(path, selection)
        assert sampler.statistics.duration == pytest.approx(80 / 25)
    samples, sampler = sample(path, AtRate(5))
    assert [found.source_index for found in samples] == [*range(0, 30, 5), *[29] * 10]
    assert sampler.statistics.losses() == ""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 7 // 10])
    samples, sampler = sample(path, AtRate(5))
    assert samples[-1].n < 6, "a file that is cut off holds nothing"
    assert "before its header says" in sampler.statistics.losses()


def in_decoding_order(source: Path, target: Path, container: str | None = None) -> Path:
    """Copy a video with times of decoding in the place of times of presentation."""
    with av.open(str(source)) as given, av.open(str(target), "w", format=container) as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        first = None
        for packet in given.demux(video=0):
            if packet.size:
                first = packet.dts if first is None else first
                packet.dts -= first
                packet.pts, packet.stream = packet.dts, stream
                made.mux(packet)
    return target


@pytest.mark.parametrize("container", ["mp4", "mov", "flv", "mpegts", "matroska", "nut", "mxf"])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_presentation_times_that_are_times_of_decoding(tmp_path: Path, codec: str, container: str) -> None:
    if codec not in av.codecs_available or (codec, container) == ("libx265", "mxf"):
        pytest.skip("cannot be made")
    options = X264 if codec == "libx264" else X265
    twin = encode(tmp_path / "twin.mp4", codec, options=options, frames=100)
    path = in_decoding_order(twin, tmp_path / "v", container)
    right, whole = sample(twin, AtRate(5))
    samples, sampler = sample(path, AtRate(5))
    assert [found.source_index for found in samples] == [5 * n for n in range(20)]
    for one, other in zip(samples, right, strict=True):
        assert np.array_equal(one.image, other.image)
        assert one.timestamp == pytest.approx(other.timestamp, abs=0.0015)
    assert sampler.statistics.losses() == ""
    assert sampler.statistics.sent == whole.statistics.sent, "as many packets are skipped as of the twin"


@pytest.mark.parametrize("codec", ["mpeg4", "mpeg2video", "libx264"])
def test_times_of_decoding_where_packets_do_not_tell_the_order(tmp_path: Path, codec: str) -> None:
    options = {"bf": "2", "g": "12"} if codec != "libx264" else {**X264, "x264-params": "tff=1:bframes=2:b-adapt=0"}
    twin = encode(tmp_path / "twin.mp4", codec, options=options, frames=60)
    path = in_decoding_order(twin, tmp_path / "v.mp4")
    for selection in (AtRate(5), Native(), Spread(4)):
        right, _ = sample(twin, selection)
        samples, sampler = sample(path, selection)
        assert [(s.n, s.source_index) for s in samples] == [(s.n, s.source_index) for s in right]
        assert all(np.array_equal(one.image, other.image) for one, other in zip(samples, right, strict=True))
        assert sampler.statistics.losses() == ""


def test_variable_frame_rate_in_times_of_decoding(tmp_path: Path) -> None:
    slots = [0, 1, 2, 3, 4, 5, 30, 31, 32, 33, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69]
    twin = dropped(tmp_path / "twin.mp4", "libx264", slots, options=X264)
    path = in_decoding_order(twin, tmp_path / "v.mp4")
    samples, _ = sample(path, AtRate(25))
    right, _ = sample(twin, AtRate(25))
    assert [found.source_index for found in samples] == [found.source_index for found in right]


STILLS = [
    ("flv", "libx264", X264),
    ("flv", "flv", {}),
    ("matroska", "libx264", X264),
    ("webm", "libvpx", {"cpu-used": "8", "deadline": "realtime"}),
    ("mp4", "libx264", X264),
    ("mpegts", "libx264", X264),
    ("mpegts", "mpeg2video", {"bf": "2", "g": "12"}),
    ("nut", "mpeg4", {}),
    ("asf", "wmv2", {}),
    ("avi", "mpeg4", {}),
]


@pytest.mark.parametrize(("container", "codec", "options"), STILLS, ids=lambda value: str(value)[:12])
@pytest.mark.parametrize("seconds", [5, 27, 400])
def test_a_still_lasts_as_long_as_it_lasts(
    tmp_path: Path, container: str, codec: str, options: dict[str, str], seconds: int
) -> None:
    slots = [*range(75), *range(75 + 25 * seconds, 150 + 25 * seconds)]
    path = dropped(tmp_path / "v", codec, slots, options=options, container=container)
    assert_on_screen(path, slots, Fraction(25), sampled_at=1.0)


@pytest.mark.parametrize("container", ["flv", "matroska", "mp4"])
def test_a_still_of_hours_is_believed_if_the_header_says_so(tmp_path: Path, container: str) -> None:
    slots = [*range(25), *range(3 * 90_000, 3 * 90_000 + 25)]
    # FLV holds at most two hours between decoding and presentation.
    options = {"preset": "veryfast", "bf": "0"} if container == "flv" else X264
    path = dropped(tmp_path / "v", "libx264", slots, options=options, container=container)
    _, sampler = sample(path, AtRate(0.01))
    assert sampler.statistics.jumps == 0
    assert sampler.statistics.duration == pytest.approx(3 * 3600 + 1, abs=0.1)
    assert sampler.statistics.losses() == ""


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    container=st.sampled_from(["avi", "matroska", "flv", "mpegts", "mp4"]),
    codec=st.sampled_from(["libx264", "mpeg4", "mjpeg"]),
    frames=st.integers(2, 60),
    gaps=st.lists(st.tuples(st.integers(0, 59), st.integers(1, 400)), max_size=4),
    late=st.sampled_from([0, 0, 7, 250]),
    rate=st.sampled_from([10, 15, 24, 25, 30, 50]),
    reorders=st.booleans(),
    sampled_at=st.sampled_from([1.0, 3.0, 7.5]),
)
def test_drops_gaps_and_late_starts(
    container: str,
    codec: str,
    frames: int,
    gaps: list[tuple[int, int]],
    late: int,
    rate: int,
    reorders: bool,
    sampled_at: float,
) -> None:
    if (codec, container) in (("mpeg4", "flv"), ("mjpeg", "flv"), ("mjpeg", "mpegts")):
        codec = "libx264"
    if container in ("matroska", "flv") and 1000 % rate:
        rate = 25  # Milliseconds hold no other.
    slots, slot = [], late
    for index in range(frames):
        slots.append(slot)
        slot += 1 + sum(length for place, length in gaps if place == index)
    if container == "avi":
        slots = [slot - late for slot in slots]  # FFmpeg writes no empty chunks before the first frame.
    options = {"libx264": dict(X264), "mpeg4": {"bf": "2", "g": "12"}, "mjpeg": {}}[codec]
    if not reorders:
        options["bf"] = "0"
    with tempfile.TemporaryDirectory() as folder:
        path = dropped(
            Path(folder) / "v",
            codec,
            slots,
            rate=rate,
            options=options,
            container=container,
            pixel_format="yuvj420p" if codec == "mjpeg" else "yuv420p",
        )
        assert_on_screen(path, slots, Fraction(rate), sampled_at=sampled_at)


def test_pictures_are_told_apart() -> None:
    """What the tests above rest on: neighbours differ."""
    assert not np.array_equal(picture(0, *SIZE), picture(1, *SIZE))
