"""The screen stage on real videos, alone and in the pipeline."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg
import torch

from curate.cli import run_command
from curate.config import ScreenOptions
from curate.nets.classifier import load_classifier
from curate.nets.torchvision_repair import import_timm
from curate.records import Done, Dropped, Failed, Reason, Video
from curate.stage import Files
from curate.stages.screen import ScreenStage
from curate.vision.storyboard import lemon_storyboard
from curate.workspace.ledger import read_ledger
from tests.media.videos import decode_everything, encode
from tests.rendered import render_operation, render_slides

VIDEO = Video(id="a-video", source="/a.mp4")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    render_operation(folder / "operation.mp4", before=1, surgery=5, after=2)
    render_slides(folder / "slides.mp4")
    return folder


@pytest.fixture(scope="module")
def lemon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checkpoints as LEMON publishes them, with random weights."""
    folder = tmp_path_factory.mktemp("storyboard")
    for seed in range(2):
        torch.manual_seed(seed)
        network = import_timm().create_model("resnet18", num_classes=2)
        state = {f"module.{name}": value for name, value in network.state_dict().items()}
        torch.save({"net": state, "epoch": 3}, folder / f"model_{seed}.pt")
    return folder


def screen(tmp_path: Path, path: Path, **options: object) -> Done | Dropped | Failed:
    stage = ScreenStage(ScreenOptions(device="cpu", **options))
    stage.setup()
    out = tmp_path / "storyboards"
    out.mkdir(exist_ok=True)
    return stage.process(VIDEO, Files({"download": path}, out, VIDEO.id))


def test_an_operation_passes_with_its_storyboard(videos: Path, tmp_path: Path) -> None:
    outcome = screen(tmp_path, videos / "operation.mp4", method="frames", count=8)
    assert isinstance(outcome, Done)
    assert outcome.figures == {"frames_looked_at": 8, "frames_surgical": 5}
    assert outcome.artefact == tmp_path / "storyboards" / ".a-video.tmp.jpg"
    picture = simplejpeg.decode_jpeg(outcome.artefact.read_bytes())
    assert picture.shape == (3 * 180, 3 * 320, 3)
    red, _, blue = picture[180:340, 330:630].reshape(-1, 3).mean(axis=0)  # tile 5 of 9: surgery
    assert red > 1.5 * blue
    assert picture[2 * 180 + 5 :, 2 * 320 + 5 :].max() < 10  # no ninth frame


def test_the_share_decides(videos: Path, tmp_path: Path) -> None:
    outcome = screen(tmp_path, videos / "operation.mp4", method="frames", count=8, share=0.9)
    assert isinstance(outcome, Dropped)
    assert outcome.reason is Reason.NOT_SURGICAL
    assert outcome.detail == "5 of 8 frames are surgical, less than 90%"
    assert outcome.artefact is not None and outcome.artefact.exists()
    assert isinstance(screen(tmp_path, videos / "operation.mp4", method="frames", count=8, share=0.625), Done)


def test_a_file_without_frames_fails(tmp_path: Path, lemon: Path) -> None:
    path = tmp_path / "letter.mp4"
    path.write_text("Dear editor")
    for options in ({"method": "frames"}, {"method": "lemon", "model": str(lemon)}):
        outcome = screen(tmp_path, path, **options)
        assert isinstance(outcome, Failed) and outcome.reason is Reason.NOT_A_VIDEO


@pytest.mark.parametrize(("count", "left_black"), [(50, 0), (16, 0), (7, 9)])
def test_lemons_collage_has_the_frames_and_places_of_videosum(tmp_path: Path, count: int, left_black: int) -> None:
    path = encode(tmp_path / "v.mp4", frames=count, size=(160, 120))
    frames = [image for _, _, image in decode_everything(path)]
    expected = np.zeros((1080, 1920, 3), np.uint8)
    chosen = np.round(np.linspace(0, count - 1, num=16)).astype(int)
    place = 0
    for number, frame in enumerate(frames):
        if number in chosen:
            top, left = place // 4 * 270, place % 4 * 480
            shrunk = cv2.resize(frame, (480, 270), interpolation=cv2.INTER_LANCZOS4)
            expected[top : top + 270, left : left + 480] = shrunk
            place += 1
    assert place == 16 - left_black
    np.testing.assert_array_equal(lemon_storyboard(path), expected)


