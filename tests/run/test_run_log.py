"""The log of a run: what it tells, what it keeps to itself, and what a purge leaves of it."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

from curate.cli import run_command
from curate.manifests.opt_out import OptOuts
from curate.takedown.purge import purge
from curate.workspace.run_log import RunLog, forget_in_logs
from tests.disks import read_only, small_disk
from tests.finished import make_finished
from tests.run.processes import end, start

PASSWORD, COOKIE = "hushed-proxy-word", "hushed-cookie-word"


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]


def test_a_run_leaves_its_versions_options_failures_and_times_and_no_secrets(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "not_really_1.mp4").write_text("no video")
    secrets = {
        "HTTPS_PROXY": f"http://me:{PASSWORD}@127.0.0.1:9",
        "CURATE_DOWNLOAD_YT_DLP": json.dumps({"http_headers": {"Cookie": COOKIE}}),
    }
    code, said = end(start("run", tmp_path / "in", "-w", tmp_path / "w", "--until", "sample", env=secrets))
    assert code == 2, said
    begin, failed, *stages, last = lines_of(tmp_path / "w" / "logs")
    assert begin["event"] == "start" and begin["versions"]["curate"] and begin["stages"] == ["download", "sample"]
    assert begin["options"]["sample"]["rate"] == 1.0 and "yt_dlp" not in begin["options"]["download"]
    assert failed["event"] == "failed" and failed["video"] == "not_really_1" and failed["reason"] == "not_a_video"
    assert "Invalid data" in failed["detail"]
    assert {line["stage"]: line["videos"] for line in stages} == {"download": {"done": 1}, "sample": {"failed": 1}}
    assert last["event"] == "end" and last["result"] == "done" and last["seconds"] > 0
    text = "".join(path.read_text() for path in (tmp_path / "w" / "logs").iterdir())
    assert PASSWORD not in text and COOKIE not in text

    assert purge(tmp_path / "w", OptOuts(ids={"not_really_1"})).proven
    assert [line["event"] for line in lines_of(tmp_path / "w" / "logs")] == ["start", "stage", "stage", "end"]


def test_an_export_is_told_too_and_a_log_that_cannot_be_written_stops_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_finished(tmp_path / "w", {"one": "https://example.org/one.mp4"}, ["lmdb"])
    told = [line for line in lines_of(root / "logs") if line["event"] == "format"]
    assert [(line["format"], line["videos"]) for line in told] == [("lmdb", 1)]
    assert told[0]["shards"] == {"new": 1, "taken_over": 0, "finished_before": 0}
    for path in (root / "logs").iterdir():
        path.unlink()
    (root / "logs").rmdir()
    (root / "logs").write_text("in the way")
    assert run_command(["export", "-w", str(root), "-q", "--quality", "90"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: the log of the run, ") and "cannot be written: " in said and said.count("\n") == 1


@pytest.mark.parametrize("command", [("run", "--sample-rate", "2"), ("export", "--quality", "90")])
def test_a_folder_of_logs_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, capsys, command: tuple[str, ...]
) -> None:
    root = make_finished(tmp_path / "w", {"one": "https://example.org/one.mp4"}, ["lmdb"])
    shutil.rmtree(root / "logs")
    with small_disk(root / "logs", "64k") as logs:
        read_only(logs)
        assert run_command([*command, "-w", str(root), "-q"]) == 1
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "cannot be written: Read-only file system" in line and "check the disk and rights" in line


def test_secrets_and_signed_addresses_are_not_written(tmp_path: Path) -> None:
    run = RunLog(tmp_path / "logs", [PASSWORD])
    with run.warnings():
        logging.getLogger("curate.elsewhere").warning("refused by http://me:%s@proxy and nothing else", PASSWORD)
    run.add(
        "failed", detail=f"{PASSWORD} https://a.example/v.mp4?sig=5ba1&n=1", inner={"list": [PASSWORD]}, path=tmp_path
    )
    run.close()
    run.add("end")
    warning, failed = lines_of(tmp_path / "logs")
    assert warning["text"] == "refused by http://proxy and nothing else"
    assert failed["detail"] == "hidden https://a.example/v.mp4?n=1" and failed["inner"] == {"list": ["hidden"]}
    assert failed["path"] == str(tmp_path)


def test_lines_with_an_id_or_a_title_are_forgotten(tmp_path: Path) -> None:
    run = RunLog(tmp_path / "logs")
    for detail in ("of vid_one_here", "Leistenhernie für Anfänger", "of another", 'says "so"'):
        run.add("failed", detail=detail)
    run.close()
    assert forget_in_logs(tmp_path / "logs", {"vid_one_here", "Leistenhernie für Anfänger", 'says "so"'}) == 3
    assert [line["detail"] for line in lines_of(tmp_path / "logs")] == ["of another"]
    assert forget_in_logs(tmp_path / "logs", {"another"}) == 1 and not list((tmp_path / "logs").iterdir())
    assert forget_in_logs(tmp_path / "none", {"another"}) == 0
