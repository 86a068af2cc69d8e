"""What a stranger's list, page or workspace cannot make a download do, through real servers and real commands."""

from __future__ import annotations

import gc
import json
import os
import threading
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from curate import trust
from curate.acquire.ytdlp import session_parameters
from curate.cli import run_command
from curate.config import Config, DownloadOptions, load_given, load_toml, of_workspace, resolve, to_toml
from curate.errors import CurateError
from curate.records import Done, Failed, Reason
from curate.workspace.tree import Workspace
from tests.acquire.conftest import Bench
from tests.acquire.server import Server
from tests.acquire.test_reasons import says


@pytest.fixture(autouse=True)
def servers_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unlike in the other tests nothing is asked for."""
    for name in ("CURATE_DOWNLOAD_LOCAL_ADDRESSES", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


class Redirector:
    """Sends everybody who asks somewhere else; as a proxy it does so for any address."""

    def __init__(self, target: str) -> None:
        asked = self.asked = list[str]()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(302)
                self.send_header("Location", target)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.2", 0), Handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.address = f"127.0.0.2:{self._http.server_port}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def elsewhere(server: Server) -> Iterator[Redirector]:
    """At another address of this machine; leads to the server."""
    redirector = Redirector(server.url("/clip.mp4"))
    yield redirector
    redirector.close()


def refused(bench: Bench, url: str) -> str:
    failed = bench.get(url)
    assert isinstance(failed, Failed) and failed.reason is Reason.LOCAL_ADDRESS, failed
    assert "--local-addresses" in failed.detail
    return failed.detail


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
def test_this_machine_is_not_asked_however_it_is_spelt(tmp_path: Path, server: Server, host: str) -> None:
    refused(Bench(tmp_path, local_addresses=()), server.url("/clip.mp4").replace("127.0.0.1", host))
    assert not server.requests


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest/meta-data/", "http://192.168.77.77/x", "http://[fd00::1]/x"]
)
def test_neither_are_metadata_services_and_private_networks(tmp_path: Path, url: str) -> None:
    refused(Bench(tmp_path, local_addresses=()), url)


def test_a_page_cannot_lead_there(tmp_path: Path, server: Server) -> None:
    info = {"url": server.url("/clip.mp4"), "ext": "mp4", "duration": 6}
    refused(Bench(tmp_path, local_addresses=()), says(kind="info", info=info))
    assert not server.requests


def test_a_redirect_cannot_lead_there(tmp_path: Path, server: Server, elsewhere: Redirector) -> None:
    refused(Bench(tmp_path, local_addresses=("127.0.0.2",)), f"http://{elsewhere.address}/x.mp4")
    assert elsewhere.asked and not server.requests
    assert isinstance(Bench(tmp_path, local_addresses=("127.0.0.0/8",)).get(f"http://{elsewhere.address}/x.mp4"), Done)


def test_a_redirect_through_a_proxy_cannot_lead_there(tmp_path: Path, server: Server, elsewhere: Redirector) -> None:
    bench = Bench(tmp_path, local_addresses=(), proxy=f"http://{elsewhere.address}")
    refused(bench, "http://public.example/x.mp4")  # the proxy itself is the user's wish
    assert elsewhere.asked and not any("127.0.0.1" in path for path in elsewhere.asked) and not server.requests


def test_pieces_of_a_stream_cannot_lie_there(tmp_path: Path, server: Server, stream: dict[str, bytes]) -> None:
    server.files |= stream
    text = server.files["/talk.m3u8"].decode()
    other = server.url("").replace("127.0.0.1", "127.0.0.2")
    lines = [line if line.startswith("#") or not line else f"{other}/{line}" for line in text.splitlines()]
    server.files["/talk.m3u8"] = "\n".join(lines).encode()
    refused(Bench(tmp_path, local_addresses=("127.0.0.1",)), server.url("/talk.m3u8"))
    assert {path for path, _ in server.requests} == {"/talk.m3u8"}
    with warnings.catch_warnings():  # yt-dlp leaves the file that it was about to fill to the garbage collector
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_what_is_asked_for_is_fetched_by_a_command(tmp_path: Path, server: Server, capsys) -> None:
    (tmp_path / "l.txt").write_text(server.url("/clip.mp4") + "\n")
    command = ["download", str(tmp_path / "l.txt"), "-w", str(tmp_path / "w"), "--free-space", "0"]
    assert run_command(command) == 2
    assert "local_address" in capsys.readouterr().out
    assert run_command(["retry", "-w", str(tmp_path / "w"), "--stage", "download"]) == 0
    assert run_command([*command, "--local-addresses", "127.0.0.0/8"]) == 0
    assert "local_addresses =" not in (tmp_path / "w" / "curate.toml").read_text()


SIGNED = "X-Amz-Signature=s3cret&X-Amz-Credential=s3cret"


def test_signatures_and_passwords_stay_out_of_everything_but_the_list(tmp_path: Path, server: Server, capsys) -> None:
    good, bad = server.url(f"/clip.mp4?{SIGNED}"), server.url(f"/gone.mp4?{SIGNED}")
    server.files[f"/clip.mp4?{SIGNED}"] = server.files["/clip.mp4"]
    (tmp_path / "l.csv").write_text(f"id,url\ngood,{good}\nbad,{bad}\n")
    command = ["download", str(tmp_path / "l.csv"), "-w", str(tmp_path / "w"), "--free-space", "0", "-vv"]
    assert run_command([*command, "--local-addresses", "127.0.0.0/8"]) == 2
    run_command(["status", "-w", str(tmp_path / "w"), "--missing", str(tmp_path / "w" / "missing.csv")])
    shown = capsys.readouterr()
    assert "s3cret" not in shown.out + shown.err
    held = {p.name for p in (tmp_path / "w").rglob("*") if p.is_file() and b"s3cret" in p.read_bytes()}
    assert held <= {"manifest.parquet", "manifest.copy.parquet"}  # it must say how to fetch the video
    assert json.loads((tmp_path / "w" / "videos" / "good.json").read_text())["source"] == server.url("/clip.mp4")


STRANGE = [
    ("proxy", '"http://stranger.example:3128"'),
    ("cookies", '"/home/user/cookies.txt"'),
    ("cookies_from_browser", '"firefox"'),
    ("source_address", '"10.0.0.5"'),
    ("local_addresses", '["0.0.0.0/0"]'),
    *(
        ("yt_dlp", json.dumps(json.dumps(value)))
        for value in (
            {"postprocessor_args": {"default": ["-y", "/home/user/.bashrc"]}},
            {"exec_cmd": {"after_move": ["touch x"]}},
            {"writesubtitles": True},
            {"compat_opts": ["all"]},
            {"plugin_dirs": ["/tmp/x"]},
            {"http_headers": {"Cookie": "x"}},
            {"nocheckcertificate": True},
            {"geo_verification_proxy": "http://stranger.example"},
            {"format": ["a"]},
            {"age_limit": "0"},
            {"concurrent_fragment_downloads": 10**6},
            {"extractor_args": {"youtube": {"innertube_host": ["stranger.example"]}}},
            {"extractor_args": {"youtubepot-bgutilscript": {"script_path": ["/tmp/x"]}}},
            [1],
        )
    ),
    ("yt_dlp", '"{"'),
    ("yt_dlp", "5"),
]


@pytest.mark.parametrize(("name", "value"), STRANGE)
def test_a_workspace_cannot_say_where_requests_go_or_run_anything(
    tmp_path: Path, name: str, value: str, capsys
) -> None:
    Workspace.open(tmp_path / "w", create=True).store_options(Config())
    path = tmp_path / "w" / "curate.toml"
    text = path.read_text().replace('yt_dlp = "{}"\n', "")
    path.write_text(text.replace("[download]\n", f"[download]\n{name} = {value}\n"))
    (tmp_path / "l.txt").write_text("https://www.youtube.com/watch?v=dQw4w9WgXcQ\n")
    assert run_command(["run", str(tmp_path / "l.txt"), "-w", str(tmp_path / "w")]) == 1
    shown = capsys.readouterr().err
    assert f"download.{name} is not taken from a workspace" in shown and "curate.toml" in shown
    assert "Traceback" not in shown and "stranger" not in shown


def test_a_choice_of_format_and_pace_is_kept_and_taken(tmp_path: Path) -> None:
    harmless = {
        "format": "bv[ext=mp4]/b",
        "format_sort": ["res:480"],
        "geo_bypass": True,
        "extractor_args": {"youtube": {"player_client": ["web_safari"], "lang": ["en"]}},
    }
    config = resolve("x", {"download": {"yt_dlp": json.dumps(harmless)}})
    (tmp_path / "curate.toml").write_text(to_toml(config, workspace_version=1))
    tables = of_workspace(load_toml(tmp_path / "curate.toml"), [], "curate.toml")
    assert resolve("x", tables) == config and not trust.beyond_harmless(config.download.yt_dlp)
    assert session_parameters(config.download)["geo_bypass"] is True


def test_what_is_given_in_a_run_is_neither_kept_nor_asked_about_again(tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "proxy": "http://user:s3cret@proxy.example:3128",
        "cookies": tmp_path / "c.txt",
        "cookies_from_browser": "firefox",
        "source_address": "10.0.0.5",
        "local_addresses": ("10.0.0.0/8",),
        "yt_dlp": '{"http_headers": {"Authorization": "s3cret"}}',
    }
    config = Config(download=DownloadOptions(**given))
    text = to_toml(config, workspace_version=1)
    assert "s3cret" not in text and "proxy.example" not in text and "10.0.0.5" not in text
    (tmp_path / "curate.toml").write_text(text)
    assert resolve("x", of_workspace(load_toml(tmp_path / "curate.toml"), [], "x")) == Config()


def test_a_line_of_an_older_workspace_goes_when_the_option_is_given(tmp_path: Path) -> None:
    tables = {"download": {"proxy": "http://old.example:1", "cookies": "", "cookies_from_browser": ""}}
    with pytest.raises(CurateError, match="CURATE_DOWNLOAD_PROXY"):
        of_workspace(tables, [], "curate.toml")
    assert of_workspace(tables, [{"download": {"proxy": ""}}], "curate.toml") == {"download": {}}


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--proxy", "http://user:s3cret@proxy.example:1"),
        ("--proxy", "user:s3cret@proxy.example:1"),
        ("--yt-dlp", '{"password": "s3cret"}'),
        ("--yt-dlp", '{"http_headers": {"Authorization": "Bearer s3cret"}}'),
    ],
)
def test_secrets_are_refused_on_the_command_line(tmp_path: Path, flag: str, value: str, capsys) -> None:
    assert run_command(["download", "-w", str(tmp_path / "w"), flag, value]) == 1
    shown = capsys.readouterr().err
    assert "holds a secret" in shown and "mode 0600" in shown and "s3cret" not in shown


def test_a_search_refuses_a_secret_on_the_command_line_too(tmp_path: Path, capsys) -> None:
    command = ["search", "x", "-o", str(tmp_path / "found.csv"), "--proxy", "http://user:s3cret@127.0.0.1:9"]
    assert run_command(command) == 1
    shown = capsys.readouterr().err
    assert "CURATE_DOWNLOAD_PROXY" in shown and "s3cret" not in shown


def test_secrets_in_a_file_that_others_can_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[download]\nproxy = "http://user:s3cret@proxy.example:1"\n')
    path.chmod(0o644)
    with pytest.raises(CurateError, match=r"download\.proxy.*chmod 600") as refusal:
        load_given(path)
    assert "s3cret" not in str(refusal.value)
    path.chmod(0o600)
    assert load_given(path)["download"]["proxy"].startswith("http://user")


def test_a_proxy_comes_from_the_environment_and_is_not_shown(
    tmp_path: Path, server: Server, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("CURATE_DOWNLOAD_PROXY", "http://user:s3cret@127.0.0.1:9")
    (tmp_path / "l.txt").write_text("http://public.example/clip.mp4\n")
    command = ["download", str(tmp_path / "l.txt"), "-w", str(tmp_path / "w"), "--free-space", "0", "-vv"]
    assert run_command([*command, "--retries", "0", "--backoff", "0", "--extractor-retries", "0"]) == 2
    shown = capsys.readouterr()
    assert "Unable to connect to proxy" in shown.err and "s3cret" not in shown.out + shown.err
    assert not [p for p in (tmp_path / "w").rglob("*") if p.is_file() and b"s3cret" in p.read_bytes()]


def test_a_secret_of_the_wrong_type_is_not_shown() -> None:
    with pytest.raises(CurateError, match="wrong type") as refusal:
        resolve("x", {"download": {"proxy": ["http://user:s3cret@proxy.example:1"]}})
    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a = " + "9" * 6000, "#" * 1_100_000, "\x00"])
def test_options_of_any_size_and_nesting_are_named(tmp_path: Path, text: str, capsys) -> None:
    Workspace.open(tmp_path / "w", create=True).store_options(Config())
    path = tmp_path / "w" / "curate.toml"
    path.write_text("workspace_version = 1\n" + text)
    assert run_command(["status", "-w", str(tmp_path / "w")]) == 1
    shown = capsys.readouterr().err
    assert "curate.toml" in shown and "fault in curate" not in shown
    path.unlink()
    os.mkfifo(path)
    assert run_command(["status", "-w", str(tmp_path / "w")]) == 1
    assert "fault in curate" not in capsys.readouterr().err


def test_an_administrators_restriction_opens_the_breaker_and_the_rest_stays_pending(tmp_path: Path, capsys) -> None:
    text = (
        "Video unavailable. This video is restricted. Please check the Google Workspace administrator and/or the "
        "network administrator restrictions."
    )
    (tmp_path / "l.txt").write_text("".join(says(f"r{n}", kind="said", text=text) + "\n" for n in range(8)))
    pace = ["--sleep-interval", "0", "--max-sleep-interval", "0", "--free-space", "0"]
    assert run_command(["download", str(tmp_path / "l.txt"), "-w", str(tmp_path / "w"), *pace]) == 2
    shown = capsys.readouterr()
    assert "blocked several times in a row" in shown.err
    assert "removed" not in shown.out
