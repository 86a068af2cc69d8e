"""Pages that show what the privacy audit found: one with all videos, and one a video with pictures.

The pages show faces and names: they are for those who decide what becomes of the videos, not for publication. Titles
are free text of strangers and are escaped; nothing is loaded from elsewhere and no script runs.
"""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curate.errors import CurateError
from curate.files.clock import clock
from curate.records import FINDING_KINDS, Finding
from curate.report.masks import COLOURS, QUALITY, outline
from curate.run.session import Session
from curate.workspace.tables.frames import read_frames
from curate.workspace.tables.regions import read_findings

MOST = 24
"""Pictures of one video at most."""

WIDEST = 960
"""Largest width of a picture in pixels."""

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1200px; padding: 0 1rem; color: #1c1c1c }
table { border-collapse: collapse; width: 100% } th, td { padding: .3rem .6rem; border-bottom: 1px solid #ddd }
th, td { text-align: right } th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; overflow-wrap: anywhere }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(340px, 1fr)); gap: 1rem }
figure { margin: 0 } img { width: 100%; height: auto } figcaption { font-size: 13px } code { background: #f2f2f2 }
.note { background: #fff4d6; padding: .5rem 1rem } .kind { font-weight: 600; padding: 0 .3em; border-left: .6em solid }
"""


@dataclass(frozen=True)
class AuditedVideo:
    """A video of the report.

    Attributes:
        id: Id of the video.
        title: By the manifest; untrusted text.
        frames: Its ``frames`` table.
        audit: Its ``audit`` table.
        figures: Counts of the stage: ``frames``, ``frames_with_findings``, ``frames_with_faces``, ...
    """

    id: str
    title: str
    frames: Path
    audit: Path
    figures: Mapping[str, int | float]


def write_report(videos: Iterable[AuditedVideo], folder: Path) -> tuple[int, int]:
    """Write ``index.html`` and, for every video with findings, ``{id}/index.html`` with pictures beside it.

    Args:
        videos: Audited videos.
        folder: Existing empty folder.

    Returns:
        How many videos have findings, and how many pictures were written.
    """
    rows, clean, pictures = [], 0, 0
    for video in videos:
        if not video.figures["frames_with_findings"]:
            clean += 1
            continue
        rows.append(_index_row(video))
        pictures += _write_video(video, folder / video.id)
    head = "".join(f"<th>{name}</th>" for name in ("video", "title", "frames", "found on", *FINDING_KINDS))
    body = (
        "<h1>Privacy audit</h1>"
        '<p class="note">These pages show faces and names. Do not publish them; delete them when you are done.</p>'
        f"<p>{len(rows)} videos with findings, {clean} without. Counts are of frames. The audit misses things: what "
        "it did not find may still be there.</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
    (folder / "index.html").write_text(_page("Privacy audit", body), encoding="utf-8")
    return len(rows), pictures


def _index_row(video: AuditedVideo) -> str:
    counts = ["frames", "frames_with_findings", *(f"frames_with_{kind}s" for kind in FINDING_KINDS)]
    cells = "".join(f"<td>{int(video.figures[name]):,}</td>" for name in counts)
    return f'<tr><td><a href="{video.id}/index.html">{video.id}</a></td><td>{html.escape(video.title)}</td>{cells}</tr>'


def _write_video(video: AuditedVideo, folder: Path) -> int:
    """Write the page and the pictures of one video; returns how many pictures."""
    folder.mkdir()
    found: dict[int, list[Finding]] = defaultdict(list)
    for n, finding in read_findings(video.audit):
        found[n].append(finding)
    chosen = choose(found, MOST)
    figures = []
    for n, timestamp, jpeg in read_frames(video.frames, set(chosen)):
        (folder / f"{n:06d}.jpg").write_bytes(_drawn(jpeg, found[n]))
        said = "; ".join(_said(finding) for finding in found[n])
        figures.append(
            f'<figure><img src="{n:06d}.jpg" alt="frame {n}" loading="lazy">'
            f"<figcaption>{clock(timestamp)}, frame {n}: {said}</figcaption></figure>"
        )
    more = f"<p>{len(chosen)} of {len(found)} frames with findings, spread over the video.</p>"
    body = (
        f'<p><a href="../index.html">All videos</a></p><h1>{html.escape(video.title) or video.id}</h1>'
        f'<p>{video.id}</p>{more}<div class="pictures">{"".join(figures)}</div>'
    )
    (folder / "index.html").write_text(_page(f"Privacy audit of {video.id}", body), encoding="utf-8")
    return len(figures)


def choose(found: Mapping[int, Sequence[Finding]], most: int) -> list[int]:
    """Numbers of frames to show: of every kind the same share, spread evenly over the video.

    Args:
        found: Findings by frame number.
        most: How many frames at most.
    """
    kinds: dict[str, list[int]] = defaultdict(list)
    for n in sorted(found):
        for kind in {finding.kind for finding in found[n]}:
            kinds[kind].append(n)
    chosen: set[int] = set()
    for left, kind in zip(range(len(kinds), 0, -1), sorted(kinds, key=lambda kind: len(kinds[kind])), strict=True):
        numbers = [n for n in kinds[kind] if n not in chosen]
        share = min((most - len(chosen)) // left, len(numbers))
        chosen.update(numbers[i] for i in np.linspace(0, len(numbers) - 1, share).round().astype(int))
    return sorted(chosen)


def _drawn(jpeg: bytes, findings: Iterable[Finding]) -> bytes:
    """The frame with its findings drawn, not wider than `WIDEST`, as a JPEG."""
    import simplejpeg

    from curate.vision.grid import fit

    image = outline(simplejpeg.decode_jpeg(jpeg), findings)
    image = fit(image, WIDEST, image.shape[0])
    drawn: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=QUALITY)
    return drawn


def _said(finding: Finding) -> str:
    colour = "rgb({}, {}, {})".format(*COLOURS[finding.kind])
    shape = f" <code>{html.escape(finding.pattern)}</code>" if finding.pattern else ""
    kind = f'<span class="kind" style="border-color: {colour}">{finding.kind}</span>'
    return f"{kind}{shape} {finding.score:.2f} ({html.escape(finding.model)})"


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src 'self' file:; "
        "style-src 'unsafe-inline'\">"
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def report_audit(session: Session) -> tuple[Path, int, int]:
    """Write pages with pictures of what the privacy audit found, in place of earlier ones.

    Returns:
        The folder, ``report/audit``, how many videos have findings, and how many pictures there are.

    Raises:
        CurateError: No video was audited with the present options, or another run is at work.
    """
    pipeline = session.pipeline
    done = [
        AuditedVideo(
            id=video.id,
            title=pipeline.described(video).title,
            frames=pipeline.artefact(video, "sample"),
            audit=pipeline.artefact(video, "audit"),
            figures=status.event.figures,
        )
        for video in pipeline.videos
        for status in pipeline.statuses(video)
        if status.stage == "audit" and status.state == "done" and status.event is not None
    ]
    if not done:
        raise CurateError(f"no video of {session.workspace.root} was audited yet: see 'curate status'")
    with session.workspace.lock():
        folder = session.workspace.fresh_folder("report", "audit")
        return folder, *write_report(done, folder)
