"""Time and size of the report over thousands of made videos.

    python scripts/bench_report.py --videos 4194 --scratch /tmp/bench-report

Makes a workspace whose videos are links to a few made ones, writes its report, writes it again with nothing changed,
once more after one video changed, and its lists alone, as a purge does; then asks for what to review next, starts the
server of the review and decides; then opens the first page in a headless Chromium (needs playwright and a browser), and
searches. What is told: seconds of each, by the clock and of the processor (all processes), bytes of the first page with
all that it loads.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import simplejpeg

from curate.config import Config
from curate.records import NON_SURGICAL, SURGICAL, UNCERTAIN, Finding, Reason, Region, Video
from curate.report.pages.options import ReportOptions
from curate.report.pages.write import rewrite_lists, write_pages
from curate.review.desk import Desk
from curate.review.server import ReviewServer
from curate.run.session import open_session, store_manifest
from curate.verdicts import rules
from curate.workspace.events import Event
from curate.workspace.ledger import LedgerWriter
from curate.workspace.tables.fields import FieldWriter, ShotField
from curate.workspace.tables.frames import FrameWriter
from curate.workspace.tables.regions import BoxWriter
from curate.workspace.tables.schemas import audit_schema, region_schema
from curate.workspace.tables.scores import Scores, write_scores
from curate.workspace.tables.verdicts import write_verdicts
from curate.workspace.tree import Workspace

KINDS = 8
"""Made videos that the others are links to."""

SIZE = (640, 360)

Made = TypeVar("Made")
PROCEDURES = [f"procedure {i}" for i in range(35)]
WORDS = ("robotic", "laparoscopic", "total", "left", "right", "with", "without", "mesh", "sutured", "of", "and")


def make_workspace(root: Path, count: int, frames: int) -> Path:
    """A workspace of ``count`` videos with ``frames`` sampled frames each; every twentieth could not be downloaded."""
    workspace = Workspace.open(root, create=True)
    workspace.store_options(Config())
    draw = np.random.default_rng(0)
    videos = []
    for i in range(count):
        title = " ".join(draw.choice(WORDS, 8))
        procedures = (PROCEDURES[int(draw.integers(35))],)
        source = f"https://www.youtube.com/watch?v=made{i:07d}"
        videos.append(Video(f"made{i:07d}", source, title=title.capitalize(), procedures=procedures, corpus="made"))
    store_manifest(workspace, videos)
    made = root.parent / f"{root.name}-kinds"
    made.mkdir(exist_ok=True)
    for kind in range(KINDS):
        make_video(made, kind, frames)
    pipeline = open_session(root).pipeline
    writer = LedgerWriter(workspace.ledger_folder)
    for i, video in enumerate(videos):
        fingerprints = pipeline.fingerprints(video)
        for stage, spec in pipeline.specs.items():
            if i % 20 == 19:
                writer.append(
                    Event(1.0, video.id, stage, "failed", fingerprints[stage], Reason.PRIVATE, "private video")
                )
                break
            folder = workspace.folder(spec.stage.folder)
            path = folder / f"{video.id}{'.mp4' if stage == 'download' else '.parquet'}"
            if stage == "download":
                path.write_bytes(b"made")
            else:
                os.link(made / f"{stage}-{i % KINDS}.parquet", path)
            figures = {"frames": frames, "seconds": float(frames)} if stage != "download" else {"bytes": 4}
            if stage == "trim":
                figures = {"frames": frames, "kept": frames - 20, "surgical": frames - 30, "uncertain": 10}
                figures["seconds_kept"] = float(frames - 20)
            done = Event(
                1.0, video.id, stage, "done", fingerprints[stage], artefact=path.name, figures=figures, seconds=1
            )
            writer.append(done)
    writer.close()
    return root


def make_video(folder: Path, kind: int, frames: int) -> None:
    """Every artefact of one made video, as ``{stage}-{kind}.parquet``."""
    draw = np.random.default_rng(kind)
    n, timestamps = np.arange(frames, dtype=np.int32), np.arange(frames, dtype=np.float64)
    p = np.clip(np.repeat(draw.random(frames // 10 + 1), 10)[:frames] + draw.normal(0, 0.05, frames), 0, 1)
    changes = np.where(n % 10 == 0, 0.6, 0.1).astype(np.float32)
    with FrameWriter(folder / f"sample-{kind}.parquet") as writer:
        for i in range(frames):
            coarse = draw.integers(60, 200, (9, 16, 3), np.uint8)
            image = np.ascontiguousarray(cv2.resize(coarse, SIZE, interpolation=cv2.INTER_CUBIC))
            row = {"n": i, "timestamp": float(i), "source_index": i, "key_frame": True}
            writer.add(row | {"width": SIZE[0], "height": SIZE[1], "image": simplejpeg.encode_jpeg(image, quality=85)})
    band = (0.4, 0.6)
    scores = Scores(n, timestamps, p.astype(np.float32), changes, "made", "0" * 64, 0.5, band)
    write_scores(folder / f"classify-{kind}.parquet", scores)
    smoothed = rules.smooth(p, timestamps, changes.astype(float), 0.95, 0.5)
    verdicts = rules.judge(smoothed, 0.5, band)
    kept = (n >= 10) & (n < frames - 10)
    said = {"threshold": "0.5", "uncertain_low": "0.4", "uncertain_high": "0.6"}
    reasons = np.where(kept, "", np.where(n < 10, "before_first_run", "after_last_run"))
    path = folder / f"trim-{kind}.parquet"
    write_verdicts(path, n, timestamps, p.astype(np.float32), verdicts, kept, reasons, said)
    with BoxWriter(folder / f"mask-{kind}.parquet", region_schema()) as boxes:
        for i in range(10, frames - 10):
            boxes.add(i, [Region(20, 300, 320 + i % 200, 340, "text", 0.9, "made")])
    with BoxWriter(folder / f"audit-{kind}.parquet", audit_schema()) as boxes:
        for i in range(20, frames - 10, 20):
            boxes.add(i, [Finding("face", 0.8, 400, 50, 470, 120, "", "made")])
    with FieldWriter(folder / f"field-{kind}.parquet") as fields:
        fields.add(ShotField(10, frames - 10, *SIZE, "circle", 0.9, 100, 10, 540, 350, 320, 180, 170, 170))
    assert {SURGICAL, NON_SURGICAL, UNCERTAIN} >= set(verdicts.tolist())


def timed(what: str, work: Callable[[], Made]) -> Made:
    """Print how long something takes, by the clock and of the processor, and return what it returns."""
    began, used = time.perf_counter(), _processor()
    made = work()
    seconds = time.perf_counter() - began
    print(f"{what}: {seconds:.2f} s, {_processor() - used:.2f} s of the processor", flush=True)
    return made


def _processor() -> float:
    """Seconds of the processor of this process, and of those of its children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def write(root: Path, options: ReportOptions) -> None:
    written = write_pages(open_session(root), options)
    print(f"  {written.written} of {written.videos} pages written")


