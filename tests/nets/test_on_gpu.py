"""What networks find on a GPU against what they find on the CPU; run by ``scripts/check_gpu.py`` where there is one."""

from __future__ import annotations

import cv2
import numpy as np
import onnxruntime
import pytest
import torch

from curate.nets.detect import face_detector, text_detector, text_reader
from curate.nets.detect.face_detector import FaceDetector
from curate.nets.detect.text_detector import TextDetector
from curate.nets.detect.text_reader import TextReader
from curate.nets.embedder import load_embedder
from curate.nets.onnx_session import CUDA

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

needs_onnx = pytest.mark.skipif(
    CUDA not in onnxruntime.get_available_providers(), reason="this ONNX Runtime has no CUDA: install onnxruntime-gpu"
)

GPU = "cuda"


def page(height: int = 360, width: int = 640) -> np.ndarray:
    """Three lines of text over a smooth ground."""
    coarse = np.random.default_rng(0).integers(40, 120, (6, 8, 3)).astype(np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for i, text in enumerate(("Dr. Jane Doe", "General Hospital", "12:45:07")):
        cv2.putText(image, text, (30, 60 + 100 * i), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (255, 255, 255), 2)
    return image


@needs_onnx
def test_text_is_found_in_the_same_places() -> None:
    by_gpu, by_cpu = (TextDetector(text_detector.packaged_model(), device=device) for device in (GPU, "cpu"))
    images = [page(), np.ascontiguousarray(page()[:, ::-1])]
    found = by_gpu.probabilities(images)
    assert found.max() > 0.9
    np.testing.assert_allclose(found, by_cpu.probabilities(images), atol=0.03)
    for one, other in zip(by_gpu.detect(images[:1])[0], by_cpu.detect(images[:1])[0], strict=True):
        np.testing.assert_allclose(one.box, other.box, atol=3)


@needs_onnx
def test_lines_read_the_same() -> None:
    by_gpu, by_cpu = (TextReader(text_reader.packaged_model(), device=device) for device in (GPU, "cpu"))
    lines = [page()[20 + 100 * i : 80 + 100 * i] for i in range(3)]
    read = by_gpu.read(lines)
    assert [text for text, _ in read] == [text for text, _ in by_cpu.read(lines)]
    assert read[2].text == "12:45:07"


@needs_onnx
def test_faces_are_found_in_the_same_places(shared_data) -> None:
    by_gpu, by_cpu = (FaceDetector(face_detector.packaged_model(), device=device) for device in (GPU, "cpu"))
    image = cv2.imread(str(shared_data / "frames/non-surgical/liveportrait/d0_00.jpg"))[:, :, ::-1]
    faces = by_cpu.detect(image)
    assert faces
    for one, other in zip(by_gpu.detect(image), faces, strict=True):
        np.testing.assert_allclose(one.box, other.box, atol=3)
        assert one.score == pytest.approx(other.score, abs=0.03)


def test_embeddings_point_the_same_way() -> None:
    by_gpu, by_cpu = (load_embedder("default", device=device) for device in (GPU, "cpu"))
    images = [page(), page()[:, ::-1], 255 - page()]
    (one,), (other,) = (list(embedder.stream(images)) for embedder in (by_gpu, by_cpu))
    assert ((one.astype(np.float32) * other.astype(np.float32)).sum(axis=1) > 0.999).all()
