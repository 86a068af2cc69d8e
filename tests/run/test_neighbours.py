"""Neighbours of the frames of an export, from the embeddings of a workspace, and LemonFM's own reader on them."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import types
from pathlib import Path

import lmdb
import numpy as np
import pytest

from curate.cli import run_command
from curate.run.session import open_session
from curate.workspace.events import Event
from curate.workspace.ledger import LedgerWriter
from curate.workspace.tables.embeddings import EmbeddingModel, EmbeddingWriter
from tests.finished import make_finished

CHECKOUT = os.environ.get("CURATE_LEMON_CHECKOUT", "")
MODEL = EmbeddingModel("frames-duo", "ab" * 32, "levels", 224, 224)
WEB = {name: f"https://example.org/{name}" for name in ("-one", "two", "three", "four", "five_5")}
FRAMES = 5
"""Sampled frames of each video of `make_finished`, the first of which is no surgery."""

ON = {"embed": {"model": "default"}}


def embed(
    root: Path, name: str, vectors: np.ndarray, model: EmbeddingModel = MODEL, numbers: range | None = None
) -> None:
    """Leave an embedding as the stage does."""
    pipeline = open_session(root, given=ON).pipeline
    video = next(video for video in pipeline.videos if video.id == name)
    path = root / "embeddings" / f"{name}.parquet"
    path.parent.mkdir(exist_ok=True)
    n = np.array(numbers if numbers is not None else range(len(vectors)), np.int32)
    with EmbeddingWriter(path, vectors.shape[1], model, 0.0) as writer:
        writer.add(n, n.astype(np.float64), vectors.astype(np.float16))
    ledger = LedgerWriter(root / "ledger")
    ledger.append(Event(2.0, name, "embed", "done", pipeline.fingerprints(video)["embed"], artefact=path.name))
    ledger.close()


def planted() -> dict[str, np.ndarray]:
    """Vectors by video: the frames with one number are alike in all videos, and unlike the others."""
    rng = np.random.default_rng(0)
    centres = np.eye(FRAMES, 16)
    return {name: centres + 0.02 * rng.normal(size=(FRAMES, 16)) for name in WEB}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = make_finished(tmp_path / "w", WEB, ["lmdb-lemon"])
    (root / "options.toml").write_text('[embed]\nmodel = "default"\n')
    for name, vectors in planted().items():
        embed(root, name, vectors)
    return root


def command(root: Path, *more: str) -> int:
    return run_command(["corpus", "neighbours", "-w", str(root), "--config", str(root / "options.toml"), *more])


def keys_of(environment: Path) -> list[str]:
    with lmdb.open(str(environment), readonly=True, lock=False) as env, env.begin() as txn:
        return [key.decode() for key in txn.cursor().iternext(values=False)]


def test_the_file_has_what_the_lmdb_has_and_the_planted_come_first(workspace: Path, capsys) -> None:
    assert command(workspace) == 0
    path = workspace / "corpus" / "neighbours" / "train.json"
    assert str(path) in capsys.readouterr().out
    found = json.loads(path.read_text())
    assert sorted(found) == sorted(keys_of(workspace / "exports" / "lmdb-lemon" / "train.lmdb"))
    for key, entries in found.items():
        assert len(entries) == 6 and key not in [other for other, _ in entries]
        apart = [d for _, d in entries]
        assert apart == sorted(apart) and apart[0] > 0
        number = key.rpartition("_")[2]
        alike = {other for other in found if other != key and other.rpartition("_")[2] == number}
        assert {other for other, _ in entries[: len(alike)]} == alike
    before = path.stat().st_mtime_ns
    assert command(workspace) == 0 and "up to date" in capsys.readouterr().out
    assert path.stat().st_mtime_ns == before
    assert command(workspace, "--gap", "3") == 0 and "written" in capsys.readouterr().out
    assert not list(path.parent.glob(".*")), "nothing half-written stays"


@pytest.mark.skipif(not CHECKOUT, reason="CURATE_LEMON_CHECKOUT names no checkout of visurg-ai/LEMON")
def test_lemonfms_own_reader_takes_the_planted_neighbours(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unmodified reader: for every frame, its neighbours among the pictures are those that were planted."""
    from curate.nets.torchvision_repair import ensure_torchvision

    ensure_torchvision()
    if importlib.util.find_spec("h5py") is None:  # imported by the reader, and not used for LMDB
        monkeypatch.setitem(sys.modules, "h5py", types.ModuleType("h5py"))
    spec = importlib.util.spec_from_file_location("reader", Path(CHECKOUT) / "lemonfm" / "utils_timeSequenceAndKnn.py")
    reader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reader)
    assert command(workspace) == 0
    environment = workspace / "exports" / "lmdb-lemon" / "train.lmdb"
    assert len(keys_of(environment)) == 20
    asked: list[str] = []

    class Watched(reader.Dataset):
        def load_image_from_lmdb(self, img_key):
            asked.append(img_key.decode())
            return super().load_image_from_lmdb(img_key)

    def pair(picture, others):
        return picture, others

    dataset = Watched(str(environment), str(workspace / "corpus" / "neighbours" / "train.json"), pair)
    assert len(dataset) == 20
    for index in range(len(dataset)):
        asked.clear()
        picture, others = dataset[index]
        key = dataset.data[index].decode()
        assert picture.size[0] > 0 and len(others) == 4
        alike = [k for k in dataset.similar_images_map[key] if k[0].rpartition("_")[2] == key.rpartition("_")[2]]
        assert len(alike) == 4, "all of the other videos"
        assert asked[0] == key and asked[1:3] == [k for k, _ in alike[2:]], "the third and the fourth are taken"
    dataset.env.close()


