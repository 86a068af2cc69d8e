"""A network of a few thousand weights that is trained on whatever a consumer's reader gives."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from tests.exports.consumers.measuring import share_of_decoding


def train(
    batches: Iterable[Any],
    of: Callable[[Any], torch.Tensor] = lambda batch: batch,
    *,
    plain: Iterable[Any],
    steps: int = 100,
    per_item: int = 1,
) -> None:
    """Take steps, and print what was read as JSON.

    Args:
        batches: Of the consumer's loader, which is begun anew when it ends.
        of: Takes the tensor of pictures (N, 3, H, W), or of clips (N, 3, T, H, W), out of a batch.
        plain: Items of the same reader, without transforms where it can do without, for `share_of_decoding`.
        steps: How many.
        per_item: Frames that an item stands for.
    """
    torch.manual_seed(0)
    torch.set_num_threads(1)
    encoder = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.GELU(), nn.Conv2d(8, 16, 4, 4), nn.GELU())
    decoder = nn.ConvTranspose2d(16, 3, 16, 16)
    optimiser = torch.optim.AdamW([*encoder.parameters(), *decoder.parameters()], 3e-3)
    losses: list[float] = []
    items = 0
    iterator = iter(batches)
    while len(losses) < steps:
        batch = next(iterator, None)
        if batch is None:
            iterator = iter(batches)
            continue
        pictures = of(batch)
        items += len(pictures)
        if pictures.ndim == 5:
            pictures = pictures[:, :, 0]
        pictures = nn.functional.interpolate(pictures.float(), size=(64, 64))
        loss = nn.functional.mse_loss(decoder(encoder(pictures)), pictures)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss))
    told = {"steps": len(losses), "frames": items * per_item, "of_decoding": share_of_decoding(plain)}
    print(json.dumps(told | {"first": sum(losses[:5]) / 5, "last": sum(losses[-5:]) / 5}))
