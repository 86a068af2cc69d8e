"""The embed stage on tables of real JPEGs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.config import Config, EmbedOptions
from curate.errors import BadArtefact, CurateError
from curate.nets.embedder import load_embedder
from curate.nets.weights.model_config import read_config
from curate.records import Done, Failed, Reason, Video
from curate.run.pipeline import Pipeline
from curate.stage import Files
from curate.stages.embed import EmbedStage
from curate.workspace.tables import embedding_schema, frame_schema
from curate.workspace.tables.embeddings import read_embedding_model, read_embeddings
from curate.workspace.tree import Workspace
from tests.nets.making import jpeg, tiny_model

VIDEO = Video(id="a-video", source="/a.mp4")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    tiny_model(folder)
    return folder


def made(options: EmbedOptions) -> EmbedStage:
    stage = EmbedStage(options)
    stage.setup()
    return stage


def sampled(path: Path, images: list[bytes], spacing: float = 1.0) -> Path:
    rows = [
        {"n": n, "timestamp": max(n * spacing - 0.02, 0.0), "width": 200, "height": 120, "image": image}
        for n, image in enumerate(images)
    ]
    pq.write_table(pa.Table.from_pylist(rows, frame_schema()), path, row_group_size=4)
    return path


def files(folder: Path, sample: Path) -> Files:
    (folder / "embeddings").mkdir(exist_ok=True)
    return Files({"sample": sample}, folder / "embeddings", VIDEO.id)


def test_every_frame_gets_its_own_vector(model: Path, tmp_path: Path) -> None:
    images = [jpeg(seed) for seed in range(7)]
    stage = made(EmbedOptions(model=str(model), device="cpu", batch_size=3))
    outcome = stage.process(VIDEO, files(tmp_path, sampled(tmp_path / "f.parquet", images)))
    assert isinstance(outcome, Done) and outcome.figures == {"frames": 7}
    table = pq.read_table(outcome.artefact)
    expected = np.concatenate(list(load_embedder(str(model), device="cpu", batch_size=3).stream(images)))
    assert table.schema.equals(embedding_schema(expected.shape[1]))
    assert table["n"].to_pylist() == list(range(7))
    ((n, vectors),) = read_embeddings(outcome.artefact)
    assert n.tolist() == list(range(7)) and vectors.dtype == np.float16
    np.testing.assert_array_equal(vectors, expected)
    found, columns = read_embedding_model(outcome.artefact)
    weights = read_config(model / "config.json").weights[0].sha256
    assert (found.name, found.sha256, found.width, columns) == ("tiny", weights, 64, expected.shape[1])
    again = made(EmbedOptions(model=str(model), device="cpu", batch_size=3))
    first = outcome.artefact.read_bytes()
    again.process(VIDEO, files(tmp_path, tmp_path / "f.parquet"))
    assert outcome.artefact.read_bytes() == first, "byte for byte the same"


def test_one_frame_in_every_so_many_seconds(model: Path, tmp_path: Path) -> None:
    stage = made(EmbedOptions(model=str(model), device="cpu", spacing=5.0))
    images = [jpeg(0)] * 12
    outcome = stage.process(VIDEO, files(tmp_path, sampled(tmp_path / "f.parquet", images)))
    assert isinstance(outcome, Done)
    assert pq.read_table(outcome.artefact)["n"].to_pylist() == [0, 5, 10]


@pytest.mark.parametrize("bad", [b"", b"no picture", jpeg(0)[:400]])
def test_a_damaged_picture_fails_the_video_alone(model: Path, tmp_path: Path, bad: bytes) -> None:
    stage = made(EmbedOptions(model=str(model), device="cpu"))
    images = [*[jpeg(0)] * 5, bad, jpeg(1)]
    outcome = stage.process(VIDEO, files(tmp_path, sampled(tmp_path / "f.parquet", images)))
    assert isinstance(outcome, Failed) and outcome.reason is Reason.BAD_ARTEFACT
    assert "n = 0 to 6" in outcome.detail and outcome.retryable
    assert isinstance(stage.process(VIDEO, files(tmp_path, sampled(tmp_path / "g.parquet", [jpeg(2)]))), Done)
    empty = stage.process(VIDEO, files(tmp_path, sampled(tmp_path / "none.parquet", [])))
    assert isinstance(empty, Failed) and "no frame" in empty.detail


def test_the_fingerprint_follows_the_weights_and_what_they_see(model: Path, tmp_path: Path) -> None:
    tiny_model(tmp_path / "same", seed=0)
    tiny_model(tmp_path / "weights", seed=1)
    tiny_model(tmp_path / "size", seed=0, width=96)
    tiny_model(tmp_path / "calibrated", seed=0, threshold=0.7)
    base = EmbedStage(EmbedOptions(model=str(model))).fingerprint_extra()
    for name, same in (("same", True), ("calibrated", True), ("weights", False), ("size", False)):
        assert (EmbedStage(EmbedOptions(model=str(tmp_path / name))).fingerprint_extra() == base) is same, name


def test_it_is_off_until_a_model_is_named(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "w", create=True)
    assert "embed" not in Pipeline(workspace, Config(), [VIDEO]).specs
    on = Pipeline(workspace, Config(embed=EmbedOptions(model="default")), [VIDEO])
    off = Pipeline(workspace, Config(), [VIDEO])
    assert "embed" in on.specs
    prints = off.fingerprints(VIDEO)
    assert {name: on.fingerprints(VIDEO)[name] for name in prints} == prints, "no other stage is done again"
    with pytest.raises(CurateError, match="nonesuch"):
        Pipeline(workspace, Config(embed=EmbedOptions(model="nonesuch")), [VIDEO])


def test_tables_that_are_no_embeddings(model: Path, tmp_path: Path) -> None:
    stage = made(EmbedOptions(model=str(model), device="cpu"))
    done = stage.process(VIDEO, files(tmp_path, sampled(tmp_path / "f.parquet", [jpeg(0), jpeg(1)])))
    table = pq.read_table(done.artefact)
    vectors = np.array(table["vector"].to_pylist(), np.float16)
    vectors[1, 3] = np.nan
    kind = table.schema.field("vector").type
    flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1), pa.float16()), kind.list_size).cast(kind)
    pq.write_table(table.set_column(2, table.schema.field("vector"), flat), tmp_path / "nan.parquet")
    pq.write_table(table.replace_schema_metadata({}), tmp_path / "untold.parquet")
    pq.write_table(table.set_column(2, "vector", pa.array([[1.0], [2.0, 3.0]])), tmp_path / "ragged.parquet")
    (tmp_path / "text.parquet").write_bytes(b"no table")
    for name in ("nan", "untold", "ragged", "text", "missing"):
        with pytest.raises(BadArtefact, match=name):
            list(read_embeddings(tmp_path / f"{name}.parquet"))
