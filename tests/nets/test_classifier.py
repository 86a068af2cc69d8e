"""The classifier: its back ends agree, batches do not matter, bad files are said to be bad."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from curate.errors import CurateError
from curate.files.digest import sha256_of
from curate.nets.classifier import Classifier, load_classifier, probability
from curate.nets.device import available_threads, resolve_device
from curate.nets.preprocess import decode, to_input
from curate.nets.torch_network import TorchNetwork
from curate.nets.torchvision_repair import import_timm
from curate.nets.weights.model_config import ModelConfig, read_config
from curate.nets.weights.registry import resolve_model
from tests.nets.making import jpeg, picture, tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    tiny_model(folder)
    return folder


@pytest.fixture(scope="module")
def classifier(model: Path) -> Classifier:
    return load_classifier(str(model), device="cpu", threads=1)


IMAGES = [jpeg(seed) for seed in range(9)]


def test_onnx_and_torch_answer_alike(model: Path, classifier: Classifier) -> None:
    slow = Classifier(classifier.config, TorchNetwork(resolve_model(str(model)), "cpu", 1), 4)
    answers = classifier.predict(IMAGES)
    np.testing.assert_allclose(answers, slow.predict(IMAGES), atol=1e-4)
    assert np.ptp(answers) > 0.05


def test_answers_do_not_depend_on_batch_size_or_threads(model: Path, classifier: Classifier) -> None:
    for batch_size, threads in ((1, 1), (4, 2), (100, 1)):
        other = load_classifier(str(model), device="cpu", threads=threads, batch_size=batch_size)
        np.testing.assert_allclose(other.predict(IMAGES), classifier.predict(IMAGES), atol=1e-5)


def test_the_same_pictures_get_the_same_bits(model: Path, classifier: Classifier) -> None:
    again = load_classifier(str(model), device="cpu", threads=1)
    assert (
        classifier.predict(IMAGES).tobytes() == classifier.predict(IMAGES).tobytes() == again.predict(IMAGES).tobytes()
    )


def test_shape_type_and_range(classifier: Classifier) -> None:
    answers = classifier.predict(IMAGES)
    assert answers.shape == (9,)
    assert answers.dtype == np.float32
    assert ((answers >= 0) & (answers <= 1)).all()
    assert classifier.predict([]).shape == (0,)


def test_arrays_of_any_size_and_grey_jpegs(classifier: Classifier) -> None:
    grey = cv2.imencode(".jpg", cv2.cvtColor(picture(1), cv2.COLOR_RGB2GRAY))[1].tobytes()
    assert classifier.predict([picture(1, 33, 70), picture(2, 64, 64), grey]).shape == (3,)


def test_an_array_and_its_jpeg_agree(classifier: Classifier) -> None:
    from_bytes, from_array = classifier.predict([jpeg(3, 720, 1280), picture(3, 720, 1280)])
    assert abs(from_bytes - from_array) < 0.02


@pytest.mark.parametrize("bad", [b"", b"not a picture", jpeg(0)[:300], jpeg(0)[:-200]])
def test_what_is_no_jpeg_is_a_value_error(classifier: Classifier, bad: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        classifier.predict([jpeg(1), bad])


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_other_arrays_are_a_value_error(classifier: Classifier, bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8 RGB"):
        classifier.predict([bad])


def test_a_picture_of_too_many_pixels_is_refused() -> None:
    header = bytearray(jpeg(0))
    at = header.index(b"\xff\xc0") + 5
    header[at : at + 4] = b"\xff\x00\xff\x00"
    with pytest.raises(ValueError, match="larger than"):
        decode(bytes(header))


def test_reduced_decoding_is_not_below_the_size_asked_for() -> None:
    full = decode(jpeg(0, 720, 1280))
    small = decode(jpeg(0, 720, 1280), 224, 224)
    assert full.shape == (720, 1280, 3)
    assert small.shape[0] < 720
    assert min(small.shape[:2]) >= 224
    wanted = cv2.resize(full, (224, 224), interpolation=cv2.INTER_AREA)
    assert np.abs(to_input(jpeg(0, 720, 1280), 224, 224, "area").astype(int) - wanted).mean() < 2


def test_probability_is_the_softmax_of_cooled_logits() -> None:
    config = changed(temperature=2.0, classes=("non-surgical", "surgical"))
    logits = np.array([[0.0, 2.0], [1000.0, -1000.0]], np.float32)
    np.testing.assert_allclose(probability(logits, config), [1 / (1 + np.exp(-1.0)), 0], rtol=1e-6)


def changed(**values: object) -> ModelConfig:
    from tests.nets.making import TINY

    return ModelConfig(**{**TINY.__dict__, **values})


def test_lemons_checkpoints_answer_as_the_published_code_does(tmp_path: Path) -> None:
    """Against visurg-ai/LEMON, src/video_processor.py, written out by hand with torchvision's ResNet-18."""
    import_timm()
    import torchvision

    members = []
    for seed in range(2):
        torch.manual_seed(seed)
        member = torchvision.models.resnet18(num_classes=2).eval()
        torch.save(
            {"net": {f"module.{k}": v for k, v in member.state_dict().items()}, "epoch": 3}, tmp_path / f"{seed}.pt"
        )
        members.append(member)
    frames = [jpeg(7, 360, 640), jpeg(8, 480, 600)]

    inputs = []
    for data in frames:
        rgb = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        x = torch.from_numpy(cv2.resize(rgb, (384, 384))).permute(2, 0, 1) / 255
        mean = torch.tensor((0.4299694, 0.29676908, 0.27707579)).view(3, 1, 1)
        std = torch.tensor((0.24373249, 0.20208984, 0.19319402)).view(3, 1, 1)
        inputs.append((x - mean) / std)
    with torch.inference_mode():
        outputs = [member(torch.stack(inputs)) for member in members]
    by_hand = (sum(outputs) / len(outputs)).numpy()

    files = resolve_model(str(tmp_path))
    ours = Classifier(files.config, TorchNetwork(files, "cpu", 1), 2)
    pixels = np.stack([ours.prepare(data) for data in frames])
    np.testing.assert_allclose(TorchNetwork(files, "cpu", 1).logits(pixels), by_hand, atol=1e-4)
    assert ((ours.predict(frames) > 0.5) == (by_hand.argmax(axis=1) == 0)).all()
    alone = load_classifier(str(tmp_path / "0.pt"), device="cpu", threads=1)
    assert alone.config.weights[0].file == "0.pt"


