"""What a site says a video is, before it is fetched, is held against opt-outs, purges and what is listed."""

import json
import urllib.parse

import pytest

from curate.manifests import write_manifest
from curate.manifests.resolved import names_of
from curate.records import Done, Dropped, Reason, Video

ID = "dQw4w9WgXcQ"


def page(server, name="x", video_id="4711", site="Vimeo", address=None):
    """A page that leads to a video which the site calls ``video_id``."""
    info = {"id": video_id, "extractor_key": site, "url": server.url("/clip.mp4"), "ext": "mp4"}
    info["webpage_url"] = address or f"https://video.example/{video_id}"
    return f"https://site.test/{name}?{urllib.parse.quote(json.dumps({'kind': 'info', 'info': info}))}"


@pytest.mark.parametrize(("listing", "words"), [("opt_out.txt", ID), ("purged.txt", f"https://youtu.be/{ID}")])
def test_a_page_that_leads_to_an_excluded_video_is_dropped_before_anything_is_fetched(bench, server, listing, words):
    (bench.folder.parent / listing).write_text(f"{words}\n")
    outcome = bench.get(page(server, video_id=ID, site="Youtube", address=f"https://www.youtube.com/watch?v={ID}"))
    assert isinstance(outcome, Dropped) and outcome.reason is Reason.OPTED_OUT
    assert not list(bench.folder.iterdir())


def test_an_id_of_any_site_and_the_address_of_its_page_are_held_against_opt_outs(bench, server):
    (bench.folder.parent / "opt_out.txt").write_text("4711\nhttps://video.example/4712\n")
    assert bench.get(page(server)).reason is Reason.OPTED_OUT
    assert bench.get(page(server, video_id="4712")).reason is Reason.OPTED_OUT
    assert isinstance(bench.get(page(server, video_id="4713")), Done)


def test_a_page_that_leads_to_a_listed_video_is_its_duplicate(bench, server):
    write_manifest(
        [Video(ID, f"https://www.youtube.com/watch?v={ID}"), Video("other", "https://video.example/1")],
        bench.folder.parent / "manifest.parquet",
    )
    outcome = bench.get(page(server, video_id=ID, site="Youtube"))
    assert isinstance(outcome, Dropped) and outcome.reason is Reason.DUPLICATE and ID in outcome.detail
    assert bench.get(page(server, video_id="1")).reason is Reason.DUPLICATE


def test_two_pages_that_lead_to_one_video_give_it_once(bench, server):
    assert isinstance(bench.get(page(server, "a", video_id=ID, site="Youtube"), id="a"), Done)
    again = bench.get(page(server, "b", video_id=ID, site="Youtube"), id="b")
    assert again.reason is Reason.DUPLICATE and "same video as a" in again.detail
    assert isinstance(bench.get(page(server, "a", video_id=ID, site="Youtube"), id="a"), Done)


def test_what_a_site_says_may_be_anything():
    for info in (
        {},
        {"id": 5},
        {"id": None, "webpage_url": 7},
        {"id": "x" * 10_000, "webpage_url": "file:///etc/passwd"},
    ):
        assert names_of(info).youtube == ""
