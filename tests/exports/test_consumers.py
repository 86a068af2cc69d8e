"""The consumers' own code reads the exports and trains a tiny network on them for a hundred steps.

Those that are no packages are taken from checkouts below the folder that ``CURATE_CHECKOUTS`` names, by the names of
their repositories; what they import beside must be installed. ``docs/formats.md`` has the commits that were read.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from curate.config import ClipsOptions, ExportOptions, SampleOptions
from curate.exports import export_dataset
from curate.records import Done, Video
from curate.stage import Files
from curate.stages.sample import SampleStage
from tests.exports.consumers.finding import ROOT, checkout, require_open_clip
from tests.exports.making import make_entry
from tests.media.videos import encode


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos of three classes in three splits, each of which lacks one."""
    folder = tmp_path_factory.mktemp("consumers")
    size = (640, 360)
    entries = [
        make_entry(folder / "in", "__3ca0Wrw1U", "s" * 8, size=size, procedures=("cholecystectomy",), title="One"),
        make_entry(folder / "in", "second", "nssssnssss", size=size, procedures=("胆囊切除术",)),
        make_entry(folder / "in", "third", "s" * 6, size=size, split="val", procedures=("val",)),
        make_entry(folder / "in", "fourth", "s" * 6, size=size, split="test", procedures=("cholecystectomy",)),
    ]
    formats = ("parquet", "lmdb-lemon", "webdataset", "folders", "dinov2", "clips")
    options = ExportOptions(formats=formats, readers=2, clips=ClipsOptions(seconds=2.0, stride=1.0))
    export_dataset(entries, options, folder / "out", context={})
    return folder / "out"


def run(name: str, exports: Path, scratch: Path, *arguments: str, code: Path | None = None) -> dict[str, Any]:
    """Run one of the modules of `tests.exports.consumers` in a process of its own; what it prints last."""
    path = [str(ROOT), *([str(code)] if code else []), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-m", "tests.exports.consumers", name, str(exports), str(scratch)]
    done = subprocess.run(
        [*command, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONSAFEPATH": "1"},
        cwd=scratch,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(name, *arguments, told)
    return told


def assert_learns(told: dict[str, Any]) -> None:
    assert told["steps"] == 100 and told["last"] < told["first"]
    assert told["of_decoding"] is None or told["of_decoding"] <= 1


def test_lemonfm(exports: Path, tmp_path: Path) -> None:
    assert_learns(run("lemonfm", exports, tmp_path, code=checkout("LEMON") / "lemonfm"))


def test_pl_stitch(exports: Path, tmp_path: Path) -> None:
    assert_learns(run("pl_stitch", exports, tmp_path, code=checkout("PL-Stitch", "decord") / "pl_stitch"))


def test_dinov2(exports: Path, tmp_path: Path) -> None:
    assert_learns(run("dino", exports, tmp_path, "dinov2", code=checkout("dinov2")))


def test_dinov3_with_the_line_that_its_reader_lacks(exports: Path, tmp_path: Path) -> None:
    """As the page says: ``sed`` makes the arguments of the parent class named ones; without, no picture is read."""
    code = Path(shutil.copytree(checkout("dinov3"), tmp_path / "dinov3", ignore=shutil.ignore_patterns(".git")))
    with pytest.raises(AssertionError, match="image_net_22k"):
        run("dino", exports, tmp_path, "dinov3", code=code)
    page = (ROOT / "docs" / "train" / "dinov2.md").read_text(encoding="utf-8")
    patch = next(line for line in page.splitlines() if line.startswith("sed -i "))
    more = page.splitlines()[page.splitlines().index(patch) + 1]
    subprocess.run(["bash", "-euc", f"{patch}\n{more}"], cwd=code, check=True)
    assert_learns(run("dino", exports, tmp_path, "dinov3", code=code))


@pytest.mark.parametrize(("name", "kind"), [("VideoMAE", "videomae"), ("SurgRec-open-source", "surgrec")])
def test_videomae_and_surgrec(exports: Path, tmp_path: Path, name: str, kind: str) -> None:
    assert_learns(run("videomae", exports, tmp_path, kind, code=checkout(name, "decord")))


def test_videomaev2(exports: Path, tmp_path: Path) -> None:
    assert_learns(run("videomaev2", exports, tmp_path, code=checkout("VideoMAEv2", "decord")))


def test_vjepa2(exports: Path, tmp_path: Path) -> None:
    assert_learns(run("vjepa", exports, tmp_path, code=checkout("vjepa2", "decord", "psutil")))


def test_surgenets_script_takes_the_frame_that_a_name_of_ours_tells(tmp_path: Path) -> None:
    """At 29.97 fps, where numbers drift from seconds: the script, unmodified, is given our video and numbers."""
    code = checkout("SurgeNet")
    rate, seconds = Fraction(30000, 1001), 40
    videos = tmp_path / "GenSurgery-video-dataset" / "unknown"
    videos.mkdir(parents=True)

    def grey(index: int) -> np.ndarray:
        return np.full((48, 64, 3), 20 + index // 6, np.uint8)

    video = encode(videos / "v.mp4", frames=seconds * 30, size=(64, 48), rate=rate, images=grey, options={"crf": "4"})
    stage = SampleStage(SampleOptions())
    stage.setup()
    outcome = stage.process(Video("v", str(video)), Files({"download": video}, tmp_path, "v"))
    assert isinstance(outcome, Done)
    entry = make_entry(tmp_path / "in", "v", "s" * pq.read_metadata(outcome.artefact).num_rows, source_file=False)
    outcome.artefact.replace(entry.frames)
    export_dataset([entry], ExportOptions(formats=("surgenet",)), tmp_path / "out", context={})
    ours = tmp_path / "out" / "surgenet"
    numbers = [int(name.split("_")[2]) for name in (ours / "train.txt").read_text().splitlines()]
    assert numbers[:10] == list(range(10)) and numbers[-1] > len(numbers) - 1
    names = [f"v_frame_{n}_Sample{n}.jpg" for n in numbers]
    (tmp_path / "frames_list.txt").write_text("\n".join(names))
    subprocess.run([sys.executable, str(code / "create_SurgeNetXL.py")], cwd=tmp_path, check=True, capture_output=True)
    for i, (n, name) in enumerate(zip(numbers, names, strict=True)):
        theirs = cv2.imread(str(tmp_path / "SurgeNetXL" / "unknown" / "Batch0" / name)).mean()
        assert theirs == pytest.approx(20 + n * 29 // 6, abs=1.5), "number n is frame n * 29"
        mine = cv2.imread(str(next(ours.rglob(f"v_frame_{n}_Sample{i}.jpg")))).mean()
        assert abs(mine - theirs) <= 15 / 6 + 2, "half a second"


def test_open_clip(exports: Path, tmp_path: Path) -> None:
    require_open_clip()
    assert_learns(run("open_clip", exports, tmp_path))


PACKAGES = ("torchvision", "webdataset", "datasets", "lightly", "monai", "decord", "opencv", "torchcodec", "curate")


@pytest.mark.slow
@pytest.mark.parametrize("kind", PACKAGES)
def test_packages(exports: Path, tmp_path: Path, kind: str) -> None:
    if importlib.util.find_spec({"opencv": "cv2"}.get(kind, kind)) is None:
        pytest.skip(f"the package {kind} is not installed")
    assert_learns(run("packages", exports, tmp_path, kind))


@pytest.mark.slow
def test_timm(exports: Path, tmp_path: Path) -> None:
    assert run("timm_readers", exports, tmp_path)["steps"] == 100
