from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from curate.media.colour import Converter
from curate.media.decode import Sampler
from curate.media.select import AtRate
from tests.media.videos import encode, picture


@pytest.mark.parametrize(("planar", "packed"), [("yuv420p", "nv12"), ("yuv420p10le", "p010le")])
def test_formats_of_the_gpu_give_the_same_pixels(planar: str, packed: str) -> None:
    frame = av.VideoFrame.from_ndarray(picture(5, 96, 64), format="rgb24").reformat(format=planar)
    assert np.array_equal(Converter()(frame.reformat(format=packed)), Converter()(frame))


@pytest.mark.gpu
@pytest.mark.skipif(not Path("/dev/nvidia0").exists(), reason="there is no NVIDIA GPU")
def test_gpu_gives_the_frames_of_the_cpu(tmp_path: Path) -> None:
    path = encode(tmp_path / "video.mp4", options={"g": "30", "preset": "medium"}, frames=120, size=(320, 192))
    by_gpu, by_cpu = (Sampler(path, AtRate(7), decoder=decoder) for decoder in ("gpu", "cpu"))
    for one, other in zip(by_gpu, by_cpu, strict=True):
        assert (one.n, one.timestamp, one.source_index) == (other.n, other.timestamp, other.source_index)
        assert np.array_equal(one.image, other.image)
    assert by_gpu.statistics.decoder == "gpu"
