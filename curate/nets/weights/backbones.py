"""From the name of a backbone to its weights; nothing of them is read yet but their digest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate.errors import CurateError
from curate.files.digest import sha256_of
from curate.nets.weights.hub import HUB_NAME, PIN_FILE, find_pulled
from curate.nets.weights.model_config import FILE_NAME
from curate.nets.weights.registry import ModelFiles, resolve_model
from curate.nets.weights.timm_config import ARCHITECTURE, RESERVED, WEIGHTS, is_timm_config
from curate.resources import models_folder

SUFFIXES = (".pth", ".pt", ".safetensors", ".bin")
"""Files of weights."""


@dataclass(frozen=True)
class BackboneFile:
    """Weights of a network of timm, with or without a head.

    Attributes:
        name: For people.
        path: The file.
        sha256: Hex digest of its content.
        architecture: timm's name of the network; empty where only the weights themselves tell it.
        arguments: Further arguments of timm's network; plain values.
        side: Of its input in pixels; 0 where nothing is said.
    """

    name: str
    path: Path
    sha256: str
    architecture: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    side: int = 0

    def verified(self) -> Path:
        """The file, if it is still what it was.

        Raises:
            CurateError: It has another SHA-256, or is gone.
        """
        if (found := _digest(self.path)) != self.sha256:
            raise CurateError(f"{self.path} changed while it was in use: sha256 {found}, expected {self.sha256}")
        return self.path


def resolve_backbone(model: str, architecture: str = "") -> ModelFiles | BackboneFile:
    """Find a backbone.

    Args:
        model: ``default`` or the name of a shipped classifier, whose features are taken; a file of weights
            (``.pth``, ``.pt``, ``.safetensors``, ``.bin``); a folder or a pulled hub repository with a ``config.json``
            of curate's or of timm's form, or with one file of weights.
        architecture: timm's name of the network; empty takes that of the config, or leaves it to the weights.

    Raises:
        CurateError: There is no such model, or its files do not tell what they are.
    """
    if architecture and not ARCHITECTURE.fullmatch(architecture):
        raise CurateError(f"architecture {architecture!r} is not the plain name of a network of timm")
    if "/" not in model and (model == "default" or (models_folder() / model / FILE_NAME).is_file()):
        _refuse(architecture, model)
        return resolve_model(model)
    path = Path(model).expanduser()
    if path.is_file():
        if path.suffix not in SUFFIXES:
            raise CurateError(f"{path} is no file of weights by its name: {', '.join(SUFFIXES)}")
        return BackboneFile(path.stem, path, _digest(path), architecture)
    if path.is_dir():
        return _from_folder(path, path.name, architecture)
    if HUB_NAME.fullmatch(model):
        if (pulled := find_pulled(model)) is None:
            raise CurateError(f"{model} is not on this machine: run 'curate models pull {model}' first")
        if changed := pulled.changed():
            raise CurateError(f"files in {pulled.folder} are not those that were pulled: {', '.join(changed)}")
        return _from_folder(pulled.folder, model, architecture)
    raise CurateError(
        f"no backbone {model!r}: give default, a file of weights ({', '.join(SUFFIXES)}), a folder with a {FILE_NAME}, "
        "or a hub repository that was pulled"
    )


def _from_folder(folder: Path, name: str, architecture: str) -> ModelFiles | BackboneFile:
    config = folder / FILE_NAME
    if config.is_file() and not is_timm_config(config):
        _refuse(architecture, str(folder))
        return resolve_model(str(folder))
    if config.is_file():
        return _from_timm(config, name, architecture)
    files = sorted(p for p in folder.iterdir() if p.suffix in SUFFIXES and p.is_file() and p.name != PIN_FILE)
    if len(files) != 1:
        listed = ", ".join(p.name for p in files[:10]) or "none"
        raise CurateError(f"{folder} has no {FILE_NAME}, and does not tell which file of weights is meant: {listed}")
    return BackboneFile(name, files[0], _digest(files[0]), architecture)


def _from_timm(config: Path, name: str, architecture: str) -> BackboneFile:
    try:
        data = json.loads(config.read_text(encoding="utf-8"))
        stated, arguments = str(data["architecture"]), dict(data.get("model_args") or {})
        if not ARCHITECTURE.fullmatch(stated):
            raise ValueError(f"architecture {stated!r} is not a plain name")
        arguments.pop("num_classes", None)
        if wrong := sorted(RESERVED & arguments.keys()):
            raise ValueError(f"model_args must not set {', '.join(wrong)}")
        size = (data.get("pretrained_cfg") or data).get("input_size") or (3, 0, 0)
        side = int(size[-1])
    except OSError as error:
        raise CurateError(f"cannot read the model's config {config}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise CurateError(f"{config} is not a usable timm config: {error}") from error
    weights = next((path for part in WEIGHTS if (path := config.parent / part).is_file()), None)
    if weights is None:
        raise CurateError(f"{config.parent} has a timm config, but no weights: {' or '.join(WEIGHTS)}")
    return BackboneFile(name, weights, _digest(weights), architecture or stated, arguments, side)


def _refuse(architecture: str, model: str) -> None:
    if architecture:
        raise CurateError(f"{model} says itself what network it is: leave the architecture {architecture!r} out")


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise CurateError(f"cannot read {path}: {error.strerror}") from error
