"""The whole of LEMON left alone: dead videos, a bot check, rate limits, kills; and an account of every video."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from curate.files.csv_file import read_csv
from curate.workspace.events import Event
from tests.acquire.conftest import encode

DEAD = {
    "private": "Private video. Sign in if you've been granted access to this video",
    "removed": "Video unavailable. This video has been removed by the uploader",
    "terminated": "This video is no longer available because the YouTube account associated has been terminated.",
    "terms": "This video has been removed for violating YouTube's Terms of Service",
    "copyright": "Video unavailable. This video is no longer available due to a copyright claim by A",
    "geo": "The uploader has not made this video available in your country",
    "age": "Sign in to confirm your age. This video may be inappropriate for some users.",
    "members": "Join this channel to get access to members-only content like this video",
}
BOT_CHECK = "Sign in to confirm you're not a bot"
RATE_LIMIT = "This content isn't available, try again later"


class Site:
    """YouTube in small: every tenth video is dead, some fail once, and at two points it turns everyone away.

    Attributes:
        fates: What becomes of each video in the end: ``alive`` or a key of `DEAD`.
        asked: Ids in the order in which their pages were asked for.
        refusing: What every page says at the moment, if anything.
        kill_at: Called when so many pages have been asked for.
    """

    def __init__(self, ids: list[str], clip: bytes) -> None:
        rng = random.Random(7)
        self.fates = {id: rng.choice(sorted(DEAD)) if rng.random() < 0.10 else "alive" for id in ids}
        self.stumbles = {id for id in ids if self.fates[id] == "alive" and rng.random() < 0.03}
        self.stumbling = frozenset(self.stumbles)
        self.clip = clip
        self.asked: list[str] = []
        self.refusals = {len(ids) // 3: BOT_CHECK, len(ids) * 2 // 3: RATE_LIMIT}
        self.refusing = ""
        self.refused: set[str] = set()
        self.kills: list[int] = []
        self.killed = threading.Event()

    def page(self, id: str) -> dict[str, object]:
        self.asked.append(id)
        if self.kills and len(self.asked) >= self.kills[0]:
            self.kills.pop(0)
            self.killed.set()
        for at in [n for n in self.refusals if len(self.asked) >= n]:
            self.refusing = self.refusals.pop(at)
        if self.refusing:
            self.refused.add(id)
            return {"said": self.refusing}
        fate = self.fates[id]
        return {"title": f"Video \x00{id}"} if fate == "alive" else {"said": DEAD[fate]}

    def data(self, id: str) -> bytes | None:
        """The file, or ``None`` for a server error; the first time some videos are asked for."""
        if id in self.stumbles:
            self.stumbles.discard(id)
            return None
        return self.clip


@pytest.fixture(scope="session")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("short") / "clip.mp4"
    encode(path, seconds=1, size=(32, 24), options={"movflags": "faststart"})
    return path.read_bytes()


def serve(site: Site) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # headers and body in one packet, or the other side waits 40 ms to acknowledge

        def do_GET(self) -> None:
            kind, _, name = self.path[1:].partition("/")
            body = json.dumps(site.page(name)).encode() if kind == "watch" else site.data(name.removesuffix(".mp4"))
            self.send_response(503 if body is None else 200)
            self.send_header("Content-Type", "application/json" if kind == "watch" else "video/mp4")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Http(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    return Http(("127.0.0.1", 0), Handler)


FLAGS = {
    "--sleep-interval": "0",
    "--max-sleep-interval": "0",
    "--sleep-interval-requests": "0",
    "--backoff": "0",
    "--retries": "0",
    "--pause": "0",
    "--free-space": "0",
}


class Lab:
    """Runs ``curate`` as a lab would, in processes of its own."""

    def __init__(self, manifest: Path, workspace: Path, url: str) -> None:
        plugins = Path(__file__).parent / "lemon_site"
        path = os.pathsep.join([str(plugins), str(Path(__file__).parents[2]), *sys.path])
        self.environment = {**os.environ, "PYTHONPATH": path, "CURATE_TEST_SITE": url}
        self.manifest, self.workspace = manifest, workspace

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", "from curate.cli import main; main()", *arguments, "-w", str(self.workspace)]

    def curate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*arguments), env=self.environment, capture_output=True, text=True)

    def download(self, site: Site, kill: str) -> tuple[int, str]:
        """One run; ended with SIGKILL when the site says so: the whole group, or the parent alone."""
        flags = [part for pair in FLAGS.items() for part in pair]
        site.killed.clear()
        errors = self.workspace.parent / "errors.txt"
        with open(errors, "w") as stream:
            process = subprocess.Popen(
                self.command("download", str(self.manifest), *flags, "-q"),
                env=self.environment,
                stdout=subprocess.DEVNULL,
                stderr=stream,
                start_new_session=True,
            )
            while process.poll() is None:
                if site.killed.wait(0.02):
                    site.killed.clear()
                    os.killpg(process.pid, signal.SIGKILL) if kill == "group" else process.kill()
                    process.wait()
        return process.returncode, errors.read_text()

    def events(self) -> Iterator[Event]:
        for path in sorted((self.workspace / "ledger").glob("*.jsonl")):
            yield from self.events_of(path)

    def events_of(self, path: Path) -> Iterator[Event]:
        for line in path.read_text().splitlines():
            try:
                yield Event.from_json(line)
            except ValueError:
                continue  # a line torn by a kill


def lemon_rows(count: int) -> list[dict[str, object]]:
    """Rows like LEMON's: ids that begin with ``-`` and that differ only in case among them."""
    rng = random.Random(1)
    letters = "ABCabc012_-"
    ids = {"-" + "a" * 10, "-" + "A" * 10, "_" * 11}
    while len(ids) < count:
        ids.add("".join(rng.choice(letters) for _ in range(11)))
    row = {"informative": True, "procedureName": ["cholecystectomy"], "robotic": False, "resolution": [640, 360]}
    return [{**row, "youtubeId": id, "title": f"Case {id}", "md5": "0" * 32} for id in sorted(ids)]


