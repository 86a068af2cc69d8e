"""Figures by counting, curves against a slow definition, and the command's folder."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
import simplejpeg

from curate.cli import run_command
from curate.evaluation.classifier import Scored, figures, markdown
from curate.evaluation.labels import LabelledFrame
from curate.evaluation.plots import curve, write_plots
from curate.evaluation.report import SHOWN, write_report
from curate.nets.classifier import load_classifier
from curate.vision.contact_sheet import COLUMNS, HEIGHT, WIDTH, Cell, contact_sheet
from tests.nets.making import jpeg, picture, tiny_model


def scored(folder: Path, rows: list[tuple[bool, str, float]], threshold: float = 0.5) -> Scored:
    frames = []
    for number, (surgical, source, _) in enumerate(rows):
        path = folder / f"{number}.jpg"
        path.write_bytes(jpeg(number, 40, 60))
        frames.append(LabelledFrame(path, surgical, source, f"g{number}", ""))
    return Scored(frames, np.array([p for *_, p in rows]), threshold, (0.4, 0.6))


ROWS = [(True, "a", 0.95), (True, "a", 0.9), (True, "b", 0.45), (False, "c", 0.1), (False, "c", 0.8), (False, "a", 0.2)]


def test_figures_by_counting(tmp_path: Path) -> None:
    found = figures(scored(tmp_path, ROWS))
    assert found["confusion"] == {
        "surgical": {"surgical": 2, "non-surgical": 1},
        "non-surgical": {"surgical": 1, "non-surgical": 2},
    }
    assert [(r["source"], r["label"], r["frames"], r["right"], r["uncertain"]) for r in found["sources"]] == [
        ("a", "surgical", 2, 2, 0),
        ("b", "surgical", 1, 0, 1),
        ("a", "non-surgical", 1, 1, 0),
        ("c", "non-surgical", 2, 1, 0),
    ]
    assert (found["uncertain_frames"], found["uncertain_errors"]) == (1, 1)
    frames = found["weighing"]["frames"]
    assert (frames["precision"], frames["recall"]) == pytest.approx((2 / 3, 2 / 3))
    assert frames["precision_at_recall"]["0.99"] == pytest.approx({"precision": 3 / 4, "threshold": 0.45})
    # a source of n frames weighs as the root of n, and both labels alike
    a, b, c = 2**0.5, 1.0, 2**0.5
    sources = found["weighing"]["sources"]
    assert sources["recall"] == pytest.approx(a / (a + b))
    assert sources["precision"] == pytest.approx((a / (a + b)) / (a / (a + b) + (c / 2) / (c + 1)))
    json.dumps(found)


def test_a_threshold_that_nothing_reaches_has_no_precision(tmp_path: Path) -> None:
    found = figures(scored(tmp_path, ROWS, threshold=1.0))
    assert found["weighing"]["frames"]["precision"] is None
    assert "precision none, recall 0.0000" in markdown(found)


def test_the_curve_is_precision_and_recall_at_every_threshold() -> None:
    rng = np.random.default_rng(0)
    p, truth, weights = rng.integers(0, 8, 60) / 8, rng.random(60) < 0.4, rng.random(60)
    recall, precision = curve(p, truth, weights)
    slow = []
    for threshold in sorted(set(p), reverse=True):
        taken = p >= threshold
        hit = (weights * (taken & truth)).sum()
        slow.append((hit / (weights * truth).sum(), hit / (weights * taken).sum()))
    np.testing.assert_allclose(np.stack([recall, precision], axis=1), slow)


def test_plots_are_pictures_and_the_same_each_time(tmp_path: Path) -> None:
    answers = scored(tmp_path, ROWS)
    first = {path.name: path.read_bytes() for path in write_plots(answers, tmp_path)}
    assert set(first) == {"precision_recall.png", "reliability.png", "confusion.png"}
    for name, content in first.items():
        drawn = np.asarray(PIL.Image.open(tmp_path / name).convert("RGB"))
        assert drawn.std() > 10
        assert (tmp_path / name).read_bytes() == content
    assert {path.name: path.read_bytes() for path in write_plots(answers, tmp_path)} == first


def test_a_report_shows_the_most_confident_errors_first(tmp_path: Path) -> None:
    rows = [(True, "a", 0.45), (False, "b", 0.99), (True, "a", 0.9), (False, "b", 0.1), (False, "b", 0.7)]
    out = tmp_path / "report"
    write_report(scored(tmp_path, rows), out, tmp_path / "labels.csv", {"name": "m"})
    sheet = simplejpeg.decode_jpeg((out / "errors.jpg").read_bytes())
    across = WIDTH + 12
    assert sheet.shape[1] == 3 * across
    shown = [sheet[6 : 6 + HEIGHT, i * across + 6 : i * across + 6 + WIDTH].astype(float) for i in range(3)]
    for cell, number in zip(shown, (1, 4, 0), strict=True):
        small = picture(number, 40, 60)
        middle = cell[50:90, 82:142]
        assert np.abs(middle - small).mean() < 12
    assert (out / "uncertain.jpg").exists()
    with (out / "predictions.csv").open() as stream:
        assert [(r["file"], r["verdict"]) for r in csv.DictReader(stream)] == [
            ("0.jpg", "uncertain"), ("1.jpg", "surgical"), ("2.jpg", "surgical"), ("3.jpg", "non-surgical"),
            ("4.jpg", "surgical"),
        ]  # fmt: skip

    write_report(scored(tmp_path, [(True, "a", 0.9), (False, "b", 0.1)]), out, tmp_path / "labels.csv", {"name": "m"})
    assert not (out / "errors.jpg").exists() and not (out / "uncertain.jpg").exists()


def test_a_contact_sheet_has_rows_and_takes_any_size() -> None:
    cells = [Cell(picture(i, 20 + 300 * (i % 2), 900 - 120 * i), (f"{i}", "x" * 500, "ü\n|")) for i in range(7)]
    page = simplejpeg.decode_jpeg(contact_sheet(cells))
    assert page.shape[1] == COLUMNS * (WIDTH + 12)
    assert page.shape[0] == 2 * (HEIGHT + 12 + 3 * 15)
    assert contact_sheet(cells) == contact_sheet(cells)
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])
    assert SHOWN % COLUMNS == 0


def test_the_command_agrees_with_the_classifier(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_model(tmp_path / "model")
    lines = ["file,label"]
    for number in range(10):
        name = f"{number}.png" if number == 3 else f"{number}.jpg"
        cv2.imwrite(str(tmp_path / name), picture(number)[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])
        lines.append(f"{name},{'surgical' if number % 2 else 'non-surgical'}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    options = ["--labels", str(tmp_path / "labels.csv"), "--model", str(tmp_path / "model"), "--device", "cpu"]
    assert run_command(["evaluate", "classifier", *options, "-o", str(tmp_path / "out"), "-q"]) == 0
    result = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (result["frames"], result["threshold"], result["model"]["name"]) == (10, 0.6, "tiny")
    classifier = load_classifier(str(tmp_path / "model"), device="cpu", threads=1)
    expected = classifier.predict([picture(3), (tmp_path / "4.jpg").read_bytes()])
    with (tmp_path / "out" / "predictions.csv").open() as stream:
        said = [float(row["p_surgical"]) for row in csv.DictReader(stream)]
    assert said[3:5] == pytest.approx(expected.tolist(), abs=2e-6)

    (tmp_path / "2.jpg").write_bytes(b"\xff\xd8 broken")
    capsys.readouterr()
    again = [*options, "-o", str(tmp_path / "out"), "--threshold", "0.9"]
    assert run_command(["evaluate", "classifier", *again]) == 2
    assert "labels.csv:4: left out" in capsys.readouterr().err
    result = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (result["frames"], result["threshold"], result["uncertain"]) == (9, 0.9, [0.55, 0.9])
