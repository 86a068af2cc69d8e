"""Weights of unknown origin: read without running anything of theirs, and put into a network wholly or not at all.

Published backbones name the same tensors in several ways: as their authors' code does, as torchvision does, as timm
does, in the wrappings of the program that trained them. They are brought to timm's names here, and counted.
"""

from __future__ import annotations

import argparse
import contextlib
import pickle
import re
import sys
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from curate.errors import CurateError, why_of

State = dict[str, torch.Tensor]

WRAPPINGS = ("teacher", "net", "model", "state_dict")
"""Entries of a checkpoint that hold the weights; of a DINO run the teacher's are what is published and used."""

PREFIXES = ("module.", "_orig_mod.", "backbone.")
"""What training puts before the names: DataParallel, a compiled network, DINO's wrapper of several crops."""

_HEADS = re.compile(
    r"(?:head|heads|fc|classifier|dino_head|ibot_head|pixel_decoder|projectors?|local_cls_norm|mask_token)\b.*"
    r"|.*(?:\.periods|\.bias_mask|num_batches_tracked)"
)
"""Tensors that are no part of a backbone: heads, what only training needs, constants that the network makes itself."""

_NAMED = 5
"""Tensors that an error names."""


def read_state(path: Path) -> State:
    """Read an untrusted state dict: safetensors, or a PyTorch file with ``weights_only=True``.

    Undoes the wrappings of published checkpoints. Beside tensors and plain values only one class may stand in a PyTorch
    file: ``argparse.Namespace``, in which DINO notes its options.

    Returns:
        float32 tensors by parameter name.

    Raises:
        CurateError: Damaged, with anything else in it, or not a state dict.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: Any = load_file(path)
        else:
            with torch.serialization.safe_globals([argparse.Namespace]):
                content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:  # torch's words advise to run what is in the file
        raise CurateError(
            f"{path} is not a readable checkpoint: damaged, or with more than tensors in it, which is never loaded"
        ) from error
    except Exception as error:  # both readers let through whatever a damaged file sets off
        said = " ".join(why_of(error).split())[:200]
        raise CurateError(f"{path} is not a readable checkpoint: {said or 'it ends too early'}") from error
    for wrapping in WRAPPINGS:
        if isinstance(content, dict) and isinstance(content.get(wrapping), dict):
            content = content[wrapping]
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in content.items()
    ):
        raise CurateError(f"{path} holds no state dict (names to tensors)")
    return {
        name: value.float() if value.is_floating_point() else value
        for name, value in _without_prefixes(content).items()
    }


def _without_prefixes(state: State) -> State:
    """Names as the network itself has them; what stands beside a backbone in a wrapper is its head."""
    while prefix := next((p for p in PREFIXES if any(name.startswith(p) for name in state)), None):
        if prefix == "backbone.":
            state = {name: value for name, value in state.items() if name.startswith(prefix)}
        state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def load_into(network: torch.nn.Module, state: Mapping[str, torch.Tensor], what: str, architecture: str) -> None:
    """Load weights into a network of timm, under whatever known names they stand.

    Args:
        network: Made with ``num_classes=0`` where only the backbone is wanted: then heads are left aside.
        state: As `read_state` gives it.
        what: Names the weights in the error.
        architecture: Names the network in the error.

    Raises:
        CurateError: A tensor of the network finds no weights, or weights are left that are no head's; both are named.
    """
    wanted = network.state_dict()
    found = as_timm(state, network)
    missing = [
        f"{name} {_shape(tensor)}{_but(found.get(name))}"
        for name, tensor in wanted.items()
        if not name.endswith("num_batches_tracked") and (name not in found or found[name].shape != tensor.shape)
    ]
    left = [name for name in found if name not in wanted and not _HEADS.fullmatch(name)]
    if missing or left:
        count = sum(not name.endswith("num_batches_tracked") for name in wanted)
        parts = [f"{count - len(missing)} of {count} tensors of {architecture} found a place"]
        parts += [f"missing: {_some(missing)}"] if missing else []
        parts += [f"in the file and not in the network: {_some(left)}"] if left else []
        raise CurateError(f"the weights of {what} do not fit {architecture}: {'; '.join(parts)}")
    network.load_state_dict({name: value for name, value in found.items() if name in wanted}, strict=False)


def _shape(tensor: torch.Tensor) -> str:
    return f"({', '.join(map(str, tensor.shape))})"


def _but(tensor: torch.Tensor | None) -> str:
    return "" if tensor is None else f", which has the shape {_shape(tensor)} in the file"


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more


def as_timm(state: Mapping[str, torch.Tensor], network: torch.nn.Module) -> State:
    """Weights under the names that timm's network has, as far as they are known.

    What stands in a file beside the backbone can mislead timm's own conversions, and they may need some of it to tell
    whose names they see. So they are tried with and without it, and what fits most is taken.
    """
    own = network.state_dict()
    renamed = torchvision_convnext(state)
    plain = {name: value for name, value in renamed.items() if name in own or not _HEADS.fullmatch(name)}
    if _fitting(plain, own) == len(plain) == len(own):
        return plain
    found = [renamed]
    convert = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", lambda names, _: names)
    for given in (renamed, plain):
        # A conversion stumbles over names that it does not expect: then the file is of something else, or has a head.
        with contextlib.suppress(Exception):
            found.append(dict(convert(dict(given), network)))
    return max(found, key=lambda names: _fitting(names, own))


def _fitting(state: Mapping[str, torch.Tensor], own: Mapping[str, torch.Tensor]) -> int:
    return sum(name in state and state[name].shape == tensor.shape for name, tensor in own.items())


_CONVNEXT = (
    (re.compile(r"features\.0\.([01])\.(.*)"), r"stem.\1.\2"),
    (re.compile(r"classifier\.0\.(.*)"), r"head.norm.\1"),
    (re.compile(r"classifier\.2\.(.*)"), r"head.fc.\1"),
)
_CONVNEXT_BLOCK = re.compile(r"features\.([1357])\.(\d+)\.(?:block\.([0235])\.(.*)|(layer_scale))")
_CONVNEXT_DOWN = re.compile(r"features\.([246])\.([01])\.(.*)")
_CONVNEXT_PARTS = {"0": "conv_dw", "2": "norm", "3": "mlp.fc1", "5": "mlp.fc2"}


def torchvision_convnext(state: Mapping[str, torch.Tensor]) -> State:
    """Weights of torchvision's ConvNeXt (of LemonFM, say) under timm's names; any others as they are."""
    if "features.0.0.weight" not in state or "features.1.0.layer_scale" not in state:
        return dict(state)
    found: State = {}
    for name, value in state.items():
        if block := _CONVNEXT_BLOCK.fullmatch(name):
            place = f"stages.{int(block[1]) // 2}.blocks.{block[2]}"
            if block[5]:
                found[f"{place}.gamma"] = value.reshape(-1)
            else:
                found[f"{place}.{_CONVNEXT_PARTS[block[3]]}.{block[4]}"] = value
        elif down := _CONVNEXT_DOWN.fullmatch(name):
            found[f"stages.{int(down[1]) // 2}.downsample.{down[2]}.{down[3]}"] = value
        else:
            rule = next(((form, to) for form, to in _CONVNEXT if form.fullmatch(name)), None)
            found[name if rule is None else rule[0].sub(rule[1], name)] = value
    return found
