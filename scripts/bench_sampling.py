"""How fast frames are sampled, against the ways people sample frames today.

    python scripts/bench_sampling.py                     # all clips, all methods
    python scripts/bench_sampling.py --clips h264_720p --rounds 5
    python scripts/bench_sampling.py --memory            # peak memory of the sample stage on an hour of 1080p

Every method yields the frame on screen at n / rate seconds as an RGB array, with one decoding thread. Methods run one
after the other in processes of their own, in rounds, so that a busy machine slows all of them alike; the figures are
medians over the rounds. CPU seconds are user plus system time from opening the file to the last frame, imports left
out. Clips are encoded once, from the development videos where they are, else from moving textures, and kept in --cache.

Three rows are no samplers but floors: `floor: decode all` and `floor: no non-reference` decode without making any
image, and `floor: needed packets` decodes just the packets that the planner chose, read into memory beforehand: the
least any sampler can spend on this decoder.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
SECONDS = 20
"""Length of the generated clips."""

CLIPS: dict[str, dict[str, Any]] = {
    "h264_720p": {
        "codec": "libx264",
        "size": (1280, 720),
        "options": {"preset": "medium", "g": "150", "bf": "3", "b": "2500k", "maxrate": "5000k", "bufsize": "5000k"},
    },
    "h264_1080p": {
        "codec": "libx264",
        "size": (1920, 1080),
        "options": {"preset": "medium", "g": "250", "bf": "3", "b": "4500k", "maxrate": "9000k", "bufsize": "9000k"},
    },
    "hevc_720p": {
        "codec": "libx265",
        "size": (1280, 720),
        "options": {"preset": "fast", "g": "150", "b": "1800k", "x265-params": "log-level=none"},
    },
    "vp9_720p": {
        "codec": "libvpx-vp9",
        "size": (1280, 720),
        "options": {"deadline": "realtime", "cpu-used": "6", "g": "160", "b": "1800k"},
    },
    "av1_720p": {
        "codec": "libsvtav1",
        "size": (1280, 720),
        "options": {"preset": "10", "g": "160", "b": "1500k"},
    },
}
"""Like the formats YouTube serves: closed GOPs of some five seconds, three B-frames, its bit rates."""


def curate(path: Path, rate: float) -> Iterator[Any]:
    from curate.media.decode import Sampler
    from curate.media.select import AtRate

    return (sampled.image for sampled in Sampler(path, AtRate(rate)))


def pyav_all(path: Path, rate: float, threads: int = 1) -> Iterator[Any]:
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = threads
        if threads != 1:
            stream.thread_type = "AUTO"
        due, before = 0, None
        for frame in container.decode(stream):
            while before is not None and frame.time > due / rate + 1e-9:
                yield before.to_ndarray(format="rgb24", threads=1)
                due += 1
            before = frame
        while before is not None and due / rate < before.time + float(before.duration * before.time_base) - 1e-9:
            yield before.to_ndarray(format="rgb24", threads=1)
            due += 1


def pyav_threads(path: Path, rate: float) -> Iterator[Any]:
    return pyav_all(path, rate, threads=0)


def opencv_read(path: Path, rate: float) -> Iterator[Any]:
    return _opencv(path, rate, lambda video: video.read())


def opencv_grab(path: Path, rate: float) -> Iterator[Any]:
    return _opencv(path, rate, None)


def _opencv(path: Path, rate: float, read: Callable[[Any], Any] | None) -> Iterator[Any]:
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "threads;1"
    import cv2

    cv2.setNumThreads(1)
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    fps = video.get(cv2.CAP_PROP_FPS)
    index = due = 0
    while True:
        if read is not None:
            ok, image = read(video)
        else:
            ok = video.grab()
        if not ok:
            return
        # The frame on screen at due / rate is the last one at or before it.
        if (index + 1) / fps > due / rate + 1e-9:
            if read is None:
                _, image = video.retrieve()
            yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            due += 1
        index += 1


def torchcodec(path: Path, rate: float) -> Iterator[Any]:
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(str(path), num_ffmpeg_threads=1, dimension_order="NHWC")
    end = decoder.metadata.end_stream_seconds
    due = [n / rate for n in range(int(end * rate) + 1) if n / rate < end]
    for first in range(0, len(due), 16):
        yield from decoder.get_frames_played_at(due[first : first + 16]).data.numpy()


def decord(path: Path, rate: float) -> Iterator[Any]:
    import decord as library

    reader = library.VideoReader(str(path), num_threads=1)
    times = reader.get_frame_timestamp(range(len(reader)))
    due, wanted = 0, []
    for index in range(len(reader)):
        while times[index][0] <= due / rate + 1e-6 < times[index][1]:
            wanted.append(index)
            due += 1
    for index in wanted:
        yield reader[index].asnumpy()


def ffmpeg_program(path: Path, rate: float) -> Iterator[Any]:
    import av
    import numpy as np

    with av.open(str(path)) as container:
        width, height = container.streams.video[0].width, container.streams.video[0].height
    command = ["ffmpeg", "-v", "error", "-threads", "1", "-filter_threads", "1", "-i", str(path)]
    command += ["-vf", f"fps={rate}:round=up", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while data := process.stdout.read(width * height * 3):
            yield np.frombuffer(data, np.uint8).reshape(height, width, 3)


def floor_all(path: Path, rate: float) -> Iterator[Any]:
    return _decode_only(path, "DEFAULT")


def floor_nonref(path: Path, rate: float) -> Iterator[Any]:
    return _decode_only(path, "NONREF")


def _decode_only(path: Path, skip: str) -> Iterator[Any]:
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        stream.codec_context.skip_frame = skip
        for _ in container.decode(stream):
            pass
    yield from ()


METHODS: dict[str, tuple[Callable[[Path, float], Iterator[Any]], str]] = {
    "curate": (curate, "av"),
    "PyAV, all": (pyav_all, "av"),
    "PyAV, all, auto threads": (pyav_threads, "av"),
    "OpenCV read": (opencv_read, "cv2"),
    "OpenCV grab": (opencv_grab, "cv2"),
    "torchcodec": (torchcodec, "torchcodec"),
    "decord": (decord, "decord"),
    "ffmpeg fps filter": (ffmpeg_program, "ffmpeg program"),
    "floor: decode all": (floor_all, "av"),
    "floor: no non-reference": (floor_nonref, "av"),
    "floor: needed packets": (curate, "av"),
}
"""Each method, and the module or program it needs."""


def measure(method: str, path: Path, rate: float) -> dict[str, float]:
    """Run one method in this process."""
    if method == "floor: needed packets":
        return _measure_needed(path, rate)
    run, needs = METHODS[method]
    if needs != "ffmpeg program":
        __import__(needs)
    if method == "torchcodec":
        import torch

        torch.set_num_threads(1)
        __import__("torchcodec.decoders")
    if method == "curate":
        __import__("curate.media.decode")
    own, children = time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    count = sum(1 for _ in run(path, rate))
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    return {"cpu": time.process_time() - own + spent, "wall": wall, "frames": count}


def _measure_needed(path: Path, rate: float) -> dict[str, float]:
    from curate.media.plan import index_packets, plan
    from curate.media.probe import open_video
    from curate.media.select import AtRate

    with open_video(path) as (container, stream, info):
        chosen = plan(index_packets(container, stream), AtRate(rate), info)
    with open_video(path) as (container, stream, _):
        packets = [packet for packet in container.demux(stream) if packet.size]
        context = stream.codec_context
        began, own = time.perf_counter(), time.process_time()
        for position, packet in enumerate(packets):
            if chosen.send[position]:
                if position in chosen.restart:
                    context.decode(None)
                    context.flush_buffers()
                context.decode(packet)
        context.decode(None)
        return {
            "cpu": time.process_time() - own,
            "wall": time.perf_counter() - began,
            "frames": len(chosen.wanted),
        }


def is_there(needs: str) -> bool:
    if needs == "ffmpeg program":
        return shutil.which("ffmpeg") is not None
    return importlib.util.find_spec(needs) is not None


def run_apart(*arguments: str, limit: float = 600) -> dict[str, Any] | str:
    """Run this script again with other arguments; its answer, or what went wrong."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "SVT_LOG": "1"}
    try:
        done = subprocess.run(
            [sys.executable, __file__, *arguments], capture_output=True, text=True, env=environment, timeout=limit
        )
    except subprocess.TimeoutExpired:
        return f"took more than {limit:.0f} s"
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        return lines[-1][:120]
    return json.loads(done.stdout.splitlines()[-1])


