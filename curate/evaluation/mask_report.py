"""The figures of `curate.evaluation.masks` as a table, as files, and as sheets of the worst pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curate.evaluation.mask_frames import Image
from curate.evaluation.mask_pictures import TILE, Picture
from curate.evaluation.masks import MaskReport
from curate.files.csv_file import CsvWriter

TRUTH, REGION = (0, 255, 0), (255, 220, 0)
"""RGB of the outlines of what was to be covered and of what is covered."""

ACROSS = 4
"""Pictures side by side on a sheet."""

FRAME_COLUMNS = (
    "source",
    "time",
    "way",
    "overlay_pixels",
    "covered",
    "overlays",
    "found",
    "regions",
    "right",
    "free",
    "lost",
)


def table(report: MaskReport) -> str:
    """The figures as text for a terminal."""
    lines = []
    for way, figures in report.figures.items():
        lines.append(f"{way}: {figures.frames} frames, {figures.clean} of them without overlays")
        lines.append(f"  {'kind':12} {'overlays':>8} {'pixel recall':>13} {'found at IoU 0.5':>17}")
        for kind in [*sorted(figures.drawn), None]:
            count = figures.overlays[kind] if kind else sum(figures.overlays.values())
            found = figures.found[kind] if kind else sum(figures.found.values())
            lines.append(
                f"  {kind or 'all':12} {count:8} {_number(figures.recall(kind), 3):>13} {f'{found}/{count}':>17}"
            )
        summary: dict[str, Any] = figures.summary()
        lines.append(f"  surgical pixels lost {_percent(summary['surgical_pixels_lost'])}")
        lines.append(f"  clean frames touched {figures.touched} of {figures.clean}")
        lines.append(
            f"  regions that are overlays {figures.right} of {figures.regions} ({_number(summary['precision'], 3)})"
        )
        lines.append("")
    return "\n".join(lines)


def write(report: MaskReport, folder: Path, about: dict[str, Any]) -> list[Path]:
    """Write ``report.json``, ``frames.csv``, and ``misses.jpg`` and ``false_alarms.jpg`` where there are any.

    Args:
        report: What was measured.
        folder: Made if it is not there.
        about: What was measured how; goes into the JSON.

    Returns:
        The files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = {**about, "ways": {way: figures.summary() for way, figures in report.figures.items()}}
    (folder / "report.json").write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    with open(folder / "frames.csv", "w", newline="", encoding="utf-8") as stream:
        writer = CsvWriter(stream, FRAME_COLUMNS)
        for source, time, way, score in report.rows:
            sums = [sum(counts.values()) for counts in (score.drawn, score.covered, score.overlays, score.found)]
            writer.write([source, time, way, *sums, score.regions, score.right, score.free, score.lost])
    written = [folder / "report.json", folder / "frames.csv"]
    for name, pictures in (("misses.jpg", report.misses), ("false_alarms.jpg", report.false_alarms)):
        path = folder / name
        if pictures:
            path.write_bytes(_jpeg(sheet(pictures)))
            written.append(path)
        else:
            path.unlink(missing_ok=True)
    return written


def sheet(pictures: Sequence[Picture]) -> Image:
    """Pictures side by side, truth in green, regions in yellow: RGB, uint8."""
    import cv2

    from curate.vision.grid import grid

    tiles = []
    for picture in pictures:
        tile = picture.image.copy()
        for colour, boxes in ((REGION, picture.regions), (TRUTH, picture.truth)):
            for x1, y1, x2, y2 in boxes:
                cv2.rectangle(tile, (x1, y1), (max(x2 - 1, x1), max(y2 - 1, y1)), colour, 1)
        label = f"{picture.source.encode('ascii', 'replace').decode()} {picture.time:.0f} s"
        for ink, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(tile, label, (3, tile.shape[0] - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.35, ink, thick, cv2.LINE_AA)
        tiles.append(tile)
    return grid(tiles, *TILE, min(ACROSS, len(pictures)), background=40)


def _jpeg(image: Image) -> bytes:
    import simplejpeg

    return bytes(simplejpeg.encode_jpeg(image, quality=90))


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _percent(value: Any) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"
