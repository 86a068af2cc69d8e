"""The pages of a review, for one person on this machine.

The server listens on the loopback address only. Whoever asks must know the token, which stands in the address that is
printed and changes with every start. Web pages that the same browser shows cannot reach it: the name that they ask for
(``Host``) must be the loopback's, so that a name that was turned to it is refused, and what changes anything must come
from a page of this server (``Origin``) and be JSON. Nothing is read but the tables of the workspace, by ids that its
manifest lists, three files of this package, and the pages that ``curate report`` left in the workspace.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from curate.files.bounded import parse_json, read_bounded
from curate.files.text import printable
from curate.records import VIDEO_ID
from curate.review.desk import KINDS_OF_BOXES, Desk, Refused
from curate.version import __version__

ADDRESS = "127.0.0.1"

_LARGEST_BODY = 20_000
_LARGEST_PAGE = 100_000_000
_SILENCE = 30.0
"""Seconds after which a connection that sends nothing is closed."""

_ASSETS = {
    "": ("review.html", "text/html; charset=utf-8"),
    "review.js": ("review.js", "text/javascript; charset=utf-8"),
    "review.css": ("review.css", "text/css; charset=utf-8"),
}
_REPORT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
    ".png": "image/png",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_MAIN = b'<main id="main">'
"""Where a page of the report begins, and the button that leads to the review goes."""

_REPORT_POLICY = _POLICY.replace("-src 'self'", "-src 'self' 'unsafe-inline'").replace(
    "connect-src 'self' 'unsafe-inline'", "connect-src 'none'"
)
"""Pages of a report may have scripts and styles inside; they can ask for nothing, so that they decide nothing."""

log = logging.getLogger(__name__)


class ReviewServer(ThreadingHTTPServer):
    """Serves a review until `shutdown`.

    Attributes:
        url: Where the pages are, token included.

    Args:
        desk: The review.
        report: Folder with the pages of ``curate report``; need not exist.
        port: Of the loopback address; 0 takes a free one.

    Raises:
        OSError: The port is taken.
    """

    daemon_threads = True

    def __init__(self, desk: Desk, report: Path, port: int = 0) -> None:
        self.desk = desk
        self.report = report
        self.token = secrets.token_urlsafe(24)
        super().__init__((ADDRESS, port), _Handler)
        self.names = frozenset(f"{name}:{self.server_port}" for name in (ADDRESS, "localhost"))

    @property
    def url(self) -> str:
        """Where the pages are, token included."""
        return f"http://{ADDRESS}:{self.server_port}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is nobody's fault."""
        log.debug("a request ended early", exc_info=True)


