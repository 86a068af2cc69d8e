from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from curate.media.mp4 import Mp4Writer, mp4_time_base
from tests.media.videos import picture


def write(path: Path, size: tuple[int, int], times: list[int], time_base: Fraction = Fraction(1, 1000)) -> Path:
    with Mp4Writer(path, fps=Fraction(25), time_base=time_base, crf=18) as writer:
        for index, pts in enumerate(times):
            writer.add(picture(index, *size), pts)
    assert (writer.frames, writer.end) == (len(times), times[-1] + 40)
    return path


@pytest.mark.parametrize(("size", "matrix"), [((96, 64), 6), ((1280, 64), 1)])
def test_pictures_come_back_with_their_times_and_colours(tmp_path: Path, size: tuple[int, int], matrix: int) -> None:
    times = [0, 40, 83, 120, 400, 440]
    path = write(tmp_path / "-a.mp4", size, times)
    with av.open(str(path)) as container:
        (stream,) = container.streams
        context = stream.codec_context
        assert (context.name, context.pix_fmt, context.width, context.height) == ("h264", "yuv420p", *size)
        assert (int(context.colorspace), int(context.color_primaries), int(context.color_trc)) == (matrix,) * 3
        assert int(context.color_range) == 1
        assert stream.duration * stream.time_base == Fraction(480, 1000)
        frames = list(container.decode(stream))
    assert [frame.pts * frame.time_base for frame in frames] == [Fraction(time, 1000) for time in times]
    flat = np.zeros((*size[::-1], 3), np.uint8)
    flat[:] = (200, 30, 40)
    with Mp4Writer(tmp_path / "flat.mp4", fps=Fraction(5), time_base=Fraction(1, 5), crf=18) as writer:
        writer.add(flat, 0)
    with av.open(str(tmp_path / "flat.mp4")) as container:
        (frame,) = container.decode(video=0)
        # FFmpeg's own conversion believes the tags.
        assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - flat).max() <= 3


def test_the_index_stands_at_the_front_and_the_bytes_repeat(tmp_path: Path) -> None:
    times = list(range(0, 4000, 40))
    one, two = (write(tmp_path / name, (96, 64), times).read_bytes() for name in ("one.mp4", "other_name.mp4"))
    assert one == two
    assert 0 < one.index(b"moov") < one.index(b"mdat")


def test_key_frames_are_at_most_a_second_apart(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", (96, 64), list(range(0, 4000, 40)))
    with av.open(str(path)) as container:
        keys = [packet.pts for packet in container.demux(video=0) if packet.is_keyframe and packet.size]
        second = 1 / container.streams.video[0].time_base
    assert keys[0] == 0
    assert max(after - before for before, after in itertools.pairwise(keys)) <= second


def test_ticks_of_sources_fit_an_mp4_track() -> None:
    assert mp4_time_base(Fraction(1, 15360)) == Fraction(1, 15360)
    assert mp4_time_base(Fraction(1001, 30000)) == Fraction(1, 30000)
    assert mp4_time_base(Fraction(1, 10_000_000)) == Fraction(1, 90_000)


def test_without_a_frame_there_is_no_file(tmp_path: Path) -> None:
    with Mp4Writer(tmp_path / "none.mp4", fps=Fraction(5), time_base=Fraction(1, 5), crf=18):
        pass
    assert list(tmp_path.iterdir()) == []
