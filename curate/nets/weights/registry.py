"""From the name of a frame classifier to its files."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from curate.errors import CurateError
from curate.files.digest import sha256_of
from curate.nets.weights.hub import HUB_NAME, find_pulled
from curate.nets.weights.model_config import FILE_NAME, ModelConfig, WeightsFile, read_config
from curate.nets.weights.timm_config import is_timm_config, read_timm_config
from curate.resources import models_folder

DEFAULT = "frames-duo"
"""The shipped frame classifier that ``default`` stands for."""

Kind = Literal["frame", "storyboard"]
"""What a classifier looks at: single frames, or a collage of a whole video."""

LEMON_HUB = "visurg/LEMON_curation_models"
"""Where LEMON publishes its models on the Hugging Face hub."""

LEMON_SUFFIXES = (".pt", ".pth")
"""PyTorch checkpoints; a folder of them, or one without a config, is taken for LEMON's frame classifier."""


@dataclass(frozen=True)
class ModelFiles:
    """A resolved model.

    Attributes:
        config: What travels with the weights.
        folder: Where the weights named in the config lie.
    """

    config: ModelConfig
    folder: Path

    def verified(self, part: WeightsFile) -> Path:
        """Path of a weights file whose content is what the config says.

        Raises:
            CurateError: Missing, or with another SHA-256.
        """
        path = self.folder / part.file
        found = sha256_of(path)
        if found != part.sha256:
            raise CurateError(
                f"{path} is not the file its config describes: sha256 {found}, expected {part.sha256}; "
                "fetch it again, or correct the config if the change was meant"
            )
        return path


def resolve_model(model: str, kind: Kind = "frame") -> ModelFiles:
    """Find a classifier.

    Args:
        model: ``default``, the name of a shipped model or of one in ``models/registry.toml``, a hub repository
            (``owner/name``) that was pulled, a folder with a ``config.json`` of curate's or timm's form, a safetensors
            file with ``config.json`` or ``{stem}.json`` beside it, or a ``.pt`` / ``.pth`` file or a folder of them in
            LEMON's published format.
        kind: What checkpoints without a config are.

    Raises:
        CurateError: Nothing of that name, or its config is unusable.
    """
    shipped = models_folder() / (DEFAULT if model == "default" else model)
    if "/" not in model and (shipped / FILE_NAME).is_file():
        return ModelFiles(read_config(shipped / FILE_NAME), shipped)
    path = Path(model).expanduser()
    if path.is_dir():
        return _from_folder(path, kind)
    if path.is_file():
        return _from_file(path, kind)
    for known in _hub_models():
        if known["name"] == model and known["kind"] == kind:
            return _from_hub(known["hub"], kind)
    if HUB_NAME.fullmatch(model):
        return _from_hub(model, kind)
    raise CurateError(
        f"no {kind} classifier {model!r}: give one of {', '.join(['default', *shipped_models()])}, a folder with a "
        f"{FILE_NAME}, a safetensors file with its config beside it, LEMON checkpoints (.pt, .pth), or a hub repository"
    )


def shipped_models() -> list[str]:
    """Names of the frame classifiers in the package, sorted."""
    folder = models_folder()
    return sorted(p.parent.name for p in folder.glob(f"*/{FILE_NAME}")) if folder.is_dir() else []


def lemon_config(weights: tuple[WeightsFile, ...]) -> ModelConfig:
    """Config of LEMON's frame classifier: an ensemble of ResNet-18, logits averaged, class 0 surgical.

    Frames are stretched to 384x384 by OpenCV's bilinear resize and normalised by LEMON's own mean and deviation
    (visurg-ai/LEMON, ``src/video_processor.py``, ``TestDataset`` and ``build_preprocessing_transforms``).
    """
    return ModelConfig(
        name="lemon-frames",
        architecture="resnet18",
        weights=weights,
        width=384,
        height=384,
        interpolation="linear",
        mean=(0.4299694, 0.29676908, 0.27707579),
        std=(0.24373249, 0.20208984, 0.19319402),
    )


