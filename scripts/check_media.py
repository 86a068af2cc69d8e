"""Holds sampling against decoding everything, for every file of a folder.

    python scripts/check_media.py FOLDER                 # one line a file
    python scripts/check_media.py FOLDER --rate 5        # five samples a second
    python scripts/check_media.py FILE FILE ...

Every file is decoded twice, from its first packet to its last, with nothing of the sampler but the choice of the
stream: once to learn when each frame appears by the clock of the file, and once for the pictures. Each sample must then
be the frame that is on screen at its time, bit for bit, with its time and its index, and no sample may be absent.

Lines begin with `same`, with `other` where sampling differs, or with the reason for which no frame can be had. What the
sampler says was lost stands at the end. Where it says that the clock jumps, times are not compared, only pictures.
Exit code 0 if nothing differs, 2 if something does, 1 for wrong usage.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import sys
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
SLOTTED = ("avi",)
"""Formats that store a slot in decoding order for each frame and no presentation time."""
UNTIMED = ("h261", "h263", "h264", "hevc", "vvc", "evc", "m4v", "mpegvideo", "obu", "av1", "mjpeg", "mpjpeg", "vc1")
"""Formats that store no time at all."""


@dataclass
class Truth:
    """What decoding everything gives.

    Attributes:
        starts: Seconds from the first frame to each that gets on screen, rising.
        indices: Which frames those are, in the order in which the decoder puts them out.
    """

    starts: list[Fraction] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)

    def on_screen(self, time: Fraction) -> int:
        """Index of the frame on screen."""
        return self.indices[bisect_right(self.starts, time) - 1]


def decoded(path: Path) -> Iterator[Any]:
    """All frames, as the decoder puts them out."""
    import av

    from curate.media.probe import open_video

    with open_video(path) as (container, stream, _):
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:
                packet = None
            if packet is not None and not packet.size:
                if packet.pts is not None:
                    continue
                packet = None
            with contextlib.suppress(av.FFmpegError):
                yield from stream.codec_context.decode(packet)
            if packet is None:
                return


def truth(path: Path) -> Truth:
    """When each frame appears: by presentation times where they rise, else by when the decoder puts it out."""
    from curate.media.probe import probe

    shown, put_out, durations = [], [], []
    for frame in decoded(path):
        shown.append(frame.pts)
        put_out.append(frame.dts)
        durations.append(frame.duration or 0)
    info = probe(path)
    usual = Fraction(1) / info.fps if info.fps else info.time_base
    times = put_out if info.container in SLOTTED or (falls(shown) and not falls(put_out)) else shown
    known = Truth()
    clock = Fraction(0)
    for index, time in enumerate(times):
        if time is not None and info.container not in UNTIMED:
            clock = time * info.time_base
        elif index:
            clock += durations[index - 1] * info.time_base or usual
        # A frame that is late never gets on screen.
        if not known.starts or clock > known.starts[-1]:
            known.starts.append(clock)
            known.indices.append(index)
    return Truth([start - known.starts[0] for start in known.starts], known.indices)


def falls(times: list[int | None]) -> bool:
    """Whether times are absent or do not rise, those missing at the end left out."""
    while times and times[-1] is None:
        times = times[:-1]
    return None in times or any(after <= before for before, after in pairwise(times))


def differences(path: Path, rate: float) -> tuple[str, str]:
    """What differs, empty if nothing does; and a summary of what was sampled.

    Raises:
        MediaError: No frame can be had.
    """
    from curate.media.colour import Converter
    from curate.media.decode import Sampler
    from curate.media.select import AtRate

    sampler = Sampler(path, AtRate(rate))
    samples = [(s.n, s.source_index, s.timestamp, digest(s.image)) for s in sampler]
    statistics, info = sampler.statistics, sampler.info
    assert info is not None
    summary = (
        f"{info.container.split(',')[0]} {info.codec}: {len(samples)} samples of {statistics.frames} frames in "
        f"{statistics.duration:.3f} s, {statistics.sent} packets decoded"
    )
    if statistics.losses():
        summary += f"; {statistics.losses()}"
    known = truth(path)
    exact = Fraction(repr(rate))
    wanted = {index for _, index, _, _ in samples}
    convert = Converter(pixel_aspect=info.pixel_aspect)
    images = {index: digest(convert(frame)) for index, frame in enumerate(decoded(path)) if index in wanted}
    for position, (n, index, timestamp, image) in enumerate(samples):
        if n != position:
            return f"sample {position} is absent", summary
        if images.get(index) != image:
            return f"sample {n} is not the picture of frame {index}", summary
        if statistics.jumps:
            continue
        right = known.on_screen(n / exact)
        if index != right:
            return f"sample {n} shows frame {index}, on screen is frame {right}", summary
        start = float(known.starts[known.indices.index(index)])
        if abs(timestamp - start) > 1e-6:
            return (
                f"sample {n} is said to appear at {timestamp:.6f} s, not {start:.6f} s",
                summary,
            )
    if not statistics.jumps and len(samples) / exact <= known.starts[-1]:
        return f"there is no sample {len(samples)}, the last frame appears at {float(known.starts[-1]):.3f} s", summary
    return "", summary


def digest(image: Any) -> bytes:
    return hashlib.sha256(str(image.shape).encode() + image.tobytes()).digest()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path, metavar="FOLDER", help="folders, with those in them, or files")
    parser.add_argument("--rate", type=float, default=1.0, help="samples a second")
    given = parser.parse_args()
    sys.path.insert(0, str(REPOSITORY))
    from curate.media.probe import MediaError

    counts = {"same": 0, "other": 0, "none": 0}
    for path in given.paths:
        if not path.exists():
            parser.error(f"{path} does not exist")
        for file in sorted(p for p in path.rglob("*") if not p.is_dir()) if path.is_dir() else [path]:
            try:
                differs, summary = differences(file, given.rate)
            except MediaError as error:
                counts["none"] += 1
                print(f"{error.reason:7} {file}: {error.detail}", flush=True)
                continue
            counts["other" if differs else "same"] += 1
            print(
                f"{'other' if differs else 'same':7} {file}: {differs + '; ' if differs else ''}{summary}", flush=True
            )
    print(f"{counts['same']} the same, {counts['other']} other, {counts['none']} without a frame")
    return 2 if counts["other"] else 0


if __name__ == "__main__":
    sys.exit(main())
