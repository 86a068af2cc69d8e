"""Which device an ONNX graph runs on, and that nobody is told another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest

from curate.errors import CurateError
from curate.nets import onnx_session
from curate.nets.detect.text_detector import packaged_model
from curate.nets.onnx_session import CUDA, open_session, providers

HAS_CUDA = CUDA in onnxruntime.get_available_providers()


@pytest.fixture
def claims_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ONNX Runtime that lists CUDA and cannot use it, as where its libraries are not there."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, "CPUExecutionProvider"])


def test_devices() -> None:
    assert providers("cpu") == [("CPUExecutionProvider", {})]
    assert providers("auto")[-1] == ("CPUExecutionProvider", {})
    for wrong in ("gpu", "cuda:x", "auto:1", "cuda:-1"):
        with pytest.raises(CurateError, match="unknown device"):
            providers(wrong)


@pytest.mark.skipif(HAS_CUDA, reason="this ONNX Runtime has CUDA")
def test_asking_for_cuda_where_there_is_none_is_said() -> None:
    with pytest.raises(CurateError, match="onnxruntime-gpu"):
        providers("cuda:1")


@pytest.mark.usefixtures("claims_cuda")
def test_the_gpu_is_taken_by_itself_only_where_there_is_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    for driver, first in ((False, "CPUExecutionProvider"), (True, CUDA)):
        monkeypatch.setattr(onnx_session, "may_have_cuda", lambda driver=driver: driver)
        assert providers("auto")[0][0] == first
        assert providers("cuda:2")[0] == (CUDA, {"device_id": 2})


@pytest.mark.skipif(HAS_CUDA, reason="this ONNX Runtime has CUDA")
@pytest.mark.usefixtures("claims_cuda")
@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_gpu_that_cannot_be_used_is_not_replaced_in_silence(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CurateError, match="cannot use CUDA for the text detector"):
        open_session(packaged_model(), "text detector", device="cuda")
    assert capfd.readouterr().out == ""


def test_a_file_that_is_no_graph_is_told_once(tmp_path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    with pytest.raises(CurateError, match=r"cannot load the network .*bad\.onnx"):
        open_session(tmp_path / "bad.onnx", "network")
    assert capfd.readouterr().out == ""


def test_nothing_of_a_session_is_told_to_anybody_or_kept_to_be(tmp_path: Path) -> None:
    code = (
        "from curate.nets import onnx_session; from curate.nets.detect.text_detector import packaged_model; "
        "onnx_session.open_session(packaged_model(), 'graph')"
    )
    environment = {
        name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    }
    subprocess.run(
        [sys.executable, "-B", "-c", code],
        env={**environment, "HOME": str(tmp_path)},
        check=True,
        timeout=200,
        cwd=Path(__file__).parents[2],
    )
    assert list(tmp_path.rglob("*")) == []
