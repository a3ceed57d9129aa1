"""Downloads over TLS: what breaks off inside goes on, a wrong certificate is said at once, and
nobody leads from https to http.
"""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from openshelf.errors import NetworkFailure
from openshelf.hub import download
from openshelf.hub.body import BodyRequest, open_body, tls_failure
from openshelf.hub.client import FileLocation
from openshelf.hub.download import DownloadJob, Line, download_file
from openshelf.hub.entries import DownloadFile
from openshelf.hub.rate import RateLimit
from openshelf.network import EgressLog, NetworkOptions, open_pool
from tests.hub.downloading import PATH, REPO, Watch, some_bytes

x509 = pytest.importorskip("cryptography.x509")
SIZE = 400_000
Answer = Callable[["TlsServer", ssl.SSLSocket, int], None]


def write_certificate(folder: Path) -> tuple[Path, Path]:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


class TlsServer:
    """Answers each connection as the next of `answers` does; the last one stays."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.content = some_bytes(SIZE)
        self.answers: list[Answer] = [TlsServer.whole]
        self.starts: list[int] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        return f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        # Closing alone does not wake up an accept.
        with socket.create_connection(self._listener.getsockname()):
            self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
                if self._listener.fileno() < 0:
                    raw.close()
                    return
            except OSError:
                return
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            try:
                if answer is TlsServer.no_handshake:
                    raw.recv(100)
                    reset(raw)
                    continue
                with self._context.wrap_socket(raw, server_side=True) as connection:
                    answer(self, connection, self._read_request(connection))
            except OSError:
                raw.close()

    def _read_request(self, connection: ssl.SSLSocket) -> int:
        request = b""
        while b"\r\n\r\n" not in request:
            request += connection.recv(4096)
        start = 0
        if b"bytes=" in request:
            start = int(request.partition(b"bytes=")[2].partition(b"-")[0])
        self.starts.append(start)
        return start

    def head(self, start: int) -> bytes:
        status = "206 Partial Content" if start else "200 OK"
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {SIZE - start}"]
        if start:
            lines.append(f"Content-Range: bytes {start}-{SIZE - 1}/{SIZE}")
        return "\r\n".join([*lines, "", ""]).encode()

    def whole(self, connection: ssl.SSLSocket, start: int) -> None:
        connection.sendall(self.head(start) + self.content[start:])
        connection.unwrap()

    def half(self, connection: ssl.SSLSocket, start: int) -> None:
        connection.sendall(self.head(start) + self.content[start : SIZE // 2])

    def garbled(self, connection: ssl.SSLSocket, start: int) -> None:
        """A record whose bytes were changed on the way."""
        self.half(connection, start)
        raw = socket.socket(fileno=connection.detach())
        raw.sendall(b"\x17\x03\x03\x00\x40" + b"x" * 64)
        raw.shutdown(socket.SHUT_WR)
        raw.recv(4096)
        raw.close()

    def ended(self, connection: ssl.SSLSocket, start: int) -> None:
        """The connection ends without a word of TLS."""
        self.half(connection, start)
        raw = socket.socket(fileno=connection.detach())
        raw.close()

    def reset_inside(self, connection: ssl.SSLSocket, start: int) -> None:
        self.half(connection, start)
        reset(socket.socket(fileno=connection.detach()))

    def no_handshake(self, connection: ssl.SSLSocket, start: int) -> None:
        raise NotImplementedError("see _serve")

    def to_http(self, connection: ssl.SSLSocket, start: int) -> None:
        connection.sendall(
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/x\r\nContent-Length: 0\r\n\r\n"
        )


def reset(raw: socket.socket) -> None:
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return write_certificate(tmp_path)


@pytest.fixture
def server(certificate: tuple[Path, Path]) -> Iterator[TlsServer]:
    running = TlsServer(*certificate)
    yield running
    running.close()


class Located:
    """Says where the bytes are without asking a Hub."""

    def __init__(self, options: NetworkOptions, url: str, file: DownloadFile) -> None:
        self.options = options
        self._found = FileLocation(url, file.size_bytes, file.sha256, file.commit)

    def locate(self, file: DownloadFile) -> FileLocation:
        return self._found


def fetch(
    server: TlsServer, models: Path, ca_file: Path | None, tries: int = 4
) -> tuple[Watch, Any]:
    import hashlib

    sha256 = hashlib.sha256(server.content).hexdigest()
    file = DownloadFile(REPO, "1" * 40, PATH, SIZE, sha256)
    options = NetworkOptions(
        endpoint=server.endpoint,
        ca_file=str(ca_file) if ca_file else None,
        read_timeout_seconds=5.0,
    )
    pool, watch = open_pool(options), Watch()
    try:
        located = Located(options, f"{server.endpoint}/{PATH}", file)
        line = Line(located, pool, RateLimit(), EgressLog())
        return watch, download_file(
            DownloadJob(file, models, tries=tries), line, watch.cancel, watch
        )
    finally:
        pool.close()


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_FIRST_WAIT_SECONDS", 0.01)


@pytest.mark.parametrize(
    "answer", [TlsServer.ended, TlsServer.reset_inside, TlsServer.garbled, TlsServer.no_handshake]
)
def test_what_breaks_inside_of_tls_goes_on(
    server: TlsServer, certificate: tuple[Path, Path], tmp_path: Path, answer: Answer
) -> None:
    server.answers.insert(0, answer)
    watch, fetched = fetch(server, tmp_path / "models", certificate[0])
    assert fetched.path.read_bytes() == server.content
    assert watch.reasons[0] in ("waiting_reset", "waiting_early_end")
    if answer is not TlsServer.no_handshake:
        assert server.starts[-1] <= SIZE // 2
    if answer is TlsServer.ended:
        assert server.starts == [0, SIZE // 2], "not a byte is asked for again"


def test_a_strange_certificate_is_said_and_not_tried_again(
    server: TlsServer, tmp_path: Path
) -> None:
    with pytest.raises(NetworkFailure) as error:
        fetch(server, tmp_path / "models", None)
    assert error.value.why == "tls"
    assert server.starts == []


def test_nobody_leads_from_https_to_http(
    server: TlsServer, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    server.answers[:] = [TlsServer.to_http]
    with pytest.raises(NetworkFailure) as error:
        fetch(server, tmp_path / "models", certificate[0], tries=2)
    assert (error.value.why, error.value.detail) == ("not_a_hub", "address")
    assert len(server.starts) == 2, "the other address was never asked"


@pytest.mark.parametrize(
    "url", ["http://cdn.example/x", "ftp://cdn.example/x", "file:///etc/passwd", "https://", "x"]
)
def test_a_link_of_the_hub_that_leads_elsewhere(url: str) -> None:
    options = NetworkOptions(endpoint="https://hub.example")
    request = BodyRequest(url, 0, DownloadFile(REPO, "1" * 40, PATH, SIZE, "1" * 64), options)
    pool = open_pool(options)
    with pytest.raises(NetworkFailure) as error:
        open_body(pool, request)
    pool.close()
    assert error.value.why == "not_a_hub"


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "reset"),
        (ssl.SSLError(1, "[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC] (_ssl.c:1)"), "reset"),
        (ssl.SSLError(1, "[SSL: UNSUPPORTED_PROTOCOL] (_ssl.c:1)"), "tls"),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), "tls"),
    ],
)
def test_which_errors_of_tls_can_pass(error: ssl.SSLError, why: str) -> None:
    if "MAC" in str(error):
        error.reason = "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"
    elif not hasattr(error, "reason"):
        error.reason = ""
    assert tls_failure(error, "hub.example").why == why
