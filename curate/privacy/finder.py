"""What may identify a person in a frame, by all means that the audit's options name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from curate.config import AuditOptions
from curate.nets.detect import face_detector, text_detector, text_reader
from curate.nets.detect.face_detector import FaceDetector
from curate.nets.detect.face_watch import FaceWatch
from curate.nets.detect.text_detector import TextDetector
from curate.nets.detect.text_reader import TextReader
from curate.privacy.lines import Line, LineReader
from curate.privacy.rules import find_personal
from curate.privacy.text import plain, redact
from curate.records import Finding, Region
from curate.vision.boxes import Box, union

Image = npt.NDArray[np.uint8]

SAME_ROW = 0.5
"""Share of the smaller height by which two lines must overlap to stand in one row."""

APART = 2.0
"""Heights between two lines of a row from which they are not read together."""

LONGEST = 400
"""Characters of a row that are looked at."""

LONGEST_PATTERN = 80
"""Characters of a shape that are stored."""


class PersonalFinder:
    """Finds faces and personal text in the frames of one video, in order.

    Args:
        options: What is looked for, and how.

    Raises:
        CurateError: A model or the device is not there.
    """

    def __init__(self, options: AuditOptions) -> None:
        self._least = options.text_threshold
        self._detector: FaceDetector | None = None
        self._faces: FaceWatch | None = None
        self._lines: LineReader | None = None
        device, threads = options.device, options.threads
        if options.faces:
            self._detector = FaceDetector(
                face_detector.packaged_model(),
                side=options.face_side,
                threshold=options.face_threshold,
                device=device,
                threads=threads,
            )
        if options.text:
            self._lines = LineReader(
                TextDetector(text_detector.packaged_model(), device=device, threads=threads),
                TextReader(text_reader.packaged_model(), device=device, threads=threads),
            )
        self.reset()

    def reset(self, seen: Counter[str] | None = None) -> None:
        """Another video begins.

        Args:
            seen: Where to count what each network sees, as `curate.nets.detect.face_watch.FaceWatch` and
                `curate.privacy.lines.LineReader` do.
        """
        seen = Counter() if seen is None else seen
        if self._detector is not None:
            self._faces = FaceWatch(self._detector, seen)
        if self._lines is not None:
            self._lines.reset(seen)

    def find(self, n: int, image: Image, regions: Sequence[Region]) -> list[Finding]:
        """What may identify a person in a frame, top to bottom.

        Args:
            n: Number of the frame, above that of the one before.
            image: RGB, uint8, shape (height, width, 3).
            regions: Of the frame, as the mask stage found them; text is only read in them.
        """
        found: list[Finding] = []
        if self._faces is not None:
            faces = self._faces.look(n, image, regions)
            found += [Finding("face", face.score, *face.box, "", "centerface") for face in faces]
        if self._lines is not None:
            read = [line for line in self._lines.lines(image, regions) if line.score >= self._least]
            found += [finding for row in rows_of(read) for finding in personal_in(row)]
        return in_order(found)


def in_order(found: Iterable[Finding]) -> list[Finding]:
    """Findings top to bottom, each once."""
    return sorted(set(found), key=lambda one: (one.y1, one.x1, one.y2, one.x2, one))


def rows_of(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines that stand side by side, left to right: a label and what it labels are often found one by one."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: (line.box[0], line.box[1], line)):
        for row in rows:
            if _continues(row[-1].box, line.box):
                row.append(line)
                break
        else:
            rows.append([line])
    return rows


def personal_in(row: Sequence[Line]) -> Iterator[Finding]:
    """Findings in one row of text; the box is that of the lines in which the finding stands.

    Args:
        row: Lines from left to right.
    """
    text = ""
    spans: list[tuple[int, int]] = []
    for line in row:
        start = len(text) + bool(text)
        text = f"{text} {plain(line.text)}".strip()
        spans.append((start, len(text)))
    text = text[:LONGEST]
    for found in find_personal(text):
        touched = [
            line for line, (start, end) in zip(row, spans, strict=True) if start < found.end and found.start < end
        ]
        yield Finding(
            found.kind,
            min(line.score for line in touched),
            *union(line.box for line in touched),
            redact(text[found.start : found.end])[:LONGEST_PATTERN],
            found.rule,
        )


def _continues(last: Box, box: Box) -> bool:
    """Whether a line stands right of another one, in the same row and close to it."""
    low = min(last[3] - last[1], box[3] - box[1])
    shared = min(last[3], box[3]) - max(last[1], box[1])
    gap = box[0] - last[2]
    return shared >= SAME_ROW * low and -low <= gap <= APART * low
