"""Models from a hub, and ``curate models``, against an endpoint on loopback."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from curate.cli import run_command
from curate.errors import CurateError
from curate.nets.catalogue import card_of, card_section, digests, known_models
from curate.nets.classifier import load_classifier
from curate.nets.torchvision_repair import import_timm
from curate.nets.weights import hub
from curate.nets.weights.registry import LEMON_HUB, resolve_model
from tests.nets.hub_server import Hub, serve
from tests.nets.making import jpeg, picture, tiny_model

FRAMES = "Frame classification models"
STORYBOARDS = "Video storyboard classification models"


def checkpoint(seed: int, *, damaged: bool = False) -> bytes:
    torch.manual_seed(seed)
    network = import_timm().create_model("resnet18", num_classes=2)
    if damaged:
        torch.nn.init.constant_(network.fc.bias, float("nan"))
    stream = io.BytesIO()
    torch.save({"net": {f"module.{name}": value for name, value in network.state_dict().items()}}, stream)
    return stream.getvalue()


PLACEHOLDERS = {
    "README.md": b"---\nlicense: apache-2.0\n---\n",
    ".gitattributes": b"*.pt filter=lfs\n",
    f"{FRAMES}/a.pt": b"frames a",
    f"{FRAMES}/b.pt": b"frames b",
    f"{STORYBOARDS}/a.pt": b"storyboards a",
    "Non-surgical object detection models/yolo.pt": b"not opened",
}
"""A repository as LEMON's is described, three kinds of models, without weights."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with serve(Hub({LEMON_HUB: dict(PLACEHOLDERS)})) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        yield running


