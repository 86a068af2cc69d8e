"""Speed of the export writers and readers.

Writers: MB/s of each format for frames that need no painting, against copying the same bytes to a file with fsync;
loose files against copying the same files one by one. Readers: images/s of a shuffled stream of `curate.FrameDataset`
in each format through a DataLoader, against one with as many workers that decodes the same JPEGs from memory; by wall
time, and by CPU time, which others on the machine disturb less.

    python scripts/bench_export.py --frames 1000
    python scripts/bench_export.py --parquet workspace/frames/*.parquet --copies 10 --only writers

    python scripts/bench_export.py --frames 6000 --only writers --processes 0 1 2

Each work and its yardstick take turns, so that both meet the same state of the machine, after one turn that does not
count. Wall time is the median, and so is the ratio of the yardstick's time to that of the work in the same turn. CPU
time is that of all threads of this process and of its workers. With ``--processes 0`` shards are written in this
process; with more, by so many workers of the local engine. Their start is part of the time and told beside it; with
``--copies`` it weighs less, as in a long export. Where Python may not write bytecode (``PYTHONDONTWRITEBYTECODE``) each
worker compiles all that it loads, which takes a third of its start.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg

from curate import records
from curate.config import EngineOptions, ExportOptions, ParquetOptions, WebDatasetOptions
from curate.engine import make_engine
from curate.exports import ExportEntry
from curate.exports.formats.registry import FORMATS
from curate.exports.formats.video_files import VIDEO_FORMATS
from curate.records import Video
from curate.workspace import tables

if TYPE_CHECKING:
    from curate import FrameDataset
    from curate.exports.exporter import Crew

PICTURES = tuple(name for name in FORMATS if name not in VIDEO_FORMATS)
LOOSE = ("folders", "surgenet")
"""Formats with a file for each frame."""


def synthetic_frames(path: Path, count: int) -> None:
    """Write ``count`` pictures of 1280x720 with the grain of video frames, about 290 kB each."""
    import cv2  # not at the top, like others below: worker processes of the writers load this module

    draw = np.random.default_rng(0)
    with pq.ParquetWriter(path, tables.frame_schema(), compression="none", use_dictionary=False) as writer:
        for first in range(0, count, 50):
            rows = []
            for n in range(first, min(first + 50, count)):
                coarse = draw.integers(0, 255, (23, 40, 3), np.uint8)
                image = cv2.resize(coarse, (1280, 720), interpolation=cv2.INTER_CUBIC).astype(np.int16)
                image = np.clip(image + draw.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
                jpeg = simplejpeg.encode_jpeg(image, quality=95, colorsubsampling="420")
                rows.append((n, float(n), n, True, 1280, 720, jpeg))
            columns = dict(zip(tables.frame_schema().names, zip(*rows, strict=True), strict=True))
            writer.write_table(pa.table({k: list(v) for k, v in columns.items()}, tables.frame_schema()))


def entry_of(frames: Path, folder: Path, number: int) -> ExportEntry:
    """All frames of a file, judged surgical, as video ``{stem}-{number}``."""
    table = pq.read_table(frames, columns=["n", "timestamp"])
    rows = table.num_rows
    verdicts = folder / f"{frames.stem}.verdicts.parquet"
    constant = {"p_surgical": [1.0] * rows, "verdict": [records.SURGICAL] * rows, "kept": [True] * rows}
    columns = {"n": table.column("n"), "timestamp": table.column("timestamp"), **constant, "reason": [""] * rows}
    pq.write_table(pa.table(columns, tables.verdict_schema()), verdicts)
    name = f"{frames.stem}-{number}"
    return ExportEntry(Video(id=name, source=f"https://example.org/{name}"), frames, verdicts, None, {})


def copy(sources: list[Path], target: Path) -> None:
    """Copy files into one, with fsync."""
    with open(target, "wb") as out:
        for path in sources:
            with open(path, "rb") as stream:
                shutil.copyfileobj(stream, out, 1 << 20)
        out.flush()
        os.fsync(out.fileno())


@dataclass(frozen=True)
class Timing:
    """Seconds that some work took: medians over the turns.

    Attributes:
        wall: Wall time.
        cpu: CPU time of all threads of this process and of workers that ended.
        ratio: Wall time of the yardstick in the same turn, divided by that of the work.
    """

    wall: float
    cpu: float
    ratio: float


def measure(yardstick: Callable[[], Any], works: dict[str, Callable[[], Any]], repeats: int) -> dict[str, Timing]:
    """Time every work right after the yardstick, turn by turn; ``yardstick`` is among the results."""
    taken: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for turn in range(repeats + 1):
        for name, work in works.items():
            base, base_cpu = _time(yardstick)
            wall, cpu = _time(work)
            if turn:
                taken["yardstick"].append((base, base_cpu, 1.0))
                taken[name].append((wall, cpu, base / wall))
    return {
        name: Timing(*(statistics.median(column) for column in zip(*rows, strict=True))) for name, rows in taken.items()
    }


def _time(work: Callable[[], Any]) -> tuple[float, float]:
    start, cpu = time.perf_counter(), _cpu()
    work()
    return time.perf_counter() - start, _cpu() - cpu


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def crew_of(processes: int, work: Path) -> Crew:
    """This process, or workers."""
    from curate.exports.exporter import InProcess
    from curate.run.export_work import EngineCrew

    if not processes:
        return InProcess()
    (work / "exports").mkdir(exist_ok=True)
    return EngineCrew(lambda: make_engine(EngineOptions(workers=processes), work / "exports"))


def size_of(image: Any) -> int:
    """Stand-in for a transform: what is handed to the main process stays small."""
    return int(image.size[0])


def bench_writers(
    entries: list[ExportEntry], formats: Sequence[str], work: Path, repeats: int, processes: int, shard_size: int
) -> None:
    """Print the speed of every writer."""
    from curate.exports import export_dataset

    sources = [entry.frames for entry in entries]
    megabytes = sum(path.stat().st_size for path in sources) / 1e6
    sizes = {"parquet": ParquetOptions(shard_size), "webdataset": WebDatasetOptions(shard_size)}

    def writer(name: str, entries: list[ExportEntry] = entries) -> Callable[[], None]:
        def write() -> None:
            shutil.rmtree(work / "exports" / name, ignore_errors=True)
            options = ExportOptions(formats=(name,), **sizes)
            export_dataset(entries, options, work / "exports", context={}, crew=crew_of(processes, work))

        return write

    if processes:
        few = work / "few.parquet"
        synthetic_frames(few, processes)
        start = statistics.median(_time(writer("folders", [entry_of(few, work, 0)]))[0] for _ in range(3))
        print(f"{processes} processes, started in {start:.2f} s", flush=True)
    else:
        print("in this process", flush=True)

    def copying() -> None:
        (work / "copy").unlink(missing_ok=True)
        copy(sources, work / "copy")

    def copying_files() -> None:
        shutil.rmtree(work / "copies", ignore_errors=True)
        for path in loose:
            target = work / "copies" / path.relative_to(work)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        os.sync()

    shards = [name for name in formats if name not in LOOSE]
    _print_writers("copying", measure(copying, {name: writer(name) for name in shards}, repeats), megabytes)
    if files := {name: writer(name) for name in formats if name in LOOSE}:
        next(iter(files.values()))()
        loose = sorted((work / "exports" / next(iter(files))).rglob("*.jpg"))
        _print_writers("copying files", measure(copying_files, files, repeats), megabytes)


def _print_writers(yardstick: str, times: dict[str, Timing], megabytes: float) -> None:
    for name, timing in times.items():
        shown = yardstick if name == "yardstick" else f"write {name}"
        note = "  (encodes every frame)" if name == "lmdb-lemon" else ""
        speed = f"{megabytes / timing.wall:6.0f} MB/s  {timing.cpu:6.2f} s CPU"
        print(f"{shown:<18} {speed}  {timing.ratio:5.2f} of {yardstick}{note}", flush=True)


class Held:
    """Pictures of an export in memory, decoded as `FrameDataset` does."""

    def __init__(self, dataset: FrameDataset) -> None:
        self._jpegs = [dataset.store.jpeg(i) for i in range(len(dataset))]
        self._order = "RGB" if dataset.store.channel_order == "rgb" else "BGR"

    def __len__(self) -> int:
        return len(self._jpegs)

    def __getitem__(self, index: int) -> dict[str, Any]:
        from PIL import Image

        pixels = simplejpeg.decode_jpeg(self._jpegs[index], colorspace=self._order)
        return {"image": size_of(Image.fromarray(pixels))}


def bench_readers(formats: Sequence[str], work: Path, workers: int, repeats: int) -> None:
    """Print the speed of the reader of each format that was written."""
    from torch.utils.data import DataLoader

    from curate import FrameDataset

    def passing(loader: DataLoader[Any]) -> Callable[[], None]:
        def read() -> None:
            for _ in loader:
                pass

        return read

    for name in formats:
        dataset = FrameDataset(work / "exports" / name, transform=size_of)
        frames = dataset.stream(shuffle=len(dataset), batch_size=32)
        loader: DataLoader[Any] = DataLoader(frames, batch_size=32, num_workers=workers)
        decoder: DataLoader[Any] = DataLoader(Held(dataset), batch_size=32, shuffle=True, num_workers=workers)
        times = measure(passing(decoder), {name: passing(loader)}, repeats)
        decoding, timing = len(dataset) / times["yardstick"].wall, times[name]
        speed = f"{len(dataset) / timing.wall:6.1f} images/s"
        ratio = f"{timing.ratio:5.2f} of decoding ({decoding:.1f} images/s)"
        print(f"read {name:<13} {speed}  {ratio}, {times['yardstick'].cpu / timing.cpu:5.2f} by CPU time", flush=True)


def main() -> None:
    """Parse the arguments and print both tables."""
    from curate.exports import export_dataset

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1000, help="synthetic frames, if no file is named")
    parser.add_argument("--parquet", type=Path, nargs="*", default=[], help="frames/*.parquet of a workspace")
    parser.add_argument("--copies", type=int, default=1, help="take every file so many times, under other ids")
    parser.add_argument("--workers", type=int, default=1, help="DataLoader workers")
    parser.add_argument("--processes", type=int, nargs="+", default=[0], help="for the writers; 0 is this process")
    parser.add_argument("--shard-size", type=int, default=500, help="MB of a shard of parquet and webdataset")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--formats", nargs="+", choices=PICTURES, default=PICTURES)
    parser.add_argument("--only", choices=("writers", "readers"))
    parser.add_argument("--work", type=Path, help="folder on the disk to measure; a temporary one if not given")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.work) as folder:
        work = Path(folder)
        sources = [path.absolute() for path in arguments.parquet]
        if not sources:
            sources = [work / "synthetic.parquet"]
            synthetic_frames(sources[0], arguments.frames)
        entries = [entry_of(path, work, copy) for copy in range(arguments.copies) for path in sources]
        if arguments.only == "readers":
            export_dataset(entries, ExportOptions(formats=arguments.formats), work / "exports", context={})
        else:
            for processes in arguments.processes:
                bench_writers(entries, arguments.formats, work, arguments.repeats, processes, arguments.shard_size)
        if arguments.only != "writers":
            bench_readers(arguments.formats, work, arguments.workers, arguments.repeats)


if __name__ == "__main__":
    main()
