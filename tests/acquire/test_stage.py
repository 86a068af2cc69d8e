"""Local files, pace, and when the stage pauses or stops."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path

import pytest

from curate.acquire.breaker import Breaker
from curate.config import DownloadOptions
from curate.errors import StageHalted
from curate.records import Done, Failed, Reason
from curate.stage import Files
from curate.stages import download
from curate.stages.download import DownloadStage
from tests.acquire.conftest import Bench
from tests.acquire.server import Serve, Server, Status
from tests.acquire.test_reasons import says


@pytest.fixture
def local(tmp_path: Path, clip: bytes) -> Path:
    path = tmp_path / "Case 1 (final).MP4"
    path.write_bytes(clip)
    return path


def test_a_local_file_is_linked_not_copied(bench: Bench, local: Path, clip: bytes):
    done = bench.get(str(local), "v")
    assert isinstance(done, Done) and done.figures == {"bytes": len(clip)}
    link = bench.folder / "v.mp4"
    assert link.is_symlink() and link.readlink() == local
    described = json.loads((bench.folder / "v.json").read_text())
    assert described["source"] == str(local) and len(described["file"]["sha256"]) == 64


def test_linking_again_gives_the_same_bytes(bench: Bench, local: Path):
    bench.get(str(local), "v")
    first = (bench.folder / "v.json").read_bytes()
    os.utime(local, (1, 1))
    bench.get(str(local), "v")
    assert (bench.folder / "v.json").read_bytes() == first


@pytest.mark.parametrize(
    ("name", "stored"), [("x.MKV", "x.mkv"), ("x", "x.video"), ("x.json", "x.video"), ("x.a b", "x.video")]
)
def test_extensions_of_local_files(bench: Bench, tmp_path: Path, clip: bytes, name: str, stored: str):
    (tmp_path / name).write_bytes(clip)
    assert isinstance(bench.get(str(tmp_path / name), "x"), Done)
    assert (bench.folder / stored).is_symlink()


def test_local_files_that_are_not_there(bench: Bench, tmp_path: Path, clip: bytes):
    empty = tmp_path / "empty.mp4"
    empty.touch()
    dangling = tmp_path / "dangling.mp4"
    dangling.symlink_to(tmp_path / "nothing")
    found = {name: bench.get(str(tmp_path / name)) for name in ("none.mp4", "empty.mp4", "dangling.mp4", "videos")}
    assert {
        name: (failed.reason, failed.retryable) for name, failed in found.items() if isinstance(failed, Failed)
    } == {
        "none.mp4": (Reason.FILE_MISSING, True),
        "dangling.mp4": (Reason.FILE_MISSING, True),
        "empty.mp4": (Reason.EMPTY_FILE, True),
        "videos": (Reason.NOT_A_VIDEO, False),
    }
    (tmp_path / "none.mp4").write_bytes(clip)
    assert isinstance(bench.get(str(tmp_path / "none.mp4")), Done)


def test_pipes_and_devices_of_a_list_hold_nobody_up(bench: Bench, tmp_path: Path):
    """`curate run list.csv` with rows that name them; of a folder they are left out."""
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "linked.mp4").symlink_to(tmp_path / "pipe.mp4")
    for source in (tmp_path / "pipe.mp4", tmp_path / "linked.mp4", "/dev/zero"):
        failed = bench.get(str(source))
        assert isinstance(failed, Failed) and failed.reason is Reason.NOT_A_VIDEO and not failed.retryable
        assert failed.detail == f"{source} is a pipe, a device or a socket"


def test_local_files_know_no_pace(tmp_path: Path, local: Path):
    bench = Bench(tmp_path, sleep_interval=60.0, max_sleep_interval=60.0, sleep_interval_requests=60.0)
    before = time.monotonic()
    for _ in range(20):
        assert isinstance(bench.get(str(local)), Done)
    assert time.monotonic() - before < 60


def test_one_site_is_asked_no_faster_than_the_pace_also_for_dead_videos(tmp_path: Path):
    bench = Bench(tmp_path, sleep_interval=0.2, max_sleep_interval=0.3)
    before = time.monotonic()
    for _ in range(4):
        assert isinstance(bench.get(says(kind="said", text="Private video")), Failed)
    assert time.monotonic() - before >= 0.6


def test_this_machine_knows_no_pace(tmp_path: Path, server: Server):
    bench = Bench(tmp_path, sleep_interval=60.0, max_sleep_interval=60.0)
    for _ in range(3):
        assert isinstance(bench.get(server.url("/clip.mp4")), Done)


LIMITED = says(kind="said", text="This content isn't available, try again later")
BOT = says(kind="said", text="Sign in to confirm you're not a bot")


def test_a_rate_limit_is_slept_out_with_the_video_in_hand(tmp_path: Path, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(download, "_sleep", lambda seconds, files: pauses.append(seconds))
    bench = Bench(tmp_path, breaker=2, pause=3600.0)
    assert isinstance(bench.get(LIMITED), Failed)
    with pytest.raises(StageHalted, match="stay pending"):
        bench.get(LIMITED)
    assert pauses.count(3600.0) == download.MAX_PAUSES


def test_a_rate_limit_that_ends_costs_one_pause_and_no_video(tmp_path: Path, server: Server, monkeypatch):
    pauses: list[float] = []

    def recover(seconds: float, files: Files) -> None:
        pauses.append(seconds)
        server.behave("/clip.mp4", then=Serve())

    monkeypatch.setattr(download, "_sleep", recover)
    monkeypatch.setattr(download, "_is_this_machine", lambda url: False)
    server.behave("/clip.mp4", then=Status(429))
    bench = Bench(tmp_path, breaker=1, pause=100.0)
    assert isinstance(bench.get(server.url("/clip.mp4")), Done)
    assert pauses == [100.0]


def test_a_dead_network_is_waited_for_a_shorter_time(tmp_path: Path, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(download, "_sleep", lambda seconds, files: pauses.append(seconds))
    bench = Bench(tmp_path, trouble_breaker=1, pause=3600.0)
    with pytest.raises(StageHalted, match="connection"):
        bench.get(says(kind="transport"))
    assert pauses.count(600.0) == download.MAX_PAUSES


def test_without_a_pause_a_rate_limit_stops_the_stage(tmp_path: Path):
    bench = Bench(tmp_path, breaker=1, pause=0.0)
    with pytest.raises(StageHalted, match="try again later"):
        bench.get(LIMITED)


def test_a_bot_check_stops_the_stage_and_says_what_helps(bench: Bench):
    for _ in range(2):
        failed = bench.get(BOT)
        assert isinstance(failed, Failed) and failed.reason is Reason.BLOCKED and failed.retryable
    with pytest.raises(StageHalted, match=r"cookies.*PO token"):
        bench.get(BOT)


def test_youtube_without_formats_and_without_a_runtime_stops_the_stage(bench: Bench, monkeypatch):
    monkeypatch.setattr(download, "is_youtube", lambda url: True)
    monkeypatch.setattr(download, "usable_runtimes", list)
    with pytest.raises(StageHalted, match=r"curate\[download\]"):
        bench.get(says(kind="said", text="Requested format is not available"))


def test_a_yt_dlp_that_no_longer_understands_the_site_stops_the_stage(tmp_path: Path):
    bench = Bench(tmp_path, trouble_breaker=3)
    for _ in range(2):
        failed = bench.get(says(kind="said", text="Unable to extract yt initial data"))
        assert isinstance(failed, Failed) and failed.reason is Reason.ERROR
    with pytest.raises(StageHalted, match="newer yt-dlp"):
        bench.get(says(kind="bug"))


def test_breaker_counts_only_what_is_not_the_videos_fault():
    breaker = Breaker(refusals=2, trouble=3)
    assert not breaker.failed(Reason.BLOCKED)
    assert not breaker.failed(Reason.PRIVATE)
    assert breaker.failed(Reason.RATE_LIMITED)
    breaker.succeeded()
    assert not breaker.failed(Reason.FORBIDDEN)
    assert [breaker.failed(Reason.NETWORK) for _ in range(3)] == [False, False, True]
    assert not any(breaker.failed(reason) for reason in (Reason.REMOVED, Reason.INCOMPLETE, Reason.GEO))


def test_a_full_disk_is_not_the_videos_fault(bench: Bench):
    with pytest.raises(OSError) as full:
        bench.get(says(kind="disk"), "v")
    assert full.value.errno == errno.ENOSPC


def test_making_a_stage_imports_nothing_heavy():
    import subprocess
    import sys

    code = (
        "import sys; from curate.stages.download import DownloadStage; from curate.config import DownloadOptions;"
        "stage = DownloadStage(DownloadOptions()); assert stage.resources.paced; stage.close();"
        "print([m for m in ('yt_dlp', 'av', 'numpy', 'pyarrow') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_options_of_the_pace_do_not_change_the_fingerprint():
    from curate.config import fingerprint_fields

    assert fingerprint_fields(DownloadOptions()) == {"max_height": 720, "min_height": 0}
    assert DownloadStage.name == "download" and DownloadStage.folder == "videos"
