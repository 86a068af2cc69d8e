"""``curate retry``, ``curate status --missing`` and ``curate doctor`` on real workspaces."""

from __future__ import annotations

import csv
import json
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.acquire import ytdlp as youtube
from curate.acquire.estimate import Estimate
from curate.acquire.refusals import shipped_refusals
from curate.cli import run_command
from curate.config import DownloadOptions
from curate.errors import CurateError
from curate.nets.onnx_session import CUDA
from curate.run.doctor import (
    check_cookies,
    check_disk,
    check_gpu,
    check_javascript,
    check_machine,
    check_refusals,
    check_writable,
)
from curate.run.pipeline import estimate_pending
from curate.run.retry import parse_age
from curate.run.session import open_session
from curate.workspace.events import Event

QUICK = ["--sleep-interval-requests", "0", "--backoff", "0", "--retries", "0", "--free-space", "0", "-q"]


@pytest.fixture
def lab(tmp_path: Path, server, clip: bytes):
    """Three videos: one is there, one gives 404, one is a local file that is missing."""
    (tmp_path / "list.csv").write_text(
        "id,url,path,title,procedures\n"
        f"good,{server.url('/clip.mp4')},,Good,cholecystectomy\n"
        f"gone,{server.url('/gone.mp4')},,=1+1,cholecystectomy;hernia repair\n"
        f"away,,{tmp_path / 'away.mp4'},Away,\n"
    )
    assert run_command(["download", str(tmp_path / "list.csv"), "-w", str(tmp_path / "w"), *QUICK]) == 2
    return tmp_path


def missing(lab: Path) -> dict[str, dict[str, str]]:
    assert run_command(["status", "-w", str(lab / "w"), "--missing", str(lab / "missing.csv")]) == 0
    with open(lab / "missing.csv", newline="") as stream:
        return {row["id"]: row for row in csv.DictReader(stream)}


def age(lab: Path, seconds: float) -> None:
    """Make every event of the ledger older."""
    for path in (lab / "w" / "ledger").glob("*.jsonl"):
        events = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps({**e, "time": e["time"] - seconds}) + "\n" for e in events))


def test_missing_videos_are_listed_with_reason_text_and_times(lab: Path):
    rows = missing(lab)
    assert set(rows) == {"gone", "away"}
    gone = rows["gone"]
    assert (gone["reason"], gone["state"], gone["tries"]) == ("not_found", "failed", "1")
    assert "404" in gone["text"] and gone["title"] == "'=1+1"  # no formula for a spreadsheet
    assert gone["procedures"].startswith("cholecystectomy|")
    assert gone["first_try"] == gone["last_try"] != ""
    assert (rows["away"]["reason"], rows["away"]["state"]) == ("file_missing", "pending")


def test_a_video_never_tried_is_missing_without_a_reason(tmp_path: Path, server, clip: bytes):
    (tmp_path / "list.csv").write_text(f"id,url\nlater,{server.url('/clip.mp4')}\nnow,{server.url('/clip.mp4')}?x\n")
    shard = ["--shard", "1/2", *QUICK]
    run_command(["download", str(tmp_path / "list.csv"), "-w", str(tmp_path / "w"), *shard])
    row = missing(tmp_path)["later"]
    assert (row["reason"], row["state"], row["tries"], row["first_try"]) == ("", "pending", "0", "")


def test_final_failures_are_tried_again_when_asked(lab: Path, server, clip: bytes, capsys):
    server.files["/gone.mp4"] = clip
    again = ["download", "-w", str(lab / "w"), *QUICK]
    assert run_command(again) == 2
    assert "gone" in missing(lab)  # a day has to pass
    assert run_command(["retry", "-w", str(lab / "w"), "--stage", "download", "--reason", "private"]) == 0
    assert "nothing to retry" in capsys.readouterr().out
    assert run_command(["retry", "-w", str(lab / "w"), "--stage", "download", "--reason", "not_found"]) == 0
    assert "not_found: 1" in capsys.readouterr().out
    assert missing(lab)["gone"]["state"] == "pending"
    assert run_command(again) == 2
    assert set(missing(lab)) == {"away"}


def test_the_estimate_of_a_workspace_counts_what_the_next_run_will_fetch(lab: Path):
    def videos() -> int:
        return estimate_pending(open_session(lab / "w", write=False).pipeline).videos

    assert videos() == 0  # one is there, one waits a day, one is local
    assert run_command(["retry", "-w", str(lab / "w"), "--stage", "download", "--reason", "not_found"]) == 0
    assert videos() == 1


def test_retry_by_age(lab: Path, capsys):
    retry = ["retry", "-w", str(lab / "w"), "--stage", "download", "--older-than", "12h"]
    assert run_command(retry) == 0 and "nothing to retry" in capsys.readouterr().out
    age(lab, 13 * 3600)
    assert run_command(retry) == 0 and "not_found: 1" in capsys.readouterr().out
    assert run_command(retry) == 0 and "nothing to retry" in capsys.readouterr().out  # it is pending already


def test_a_day_later_a_404_is_tried_by_itself(lab: Path, server, clip: bytes):
    server.files["/gone.mp4"] = clip
    age(lab, 25 * 3600)
    assert run_command(["download", "-w", str(lab / "w"), *QUICK]) == 2
    assert set(missing(lab)) == {"away"}


