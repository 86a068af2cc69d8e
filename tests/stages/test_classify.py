"""The classify stage on tables of real JPEGs."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.config import ClassifyOptions
from curate.errors import CurateError
from curate.nets.classifier import load_classifier
from curate.nets.weights.model_config import read_config
from curate.records import Done, Failed, Reason, Video
from curate.stage import Files
from curate.stages.classify import ClassifyStage
from curate.vision.colour_change import change, colours
from curate.workspace.tables import frame_schema, score_schema
from tests.nets.making import jpeg, tiny_model

VIDEO = Video(id="a-video", source="/a.mp4")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    tiny_model(folder)
    return folder


@pytest.fixture
def stage(model: Path) -> ClassifyStage:
    stage = ClassifyStage(ClassifyOptions(model=str(model), device="cpu"))
    stage.setup()
    return stage


def frames(path: Path, images: list[bytes], rows_a_group: int = 4) -> Path:
    rows = [
        {"n": n, "timestamp": n * 1.001, "source_index": n, "key_frame": False, "width": 200, "height": 120, "image": i}
        for n, i in enumerate(images)
    ]
    pq.write_table(pa.Table.from_pylist(rows, frame_schema()), path, row_group_size=rows_a_group)
    return path


def files(folder: Path, sample: Path) -> Files:
    out = folder / "scores"
    out.mkdir(exist_ok=True)
    return Files({"sample": sample}, out, VIDEO.id)


def test_every_frame_gets_its_own_score(stage: ClassifyStage, model: Path, tmp_path: Path) -> None:
    images = [jpeg(seed) for seed in range(10)]
    outcome = stage.process(VIDEO, files(tmp_path, frames(tmp_path / "f.parquet", images)))
    assert isinstance(outcome, Done)
    assert outcome.artefact == tmp_path / "scores" / ".a-video.tmp.parquet"
    table = pq.read_table(outcome.artefact)
    assert table.schema.equals(score_schema())
    expected = load_classifier(str(model), device="cpu").predict(images)
    np.testing.assert_allclose(table["p_surgical"], expected, atol=1e-6)
    assert table["n"].to_pylist() == list(range(10))
    np.testing.assert_allclose(table["timestamp"], np.arange(10) * 1.001)
    small = [colours(load_classifier(str(model), device="cpu").prepare(image)) for image in images]
    assert table["change"].to_pylist() == pytest.approx([0, *itertools.starmap(change, itertools.pairwise(small))])
    config = read_config(model / "config.json")
    assert table.schema.metadata == {
        b"model": b"tiny",
        b"sha256": config.weights[0].sha256.encode(),
        b"threshold": b"0.6",
        b"uncertain_low": b"0.55",
        b"uncertain_high": b"0.65",
    }
    surgical = int((expected >= 0.6).sum())
    assert outcome.figures["frames"] == 10
    assert outcome.figures["surgical"] == surgical
    assert outcome.figures["non_surgical"] == 10 - surgical
    assert outcome.figures["uncertain"] == int(((expected >= 0.55) & (expected < 0.65)).sum())


def test_the_table_is_the_same_byte_for_byte(stage: ClassifyStage, model: Path, tmp_path: Path) -> None:
    place = files(tmp_path, frames(tmp_path / "f.parquet", [jpeg(seed) for seed in range(6)]))
    stage.process(VIDEO, place)
    first = place.temporary(".parquet").read_bytes()
    again = ClassifyStage(ClassifyOptions(model=str(model), device="cpu"))
    again.setup()
    again.process(VIDEO, place)
    assert place.temporary(".parquet").read_bytes() == first


@pytest.mark.parametrize("bad", [b"", b"no picture", jpeg(0)[:400]])
def test_a_damaged_picture_fails_the_video_alone(stage: ClassifyStage, tmp_path: Path, bad: bytes) -> None:
    images = [jpeg(0)] * 5 + [bad] + [jpeg(1)] * 4
    outcome = stage.process(VIDEO, files(tmp_path, frames(tmp_path / "f.parquet", images)))
    assert isinstance(outcome, Failed)
    assert outcome.reason is Reason.BAD_ARTEFACT
    assert outcome.retryable
    assert "n = 0 to 9" in outcome.detail
    good = stage.process(VIDEO, files(tmp_path, frames(tmp_path / "g.parquet", [jpeg(2)])))
    assert isinstance(good, Done)


def test_tables_that_cannot_be_read(stage: ClassifyStage, tmp_path: Path) -> None:
    whole = frames(tmp_path / "f.parquet", [jpeg(0)] * 3).read_bytes()
    cases = {"empty": b"", "other": b"not parquet at all", "cut": whole[:-40], "spoilt": b"\0" * 600 + whole[600:]}
    for name, content in cases.items():
        path = tmp_path / f"{name}.parquet"
        path.write_bytes(content)
        outcome = stage.process(VIDEO, files(tmp_path, path))
        assert isinstance(outcome, Failed), name
        assert (outcome.reason, outcome.retryable) == (Reason.BAD_ARTEFACT, True), name
    pq.write_table(pa.table({"n": [1]}), tmp_path / "columns.parquet")
    for path in (tmp_path / "missing.parquet", tmp_path / "columns.parquet", frames(tmp_path / "none.parquet", [])):
        outcome = stage.process(VIDEO, files(tmp_path, path))
        assert isinstance(outcome, Failed), path
        assert outcome.reason is Reason.BAD_ARTEFACT


def test_the_fingerprint_follows_weights_and_preprocessing(model: Path, tmp_path: Path) -> None:
    tiny_model(tmp_path / "same", seed=0)
    tiny_model(tmp_path / "weights", seed=1)
    tiny_model(tmp_path / "size", seed=0, width=96)
    tiny_model(tmp_path / "named", seed=0, name="other", training_command="another")
    base = ClassifyStage(ClassifyOptions(model=str(model))).fingerprint_extra()
    assert ClassifyStage(ClassifyOptions(model=str(tmp_path / "same"))).fingerprint_extra() == base
    for name in ("weights", "size"):
        assert ClassifyStage(ClassifyOptions(model=str(tmp_path / name))).fingerprint_extra() != base


def test_a_missing_model_stops_the_run() -> None:
    stage = ClassifyStage(ClassifyOptions(model="nonesuch", device="cpu"))
    with pytest.raises(CurateError, match="nonesuch"):
        stage.setup()
    with pytest.raises(CurateError, match="nonesuch"):
        stage.fingerprint_extra()


def test_on_a_cpu_the_shipped_model_needs_no_torch(model: Path) -> None:
    code = f"""
import sys
from curate.config import ClassifyOptions
from curate.stages.classify import ClassifyStage
stage = ClassifyStage(ClassifyOptions(model={str(model)!r}, device="cpu"))
assert stage.resources.gpus == 0
stage.fingerprint_extra()
assert "numpy" not in sys.modules and "cv2" not in sys.modules
stage.setup()
assert "torch" not in sys.modules and "timm" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=240)
