"""A real HTTP server on loopback that serves files and misbehaves when told to."""

from __future__ import annotations

import re
import threading
from collections import deque
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

TYPES = {"mp4": "video/mp4", "ts": "video/mp2t", "m3u8": "application/vnd.apple.mpegurl", "html": "text/html"}


@dataclass(frozen=True)
class Serve:
    """Answer as a good server does, with or without byte ranges."""

    ranges: bool = True


@dataclass(frozen=True)
class Status:
    """Answer with a status and no file."""

    code: int


@dataclass(frozen=True)
class Cut:
    """Announce the whole body, send some bytes of it, close the connection."""

    after: int
    ranges: bool = True


@dataclass(frozen=True)
class Stall:
    """Announce the whole body, send some bytes of it, then fall silent until the server stops."""

    after: int


@dataclass(frozen=True)
class Lie:
    """Send the first bytes as if they were the whole body."""

    length: int


Behaviour = Serve | Status | Cut | Stall | Lie


@dataclass
class Server:
    """Serves ``files`` (path to bytes); remembers each request as (path, value of Range)."""

    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    headers: list[Message] = field(default_factory=list)
    clients: list[str] = field(default_factory=list)
    _scripts: dict[str, tuple[deque[Behaviour], Behaviour]] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def behave(self, path: str, *first: Behaviour, then: Behaviour) -> None:
        """Answer the next requests for a path with ``first``, one each, and all others with ``then``."""
        self._scripts[path] = (deque(first), then)

    @property
    def cookies(self) -> list[str | None]:
        """The Cookie header of each request."""
        return [headers.get("Cookie") for headers in self.headers]

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._http.server_port}{path}"

    def __enter__(self) -> Server:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # headers and body in one packet, or the other side waits 40 ms to acknowledge

            def do_GET(self) -> None:
                owner.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Http(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass

        self._http = Http(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path, wanted = request.path, request.headers.get("Range")
        self.requests.append((path, wanted))
        self.headers.append(request.headers)
        self.clients.append(request.client_address[0])
        first, then = self._scripts.get(path, (deque[Behaviour](), Serve()))
        behaviour = first.popleft() if first else then
        if path not in self.files:
            behaviour = Status(404)
        if isinstance(behaviour, Status):
            request.send_response(behaviour.code)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        body, start = self.files[path], 0
        if isinstance(behaviour, Lie):
            body = body[: behaviour.length]
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "")
        if found and getattr(behaviour, "ranges", True):
            start = int(found[1])
            end = int(found[2]) + 1 if found[2] else len(body)
            if start >= len(body):
                request.send_response(416)
                request.send_header("Content-Length", "0")
                request.end_headers()
                return
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(body)}")
            body = body[start:end]
        else:
            request.send_response(200)
        request.send_header("Content-Type", TYPES.get(path.rpartition(".")[2], "application/octet-stream"))
        request.send_header("Content-Length", str(len(body)))
        request.send_header("Connection", "close")
        request.end_headers()
        request.close_connection = True
        try:
            if isinstance(behaviour, Cut | Stall):
                request.wfile.write(body[: behaviour.after])
                request.wfile.flush()
                if isinstance(behaviour, Stall):
                    self._stopped.wait()
            else:
                request.wfile.write(body)
        except OSError:
            pass
