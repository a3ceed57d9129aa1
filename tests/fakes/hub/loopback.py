"""A Hub on two loopback ports for the real huggingface_hub: API and storage, with faults."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.fakes.hub.faults import CDN, Faults
from tests.fakes.hub.handlers import CdnHandler, Handler, HubHandler
from tests.fakes.hub.repositories import FakeFile, FakeRepo, repo_of_folder

__all__ = ["LoggedRequest", "LoopbackHub"]


@dataclass
class LoggedRequest:
    """One request, and what became of it. `sent_bytes` counts bytes of files."""

    origin: str
    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    status: int = 0
    sent_bytes: int = 0
    range_start: int | None = None
    client_gone: bool = False

    def header(self, name: str) -> str | None:
        return next((v for n, v in self.headers.items() if n.lower() == name.lower()), None)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle of its request is nothing to print."""


class LoopbackHub:
    """Use it as a context manager; `endpoint` goes into HF_ENDPOINT.

    Repositories come from `folder` (`owner/name/…`, index.json for their facts) or `add_repo`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.repos: dict[str, FakeRepo] = {}
        self.faults = Faults()
        self.tokens: set[str] = set()
        self.requests: list[LoggedRequest] = []
        self.page_size = 1000
        self.link_generation = 1
        self.bytes_per_second = 0
        """Speed of all bodies; 0 for as fast as it goes."""
        self.latency_seconds = 0.0
        """How long every answer of the Hub takes to begin."""
        self.stopping = threading.Event()
        self.connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._hub, self._cdn = self._server(HubHandler), self._server(CdnHandler)
        self._threads: list[threading.Thread] = []
        if folder is not None:
            for repo in sorted(folder.glob("*/*")):
                if repo.is_dir():
                    self.add(repo_of_folder(repo, repo.relative_to(folder).as_posix()))

    def _server(self, handler: type[Handler]) -> _Server:
        return _Server(("127.0.0.1", 0), type(handler.__name__, (handler,), {"hub": self}))

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._hub.server_address[1]}"

    @property
    def cdn_endpoint(self) -> str:
        return f"http://127.0.0.1:{self._cdn.server_address[1]}"

    def __enter__(self) -> Self:
        for server in (self._hub, self._cdn):
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *error: object) -> None:
        self.stopping.set()
        for server in (self._hub, self._cdn):
            server.shutdown()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for server in (self._hub, self._cdn):
            server.server_close()
        for thread in self._threads:
            thread.join()

    def add(self, repo: FakeRepo) -> FakeRepo:
        self.repos[repo.id.casefold()] = repo
        return repo

    def add_repo(self, repo_id: str, files: Mapping[str, bytes | Path], **facts: Any) -> FakeRepo:
        """A repository with these files; `facts` are fields of FakeRepo (card, gated, …)."""
        repo = FakeRepo(repo_id, **facts)
        repo.commit(FakeFile(path, content) for path, content in files.items())
        return self.add(repo)

    def expire_links(self) -> None:
        """Every link that was handed out until now is refused by the storage."""
        self.link_generation += 1

    def signed_link(self, file: FakeFile) -> str:
        query = f"generation={self.link_generation}&Signature=secret"
        return f"{self.cdn_endpoint}/blobs/{file.sha256}?{query}"

    def blob(self, sha256: str) -> FakeFile | None:
        for repo in self.repos.values():
            for listing in repo.commits.values():
                for file in listing.values():
                    if file.sha256 == sha256:
                        return file
        return None

    def log(self, origin: str, method: str, path: str, headers: dict[str, str]) -> LoggedRequest:
        entry = LoggedRequest(origin, method, path, headers)
        with self._lock:
            self.requests.append(entry)
        return entry

    def bodies(self) -> list[LoggedRequest]:
        """The requests to the storage."""
        return [request for request in self.requests if request.origin == CDN]

    @property
    def sent_bytes(self) -> int:
        """Bytes of bodies that left the storage until now."""
        return sum(request.sent_bytes for request in self.bodies())
