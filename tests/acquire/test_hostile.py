"""Ids, URLs, titles, cookies and options that mean harm or are merely odd."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.acquire.ytdlp import Downloader, is_web_url, session_parameters
from curate.config import DownloadOptions
from curate.errors import CurateError
from curate.records import Done, Failed, Reason, Video
from tests.acquire.conftest import QUICK, Bench
from tests.acquire.server import Server
from tests.acquire.test_reasons import says


@pytest.mark.parametrize("id", ["-starts", "--help", "_", "a_b-c", "-rf", "x" * 64])
def test_odd_ids_are_ordinary_files(bench: Bench, server: Server, id: str):
    assert isinstance(bench.get(server.url("/clip.mp4"), id), Done)
    assert (bench.folder / f"{id}.mp4").is_file()


def test_ids_that_differ_only_in_case_are_two_videos(bench: Bench, server: Server):
    for id in ("AbC", "aBc", "abc"):
        assert isinstance(bench.get(server.url("/clip.mp4"), id), Done)
    assert len(list(bench.folder.glob("*.mp4"))) == 3


def test_an_id_that_begins_like_another_leaves_its_partial_files_alone(bench: Bench, server: Server):
    other = bench.folder / ".abc-d.tmp.x.mp4.part"
    other.write_bytes(b"1")
    assert isinstance(bench.get(server.url("/clip.mp4"), "abc"), Done)
    assert other.exists()


@pytest.mark.parametrize("id", ["", "..", "a/b", "a.b", "a b", "é", "a\n", "$(id)", "x" * 65, "%(title)s"])
def test_hostile_ids_are_no_videos(id: str):
    with pytest.raises(ValueError, match="video id"):
        Video(id, "https://example.org")


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "https:///etc/passwd",
        "http://[",
        "http://a b/c.mp4",
        "http://a/\nHost: b",
        "https://\x00/",
        "HTTPS://?x",
    ],
)
def test_what_is_not_a_whole_web_url_never_reaches_yt_dlp(bench: Bench, url: str):
    failed = bench.get(url)
    assert isinstance(failed, Failed) and failed.reason is Reason.UNSUPPORTED_URL and not failed.retryable
    assert failed.detail.isprintable()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://h/x.mp4", "ytsearch:x", "-o/tmp/x", "$(touch x)", "abc"])
def test_other_schemes_are_not_web_urls(url: str):
    assert not is_web_url(url)


@pytest.mark.parametrize("source", ["file:///etc/passwd", "dQw4w9WgXcQ", "ytsearch:x", "../../etc/nothing", "a\x00b"])
def test_other_schemes_are_local_paths_that_are_not_there(bench: Bench, source: str):
    failed = bench.get(source)
    assert isinstance(failed, Failed) and failed.reason is Reason.FILE_MISSING


@pytest.mark.parametrize("where", ["file:///etc/hostname", "/etc/hostname", "ftp://127.0.0.1:1/x", "rtmp://h/x"])
def test_a_site_cannot_send_us_to_a_local_file_or_another_protocol(bench: Bench, where: str):
    failed = bench.get(says(kind="info", info={"url": where, "ext": "mp4"}))
    assert isinstance(failed, Failed) and failed.reason in (Reason.UNSUPPORTED_URL, Reason.ERROR)
    assert not list(bench.folder.iterdir())


@pytest.mark.parametrize("ext", ["../../x", "sh", "mp4/../../y", "", "exe", "json"])
def test_a_site_cannot_choose_the_name_of_the_file(bench: Bench, server: Server, ext: str):
    outcome = bench.get(says(kind="info", info={"url": server.url("/clip.mp4"), "ext": ext}), "v")
    names = {str(p.relative_to(bench.folder.parent)) for p in bench.folder.parent.rglob("*") if p.is_file()}
    assert names == ({"videos/v.mp4", "videos/v.json"} if isinstance(outcome, Done) else set())


def test_a_workspace_path_with_special_characters_is_taken_as_it_stands(tmp_path: Path, server: Server):
    folder = tmp_path / "a %(title)s $HOME ~ *[x] \N{SNOWMAN}"
    folder.mkdir()
    assert isinstance(Bench(folder).get(server.url("/clip.mp4"), "v"), Done)
    assert sorted(p.name for p in folder.iterdir()) == ["v.json", "v.mp4"]


COOKIE = "127.0.0.1\tFALSE\t/\tFALSE\t0\tSID\tvery-secret"


def test_cookies_are_sent_and_the_file_is_never_written_back(tmp_path: Path, server: Server, caplog):
    caplog.set_level(logging.DEBUG)
    jar = tmp_path / "cookies.txt"
    jar.write_text(f"# Netscape HTTP Cookie File\n{COOKIE}\n")
    jar.chmod(0o400)
    before = (jar.read_bytes(), jar.stat().st_mtime_ns)
    folder = tmp_path / "videos"
    folder.mkdir()
    bench = Bench(folder, cookies=jar)
    assert isinstance(bench.get(server.url("/clip.mp4"), "v"), Done)
    assert server.cookies == ["SID=very-secret"] * len(server.requests)
    bench.stage.close()
    assert (jar.read_bytes(), jar.stat().st_mtime_ns) == before
    assert "very-secret" not in caplog.text
    assert all(b"very-secret" not in p.read_bytes() for p in folder.iterdir())


@pytest.mark.parametrize(
    "content",
    [
        '[{"name": "SID", "value": "very-secret"}]',
        "SID=very-secret",
        f"{COOKIE}\n127.0.0.1 FALSE / FALSE 0 SID very-secret",
        "127.0.0.1\tFALSE\t/\tFALSE\tvery-secret\tSID\tx",
        "",
        "\xff\xfe",
    ],
)
def test_a_cookies_file_in_another_format_is_refused_without_showing_it(tmp_path: Path, capfd, content: str):
    jar = tmp_path / "cookies.txt"
    jar.write_bytes(content.encode("latin-1"))
    with pytest.raises(CurateError) as refused:
        Downloader(DownloadOptions(**{**QUICK, "cookies": jar}))
    assert "very-secret" not in str(refused.value) + "".join(capfd.readouterr())
    assert str(jar) in str(refused.value)


def test_a_missing_cookies_file_is_said(tmp_path: Path):
    with pytest.raises(CurateError, match="cannot read the cookies file"):
        Downloader(DownloadOptions(cookies=tmp_path / "none.txt"))


def test_an_unknown_browser_is_said():
    with pytest.raises(CurateError, match="netscape"):
        Downloader(DownloadOptions(cookies_from_browser="netscape"))


def test_the_password_of_a_proxy_is_not_shown(tmp_path: Path, caplog):
    caplog.set_level(logging.DEBUG)
    bench = Bench(tmp_path, proxy="http://user:very-secret@127.0.0.1:9/", retries=0)
    failed = bench.get("http://127.0.0.2:1/clip.mp4")
    assert isinstance(failed, Failed) and failed.reason is Reason.NETWORK
    assert "very-secret" not in failed.detail and "very-secret" not in caplog.text


@pytest.mark.parametrize(
    "extra",
    [
        {"outtmpl": "/tmp/x"},
        {"paths": {"home": "/tmp"}},
        {"postprocessors": [{"key": "Exec", "exec_cmd": "touch x"}]},
        {"netrc_cmd": "touch x"},
        {"external_downloader": {"default": "touch"}},
        {"js_runtimes": {"deno": {"path": "/tmp/x"}}},
        {"print_to_file": {"video": [["x", "/tmp/x"]]}},
        {"enable_file_urls": True},
        {"cookiefile": "x"},
        {"skip_unavailable_fragments": True},
        {"proxy": "http://x"},
    ],
    ids=str,
)
def test_further_options_cannot_take_over(extra: dict):
    with pytest.raises(CurateError, match=f"must not set {next(iter(extra))}"):
        session_parameters(DownloadOptions(yt_dlp=json.dumps(extra)))


@pytest.mark.parametrize(
    "wrong", [{"proxy": "http://["}, {"proxy": "myproxy:3128"}, {"source_address": "eth0"}], ids=str
)
def test_addresses_that_cannot_be_are_refused_at_once(wrong: dict[str, str]):
    with pytest.raises(CurateError, match=next(iter(wrong))):
        session_parameters(DownloadOptions(**wrong))


def test_the_source_address_is_used(tmp_path: Path, server: Server):
    bench = Bench(tmp_path, source_address="127.0.0.3")
    assert isinstance(bench.get(server.url("/clip.mp4"), "v"), Done)
    assert set(server.clients) == {"127.0.0.3"}


@pytest.mark.parametrize("text", ["", "[]", "1", "{", "null"])
def test_further_options_must_be_an_object(text: str):
    with pytest.raises(CurateError, match=r"download\.yt_dlp"):
        session_parameters(DownloadOptions(yt_dlp=text))


def test_further_options_reach_yt_dlp(tmp_path: Path, server: Server):
    bench = Bench(tmp_path, yt_dlp='{"http_headers": {"X-Lab": "surgery"}, "format": "b"}')
    assert isinstance(bench.get(server.url("/clip.mp4"), "v"), Done)
    assert server.headers[-1]["X-Lab"] == "surgery"


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(title=st.text())
def test_any_title_is_stored_safely(bench: Bench, server: Server, title: str):
    info = {"title": title or "x", "url": server.url("/clip.mp4"), "ext": "mp4"}
    assert isinstance(bench.get(says(kind="info", info=info), "v"), Done)
    assert {p.name for p in bench.folder.iterdir()} == {"v.mp4", "v.json"}
    json.loads((bench.folder / "v.json").read_bytes())
