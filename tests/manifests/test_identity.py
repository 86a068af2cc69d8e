from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.manifests.entries import RowError
from curate.manifests.identity import checked_path, clean_text, local_id, parse_url
from curate.records import VIDEO_ID

ID = "-bC_dEf0hIj"
LINK = f"https://www.youtube.com/watch?v={ID}"


@pytest.mark.parametrize(
    "text",
    [
        f"https://youtu.be/{ID}",
        f"http://youtu.be/{ID}?si=FjhSFpuj-FvyfFAs",
        f"  https://www.youtube.com/watch?v={ID}\t",
        f"https://www.youtube.com/watch?list=PL1&v={ID}&t=10s",
        f"https://m.youtube.com/watch?v={ID}#t=3",
        f"https://music.youtube.com/watch?v={ID}",
        f"https://youtube.com/shorts/{ID}",
        f"https://www.youtube.com/embed/{ID}?rel=0",
        f"https://www.youtube-nocookie.com/embed/{ID}",
        f"https://www.youtube.com/live/{ID}?feature=share",
        f"HTTPS://WWW.YOUTUBE.COM/watch?v={ID}",
        f"youtu.be/{ID}",
        ID,
        f"//youtu.be/{ID}",
        f"youtube:{ID}",
        f"www.youtube.com/watch?v={ID}",
    ],
)
def test_every_spelling_of_a_youtube_link(text):
    assert parse_url(text) == (ID, LINK)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("file:///etc/passwd", "only http"),
        ("ftp://example.org/a.mp4", "only http"),
        ("javascript:alert(1)", "only http"),
        ("/etc/passwd", "only http"),
        ("../../x", "only http"),
        ("dQw4w9WgXc", "only http"),
        ("ytsearch:dQw4w9WgXcQ", "a search"),
        ("https://rr1---sn-x.googlevideo.com/videoplayback?id=o-A", "expires"),
        ("", "only http"),
        ("https://", "host"),
        ("https://youtube.com@evil.example/watch?v=dQw4w9WgXcQ", "user name"),
        ("https://[::1/x", "not a URL"),
        ("https://example.org:99999/x", "not a URL"),
        ("https://example.org/a b.mp4", "white space"),
        ("https://example.org/`id`", "no URL holds"),
        ("https://example.org/\x00", "no URL holds"),
        ("https://example.org/" + "a" * 3000, "longer"),
        ("https://www.youtube.com/watch?v=y-dzvsXvmk", "11 characters, this one has 10"),
        ("https://youtu.be/$(reboot)ab", "letters, digits"),
        ("https://youtu.be/../../../x", "11 characters"),
        ("https://youtu.be/", "no video"),
        ("https://www.youtube.com/playlist?list=PL123", "no video"),
        ("https://www.youtube.com/embed/videoseries?list=PL123", "no video"),
        ("https://www.youtube.com/@channel", "no video"),
    ],
)
def test_what_is_no_video_link_is_refused(text, problem):
    with pytest.raises(RowError, match=problem):
        parse_url(text)


def test_a_look_alike_host_is_not_youtube():
    video_id, url = parse_url("https://notyoutube.com/watch?v=dQw4w9WgXcQ")
    assert video_id != "dQw4w9WgXcQ"
    assert url == "https://notyoutube.com/watch?v=dQw4w9WgXcQ"


def test_other_urls_get_readable_ids_that_tell_them_apart():
    one, url = parse_url("HTTPS://Example.org:8443/a/Lap%20Chole.mp4?x=1#t=5")
    two, _ = parse_url("https://example.org:8443/a/Lap%20Chole.mp4?x=2")
    assert url == "https://example.org:8443/a/Lap%20Chole.mp4?x=1"
    assert one.startswith("example-org-Lap-20Chole-") and one != two


@given(st.text(max_size=80))
def test_any_text_gives_a_safe_id_or_a_row_error(text):
    try:
        video_id, url = parse_url("http://h/" + text)
    except RowError:
        return
    assert VIDEO_ID.fullmatch(video_id)
    assert parse_url(url) == (video_id, url)


@given(st.text(alphabet=st.characters(exclude_characters="/\x00"), min_size=1, max_size=100))
def test_any_file_name_gives_a_safe_id(name):
    assert VIDEO_ID.fullmatch(local_id(Path(name)))


def test_local_ids_keep_good_stems_and_tell_bad_ones_apart():
    assert local_id(Path("/x/-a_B9.mp4")) == "-a_B9"
    assert local_id(Path("a b.mp4")) != local_id(Path("a-b.c.mp4")) != local_id(Path("a_b c.mp4"))
    assert local_id(Path("手術.mp4")).startswith("video-")


@given(st.text(max_size=50))
def test_cleaned_text_holds_no_controls_and_is_stable(text):
    cleaned = clean_text(text)
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or "\u202a" <= c <= "\u202e" for c in cleaned)
    cleaned.encode()
    assert clean_text(cleaned) == cleaned


def test_titles_keep_html_and_double_spaces():
    assert clean_text("A  <b>b</b>\tc\u202eexe\x1b[0m") == "A  <b>b</b> cexe [0m"


def test_paths_start_at_the_folder(tmp_path):
    assert checked_path("a/../b.mp4", tmp_path) == tmp_path / "b.mp4"
    assert checked_path("/x/b.mp4", tmp_path) == Path("/x/b.mp4")
    for bad in ("", " ", "a\x00b", "a\nb", "file:///x.mp4", "\udcff"):
        with pytest.raises(RowError):
            checked_path(bad, tmp_path)
