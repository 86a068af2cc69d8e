"""A lab's own interface: hand-drawn boxes, the network trained further on them, and templates."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from curate.cli import run_command
from curate.config import MaskOptions
from curate.errors import CurateError
from curate.nets.detect import overlay
from curate.nets.detect.boxed import COLUMNS, OtherSize, Template, read_boxed
from curate.nets.detect.overlay import OverlayNet
from curate.nets.detect.own_overlay import MODEL, SEAL, overlay_model
from curate.nets.detect.regions import RegionFinder
from curate.training.masks import parts_of
from curate.training.overlay_unet import export, from_graph
from curate.vision.static_content import reduce, statistics

WIDTH, HEIGHT = 320, 192
PANEL = (8, 140, 88, 180)


def scene(seed: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 70, (12, 20, 3)) + np.array([130, 50, 40])
    return cv2.resize(coarse.astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)


def write_boxes(folder: Path, rows: list[dict[str, object]], name: str = "boxes.csv") -> Path:
    path = folder / name
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [*COLUMNS, "video"], restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def row(name: str, kind: str, box: tuple[float, ...], video: str = "") -> dict[str, object]:
    return {"file": name, "kind": kind, **dict(zip(COLUMNS[2:], box, strict=True)), "video": video}


@pytest.fixture
def boxed(tmp_path: Path) -> Path:
    """Six frames of three videos, four with a panel."""
    rows: list[dict[str, object]] = []
    for number in range(6):
        image = scene(number)
        x1, y1, x2, y2 = PANEL
        if number % 3 != 2:
            image[y1:y2, x1:x2] = (20, 60, 90)
            image[y1 + 10 : y1 + 14, x1 + 6 : x2 - 6] = 230
        suffix = "png" if number == 0 else "jpg"
        name = f"f{number}.{suffix}"
        assert cv2.imwrite(str(tmp_path / name), image[:, :, ::-1])
        rows.append(
            row(name, "ui", PANEL, f"v{number // 2}")
            if number % 3 != 2
            else {"file": name, "kind": "", "video": f"v{number // 2}"}
        )
    return write_boxes(tmp_path, rows)


def test_the_packaged_graph_comes_back_as_the_network_it_was(tmp_path: Path) -> None:
    maps = statistics([reduce(scene(1)), reduce(scene(2))])
    packaged = OverlayNet(overlay.packaged_model()).probabilities(maps)
    export(from_graph(overlay.packaged_model()), tmp_path / MODEL)
    assert np.allclose(OverlayNet(tmp_path / MODEL).probabilities(maps), packaged, atol=1e-4)


def test_from_boxes_to_a_network_that_knows_the_panel(boxed: Path, tmp_path: Path, capsys) -> None:
    folder = tmp_path / "own"
    words = ["train", "masks", "--boxes", str(boxed), "-o", str(folder), "--steps", "6", "--folds", "2"]
    assert run_command(words) == 0
    printed = capsys.readouterr().out
    assert "| packaged |" in printed
    assert "| this one |" in printed
    card = (folder / "README.md").read_text()
    assert "6 frames of 3 videos; boxes: 4 ui." in card
    assert str(tmp_path) not in card
    assert not (folder / ".training").exists()
    graph = overlay_model(folder)
    image = cv2.imread(str(tmp_path / "f0.png"))[:, :, ::-1]
    maps = statistics([reduce(np.ascontiguousarray(image))])
    x1, y1, x2, y2 = PANEL
    before, after = (
        1 - OverlayNet(path).probabilities(maps)[0, y1:y2, x1:x2].mean() for path in (overlay.packaged_model(), graph)
    )
    assert after > before
    assert run_command(words) == 1
    assert "holds a model already" in capsys.readouterr().err


def test_what_is_not_finished_or_was_changed_is_not_loaded(tmp_path: Path) -> None:
    export(from_graph(overlay.packaged_model()), tmp_path / MODEL)
    with pytest.raises(CurateError, match="no finished overlay network"):
        RegionFinder(MaskOptions(detector="none", overlay_model=tmp_path))
    (tmp_path / SEAL).write_text('{"model": "model.onnx", "sha256": "0"}')
    with pytest.raises(CurateError, match="is not the file"):
        overlay_model(tmp_path)
    (tmp_path / SEAL).write_text("{")
    with pytest.raises(CurateError, match="damaged"):
        overlay_model(tmp_path)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (
            row("f0.png", "ui", (0, 0, 321, 10)),
            r"boxes.csv:8: the box 0, 0, 321, 10 reaches beyond the picture of 320x192",
        ),
        (row("f0.png", "ui", (-1, 0, 10, 10)), "reaches beyond"),
        (row("f0.png", "ui", (10, 10, 10, 20)), "is empty"),
        (row("f0.png", "panel", (0, 0, 10, 10)), "kind 'panel' is not one of text, logo"),
        (row("f0.png", "ui", ("a", 0, 10, 10)), "no number"),  # type: ignore[arg-type]
        (row("f0.png", "", (0, 0, 10, 10)), "has no kind"),
        (row("f9.jpg", "ui", (0, 0, 10, 10)), "there is no picture 'f9.jpg'"),
        (row("boxes.csv", "ui", (0, 0, 10, 10)), "cannot read the picture"),
        (row("f0.png", "ui", (0, 0, 10, 10), "another"), "of another video in line 2"),
    ],
)
def test_bad_boxes_are_named_by_their_line_and_nothing_is_left(boxed: Path, bad: dict, said: str, capsys) -> None:
    with boxed.open("a", newline="") as stream:
        csv.DictWriter(stream, [*COLUMNS, "video"], restval="").writerow({**bad, "video": bad["video"] or "v0"})
    with pytest.raises(CurateError, match=said):
        read_boxed(boxed)
    folder = boxed.parent / "own"
    assert run_command(["train", "masks", "--boxes", str(boxed), "-o", str(folder)]) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert not folder.exists()


def test_a_video_is_in_one_part(boxed: Path) -> None:
    frames = read_boxed(boxed)
    parts = parts_of(frames, 2)
    assert sorted(name for part in parts for name in part) == ["v0", "v1", "v2"]
    with pytest.raises(CurateError, match="one video"):
        parts_of(frames[:2], 2)


def test_a_template_gives_its_boxes_to_every_frame_of_its_size(boxed: Path) -> None:
    path = write_boxes(
        boxed.parent, [row("f1.jpg", "ui", PANEL), row("f1.jpg", "text", (100, 5, 200, 15))], "template.csv"
    )
    finder = RegionFinder(MaskOptions(detector="none", overlays=False, template=path))
    out = dict(finder.find((n, scene(n)) for n in range(3)))
    assert [[(r.kind, r.box) for r in out[n]] for n in range(3)] == [[("text", (100, 5, 200, 15)), ("ui", PANEL)]] * 3
    with pytest.raises(OtherSize, match=r"template.csv: the template is for frames of 320x192 pixels.*640x384"):
        list(finder.find([(0, scene(0, 640, 384))]))


def test_a_template_has_one_picture_of_a_size(boxed: Path) -> None:
    path = write_boxes(boxed.parent, [row("f1.jpg", "ui", PANEL), row("f3.jpg", "ui", PANEL)], "template.csv")
    with pytest.raises(CurateError, match=r"template\.csv:3: a second picture of 320x192"):
        Template(path)
