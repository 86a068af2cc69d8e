"""Curated videos and clips in a real browser."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from curate.config import ClipsOptions
from tests.exports.filming import film

PAGE = """<!doctype html><title>waiting</title><video muted></video><script>
const video = document.querySelector("video"), said = [];
const done = (word) => { document.title = [word, ...said].join(" "); };
video.addEventListener("error", () => done("error " + video.error.message));
video.addEventListener("canplay", () => said.push("canplay"), {once: true});
video.addEventListener("timeupdate", () => {
  if (video.currentTime > 0.5) done(`played ${video.videoWidth}x${video.videoHeight} ${video.duration}`);
});
video.src = "SOURCE";
video.play().catch((error) => done("refused " + error));
</script>"""


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("needs Chromium")
    return found


def play(chromium: str, path: Path) -> str:
    """What a page says of a video after playing half a second of it."""
    page = path.with_suffix(".html")
    page.write_text(PAGE.replace("SOURCE", path.name))
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={path.parent / 'profile'}"]
    command += ["--autoplay-policy=no-user-gesture-required", "--virtual-time-budget=20000", "--dump-dom"]
    shown = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120).stdout
    title = re.search("<title>(.*?)</title>", shown)
    return html.unescape(title[1]) if title else shown


@pytest.mark.parametrize("size", [(192, 128), (1280, 720)])
def test_a_browser_plays_a_curated_video_and_a_clip(tmp_path, export, chromium, size):
    entry = film(tmp_path / "in", "v", "nsssns", [(1, 4), (5, 6)], regions=[2], size=size, encoding={"frames": 150})
    export([entry], "video", "clips", clips=ClipsOptions(seconds=2.0, size=128))
    exports = tmp_path / "exports"
    assert play(chromium, exports / "video" / "train" / "v.mp4") == f"played {size[0]}x{size[1]} 5 canplay"
    width = round(size[0] * 128 / size[1]) // 2 * 2
    assert play(chromium, exports / "clips" / "train" / "unknown" / "v_0.mp4") == f"played {width}x128 2 canplay"


def test_the_page_tells_what_a_browser_cannot_play(tmp_path, chromium):
    (tmp_path / "torn.mp4").write_bytes(b"not a video")
    assert play(chromium, tmp_path / "torn.mp4").startswith(("error", "refused"))
