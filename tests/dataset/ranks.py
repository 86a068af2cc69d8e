"""One rank of a training with `torch.distributed`, as a program: iterates every export and writes what it saw.

python -m tests.dataset.ranks RANK WORLD STORE EXPORTS OUT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch.utils.data import DataLoader

from curate import FrameDataset
from tests.exports.making import PICTURES

BATCH = 16
STOP = 5
"""Steps before the training is cut off."""


def width(image) -> int:
    return image.size[0]


def train(loader: DataLoader, steps: int | None = None) -> list[list[str]]:
    """Batches of keys, with a reduction over all ranks in each step, which hangs if one has more steps."""
    seen = []
    for batch in loader:
        total = torch.tensor([len(batch["key"])])
        dist.all_reduce(total)
        assert total.item() == dist.get_world_size() * len(batch["key"])
        seen.append(batch["key"])
        if len(seen) == steps:
            break
    return seen


def passes(exports: Path, name: str, rank: int, world: int) -> dict[str, list[list[str]]]:
    """Two epochs by persistent workers, and one that is cut off and gone on from by other workers."""
    dataset = FrameDataset(exports / name, transform=width, columns=("key",))

    def stream(**options):
        return dataset.stream(shuffle=90, rank=rank, world=world, batch_size=BATCH, **options)

    whole = stream()
    loader = DataLoader(whole, batch_size=BATCH, num_workers=2, persistent_workers=True)
    epochs = {}
    for epoch in range(2):
        whole.set_epoch(epoch)
        epochs[f"epoch {epoch}"] = train(loader)
        assert len(epochs[f"epoch {epoch}"]) == len(loader)
    cut = stream()
    cut.set_epoch(1)
    epochs["before"] = train(DataLoader(cut, batch_size=BATCH, num_workers=1), STOP)
    state = json.loads(json.dumps(cut.state_dict(STOP)))
    rest = stream()
    rest.load_state_dict(state)
    rest.set_epoch(state["epoch"])
    epochs["after"] = train(DataLoader(rest, batch_size=BATCH, num_workers=0))
    return epochs


def main() -> None:
    rank, world = int(sys.argv[1]), int(sys.argv[2])
    dist.init_process_group("gloo", init_method=f"file://{sys.argv[3]}", rank=rank, world_size=world)
    seen = {name: passes(Path(sys.argv[4]), name, rank, world) for name in PICTURES}
    Path(sys.argv[5]).write_text(json.dumps(seen))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
