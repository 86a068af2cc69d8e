"""Public trainers train on the exports for a hundred steps: their own main scripts, begun by the commands of the docs.

The options of those commands are followed by ones that make the networks tiny and the run short. What the scripts
needed beside stands in the modules of `tests.exports.consumers` whose names end in ``_main``. Repositories are taken
from checkouts below the folder that ``CURATE_CHECKOUTS`` names.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from curate.config import ClipsOptions, ExportOptions
from curate.exports import export_dataset
from tests.exports.consumers.finding import ROOT, checkout, require_open_clip
from tests.exports.making import make_entry

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ALONE = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
"""What ``torch.distributed.run`` tells the only process; gloo takes a free port."""

EPOCHS = "--epochs 5 --num_workers 0"


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 frames of two classes to train on, 8 to validate with; two tars."""
    folder = tmp_path_factory.mktemp("trainers")
    size = (128, 96)
    entries = [
        make_entry(folder / "in", "__3ca0Wrw1U", "s" * 20, size=size, procedures=("cholecystectomy",), title="One"),
        make_entry(folder / "in", "second", "s" * 20, size=size, procedures=("胆囊切除术",)),
        make_entry(folder / "in", "third", "ssss", size=size, split="val", procedures=("cholecystectomy",)),
        make_entry(folder / "in", "fourth", "ssss", size=size, split="val", procedures=("胆囊切除术",)),
    ]
    formats = ("lmdb-lemon", "webdataset", "folders", "surgenet", "clips")
    options = ExportOptions(formats=formats, readers=2, clips=ClipsOptions(seconds=2.0, stride=1.0))
    export_dataset(entries, options, folder / "work" / "exports", context={})
    return folder / "work" / "exports"


def command_of(page: str, script: str) -> list[str]:
    """What a page of the docs gives a script, from the first option on."""
    text = (ROOT / "docs" / "train" / page).read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.search(rf"^.*\bpython3? .*{re.escape(script)} +(--.*)$", text, re.MULTILINE)
    assert found, f"{page} starts no {script}"
    return shlex.split(found[1])