def test_pulled_checkpoints_are_found_by_kind(
    endpoint: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint.repositories[LEMON_HUB] |= {f"{FRAMES}/a.pt": checkpoint(0), f"{FRAMES}/b.pt": checkpoint(1)}
    for name in (LEMON_HUB, "lemon-frames"):
        with pytest.raises(CurateError, match=f"run 'curate models pull {LEMON_HUB}' first"):
            resolve_model(name)
    assert endpoint.requests == []
    assert run_command(["models", "pull", LEMON_HUB]) == 0
    assert "are pinned" in capsys.readouterr().out
    folder = tmp_path / "cache" / "curate" / "models" / "visurg--LEMON_curation_models"
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert there == {*PLACEHOLDERS} - {".gitattributes"} | {".pulled.json"}
    assert json.loads((folder / ".pulled.json").read_text())["commit"] == endpoint.commit(LEMON_HUB)
    for name in (LEMON_HUB, "lemon-frames"):
        files = resolve_model(name)
        assert files.folder == folder / FRAMES
        assert [part.file for part in files.config.weights] == ["a.pt", "b.pt"]
        assert files.config.name == "lemon-frames"
    files = resolve_model(LEMON_HUB, "storyboard")
    assert files.folder == folder / STORYBOARDS and files.config.name == "lemon-storyboards"
    by_hand = load_classifier(str(folder / FRAMES), device="cpu").predict([picture(1)])
    np.testing.assert_array_equal(load_classifier(LEMON_HUB, device="cpu").predict([picture(1)]), by_hand)


def test_a_second_pull_is_held_to_the_first(endpoint: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    first = hub.pull(LEMON_HUB)
    assert hub.pull(LEMON_HUB) == first
    endpoint.repositories[LEMON_HUB][f"{FRAMES}/a.pt"] = b"something else"
    assert run_command(["models", "pull", "lemon-frames"]) == 1
    said = capsys.readouterr().err
    assert f"{FRAMES}/a.pt" in said and "--update" in said
    assert not first.changed() and hub.find_pulled(LEMON_HUB) == first
    assert run_command(["models", "pull", "lemon-frames", "--update"]) == 0
    after = hub.find_pulled(LEMON_HUB)
    assert after is not None and after.commit == endpoint.commit(LEMON_HUB) != first.commit
    assert sorted(p.name for p in hub.cache_folder().iterdir()) == ["visurg--LEMON_curation_models"]


def test_known_digests_are_checked(endpoint: Hub) -> None:
    with pytest.raises(CurateError, match="registry"):
        hub.pull(LEMON_HUB, known={f"{FRAMES}/a.pt": "0" * 64})
    assert hub.find_pulled(LEMON_HUB) is None


def test_check_runs_each_model_and_names_the_damaged(
    endpoint: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["models", "check", "lemon-frames"]) == 2
    assert "not on this machine" in capsys.readouterr().err
    weights = checkpoint(0)
    endpoint.repositories[LEMON_HUB] |= {f"{FRAMES}/a.pt": weights, f"{FRAMES}/b.pt": weights}
    endpoint.repositories[LEMON_HUB][f"{STORYBOARDS}/a.pt"] = checkpoint(2, damaged=True)
    hub.pull(LEMON_HUB)
    assert run_command(["models", "check"]) == 2
    captured = capsys.readouterr()
    assert "lemon-frames: sha256 as pinned when first pulled; loads and answers" in captured.out
    for name in ("frames-duo", "overlay", "text", "faces", "reader"):
        assert f"{name}: " in captured.out
    assert captured.err.count("FAILED") == 1 and "lemon-storyboards: FAILED: its answers are not finite" in captured.err
    (hub.repository_folder(LEMON_HUB) / FRAMES / "b.pt").write_bytes(b"changed")
    assert run_command(["models", "check", "lemon-frames"]) == 2
    assert f"not those that were pulled: {FRAMES}/b.pt" in capsys.readouterr().err
    assert run_command(["models", "check", "no-such"]) == 1


def test_a_pickle_with_code_is_refused(endpoint: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (eval, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    stream = io.BytesIO()
    torch.save({"net": Evil()}, stream)
    endpoint.repositories["who/knows"] = {"model.pt": stream.getvalue()}
    hub.pull("who/knows")
    with pytest.raises(CurateError, match="not a readable checkpoint"):
        load_classifier("who/knows", device="cpu")
    assert not (tmp_path / "ran").exists()


def test_a_repository_with_our_config_works_and_a_folder_can_be_named(
    endpoint: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_model(tmp_path / "tiny")
    files = {p.name: p.read_bytes() for p in (tmp_path / "tiny").iterdir()}
    endpoint.repositories["lab/tiny"] = files
    assert run_command(["models", "pull", "lab/tiny", "--folder", str(tmp_path / "own")]) == 0
    assert str(tmp_path / "own" / "lab--tiny") in capsys.readouterr().out
    assert run_command(["models", "pull", "lab/tiny"]) == 0
    expected = load_classifier(str(tmp_path / "tiny"), device="cpu").predict([jpeg(1)])
    for name in ("lab/tiny", str(tmp_path / "own" / "lab--tiny")):
        np.testing.assert_array_equal(load_classifier(name, device="cpu").predict([jpeg(1)]), expected)
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    arguments = ["predict", str(tmp_path / "a.jpg"), "-o", str(tmp_path / "p.csv"), "--detector", "none"]
    assert run_command([*arguments, "--model", "lab/tiny"]) == 0


@pytest.mark.parametrize(
    ("name", "flags", "said"),
    [
        ("no/such", [], "no model repository no/such"),
        ("shut/away", [], "HF_TOKEN"),
        (LEMON_HUB, ["--revision", "v9"], "no revision v9"),
        ("only/text", [], "holds no weights"),
        ("way/out", [], "leads elsewhere"),
        ("../../etc", [], "is not the name of a hub repository"),
    ],
)
def test_what_cannot_be_pulled_is_said_and_leaves_nothing(
    endpoint: Hub, name: str, flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint.repositories |= {"shut/away": {"a.pt": b""}, "only/text": {"a.txt": b"words"}}
    endpoint.repositories["way/out"] = {"../../../out.pt": b"1"}
    endpoint.gated.add("shut/away")
    assert run_command(["models", "pull", name, *flags]) == 1
    assert said in capsys.readouterr().err
    assert not hub.cache_folder().exists() or list(hub.cache_folder().iterdir()) == []


def test_a_dead_endpoint_is_said(endpoint: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(CurateError, match=r"cannot fetch visurg/LEMON_curation_models: .*try again"):
        hub.pull(LEMON_HUB)


def test_a_repository_that_does_not_tell_its_kinds(endpoint: Hub) -> None:
    endpoint.repositories["two/places"] = {"frames_a/x.pt": b"1", "frames_b/x.pt": b"2"}
    hub.pull("two/places")
    with pytest.raises(CurateError, match="does not tell"):
        resolve_model("two/places")


def test_the_list_has_a_line_for_every_model(endpoint: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["models", "list"]) == 0
    head, *before = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "kind", "where", "licence"]
    hub.pull(LEMON_HUB)
    assert run_command(["models", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    listed = known_models()
    assert {model.kind for model in listed} == {"frame", "storyboard", "detector"}
    assert len(lines) == len(before) == len(listed)
    for model, line, was in zip(listed, lines, before, strict=True):
        name, kind, *_ = line.split()
        assert (name, kind) == (model.name, model.kind) and line.endswith(model.licence)
        assert ("shipped" if not model.hub else "pulled") in line and (
            "shipped" if not model.hub else "not here"
        ) in was


def test_a_model_is_shown_with_what_is_known_of_it_and_its_card(
    endpoint: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.pull(LEMON_HUB)
    for model in known_models():
        assert run_command(["models", "show", model.name]) == 0
        said = capsys.readouterr().out
        assert model.licence and model.preprocessing
        assert all(text in said for text in (model.kind, model.licence, model.preprocessing, model.note))
        assert all(f"sha256: {digest}  {file}" in said for file, digest in digests(model).items()) and digests(model)
        assert (f"commit: {endpoint.commit(model.hub)}" if model.hub else "where: shipped") in said
        card = card_of(model.name)
        assert card is None or card.read_text(encoding="utf-8").strip() in said
    assert card_of("overlay") is not None
    lines = card_section("overlay", "Figures")
    assert lines and not any(line.startswith("|") for line in lines)
    assert run_command(["models", "show", "lemming"]) == 1
    assert "no model 'lemming'; known: frames-duo" in capsys.readouterr().err


def test_a_shipped_model_need_not_be_pulled(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["models", "pull", "overlay"]) == 0
    assert "is shipped" in capsys.readouterr().out
