from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.files.urls import redact, redact_url

PUBLIC = [
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=PL1&t=10s",
    "https://example.org/videos/a%20b.mp4?start=1&quality=high#t=10",
    "https://vimeo.com/123456789/0a1b2c3d4e",
    "https://www.youtube.com/watch?v=-abcdefghij",
    "https://example.org/watch;v=1?a=1;b=2&monkey=3",
    "/home/user/video.mp4?token=1",
    "not a url at all",
]

SECRET = [
    ("https://user:s3cret@example.org/v.mp4", "https://example.org/v.mp4"),
    ("https://user:p@s3cret@example.org:8443/v.mp4", "https://example.org:8443/v.mp4"),
    (
        "https://b.s3.amazonaws.com/v.mp4?X-Amz-Algorithm=AWS4&X-Amz-Credential=s3cret&X-Amz-Signature=s3cret&v=1",
        "https://b.s3.amazonaws.com/v.mp4?v=1",
    ),
    (
        "https://a.blob.core.windows.net/c/v.mp4?sv=2024&se=2027&sig=s3cret%3D",
        "https://a.blob.core.windows.net/c/v.mp4?sv=2024&se=2027",
    ),
    (
        "https://cdn.example.org/v.mp4?Policy=s3cret&Signature=s3cret&Key-Pair-Id=s3cret",
        "https://cdn.example.org/v.mp4",
    ),
    (
        "https://r1.googlevideo.com/videoplayback?id=o&itag=137&ip=10.1.2.3&lsig=s3cret&sig=s3cret",
        "https://r1.googlevideo.com/videoplayback?id=o&itag=137",
    ),
    (
        "https://manifest.googlevideo.com/api/id/o/sig/s3cret/file/index.m3u8",
        "https://manifest.googlevideo.com/api/id/o/sig/hidden/file/index.m3u8",
    ),
    ("https://cdn.example.org/hdnts=exp=1~acl=/*~hmac=s3cret/v.m3u8", "https://cdn.example.org/hidden/hidden/v.m3u8"),
    ("https://example.org/v?access%5Ftoken=s3cret&id=5", "https://example.org/v?id=5"),
    ("https://example.org/v.mp4;jsessionid=1;token=s3cret?a=1", "https://example.org/v.mp4;jsessionid=1?a=1"),
    ("https://example.org/cb#access_token=s3cret&state=x", "https://example.org/cb#state=x"),
    ("https://example.org/v?a=eyJhbGciOiJI.eyJzdWIi.s3cret", "https://example.org/v"),
    (f"https://example.org/v?x={'Ab1_' * 20}", "https://example.org/v"),
    ("https://example.org/v?a=1;token=s3cret;b=2", "https://example.org/v?a=1&b=2"),
    ("https://example.org/v?play_key=s3cret&e=5&wmsAuthSign=s3cret", "https://example.org/v?e=5"),
    ("HTTPS://User:s3cret@EXAMPLE.org/", "HTTPS://EXAMPLE.org/"),
    ("s3://key:s3cret@bucket/prefix?region=eu&secret_key=s3cret", "s3://bucket/prefix?region=eu"),
]


@pytest.mark.parametrize("url", PUBLIC)
def test_a_url_without_secrets_stays_as_it_is(url: str) -> None:
    assert redact_url(url) == url


@pytest.mark.parametrize(("url", "shown"), SECRET)
def test_secrets_are_left_out(url: str, shown: str) -> None:
    assert redact_url(url) == shown
    assert redact(f"HTTP Error 403 for {url} (caused by <x>)") == f"HTTP Error 403 for {shown} (caused by <x>)"


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    assert redact_url(redact_url(text)) == redact_url(text)
    assert redact(redact(text)) == redact(text)
