"""Every wording ends in its reason, through yt-dlp's own exceptions raised by an extractor."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.acquire import reasons
from curate.records import Done, Failed, Reason
from tests.acquire.conftest import Bench

SAID = [
    ("private", "Private video. Sign in if you've been granted access to this video"),
    ("private", "Video unavailable. This video is private"),
    ("removed", "Video unavailable. This video has been removed by the uploader"),
    ("removed", "Video unavailable"),
    ("removed", "Video unavailable. This video is no longer available"),
    ("removed", "This video isn\N{RIGHT SINGLE QUOTATION MARK}t available anymore"),
    ("removed", "This video is not available"),
    ("members", "This video is only available to Music Premium members"),
    ("removed", "This live stream recording is not available."),
    (
        "terminated",
        "Video unavailable. This video is no longer available because the YouTube account associated with this "
        "video has been terminated.",
    ),
    (
        "terminated",
        "This video is no longer available because the uploader has closed their YouTube account.",
    ),
    ("terms", "This video has been removed for violating YouTube's Terms of Service"),
    ("terms", "This video has been removed for violating YouTube's policy on nudity or sexual content"),
    ("copyright", "Video unavailable. This video is no longer available due to a copyright claim by Elsevier"),
    ("copyright", "Video unavailable. This video contains content from SME, who has blocked it on copyright grounds"),
    ("geo", "Video unavailable. This video contains content from SME, who has blocked it in your country"),
    ("age", "Sign in to confirm your age. This video may be inappropriate for some users."),
    ("age", "This video is age-restricted and only available on YouTube"),
    ("members", "Join this channel to get access to members-only content like this video, and other perks."),
    ("members", "This video is available to this channel's members on level: Fellow (or any higher level)."),
    ("blocked", "Sign in to confirm you\N{RIGHT SINGLE QUOTATION MARK}re not a bot. Use --cookies"),
    ("blocked", "Sign in to confirm you're not a bot"),
    ("blocked", "Video unavailable. YouTube is requiring a captcha challenge before playback"),
    (
        "rate_limited",
        "Video unavailable. This content isn't available, try again later. The current session has been rate-limited "
        "by YouTube for up to an hour.",
    ),
    ("no_format", "Requested format is not available. Use --list-formats for a list of available formats"),
    ("no_format", "Only images are available for download. use --list-formats to see them"),
    ("no_format", "This video is DRM protected"),
    ("live", "Premieres in 3 hours"),
    ("live", "This live event will begin in 2 days."),
    ("network", "The page needs to be reloaded."),
    ("error", "Unable to extract yt initial data"),
]


def says(video: str = "v", **what: Any) -> str:
    return f"https://site.test/{video}?{urllib.parse.quote(json.dumps(what))}"


def outcome(bench: Bench, **what: Any) -> Failed:
    failed = bench.get(says(**what))
    assert isinstance(failed, Failed)
    return failed


@pytest.mark.parametrize(("reason", "text"), SAID)
@pytest.mark.parametrize("kind", ["said", "login"])
def test_wordings(bench: Bench, kind: str, reason: str, text: str):
    failed = outcome(bench, kind=kind, text=text)
    assert failed.reason == reason
    assert text.split(".")[0] in failed.detail  # the raw text is kept


@pytest.mark.parametrize(
    ("reason", "what"),
    [
        ("geo", {"kind": "geo", "text": "The uploader has not made this video available in your country"}),
        ("geo", {"kind": "geo-plain"}),
        ("live", {"kind": "not-live"}),
        ("forbidden", {"kind": "http", "status": 403}),
        ("not_found", {"kind": "http", "status": 404}),
        ("rate_limited", {"kind": "http", "status": 429}),
        ("geo", {"kind": "http", "status": 451}),
        ("network", {"kind": "http", "status": 502}),
        ("error", {"kind": "http", "status": 418}),
        ("network", {"kind": "transport"}),
        ("network", {"kind": "bare-transport"}),
        ("incomplete", {"kind": "incomplete"}),
        ("incomplete", {"kind": "short"}),
        ("error", {"kind": "bug"}),
        ("no_format", {"kind": "info", "info": {"formats": []}}),
        ("live", {"kind": "info", "info": {"url": "https://site.test/a.mp4", "is_live": True}}),
        ("live", {"kind": "info", "info": {"url": "https://site.test/a.mp4", "live_status": "is_upcoming"}}),
        ("live", {"kind": "info", "info": {"url": "https://site.test/a.mp4", "live_status": "post_live"}}),
    ],
    ids=str,
)
def test_types_and_statuses(bench: Bench, reason: str, what: dict[str, Any]):
    failed = outcome(bench, **what)
    assert failed.reason == reason
    assert failed.detail


@pytest.mark.parametrize("reason", ["private", "terminated", "terms", "copyright", "members"])
def test_final_reasons_are_not_retryable(bench: Bench, reason: str):
    text = next(text for r, text in SAID if r == reason)
    assert not outcome(bench, kind="said", text=text).retryable


def test_a_title_that_reads_like_an_error_changes_nothing(bench: Bench, server):
    info = {"title": "Private video: not a bot", "url": server.url("/clip.mp4"), "ext": "mp4", "duration": 6}
    assert isinstance(bench.get(says(kind="info", info=info)), Done)


def test_texts_are_kept_on_one_printable_line(bench: Bench):
    failed = outcome(bench, kind="said", text="Private video\n\x1b[31mred\x07 " + "x" * 5000)
    assert failed.detail.isprintable() and len(failed.detail) <= 2000


@given(st.integers(400, 599))
def test_no_status_is_final(status: int):
    from curate.workspace.retry_policy import is_retryable

    assert reasons.reason_of_status(status) in Reason
    assert is_retryable(reasons.reason_of_status(status))


def test_a_folder_whose_name_reads_like_an_error_changes_nothing(tmp_path, server):
    folder = tmp_path / "Private video"
    folder.mkdir()
    (folder / ".v.tmp.mp4-mp4.mp4.part").mkdir()  # in the way of the download
    failed = Bench(folder).get(server.url("/clip.mp4"), "v")
    assert isinstance(failed, Failed) and failed.reason is Reason.ERROR and "Private video" in failed.detail
