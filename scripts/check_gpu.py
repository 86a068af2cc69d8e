"""Holds every path that uses a GPU to account, in ten minutes at most, and writes one page of figures.

    python scripts/check_gpu.py --output gpu.md

On a bare machine: ``pip install -e '.[dev]'``, ``pip install onnxruntime-gpu`` beside it for mask and audit, then this.
It runs all tests marked ``gpu``, the stages on the device and on the CPU with the seconds of each and the frames that
were judged otherwise, the benchmarks of classify and mask, and for each codec sampling by NVDEC against the CPU, and
NVDEC with one to seven processes. A step that fails or runs out of time is said so on the page; the others are run all
the same.

Exit codes: 0 all steps passed, 1 there is no GPU or a step failed.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

SECONDS = 570.0
"""For everything, so that it ends within ten minutes."""

PROCESSES = (1, 2, 4, 7)
"""Decoders at once; an H100 has seven engines."""

ENCODERS = {"h264": "libx264", "hevc": "libx265", "vp9": "libvpx-vp9", "av1": "libsvtav1"}

DECODE = """
import sys, time
import av
from av.codec.hwaccel import HWAccel
started = time.perf_counter()
with av.open(sys.argv[1], hwaccel=HWAccel("cuda", allow_software_fallback=False)) as container:
    count = 0
    for frame in container.decode(video=0):
        assert container.streams.video[0].codec_context.is_hwaccel, "decoded on the CPU"
        count += 1
print(count, time.perf_counter() - started)
"""

SAMPLE = """
import sys, time
from pathlib import Path
from curate.media.decode import Sampler
from curate.media.select import AtRate
sampler = Sampler(Path(sys.argv[1]), AtRate(1), decoder=sys.argv[2])
started = time.perf_counter()
count = sum(1 for _ in sampler)
assert sampler.statistics.decoder == sys.argv[2], f"decoded by the {sampler.statistics.decoder}"
print(count, time.perf_counter() - started)
"""

UNPACK = """
import sys
from pathlib import Path
import pyarrow.parquet as pq
folder = Path(sys.argv[2])
folder.mkdir()
for path in Path(sys.argv[1]).glob("*.parquet"):
    for n, jpeg in enumerate(pq.read_table(path)["image"].to_pylist()):
        (folder / f"{path.stem}-{n}.jpg").write_bytes(jpeg)
"""

COMPARE = """
import json, sys
from pathlib import Path
import pyarrow.parquet as pq
device, cpu = map(Path, sys.argv[1:])
def seconds(work):
    lines = [json.loads(line) for path in (work / "logs").glob("*.jsonl") for line in path.read_text().splitlines()]
    return {line["stage"]: line["seconds"] for line in lines if line["event"] == "stage"}
