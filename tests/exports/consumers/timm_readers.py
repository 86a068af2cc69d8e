"""timm's readers of tars, folders and ``datasets``, its loader, and one of its smallest networks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import timm
import torch
from timm.data import create_dataset, create_loader

from tests.exports.consumers.measuring import share_of_decoding

root, scratch = Path(sys.argv[1]), Path(sys.argv[2])
classes = str(root / "folders" / "classes.txt")
common = {"split": "train", "is_training": True, "batch_size": 4}
kinds = {
    "wds": {"name": "wds/", "root": str(root / "webdataset")},
    "folder": {"name": "", "root": str(root / "folders"), "class_map": classes},
    "hfds": {"name": f"hfds/{root / 'parquet'}", "root": str(scratch / "cache")},
}
torch.set_num_threads(1)
told = {}
for kind, options in kinds.items():
    dataset = create_dataset(**options, **common)
    loader = create_loader(
        dataset, input_size=(3, 64, 64), batch_size=4, is_training=True, num_workers=1, use_prefetcher=False
    )
    network = timm.create_model("test_resnet", num_classes=len(Path(classes).read_text().splitlines()))
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3)
    steps = 0
    while steps < 100:
        for pictures, labels in loader:
            loss = torch.nn.functional.cross_entropy(network(pictures), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            steps += 1
    assert torch.isfinite(loss)
    plain = create_dataset(**options, **common | {"is_training": False, "batch_size": 1})
    told[kind] = share_of_decoding(plain if kind == "wds" else (plain[i] for i in range(len(plain))))
print(json.dumps({"steps": 100, **told}))