def simulate(rows: list[dict[str, object]], folder: Path, clip: bytes, kill_every: int) -> dict[str, float]:
    """Run, kill, mend and run again until nothing is pending, then check the account of every video."""
    manifest = folder / "labels.json"
    manifest.write_text(json.dumps(rows))
    ids = [str(row["youtubeId"]) for row in rows]
    site = Site(ids, clip)
    site.kills = list(range(kill_every, len(ids), kill_every))
    http = serve(site)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    lab = Lab(manifest, folder / "w", f"http://127.0.0.1:{http.server_port}")
    in_hand: set[str] = set()
    kills, started = 0, time.monotonic()
    for _ in range(len(ids)):
        code, said = lab.download(site, kill="group" if kills % 2 else "parent")
        if code == -signal.SIGKILL:
            kills += 1
            in_hand.update(site.asked[-2:])  # an orphaned worker may go on with the video it has
            continue
        assert code in (0, 2), said
        if site.refusing:
            assert "download stopped" in said and "stay pending" in said
            was, site.refusing = site.refusing, ""
            if was == RATE_LIMIT:  # an hour later
                assert lab.curate("retry", "--stage", "download", "--reason", "rate_limited").returncode == 0
            continue
        if not pending(lab):
            break
    wall = time.monotonic() - started
    http.shutdown()
    http.server_close()
    check_account(site, lab, ids, in_hand)
    gap, flush = statistics.median(between(lab)), statistics.median(flushes(folder))
    return {"videos": len(ids), "kills": kills, "wall": wall, "between": gap, "flush": flush}


def between(lab: Lab) -> Iterator[float]:
    """Seconds from each outcome to the start of the next video: ledger, pipes and the choice of the next."""
    for path in sorted((lab.workspace / "ledger").glob("*.jsonl")):
        events = [e for e in lab.events_of(path) if e.outcome != "reset"]
        yield from (after.time - after.seconds - before.time for before, after in itertools.pairwise(events))


def flushes(folder: Path) -> Iterator[float]:
    """Seconds that this disk takes to make a line durable: no ledger can do it faster."""
    with open(folder / "flush", "ab", buffering=0) as stream:
        for _ in range(50):
            stream.write(b"x" * 200)
            before = time.perf_counter()
            os.fsync(stream.fileno())
            yield time.perf_counter() - before


def pending(lab: Lab) -> int:
    shown = lab.curate("status", "--json")
    assert shown.returncode == 0, shown.stderr
    return int(json.loads(shown.stdout)["stages"]["download"]["pending"])


def check_account(site: Site, lab: Lab, ids: list[str], in_hand: set[str]) -> None:
    shown = json.loads(lab.curate("status", "--json").stdout)
    row = shown["stages"]["download"]
    expected = Counter(fate for fate in site.fates.values() if fate != "alive")
    assert row["failed"] == expected
    assert row["done"] == sum(fate == "alive" for fate in site.fates.values())
    assert row["done"] + sum(row["failed"].values()) + sum(row["dropped"].values()) + row["pending"] == len(ids)
    assert shown["videos"] == len(ids)

    videos = lab.workspace / "videos"
    assert {p.stem for p in videos.glob("*.mp4")} == {id for id, fate in site.fates.items() if fate == "alive"}
    assert {p.stem for p in videos.glob("*.json")} == {id for id, fate in site.fates.items() if fate == "alive"}

    listed = lab.workspace.parent / "missing.csv"
    assert lab.curate("status", "--missing", str(listed)).returncode == 0
    missing = {row["id"]: row for _, row in read_csv(listed, ["id", "reason"], "list")}
    assert {id: row["reason"] for id, row in missing.items()} == {
        id: fate for id, fate in site.fates.items() if fate != "alive"
    }
    assert all(DEAD[site.fates[id]].split(".")[0] in row["text"] for id, row in missing.items())
    assert all(row["first_try"] and row["last_try"] >= row["first_try"] for row in missing.values())

    final = {}
    for event in sorted(lab.events(), key=lambda e: e.time):
        assert event.video not in final or event.outcome == "reset", f"{event.video} was tried again after {final}"
        if event.outcome == "done" or (event.outcome == "failed" and str(event.reason) in DEAD):
            final[event.video] = event.outcome
    assert set(final) == set(ids)
    tries = Counter(site.asked)
    assert not {id for id in ids if tries[id] > 1} - in_hand - site.refused - site.stumbling


def test_a_hundred_videos_with_kills_and_refusals(tmp_path: Path, short_clip: bytes):
    simulate(lemon_rows(100), tmp_path, short_clip, kill_every=35)


@pytest.mark.slow
@pytest.mark.timeout(1200)  # each outcome is flushed to the disk, and disks differ
def test_all_of_lemon(tmp_path: Path, short_clip: bytes, request: pytest.FixtureRequest, capsys):
    try:
        published = request.getfixturevalue("shared_data") / "manifests" / "lemon_labels.json"
        rows = json.loads(published.read_text())
    except pytest.skip.Exception:
        rows = lemon_rows(4194)
    assert len(rows) == 4194
    figures = simulate(rows, tmp_path, short_clip, kill_every=400)
    with capsys.disabled():
        print(figures)
