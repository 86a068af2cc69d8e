"""The download stage against a real server that misbehaves, and recovers."""

from __future__ import annotations

import json

import av
import numpy as np
import pytest

from curate.errors import StageHalted
from curate.records import Done, Failed, Reason
from tests.acquire.conftest import Bench
from tests.acquire.server import Cut, Lie, Serve, Server, Stall, Status

HALF = 60_000


def resumed_at(server: Server) -> int:
    """First byte asked for in the last request."""
    wanted = server.requests[-1][1]
    assert wanted is not None
    return int(wanted.removeprefix("bytes=").removesuffix("-"))


def test_a_plain_link_is_fetched_probed_hashed_and_described(bench: Bench, server: Server, clip: bytes):
    done = bench.get(server.url("/clip.mp4"), "ok")
    assert isinstance(done, Done)
    assert (bench.folder / "ok.mp4").read_bytes() == clip
    described = json.loads((bench.folder / "ok.json").read_text())
    assert described["file"]["height"] == 240 and described["file"]["codec"] == "h264"
    assert described["file"]["duration"] == pytest.approx(6.0)
    assert described["file"]["bytes"] == len(clip) == done.figures["bytes"]
    assert len(described["file"]["sha256"]) == 64 and len(described["file"]["md5"]) == 32
    assert described["yt_dlp"] and described["downloaded"].endswith("+00:00")
    assert sorted(p.name for p in bench.folder.iterdir()) == ["ok.json", "ok.mp4"]


def test_a_cut_connection_is_resumed_within_one_try(bench: Bench, server: Server, clip: bytes):
    server.behave("/clip.mp4", Serve(), Cut(HALF), then=Serve())
    assert isinstance(bench.get(server.url("/clip.mp4"), "cut"), Done)
    assert (bench.folder / "cut.mp4").read_bytes() == clip
    assert 0 < resumed_at(server) <= HALF


def test_a_partial_file_is_resumed_by_a_later_try(bench: Bench, server: Server, clip: bytes):
    server.behave("/clip.mp4", Serve(), Cut(HALF), then=Cut(0))
    failed = bench.get(server.url("/clip.mp4"), "later")
    assert isinstance(failed, Failed) and failed.retryable and failed.reason is Reason.INCOMPLETE
    server.requests.clear()
    server.behave("/clip.mp4", then=Serve())
    assert isinstance(bench.get(server.url("/clip.mp4"), "later"), Done)
    assert (bench.folder / "later.mp4").read_bytes() == clip
    assert 0 < resumed_at(server) <= HALF


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (Status(401), Reason.FORBIDDEN),
        (Status(403), Reason.FORBIDDEN),
        (Status(404), Reason.NOT_FOUND),
        (Status(410), Reason.NOT_FOUND),
        (Status(429), Reason.RATE_LIMITED),
        (Status(500), Reason.NETWORK),
        (Status(503), Reason.NETWORK),
        (Stall(HALF), Reason.NETWORK),
        (Cut(HALF, ranges=False), Reason.INCOMPLETE),
        (Lie(HALF), Reason.INCOMPLETE),
    ],
    ids=str,
)
@pytest.mark.parametrize("meets", ["page", "data"])
def test_trouble_ends_in_its_reason_and_a_later_try_succeeds(
    bench: Bench, server: Server, clip: bytes, behaviour, reason, meets
):
    if meets == "data":
        if isinstance(behaviour, Status) and behaviour.code < 500:  # asked for twice, as a fresh address may help
            server.behave("/clip.mp4", Serve(), behaviour, Serve(), behaviour, then=behaviour)
        else:
            server.behave("/clip.mp4", Serve(), then=behaviour)
    else:
        server.behave("/clip.mp4", then=behaviour)
    failed = bench.get(server.url("/clip.mp4"), "v")
    assert isinstance(failed, Failed), failed
    assert failed.reason is reason and failed.retryable and failed.detail
    server.behave("/clip.mp4", then=Serve())
    assert isinstance(bench.get(server.url("/clip.mp4"), "v"), Done)
    assert (bench.folder / "v.mp4").read_bytes() == clip
    assert sorted(p.name for p in bench.folder.iterdir()) == ["v.json", "v.mp4"]


def test_a_refused_file_is_asked_for_once_more_with_a_fresh_address(bench: Bench, server: Server):
    server.behave("/clip.mp4", Serve(), Status(403), then=Serve())
    assert isinstance(bench.get(server.url("/clip.mp4")), Done)
    assert len(server.requests) == 4


def test_nobody_listening_is_a_network_failure(bench: Bench, server: Server):
    with Server() as gone:
        url = gone.url("/clip.mp4")
    failed = bench.get(url)
    assert isinstance(failed, Failed) and failed.reason is Reason.NETWORK


def test_a_page_without_a_video_is_final(bench: Bench, server: Server):
    server.files["/page.html"] = b"<html><title>Private video</title><p>nothing here</p></html>"
    failed = bench.get(server.url("/page.html"))
    assert isinstance(failed, Failed) and failed.reason is Reason.UNSUPPORTED_URL and not failed.retryable