def run(name: str, folder: Path, arguments: list[str], code: Path | None = None) -> str:
    """Run one of the modules of `tests.exports.consumers` in a folder; what it printed."""
    path = [str(ROOT), *([str(code)] if code else []), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", "tests.exports.consumers", name, *arguments],
        env={**os.environ, **ALONE, "PYTHONPATH": os.pathsep.join(path), "PYTHONSAFEPATH": "1"},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=1700,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture
def beside(exports: Path, tmp_path: Path) -> Path:
    """An empty folder with ``work/exports`` in it, where the commands of the pages are given."""
    (tmp_path / "work").symlink_to(exports.parent)
    return tmp_path


def log_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_dinos_main_dino(exports: Path, beside: Path) -> None:
    code = checkout("dino")
    tiny = "--arch vit_tiny --patch_size 32 --out_dim 64 --local_crops_number 2 --batch_size_per_gpu 2 --use_fp16 false"
    more = shlex.split(f"{EPOCHS} --warmup_epochs 1 --warmup_teacher_temp_epochs 0 {tiny}")
    script = str(code / "main_dino.py")
    told = run("dino_main", beside, [script, *command_of("surgenet.md", "main_dino.py"), *more], code)
    assert "there are 40 images" in told and told.count("/20]") >= 5, "100 steps"
    assert len(log_of(beside / "dino-run" / "log.txt")) == 5
    assert (beside / "dino-run" / "checkpoint.pth").exists()


def test_lemonfms_main(exports: Path, beside: Path) -> None:
    code = checkout("LEMON", "h5py") / "lemonfm"
    rows = pq.read_table(exports / "lmdb-lemon" / "metadata.parquet", columns=["key", "split"]).to_pylist()
    keys = [row["key"] for row in rows if row["split"] == "train"]
    entries = {key: [[keys[(i + k) % len(keys)], 1.0] for k in range(6)] for i, key in enumerate(keys)}
    (exports.parent / "corpus" / "neighbours").mkdir(parents=True)
    (exports.parent / "corpus" / "neighbours" / "train.json").write_text(json.dumps(entries))
    tiny = "--arch vit_tiny --patch_size 32 --out_dim 64 --local_crops_number 2 --batch_size_per_gpu 2 --use_fp16 false"
    more = shlex.split(f"{EPOCHS} --warmup_epochs 1 {tiny}")
    told = run("dino_main", beside, [str(code / "lemonfm.py"), *command_of("lemonfm.md", "lemonfm.py"), *more], code)
    assert told.count("[19/20]") == 5, "100 steps"
    assert len(log_of(beside / "lemonfm-run" / "log.txt")) == 5


def test_maes_main_pretrain(exports: Path, beside: Path) -> None:
    code = checkout("mae", "tensorboard")
    more = (
        f"{EPOCHS} --device cpu --model mae_vit_tiny_patch8 --input_size 32 --batch_size 2 --warmup_epochs 1 --lr 1e-3"
    )
    command = [str(code / "main_pretrain.py"), *command_of("surgenet.md", "main_pretrain.py"), *shlex.split(more)]
    told = run("mae_main", beside, command, code)
    assert told.count("[19/20]") == 5, "100 steps"
    losses = [line["train_loss"] for line in log_of(beside / "mae-run" / "log.txt")]
    assert len(losses) == 5 and losses[-1] < losses[0]


def test_timms_train(exports: Path, beside: Path) -> None:
    code = checkout("pytorch-image-models")
    more = "--model test_vit --img-size 64 --num-classes 2 --batch-size 4 --epochs 10 --warmup-epochs 0 --workers 1"
    more += " --device cpu --log-interval 1 --output timm-run --experiment it --lr 1e-3"
    command = [str(code / "train.py"), *command_of("webdataset.md", "train.py"), *shlex.split(more)]
    told = run("timm_main", beside, command, code)
    assert len(re.findall(r"^Train: ", told, re.MULTILINE)) >= 100, "100 steps"
    with open(beside / "timm-run" / "it" / "summary.csv") as stream:
        losses = [float(row["train_loss"]) for row in csv.DictReader(stream)]
    assert len(losses) == 10 and losses[-1] < losses[0]


def test_open_clips_main(exports: Path, beside: Path) -> None:
    require_open_clip()
    more = "--model tiny --batch-size 4 --workers 2 --epochs 10 --logs open_clip-run --name it --log-every-n-steps 1"
    more += " --train-num-samples 40 --device cpu --precision fp32 --warmup 10"
    command = command_of("webdataset.md", "open_clip_train.main")
    tars = shlex.split("--train-data 'work/exports/webdataset/train-{000000..000001}.tar'")
    run("open_clip_main", beside, [*command, *tars, *shlex.split(more)])
    told = (beside / "open_clip-run" / "it" / "out.log").read_text()
    assert len(re.findall("Train Epoch: ", told)) >= 100, "100 steps"
    assert (beside / "open_clip-run" / "it" / "checkpoints" / "epoch_10.pt").exists()


def test_videomaes_run_mae_pretraining(exports: Path, tmp_path: Path) -> None:
    code = checkout("VideoMAE", "decord", "tensorboardX")
    more = f"{EPOCHS} --device cpu --model pretrain_videomae_tiny_patch8_32 --decoder_depth 1 --input_size 32"
    more += f" --num_frames 16 --sampling_rate 1 --batch_size 2 --warmup_epochs 0 --output_dir {tmp_path}"
    command = [str(code / "run_mae_pretraining.py"), *command_of("video-lists.md", "run_mae_pretraining.py")]
    told = run("videomae_main", exports / "clips", [*command, *shlex.split(more)], code)
    clips = len((exports / "clips" / "videomae" / "train.csv").read_text().splitlines())
    steps = clips // 2
    assert steps * 5 >= 90 and told.count(f"[{steps - 1}/{steps}]") == 5
    assert len(log_of(tmp_path / "log.txt")) == 5


def test_vjepas_app_main(exports: Path, tmp_path: Path) -> None:
    """With its own configuration for ViT-L, of which the page says what to change, made tiny and short."""
    code = checkout("vjepa2", "decord", "psutil", "einops")
    lists = yaml.safe_load((exports / "clips" / "vjepa" / "train.yaml").read_text())
    settings = yaml.safe_load((code / "configs" / "train" / "vitl16" / "pretrain-256px-16f.yaml").read_text())
    settings["folder"] = str(tmp_path / "run")
    settings["data"] |= lists | {"dataset_fpcs": [4] * len(lists["datasets"])}
    settings["data"] |= {"batch_size": 2, "crop_size": 64, "num_workers": 0, "persistent_workers": False}
    settings["model"] |= {"model_name": "vit_tiny", "pred_depth": 1, "pred_embed_dim": 48, "pred_num_heads": 2}
    settings["optimization"] |= {"epochs": 1, "ipe": 100, "warmup": 1}
    (tmp_path / "pretrain.yaml").write_text(yaml.safe_dump(settings))
    command = [str(code / "app" / "main.py"), "--fname", str(tmp_path / "pretrain.yaml"), "--debugmode", "True"]
    run("vjepa_main", exports / "clips", command, code)
    with open(tmp_path / "run" / "log_r0.csv") as stream:
        losses = [float(row["loss"]) for row in csv.DictReader(stream)]
    assert len(losses) == 100 and sum(losses[-10:]) < sum(losses[:10])