def review(root: Path) -> None:
    """What to look at next, the start of the server, and what a decision takes over HTTP."""
    session = open_session(root)
    desk = timed("review: start", lambda: Desk(session, "bench"))
    server = ReviewServer(desk, root / "report")
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def ask(path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Origin": server.url.rsplit("/", 2)[0]}
        with urllib.request.urlopen(urllib.request.Request(server.url + path, data, headers)) as answer:
            return json.load(answer)

    timed("review: first page's list of videos", lambda: ask("api/state"))
    queue = timed("review: what to look at next", lambda: ask("api/queue"))
    timed("review: the next batch", lambda: ask("api/queue"))
    taken, shown = [], []
    for frame in queue["frames"]:
        began = time.perf_counter()
        ask(f"api/frame?video={frame['video']}&at={frame['at']}")
        shown.append(time.perf_counter() - began)
        facts = {"video": frame["video"], "kind": "frame", "facts": {"at": frame["at"], "label": "surgical"}}
        began = time.perf_counter()
        ask("api/decide", facts)
        taken.append(time.perf_counter() - began)
    for what, found in (("a frame is shown", shown), ("a decision is on disk", taken)):
        print(f"{what} in {1000 * statistics.median(found):.0f} ms (median), slowest {1000 * max(found):.0f} ms")
    server.shutdown()
    server.server_close()
    desk.close()
    shutil.rmtree(root / "decisions")


def change_one(root: Path) -> None:
    """Let the download of one video be done again, with the same outcome."""
    session = open_session(root)
    video = session.pipeline.videos[0]
    status = next(session.pipeline.statuses(video))
    assert status.event is not None
    writer = LedgerWriter(session.workspace.ledger_folder)
    writer.append(status.event._replace(time=time.time(), attempt=status.event.attempt + 1))
    writer.close()


def browse(folder: Path, runs: int = 5) -> None:
    """Open and search the first page, as a person would."""
    from playwright.sync_api import sync_playwright

    index = folder / "index.html"
    loaded = [index, *(folder / "assets").iterdir(), folder / "data" / "videos.js"]
    print(f"first page with all that it loads: {sum(path.stat().st_size for path in loaded) / 1e6:.2f} MB")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        opened, searched = [], []
        for _ in range(runs):
            page = browser.new_page()
            began = time.perf_counter()
            page.goto(index.as_uri(), wait_until="load")
            page.wait_for_selector("#list tbody tr")
            opened.append(time.perf_counter() - began)
            searched.append(page.evaluate(_SEARCH))
            found = page.inner_text("#count")
            page.close()
        browser.close()
    print(f"opened in {statistics.median(opened):.2f} s (median of {runs}), slowest {max(opened):.2f} s")
    print(f"search in {statistics.median(searched):.0f} ms (median of {runs}): {found}")


_SEARCH = """() => {
  const began = performance.now();
  const form = document.getElementById('search');
  form.q.value = 'mesh procedure 17';
  form.dispatchEvent(new Event('input'));
  document.body.getBoundingClientRect();
  return performance.now() - began;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=4194)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--scratch", type=Path, default=Path("/tmp/bench-report"))
    parser.add_argument("--no-pictures", action="store_true")
    arguments = parser.parse_args()
    root = arguments.scratch / f"w{arguments.videos}"
    if not root.exists():
        arguments.scratch.mkdir(parents=True, exist_ok=True)
        make_workspace(root, arguments.videos, arguments.frames)
    options = ReportOptions(pictures=not arguments.no_pictures)
    timed("all", lambda: write(root, options))
    timed("nothing changed", lambda: write(root, options))
    change_one(root)
    timed("one video changed", lambda: write(root, options))
    timed("lists alone", lambda: rewrite_lists(open_session(root)))
    review(root)
    size = sum(path.stat().st_size for path in (root / "report").rglob("*") if path.is_file())
    print(f"whole report: {size / 1e6:.0f} MB")
    browse(root / "report")


if __name__ == "__main__":
    main()
