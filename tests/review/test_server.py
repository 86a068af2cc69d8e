"""The server of a review: who it answers, what it serves, and that it reaches nothing else."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import simplejpeg

from curate.review.desk import Desk
from curate.review.server import ReviewServer
from curate.run.session import open_session
from curate.verdicts.journal import read_journal


@pytest.fixture
def server(workspace: Path) -> Iterator[ReviewServer]:
    report = workspace / "report"
    report.mkdir()
    (report / "videos" / "alpha").mkdir(parents=True)
    for page in (report / "index.html", report / "videos" / "alpha" / "index.html"):
        page.write_text('<main id="main"><p>the report</p></main>')
    (report / "notes.txt").write_text("no page")
    (report / "out.html").symlink_to(workspace / "curate.toml")
    desk = Desk(open_session(workspace), "anna")
    with ReviewServer(desk, report) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield made
        made.shutdown()
        thread.join()
    desk.close()


class Answer:
    def __init__(self, server: ReviewServer, method: str, path: str, body: object = None, **headers: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, data, given)
        answer = connection.getresponse()
        self.status, self.headers, self.data = answer.status, answer.headers, answer.read()
        connection.close()

    @property
    def json(self) -> dict:
        return json.loads(self.data)


def own(server: ReviewServer) -> dict[str, str]:
    return {"Origin": f"http://127.0.0.1:{server.server_port}", "Content_Type": "application/json"}


DECISION = {"video": "alpha", "kind": "frame", "facts": {"at": 1000, "label": "uncertain"}}


def test_pages_pictures_and_decisions(server: ReviewServer, workspace: Path) -> None:
    base = f"/{server.token}/"
    page = Answer(server, "GET", base)
    assert page.status == 200 and b"<title>curate review</title>" in page.data
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Referrer-Policy"] == "no-referrer" and page.headers["Cache-Control"] == "no-store"
    for name in ("review.js", "review.css"):
        assert Answer(server, "GET", base + name).status == 200
    item = Answer(server, "GET", base + "api/queue?order=sample").json["frames"][0]
    picture = Answer(server, "GET", f"{base}picture?video={item['video']}&at={item['at']}")
    assert simplejpeg.decode_jpeg(picture.data).shape == (192, 320, 3)
    made = Answer(server, "POST", base + "api/decide", DECISION, **own(server))
    assert made.status == 200 and made.json["progress"]["kinds"]["frame"] == 1
    written = read_journal(workspace / "decisions").decisions
    assert [(d.video, d.at, d.label, d.who) for d in written] == [("alpha", 1.0, "uncertain", "anna")]
    assert written[0].model["verdict"] and len(written[0].model["sha256"]) >= 32
    assert Answer(server, "POST", base + "api/undo", {}, **own(server)).json["progress"]["decisions"] == 0
    assert [d.kind for d in read_journal(workspace / "decisions").decisions] == ["frame", "undo"]
    for name in ("report/", "report/index.html"):
        assert b'<a class="chip" href="../">' in Answer(server, "GET", base + name).data
    of_video = Answer(server, "GET", base + "report/videos/alpha/index.html").data
    assert b'href="../../../?video=alpha">Review this video</a>' in of_video and b"the report" in of_video
    assert Answer(server, "GET", base + "api/frame?video=alpha&at=0").json["report"] == "report/videos/alpha/index.html"
    assert "%" in Answer(server, "GET", base + "api/estimate").json["precision"]


def test_it_listens_on_the_loopback_only(server: ReviewServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    outside = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for address in (a for a in outside if not a.startswith("127.")):
        with pytest.raises(OSError):
            socket.create_connection((address, server.server_port), timeout=2)


def test_without_the_token_nothing_is_told(server: ReviewServer, workspace: Path) -> None:
    for path in ("/", "/api/state", "/wrong/", "/wrong/api/state", f"/{server.token[:-1]}/", f"/{server.token}", "//"):
        answer = Answer(server, "GET", path)
        assert answer.status == 403 and b"alpha" not in answer.data, path
    assert Answer(server, "POST", "/wrong/api/decide", DECISION, **own(server)).status == 403
    assert not read_journal(workspace / "decisions").decisions


def test_pages_of_others_cannot_decide(server: ReviewServer, workspace: Path) -> None:
    path = f"/{server.token}/api/decide"
    json_only = {"Content_Type": "application/json"}
    for origin in (
        "https://evil.example",
        "null",
        "",
        f"http://127.0.0.1:{server.server_port + 1}",
        f"https://127.0.0.1:{server.server_port}",
        f"http://127.0.0.1:{server.server_port}.evil.example",
    ):
        assert Answer(server, "POST", path, DECISION, **json_only, Origin=origin).status == 403, origin
        assert Answer(server, "GET", f"/{server.token}/api/state", Origin=origin).status == 403, origin
    assert Answer(server, "POST", path, DECISION, **json_only).status == 403, "no origin at all"
    simple = own(server) | {"Content_Type": "text/plain"}
    assert Answer(server, "POST", path, DECISION, **simple).status == 415, "what a form could send"
    assert not read_journal(workspace / "decisions").decisions


def test_a_name_that_was_turned_to_the_loopback_is_refused(server: ReviewServer) -> None:
    for host in ("evil.example", f"evil.example:{server.server_port}", "127.0.0.1", f"127.0.0.2:{server.server_port}"):
        assert Answer(server, "GET", f"/{server.token}/", Host=host).status == 403, host
    assert Answer(server, "GET", f"/{server.token}/", Host=f"localhost:{server.server_port}").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "report/../curate.toml",
        "report/%2e%2e/curate.toml",
        "report/..%2fcurate.toml",
        "report/%2Fetc%2Fpasswd",
        "report//etc/passwd",
        "report/out.html",
        "report/notes.txt",
        "report/index.html%00.jpg",
        "../curate.toml",
        "review.html",
        "page/review.js",
        "picture?video=../../etc&at=0",
        "picture?video=alpha&at=-1",
        "picture?video=alpha&at=999999999999999999999",
        "picture?video=alpha&at=500",
        "api/frame?video=%00&at=0",
        "api/queue?order=video&video=nobody",
        "api/queue?order=everything",
        "decisions/anna.jsonl",
    ],
)
def test_nothing_else_is_reached(server: ReviewServer, path: str) -> None:
    answer = Answer(server, "GET", f"/{server.token}/{path}")
    assert answer.status in (404, 409), path
    assert b"workspace_version" not in answer.data and b"root:" not in answer.data
    assert set(answer.json) == {"error"}


def test_nonsense_is_answered_and_costs_nothing(server: ReviewServer, workspace: Path) -> None:
    path = f"/{server.token}/api/decide"
    for body, status in (
        (b"no json", 400),
        (b"[]", 400),
        (b'{"a":' * 3500, 400),
        (b"x" * 30_000, 413),
        (b'{"video": "alpha", "kind": "frame", "facts": []}', 409),
        (b'{"video": {"a": 1}, "kind": "frame"}', 409),
        (b'{"video": "alpha", "kind": ["frame"]}', 409),
        (b'{"video": "alpha", "kind": "frame", "facts": {"at": 1000, "label": "surgical", "time": 1}}', 409),
    ):
        assert Answer(server, "POST", path, body, **own(server)).status == status, body[:40]
    with socket.create_connection(("127.0.0.1", server.server_port)) as raw:
        raw.sendall(b"NONSENSE\r\n\r\n")
        raw.recv(100)
    assert not read_journal(workspace / "decisions").decisions
    assert Answer(server, "GET", f"/{server.token}/api/state").status == 200