def test_lemons_models_judge_as_the_published_code_does(videos: Path, lemon: Path, tmp_path: Path) -> None:
    picture = lemon_storyboard(videos / "operation.mp4")
    pixels = cv2.resize(picture, (384, 384)).astype(np.float32) / 255
    mean, std = (0.44476654, 0.35751768, 0.34613244), (0.28885465, 0.25989645, 0.26113421)
    batch = torch.from_numpy(((pixels - np.float32(mean)) / np.float32(std)).transpose(2, 0, 1)[None].copy())
    outputs = []
    for path in sorted(lemon.iterdir()):
        network = import_timm().create_model("resnet18", num_classes=2)
        state = torch.load(path, weights_only=True)["net"]
        network.load_state_dict({name.removeprefix("module."): value for name, value in state.items()})
        with torch.inference_mode():
            outputs.append(network.eval()(batch))
    mean_logits = torch.stack(outputs).mean(dim=0)
    expected = float(torch.softmax(mean_logits, dim=1)[0, 0])
    found = load_classifier(str(lemon), kind="storyboard", device="cpu").predict([picture])[0]
    assert found == pytest.approx(expected, abs=1e-5)
    outcome = screen(tmp_path, videos / "operation.mp4", method="lemon", model=str(lemon))
    assert isinstance(outcome, Done if int(mean_logits.argmax()) == 0 else Dropped)
    assert outcome.artefact is not None
    swapped = tmp_path / "swapped"
    swapped.mkdir()
    for path in lemon.iterdir():
        state = torch.load(path, weights_only=True)["net"]
        for name in ("module.fc.weight", "module.fc.bias"):
            state[name] = state[name].flip(0)
        torch.save({"net": state}, swapped / path.name)
    other = screen(tmp_path, videos / "operation.mp4", method="lemon", model=str(swapped))
    assert {type(outcome), type(other)} == {Done, Dropped}
    assert simplejpeg.decode_jpeg_header(outcome.artefact.read_bytes())[:2] == (1080, 1920)


def test_in_the_pipeline_it_drops_before_sampling_and_can_be_switched(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = tmp_path / "w"
    assert run_command(["run", str(videos), "-w", str(workspace), "--until", "sample"]) == 0
    assert not (workspace / "storyboards").exists()
    assert "screen" not in capsys.readouterr().out
    frames = {p.name: p.stat().st_mtime_ns for p in (workspace / "frames").iterdir()}
    assert run_command(["screen", "-w", str(workspace)]) == 1
    assert "switched off" in capsys.readouterr().err
    assert run_command(["screen", "-w", str(workspace), "--method", "frames"]) == 0
    found = {key: str(r.last.reason or r.last.outcome) for key, r in read_ledger(workspace / "ledger").items()}
    assert (found["slides", "screen"], found["operation", "screen"]) == ("not_surgical", "done")
    assert sorted(p.name for p in (workspace / "storyboards").iterdir()) == ["operation.jpg", "slides.jpg"]
    assert run_command(["run", "-w", str(workspace), "--until", "trim"]) == 0
    found = {key: str(r.last.reason or r.last.outcome) for key, r in read_ledger(workspace / "ledger").items()}
    assert found["operation", "trim"] == "done" and ("slides", "classify") not in found
    assert frames == {p.name: p.stat().st_mtime_ns for p in (workspace / "frames").iterdir()}
    assert run_command(["status", "-w", str(workspace)]) == 0
    assert "screen: dropped not_surgical: 1" in capsys.readouterr().out
