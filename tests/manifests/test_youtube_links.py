"""Our recogniser of YouTube links against yt-dlp's: what yt-dlp takes for a video is that video."""

import itertools
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from yt_dlp.extractor import youtube
from yt_dlp.extractor.youtube import YoutubeIE

from curate.manifests import read_sources
from curate.manifests.identity import parse_url
from curate.manifests.youtube_id import canonical_url, id_behind, is_youtube

ID = "-bC_dEf0hIj"

HOSTS = (
    "www.youtube.com", "YouTube.com", "m.youtube.com", "music.youtube.com", "de.youtube.com", "tv.youtube.com",
    "www.youtube-nocookie.com", "www.youtubekids.com", "youtu.be", "vid.plus", "zwearz.com/watch",
    "youtube.googleapis.com",
    "www.deturl.com/www.youtube.com", "pwnyoutube.com", "www.hooktube.com", "yourepeat.com", "tube.majestyc.net",
    "yewtu.be", "invidious.snopyta.org", "fi.invidious.snopyta.org", "piped.video", "cf.piped.video",
    "www.cleanvideosearch.com/media/action/yt", "redirect.invidious.io", "example.org", "notyoutube.com",
)  # fmt: skip
BEFORE = (
    "", "v/", "e/", "embed/", "shorts/", "live/", "watch?v=", "watch/?v=", "watch?a=b&v=", "watch?a=b;v=", "?v=", "#v=",
    "watch?a=1&amp;v=", "#!v=", "watch#!v=", "watch.php?v=", "movie?v=", "watch#v=", "embed/videoseries?list=PL1&x=",
    "watch?feature=player_embedded&amp;amp;v=", "channel/", "@name/", "playlist?list=", "results?q=",
)  # fmt: skip
AFTER = ("", "?t=1", "&t=1", "#t=1", "/", "xx", "?list=", "&v=aaaaaaaaaaa", "/foo", ")", "&amp;t=1", "?si=a-b_c")
ANCHORS = ("", "#/", "x/y#/", "user/foo#/")


def taken_by_yt_dlp(url):
    return YoutubeIE._match_id(url) if YoutubeIE.suitable(url) else None


def test_every_spelling_that_yt_dlp_takes_for_a_video():
    taken = 0
    for scheme, host, anchor, before, after in itertools.product(("http://", "//"), HOSTS, ANCHORS, BEFORE, AFTER):
        url = f"{scheme}{host}/{anchor}{before}{ID}{after}"
        if (theirs := taken_by_yt_dlp(url)) is not None:
            taken += 1
            assert id_behind(url) == theirs, url
    assert taken > 20_000


PARAMETERS = st.lists(st.sampled_from(["a=b", "t=1", "v=aaaaaaaaaaa", "si=x_-", "list=", "amp;index=2"]), max_size=3)


@settings(max_examples=300, deadline=None)
@given(
    host=st.sampled_from(HOSTS[:-2]),
    anchor=st.sampled_from(ANCHORS),
    path=st.sampled_from(["watch", "watch/", "watch.php", "watch_popup", "movie", ""]),
    before=PARAMETERS,
    after=PARAMETERS,
    joint=st.sampled_from("&;"),
)
@example(host="www.youtube.com", anchor="", path="watch", before=["list=PL1"], after=[], joint="&")
def test_an_id_among_any_parameters(host, anchor, path, before, after, joint):
    url = f"https://{host}/{anchor}{path}?{joint.join([*before, f'v={ID}', *after])}"
    theirs = taken_by_yt_dlp(url)
    if theirs is not None and theirs in (ID, "aaaaaaaaaaa"):
        assert id_behind(url) == theirs


def test_the_examples_of_yt_dlp_itself():
    classes = [
        found for name in dir(youtube) if name.endswith("IE") and "_TESTS" in vars(found := getattr(youtube, name))
    ]
    links = [test["url"] for found in classes for test in found._TESTS if "/" in test["url"]]
    assert len(links) > 150
    for link in links:
        if (theirs := taken_by_yt_dlp(link)) is not None:
            assert id_behind(link) == theirs, link


def test_every_front_end_that_yt_dlp_knows():
    for pattern in YoutubeIE._INVIDIOUS_SITES:
        host = re.sub(r"^\(\?:\(\?:www\|(\w+)\)\\\.\)\?", r"\1.", pattern).replace(r"(?:www\.)?", "")
        host = host.replace("(?:invidious(?:-us)?|piped)", "invidious-us").replace("\\", "")
        assert re.fullmatch(pattern, host), pattern
        assert is_youtube(host), host
        assert parse_url(f"https://{host}/watch?v={ID}") == (ID, canonical_url(ID))


