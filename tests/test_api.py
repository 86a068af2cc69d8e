"""The public face, used as a program would on rendered videos."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

import curate
from tests.media.videos import encode, picture


def test_importing_it_is_light() -> None:
    code = "import sys, curate; sys.exit(bool({'torch', 'av', 'cv2', 'pyarrow', 'numpy', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert all(hasattr(curate, name) for name in curate.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = curate.nothing  # type: ignore[attr-defined]


def test_frames_at_exact_times(tmp_path: Path) -> None:
    path = encode(tmp_path / "video.mp4", frames=75, rate=25)
    frames = list(curate.sample(path, times=[2.0, 0.5, 99.0, 1.0]))
    assert [(f.n, f.source_index, f.timestamp) for f in frames] == [(1, 12, 0.48), (3, 25, 1.0), (0, 50, 2.0)]
    close = frames[1].image.astype(int) - picture(25, 96, 64)
    assert frames[1].image.dtype == np.uint8 and np.abs(close).mean() < 12
    assert [frame.source_index for frame in curate.sample(path)] == [0, 25, 50]
    assert [frame.source_index for frame in curate.sample(path, rate=5)][:3] == [0, 5, 10]
    assert next(curate.sample(path, max_short_side=32)).image.shape == (32, 48, 3)


def test_what_cannot_be_sampled_is_said(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    for path, more in ((tmp_path / "none.mp4", {}), (tmp_path / "text.mp4", {}), ("x.mp4", {"times": [1], "rate": 1})):
        with pytest.raises(curate.CurateError):
            list(curate.sample(path, **more))


def test_pictures_are_classified_as_arrays_and_as_jpeg() -> None:
    image = np.zeros((64, 96, 3), np.uint8)
    image[:, :48] = (180, 60, 50)
    jpeg = simplejpeg.encode_jpeg(image, quality=100, colorspace="RGB", colorsubsampling="444")
    scores = curate.classify([image, jpeg], device="cpu")
    assert scores.dtype == np.float32 and scores.shape == (2,) and abs(scores[0] - scores[1]) < 0.05
    assert curate.classify([], device="cpu").shape == (0,)
    with pytest.raises(curate.CurateError):
        curate.classify([b"no picture"], device="cpu")


def test_from_a_folder_of_videos_to_a_verified_export(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    for name in ("one", "two"):
        encode(tmp_path / "videos" / f"{name}.mp4", frames=150, rate=25)
    (tmp_path / "videos" / "torn.mp4").write_bytes(b"no video")
    options = {
        "trim": {"threshold": 0.0, "uncertain_low": 0.0, "uncertain_high": 0.0},
        "export": {"formats": ["folders"]},
        "audit": {"faces": False, "text": False},
    }
    workspace = curate.open_workspace(tmp_path / "w", tmp_path / "videos", options=options)
    with pytest.raises(curate.CurateError, match="no stage 'polish'"):
        curate.process(workspace, ["polish"])
    funnel = curate.process(workspace)
    assert (funnel.videos, funnel.complete, funnel.failed) == (3, 2, 1)
    (made,) = curate.export(workspace).formats
    assert made.videos == 2 and made.frames == 12
    assert curate.verify(made.folder) == []
    next(made.folder.rglob("*.jpg")).write_bytes(b"")
    assert curate.verify(made.folder)
    assert len(curate.FrameDataset(made.folder)) == 12
    assert [v.id for v in curate.open_workspace(tmp_path / "w").pipeline.videos] == ["one", "torn", "two"]
