"""A stand-in of the Hugging Face hub on loopback: what its library asks of it to make, fill and read a data set."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

TOKEN = "hf_secretOfTheTests"

LARGE = 2000
"""Bytes from which a file goes to the store of large files."""


@dataclass
class Repository:
    """A data set: the files of its main branch, its commits, and who may read it."""

    private: bool
    files: dict[str, bytes] = field(default_factory=lambda: {".gitattributes": b"*.jpg filter=lfs\n"})
    large: set[str] = field(default_factory=set)
    commits: list[dict[str, bytes]] = field(default_factory=list)
    gated: str | bool = False

    @property
    def sha(self) -> str:
        digest = hashlib.sha1()
        for name, content in sorted(self.files.items()):
            digest.update(name.encode() + b"\0" + content)
        return digest.hexdigest()


@dataclass
class Hub:
    """What the stand-in holds.

    Attributes:
        repositories: By name.
        objects: Large files by SHA-256.
        puts: How often each was sent whole.
        inline: How often each small file was sent in a commit.
        reads: Paths that were fetched.
        log: Method and path of every request.
        hold: Large files that are taken in before the next ones wait; none wait if ``None``.
        waiting: Set when one waits.
        go: Set to let them fail.
        address: URL.
    """

    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    puts: Counter[str] = field(default_factory=Counter)
    inline: Counter[str] = field(default_factory=Counter)
    reads: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    hold: int | None = None
    waiting: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    address: str = ""


@contextlib.contextmanager
def serve() -> Iterator[Hub]:
    """Run a stand-in for the length of a ``with`` block."""
    hub = Hub()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self.route()

        do_HEAD = do_POST = do_PUT = do_GET

        def route(self) -> None:
            body = self.body()
            path = unquote(urlsplit(self.path).path).strip("/")
            hub.log.append(f"{self.command} /{path}")
            parts = path.split("/")
            if parts[0] == "lfs":
                self.put(parts[1], body)
                return
            name = "/".join(parts[1:3] if parts[0] == "datasets" else parts[2:4]).removesuffix(".git")
            repository = hub.repositories.get(name)
            known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            if path == "api/validate-yaml":
                self.json({"errors": [], "warnings": []})
            elif path == "api/repos/create":
                self.create(json.loads(body), known)
            elif repository is None or (repository.private and not known):
                self.send(401 if not known else 404, b"{}", {"X-Error-Code": "RepoNotFound"})
            elif repository.gated and not known:
                self.send(403, b"{}", {"X-Error-Code": "GatedRepo"})
            elif self.command in ("POST", "PUT") and not known:
                self.send(403, json.dumps({"error": "no right"}).encode())
            elif parts[0] == "datasets" and parts[3] == "info":
                self.batch(json.loads(body))
            elif parts[0] == "datasets":
                self.resolve(repository, "/".join(parts[5:]))
            else:
                self.api(repository, name, parts[4:], body)

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            pieces = []
            while size := int(self.rfile.readline(), 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)

        def create(self, asked: dict[str, object], known: bool) -> None:
            name = f"{asked['organization']}/{asked['name']}"
            if not known:
                self.send(401, b'{"error": "Invalid username or password."}')
            elif name in hub.repositories:
                self.send(409, json.dumps({"url": f"{hub.address}/datasets/{name}"}).encode())
            else:
                private = asked.get("private", asked.get("visibility") == "private")
                hub.repositories[name] = Repository(private is True)
                self.json({"url": f"{hub.address}/datasets/{name}", "name": name})

        def api(self, repository: Repository, name: str, rest: list[str], body: bytes) -> None:
            if rest[:1] == ["tree"]:
                self.json([self.entry(repository, path) for path in sorted(repository.files)])
            elif rest[:1] == ["preupload"]:
                files = json.loads(body)["files"]
                self.json({"files": [self.mode(repository, f["path"], f["size"]) for f in files]})
            elif rest[:1] == ["commit"]:
                self.commit(repository, name, body)
            elif rest[:1] == ["settings"]:
                repository.gated = json.loads(body).get("gated", repository.gated)
                self.json({})
            elif rest[:1] in ([], ["revision"]) and (not rest or rest[1] in ("main", repository.sha)):
                siblings = [{"rfilename": path} for path in repository.files]
                access = {"private": repository.private, "gated": repository.gated}
                told = {"_id": "0", "id": name, "sha": repository.sha, "siblings": siblings, "tags": [], **access}
                self.json({**told, "downloads": 0, "likes": 0})
            else:
                self.send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})

        def entry(self, repository: Repository, path: str) -> dict[str, object]:
            content = repository.files[path]
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            told: dict[str, object] = {"type": "file", "path": path, "size": len(content), "oid": blob}
            if path in repository.large:
                sha256 = hashlib.sha256(content).hexdigest()
                told |= {"oid": "0" * 40, "lfs": {"oid": sha256, "size": len(content), "pointerSize": 130}}
            return told

        def mode(self, repository: Repository, path: str, size: int) -> dict[str, object]:
            told: dict[str, object] = {"path": path, "shouldIgnore": False}
            told["uploadMode"] = "lfs" if size >= LARGE or path.endswith((".jpg", ".tar", ".parquet")) else "regular"
            return told

        def batch(self, asked: dict[str, list[dict[str, object]]]) -> None:
            objects = []
            for one in asked["objects"]:
                told = {"oid": one["oid"], "size": one["size"]}
                if one["oid"] not in hub.objects:
                    told["actions"] = {"upload": {"href": f"{hub.address}/lfs/{one['oid']}?X-Amz-Signature=secret"}}
                objects.append(told)
            self.json({"transfer": "basic", "objects": objects})

        def put(self, oid: str, body: bytes) -> None:
            with hub.lock:
                held = hub.hold is not None and len(hub.objects) >= hub.hold
                if not held:
                    assert hashlib.sha256(body).hexdigest() == oid
                    hub.objects[oid] = body
                    hub.puts[oid] += 1
            if held:
                hub.waiting.set()
                hub.go.wait(60)
                self.close_connection = True
                return
            self.send(200, b"")

        def commit(self, repository: Repository, name: str, body: bytes) -> None:
            files, large = dict(repository.files), set(repository.large)
            for line in body.splitlines():
                item = json.loads(line)
                value = item["value"]
                if item["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                    large.discard(value["path"])
                    hub.inline[value["path"]] += 1
                elif item["key"] == "lfsFile":
                    files[value["path"]] = hub.objects[value["oid"]]
                    large.add(value["path"])
                elif item["key"] == "deletedFile":
                    del files[value["path"]]
                    large.discard(value["path"])
            repository.files, repository.large = files, large
            repository.commits.append(dict(files))
            address = f"{hub.address}/datasets/{name}/commit/{repository.sha}"
            self.json({"commitUrl": address, "commitOid": repository.sha, "success": True, "hookOutput": ""})

        def resolve(self, repository: Repository, path: str) -> None:
            content = repository.files.get(path)
            if content is None:
                self.send(404, b"", {"X-Error-Code": "EntryNotFound"})
                return
            if self.command == "GET":
                hub.reads.append(path)
            etag = hashlib.sha256(content).hexdigest()
            self.send(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": repository.sha})

        def json(self, data: object) -> None:
            self.send(200, json.dumps(data).encode(), {"Content-Type": "application/json"})

        def send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        hub.go.set()
        server.shutdown()
        server.server_close()
