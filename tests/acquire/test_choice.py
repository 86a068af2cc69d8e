"""Which format is asked for, and whether what arrives is what was promised."""

from __future__ import annotations

import json
from typing import Any

import pytest

from curate.records import Done, Failed, Reason
from tests.acquire.conftest import Bench
from tests.acquire.server import Serve, Server, Status
from tests.acquire.test_reasons import says


def fmt(server: Server, name: str, height: int, vcodec: str = "avc1.4d401f", note: str | None = None, **more: Any):
    server.files[f"/{name}.mp4"] = server.files["/clip.mp4"]
    found = {"format_id": name, "url": server.url(f"/{name}.mp4"), "ext": "mp4", "height": height, "vcodec": vcodec}
    return {**found, "acodec": "none", "width": height * 4 // 3, "format_note": note, "fps": 30, **more}


def chosen(bench: Bench, formats: list[dict[str, Any]], id: str = "v", **info: Any) -> str:
    done = bench.get(says(id, kind="info", info={"formats": formats, "duration": 6, **info}), id)
    assert isinstance(done, Done), done
    return json.loads((bench.folder / f"{id}.json").read_text())["format"]["format_id"]


@pytest.fixture
def low(tmp_path) -> Bench:
    return Bench(tmp_path, max_height=240)


def test_h264_video_only_at_the_height_limit_is_preferred(low: Bench, server: Server):
    formats = [
        {**fmt(server, "sound", 1, "none"), "acodec": "mp4a", "height": None, "width": None},
        fmt(server, "small", 144),
        fmt(server, "vp9", 240, "vp9"),
        fmt(server, "av1", 240, "av01.0.05M.08"),
        fmt(server, "both", 240, acodec="mp4a.40.2"),
        fmt(server, "right", 240),
        fmt(server, "upscaled", 240, note="AI-upscaled"),
        fmt(server, "high", 480),
    ]
    assert chosen(low, formats) == "right"
    assert {path for path, _ in server.requests} == {"/right.mp4"}


def test_an_upscaled_stream_is_never_taken(low: Bench, server: Server):
    formats = [fmt(server, "upscaled", 240, note="240p, AI-upscaled"), fmt(server, "small", 200)]
    assert chosen(low, formats) == "small"
    only = [fmt(server, "upscaled", 240, note="AI-upscaled")]
    failed = low.get(says(kind="info", info={"formats": only}))
    assert isinstance(failed, Failed) and failed.reason is Reason.NO_FORMAT


def test_without_a_video_only_stream_the_one_with_sound_is_taken(low: Bench, server: Server):
    assert chosen(low, [fmt(server, "both", 240, acodec="mp4a.40.2")]) == "both"


def test_another_codec_is_taken_rather_than_a_lower_height(low: Bench, server: Server):
    assert chosen(low, [fmt(server, "small", 144), fmt(server, "vp9", 240, "vp9")]) == "vp9"


def test_a_duration_off_by_more_than_two_percent_is_incomplete(low: Bench, server: Server):
    failed = low.get(says(kind="info", info={"formats": [fmt(server, "a", 240)], "duration": 60}), "v")
    assert isinstance(failed, Failed) and failed.reason is Reason.INCOMPLETE and failed.retryable
    assert "6.0 s arrived, the site states 60.0 s" in failed.detail
    assert not list(low.folder.iterdir())


def test_a_height_below_the_promised_one_is_low_resolution(tmp_path, server: Server):
    bench = Bench(tmp_path, max_height=720)
    failed = bench.get(says(kind="info", info={"formats": [fmt(server, "a", 720)]}))
    assert isinstance(failed, Failed) and failed.reason is Reason.LOW_RESOLUTION and failed.retryable


def test_a_height_below_the_accepted_one_is_not_fetched(tmp_path, server: Server):
    bench = Bench(tmp_path, min_height=360)
    failed = bench.get(says(kind="info", info={"formats": [fmt(server, "a", 240)]}))
    assert isinstance(failed, Failed) and failed.reason is Reason.LOW_RESOLUTION
    assert not server.requests


def test_a_partial_file_of_one_format_is_never_continued_with_another(low: Bench, server: Server, clip: bytes):
    first, second = fmt(server, "first", 240), fmt(server, "second", 240)
    (low.folder / ".v.tmp.first-mp4.mp4.part").write_bytes(clip[:1000])
    (low.folder / ".w.tmp.first-mp4.mp4.part").write_bytes(clip[:1000])
    assert chosen(low, [second]) == "second"
    assert server.requests == [("/second.mp4", None)]
    assert not list(low.folder.glob(".v.*"))
    server.requests.clear()
    assert chosen(low, [first], "w") == "first"
    assert server.requests == [("/first.mp4", "bytes=1000-")]


def test_a_whole_file_left_by_a_kill_before_the_rename_is_not_fetched_again(low: Bench, server: Server, clip: bytes):
    (low.folder / ".v.tmp.first-mp4.mp4").write_bytes(clip)
    assert chosen(low, [fmt(server, "first", 240)]) == "first"
    assert not server.requests


def test_a_page_with_several_videos_is_not_one_video(bench: Bench, server: Server):
    page = f"""<html><body><video src="{server.url("/clip.mp4")}"></video>
    <video src="{server.url("/other.mp4")}"></video></body></html>"""
    server.files["/page.html"] = page.encode()
    failed = bench.get(server.url("/page.html"))
    assert isinstance(failed, Failed) and failed.reason is Reason.UNSUPPORTED_URL and not failed.retryable


def test_a_page_with_one_video_gives_that_video(bench: Bench, server: Server):
    server.files["/page.html"] = f'<html><video src="{server.url("/clip.mp4")}"></video></html>'.encode()
    assert isinstance(bench.get(server.url("/page.html")), Done)


def test_published_md5_is_compared(bench: Bench, server: Server, clip: bytes):
    import hashlib

    bench.get(server.url("/clip.mp4"), "same", md5=hashlib.md5(clip).hexdigest())
    bench.get(server.url("/clip.mp4"), "other", md5="0" * 32)
    assert json.loads((bench.folder / "same.json").read_text())["md5_as_published"] is True
    assert json.loads((bench.folder / "other.json").read_text())["md5_as_published"] is False


def test_metadata_of_the_source_is_kept(bench: Bench, server: Server):
    info = {
        "title": "Chol\x00ecyst\u202eectomy <script>",
        "channel": "Surgeon",
        "channel_id": "UCsurgeon",
        "availability": "unlisted",
        "upload_date": "20200102",
        "license": "Creative Commons Attribution license (reuse allowed)",
        "url": server.url("/clip.mp4"),
        "ext": "mp4",
        "duration": 6,
    }
    assert isinstance(bench.get(says(kind="info", info=info), "v"), Done)
    raw = (bench.folder / "v.json").read_bytes()
    assert raw.isascii() and b"\x00" not in raw
    kept = json.loads(raw)
    assert (kept["title"], kept["channel"], kept["upload_date"], kept["duration"]) == (
        info["title"],
        "Surgeon",
        "20200102",
        6,
    )
    assert kept["licence"].startswith("Creative Commons")
    assert (kept["channel_id"], kept["availability"]) == ("UCsurgeon", "unlisted")


def test_fresh_addresses_are_asked_of_the_site_not_reused(bench: Bench, server: Server):
    server.behave("/clip.mp4", Status(403), then=Serve())
    done = bench.get(says(kind="info", info={"url": server.url("/clip.mp4"), "ext": "mp4"}))
    assert isinstance(done, Done)
