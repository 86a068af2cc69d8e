"""``curate predict`` on real images and videos."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import simplejpeg

from curate.cli import run_command
from curate.nets.classifier import load_classifier
from curate.predict.predictor import input_files
from curate.workspace.tables import prediction_schema
from tests.nets.making import jpeg, picture, tiny_model
from tests.rendered import render_operation


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tiny")
    tiny_model(folder)
    return str(folder)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "operation.mp4"
    render_operation(path, before=1, surgery=3, after=1)
    return path


def rows_of(path: Path) -> list[dict]:
    return pq.read_table(path).to_pylist()


def test_images_of_a_folder_get_what_the_classifier_says(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "in"
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "2.JPG").write_bytes(jpeg(2))
    (folder / "a.jpg").write_bytes(jpeg(1))
    cv2.imwrite(str(folder / "c.png"), picture(3)[:, :, ::-1])
    (folder / "notes.txt").write_text("not an image")
    (folder / ".hidden.jpg").write_bytes(jpeg(4))
    assert run_command(["predict", "./in/", "in/c.png", "-o", "p.parquet", "--model", model, "--detector", "none"]) == 0
    table = pq.read_table("p.parquet")
    assert table.schema.equals(prediction_schema())
    assert table["path"].to_pylist() == ["./in/a.jpg", "./in/c.png", "./in/b/2.JPG", "in/c.png"]
    assert table["timestamp"].to_pylist() == [None] * 4
    expected = load_classifier(model, device="cpu").predict([jpeg(1), picture(3), jpeg(2), picture(3)])
    np.testing.assert_allclose(table["p_surgical"], expected, atol=1e-6)
    named = ["uncertain" if 0.55 <= p < 0.65 else "surgical" if p >= 0.6 else "non-surgical" for p in expected]
    assert table["verdict"].to_pylist() == named
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "p.parquet"]


def test_formats_hold_the_same_rows_and_reruns_the_same_bytes(model: str, video: Path, tmp_path: Path) -> None:
    image = tmp_path / "text.jpg"
    canvas = picture(5, 360, 640)
    cv2.putText(canvas, "Dr. A. Surgeon 12:34", (40, 330), cv2.FONT_HERSHEY_SIMPLEX, 1, (255, 255, 255), 2)
    image.write_bytes(simplejpeg.encode_jpeg(canvas, 95))
    arguments = ["predict", str(image), str(video), "--model", model, "--detector", "text", "--rate", "2"]
    for name in ("p.parquet", "again.parquet", "p.csv", "p.jsonl"):
        assert run_command([*arguments, "-o", str(tmp_path / name)]) == 0
    assert (tmp_path / "p.parquet").read_bytes() == (tmp_path / "again.parquet").read_bytes()
    rows = rows_of(tmp_path / "p.parquet")
    assert [row["path"] for row in rows] == [str(image)] + [str(video)] * 10
    assert [row["timestamp"] for row in rows[1:]] == pytest.approx(np.arange(10) / 2, abs=0.05)
    (region,) = rows[0]["regions"]
    assert region["kind"] == "text" and region["y1"] > 280 and region["x1"] < 60 and region["y2"] <= 360
    with open(tmp_path / "p.csv", newline="") as stream:
        listed = list(csv.DictReader(stream))
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    for row, text, line in zip(rows, listed, lines, strict=True):
        assert float(text["p_surgical"]) == pytest.approx(row["p_surgical"], rel=1e-6)
        assert text["timestamp"] == ("" if row["timestamp"] is None else repr(row["timestamp"]))
        assert json.loads(text["regions"]) == line["regions"]
        assert line["verdict"] == row["verdict"]
        assert [r["score"] for r in line["regions"]] == pytest.approx([r["score"] for r in row["regions"]])


@pytest.mark.parametrize("flags", [[], ["--smooth"], ["--threshold", "0.3"]])
def test_a_video_gets_the_verdicts_of_curate_run(model: str, video: Path, tmp_path: Path, flags: list[str]) -> None:
    workspace = tmp_path / "w"
    common = ["--classify-model", model, "--until", "trim"]
    assert (
        run_command(
            [
                "run",
                str(video),
                "-w",
                str(workspace),
                *common,
                *[f"--trim-{f[2:]}" if f[:2] == "--" else f for f in flags],
            ]
        )
        == 0
    )
    output = tmp_path / "p.parquet"
    assert run_command(["predict", str(video), "-o", str(output), "--model", model, "--detector", "none", *flags]) == 0
    columns = ["timestamp", "p_surgical", "verdict"]
    expected = pq.read_table(workspace / "verdicts" / "operation.parquet", columns=columns)
    assert pq.read_table(output, columns=columns).to_pydict() == expected.to_pydict()


def test_regions_of_a_video_are_those_of_the_mask_stage(video: Path, tmp_path: Path) -> None:
    workspace, output = tmp_path / "w", tmp_path / "p.parquet"
    assert run_command(["run", str(video), "-w", str(workspace), "--until", "mask"]) == 0
    assert run_command(["predict", str(video), "-o", str(output)]) == 0
    rows = rows_of(output)
    assert [row["verdict"] for row in rows] == ["non-surgical"] + ["surgical"] * 3 + ["non-surgical"]
    expected = pq.read_table(workspace / "regions" / "operation.parquet").to_pylist()
    assert expected
    found = [{"n": n, **region} for n in (1, 2, 3) for region in rows[n]["regions"]]
    assert found == expected


def test_broken_files_are_listed_and_cost_only_themselves(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "1-good.jpg").write_bytes(jpeg(1))
    (folder / "2-empty.jpg").touch()
    (folder / "3-half.jpg").write_bytes(jpeg(1)[:800])
    (folder / "4-letter.png").write_text("Dear editor")
    (folder / "5-good.bmp").write_bytes(cv2.imencode(".bmp", picture(2))[1].tobytes())
    (folder / "6-letter.mp4").write_text("Dear editor")
    header = b"P6 100000 100000 255\n"
    (folder / "7-bomb.ppm").write_bytes(header + bytes(100))
    assert (
        run_command(["predict", str(folder), "-o", str(tmp_path / "p.csv"), "--model", model, "--detector", "none"])
        == 2
    )
    with open(tmp_path / "p.csv", newline="") as stream:
        assert [Path(row["path"]).name for row in csv.DictReader(stream)] == ["1-good.jpg", "5-good.bmp"]
    said = capsys.readouterr().err
    for name in ("2-empty.jpg: the file is empty", "3-half.jpg", "4-letter.png", "6-letter.mp4: not_a_video", "7-bomb"):
        assert name in said
    assert "5 of 7 files could not be read" in said and "Traceback" not in said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "p.csv"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.jpg", "-o", "p.csv"], "no such file"),
        (["empty", "-o", "p.csv"], "known endings"),
        (["a.jpg", "-o", "p.txt"], ".jsonl"),
        (["a.jpg", "-o", "no/p.csv"], "there is no folder"),
        (["a.jpg", "-o", "p.csv", "--rate", "0"], "sample.rate"),
        (["a.jpg", "-o", "p.csv", "--model", "no-such"], "no frame classifier"),
    ],
)
def test_wrong_usage_is_said_and_writes_nothing(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    assert run_command(["predict", *arguments]) == 1
    assert said in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jpg", "empty"]


def test_an_interrupted_run_leaves_the_old_file(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    arguments = [
        "predict",
        str(tmp_path / "a.jpg"),
        "-o",
        str(tmp_path / "p.csv"),
        "--model",
        model,
        "--detector",
        "none",
    ]
    assert run_command(arguments) == 0
    before = (tmp_path / "p.csv").read_bytes()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("curate.predict.table.commit", interrupt)
    assert run_command(arguments) == 130
    assert (tmp_path / "p.csv").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jpg", "p.csv"]


def test_files_keep_the_order_given(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.mp4", "strange.name"):
        (tmp_path / name).touch()
    given = [str(tmp_path / "strange.name"), str(tmp_path)]
    assert input_files(given) == [given[0], f"{tmp_path}/a.mp4", f"{tmp_path}/b.jpg"]
