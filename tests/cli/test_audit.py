"""The privacy audit as a user runs it: from rendered videos to exports, pages and purges."""

from __future__ import annotations

import csv
import html
import itertools
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import simplejpeg
from PIL import Image, ImageDraw, ImageFont

from curate.cli import run_command
from tests.rendered import _script

TITLE = "<script>document.title = 'run'</script> Gastrectomy & \"more\""
CAPTION = "Patient: Doe, Jane   DOB: 03/11/1964   MRN 00482913"
SECONDS = 8


def captioned(image: np.ndarray, text: str) -> np.ndarray:
    """The frame with a bar and a line of text at its lower edge."""
    shown = Image.fromarray(image)
    draw = ImageDraw.Draw(shown)
    draw.rectangle((0, 326, 640, 360), fill=(20, 20, 30))
    draw.text((16, 330), text, font=ImageFont.load_default(20), fill=(240, 240, 240))
    return np.asarray(shown)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two operations; the last half of ``named`` tells a patient, ``plain`` tells steps."""
    folder = tmp_path_factory.mktemp("audit")
    demo = _script("render_demo")
    for name, text in (("named", CAPTION), ("plain", "Step 3 of 8: clip the cystic artery")):
        surgery = demo.surgery(np.random.default_rng(7), SECONDS)
        half = SECONDS * demo.FPS // 2
        frames = (captioned(image, text) if i >= half else image for i, image in enumerate(surgery))
        demo.encode(folder / f"{name}.mp4", itertools.chain(demo.slide(["Title"], 1), frames))
    with open(folder / "list.csv", "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("id", "path", "title"))
        writer.writerows((name, folder / f"{name}.mp4", TITLE) for name in ("named", "plain"))
    workspace = folder / "w"
    assert run_command(["run", str(folder / "list.csv"), "-w", str(workspace), "--export-formats", "parquet"]) == 0
    return workspace


@pytest.fixture
def workspace(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy", symlinks=True))


def frames_of(workspace: Path) -> dict[tuple[str, int], dict]:
    rows = pq.read_table(workspace / "exports" / "parquet" / "data").to_pylist()
    return {(row["video_id"], row["n"]): row for row in rows}


def found_in(workspace: Path) -> set[int]:
    return set(pq.read_table(workspace / "audit" / "named.parquet").column("n").to_pylist())


def test_what_the_caption_tells_is_found_from_its_first_second_on(finished: Path) -> None:
    rows = pq.read_table(finished / "audit" / "named.parquet").to_pylist()
    found = {(row["kind"], row["pattern"]) for row in rows}
    assert {("name", "Aaaaaaa: Aaa, Aaaa"), ("date", "AAA: 99/99/9999"), ("identifier", "AAA 99999999")} <= found
    assert {row["n"] for row in rows} == set(range(5, 9))
    assert pq.read_table(finished / "audit" / "plain.parquet").num_rows == 0


def test_status_counts_the_frames(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["status", "-w", str(finished), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)["stages"]["audit"]["figures"]
    assert figures["frames_with_findings"] == figures["frames_with_names"] == figures["frames_with_dates"] == 4
    assert figures["frames_with_faces"] == 0 and figures["frames"] >= 14


def test_the_export_paints_it_and_drop_leaves_it_out(workspace: Path) -> None:
    masked = frames_of(workspace)
    for n in found_in(workspace):
        picture = simplejpeg.decode_jpeg(masked["named", n]["image"]["bytes"])
        assert picture[334:350, 20:400].max() < 40
    assert "Something was found on 4 of them." in (workspace / "exports" / "parquet" / "README.md").read_text()
    assert run_command(["export", "-w", str(workspace), "--formats", "parquet", "--privacy", "drop"]) == 0
    dropped = frames_of(workspace)
    assert set(masked) - set(dropped) == {("named", n) for n in found_in(workspace)}
    account = json.loads((workspace / "exports" / "parquet" / "export.json").read_text())
    assert account["privacy"]["frames_left_out"] == 4 and account["options"]["privacy"] == "drop"


def test_switched_off_the_exports_say_so(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["run", "-w", str(workspace), "--no-audit-faces", "--no-audit-text"]) == 0
    assert "Not audited" in (workspace / "exports" / "parquet" / "README.md").read_text()
    capsys.readouterr()
    assert run_command(["audit", "-w", str(workspace)]) == 1
    assert "audit is switched off" in capsys.readouterr().err


class Page(HTMLParser):
    """What a page links to and shows."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def reported(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert run_command(["audit", "-w", str(workspace), "--report"]) == 0
    assert f"1 videos with findings, 4 pictures: {workspace}/report/audit/index.html" in capsys.readouterr().out
    return workspace


