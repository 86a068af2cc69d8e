"""A workspace whose model errs: some of its verdicts are turned, as if the classifier had said so."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.cli import run_command
from curate.workspace.ledger import LedgerWriter, read_ledger
from curate.workspace.seals import Seal

VIDEOS = ("alpha", "beta", "gamma", "delta", "epsilon")
BEFORE, SURGERY, AFTER = 4, 20, 4
FLAGS = ["--mask-detector", "none", "--no-mask-overlays", "--no-audit-faces", "--no-audit-text", "--no-trim-smooth"]
FLAGS += ["--export-formats", "parquet", "--trim-min-run", "0"]


def shows_surgery(at: int) -> bool:
    """What a frame of these videos shows at a millisecond."""
    return BEFORE * 1000 <= at < (BEFORE + SURGERY) * 1000


def draw_video(path: Path, seed: int) -> None:
    """Write a small video at 1 frame a second: pale slides, then tissue of one case with an instrument, then slides."""
    rng = np.random.default_rng(seed)
    colour = np.array([150, 60, 50]) + rng.integers(-25, 25, 3)
    tissue = cv2.resize(rng.normal(0, 30, (12, 20, 3)).astype(np.float32), (320, 192))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1, options={"preset": "ultrafast", "crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
        for second in range(BEFORE + SURGERY + AFTER):
            if shows_surgery(second * 1000):
                picture = np.clip(np.roll(tissue, 3 * second, 1) + colour, 0, 255).astype(np.uint8)
                cv2.line(picture, (320, 20 + 5 * second), (150, 100), (190, 190, 200), 9)
            else:
                picture = np.full((192, 320, 3), (228, 232, 240), np.uint8)
                cv2.putText(picture, f"Slide {second}", (30, 90), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (20, 30, 80), 3)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def rescore(workspace: Path, video: str, wrong: list[int], rng: np.random.Generator) -> None:
    """Write scores of a model that is right and sure but for some frames, where it is wrong and sure; seal them."""
    path = workspace / "scores" / f"{video}.parquet"
    table = pq.read_table(path)
    p = []
    for place in range(table.num_rows):
        sure = float(rng.uniform(0.85, 0.99))
        p.append(sure if shows_surgery(place * 1000) != (place in wrong) else 1 - sure)
    column = table.schema.get_field_index("p_surgical")
    table = table.set_column(column, table.schema.field(column), pa.array(p, pa.float32()))
    pq.write_table(table, path)
    last = read_ledger(workspace / "ledger")[video, "classify"].last
    writer = LedgerWriter(workspace / "ledger")
    seals = {path.name: Seal.of(path)}
    writer.append(last._replace(time=time.time(), attempt=last.attempt + 1, files=seals))
    writer.close()


@pytest.fixture(scope="session")
def erring(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[tuple[str, int]]]:
    """The workspace, and video and milliseconds of the 30 frames with wrong verdicts, all in three of five videos."""
    folder = tmp_path_factory.mktemp("erring")
    (folder / "videos").mkdir()
    for seed, name in enumerate(VIDEOS):
        draw_video(folder / "videos" / f"{name}.mp4", seed)
    workspace = folder / "w"
    assert run_command(["run", str(folder / "videos"), "-w", str(workspace), "--until", "classify", *FLAGS]) == 0
    rng = np.random.default_rng(0)
    wrong = set()
    for video in VIDEOS:
        errs = video in VIDEOS[:3]
        places = sorted(int(i) for i in rng.choice(BEFORE + SURGERY + AFTER, 10, replace=False)) if errs else []
        rescore(workspace, video, places, rng)
        wrong |= {(video, 1000 * place) for place in places}
    assert run_command(["run", "-w", str(workspace)]) == 0
    for video, at in wrong:
        verdict = pq.read_table(workspace / "verdicts" / f"{video}.parquet").column("verdict")[at // 1000].as_py()
        assert verdict == ("non-surgical" if shows_surgery(at) else "surgical")
    return workspace, wrong


@pytest.fixture
def workspace(erring: tuple[Path, set[tuple[str, int]]], tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(erring[0], tmp_path / "w", symlinks=True))
