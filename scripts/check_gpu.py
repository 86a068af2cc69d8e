"""Holds every path that uses a GPU to account, in ten minutes at most, and writes one page of figures.

    python scripts/check_gpu.py --output gpu.md

On a bare machine: ``pip install -e '.[dev]'``, ``pip install onnxruntime-gpu`` beside it for mask and audit, then this.
It runs all tests marked ``gpu``, the benchmarks of classify, mask and audit on the device, sampling by NVDEC against
the CPU, and NVDEC with one to seven processes for each codec. A step that fails or runs out of time is said so on the
page; the others are run all the same.

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
    """Frames a second of NVDEC, for each codec, with more and more processes."""
    page.write("## NVDEC", "", "Frames a second of all processes together; 720p.", "")
    page.write("| codec | " + " | ".join(map(str, PROCESSES)) + " |", "|---" * (len(PROCESSES) + 1) + "|")
    for codec in ENCODERS:
        if page.left(1000) < 30:
            page.failed.append(f"NVDEC {codec}: no time left")
            break
        clip = encode(folder, codec, seconds=8)
        cells = [together(clip, count, page.left(60)) for count in PROCESSES] if clip else ["no encoder"]
        page.write(f"| {codec} | " + " | ".join(cells) + " |")
    page.write("")


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
    device = ["--classify-device", "cuda", "--mask-device", "cuda", "--audit-device", "cuda"]
    run = [*curate, "run", str(folder / "demo"), "-w", str(work), "--until", "audit", *device]
    unpack = (
        "import sys, pathlib, pyarrow.parquet as pq\n"
        "out = pathlib.Path(sys.argv[2]); out.mkdir()\n"
        "for path in pathlib.Path(sys.argv[1]).glob('*.parquet'):\n"
        "    for n, jpeg in enumerate(pq.read_table(path)['image'].to_pylist()):\n"
        "        (out / f'{path.stem}-{n}.jpg').write_bytes(jpeg)\n"
    )
    bench = [python, "scripts/bench_classify.py", "--device", "cuda", "--frames", "4096", "--repeats", "2"]
    masks = [python, "scripts/bench_mask.py", str(pictures), "--device", "cuda", "--frames", "200"]
    return [
        lambda: page.step("Tests marked gpu", [python, "-m", "pytest", "-q", "-m", "gpu", "--timeout=90"], 150),
        lambda: page.step("Demonstration videos", render, 60, lines=2),
        lambda: page.step("Run on the device, with the seconds of audit", run, 120),
        lambda: page.step("Its frames", [python, "-c", unpack, str(work / "frames"), str(pictures)], 30, lines=2),
        lambda: page.step("Classify", bench, 90),
        lambda: page.step("Mask", masks, 60),
        lambda: page.step(
            "Sample on the device", [*curate, "sample", "-w", str(work), "--decoder", "gpu", "-v"], 60, lines=10
        ),
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
