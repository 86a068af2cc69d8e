"""The models curate knows, those it ships, and whether they are as they should be."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from curate.errors import CurateError
from curate.files.digest import sha256_of
from curate.nets.weights.hub import find_pulled
from curate.nets.weights.registry import FILE_NAME, resolve_model, shipped_models
from curate.resources import models_folder

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

NOT_FINITE = "its answers are not finite numbers: the weights are damaged"

ModelKind = Literal["frame", "storyboard", "detector"]


@dataclass(frozen=True)
class KnownModel:
    """One entry of ``models/registry.toml``, or a shipped classifier.

    Attributes:
        name: For ``--model`` and ``curate models``.
        kind: What it looks at.
        licence: As stated by the publisher.
        preprocessing: What is done to a picture before the network sees it.
        hub: Repository on the Hugging Face hub; empty for what is on every machine.
        note: What else to know.
        sha256: Known digests by path; empty where they are not known.
    """

    name: str
    kind: ModelKind
    licence: str
    preprocessing: str
    hub: str = ""
    note: str = ""
    sha256: Mapping[str, str] = field(default_factory=dict)


def known_models() -> list[KnownModel]:
    """Shipped classifiers by name, then the registry in its order."""
    with open(models_folder() / "registry.toml", "rb") as stream:
        listed = [KnownModel(**entry) for entry in tomllib.load(stream)["model"]]
    return [*(_shipped(name) for name in shipped_models()), *listed]


def known_model(name: str) -> KnownModel | None:
    """The entry of that name, if there is one."""
    return next((model for model in known_models() if model.name == name), None)


def card_of(name: str) -> Path | None:
    """Card of a shipped model; ``None`` where it has none."""
    path = models_folder() / name / "README.md"
    return path if path.is_file() else None


def card_section(name: str, heading: str) -> list[str]:
    """Lines of a section of a shipped model's card, tables and blank lines left out; empty if there is none.

    Args:
        name: Of the model.
        heading: What the section's heading begins with.
    """
    card = card_of(name)
    text = card.read_text(encoding="utf-8") if card else ""
    found = re.search(rf"^##+ {re.escape(heading)}[^\n]*\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    return [line for line in found[1].splitlines() if line.strip() and not line.startswith("|")] if found else []


def check_model(model: KnownModel) -> str:
    """Verify a model's files and run it once.

    Returns:
        What was checked.

    Raises:
        CurateError: Not on this machine, other files than those pinned, not loadable, or answers that are not finite.
    """
    import numpy as np

    held = "loads and answers"
    if model.hub:
        pulled = find_pulled(model.hub)
        if pulled is None:
            raise CurateError(f"not on this machine: run 'curate models pull {model.name}'")
        if changed := pulled.changed():
            raise CurateError(f"files in {pulled.folder} are not those that were pulled: {', '.join(changed)}")
        held = f"sha256 as {'in the registry' if model.sha256 else 'pinned when first pulled'}; {held}"
    picture = np.random.default_rng(0).integers(0, 256, (360, 640, 3), dtype=np.uint8)
    if model.kind == "detector":
        if model.hub:
            return held.replace("loads and answers", "not run, for it needs an export to ONNX")
        _check_detector(model, picture)
        return held
    from curate.nets.classifier import load_classifier

    files = resolve_model(model.name, model.kind)
    for part in (*files.config.weights, *([files.config.onnx] if files.config.onnx else [])):
        files.verified(part)
    answers = load_classifier(model.name, kind=model.kind, device="cpu").predict([picture, 255 - picture])
    if not np.isfinite(answers).all():
        raise CurateError(NOT_FINITE)
    return held if model.hub else f"sha256 as in its config; {held}"


def digests(model: KnownModel) -> Mapping[str, str]:
    """SHA-256 by file: as known, else as pulled, else of the file on this machine; empty for what is not here."""
    if model.sha256:
        return model.sha256
    if model.hub:
        pulled = find_pulled(model.hub)
        return pulled.sha256 if pulled else {}
    path = _packaged(model.name)
    return {path.name: sha256_of(path)}


def _packaged(name: str) -> Path:
    """File of a detector that is on every machine."""
    from curate.nets.detect import face_detector, overlay, text_detector, text_reader

    modules = {"overlay": overlay, "text": text_detector, "faces": face_detector, "reader": text_reader}
    return modules[name].packaged_model()


def _check_detector(model: KnownModel, picture: npt.NDArray[np.uint8]) -> None:
    """Run a detector of the package once.

    Raises:
        CurateError: Not loadable, or answers that are not finite.
    """
    import numpy as np

    path = _packaged(model.name)
    if not np.isfinite(_DETECTORS[model.name](path, picture)).all():
        raise CurateError(NOT_FINITE)


def _overlay_answers(path: Path, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    from curate.nets.detect.overlay import OverlayNet
    from curate.vision.static_content import reduce, statistics

    return OverlayNet(path).probabilities(statistics([reduce(picture)]))


def _text_answers(path: Path, picture: npt.NDArray[np.uint8]) -> list[float]:
    from curate.nets.detect.text_detector import TextDetector

    return [box.score for box in TextDetector(path).detect([picture])[0]]


def _face_answers(path: Path, picture: npt.NDArray[np.uint8]) -> list[float]:
    from curate.nets.detect.face_detector import FaceDetector

    return [face.score for face in FaceDetector(path, side=448, threshold=0.0).detect(picture)]


def _reader_answers(path: Path, picture: npt.NDArray[np.uint8]) -> list[float]:
    from curate.nets.detect.text_reader import TextReader

    return [reading.score for reading in TextReader(path).read([picture[:48]])]


_DETECTORS: Mapping[str, Callable[[Path, npt.NDArray[np.uint8]], Sequence[float] | npt.NDArray[np.float32]]] = {
    "overlay": _overlay_answers,
    "text": _text_answers,
    "faces": _face_answers,
    "reader": _reader_answers,
}
"""What each packaged detector answers to a picture."""


def _shipped(name: str) -> KnownModel:
    from curate.nets.weights.model_config import read_config

    config = read_config(models_folder() / name / FILE_NAME)
    return KnownModel(
        name,
        "frame",
        _card_licence(name),
        f"{config.width}x{config.height} {config.interpolation}, threshold {config.threshold:g}",
        sha256={part.file: part.sha256 for part in config.weights},
    )


def _card_licence(name: str) -> str:
    """What a shipped model's card says of the licence, as far as the first stop or colon."""
    text = " ".join(card_section(name, "Licence"))
    return re.split(r"[.:;](?: |$)", text)[0] or "see its card"