def test_the_pages_show_each_finding_escape_titles_and_load_nothing_from_elsewhere(reported: Path) -> None:
    folder = reported / "report" / "audit"
    index, page = Page(folder / "index.html"), Page(folder / "named" / "index.html")
    assert index.links == ["named/index.html"]
    pictures = [link for link in page.links if link.endswith(".jpg")]
    assert pictures == [f"{n:06d}.jpg" for n in sorted(found_in(reported))]
    for link in pictures:
        assert simplejpeg.decode_jpeg((folder / "named" / link).read_bytes()).shape == (360, 640, 3)
    for shown in (index, page):
        assert TITLE in shown.text
        assert not {"script", "link", "iframe", "object"} & set(shown.tags)
        assert not [link for link in shown.links if "//" in link]
    assert "AAA: 99/99/9999" in page.text and "Jane" not in page.text


def test_the_report_family_writes_the_same_pages(reported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in (reported / "report").rglob("*") if path.is_file()}
    assert run_command(["report", "audit", "-w", str(reported)]) == 0
    assert f"1 videos with findings, 4 pictures: {reported}/report/audit/index.html" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in (reported / "report").rglob("*") if path.is_file()} == before


def test_a_browser_shows_the_pictures_and_runs_no_script(reported: Path, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium")
    page = reported / "report" / "audit" / "named" / "index.html"
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    shot = tmp_path / "page.png"
    command += [f"--screenshot={shot}", "--window-size=1200,900", "--virtual-time-budget=10000", page.as_uri()]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    with Image.open(shot) as image:
        shown = np.asarray(image.convert("RGB")).astype(int)
    reddish = (shown[..., 0] - shown[..., 2] > 60).mean()
    assert reddish > 0.05, "the page shows no picture of surgery"
    dumped = subprocess.run([*command[:5], "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120)
    title = re.search("<title>(.*?)</title>", dumped.stdout)
    assert title is not None and html.unescape(title[1]) == "Privacy audit of named"


def test_a_second_report_takes_the_place_of_the_first(reported: Path) -> None:
    stale = reported / "report" / "audit" / "named" / "999999.jpg"
    stale.write_bytes(b"old")
    assert run_command(["audit", "-w", str(reported), "--report"]) == 0
    assert not stale.exists()


def test_a_purged_video_leaves_no_rows_and_no_pictures(reported: Path) -> None:
    assert run_command(["purge", "-w", str(reported), "--id", "named", "--yes"]) in (0, 2)
    assert not (reported / "audit" / "named.parquet").exists()
    assert not (reported / "report" / "audit" / "named").exists()
    assert not [p for p in (reported / "report").rglob("*.html") if "named" in p.read_text()]
    assert {video for video, _ in frames_of(reported)} == {"plain"}


def test_a_report_without_an_audit_is_a_named_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "list.csv").write_text("id,path\nv,missing.mp4\n")
    workspace = str(tmp_path / "w")
    run_command(["run", str(tmp_path / "list.csv"), "-w", workspace, "--until", "download"])
    capsys.readouterr()
    assert run_command(["audit", "-w", workspace, "--report"]) == 1
    assert "was audited yet" in capsys.readouterr().err