def test_a_file_that_does_not_decode_is_removed_and_fetched_again(bench: Bench, server: Server, clip: bytes):
    server.files["/clip.mp4"] = b"\0" * len(clip)
    failed = bench.get(server.url("/clip.mp4"), "v")
    assert isinstance(failed, Failed) and failed.reason is Reason.INCOMPLETE and failed.retryable
    assert not list(bench.folder.iterdir())
    server.files["/clip.mp4"] = clip
    assert isinstance(bench.get(server.url("/clip.mp4"), "v"), Done)


def test_a_sound_recording_is_final(bench: Bench, server: Server, tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=48000, layout="mono")
        for n in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, n * 1024
            container.mux(sound.encode(frame))
        container.mux(sound.encode())
    server.files["/sound.mp4"] = path.read_bytes()
    failed = bench.get(server.url("/sound.mp4"))
    assert isinstance(failed, Failed) and failed.reason is Reason.NO_VIDEO_STREAM and not failed.retryable


def test_a_stream_in_pieces_arrives_whole(bench: Bench, server: Server, stream: dict[str, bytes]):
    server.files |= stream
    done = bench.get(server.url("/talk.m3u8"), "talk")
    assert isinstance(done, Done), done
    assert done.figures["seconds"] == pytest.approx(6.0, abs=0.2)
    assert (bench.folder / "talk.ts").read_bytes() == b"".join(stream[f"/talk{n}.ts"] for n in range(6))


@pytest.mark.parametrize("missing", [1, 3, 5])
@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [(Status(404), Reason.INCOMPLETE), (Status(403), Reason.FORBIDDEN), (Status(500), Reason.NETWORK)],
    ids=str,
)
def test_a_missing_piece_leaves_no_hole_and_a_later_try_goes_on_from_there(
    bench: Bench, server: Server, stream: dict[str, bytes], missing: int, behaviour, reason
):
    server.files |= stream
    server.behave(f"/talk{missing}.ts", then=behaviour)
    failed = bench.get(server.url("/talk.m3u8"), "talk")
    assert isinstance(failed, Failed) and failed.reason is reason and failed.retryable, failed
    assert not (bench.folder / "talk.ts").exists()
    server.behave(f"/talk{missing}.ts", then=Serve())
    server.requests.clear()
    assert isinstance(bench.get(server.url("/talk.m3u8"), "talk"), Done)
    assert (bench.folder / "talk.ts").read_bytes() == b"".join(stream[f"/talk{n}.ts"] for n in range(6))
    assert "/talk0.ts" not in [path for path, _ in server.requests]


def test_refusals_in_a_row_stop_the_stage_and_say_what_helps(bench: Bench, server: Server):
    server.files |= {f"/{n}.mp4": b"" for n in range(3)}
    for n in range(3):
        server.behave(f"/{n}.mp4", then=Status(429))
    for n in range(2):
        failed = bench.get(server.url(f"/{n}.mp4"))
        assert isinstance(failed, Failed) and failed.reason is Reason.RATE_LIMITED and failed.retryable
    with pytest.raises(StageHalted, match=r"429.*sleep-interval"):
        bench.get(server.url("/2.mp4"))


def test_dead_videos_between_refusals_do_not_hide_them(bench: Bench, server: Server):
    server.files |= {"/a.mp4": b"", "/b.mp4": b"", "/c.mp4": b""}
    for name in "abc":
        server.behave(f"/{name}.mp4", then=Status(403))
    assert isinstance(bench.get(server.url("/a.mp4")), Failed)
    assert isinstance(bench.get(server.url("/none.mp4")), Failed)
    assert isinstance(bench.get(server.url("/b.mp4")), Failed)
    with pytest.raises(StageHalted):
        bench.get(server.url("/c.mp4"))


def test_a_success_closes_the_row(bench: Bench, server: Server):
    for _ in range(3):
        for _ in range(2):
            server.behave("/clip.mp4", then=Status(403))
            assert isinstance(bench.get(server.url("/clip.mp4")), Failed)
        server.behave("/clip.mp4", then=Serve())
        assert isinstance(bench.get(server.url("/clip.mp4")), Done)


def test_a_dead_network_stops_the_stage(tmp_path, server: Server):
    bench = Bench(tmp_path, trouble_breaker=2)
    server.behave("/clip.mp4", then=Status(502))
    assert isinstance(bench.get(server.url("/clip.mp4")), Failed)
    with pytest.raises(StageHalted, match="network"):
        bench.get(server.url("/clip.mp4"))


def test_the_floor_of_free_space_stops_the_stage_before_anything_is_written(tmp_path, server: Server):
    bench = Bench(tmp_path, free_space=1e9)
    with pytest.raises(StageHalted, match="free"):
        bench.get(server.url("/clip.mp4"))
    assert not server.requests and not list(tmp_path.iterdir())


def test_the_rate_limit_option_reaches_the_connection(tmp_path, server: Server, clip: bytes):
    import time

    bench = Bench(tmp_path, rate_limit=len(clip))
    before = time.monotonic()
    assert isinstance(bench.get(server.url("/clip.mp4")), Done)
    assert time.monotonic() - before > 0.6