def source_images(size: tuple[int, int], seconds: int) -> Iterator[Any]:
    """RGB pictures at 30 fps: the second development video, or moving textures."""
    import numpy as np

    folder = Path(os.environ.get("CURATE_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    video = folder / "videos" / "dev02.mp4"
    if video.exists():
        import av

        with av.open(str(video)) as container:
            for index, frame in enumerate(container.decode(video=0)):
                if index >= 30 * seconds:
                    return
                yield frame.reformat(width=size[0], height=size[1], format="yuv420p", interpolation="BICUBIC")
        return
    import av

    rng = np.random.default_rng(0)
    width, height = size
    texture = np.kron(rng.integers(0, 256, (height // 8 + 60, width // 8 + 60, 3), np.uint8), np.ones((8, 8, 1)))
    for index in range(30 * seconds):
        x, y = (index * 3) % 400, (index * 2) % 400
        image = texture[y : y + height, x : x + width] + rng.integers(0, 8, (height, width, 1))
        yield av.VideoFrame.from_ndarray(np.clip(image, 0, 255).astype(np.uint8), format="rgb24")


def make_clip(name: str, path: Path, seconds: int = SECONDS) -> None:
    import av

    wanted = CLIPS[name]
    partial = path.with_suffix(".partial.mp4")
    with av.open(str(partial), "w") as output:
        stream = output.add_stream(wanted["codec"], rate=30, options=wanted["options"])
        stream.width, stream.height = wanted["size"]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.colorspace = 1
        for index, frame in enumerate(source_images(wanted["size"], seconds)):
            frame.pts, frame.time_base = index, Fraction(1, 30)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    partial.replace(path)


def clips(cache: Path, names: list[str], videos: list[Path]) -> dict[str, Path]:
    cache.mkdir(parents=True, exist_ok=True)
    found = {}
    for name in names:
        path = cache / f"{name}.mp4"
        if not path.exists():
            print(f"encoding {name} ...", file=sys.stderr)
            answer = run_apart("--make", name, str(path))
            if isinstance(answer, str):
                print(f"{name}: not made: {answer}", file=sys.stderr)
                continue
        found[name] = path
    return found | {path.stem: path for path in videos}


def bench(paths: dict[str, Path], rate: float, rounds: int, methods: list[str]) -> None:
    import av

    missing = [name for name in methods if not is_there(METHODS[name][1])]
    print(f"Python {sys.version.split()[0]}, PyAV {av.__version__}, {os.cpu_count()} cores, {rate:g} frames a second")
    for name in missing:
        print(f"not installed, left out: {name}")
    methods = [name for name in methods if name not in missing]
    for clip, path in paths.items():
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            seconds = float(stream.duration * stream.time_base)
            title = f"{clip}: {stream.codec_context.name} {stream.width}x{stream.height}, {stream.average_rate} fps"
        results: dict[str, list[dict[str, float]]] = {name: [] for name in methods}
        failed: dict[str, str] = {}
        for turn in range(rounds):
            for name in methods[turn % len(methods) :] + methods[: turn % len(methods)]:
                answer = run_apart("--child", name, str(path), str(rate))
                if isinstance(answer, str):
                    failed[name] = answer
                else:
                    results[name].append(answer)
        print(f"\n{title}, {seconds:.1f} s, {path.stat().st_size * 8 / seconds / 1e6:.1f} Mbit/s")
        print(f"{'method':26} {'CPU s':>7} {'CPU s/h':>8} {'wall s/h':>9} {'frames':>7} {'curate / method':>16}")
        medians = {name: statistics.median(run["cpu"] for run in runs) for name, runs in results.items() if runs}
        for name, runs in results.items():
            if not runs:
                print(f"{name:26} failed: {failed.get(name)}")
                continue
            wall = statistics.median(run["wall"] for run in runs)
            hours = seconds / 3600
            ratio = medians["curate"] / medians[name] if "curate" in medians else float("nan")
            print(
                f"{name:26} {medians[name]:7.2f} {medians[name] / hours:8.0f} {wall / hours:9.0f} "
                f"{runs[0]['frames']:7.0f} {ratio:16.2f}"
            )
        sys.stdout.flush()


def memory(cache: Path, rate: float) -> None:
    """Peak memory of the sample stage on an hour of 1080p, made by repeating a clip."""
    short = clips(cache, ["h264_1080p"], [])["h264_1080p"]
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        path = Path(folder) / "hour.mp4"
        repeat(short, path, 3600)
        print(f"an hour of 1080p: {run_apart('--stage', str(path), folder, str(rate), limit=3600)}")


def repeat(source: Path, target: Path, seconds: int) -> None:
    """Remux a clip over and over until it lasts long enough."""
    import av

    with av.open(str(source)) as given:
        packets = [packet for packet in given.demux(video=0) if packet.size]
        stream = given.streams.video[0]
        span = int(stream.duration)
        with av.open(str(target), "w") as made:
            copy = made.add_stream_from_template(stream)
            for turn in range(-(-seconds // int(span * stream.time_base))):
                for packet in packets:
                    again = av.Packet(bytes(packet))
                    again.stream, again.time_base = copy, packet.time_base
                    again.pts, again.dts = packet.pts + turn * span, packet.dts + turn * span
                    again.is_keyframe = packet.is_keyframe
                    made.mux(again)


def stage(path: Path, folder: Path, rate: float) -> dict[str, Any]:
    from curate.config import SampleOptions
    from curate.records import Video
    from curate.stage import Files
    from curate.stages.sample import SampleStage

    worker = SampleStage(SampleOptions(rate=rate))
    worker.setup()
    outcome = worker.process(Video("hour", str(path)), Files({"download": path}, folder, "hour"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"peak MB": round(peak), "CPU s": round(time.process_time()), "outcome": str(outcome)[:300]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", nargs="*", default=list(CLIPS), choices=list(CLIPS), help="generated clips to use")
    parser.add_argument("--videos", nargs="*", type=Path, default=[], help="further video files")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "curate-bench")
    parser.add_argument("--memory", action="store_true", help="measure memory instead of time")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--stage", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        method, path, rate = given.child
        print(json.dumps(measure(method, Path(path), float(rate))))
    elif given.make:
        make_clip(given.make[0], Path(given.make[1]))
        print("{}")
    elif given.stage:
        print(json.dumps(stage(Path(given.stage[0]), Path(given.stage[1]), float(given.stage[2]))))
    elif given.memory:
        memory(given.cache, given.rate)
    else:
        bench(clips(given.cache, given.clips, given.videos), given.rate, given.rounds, given.methods)


if __name__ == "__main__":
    main()
