"""Checkpoints of YOLO: clear words without Ultralytics; with it, the same boxes as the ONNX file made of them."""

from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from curate.cli import cli
from curate.errors import CurateError
from curate.nets.detect.yolo import input_size
from curate.nets.detect.yolo_files import load, model_files
from curate.records import Region

needs_ultralytics = pytest.mark.skipif(
    importlib.util.find_spec("ultralytics") is None, reason="needs the extra 'ultralytics'"
)


@pytest.mark.skipif(importlib.util.find_spec("ultralytics") is not None, reason="Ultralytics is installed")
def test_without_ultralytics_a_checkpoint_is_refused_with_the_way_out(tmp_path: Path) -> None:
    checkpoint = tmp_path / "lemon.pt"
    checkpoint.touch()
    with pytest.raises(CurateError, match=r"extra 'ultralytics' \(AGPL-3.0\).*curate models convert"):
        load(checkpoint, device="cpu", threads=1)
    result = CliRunner().invoke(cli, ["models", "convert", str(checkpoint)])
    assert isinstance(result.exception, CurateError)
    assert list(tmp_path.iterdir()) == [checkpoint]


def test_ultralytics_is_not_imported_by_default() -> None:
    code = "import sys, curate.nets.detect.regions, curate.stages.mask; print('ultralytics' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_of_a_folder_checkpoints_count_until_they_are_converted(tmp_path: Path) -> None:
    for name in ("a.onnx", "a.pt", "b.pt", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in model_files([tmp_path])] == ["a.onnx", "b.pt"]


@pytest.mark.parametrize(
    ("size", "expected"), [((720, 1280), (384, 640)), ((1080, 1920), (384, 640)), ((480, 480), (640, 640))]
)
def test_input_of_a_network_of_any_size_is_as_small_as_may_be(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert input_size(*size) == expected


def picture(seed: int, size: tuple[int, int]) -> np.ndarray:
    """Coloured squares: RGB, uint8."""
    small = np.random.default_rng(seed).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    return np.ascontiguousarray(np.kron(small, np.ones((40, 32, 1), np.uint8))[: size[0], : size[1]])


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A YOLOv8-nano with random weights that is sure of itself now and then."""
    import torch

    from curate.nets.detect.yolo_checkpoint import _ultralytics

    torch.manual_seed(0)
    network = _ultralytics().YOLO("yolov8n.yaml")
    network.model.train()
    for module in network.model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.5  # To learn the scales of its inputs fast: without them nothing comes out at the end.
    pictures = torch.from_numpy(np.stack([picture(k, (256, 256)) for k in range(2)])).permute(0, 3, 1, 2) / 255
    for _ in range(10):
        network.model(pictures)
    network.model.eval()
    for level in network.model.model[-1].cv3:
        hidden = []
        hook = level[-1].register_forward_hook(lambda module, inputs, output, kept=hidden: kept.append(output))
        network.model(pictures)
        hook.remove()
        logits, bias = hidden[0].detach(), level[-1].bias.data
        spread = 8 * logits.std(dim=(0, 2, 3))
        level[-1].weight.data /= spread[:, None, None, None]
        bias[:] = -5.5 - (logits.mean(dim=(0, 2, 3)) - bias) / spread
    network.model.names = {index: "Logo" if index % 2 else f"thing {index}" for index in range(80)}
    path = tmp_path_factory.mktemp("yolo") / "lemon.pt"
    network.save(path)
    return path


@needs_ultralytics
def test_a_checkpoint_and_its_onnx_give_the_same_boxes(checkpoint: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["models", "convert", str(checkpoint), "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert [path.name for path in tmp_path.iterdir()] == ["lemon.onnx"]
    compared = 0
    for seed, size in enumerate(((360, 640), (300, 500), (480, 360))):
        image = picture(seed, size)
        found = [load(path, device="cpu", threads=1).detect(image) for path in (checkpoint, tmp_path / "lemon.onnx")]
        assert len(found[0]) == len(found[1])
        best = [sorted(each[:40], key=place) for each in found]
        for one, other in zip(*best, strict=True):
            assert one.kind == other.kind
            assert np.abs(np.subtract(one[:4], other[:4])).max() <= 1
            assert one.score == pytest.approx(other.score, abs=1e-3)
            compared += 1
    assert compared >= 20


def place(detection: Region) -> tuple[object, ...]:
    return (detection.kind, *(round(v / 4) for v in detection[:4]), round(detection.score, 2))


@needs_ultralytics
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    import torch

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"model": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(CurateError, match="cannot load the YOLO checkpoint"):
        load(tmp_path / "evil.pt", device="cpu", threads=1)
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(CurateError, match="cannot load the YOLO checkpoint"):
        load(tmp_path / "plain.pt", device="cpu", threads=1)
    assert not (tmp_path / "ran").exists()