def storyboard_config(weights: tuple[WeightsFile, ...]) -> ModelConfig:
    """Config of LEMON's storyboard classifier: as `lemon_config`, of collages, class 0 informative.

    Mean and deviation are of ``src/video_classifier.py`` in visurg-ai/LEMON.
    """
    return dataclasses.replace(
        lemon_config(weights),
        name="lemon-storyboards",
        mean=(0.44476654, 0.35751768, 0.34613244),
        std=(0.28885465, 0.25989645, 0.26113421),
    )


def _lemon(kind: Kind, weights: tuple[WeightsFile, ...]) -> ModelConfig:
    return lemon_config(weights) if kind == "frame" else storyboard_config(weights)


def _from_hub(repository: str, kind: Kind) -> ModelFiles:
    """The classifier of a kind in a pulled repository.

    With a config at its top that is it; else the checkpoints whose paths speak of the kind are, or, where none speaks
    of any, those at its top.
    """
    pulled = find_pulled(repository)
    if pulled is None:
        raise CurateError(f"{repository} is not on this machine: run 'curate models pull {repository}' first")
    if FILE_NAME in pulled.sha256:
        files = _from_folder(pulled.folder, kind)
        pinned = tuple(
            WeightsFile(part.file, pulled.sha256.get(part.file, part.sha256)) for part in files.config.weights
        )
        return ModelFiles(dataclasses.replace(files.config, weights=pinned), files.folder)
    names = [name for name in pulled.sha256 if name.endswith(LEMON_SUFFIXES)]
    spoken = {name: _spoken_kind(name) for name in names}
    chosen = [name for name in names if spoken[name] == kind]
    if not any(spoken.values()):
        chosen = [name for name in names if "/" not in name]
    folders = sorted({Path(name).parent for name in chosen})
    if len(folders) != 1:
        raise CurateError(
            f"{pulled.folder} does not tell which of its files are a {kind} classifier: {', '.join(names) or 'none'}; "
            "name their folder instead of the repository"
        )
    weights = tuple(WeightsFile(Path(name).name, pulled.sha256[name]) for name in sorted(chosen))
    return ModelFiles(_lemon(kind, weights), pulled.folder / folders[0])


def _spoken_kind(name: str) -> str:
    """Which kind of model a path in a repository speaks of; empty if of none."""
    words = {"storyboard": "storyboard", "detect": "detector", "yolo": "detector", "frame": "frame"}
    return next((kind for word, kind in words.items() if word in name.lower()), "")


def _hub_models() -> list[dict[str, str]]:
    with open(models_folder() / "registry.toml", "rb") as stream:
        return [entry for entry in tomllib.load(stream)["model"] if entry.get("hub")]


def _from_folder(folder: Path, kind: Kind) -> ModelFiles:
    if (folder / FILE_NAME).is_file():
        return ModelFiles(_read_any_config(folder / FILE_NAME), folder)
    members = sorted(p for p in folder.iterdir() if p.suffix in LEMON_SUFFIXES and p.is_file())
    if not members:
        raise CurateError(f"{folder} holds neither a {FILE_NAME} nor LEMON checkpoints (.pt, .pth)")
    return ModelFiles(_lemon(kind, tuple(WeightsFile(p.name, sha256_of(p)) for p in members)), folder)


def _read_any_config(path: Path) -> ModelConfig:
    """A config of curate's or of timm's form."""
    return read_timm_config(path) if is_timm_config(path) else read_config(path)


def _from_file(path: Path, kind: Kind) -> ModelFiles:
    for beside in (path.with_suffix(".json"), path.parent / FILE_NAME):
        if beside.is_file():
            config = _read_any_config(beside)
            if path.name in [part.file for part in config.weights]:
                return ModelFiles(config, path.parent)
    if path.suffix in LEMON_SUFFIXES:
        return ModelFiles(_lemon(kind, (WeightsFile(path.name, sha256_of(path)),)), path.parent)
    raise CurateError(
        f"{path} has no config: put {FILE_NAME} or {path.stem}.json beside it, naming {path.name} under 'weights'"
    )
