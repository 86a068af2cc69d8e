"""Memory of the stages that read frames, over videos of different lengths; an hour of 720p is half a gigabyte."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import simplejpeg

from curate.records import SURGICAL
from curate.workspace.tables import frame_schema, region_schema, verdict_schema
from tests.stages.test_mask import picture

ROOT = Path(__file__).resolve().parents[2]
SHORT, LONG = 100, 400
PADDING = bytes(200_000)
"""After the end of a small picture, so that its file is that of a large one."""

PEAK = """
import resource, sys
from pathlib import Path
from curate.config import Config
from curate.records import Done, Video
from curate.run.pipeline import stage_class
from curate.stage import Files
name, folder = sys.argv[1], Path(sys.argv[2])
inputs = {table: folder / f"{table}.parquet" for table in ("sample", "trim", "mask")}
stage = stage_class(name)(getattr(Config(), name))
stage.setup()
outcome = stage.process(Video(id="v", source="/v.mp4"), Files(inputs, folder, name))
assert isinstance(outcome, Done), outcome
print(outcome.figures["frames"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def write_long_video(folder: Path, frames: int) -> None:
    """Tables of a video of few pictures, each shown for a while."""
    folder.mkdir()
    pictures = [simplejpeg.encode_jpeg(picture(n), quality=80) + PADDING for n in range(4)]
    with pq.ParquetWriter(
        folder / "sample.parquet", frame_schema(), compression="none", use_dictionary=False
    ) as writer:
        for start in range(0, frames, 50):
            rows = [
                {"n": n, "timestamp": float(n), "source_index": n, "key_frame": True, "width": 640, "height": 360}
                | {"image": pictures[n // 40 % len(pictures)]}
                for n in range(start, start + 50)
            ]
            writer.write_table(pa.Table.from_pylist(rows, frame_schema()))
    verdicts = [
        {"n": n, "timestamp": float(n), "p_surgical": 0.9, "verdict": SURGICAL, "kept": True, "reason": ""}
        for n in range(frames)
    ]
    pq.write_table(pa.Table.from_pylist(verdicts, verdict_schema()), folder / "trim.parquet")
    pq.write_table(region_schema().empty_table(), folder / "mask.parquet")


def peak(stage: str, folder: Path, frames: int) -> float:
    """Largest memory in MB of a process that runs a stage over a video."""
    ran = subprocess.run(
        [sys.executable, "-c", PEAK, stage, str(folder)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert ran.returncode == 0, ran.stderr
    seen, memory = ran.stdout.split()
    assert int(seen) == frames
    return float(memory)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for frames in (SHORT, LONG):
        write_long_video(folder / str(frames), frames)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["mask", "field", "audit"])
def test_four_times_the_length_takes_no_more_memory(videos: Path, stage: str) -> None:
    """The longer file has 60 MB more."""
    memory = {frames: peak(stage, videos / str(frames), frames) for frames in (SHORT, LONG)}
    assert memory[LONG] < memory[SHORT] + 30, memory
