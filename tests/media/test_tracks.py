"""Which track of a file is sampled, what is refused, and what is said of it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from curate.acquire.arrival import NotDecodable
from curate.acquire.arrival import probe as probe_arrival
from curate.media.decode import Sampler
from curate.media.probe import MediaError
from curate.media.select import AtRate, Native
from curate.records import Reason
from tests.media.videos import encode, picture

X264 = {"preset": "veryfast", "g": "12", "bf": "2"}
ROOT = Path(__file__).resolve().parents[2]


def refusal(path: Path) -> MediaError:
    with pytest.raises(MediaError) as caught:
        list(Sampler(path, AtRate(1)))
    return caught.value


@pytest.mark.parametrize("container", ["mp4", "matroska"])
@pytest.mark.parametrize("flagged", [False, True])
def test_the_moving_picture_wins_over_a_larger_still(tmp_path: Path, container: str, flagged: bool) -> None:
    path = tmp_path / "v"
    with av.open(str(path), "w", format=container) as made:
        still = made.add_stream("mjpeg", rate=25)
        still.width, still.height, still.pix_fmt = 320, 240, "yuvj420p"
        video = made.add_stream("libx264", rate=25, options=X264)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        still.disposition = av.stream.Disposition.default if flagged else av.stream.Disposition(0)
        video.disposition = av.stream.Disposition(0)
        made.mux(still.encode(av.VideoFrame.from_ndarray(picture(0, 320, 240), format="rgb24")))
        made.mux(still.encode(None))
        for index in range(60):
            made.mux(video.encode(av.VideoFrame.from_ndarray(picture(index, 96, 64), format="rgb24")))
        made.mux(video.encode(None))
    sampler = Sampler(path, AtRate(1))
    assert {sampled.image.shape for sampled in sampler} == {(64, 96, 3)}
    assert sampler.statistics.frames == 60


@pytest.mark.parametrize("container", ["mp4", "matroska", "flv", "mpegts"])
def test_the_length_of_a_longer_sound_is_not_that_of_the_picture(tmp_path: Path, container: str) -> None:
    path = tmp_path / "v"
    with av.open(str(path), "w", format=container) as made:
        video = made.add_stream("libx264", rate=25, options=X264)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        audio = made.add_stream("aac", rate=44100)
        for index in range(50):
            made.mux(video.encode(av.VideoFrame.from_ndarray(picture(index, 96, 64), format="rgb24")))
        made.mux(video.encode(None))
        for index in range(300):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 44100, index * 1024, Fraction(1, 44100)
            made.mux(audio.encode(frame))
        made.mux(audio.encode(None))
    sampler = Sampler(path, AtRate(1))
    assert len(list(sampler)) == 2
    assert sampler.statistics.duration == pytest.approx(2, abs=0.05)
    assert sampler.statistics.losses() == ""
    assert probe_arrival(path).reach is not None


@pytest.mark.parametrize("orientation", [1, 2, 3, 5, 6, 8])
def test_side_data_without_a_name_costs_nothing(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "exif.avi"
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "ScopeCam", orientation
    with av.open(str(path), "w") as made:
        stream = made.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p"
        for index in range(20):
            content = io.BytesIO()
            Image.fromarray(picture(index, 96, 64)).save(content, "JPEG", quality=95, exif=exif)
            packet = av.Packet(content.getvalue())
            packet.stream, packet.time_base, packet.pts, packet.dts = stream, Fraction(1, 10), index, index
            packet.is_keyframe = True
            made.mux(packet)
    samples = list(Sampler(path, AtRate(1)))
    assert [sampled.source_index for sampled in samples] == [0, 10]
    upright = {
        1: lambda image: image,
        2: lambda image: image[:, ::-1],
        3: lambda image: image[::-1, ::-1],
        5: lambda image: image.transpose(1, 0, 2),
        6: lambda image: np.rot90(image, -1),
        8: lambda image: np.rot90(image, 1),
    }[orientation](picture(0, 96, 64))
    assert samples[0].image.shape == upright.shape
    assert np.abs(samples[0].image.astype(int) - upright).mean() < 12


def test_encrypted_files_are_called_encrypted(tmp_path: Path) -> None:
    plain, path = encode(tmp_path / "plain.mp4", options=X264), tmp_path / "locked.mp4"
    key = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "0f" * 16, "encryption_kid": "0e" * 16}
    with av.open(str(plain)) as given, av.open(str(path), "w", options=key) as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream = stream
                made.mux(packet)
    assert refusal(path).reason is Reason.ENCRYPTED
    with pytest.raises(NotDecodable) as caught:
        probe_arrival(path)
    assert caught.value.reason is Reason.ENCRYPTED
    scrambled = bytearray(encode(tmp_path / "v.ts", options=X264, container="mpegts").read_bytes())
    for at in range(0, len(scrambled), 188):
        if (scrambled[at + 1] & 0x1F) << 8 | scrambled[at + 2] == 0x100:
            scrambled[at + 3] |= 0x80
    path.write_bytes(scrambled)
    assert refusal(path).reason is Reason.ENCRYPTED


def test_a_codec_without_a_decoder_is_named(tmp_path: Path) -> None:
    path = encode(tmp_path / "v.mp4", options=X264)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"evc1").replace(b"avcC", b"zzzC"))
    refused = refusal(path)
    assert refused.reason is Reason.UNSUPPORTED_CODEC
    assert "evc" in refused.detail


@pytest.mark.parametrize(("codec", "container", "pixels"), [("rv20", "rm", "yuv420p"), ("apng", "apng", "rgb24")])
def test_further_formats_are_read(tmp_path: Path, codec: str, container: str, pixels: str) -> None:
    path = encode(tmp_path / "v", codec, container=container, size=(176, 144), pixel_format=pixels)
    assert len(list(Sampler(path, Native()))) == 48


def test_what_never_ends_is_no_video(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.mp4")
    (tmp_path / "zero.mp4").symlink_to("/dev/zero")
    for name in ("fifo.mp4", "zero.mp4"):
        assert refusal(tmp_path / name).reason is Reason.NOT_A_VIDEO
        with pytest.raises(NotDecodable):
            probe_arrival(tmp_path / name)


@pytest.mark.parametrize(
    "text",
    ["ffconcat version 1.0\nfile secret.mp4\n", "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nsecret.mp4\n"],
)
def test_a_playlist_that_was_downloaded_opens_no_other_file(tmp_path: Path, text: str) -> None:
    encode(tmp_path / "secret.mp4", options=X264)
    (tmp_path / "v.mp4").write_text(text)
    with pytest.raises(NotDecodable) as caught:
        probe_arrival(tmp_path / "v.mp4")
    # FFmpeg takes HLS under a name like this for nothing at all, as it does a file that lost its end.
    assert caught.value.reason in (Reason.NOT_A_VIDEO, Reason.INCOMPLETE)


def test_pictures_that_are_never_shown_are_not_counted(shared_data: Path) -> None:
    path = shared_data / "cases" / "23-hevc-frames-never-output" / "v" / "hevc_noout.mp4"
    if not path.exists():
        pytest.skip("the case is not there")
    with av.open(str(path)) as container:
        shown = [float(frame.time) for frame in container.decode(video=0)]
    samples = list(Sampler(path, AtRate(1)))
    assert [sampled.source_index for sampled in samples] == [
        max(index for index, time in enumerate(shown) if time <= n) for n in range(8)
    ]


def test_check_media_says_one_line_a_file(tmp_path: Path) -> None:
    encode(tmp_path / "a.mp4", options=X264)
    encode(tmp_path / "b.avi", "mpeg4", options={"bf": "2"})
    (tmp_path / "c.mp4").write_text("nothing")
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "check_media.py"), str(tmp_path), "--rate", "5"],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in lines] == ["same", "same", "not_a_video", "2"]