def test_damaged_weights_are_named(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:-1])
    with pytest.raises(CurateError, match=r"model\.onnx is not the file its config describes"):
        load_classifier(str(folder), device="cpu")
    (folder / "model.onnx").unlink()
    with pytest.raises(CurateError, match="cannot read"):
        load_classifier(str(folder), device="cpu")


def rewrite(folder: Path, **values: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **values}))


def described(path: Path) -> dict[str, str]:
    return {"file": path.name, "sha256": sha256_of(path)}


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_files_that_are_no_weights(model: Path, tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    bad = folder / f"bad{suffix}"
    bad.write_bytes(b"\x10\0\0\0\0\0\0\0 nothing of the kind")
    rewrite(folder, onnx=None, weights=[described(bad)])
    with pytest.raises(CurateError, match="not a readable checkpoint"):
        load_classifier(str(folder), device="cpu")
    rewrite(folder, onnx=described(bad))
    with pytest.raises(CurateError, match="cannot load the frame classifier"):
        load_classifier(str(folder), device="cpu")


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (eval, ("open('/dev/null')",))


def test_a_checkpoint_that_carries_code_is_refused(tmp_path: Path) -> None:
    torch.save({"net": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(CurateError, match="not a readable checkpoint") as refused:
        load_classifier(str(tmp_path / "trap.pt"), device="cpu")
    said = str(refused.value)
    assert "\n" not in said and "weights_only" not in said, "torch advises to run it"


def test_weights_of_another_network(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    rewrite(folder, onnx=None, architecture="resnet18")
    with pytest.raises(CurateError, match="do not fit resnet18"):
        load_classifier(str(folder), device="cpu")
    rewrite(folder, onnx=None, architecture="no_such_network")
    with pytest.raises(CurateError, match="no network no_such_network"):
        load_classifier(str(folder), device="cpu")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"temperature": 0}, "temperature"),
        ({"classes": ["a", "b"]}, "no 'surgical'"),
        ({"weights": [{"file": "../other", "sha256": ""}]}, "plain file name"),
        ({"width": 100000}, "width and height"),
        ({"std": [1, 0, 1]}, "std"),
        ({"unheard_of": 1}, "unheard_of"),
        ({"uncertain": [0.9, 0.1]}, "uncertain"),
        ({"format": 9}, "format 9"),
        ({"mean": "abc", "std": None}, "not a usable model config"),
    ],
)
def test_configs_that_cannot_be_used(model: Path, tmp_path: Path, values: dict[str, object], said: str) -> None:
    shutil.copy(model / "config.json", tmp_path)
    rewrite(tmp_path, **values)
    with pytest.raises(CurateError, match=said):
        read_config(tmp_path / "config.json")


