"""Recall of duplicates by kind, and precision on unrelated videos, with copies that are planted.

Sources are the real videos and clips composed of the real frames in the development data, one clip a group of frames,
which come from one video: every still is shown for a few seconds while the view wanders over it. Of each source all
kinds of copies are made, encoded, sampled, and hashed by curate's own stages (without networks: the seconds of surgery
are those of the truth, and what the mask stage would find of an added logo is given, or it is left in the hash). What
is then found is held against what was planted.

Sources are in two sides that share no group: thresholds were chosen on ``tune``, and what is told is ``report``.

    CURATE_SHARED_DATA=... python scripts/evaluate_duplicates.py --side report --work FOLDER
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import csv
import json
import os
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from curate.config import DedupOptions, FieldOptions, SampleOptions, SignatureOptions
from curate.corpus.duplicates import is_accepted
from curate.corpus.matching import Signed, find_matches
from curate.records import SURGICAL, Done, Region, Video
from curate.stage import Files
from curate.stages.field import FieldStage
from curate.stages.sample import SampleStage
from curate.stages.signature import SignatureStage
from curate.workspace.tables import region_schema
from curate.workspace.tables.duplicates import Match
from curate.workspace.tables.frames import read_frame_sizes
from curate.workspace.tables.regions import BoxWriter
from curate.workspace.tables.verdicts import write_verdicts

DATA = Path(os.environ.get("CURATE_SHARED_DATA", "../shared/data"))
CHOLECYSTECTOMIES = {
    "m2cai",
    "lowlight",
    "saraph",
    "cholecseg",
    "desmoke",
    "captioned-chole",
    "dev01",
    "dev02",
    "dev05",
}
CHOLECYSTECTOMIES |= {"dev06"}
RELATED = ({"dev02", "dev06"},)
"""Real videos that were made of the same footage, as can be seen."""
STILL_SECONDS = 3.0
CLIP_SECONDS = 90.0
MOST_GROUPS = 3
FPS = 24
COPY_FPS = 12
"""Of the copies but the one at 30: half of the pictures, so that all of it is made in minutes."""
SIZE = (480, 270)

Image = np.ndarray


@dataclass(frozen=True)
class Source:
    """A video of which copies are made.

    Attributes:
        id: Of the video.
        family: Name of where its pictures come from.
        length: Seconds.
        stills: Pictures of which it is composed; empty for a real video.
        film: A real video.
        start: Where its surgery begins.
    """

    id: str
    family: str
    length: float
    stills: tuple[str, ...] = ()
    film: str = ""
    start: float = 0.0


@dataclass(frozen=True)
class Kind:
    """A kind of copy.

    Attributes:
        name: Of the kind.
        change: Applied to each picture.
        start: Where the copy begins, in seconds of the source.
        end: Where it ends; negative counts from the end.
        crf: Quality; higher is worse.
        fps: Frames a second.
        boxes: What the mask stage is taken to have found in a picture of some width and height.
        film: Number of the kind whose film it is as well; 0 where it has one of its own.
    """

    name: str
    change: Callable[[Image], Image] = lambda image: image
    start: float = 0.0
    end: float | None = None
    crf: int = 23
    fps: int = COPY_FPS
    boxes: Callable[[int, int], list[tuple[int, int, int, int]]] = lambda width, height: []
    film: int = 0


def resized(image: Image) -> Image:
    return cv2.resize(image, (320, 180), interpolation=cv2.INTER_AREA)


def with_logo(image: Image) -> Image:
    height, width = image.shape[:2]
    image = image.copy()
    cv2.rectangle(image, (width - width // 6, height // 20), (width - width // 30, height // 6), (250, 250, 250), -1)
    cv2.putText(image, "SURGTV", (width - width // 6 + 2, height // 8), 0, width / 1200, (200, 30, 30), 2)
    cv2.putText(image, "Dr. A. Example, Part 1", (width // 30, height - height // 15), 0, width / 900, (255, 255, 0), 2)
    return image


def boxes_of_logo(width: int, height: int) -> list[tuple[int, int, int, int]]:
    return [
        (width - width // 6 - 4, height // 20 - 4, width, height // 6 + 4),
        (width // 30 - 4, height - height // 15 - width // 30, width * 2 // 3, height - height // 15 + width // 60),
    ]


def cropped(image: Image) -> Image:
    height, width = image.shape[:2]
    x, y = round(width * 0.05), round(height * 0.05)
    return image[y : height - y, x : width - x]


def cropped_aside(image: Image) -> Image:
    height, width = image.shape[:2]
    return image[: round(height * 0.9), round(width * 0.1) :]


def mirrored(image: Image) -> Image:
    return image[:, ::-1]


def letterboxed(image: Image) -> Image:
    """Bars above and below, as for a screen of 4:3."""
    height, width = image.shape[:2]
    frame = np.zeros((width * 3 // 4, width, 3), np.uint8)
    y = (frame.shape[0] - height) // 2
    frame[y : y + height] = image
    return frame


def windowboxed(image: Image) -> Image:
    """Bars on all four sides."""
    height, width = image.shape[:2]
    small = cv2.resize(image, (round(width * 0.75), round(height * 0.75)), interpolation=cv2.INTER_AREA)
    frame = np.zeros_like(image)
    x, y = (width - small.shape[1]) // 2, (height - small.shape[0]) // 2
    frame[y : y + small.shape[0], x : x + small.shape[1]] = small
    return frame


def kinds(source: Source) -> list[Kind]:
    """The copies of a source; excerpts begin at any fraction of a second."""
    luck = random.Random(source.id)
    most = min(5.0, source.length / 8)
    excerpt = luck.uniform(0.1, 0.9) * (source.length - 10)
    return [
        Kind("re-encoded, crf 18", crf=18),
        Kind("re-encoded, crf 30", crf=30),
        Kind("re-encoded, crf 38", crf=38),
        Kind("resized to 180p", resized),
        Kind("trimmed", start=luck.uniform(1, most), end=-luck.uniform(1, most)),
        Kind("excerpt of 10 s", start=excerpt, end=excerpt + 10),
        Kind("logo and caption added, masked", with_logo, boxes=boxes_of_logo),
        Kind("cropped by 10 %", cropped),
        Kind("cropped by 10 %, one corner", cropped_aside),
        Kind("mirrored", mirrored),
        Kind("letterboxed", letterboxed),
        Kind("24 to 30 fps", fps=30),
        Kind("bars on all four sides", windowboxed),
        Kind("logo and caption, not masked", with_logo, film=7),
    ]


def sources(side: str) -> list[Source]:
    """All sources of a side: groups of one collection go to both in turn."""
    groups: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
    with open(DATA / "frames" / "labels.csv", newline="") as file:
        for row in csv.DictReader(file):
            if row["label"] == SURGICAL:
                group = row["group"]
                if row["source"] == "lowlight":
                    group = group.split("_")[0]
                elif row["source"] in ("desmoke", "cholecseg"):
                    group = row["source"]
                groups[row["source"], group].append(row["file"])
    found: list[Source] = []
    for side_of, ((family, group), files) in enumerate(sorted((k, v) for k, v in groups.items() if len(v) >= 10)):
        before = sum(source.family == family for source in found)
        if (side_of % 2 == 0) == (side == "tune") and before < MOST_GROUPS:
            length = min(CLIP_SECONDS, len(files) * STILL_SECONDS)
            name = group.replace("/", "-").replace(".", "-")[:48]
            found.append(Source(name, family, length, tuple(sorted(files))))
    for number in (1, 5) if side == "tune" else (2, 3, 6):
        truth = json.loads((DATA / "videos" / f"dev{number:02}.json").read_text())
        shown = [part for part in truth["segments"] if part["label"] == SURGICAL]
        first = max(shown, key=lambda part: part["end"] - part["start"])
        film = f"dev{number:02}.mp4"
        found.append(Source(film[:-4], film[:-4], first["end"] - first["start"], (), film, first["start"]))
    return found


def pictures(source: Source, start: float, end: float, fps: int) -> Iterator[Image]:
    """What a source shows from one time to another."""
    times = np.arange(start, end - 1e-6, 1 / fps)
    if source.film:
        yield from _of_film(source, times)
        return
    for time in times:
        yield _of_stills(source, int(time * FPS) / FPS)


def _of_film(source: Source, times: Sequence[float]) -> Iterator[Image]:
    with av.open(str(DATA / "videos" / source.film)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        shown, i = None, 0
        for frame in container.decode(stream):
            while i < len(times) and shown is not None and frame.time > times[i] + source.start:
                yield shown
                i += 1
            if i == len(times):
                return
            if frame.time >= times[0] + source.start - 1:
                shown = cv2.resize(frame.to_ndarray(format="rgb24"), SIZE, interpolation=cv2.INTER_AREA)
        while i < len(times) and shown is not None:
            yield shown
            i += 1


def _of_stills(source: Source, time: float) -> Image:
    """The still of this time, with the view wandering and closing in; at the speed of a camera in a hand."""
    number, share = divmod(time / STILL_SECONDS, 1)
    still = _still(source.stills[int(number) % len(source.stills)])
    luck = random.Random(f"{source.id}/{int(number)}")
    angle, zoom = luck.uniform(0, 2 * np.pi), luck.uniform(0.0, 0.04)
    reach = 0.05 * share
    wide = 0.9 - zoom * share
    x = (1 - wide) / 2 + reach * np.cos(angle) * 0.9
    y = (1 - wide) / 2 + reach * np.sin(angle) * 0.9
    height, width = still.shape[:2]
    x, y = np.clip(x, 0, 1 - wide) * width, np.clip(y, 0, 1 - wide) * height
    scale_x, scale_y = SIZE[0] / (wide * width), SIZE[1] / (wide * height)
    move = np.array([[scale_x, 0, -x * scale_x], [0, scale_y, -y * scale_y]])
    return cv2.warpAffine(still, move, SIZE, flags=cv2.INTER_LINEAR)


_STILLS: dict[str, Image] = {}


def _still(name: str) -> Image:
    if name not in _STILLS:
        image = cv2.imread(str(DATA / "frames" / name))
        height, width = image.shape[:2]
        wide = min(width, height * 16 / 9)  # cut to 16:9, so that no picture is stretched
        x, y = int((width - wide) / 2), int((height - wide * 9 / 16) / 2)
        _STILLS[name] = cv2.cvtColor(image[y : height - y, x : width - x], cv2.COLOR_BGR2RGB)
    return _STILLS[name]


def encode(path: Path, images: Iterator[Image], fps: int, crf: int) -> None:
    with av.open(str(path), "w") as container:
        stream = None
        for image in images:
            image = np.ascontiguousarray(image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2])
            if stream is None:
                stream = container.add_stream("libx264", rate=Fraction(fps))
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.options = {"crf": str(crf), "preset": "ultrafast"}
                stream.thread_count = 1
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        assert stream is not None
        container.mux(stream.encode())


def signed(work: Path, name: str, images: Callable[[], Iterator[Image]], kind: Kind, film_of: str = "") -> Path:
    """Encode, sample and hash a video, unless that was done; returns its signature."""
    final = work / f"{name}.parquet"
    if final.exists():
        return final
    folder = work / f".{film_of or name}"
    folder.mkdir(parents=True, exist_ok=True)
    film = folder / "v.mp4"
    video, inputs = Video("v", str(film)), {"download": film, "sample": folder / "frames.parquet"}
    if not inputs["sample"].exists():
        encode(film, images(), kind.fps, kind.crf)
        sample = SampleStage(SampleOptions())
        sample.setup()
        _made(sample.process(video, Files(inputs, folder, "sample"))).rename(inputs["sample"])
        sample.close()
        film.unlink()
    rows = list(read_frame_sizes(inputs["sample"]))
    count = len(rows)
    inputs["trim"] = folder / "verdicts.parquet"
    write_verdicts(
        inputs["trim"],
        np.array([row.n for row in rows], np.int32),
        np.array([row.timestamp for row in rows]),
        np.ones(count, np.float32),
        np.array([SURGICAL] * count),
        np.ones(count, bool),
        np.array([""] * count),
        {"threshold": "0.5"},
    )
    inputs["field"] = _made(FieldStage(FieldOptions()).process(video, Files(inputs, folder, "field")))
    boxes = kind.boxes(rows[0].width, rows[0].height)
    inputs["mask"] = folder / "regions.parquet"
    with BoxWriter(inputs["mask"], region_schema()) as writer:
        for row in rows:
            writer.add(row.n, [Region(*box, "text", 1.0, "truth") for box in boxes])
    stage = SignatureStage(SignatureOptions(method="hashes"))
    _made(stage.process(video, Files(inputs, folder, "signature"))).rename(final)
    return final


def _made(outcome: object) -> Path:
    assert isinstance(outcome, Done) and outcome.artefact is not None, outcome
    return outcome.artefact


def make(source: Source, work: Path) -> dict[str, float]:
    """Make a source and its copies; returns where each copy begins, by its id."""
    original = Kind("original", crf=20, fps=FPS)
    signed(work, f"{source.id}--0", lambda: pictures(source, 0.0, source.length, FPS), original)
    begins = {}
    for i, kind in enumerate(kinds(source), 1):
        end = source.length if kind.end is None else kind.end if kind.end > 0 else source.length + kind.end

        def copy(kind: Kind = kind, end: float = end) -> Iterator[Image]:
            return (kind.change(image) for image in pictures(source, kind.start, end, kind.fps))

        film_of = f"{source.id}--{kind.film}" if kind.film else ""
        signed(work, f"{source.id}--{i}", copy, kind, film_of)
        begins[f"{source.id}--{i}"] = kind.start
    return begins


def tell(every: list[Source], begins: dict[str, float], matches: list[Match], options: DedupOptions) -> None:
    """Print recall by kind, alignment, and what was found between unrelated videos."""
    accepted = [match for match in matches if is_accepted(match, options)]
    by_pair: dict[tuple[str, str], list[Match]] = collections.defaultdict(list)
    for match in accepted:
        by_pair[match.a, match.b].append(match)
    worst = 0.0
    print(f"{'kind':32} found  of  recall  worst alignment [s]")
    for i, kind in enumerate(kinds(every[0]), 1):
        found, missed, errors = 0, [], [0.0]
        for source in every:
            pair = by_pair.get((f"{source.id}--0", f"{source.id}--{i}"), [])
            good = [match for match in pair if match.mirrored == (kind.name == "mirrored")]
            if good:
                found += 1
                best = max(good, key=lambda match: match.matched * match.score)
                errors.append(abs(best.offset + begins[f"{source.id}--{i}"]))
            else:
                missed.append(source.id)
        worst = max(worst, *errors)
        share = found / len(every)
        print(f"{kind.name:32} {found:5} {len(every):3}  {share:6.3f}  {max(errors):6.2f}  {' '.join(missed)}")
    names = [source.id for source in every]
    family = {source.id: source.family for source in every}
    chole = [name for name in names if family[name] in CHOLECYSTECTOMIES]
    copies = len(kinds(every[0])) + 1
    related = {pair for pair in by_pair if {_of(pair[0]), _of(pair[1])} in RELATED}
    print(f"pairs of {' and of '.join(' and '.join(sorted(pair)) for pair in RELATED)}: {len(related)}")
    wrong = {pair: found for pair, found in by_pair.items() if _of(pair[0]) != _of(pair[1]) and pair not in related}
    logos = {pair for pair in wrong if all(video.endswith(f"--{copies - 1}") for video in pair)}
    inside = {pair for pair in wrong if _of(pair[0]) in chole and _of(pair[1]) in chole}
    right = len(by_pair) - len(wrong) - len(related)
    total = copies * copies * len(names) * (len(names) - 1) // 2
    in_family = copies * copies * len(chole) * (len(chole) - 1) // 2
    precision = 1 - (len(wrong) - len(logos)) / (len(by_pair) - len(logos))
    print(f"pairs of videos found: {len(by_pair)}, of them of one source {right}")
    print(f"precision {precision:.4f}, without the {len(logos)} pairs that both show one logo and caption, not masked")
    print(f"unrelated pairs found: {len(wrong)} of {total}; among cholecystectomies {len(inside)} of {in_family}")
    for pair in sorted({(_of(a), _of(b)) for a, b in wrong}):
        best = max(
            (match for (a, b), found in wrong.items() if (_of(a), _of(b)) == pair for match in found),
            key=lambda match: match.matched,
        )
        print(
            f"  {best.a} {best.b}: {best.matched} of {best.frames}, {best.pictures} pictures, {best.distance:.0f} bits"
        )


def _of(video: str) -> str:
    return video.rpartition("--")[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", choices=("tune", "report"), default="report")
    parser.add_argument("--work", type=Path, required=True, help="Folder for what is made; reused.")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    work = arguments.work / arguments.side
    work.mkdir(parents=True, exist_ok=True)
    every = sources(arguments.side)
    begins: dict[str, float] = {}
    with concurrent.futures.ProcessPoolExecutor(arguments.processes) as pool:
        for made in pool.map(make, every, [work] * len(every)):
            begins |= made
    options = DedupOptions()
    matches = find_matches([Signed(path.stem, path) for path in work.glob("*.parquet")], options)
    families = collections.Counter(source.family for source in every)
    print(f"{len(every)} sources: {', '.join(f'{name} {count}' for name, count in sorted(families.items()))}")
    tell(every, begins, matches, options)


if __name__ == "__main__":
    main()