@pytest.mark.parametrize(
    "link",
    [
        f"https://www.youtube.com/attribution_link?a=x&u=%2Fwatch%3Fv%3D{ID}%26feature%3Dshare",
        f"https://www.youtube.com/oembed?url=https%3A%2F%2Fyoutu.be%2F{ID}&format=json",
        f"https://www.youtube.com/redirect?q=https%3A%2F%2Fyoutu.be%2F{ID}",
        f"https://consent.youtube.com/m?continue=https%3A%2F%2Fwww.youtube.com%2Flive%2F{ID}%3Fcbrd%3D1&gl=NL",
        f"https://www.google.com/url?sa=t&url=https%3A%2F%2Fwww.youtube.com%2Fwatch%3Fv%3D{ID}&usg=x",
        f"https://l.facebook.com/l.php?u=https%3A%2F%2Fyoutu.be%2F{ID}&h=AT0",
        f"https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fyoutu.be%2F{ID}&data=x",
        f"https://href.li/?https://youtu.be/{ID}",
        f"https://i.ytimg.com/vi/{ID}/hqdefault.jpg",
        f"https://img.youtube.com/vi/{ID}/0.jpg",
        f"https://studio.youtube.com/video/{ID}/edit",
        f"https://www.youtube.com./watch?v={ID}",
        f"https://www.youtube.com:443/watch?v={ID}",
        f"https://www.youtube.com/watch?v%3D{ID}",
        f"https://youtube.co.uk/watch?v={ID}",
        f"https://invidious.never-seen.example/watch?v={ID}",
        f"https://www.youtube.com/watch?list=PL123&v={ID}",
        f"httpss://youtu.be/{ID}",
        f"<https://youtu.be/{ID}>",
        f"yt:{ID}",
        f"vnd.youtube:{ID}?x=y",
        f"m.youtube.com/watch?v={ID}",
        f"yewtu.be/{ID}",
    ],
)
def test_links_that_lead_there(link):
    assert parse_url(link) == (ID, canonical_url(ID))


@pytest.mark.parametrize(
    "prefix", ["https://web.archive.org/web/20200101000000/https://www.", "web.archive.org/web/2/"]
)
def test_a_copy_in_the_wayback_machine_is_that_video_with_its_own_link(tmp_path, prefix):
    link = f"{prefix}youtube.com/watch?v={ID}"
    assert id_behind(link if "://" in link else f"https://{link}") == ID
    (tmp_path / "u.txt").write_text(
        f"https://web.archive.org/web/2/http://youtube.com/watch?v={ID}\nhttps://youtu.be/{ID}\n"
    )
    report = read_sources([tmp_path / "u.txt"])
    assert [v.id for v in report.videos] == [ID] and len(report.duplicates) == 1
    assert report.videos[0].source.startswith("https://web.archive.org/")
    (tmp_path / "o.txt").write_text(ID)
    assert not read_sources([tmp_path / "u.txt"], opt_out=[tmp_path / "o.txt"]).videos


@pytest.mark.parametrize("text", ["ytsearch:colon", "ytsearch5:colon", f"https://example.org/?u=https://youtu.be/{ID}"])
def test_what_is_not_that_video(text):
    assert id_behind(text) is None


def test_an_opt_out_reaches_every_address_of_a_video(tmp_path):
    hosts = ("yewtu.be", "invidious.snopyta.org", "www.youtubekids.com", "tv.youtube.com", "www.hooktube.com")
    (tmp_path / "alias.txt").write_text("".join(f"https://{host}/watch?v={ID}\n" for host in hosts))
    (tmp_path / "out.txt").write_text(f"{ID}\n")
    report = read_sources([tmp_path / "alias.txt"], opt_out=[tmp_path / "out.txt"])
    assert not report.videos and len(report.opted_out) == 1 and len(report.duplicates) == 4
    (tmp_path / "out.txt").write_text(f"https://piped.video/watch?v={ID}\n")
    assert not read_sources([tmp_path / "alias.txt"], opt_out=[tmp_path / "out.txt"]).videos


def test_a_download_archive_is_a_list_and_an_opt_out(tmp_path):
    (tmp_path / "archive.txt").write_text(f"youtube {ID}\n")
    assert [v.id for v in read_sources([tmp_path / "archive.txt"]).videos] == [ID]
    (tmp_path / "u.txt").write_text(f"{ID}\nhttps://h.example/x.mp4\n")
    assert len(read_sources([tmp_path / "u.txt"], opt_out=[tmp_path / "archive.txt"]).videos) == 1


def test_the_link_of_a_search_site():
    url = f"http://cleanvideosearch.com/media/action/yt/watch?videoId={ID}"
    assert taken_by_yt_dlp(url) == id_behind(url) == ID
