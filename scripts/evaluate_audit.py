"""Measure the privacy audit: faces found and tissue taken for faces, text found and words taken for personal ones.

    python scripts/evaluate_audit.py faces DATA/frames          # recall in windows drawn into surgery, false alarms
    python scripts/evaluate_audit.py text DATA/frames           # drawn captions through mask, reader and rules
    python scripts/evaluate_audit.py videos DATA/videos WORK    # a workspace in which the videos were audited

Windows hold real portraits on real surgery at 10 to 25 % of the frame's width; the true box is that of the face in the
portrait at full size, which the detector itself gave and a person looked at, moved and shrunk with the window.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageFont

from curate.config import AuditOptions, MaskOptions
from curate.nets.detect.face_detector import FaceDetector, packaged_model
from curate.nets.detect.face_watch import FaceWatch
from curate.nets.detect.regions import RegionFinder
from curate.privacy.finder import PersonalFinder
from curate.privacy.gaps import fill_gaps
from curate.records import Finding

SIDES = (352, 448, 512, 576, 720)
THRESHOLDS = (0.3, 0.4, 0.5, 0.6)
Box = tuple[float, float, float, float]

WINDOW_SHARES = (0.10, 0.15, 0.20, 0.25)
NO_HUMAN = {12, 13, 14, 16, 17, 18, 19, 20, 21, 22, 24, 25, 28, 29}
"""Of `portraits`, in the order of labels.csv: animals, a statue and a drawn figure."""

PERSONAL = (
    ("name", "Patient: Smith, John"),
    ("name", "Dr. Jane Doe"),
    ("name", "Prof. Dr. med. Hans Weber"),
    ("name", "Maria Garcia, MD, FACS"),
    ("name", "Surgeon: Rajesh Kumar"),
    ("name", "MILLER, ANNA"),
    ("date", "17.05.2023"),
    ("date", "2021-11-03 10:22:41"),
    ("date", "03/14/2019"),
    ("date", "14 March 2020"),
    ("date", "12-MAY-2018"),
    ("date", "DOB: 03/11/1964"),
    ("identifier", "MRN 00482913"),
    ("identifier", "Patient ID: A-12345"),
    ("identifier", "Case No. 77123"),
    ("identifier", "Tel. +49 171 2345678"),
)
HARMLESS = (
    "Calot triangle",
    "Step 3 of 8",
    "00:12:33",
    "KARL STORZ",
    "Clip and divide the cystic artery",
    "Critical View of Safety",
    "Bipolar 40 W",
    "da Vinci Xi",
    "CO2 15 mmHg  2.5 L/min",
    "Hartmann's pouch",
    "1920x1080",
    "Laparoscopic Cholecystectomy",
    "www.surgeryvideos.example",
    "Liver, Gallbladder",
    "Zoom 1.5x",
    "OLYMPUS",
)


def listed(frames: Path) -> list[dict[str, str]]:
    with open(frames / "labels.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def read(path: Path) -> np.ndarray:
    return np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1])


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    across, down = (max(min(a[k + 2], b[k + 2]) - max(a[k], b[k]), 0) for k in (0, 1))
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return across * down / (areas - across * down)


def portraits(frames: Path) -> list[tuple[np.ndarray, tuple[int, int, int, int]]]:
    """Pictures with one human face, and its box."""
    rows = listed(frames)
    drawn = [row for i, row in enumerate(r for r in rows if r["source"] == "portraits") if i not in NO_HUMAN]
    filmed = [row for row in rows if row["source"] == "liveportrait"][::3]
    detector = FaceDetector(packaged_model(), side=352, threshold=0.6)
    found = []
    for row in drawn + filmed:
        image = read(frames / row["file"])
        faces = detector.detect(image)
        if len(faces) == 1:
            found.append((image, faces[0][:4]))
    print(f"portraits with one face: {len(found)} of {len(drawn) + len(filmed)}")
    return found


def window(
    scene: np.ndarray, face: np.ndarray, box: Box, share: float, corner: int, margin: int, quality: int
) -> tuple[np.ndarray, Box]:
    """A surgical frame of 720 rows, coded as JPEG, with a portrait in a corner, and the box of the face."""
    width = round(scene.shape[1] * 720 / scene.shape[0])
    image = cv2.resize(scene, (width, 720), interpolation=cv2.INTER_CUBIC)
    scale = share * width / face.shape[1]
    size = (round(face.shape[1] * scale), min(round(face.shape[0] * scale), 700))
    x = width - size[0] - margin if corner % 2 else margin
    y = max(720 - size[1] - margin, 0) if corner >= 2 else margin
    image[y : y + size[1], x : x + size[0]] = cv2.resize(face, size, interpolation=cv2.INTER_AREA)[: 720 - y]
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    across, down = size[0] / face.shape[1], size[1] / face.shape[0]
    place = (box[0] * across + x, box[1] * down + y, box[2] * across + x, box[3] * down + y)
    return cv2.imdecode(coded, cv2.IMREAD_COLOR), place


def windows(frames: Path, count: int, rng: np.random.Generator):
    """Surgical frames of 720 rows with a portrait in a corner: image, box of the face, share of the width."""
    faces = portraits(frames)
    scenes = [row["file"] for row in listed(frames) if row["label"] == "surgical"]
    for i in range(count):
        share = WINDOW_SHARES[i % len(WINDOW_SHARES)]
        scene = read(frames / scenes[rng.integers(len(scenes))])
        face, box = faces[rng.integers(len(faces))]
        margin, right, low = int(rng.integers(0, 20)), rng.random() >= 0.5, rng.random() >= 0.5
        yield *window(scene, face, box, share, 2 * low + right, margin, int(rng.integers(60, 95))), share


def evaluate_faces(frames: Path, count: int) -> None:
    for side in SIDES:
        detector = FaceDetector(packaged_model(), side=side, threshold=0.1)
        scores = defaultdict(list)
        begin, seen = time.process_time(), 0
        for image, box, share in windows(frames, count, np.random.default_rng(0)):
            faces = detector.detect(image)
            scores[share].append(max((face.score for face in faces if overlap(face[:4], box) >= 0.4), default=0.0))
            seen += 1
        spent = (time.process_time() - begin) / seen * 1000
        best = np.concatenate([scores[share] for share in WINDOW_SHARES])
        print(f"side {side}: {seen} windows, {spent:.0f} CPU ms each with drawing them")
        for threshold in THRESHOLDS:
            by = ", ".join(
                f"{share:.0%} {np.mean(np.array(scores[share]) >= threshold):.3f}" for share in WINDOW_SHARES
            )
            print(f"  recall at {threshold}: {np.mean(best >= threshold):.3f} ({by})")
        alarms = defaultdict(list)
        for row in listed(frames):
            if row["label"] == "surgical":
                faces = detector.detect(read(frames / row["file"]))
                alarms[row["source"]].append(faces[0].score if faces else 0.0)
        every = np.concatenate(list(alarms.values()))
        for threshold in THRESHOLDS:
            hits = {source: int(np.sum(np.array(v) >= threshold)) for source, v in alarms.items()}
            named = ", ".join(f"{source} {n} of {len(alarms[source])}" for source, n in hits.items() if n)
            print(f"  false alarms at {threshold}: {sum(hits.values())} of {len(every)} surgical frames ({named})")


def sequences(frames: Path, rng: np.random.Generator) -> Iterator[tuple[float, list[tuple[np.ndarray, Box]]]]:
    """Windows of people who talk, on surgical frames: share of the width, and the frames of a clip with their boxes.

    A window stays where it is and the person in it moves; the true box is the detector's on the picture at full size.
    """
    detector = FaceDetector(packaged_model(), side=352, threshold=0.6)
    clips: dict[str, list[str]] = defaultdict(list)
    scenes: dict[str, list[str]] = defaultdict(list)
    for row in listed(frames):
        if row["source"] == "liveportrait":
            clips[row["group"]].append(row["file"])
        elif row["source"] in ("m2cai", "lowlight"):
            scenes[row["group"]].append(row["file"])
    videos = list(scenes.values())
    for files in clips.values():
        images = [read(frames / name) for name in files]
        people = [(image, faces[0][:4]) for image in images if (faces := detector.detect(image))]
        for share in WINDOW_SHARES:
            video, corner = videos[rng.integers(len(videos))], int(rng.integers(4))
            yield (
                share,
                [
                    window(read(frames / video[n % len(video)]), image, box, share, corner, 8, 75)
                    for n, (image, box) in enumerate(people)
                ],
            )


def evaluate_sequences(frames: Path) -> None:
    """Faces in windows over time: every frame looked at closely, as the audit does it, and with gaps filled."""
    options = AuditOptions()
    detector = FaceDetector(packaged_model(), side=options.face_side, threshold=options.face_threshold)
    found: dict[tuple[float, str], list[bool]] = defaultdict(list)
    for share, clip in sequences(frames, np.random.default_rng(2)):
        alone = [
            [Finding("face", f.score, *f[:4], "", "centerface") for f in detector.detect(image)] for image, _ in clip
        ]
        watch, seen = FaceWatch(detector, Counter()), []
        for n, (image, _) in enumerate(clip):
            looked = watch.look(n, image, [])
            seen.append([Finding("face", f.score, *f[:4], "", "centerface") for f in looked])
        filled = [faces for _, faces in fill_gaps((n, list(faces)) for n, faces in enumerate(seen))]
        for how, faces in (("alone", alone), ("watched", seen), ("filled", filled)):
            for own, (_, box) in zip(faces, clip, strict=True):
                found[share, how].append(any(overlap(face[2:6], box) >= 0.4 for face in own))
    for share in WINDOW_SHARES:
        alone, seen, filled = (found[share, how] for how in ("alone", "watched", "filled"))
        print(
            f"windows of {share:.0%}: {sum(alone)} of {len(alone)} frames, each looked at closely; {sum(seen)} as the "
            f"audit looks, {sum(filled)} with gaps filled"
        )


def drawn(scene: np.ndarray, text: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """The frame, 720 rows, with a caption: white with a dark edge, or in a bar."""
    width = round(scene.shape[1] * 720 / scene.shape[0])
    image = Image.fromarray(cv2.resize(scene, (width, 720), interpolation=cv2.INTER_CUBIC))
    font = ImageFont.load_default(size)
    draw = ImageDraw.Draw(image)
    x = int(rng.integers(10, max(width - font.getlength(text) - 10, 11)))
    y = int(rng.choice([12, 700 - 2 * size]))
    if rng.random() < 0.5:
        draw.rectangle((0, y - 6, width, y + size * 1.3 + 6), fill=tuple(int(c) for c in rng.integers(0, 70, 3)))
    draw.text((x, y), text, font=font, fill=(245, 245, 245), stroke_width=1, stroke_fill=(0, 0, 0))
    return np.asarray(image)


def evaluate_text(frames: Path, count: int) -> None:
    rng = np.random.default_rng(1)
    sources = ("m2cai", "lowlight", "saraph", "surgtoolloc")
    scenes: dict[str, list[str]] = defaultdict(list)
    for row in listed(frames):
        if row["source"] in sources:
            scenes[row["group"]].append(row["file"])
    groups = [files for files in scenes.values() if len(files) >= 4]
    finder, regions = PersonalFinder(AuditOptions(faces=False)), RegionFinder(MaskOptions())
    cases = [(kind, text) for kind, text in PERSONAL] + [("", text) for text in HARMLESS]
    right: dict[tuple[str, int], list[bool]] = defaultdict(list)
    for size in (16, 20, 28, 40):
        for kind, text in cases:
            for _ in range(count):
                files = groups[rng.integers(len(groups))][:4]
                seed = int(rng.integers(1 << 31))
                shown = [drawn(read(frames / name), text, size, np.random.default_rng(seed)) for name in files]
                kinds: set[str] = set()
                finder.reset()
                for n, found in regions.find(enumerate(shown)):
                    kinds |= {finding.kind for finding in finder.find(n, shown[n], found)}
                right[kind, size].append(kind in kinds if kind else not kinds)
                if not right[kind, size][-1]:
                    print(f"  {size} px: {text!r} gave {sorted(kinds) or 'nothing'}")
    for (kind, size), answers in sorted(right.items()):
        what = f"{kind} found" if kind else "harmless left alone"
        print(f"{what} at {size} px: {sum(answers)} of {len(answers)} clips of four frames")
    clean = [row["file"] for row in listed(frames) if row["label"] == "surgical"]
    alarms: dict[str, int] = defaultdict(int)
    for name in clean:
        image = read(frames / name)
        finder.reset()
        for _, found in regions.find([(0, image)]):
            for kind in {finding.kind for finding in finder.find(0, image, found)}:
                alarms[kind] += 1
                print(f"  {name}: {kind}")
    print(f"text findings on {len(clean)} surgical frames, burned-in text included: {dict(alarms)}")


def evaluate_small_text(frames: Path) -> None:
    """Personal captions at the limit of what can be read, on clips of poor quality, with and without filling gaps."""
    rng = np.random.default_rng(4)
    videos: dict[str, list[str]] = defaultdict(list)
    for row in listed(frames):
        if row["source"] == "m2cai":
            videos[row["group"]].append(row["file"])
    long = [files for files in videos.values() if len(files) >= 12]
    finder, regions = PersonalFinder(AuditOptions(faces=False)), RegionFinder(MaskOptions())
    for size in (11, 13, 16):
        counts = [0, 0, 0]
        for kind, text in PERSONAL[::2]:
            files, seed = long[rng.integers(len(long))][:12], int(rng.integers(1 << 31))
            shown = []
            for name in files:
                image = drawn(read(frames / name), text, size, np.random.default_rng(seed))
                coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 35])[1]
                shown.append(cv2.imdecode(coded, cv2.IMREAD_COLOR))
            finder.reset()
            alone = []
            for n, found in regions.find(enumerate(shown)):
                alone.append((n, [one for one in finder.find(n, shown[n], found) if one.kind == kind]))
            filled = list(fill_gaps((n, list(own)) for n, own in alone))
            for i, many in enumerate((alone, filled)):
                counts[i] += sum(bool(own) for _, own in many)
            counts[2] += len(shown)
        print(f"at {size} px, quality 35: found on {counts[0]} of {counts[2]} frames, {counts[1]} with gaps filled")


def evaluate_videos(videos: Path, workspace: Path) -> None:
    """Frames with faces against the windows of the truth that show people."""
    for path in sorted(videos.glob("*.json")):
        table = workspace / "audit" / f"{path.stem}.parquet"
        if not table.exists():
            print(f"{path.stem}: not audited")
            continue
        rows = pq.read_table(table).to_pylist()
        stamps = pq.read_table(workspace / "frames" / f"{path.stem}.parquet", columns=["n", "timestamp"]).to_pylist()
        looked = pq.read_table(workspace / "verdicts" / f"{path.stem}.parquet").to_pylist()
        kept = {row["n"] for row in looked if row["kept"] and row["verdict"] != "non-surgical"}
        times = {row["n"]: row["timestamp"] for row in stamps}
        pips = [o for o in json.loads(path.read_text())["overlays"] if o["kind"] == "pip"]
        inside = {n for n in kept if any(o["start"] <= times[n] < o["end"] for o in pips)}
        faces = {row["n"] for row in rows if row["kind"] == "face"}
        others = sorted((row["kind"], row["n"]) for row in rows if row["kind"] != "face")
        print(
            f"{path.stem}: {len(kept)} frames looked at, {len(inside)} in a window's time; "
            f"faces on {len(faces & inside)} of these and on {len(faces - inside)} others; text findings {others}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["faces", "text", "videos"])
    parser.add_argument("data", type=Path)
    parser.add_argument("workspace", type=Path, nargs="?")
    parser.add_argument("--count", type=int, default=0, help="Windows (400), or clips a text and size (2).")
    arguments = parser.parse_args()
    if arguments.what == "faces":
        evaluate_faces(arguments.data, arguments.count or 400)
        evaluate_sequences(arguments.data)
    elif arguments.what == "text":
        evaluate_text(arguments.data, arguments.count or 2)
        evaluate_small_text(arguments.data)
    elif arguments.workspace is None:
        parser.error("videos needs a workspace")
    else:
        evaluate_videos(arguments.data, arguments.workspace)


if __name__ == "__main__":
    main()
