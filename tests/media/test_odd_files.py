"""Odd files: each gives the right frames, or a named reason."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from curate.media.decode import SampledFrame, Sampler
from curate.media.probe import MediaError, probe
from curate.media.select import AtRate, KeyFrames, Native, Spread
from curate.records import Reason
from tests.media.videos import decode_everything, encode, on_screen, picture

X264 = {"preset": "veryfast", "g": "12", "bf": "2", "x264-params": "scenecut=0:b-adapt=0"}
RATE = 7.0


def sample(path: Path, rate: float = RATE) -> tuple[list[SampledFrame], Sampler]:
    sampler = Sampler(path, AtRate(rate))
    return list(sampler), sampler


def assert_right(path: Path, rate: float = RATE) -> Sampler:
    """The samples are the frames on screen, by plain decoding."""
    frames = decode_everything(path)
    samples, sampler = sample(path, rate)
    end = Fraction(sampler.statistics.duration).limit_denominator(10**7)
    due = [n for n in range(int(end * Fraction(rate)) + 2) if n / Fraction(rate) < end]
    assert [sampled.n for sampled in samples] == due
    for sampled in samples:
        index = on_screen(frames, sampled.n / Fraction(rate))
        assert sampled.source_index == index
        assert sampled.timestamp == pytest.approx(float(frames[index][0]), abs=1e-9)
        assert np.array_equal(sampled.image, frames[index][2])
    assert sampler.statistics.frames == len(frames)
    return sampler


def reason(path: Path) -> Reason:
    with pytest.raises(MediaError) as caught:
        list(Sampler(path, AtRate(1)))
    assert caught.value.detail
    return caught.value.reason


def remux(source: Path, target: Path, change: Callable[[int, av.Packet], av.Packet | None], **options: str) -> Path:
    """Copy the packets of a video, changed; ``None`` drops one."""
    with av.open(str(source)) as given, av.open(str(target), "w", options=options) as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for index, packet in enumerate(p for p in given.demux(video=0) if p.size):
            changed = change(index, packet)
            if changed is not None:
                changed.stream = stream
                made.mux(changed)
    return target


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("plain") / "plain.mp4", options=X264, frames=60)


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts", "flv"])
def test_containers(tmp_path: Path, container: str) -> None:
    sampler = assert_right(encode(tmp_path / "video", options=X264, frames=60, container=container))
    assert sampler.statistics.sent < 60


def test_avi_stores_no_presentation_times(tmp_path: Path) -> None:
    path = encode(tmp_path / "video.avi", options=X264, frames=60)
    samples, sampler = sample(path)
    frames = decode_everything(path)
    assert sampler.statistics.jumps == 0
    assert sampler.statistics.duration == pytest.approx(60 / 25)
    assert [sampled.source_index for sampled in samples] == [int(n / RATE * 25 + 1e-9) for n in range(17)]
    assert all(np.array_equal(sampled.image, frames[sampled.source_index][2]) for sampled in samples)


@pytest.mark.parametrize(
    ("codec", "container", "pixel_format"),
    [
        ("mpeg4", "avi", "yuv420p"),
        ("mpeg4", "mp4", "yuv420p"),
        ("mpeg2video", "mpegts", "yuv420p"),
        ("mjpeg", "avi", "yuvj420p"),
        ("prores_ks", "mov", "yuv422p10le"),
        ("ffv1", "matroska", "yuv420p"),
    ],
)
def test_codecs_without_an_inspector(tmp_path: Path, codec: str, container: str, pixel_format: str) -> None:
    options = {"bf": "2", "g": "12"} if codec in ("mpeg4", "mpeg2video") else {}
    sampler = assert_right(
        encode(tmp_path / "video", codec, options=options, container=container, pixel_format=pixel_format)
    )
    if codec in ("mjpeg", "prores_ks"):
        assert sampler.statistics.sent == 14, "frames that stand alone are decoded alone"


def test_variable_frame_rate(tmp_path: Path) -> None:
    times = [0, 10, 500, 510, 520, 1700, 1710, 2900, 2901, 2902, 2903, 4000]
    path = encode(tmp_path / "vfr.mp4", options=X264, frames=len(times), times=times, time_base=Fraction(1, 1000))
    samples, _ = sample(path, 1.0)
    assert [sampled.timestamp for sampled in samples][:4] == [0, 0.52, 1.71, 2.903]
    assert_right(path)


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
def test_late_first_timestamp(tmp_path: Path, container: str) -> None:
    times = [1234 + 40 * index for index in range(50)]
    path = encode(
        tmp_path / "late",
        options=X264,
        frames=50,
        times=times,
        time_base=Fraction(1, 1000),
        container=container,
    )
    assert_right(path)
    samples, _ = sample(path)
    assert samples[0].timestamp == 0
    assert samples[0].source_index == 0


def test_edit_list_hides_the_first_frames(tmp_path: Path, plain: Path) -> None:
    def earlier(index: int, packet: av.Packet) -> av.Packet:
        packet.pts -= int(10 / 25 / packet.time_base)
        packet.dts -= int(10 / 25 / packet.time_base)
        return packet

    path = remux(plain, tmp_path / "edited.mp4", earlier, avoid_negative_ts="disabled")
    assert_right(path)
    samples, _ = sample(path)
    assert np.abs(samples[0].image.astype(int) - picture(10, 96, 64)).mean() < 12, "frame 10 is shown first"


def test_missing_timestamps(tmp_path: Path) -> None:
    path = encode(tmp_path / "raw.h264", options=X264, frames=40, container="h264")
    samples, sampler = sample(path)
    assert sampler.statistics.frames == 40
    assert len(samples) > 8


@pytest.mark.parametrize("container", ["mpegts", "matroska"])
def test_timestamps_that_jump_forwards(tmp_path: Path, plain: Path, container: str) -> None:
    def later(index: int, packet: av.Packet) -> av.Packet:
        if index >= 36:
            packet.pts += int(7200 / packet.time_base)
            packet.dts += int(7200 / packet.time_base)
        return packet

    if container == "mpegts":
        path = remux(plain, tmp_path / "jump.ts", later)
    else:
        # Without a length in the header, which would say that the picture really stands still for two hours.
        path = remux(plain, tmp_path / "jump.mkv", later, live="1")
    samples, sampler = sample(path)
    assert sampler.statistics.jumps == 1
    assert sampler.statistics.duration == pytest.approx(60 / 25, abs=0.05)
    assert [sampled.n for sampled in samples] == list(range(17))
    frames = decode_everything(path)
    for sampled in samples:
        assert abs(sampled.source_index - sampled.n / RATE * 25) < 1.1
        assert np.array_equal(sampled.image, frames[sampled.source_index][2])
    assert "jump" in sampler.statistics.losses()


def test_clock_that_starts_again(tmp_path: Path) -> None:
    first = encode(tmp_path / "a.ts", options=X264, frames=36, container="mpegts")
    second = encode(tmp_path / "b.ts", options=X264, frames=36, container="mpegts")
    path = tmp_path / "both.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    samples, sampler = sample(path)
    frames = decode_everything(path)
    assert sampler.statistics.jumps == 1
    assert sampler.statistics.duration == pytest.approx(72 / 25, abs=0.1)
    assert len(samples) == pytest.approx(72 / 25 * RATE, abs=1)
    for sampled in samples:
        assert np.array_equal(sampled.image, frames[sampled.source_index][2])


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (270, 3)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_rotation(tmp_path: Path, degrees: int, turns: int, mirrored: bool) -> None:
    def rotate(stream: av.VideoStream) -> None:
        stream.set_display_rotation(degrees, hflip=mirrored)

    path = encode(tmp_path / "turned.mp4", options=X264, frames=3, setup=rotate)
    upright = encode(tmp_path / "upright.mp4", options=X264, frames=3)
    (turned,), sampler = sample(path, 1)
    (straight,), _ = sample(upright, 1)
    want = np.rot90(straight.image, turns)
    assert np.array_equal(turned.image, want[:, ::-1] if mirrored else want)
    assert sampler.statistics.orientation


@pytest.mark.parametrize(("aspect", "size"), [((64, 45), (137, 64)), ((1, 2), (96, 128)), ((1, 1000), (96, 64))])
def test_pixels_are_made_square(tmp_path: Path, aspect: tuple[int, int], size: tuple[int, int]) -> None:
    def stretch(stream: av.VideoStream) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(*aspect)

    (sampled,), _ = sample(encode(tmp_path / "wide.mp4", options=X264, frames=3, setup=stretch), 1)
    assert sampled.image.shape[1::-1] == size


def test_interlaced(tmp_path: Path) -> None:
    options = {"preset": "veryfast", "g": "12", "x264-params": "tff=1"}
    assert_right(encode(tmp_path / "interlaced.mp4", options=options))


@pytest.mark.parametrize(
    ("codec", "pixel_format", "size"),
    [
        ("libx264", "yuv420p10le", (96, 64)),
        ("libx264", "yuv444p", (97, 63)),
        ("libx264", "yuv422p", (96, 63)),
        ("libx264", "gray", (96, 64)),
        ("libx264rgb", "rgb24", (96, 64)),
        ("libvpx-vp9", "yuv420p", (97, 63)),
        ("libvpx-vp9", "yuv444p", (33, 17)),
    ],
)
def test_pixel_formats_and_odd_sizes(tmp_path: Path, codec: str, pixel_format: str, size: tuple[int, int]) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this build of FFmpeg has no {codec}")
    options = {"cpu-used": "8", "deadline": "realtime"} if codec == "libvpx-vp9" else {"preset": "veryfast", "g": "12"}
    path = encode(tmp_path / "odd.mkv", codec, options=options, pixel_format=pixel_format, size=size, frames=30)
    assert_right(path)
    samples, _ = sample(path)
    assert samples[0].image.shape[1::-1] == size
    if pixel_format != "gray":
        assert np.abs(samples[0].image.astype(int) - picture(0, *size)).mean() < 25


def test_size_changes_in_mid_stream(tmp_path: Path) -> None:
    first = encode(tmp_path / "a.ts", options=X264, frames=36, container="mpegts")
    second = encode(tmp_path / "b.ts", options=X264, frames=36, container="mpegts", size=(128, 96))
    path = tmp_path / "both.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    samples, sampler = sample(path)
    frames = decode_everything(path)
    assert {sampled.image.shape for sampled in samples} == {(64, 96, 3), (96, 128, 3)}
    assert sampler.statistics.whole
    for sampled in samples:
        assert np.array_equal(sampled.image, frames[sampled.source_index][2])


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_no_key_frame_at_the_start(tmp_path: Path, plain: Path, suffix: str) -> None:
    path = remux(plain, tmp_path / f"tail.{suffix}", lambda index, packet: packet if index > 3 else None)
    samples, sampler = sample(path)
    frames = decode_everything(path)
    assert sampler.statistics.frames == len(frames) >= 48
    for sampled in samples:
        assert np.array_equal(sampled.image, frames[on_screen(frames, sampled.n / Fraction(RATE))][2])


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
def test_truncated_end(tmp_path: Path, container: str) -> None:
    path = encode(
        tmp_path / "video",
        options=X264,
        frames=100,
        container=container,
        container_options={"movflags": "faststart"} if container == "mp4" else {},
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    samples, sampler = sample(path)
    assert len(samples) == pytest.approx(0.6 * 100 / 25 * RATE, abs=4)
    assert sampler.statistics.duration < 3
    if container != "mpegts":
        assert "before its header says" in sampler.statistics.losses()


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
def test_damage_in_the_middle(tmp_path: Path, container: str) -> None:
    path = encode(tmp_path / "video", options=X264, frames=120, container=container)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    rng = np.random.default_rng(0)
    content[middle : middle + 900] = rng.bytes(900)
    path.write_bytes(bytes(content))
    samples, sampler = sample(path)
    sound = decode_everything(encode(tmp_path / "sound", options=X264, frames=120, container=container))
    right = [
        sampled
        for sampled in samples
        if np.array_equal(sampled.image, sound[on_screen(sound, sampled.n / Fraction(RATE))][2])
    ]
    assert len(samples) == pytest.approx(120 / 25 * RATE, abs=2)
    assert len(right) >= 0.7 * len(samples)
    assert sampler.statistics.damaged + sampler.statistics.missing > 0
    assert "frames are" in sampler.statistics.losses()


def test_attached_picture_is_not_the_video(tmp_path: Path) -> None:
    path = tmp_path / "cover.mp4"
    with av.open(str(path), "w") as output:
        cover = output.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 320, 240, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        video = output.add_stream("libx264", rate=25, options=X264)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        still = av.VideoFrame.from_ndarray(picture(0, 320, 240), format="rgb24").reformat(format="yuvj420p")
        output.mux(cover.encode(still))
        output.mux(cover.encode(None))
        for index in range(30):
            output.mux(video.encode(av.VideoFrame.from_ndarray(picture(index, 96, 64), format="rgb24")))
        output.mux(video.encode(None))
    samples, sampler = sample(path)
    assert sampler.statistics.frames == 30
    assert samples[0].image.shape == (64, 96, 3)


def test_the_largest_of_several_streams(tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as output:
        streams = []
        for width, height in ((64, 48), (96, 64)):
            stream = output.add_stream("libx264", rate=25, options=X264)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.disposition = av.stream.Disposition(0)
            streams.append(stream)
        for index in range(30):
            for stream in streams:
                image = picture(index, stream.width, stream.height)
                output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        for stream in streams:
            output.mux(stream.encode(None))
    samples, sampler = sample(path)
    assert samples[0].image.shape == (64, 96, 3)
    assert sampler.statistics.frames == 30
    assert probe(path).video_streams == 2


def test_one_frame(tmp_path: Path) -> None:
    path = encode(tmp_path / "one.mp4", options=X264, frames=1)
    for selection in (AtRate(1), Native(), KeyFrames()):
        (sampled,) = Sampler(path, selection)
        assert (sampled.n, sampled.timestamp, sampled.source_index, sampled.key_frame) == (0, 0.0, 0, True)
    assert len({sampled.n for sampled in Sampler(path, Spread(16))}) == 16


@pytest.mark.parametrize(
    ("container", "options"),
    [("mp4", {"movflags": "frag_keyframe+empty_moov"}), ("webm", {"live": "1"}), ("mpegts", {})],
)
def test_no_duration_in_the_header(tmp_path: Path, container: str, options: dict[str, str]) -> None:
    codec = "libvpx-vp9" if container == "webm" else "libx264"
    settings = {"cpu-used": "8", "deadline": "realtime", "g": "12"} if container == "webm" else X264
    path = encode(tmp_path / "live", codec, options=settings, container=container, container_options=options)
    assert_right(path)
    assert len(list(Sampler(path, Spread(5)))) == 5


def test_spread_over_a_stream_that_cannot_be_planned(tmp_path: Path) -> None:
    path = encode(tmp_path / "video.ts", "mpeg2video", frames=50, container="mpegts")
    samples = list(Sampler(path, Spread(5)))
    assert [sampled.source_index for sampled in samples] == [5, 15, 25, 35, 45]


def test_audio_only(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    assert reason(path) is Reason.NO_VIDEO_STREAM


def test_not_a_video(tmp_path: Path) -> None:
    assert reason(tmp_path / "missing.mp4") is Reason.FILE_MISSING
    path = tmp_path / "video.mp4"
    path.write_bytes(b"")
    assert reason(path) is Reason.EMPTY_FILE
    path.write_text("<html><body>Sign in to confirm you are not a bot</body></html>")
    assert reason(path) is Reason.NOT_A_VIDEO
    path.write_bytes(np.random.default_rng(0).bytes(50_000))
    assert reason(path) is Reason.NOT_A_VIDEO


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {}\n",
    ],
)
def test_playlists_open_no_other_file(tmp_path: Path, plain: Path, text: str) -> None:
    (tmp_path / "secret.mp4").write_bytes(plain.read_bytes())
    path = tmp_path / "video.mp4"
    path.write_text(text.format("secret.mp4"))
    assert reason(path) is Reason.NOT_A_VIDEO


def test_names_that_look_like_protocols_and_options(
    tmp_path: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("-i.mp4", "http:x.mp4", "a%03d.mp4", "vidéo ☃.mp4"):
        Path(name).write_bytes(plain.read_bytes())
        assert len(sample(Path(name))[0]) == 17


def test_unknown_codec(tmp_path: Path, plain: Path) -> None:
    path = tmp_path / "odd.mp4"
    path.write_bytes(plain.read_bytes().replace(b"avc1", b"zzzz").replace(b"avcC", b"zzzC"))
    assert reason(path) is Reason.UNSUPPORTED_CODEC


def test_frames_too_large(tmp_path: Path) -> None:
    black = np.zeros((4352, 8256, 3), np.uint8)
    path = encode(
        tmp_path / "big.mp4", options={"preset": "ultrafast"}, frames=1, size=(8256, 4352), images=lambda index: black
    )
    assert reason(path) is Reason.TOO_LARGE


def test_header_that_claims_too_much(tmp_path: Path) -> None:
    path = encode(tmp_path / "video.mkv", "ffv1", frames=1, size=(300, 300))
    content = path.read_bytes()
    # The elements PixelWidth and PixelHeight (RFC 9559), two bytes each.
    assert content.count(b"\xb0\x82\x01\x2c") == content.count(b"\xba\x82\x01\x2c") == 1
    content = content.replace(b"\xb0\x82\x01\x2c", b"\xb0\x82\x7f\xff")
    path.write_bytes(content.replace(b"\xba\x82\x01\x2c", b"\xba\x82\x7f\xff"))
    assert reason(path) in (Reason.TOO_LARGE, Reason.NO_FRAMES)


def test_stream_that_claims_too_much(tmp_path: Path) -> None:
    """The container says 96x64, the VP9 frame itself 65536x65536."""
    path = encode(tmp_path / "video.webm", "libvpx-vp9", frames=1)
    content = bytearray(path.read_bytes())
    at = content.index(b"\x49\x83\x42") + 3
    content[at] |= 0x0F
    content[at + 1 : at + 4] = b"\xff\xff\xff"
    path.write_bytes(bytes(content))
    assert reason(path) in (Reason.TOO_LARGE, Reason.NO_FRAMES)
