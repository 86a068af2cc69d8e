"""The pages in a browser, opened from disk: nothing is asked of a network, nothing is complained of."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from curate.records import Video
from curate.report.pages.write import write_pages
from curate.review.desk import Desk
from curate.review.server import ReviewServer
from curate.run.session import open_session
from tests.report.making import P, make_workspace
from tests.report.test_pages import HEBREW, HOSTILE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("needs Chromium or Chrome")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    videos = [
        Video("one", "https://example.org/1", title=HOSTILE, procedures=(HOSTILE, "repair"), channel=HOSTILE),
        Video("two", "https://example.org/2", title=HEBREW, procedures=("cholecystectomy",)),
        Video("three", "https://example.org/3", title="W" * 300),
        *(Video(f"more{i:03d}", f"https://example.org/more/{i}", title=f"more {i}") for i in range(60)),
    ]
    failed = [video.id for video in videos[2:]]
    root = make_workspace(tmp_path_factory.mktemp("report") / "w", videos, failed=failed)
    return write_pages(open_session(root)).index.parent


def opened(browser: Browser, report: Path, complaints: list[Any], **settings: Any) -> Page:
    """A page whose complaints, and whose requests for anything but the report, are kept."""
    page = browser.new_page(**settings)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on("request", lambda asked: asked.url.startswith(report.as_uri()) or complaints.append(asked.url))
    page.on("requestfailed", lambda asked: complaints.append(asked.url))
    return page


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_open_from_disk_without_a_word(browser: Browser, report: Path, width: int, scheme: str) -> None:
    complaints: list[Any] = []
    page = opened(browser, report, complaints, viewport={"width": width, "height": 800}, color_scheme=scheme)
    for name in (
        "index.html",
        "worst.html",
        "videos/one/index.html",
        "videos/two/index.html",
        "videos/three/index.html",
    ):
        page.goto((report / name).as_uri())
        assert page.title() != "taken"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than its window"
        shown = page.evaluate("[...document.images].filter((i) => i.complete && !i.naturalWidth).length")
        assert shown == 0, f"{name} has pictures that do not load"
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (dark == "rgb(16, 22, 29)") == (scheme == "dark")
    page.close()
    assert complaints == []


def test_the_list_is_searched_and_turned(browser: Browser, report: Path) -> None:
    complaints: list[Any] = []
    page = opened(browser, report, complaints)
    page.goto((report / "index.html").as_uri())
    rows = page.locator("#list tbody tr")
    assert rows.count() == 50 and page.inner_text("#count") == "63 videos"
    page.get_by_role("button", name="Next").click()
    assert rows.count() == 13
    page.get_by_label("Search").fill("CHOLE two")
    assert rows.count() == 1 and HEBREW in rows.inner_text()
    page.get_by_label("Search").fill("")
    page.get_by_role("link", name="private").click()
    assert page.inner_text("#count") == "61 of 63 videos"
    page.get_by_label("Outcome").select_option("done")
    assert page.inner_text("#count") == "0 of 63 videos"
    page.close()
    assert complaints == []


def test_the_timeline_is_read_with_the_keyboard(browser: Browser, report: Path) -> None:
    complaints: list[Any] = []
    page = opened(browser, report, complaints)
    page.goto((report / "videos" / "two" / "index.html").as_uri())
    line = page.get_by_role("slider")
    line.focus()
    for _ in range(14):
        page.keyboard.press("ArrowRight")
    said = page.inner_text("#readout")
    assert said.startswith("0:00:14 · surgical · p 0.30, smoothed 1.00") and said.endswith("kept · face")
    assert line.get_attribute("aria-valuetext") == said
    page.keyboard.press("End")
    assert page.inner_text("#readout").startswith(f"0:00:{len(P) - 1} · non-surgical") and page.url.endswith("html")
    page.keyboard.press("Enter")
    assert page.url.endswith(f"#n{len(P) - 1}")
    whole = page.locator("#frames > .frame:visible").count()
    page.get_by_role("button", name="uncertain").click()
    assert page.locator("#frames > .frame:visible").count() == 1 < whole
    page.close()
    assert complaints == []


def test_served_by_the_review_a_page_leads_to_it(browser: Browser, report: Path) -> None:
    desk = Desk(open_session(report.parent), "somebody")
    complaints: list[Any] = []
    with ReviewServer(desk, report) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        page = browser.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{server.url}report/videos/two/index.html")
        assert page.inner_text("#readout").startswith("0:00:00")
        page.get_by_role("link", name="Review this video").click()
        page.wait_for_url(f"{server.url}?video=two")
        page.wait_for_function("() => document.getElementById('video')?.value === 'two'")
        page.close()
        server.shutdown()
        thread.join()
    desk.close()
    assert complaints == []
