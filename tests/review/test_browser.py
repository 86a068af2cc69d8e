"""A review by keyboard in a real browser, killed in the middle and gone on with."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from curate.verdicts.journal import read_journal

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@contextlib.contextmanager
def serving(workspace: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    start = "from curate.cli import main; main()"
    command = [sys.executable, "-c", start, "review", "-w", str(workspace), "--as", "anna"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().removeprefix("review: ").strip()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(120)
        process.stdout.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with playwright.sync_playwright() as started:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        made = started.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield made
        made.close()


class Reviewer:
    """A page under watch: no error, and no request that leaves the server."""

    def __init__(self, browser: object, url: str, width: int = 1280, scheme: str = "light") -> None:
        self.errors: list[str] = []
        base = url.partition("?")[0]
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page.set_default_timeout(120_000)
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda r: None if r.url.startswith((base, "data:")) else self.errors.append(r.url))
        self.page.goto(url)
        self.wait()

    def wait(self, other_than: str = "") -> str:
        """The frame that is shown, once it is another one."""
        self.page.wait_for_function(
            "before => document.body.dataset.frame && document.body.dataset.frame !== before", arg=other_than
        )
        return self.page.evaluate("document.body.dataset.frame")

    def press_at_once(self, keys: list[str]) -> None:
        """All in one moment, before the server can answer the first."""
        self.page.evaluate(
            "keys => keys.forEach(key => document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true })))",
            keys,
        )

    def decided(self) -> int:
        return int(self.page.evaluate("document.getElementById('progress').dataset.frames"))


def decisions(workspace: Path) -> list:
    return [d for d in read_journal(workspace / "decisions").decisions if d.kind == "frame"]


def test_fifty_frames_by_keyboard_with_a_kill_in_the_middle(browser: object, workspace: Path) -> None:
    keys = "afuaf"
    seen: list[str] = []
    with serving(workspace) as (process, url):
        reviewer = Reviewer(browser, url)
        for i in range(25):
            shown = reviewer.wait(seen[-1] if seen else "")
            seen.append(shown)
            reviewer.page.keyboard.press(keys[i % 5])
            reviewer.wait(shown)
            written = decisions(workspace)
            assert len(written) == i + 1, "on disk before the next frame is shown"
            assert f"{written[-1].video}@{round(written[-1].at * 1000)}" == shown
            turned = {"surgical": "non-surgical", "non-surgical": "surgical"}
            said = written[-1].model["verdict"]
            assert written[-1].label == {"a": said, "f": turned.get(said), "u": "uncertain"}[keys[i % 5]]
        assert not reviewer.errors
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        reviewer.page.keyboard.press("a")
        reviewer.page.wait_for_function("() => document.getElementById('message').className === 'wrong'")
        reviewer.page.close()
    with serving(workspace) as (_, url):
        reviewer = Reviewer(browser, url)
        assert reviewer.decided() == 25, "nothing is lost"
        for i in range(25):
            shown = reviewer.wait("" if i == 0 else seen[-1])
            assert shown not in seen, "nothing is asked twice"
            seen.append(shown)
            reviewer.page.keyboard.press("f")
            reviewer.wait(shown)
        assert len(decisions(workspace)) == 50
        reviewer.page.keyboard.press("z")
        reviewer.page.wait_for_function("() => document.getElementById('progress').dataset.frames === '49'")
        assert len(read_journal(workspace / "decisions").standing()) == 49
        assert not reviewer.errors
        reviewer.page.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_trims_boxes_and_videos_by_key(
    browser: object, workspace: Path, tmp_path: Path, width: int, scheme: str
) -> None:
    with serving(workspace) as (_, url):
        reviewer = Reviewer(browser, f"{url}?video=delta", width, scheme)
        page = reviewer.page
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing sticks out"
        for key in ("]", "}", "b", "ArrowRight", "Shift+ArrowDown", "Enter", "Tab", "m", "ArrowDown", "Enter"):
            page.keyboard.press(key)
        page.wait_for_function("() => document.getElementById('progress').textContent.includes('2 boxes')")
        for key in ("Tab", "x", "D"):
            page.keyboard.press(key)
        page.wait_for_function("() => document.getElementById('progress').textContent.includes('1 videos')")
        said = [(d.kind, d.action) for d in read_journal(workspace / "decisions").decisions]
        assert said == [
            ("trim", ""),
            ("trim", ""),
            ("box", "add"),
            ("box", "move"),
            ("box", "delete"),
            ("video", "drop"),
        ]
        page.screenshot(path=tmp_path / "review.png")
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, background[4:-1].split(","))) < 200) == (scheme == "dark")
        assert not reviewer.errors
        page.close()


def test_keys_pressed_at_once_wait_for_their_turn(browser: object, workspace: Path) -> None:
    """None is lost, and none meets a frame that was not seen."""
    with serving(workspace) as (_, url):
        reviewer = Reviewer(browser, f"{url}?video=alpha")
        first = reviewer.wait()
        before = len(read_journal(workspace / "decisions").decisions)
        reviewer.press_at_once(["]", "]", "}", "b", "ArrowDown", "Enter", "u", "a", "x"])
        reviewer.wait(first)
        reviewer.page.wait_for_function(
            "() => document.getElementById('message').textContent.includes('press it again')"
        )
        made = read_journal(workspace / "decisions").decisions[before:]
        assert [(d.kind, d.action or d.label) for d in made] == [
            ("trim", ""),
            ("trim", ""),
            ("trim", ""),
            ("box", "add"),
            ("frame", "uncertain"),
        ]
        assert made[1].start == made[0].start + 1, "the second starts from where the first ended"
        assert not reviewer.errors
        reviewer.page.close()


def test_what_waits_behind_a_failure_is_not_done(browser: object, workspace: Path) -> None:
    with serving(workspace) as (_, url):
        reviewer = Reviewer(browser, f"{url}?video=alpha")
        before = len(read_journal(workspace / "decisions").decisions)
        refused: list[str] = []

        def refuse(route: object) -> None:
            refused.append(route.request.post_data)
            route.fulfill(status=507, json={"error": "not written: No space left on device"})

        reviewer.page.route("**/api/decide", refuse)
        reviewer.press_at_once(["D", "a", "O"])
        reviewer.page.wait_for_function("() => document.getElementById('message').textContent.includes('No space')")
        reviewer.page.unroute("**/api/decide")
        reviewer.page.keyboard.press("]")
        reviewer.page.wait_for_function("() => document.getElementById('message').textContent.includes('alpha')")
        assert len(refused) == 1
        made = read_journal(workspace / "decisions").decisions[before:]
        assert [d.kind for d in made] == ["trim"]
        reviewer.page.close()