class _Denied(Exception):
    """A request that is answered with a status and nothing else."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer
    server_version = f"curate/{__version__}"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = _SILENCE

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, respond: Any) -> None:
        try:
            respond(self._asked())
        except _Denied as denied:
            self._json({"error": str(denied)}, denied.status, close=True)
        except Refused as refused:
            self._json({"error": printable(str(refused), 300)}, HTTPStatus.CONFLICT)
        except OSError as error:
            if not isinstance(error, ConnectionError | TimeoutError):
                self._json({"error": f"not written: {error.strerror}"}, HTTPStatus.INSUFFICIENT_STORAGE)

    def _asked(self) -> str:
        """The path behind the token, once host, origin and token are found right."""
        if self.headers.get("Host", "") not in self.server.names:
            raise _Denied(HTTPStatus.FORBIDDEN, "this server answers to its own name only")
        origin = self.headers.get("Origin")
        own = {f"http://{name}" for name in self.server.names}
        if (self.command == "POST" or origin is not None) and origin not in own:
            raise _Denied(HTTPStatus.FORBIDDEN, "asked from a page of another origin")
        token, slash, path = urlsplit(self.path).path.removeprefix("/").partition("/")
        if not slash or not hmac.compare_digest(token.encode(), self.server.token.encode()):
            raise _Denied(HTTPStatus.FORBIDDEN, "open the address that curate review printed")
        return path

    def _get(self, path: str) -> None:
        desk = self.server.desk
        given = {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if path in _ASSETS:
            name, kind = _ASSETS[path]
            self._send(resources.files("curate.review").joinpath("page", name).read_bytes(), kind)
        elif path == "api/state":
            self._json({"progress": desk.progress(), "videos": desk.videos(), "kinds": KINDS_OF_BOXES})
        elif path == "api/queue":
            order = given.get("order", "next")
            if order not in ("next", "sample", "video"):
                raise Refused("no such order")
            self._json(desk.queue(order, given.get("video", "")))  # type: ignore[arg-type]
        elif path == "api/frame":
            found = desk.frame(given.get("video", ""), _number(given.get("at", "")))
            page = f"videos/{found['video']}/index.html"
            self._json({**found, "report": f"report/{page}" if (self.server.report / page).is_file() else ""})
        elif path == "api/estimate":
            figures = desk.estimate()
            self._json({"precision": str(figures.precision), "recall": str(figures.recall)})
        elif path == "picture":
            self._send(desk.picture(given.get("video", ""), _number(given.get("at", ""))), "image/jpeg")
        elif path.startswith("report/"):
            self._report(unquote(path.removeprefix("report/")))
        else:
            raise _Denied(HTTPStatus.NOT_FOUND, "there is nothing here")

    def _post(self, path: str) -> None:
        body = self._body()
        desk = self.server.desk
        if path == "api/decide":
            facts = body.get("facts", {})
            made = desk.decide(body.get("video", ""), body.get("kind", ""), facts if isinstance(facts, dict) else {})
        elif path == "api/undo":
            made = desk.undo()
        else:
            raise _Denied(HTTPStatus.NOT_FOUND, "there is nothing here")
        self._json({"decision": made, "progress": desk.progress()})

    def _body(self) -> dict[str, Any]:
        if self.headers.get_content_type() != "application/json":
            raise _Denied(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "decisions are JSON")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _LARGEST_BODY:
            raise _Denied(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too long for a decision")
        try:
            body = parse_json(self.rfile.read(int(length)))
        except ValueError as error:
            raise _Denied(HTTPStatus.BAD_REQUEST, f"the decision {error}") from error
        if not isinstance(body, dict):
            raise _Denied(HTTPStatus.BAD_REQUEST, "a decision is an object")
        return body

    def _report(self, name: str) -> None:
        """A file of the report, which may be a stranger's: inside of its folder, and no link out of it."""
        root = self.server.report.resolve()
        try:
            path = (root / (name or "index.html")).resolve()
            kind = _REPORT_TYPES.get(path.suffix.lower())
            if not path.is_relative_to(root) or kind is None:
                raise ValueError
            data = read_bounded(path, _LARGEST_PAGE)
        except (OSError, ValueError):
            raise _Denied(HTTPStatus.NOT_FOUND, "there is nothing here") from None
        if path.suffix.lower() == ".html":
            data = data.replace(_MAIN, _MAIN + _way_back(path.relative_to(root)), 1)
        self._send(data, kind, policy=_REPORT_POLICY)

    def _json(self, data: Any, status: HTTPStatus = HTTPStatus.OK, *, close: bool = False) -> None:
        self._send(json.dumps(data, allow_nan=False).encode(), "application/json", status, close=close)

    def _send(
        self,
        data: bytes,
        kind: str,
        status: HTTPStatus = HTTPStatus.OK,
        *,
        policy: str = _POLICY,
        close: bool = False,
    ) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(data))),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", policy),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
        ):
            self.send_header(name, value)
        if close:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: addresses hold the token."""


def _way_back(page: Path) -> bytes:
    """The button on a page of the report that leads to the review, of the page's video where it is one's."""
    up = "../" * len(page.parts)
    if len(page.parts) == 3 and page.parts[0] == "videos" and VIDEO_ID.fullmatch(page.parts[1]):
        return f'<p><a class="chip" href="{up}?video={page.parts[1]}">Review this video</a></p>'.encode()
    return f'<p><a class="chip" href="{up}">Review what is most likely wrong</a></p>'.encode()


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 12 else -1