def test_a_table_of_another_model_is_an_error(workspace: Path, capsys) -> None:
    other = EmbeddingModel("other", "cd" * 32, "vit_small_patch16_224", 224, 224)
    embed(workspace, "three", planted()["three"], other)
    assert command(workspace) == 1
    said = capsys.readouterr().err
    assert "different models" in said and "three" in said and "frames-duo" in said and "other" in said
    assert not (workspace / "corpus" / "neighbours").exists()


def test_what_is_missing_is_named_with_what_to_do(workspace: Path, tmp_path: Path, capsys) -> None:
    embed(workspace, "two", planted()["two"][::2], numbers=range(0, FRAMES, 2))
    assert command(workspace) == 1
    assert "two" in (said := capsys.readouterr().err) and "--spacing 0" in said
    (workspace / "embeddings" / "two.parquet").unlink()
    assert command(workspace) == 1
    assert "1 videos" in (said := capsys.readouterr().err) and "curate embed" in said
    assert command(workspace, "--export", "parquet") == 1
    assert "parquet" in capsys.readouterr().err
    assert run_command(["corpus", "neighbours", "-w", str(workspace)]) == 1
    assert "curate embed" in capsys.readouterr().err
    (workspace / "embeddings" / "two.parquet").write_bytes(b"spoilt")
    assert command(workspace) == 1
    assert "curate embed" in capsys.readouterr().err
    assert not list((workspace / "corpus").rglob(".*"))


@pytest.mark.parametrize("left", [None, "x", "[]", "{}"])
def test_an_export_that_is_none_or_damaged_is_named(workspace: Path, left: str | None, capsys) -> None:
    record = workspace / "exports" / "lmdb-lemon" / "export.json"
    record.unlink()
    if left is not None:
        record.write_text(left)
    assert run_command(["corpus", "neighbours", "-w", str(workspace)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {record.parent} is not an export: it") and len(said.splitlines()) == 1


def test_a_purge_leaves_no_mention(workspace: Path) -> None:
    assert command(workspace) == 0
    assert "five_5_" in (workspace / "corpus" / "neighbours" / "train.json").read_text()
    assert run_command(["purge", "--id", "five_5", "--yes", "-w", str(workspace)]) == 0
    assert not any("five_5" in path.read_text() for path in (workspace / "corpus").rglob("*.json"))


def test_links_in_the_place_of_the_folder_lead_nowhere(workspace: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (workspace / "corpus").mkdir(exist_ok=True)
    (workspace / "corpus" / "neighbours").symlink_to(elsewhere)
    assert command(workspace) == 0
    assert not list(elsewhere.iterdir())
