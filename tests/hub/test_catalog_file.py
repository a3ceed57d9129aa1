"""A catalog from an address: only where it changed, only from where it may come, never too much."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from openshelf.errors import NetworkFailure, Offline, RateLimited, UsageError
from openshelf.hub import catalog_file
from openshelf.hub.catalog_file import CatalogFile, check_address, fetch_catalog_file
from openshelf.network import EgressLog, NetworkOptions

OPTIONS = NetworkOptions(read_timeout_seconds=5.0, token="hf_secret")


class Server(http.server.ThreadingHTTPServer):
    """Answers with `status`, `headers` and `body`; remembers the headers it was sent."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.headers = {"ETag": '"v1"', "Last-Modified": "Tue, 24 Nov 2026 10:00:00 GMT"}
        self.body = b"{}"
        self.asked: list[dict[str, str]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/catalog.json"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing to print."""

    def do_GET(self) -> None:
        server = self.server
        server.asked.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(server.status)
        for name, value in {**server.headers, "Content-Length": str(len(server.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(server.body)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_file_comes_with_what_to_ask_with_the_next_time(server: Server) -> None:
    server.body = '{"name": "Ünïcode"}'.encode()
    egress = EgressLog()
    found = fetch_catalog_file(OPTIONS, server.address, None, egress)
    assert found == CatalogFile('{"name": "Ünïcode"}', '"v1"', "Tue, 24 Nov 2026 10:00:00 GMT")
    assert "if-none-match" not in server.asked[0]
    assert "authorization" not in server.asked[0], "a token is the Hub's alone"
    (entry,) = egress.entries()
    assert (entry.purpose, entry.received_bytes) == ("catalog", len(server.body))
    server.status, server.body = 304, b""
    assert fetch_catalog_file(OPTIONS, server.address, found) is None
    assert server.asked[1]["if-none-match"] == '"v1"'
    assert server.asked[1]["if-modified-since"] == "Tue, 24 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("status", "headers", "why"),
    [
        (304, {}, "http_304"),
        (301, {"Location": "http://192.0.2.1/"}, "http_301"),
        (404, {}, "http_404"),
        (500, {}, "http_500"),
        (200, {"Content-Type": "text/html"}, "not_a_hub"),
    ],
)
def test_anything_but_a_file_is_a_failure(
    server: Server, status: int, headers: dict[str, str], why: str
) -> None:
    server.status, server.headers = status, headers
    with pytest.raises(NetworkFailure) as failure:
        fetch_catalog_file(OPTIONS, server.address, None)
    assert failure.value.why == why
    assert len(server.asked) == 1


@pytest.mark.parametrize(("wait", "seconds"), [("77", 77.0), ("soon", 60.0), ("", 60.0)])
def test_who_asks_to_wait_says_how_long(server: Server, wait: str, seconds: float) -> None:
    server.status, server.headers = 429, {"Retry-After": wait}
    with pytest.raises(RateLimited) as failure:
        fetch_catalog_file(OPTIONS, server.address, None)
    assert failure.value.retry_after_seconds == seconds


def test_too_much_is_not_read(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_file, "MOST_BYTES", 1000)
    server.body = b"x" * 1000
    assert fetch_catalog_file(OPTIONS, server.address, None) is not None
    server.body = b"x" * 1001
    with pytest.raises(NetworkFailure, match="too_large"):
        fetch_catalog_file(OPTIONS, server.address, None)


def test_nobody_there_and_nobody_asked() -> None:
    with pytest.raises(NetworkFailure, match="refused"):
        fetch_catalog_file(OPTIONS, "http://127.0.0.1:9/c.json", None)
    with pytest.raises(Offline):
        fetch_catalog_file(NetworkOptions(offline=True), "https://models.example/c.json", None)


@pytest.mark.parametrize(
    "address",
    [
        "http://models.example/c.json", "ftp://models.example/c", "file:///etc/passwd", "https://",
        "https://ada:secret@models.example/c", "https://[", "catalog.json", "",
    ],
)  # fmt: skip
def test_only_https_and_this_machine(address: str) -> None:
    with pytest.raises(UsageError):
        check_address(address)


def test_addresses_that_are_good() -> None:
    for address in ("https://models.example/c.json", "http://localhost:8/c", "http://[::1]/c"):
        check_address(address)