def verdicts(work):
    rows = [row for path in sorted((work / "verdicts").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    return [(row["n"], row["verdict"]) for row in rows]
one, other = seconds(device), seconds(cpu)
print("stage      device s    CPU s")
for stage in one:
    print(f"{stage:<9} {one[stage]:>9.2f} {other[stage]:>8.2f}")
pairs = list(zip(verdicts(device), verdicts(cpu), strict=True))
print(f"{sum(a != b for a, b in pairs)} of {len(pairs)} frames judged otherwise")
"""


class Page:
    """The page as it grows, and the time that is left.

    Args:
        path: Where it is written after every step, so that a kill loses one step at most.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._deadline = time.monotonic() + SECONDS
        self._lines = ["# GPU check", ""]
        self.failed: list[str] = []

    def left(self, most: float) -> float:
        """Seconds for the next step."""
        return max(1.0, min(most, self._deadline - time.monotonic()))

    def write(self, *lines: str) -> None:
        """Add lines, here and on standard output."""
        print(*lines, sep="\n", flush=True)
        self._lines += lines
        self._path.write_text("\n".join(self._lines) + "\n", encoding="utf-8")

    def step(self, title: str, command: Sequence[str | Path], most: float, lines: int = 25) -> None:
        """Run a command, and put the end of what it says on the page."""
        self.write(f"## {title}", "")
        started = time.monotonic()
        limit = self.left(most)
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=limit)
            said, code = done.stdout + (done.stderr if done.returncode else ""), str(done.returncode)
        except subprocess.TimeoutExpired as error:
            said, code = (error.stdout or b"").decode(errors="replace"), f"none: ended after {limit:.0f} s"
        if code != "0":
            self.failed.append(title)
        tail = said.strip().splitlines()[-lines:]
        self.write("```", *tail, "```", f"exit code {code}, {time.monotonic() - started:.0f} s", "")


def gpu_names() -> list[str]:
    """Names of the GPUs, as the driver's tool gives them; empty where there is none, or no tool."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=30)
    except subprocess.TimeoutExpired:
        return []
    return done.stdout.strip().splitlines() if done.returncode == 0 else []


def cuda_trouble() -> str:
    """Why PyTorch sees no CUDA device; empty if it sees one."""
    code = "import torch; print(torch.__version__, torch.version.cuda, torch.cuda.is_available())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    said = done.stdout.split() if done.returncode == 0 else []
    if said[-1:] == ["True"]:
        return ""
    if done.returncode:
        return "PyTorch cannot be imported: " + (done.stderr.strip().splitlines() or ["?"])[-1]
    return f"PyTorch {said[0]} (CUDA {said[1]}) sees no CUDA device: install a PyTorch built for this driver"


def encode(folder: Path, codec: str, seconds: int = 20) -> Path | None:
    """A noisy 720p clip of a codec; ``None`` where PyAV has no encoder for it."""
    import av
    import numpy as np

    path = folder / f"{codec}.mkv"
    try:
        with av.open(str(path), "w") as container:
            stream = container.add_stream(ENCODERS[codec], rate=25)
            stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
            noise = np.random.default_rng(0).integers(0, 255, (720 + 256, 1280, 3), np.uint8)
            for n in range(25 * seconds):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(noise[n % 256 :][:720]), "rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    except (av.FFmpegError, ValueError):
        return None
    return path


def nvdec(page: Page, folder: Path) -> None:
    """Seconds of sampling on the CPU and by NVDEC, and frames a second of more and more decoders, for each codec."""
    page.write("## NVDEC", "", "Seconds to sample 8 s of 720p at 1 fps; frames a second of all decoders.", "")
    titles = ["sampled by the CPU", "by NVDEC", *(f"{count} decoding" for count in PROCESSES)]
    page.write("| codec | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|")
    for codec in ENCODERS:
        if page.left(1000) < 30:
            page.failed.append(f"NVDEC {codec}: no time left")
            break
        if clip := encode(folder, codec, seconds=8):
            cells = [sampled(clip, decoder, page.left(60)) for decoder in ("cpu", "gpu")]
            cells += [together(clip, count, page.left(60)) for count in PROCESSES]
        else:
            cells = ["no encoder"]
        page.write(f"| {codec} | " + " | ".join(cells) + " |")
    page.write("")


def sampled(clip: Path, decoder: str, limit: float) -> str:
    """Seconds it takes to sample a clip, or what was said last."""
    command = [sys.executable, "-c", SAMPLE, str(clip), decoder]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return "no end"
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:80].replace("|", "/")
    return f"{float(done.stdout.split()[1]):.2f}"


def together(clip: Path, count: int, limit: float) -> str:
    """Frames a second of ``count`` processes that decode a clip at once, or what the first that failed said last."""
    command = [sys.executable, "-c", DECODE, str(clip)]
    started = time.monotonic()
    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(count)
    ]
    frames, slowest = 0, 0.0
    try:
        for child in children:
            said, error = child.communicate(timeout=max(1.0, started + limit - time.monotonic()))
            if child.returncode:
                return (error.strip().splitlines() or [f"exit code {child.returncode}"])[-1][:80].replace("|", "/")
            frames += int(said.split()[0])
            slowest = max(slowest, float(said.split()[1]))
    except subprocess.TimeoutExpired:
        return "no end"
    finally:
        for child in children:
            child.kill()
            child.wait()
    return f"{frames / slowest:.0f}"


def steps(page: Page, folder: Path) -> list[Callable[[], None]]:
    """What is run, in order."""
    python = sys.executable
    pictures = folder / "pictures"
    render = [python, "scripts/render_demo.py", str(folder / "demo")]
    work = folder / "work"
    curate = [python, "-c", "from curate.cli import main; main()"]
    device = ["--classify-device=cuda", "--mask-device=cuda", "--audit-device=cuda", "--sample-decoder=gpu"]
    on_cpu = ["--classify-device=cpu", "--mask-device=cpu", "--audit-device=cpu"]
    cpu = folder / "cpu"
    run = [*curate, "run", str(folder / "demo"), "--until", "audit"]
    bench = [python, "scripts/bench_classify.py", "--device", "cuda", "--frames", "4096", "--repeats", "2"]
    masks = [python, "scripts/bench_mask.py", str(pictures), "--device", "cuda", "--frames", "200"]
    return [
        lambda: page.step("Tests marked gpu", [python, "-m", "pytest", "-q", "-rs", "-m", "gpu", "--timeout=90"], 150),
        lambda: page.step("Demonstration videos", render, 60, lines=2),
        lambda: page.step("Run on the device", [*run, "-w", str(work), *device], 100),
        lambda: page.step("Run on the CPU", [*run, "-w", str(cpu), *on_cpu], 100, lines=2),
        lambda: page.step("Seconds of the stages", [python, "-c", COMPARE, str(work), str(cpu)], 30),
        lambda: page.step("Its frames", [python, "-c", UNPACK, str(work / "frames"), str(pictures)], 30, lines=2),
        lambda: page.step("Classify", bench, 90),
        lambda: page.step("Mask", masks, 60),
        lambda: nvdec(page, folder),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("gpu.md"), help="the page of figures")
    page = Page(parser.parse_args().output)
    names = gpu_names()
    trouble = "" if names else "no GPU: nvidia-smi is not there or names none"
    trouble = trouble or cuda_trouble()
    if trouble:
        page.write(f"Nothing was checked. {trouble}.")
        raise SystemExit(1)
    page.write(*names, "")
    with tempfile.TemporaryDirectory() as folder:
        for step in steps(page, Path(folder)):
            step()
    page.write(f"Failed: {', '.join(page.failed) or 'nothing'}.")
    raise SystemExit(1 if page.failed else 0)


if __name__ == "__main__":
    main()
