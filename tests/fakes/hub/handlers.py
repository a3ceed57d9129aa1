"""The two origins of the loopback Hub: the Hub itself, and the storage that it redirects to."""

from __future__ import annotations

import http.server
import json
import re
import socket
import struct
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.fakes.hub.faults import API, CDN, HEAD, RESOLVE, Fault
from tests.fakes.hub.repositories import FakeFile, FakeRepo, tree_entry

if TYPE_CHECKING:
    from tests.fakes.hub.loopback import LoggedRequest, LoopbackHub

_PIECE = 64 << 10
_MODEL = re.compile(r"^/api/models/([^/]+/[^/]+)(?:/(.*))?$")
_FILE = re.compile(r"^/([^/]+/[^/]+)/resolve/([^/]+)/(.+)$")
_PORTAL = b"<!DOCTYPE html><title>Sign in</title>" + b"<p>Welcome to our hotel</p>" * 40


class Handler(http.server.BaseHTTPRequestHandler):
    """What both origins share: the log, faults, and bodies piece by piece."""

    protocol_version = "HTTP/1.1"
    hub: LoopbackHub
    origin = ""
    entry: LoggedRequest
    _is_chunked = False

    def log_message(self, format: str, *arguments: Any) -> None:
        """Requests are logged by `LoopbackHub.requests`."""

    def setup(self) -> None:
        super().setup()
        self.hub.connections.add(self.connection)

    def finish(self) -> None:
        self.hub.connections.discard(self.connection)
        super().finish()

    def do_GET(self) -> None:
        self._handle()

    def do_HEAD(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def _handle(self) -> None:
        self.entry = self.hub.log(self.origin, self.command, self.path, dict(self.headers.items()))
        try:
            if self.hub.latency_seconds:
                self.hub.stopping.wait(self.hub.latency_seconds)
            self.respond(urlsplit(self.path))
        except OSError:
            self.entry.client_gone = True
            self.close_connection = True

    def respond(self, url: Any) -> None:
        raise NotImplementedError

    def send(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.entry.status = status
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD" and body:
            self.wfile.write(body)

    def send_json(self, value: Any, headers: dict[str, str] | None = None) -> None:
        self.send(200, {"Content-Type": "application/json", **(headers or {})}, _json(value))

    def send_fault(self, faults: dict[str, Fault]) -> bool:
        """Answer with a fault that replaces the whole answer; False where there is none."""
        if status := faults.get("status"):
            self.send(status.status, status.headers, b"{}")
        elif "html" in faults:
            self.send(200, {"Content-Type": "text/html"}, _PORTAL)
        elif "flood" in faults:
            names = {f"X-Flood-{number}": "x" * 100 for number in range(500)}
            self.send(200, names, b"")
        elif "slow_head" in faults:
            self._send_head_slowly()
        elif (raw := faults.get("raw")) and raw.answer is not None:
            self.close_connection = True
            raw.answer(self)
        elif "garbage" in faults:
            self.entry.status = 0
            self.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
            self.close_connection = True
        elif (hang := faults.get("hang")) and not hang.after_bytes:
            self.hub.stopping.wait(60)
            self.close_connection = True
        else:
            return False
        return True

    def _send_head_slowly(self) -> None:
        self.entry.status = 200
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.hub.stopping.wait(0.05):
            self.wfile.write(b"x")

    def send_file(self, file: FakeFile, faults: dict[str, Fault], headers: dict[str, str]) -> None:
        """The file, or the range asked for."""
        size = file.size
        start, end = 0, size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        self.entry.range_start = int(asked[1]) if asked else None
        is_partial = asked is not None and "ignore_range" not in faults
        if is_partial and asked:
            start = int(asked[1])
            end = min(size, int(asked[2]) + 1) if asked[2] else size
            if start >= size:
                self.send(416, {"Content-Range": f"bytes */{size}"})
                return
        if short := faults.get("short_range"):
            end = min(end, start + short.after_bytes) if is_partial else end
        length = (
            end
            - start
            + sum(faults[kind].after_bytes for kind in ("length", "extra") if kind in faults)
        )
        self.entry.status = 206 if is_partial else 200
        self.send_response(self.entry.status)
        if is_partial:
            shift = 1 if "wrong_range" in faults else 0
            last = end - 1 + (1000 if "long_range" in faults else 0)
            if "multipart" in faults:
                headers = {**headers, "Content-Type": "multipart/byteranges; boundary=x"}
            else:
                self.send_header("Content-Range", f"bytes {start + shift}-{last}/{size}")
        if "gzip" in faults:
            headers = {**headers, "Content-Encoding": "gzip"}
        if more := faults.get("headers"):
            headers = {**headers, **more.headers}
        if "two_lengths" in faults:
            self.send_header("Content-Length", str(length + 1))
        self._is_chunked = bool({"chunked", "bad_chunk"} & set(faults))
        if self._is_chunked:
            headers = {"Transfer-Encoding": "chunked", **headers}
        elif "no_length" in faults:
            headers = {"Connection": "close", **headers}
            self.close_connection = True
        else:
            headers = {"Content-Length": str(length), **headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self._send_pieces(file, start, end, faults)

    def _send_pieces(self, file: FakeFile, start: int, end: int, faults: dict[str, Fault]) -> None:
        stop = next((faults[kind] for kind in ("cut", "reset", "hang") if kind in faults), None)
        slow = faults.get("slow")
        rate = slow.bytes_per_second if slow else self.hub.bytes_per_second
        limit = min(end, start + stop.after_bytes) if stop else end
        offset = start
        while offset < limit:
            piece = min(_PIECE, limit - offset, max(1, rate // 20) if rate else _PIECE)
            data = self._read(file, offset, piece, faults)
            if self._is_chunked:
                bad = faults.get("bad_chunk")
                size = "zz" if bad and offset - start >= bad.after_bytes else f"{len(data):x}"
                self.wfile.write(f"{size}\r\n".encode() + data + b"\r\n")
            else:
                self.wfile.write(data)
            offset += len(data)
            self.entry.sent_bytes += len(data)
            if rate and self.hub.stopping.wait(len(data) / rate):
                break
        if self._is_chunked and offset >= end:
            self.wfile.write(b"0\r\n\r\n")
        if (extra := faults.get("extra")) and offset >= end:
            self.wfile.write(b"\0" * extra.after_bytes)
        if stop or "length" in faults or offset < end:
            self._stop_early(stop.kind if stop else "cut")

    def _read(self, file: FakeFile, offset: int, count: int, faults: dict[str, Fault]) -> bytes:
        data = file.read(offset, count)
        if "disguised" in faults:
            data = (_PORTAL * (len(data) // len(_PORTAL) + 1))[: len(data)]
        corrupt = faults.get("corrupt")
        if corrupt and offset <= corrupt.offset < offset + len(data):
            changed = bytearray(data)
            changed[corrupt.offset - offset] ^= 0x01
            data = bytes(changed)
        return data

    def _stop_early(self, kind: str) -> None:
        self.close_connection = True
        if kind == "hang":
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and not self.hub.stopping.wait(0.05):
                if self._client_left():
                    self.entry.client_gone = True
                    return
        elif kind == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)

    def _client_left(self) -> bool:
        self.connection.settimeout(0.01)
        try:
            return self.connection.recv(1, socket.MSG_PEEK) == b""
        except TimeoutError:
            return False
        except OSError:
            return True


class CdnHandler(Handler):
    """Serves bodies by their hash to whoever has a link that is still good."""

    origin = CDN

    def respond(self, url: Any) -> None:
        faults = self.hub.faults.take(CDN, url.path)
        if self.send_fault(faults):
            return
        link = parse_qs(url.query)
        if link.get("generation") != [str(self.hub.link_generation)]:
            self.send(403, {"Content-Type": "application/xml"}, b"<Error>expired</Error>")
            return
        file = self.hub.blob(url.path.rsplit("/", 1)[-1])
        if file is None:
            self.send(404, {})
            return
        self.send_file(file, faults, {"Content-Type": "application/octet-stream"})


class HubHandler(Handler):
    """The API, and /resolve with redirects of large files to the other origin."""

    origin = "hub"

    def respond(self, url: Any) -> None:
        path = unquote(url.path)
        is_file = _FILE.match(path)
        stage = (HEAD if self.command == "HEAD" else RESOLVE) if is_file else API
        faults = self.hub.faults.take(stage, path)
        if self.send_fault(faults):
            return
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in self.hub.tokens:
            self._error(401, "", "Invalid credentials in Authorization header")
        elif is_file:
            self._resolve(is_file[1], is_file[2], is_file[3], token, faults)
        elif path == "/api/models":
            self._list(parse_qs(url.query))
        elif path == "/api/whoami-v2":
            self.send_json({"name": "ada"}) if token else self._error(401, "", "Invalid user token")
        elif model := _MODEL.match(path):
            self._model(model[1], model[2] or "", token, parse_qs(url.query))
        else:
            self._error(404, "", "Not found")

    def _error(self, status: int, code: str, message: str) -> None:
        headers = {"X-Error-Message": message}
        if code:
            headers["X-Error-Code"] = code
        self.send(status, headers, _json({"error": message}))

    def _open(self, repo_id: str, token: str, *, files: bool) -> FakeRepo | None:
        """The repository if this token may see it; answers with the error where not."""
        repo = self.hub.repos.get(repo_id.casefold())
        if repo is None or (repo.private and token not in repo.access):
            self._error(404 if token else 401, "RepoNotFound", "Repository not found")
        elif repo.disabled:
            self._error(403, "", "Access to this resource is disabled.")
        elif files and repo.gated and token not in repo.access:
            self._error(403 if token else 401, "GatedRepo", "Access to model is restricted")
        else:
            return repo
        return None

    def _list(self, query: dict[str, list[str]]) -> None:
        words = query.get("search", [""])[0].casefold()
        filters = set(query.get("filter", ()))
        author = query.get("author", [""])[0].casefold()
        found = [
            repo
            for repo in self.hub.repos.values()
            if words in repo.id.casefold() and filters <= set(repo.tags()) and not repo.private
            if not author or repo.id.casefold().startswith(f"{author}/")
        ]
        found.sort(key=lambda repo: -repo.downloads)
        if query.get("sort") == ["createdAt"]:
            found.sort(key=lambda repo: repo.created or "", reverse=True)
        start = int(query.get("cursor", ["0"])[0])
        size = min(int(query.get("limit", ["1000"])[0]), self.hub.page_size)
        page = found[start : start + size]
        headers = {}
        if start + size < len(found):
            pairs = [
                f"{name}={quote(value)}"
                for name, values in query.items()
                if name != "cursor"
                for value in values
            ]
            following = f"{self.hub.endpoint}/api/models?{'&'.join(pairs)}&cursor={start + size}"
            headers["Link"] = f'<{following}>; rel="next"'
        hidden = () if "siblings" in query.get("expand", ()) else ("siblings", "cardData")
        rows = [repo.as_json(repo.head, blobs=False) for repo in page]
        self.send_json(
            [{key: value for key, value in row.items() if key not in hidden} for row in rows],
            headers,
        )

    def _model(self, repo_id: str, rest: str, token: str, query: dict[str, list[str]]) -> None:
        word, _, argument = rest.partition("/")
        repo = self._open(repo_id, token, files=word == "auth-check")
        if repo is None:
            return
        revision, _, inside = argument.partition("/")
        commit = repo.resolve(revision or "main")
        if commit is None:
            self._error(404, "RevisionNotFound", "Invalid rev id")
        elif word in ("", "revision"):
            self.send_json(repo.as_json(commit, blobs=query.get("blobs") == ["true"]))
        elif word == "tree":
            files = [f for p, f in sorted(repo.commits[commit].items()) if p.startswith(inside)]
            self.send_json([tree_entry(file) for file in files])
        elif word == "paths-info":
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            wanted = parse_qs(body.decode()).get("paths", [])
            listing = repo.commits[commit]
            self.send_json([tree_entry(listing[path]) for path in wanted if path in listing])
        elif word == "refs":
            branch = {"name": "main", "ref": "refs/heads/main", "targetCommit": repo.head}
            self.send_json({"branches": [branch], "tags": [], "converts": []})
        elif word == "auth-check":
            self.send_json({})
        else:
            self._error(404, "", "Not found")

    def _resolve(
        self, repo_id: str, revision: str, path: str, token: str, faults: dict[str, Fault]
    ) -> None:
        repo = self._open(repo_id, token, files=True)
        if repo is None:
            return
        commit = repo.resolve(revision)
        if commit is None:
            self._error(404, "RevisionNotFound", "Invalid rev id")
            return
        file = repo.commits[commit].get(path)
        if file is None:
            self._error(404, "EntryNotFound", "Entry not found")
            return
        headers = {"X-Repo-Commit": commit, "ETag": f'"{file.git_oid}"'}
        if "no_commit" in faults:
            del headers["X-Repo-Commit"]
        if not file.is_lfs:
            self.send_file(file, faults, headers)
            return
        headers["X-Linked-Etag"] = f'"{"0" * 64 if "etag" in faults else file.sha256}"'
        headers["X-Linked-Size"] = str(file.size + 1 if "size" in faults else file.size)
        headers["Location"] = self.hub.signed_link(file)
        if "xet" in faults:
            headers["X-Xet-Hash"] = file.sha256
            headers["Link"] = '<http://127.0.0.1:9/xet-read-token>; rel="xet-auth"'
        if more := faults.get("headers"):
            headers |= more.headers
        self.send(302, headers, b"Found. Redirecting")


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