def test_a_safetensors_file_finds_its_config(model: Path, tmp_path: Path) -> None:
    shutil.copy(model / "model.safetensors", tmp_path / "mine.safetensors")
    with pytest.raises(CurateError, match="has no config"):
        resolve_model(str(tmp_path / "mine.safetensors"))
    shutil.copy(model / "config.json", tmp_path / "mine.json")
    config = json.loads((tmp_path / "mine.json").read_text())
    config |= {"onnx": None, "weights": [described(tmp_path / "mine.safetensors")]}
    (tmp_path / "mine.json").write_text(json.dumps(config))
    mine = load_classifier(str(tmp_path / "mine.safetensors"), device="cpu", threads=1)
    whole = load_classifier(str(model), device="cpu", threads=1)
    np.testing.assert_allclose(mine.predict(IMAGES), whole.predict(IMAGES), atol=1e-4)


def test_names_that_lead_nowhere(tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="no frame classifier 'nonesuch'"):
        resolve_model("nonesuch")
    with pytest.raises(CurateError, match="holds neither"):
        resolve_model(str(tmp_path))


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda0", "cuda:"])
def test_unknown_devices(device: str) -> None:
    with pytest.raises(CurateError, match="unknown device"):
        resolve_device(device)


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(CurateError, match="is not there"):
        resolve_device(f"cuda:{torch.cuda.device_count()}")


def test_threads_come_from_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert available_threads() == 5
    monkeypatch.setenv("CURATE_THREADS", "3")
    assert available_threads() == 3


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_half_precision_on_cuda_answers_alike(model: Path, classifier: Classifier) -> None:
    fast = load_classifier(str(model), device="cuda")
    np.testing.assert_allclose(fast.predict(IMAGES), classifier.predict(IMAGES), atol=0.02)


class TestShippedModel:
    def test_it_loads_without_torch_and_agrees_with_torch(self) -> None:
        files = resolve_model("default")
        shipped = load_classifier("default", device="cpu", threads=1)
        slow = Classifier(files.config, TorchNetwork(files, "cpu", 1), 4)
        np.testing.assert_allclose(shipped.predict(IMAGES), slow.predict(IMAGES), atol=1e-4)

    def test_it_is_small(self) -> None:
        files = resolve_model("default")
        assert sum(p.stat().st_size for p in files.folder.iterdir()) < 30_000_000

    def test_it_comes_with_a_card(self) -> None:
        card = (resolve_model("default").folder / "README.md").read_text()
        for said in (
            "Licence",
            "Intended use",
            "Limits",
            "scripts/train_classifier.py",
            "scripts/evaluate_classifier.py",
        ):
            assert said in card

    def test_it_tells_frames_it_may_know_from_each_other(self, shared_data: Path) -> None:
        """Frames of the sources that its card lists: what it does on others is measured, not tested."""
        shipped = load_classifier("default", device="cpu", threads=1)
        card = (resolve_model("default").folder / "README.md").read_text()
        for label, surgical in (("surgical", True), ("non-surgical", False)):
            known = [folder for folder in (shared_data / "frames" / label).iterdir() if f" {folder.name} " in card]
            paths = sorted(path for folder in known for path in folder.rglob("*.jpg"))[::40]
            assert len(paths) > 30
            answers = shipped.predict([p.read_bytes() for p in paths])
            assert ((answers >= shipped.config.threshold) == surgical).mean() > 0.97