def test_what_is_done_is_not_asked_for_again(lab: Path, server):
    server.requests.clear()
    assert run_command(["download", "-w", str(lab / "w"), *QUICK]) == 2
    assert server.requests == []


def test_one_bad_ledger_line_costs_nothing(lab: Path):
    path = next((lab / "w" / "ledger").glob("*.jsonl"))
    path.write_bytes(path.read_bytes() + b'{"time": 1, "vid')
    assert set(missing(lab)) == {"gone", "away"}
    with pytest.raises(ValueError):
        Event.from_json('{"time": 1, "vid')


@pytest.mark.parametrize(("text", "seconds"), [("30d", 30 * 86400), ("12h", 43200), ("1.5m", 90), ("2W", 1209600)])
def test_ages(text: str, seconds: float):
    assert parse_age(text) == seconds


@given(st.text(max_size=8))
def test_an_age_is_understood_or_refused(text: str):
    try:
        assert parse_age(text) >= 0
    except CurateError as error:
        assert "30d" in str(error)


def test_doctor_says_what_the_disk_is_short_of(tmp_path: Path):
    cost = Estimate(videos=4194, bytes=10**18, hours=60.0)
    check = check_disk(tmp_path / "not" / "yet", cost, DownloadOptions(free_space=0.0))
    assert check.state == "warning" and "4194 videos" in check.text and check.advice
    assert check_disk(tmp_path, None, DownloadOptions(free_space=1e12)).state == "error"
    assert check_disk(tmp_path, None, DownloadOptions(free_space=0.0)).state == "ok"


def test_doctor_says_that_a_folder_cannot_be_written(tmp_path: Path):
    assert check_writable(tmp_path / "new" / "folder").state == "ok"
    assert not (tmp_path / "new").exists() and not list(tmp_path.iterdir())
    assert check_writable(Path("/proc/none")).state == "error"


def test_doctor_looks_at_cookies_and_never_shows_them(tmp_path: Path):
    jar = tmp_path / "cookies.txt"
    options = DownloadOptions(cookies=jar)
    assert [c.state for c in check_cookies(options)] == ["error"]
    jar.write_text("example.org\tFALSE\t/\tFALSE\t0\tSID\tvery-secret\n")
    jar.chmod(0o644)
    assert [(c.state, c.advice) for c in check_cookies(options)] == [("warning", f"chmod 600 {jar}")]
    jar.chmod(0o600)
    assert [c.state for c in check_cookies(options)] == ["ok"]
    os.utime(jar, (time.time() - 30 * 86400,) * 2)
    (old,) = check_cookies(options)
    assert old.state == "warning" and "30 days old" in old.text
    jar.write_text("SID=very-secret\n")
    (bad,) = check_cookies(options)
    assert bad.state == "error" and "very-secret" not in str(bad)
    assert not list(check_cookies(DownloadOptions()))


@pytest.mark.parametrize(
    ("found", "state"),
    [
        ([], "warning"),
        ([youtube.Runtime("node", "20.1.0", supported=False)], "warning"),
        ([youtube.Runtime("deno", "2.9.0", supported=True)], "ok"),
    ],
)
def test_doctor_says_which_javascript_runtime_was_found(monkeypatch, found, state):
    monkeypatch.setattr(youtube, "javascript_runtimes", lambda: found)
    check = check_javascript()
    assert check.state == state
    assert not found or found[0].version in check.text


@pytest.mark.parametrize(("offered", "state"), [(["CPUExecutionProvider"], "warning"), ([CUDA], "ok")])
def test_doctor_says_if_the_detectors_cannot_use_the_gpu(monkeypatch, offered, state):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda i: "NVIDIA X")
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: offered)
    check = check_gpu()
    assert (check.state, check.advice) == (state, "pip install onnxruntime-gpu" if state == "warning" else "")
    assert check.text.startswith("NVIDIA X")


def test_doctor_says_how_old_the_table_of_refusals_is():
    newest = shipped_refusals().newest
    fresh = check_refusals(newest + timedelta(days=3))
    assert fresh.state == "ok" and str(newest) in fresh.text and fresh.text.endswith("3 days ago")
    old = check_refusals(newest + timedelta(days=400))
    assert old.state == "warning" and "400 days ago" in old.text and old.advice


def test_doctor_looks_at_everything(tmp_path: Path, capsys):
    names = [check.name for check in check_machine(DownloadOptions())]
    assert names == [
        "python",
        "packages",
        "libraries",
        "data files",
        "yt-dlp",
        "refusals",
        "javascript",
        "ffmpeg",
        "gpu",
    ]
    (tmp_path / "list.csv").write_text("url\nhttps://www.youtube.com/watch?v=dQw4w9WgXcQ\n")
    assert run_command(["doctor", str(tmp_path / "list.csv"), "-w", str(tmp_path / "w")]) in (0, 1)
    shown = capsys.readouterr().out
    assert "to download: 1 videos, about" in shown and "workspace:" in shown
    assert not (tmp_path / "w").exists()


def test_doctor_names_a_manifest_that_cannot_be_read(tmp_path: Path, capsys):
    assert run_command(["doctor", str(tmp_path / "none.csv")]) == 1
    assert "none.csv" in capsys.readouterr().out
