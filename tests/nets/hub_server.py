"""A hub endpoint on loopback: as much of the Hugging Face hub's HTTP interface as fetching a repository needs."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit


@dataclass
class Hub:
    """What the endpoint serves.

    Attributes:
        repositories: File contents by path, by repository name.
        gated: Repositories that ask for a token.
        requests: Method and path of every request.
        address: URL of the endpoint.
    """

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    address: str = ""

    def commit(self, repository: str) -> str:
        digest = hashlib.sha1()
        for name, content in sorted(self.repositories[repository].items()):
            digest.update(name.encode() + b"\0" + content)
        return digest.hexdigest()


@contextlib.contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Run the endpoint for the length of a ``with`` block."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.requests.append(f"{self.command} {path}")
            parts = path.strip("/").split("/")
            if parts[:2] == ["api", "models"]:
                self._api("/".join(parts[2:4]), parts[4:], body)
            elif "resolve" in parts:
                self._file("/".join(parts[:2]), "/".join(parts[4:]), body)
            else:
                self._send(404, b"", body)

        def _api(self, repository: str, rest: list[str], body: bool) -> None:
            if not self._may(repository, body):
                return
            files, commit = hub.repositories[repository], hub.commit(repository)
            if rest[:1] == ["revision"] and rest[1] not in ("main", commit):
                self._send(404, b"{}", body, {"X-Error-Code": "RevisionNotFound"})
            elif rest[:1] == ["tree"]:
                listed = [
                    {
                        "type": "file",
                        "path": name,
                        "size": len(content),
                        "oid": hashlib.sha1(content).hexdigest(),
                    }
                    for name, content in files.items()
                ]
                self._json(listed, body)
            else:
                info = {"_id": "0", "id": repository, "modelId": repository, "sha": commit, "private": False}
                info |= {"tags": [], "downloads": 0, "likes": 0, "siblings": [{"rfilename": name} for name in files]}
                self._json(info, body)

        def _file(self, repository: str, name: str, body: bool) -> None:
            if not self._may(repository, body):
                return
            content = hub.repositories[repository].get(name)
            if content is None:
                self._send(404, b"", body, {"X-Error-Code": "EntryNotFound"})
                return
            etag = hashlib.sha1(content).hexdigest()
            self._send(200, content, body, {"ETag": f'"{etag}"', "X-Repo-Commit": hub.commit(repository)})

        def _may(self, repository: str, body: bool) -> bool:
            if repository not in hub.repositories:
                self._send(404, b"{}", body, {"X-Error-Code": "RepoNotFound"})
            elif repository in hub.gated:
                self._send(403, b"{}", body, {"X-Error-Code": "GatedRepo"})
            else:
                return True
            return False

        def _json(self, data: object, body: bool) -> None:
            self._send(200, json.dumps(data).encode(), body, {"Content-Type": "application/json"})

        def _send(self, status: int, content: bytes, body: bool, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
