"""An OpenAI-compatible server on loopback: scripted answers, and what can go wrong on the wire."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import ssl
import struct
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

MODEL = "owner/Small-7B"


@dataclass
class SeenRequest:
    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str | None:
        return self.headers.get("authorization")


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle of an answer is nothing to print."""


class FakeModelServer:
    """Use it as a context manager. `fault` happens to the next request of `stage`, once.

    Faults of the stage `chat`: see `_Handler.chat_*`; every stage knows `status:CODE`, `html`,
    `redirect`, `silence`, `garbage` and `gzip`. `holding` is set while a request is held.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        """With `certificate` (key and certificate in one PEM file) it speaks TLS."""
        self.models: list[Any] = [{"id": MODEL, "object": "model", "max_model_len": 4096}]
        self.tokens = ["Hello", " there", ",", " friend", "."]
        self.reasoning: list[str] = []
        self.tool_calls: list[list[dict[str, Any]]] = []
        """Of each event that brings parts of calls."""
        self.reasoning_name = "reasoning_content"
        self.key: str | None = None
        self.counts = True
        self.usage: dict[str, Any] | None = {
            "prompt_tokens": 30, "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 10},
        }  # fmt: skip
        self.pause_before: int | None = None
        self.resume, self.holding = threading.Event(), threading.Event()
        self.gone = threading.Event()
        """A client closed its connection while it was being answered."""
        self.error_body: Any = {"error": {"message": "It failed."}}
        self.error_headers: dict[str, str] = {}
        self.elsewhere = ""
        self.requests: list[SeenRequest] = []
        self.stopping = threading.Event()
        self._faults: list[tuple[str, str]] = []
        self._server = _Server(("127.0.0.1", 0), type("H", (_Handler,), {"fake": self}))
        self._scheme = "http" if certificate is None else "https"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def address(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}/v1"

    def fail(self, fault: str, stage: str = "chat") -> None:
        self._faults.append((stage, fault))

    def take_fault(self, stage: str) -> str:
        for entry in self._faults:
            if entry[0] == stage:
                self._faults.remove(entry)
                return entry[1]
        return ""

    def chats(self) -> list[SeenRequest]:
        return [r for r in self.requests if r.path.endswith("/chat/completions")]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.resume.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    fake: FakeModelServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing on stderr."""

    def do_GET(self) -> None:
        self._note({})
        if self._path != "/v1/models":
            self._json(404, {"error": {"message": "no such path"}})
        elif self._may_go_on("models"):
            self._json(200, {"object": "list", "data": self.fake.models})

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        body = json.loads(self.rfile.read(length))
        self._note(body)
        match self._path:
            case "/v1/chat/completions":
                if self._may_go_on("chat"):
                    self._chat(body)
            case "/apply-template" if self.fake.counts:
                text = "".join(f"<{m['role']}>{m['content']}" for m in body["messages"])
                self._json(200, {"prompt": text})
            case "/tokenize" if self.fake.counts:
                self._json(200, {"tokens": body["content"].replace("<", " <").split()})
            case _:
                self._json(404, {"detail": "Not Found"})

    @property
    def _path(self) -> str:
        return self.path.partition("?")[0]

    def _note(self, body: dict[str, Any]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.fake.requests.append(SeenRequest(self.command, self.path, headers, body))

    # --- answers ----------------------------------------------------------------------------------

    def _may_go_on(self, stage: str) -> bool:
        """Whether the right answer is to be sent; otherwise another one was."""
        fake = self.fake
        if fake.key is not None and self.headers.get("authorization") != f"Bearer {fake.key}":
            self._json(
                401, {"error": {"message": f"Wrong key: {self.headers.get('authorization')}"}}
            )
            return False
        self._fault = fake.take_fault(stage)
        kind, _, value = self._fault.partition(":")
        match kind:
            case "status":
                self._json(int(value), fake.error_body, fake.error_headers)
            case "html":
                self._send(200, b"<html><h1>Sign in</h1></html>", "text/html")
            case "redirect":
                self._json(307, {}, {"Location": f"{fake.elsewhere}{self.path}"})
            case "silence":
                self._hold()
            case "garbage":
                self.wfile.write(b"\x00\x01 this is no HTTP\r\n\r\n")
                self.close_connection = True
            case "gzip":
                self._send(200, b"\x1f\x8b....", "application/json", {"Content-Encoding": "gzip"})
            case _:
                return True
        return False

    def _json(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(body).encode(), "application/json", headers)

    def _send(
        self, status: int, content: bytes, kind: str, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _hold(self) -> None:
        """Say nothing until the client has gone or the test goes on."""
        fake = self.fake
        fake.holding.set()
        self.connection.settimeout(0.02)
        while not fake.stopping.is_set() and not fake.resume.is_set():
            try:
                if self.connection.recv(1) == b"":
                    fake.gone.set()
                    return
            except TimeoutError:
                continue
            except OSError:
                fake.gone.set()
                return
        self.connection.settimeout(None)

    # --- a stream ---------------------------------------------------------------------------------

    def _chat(self, body: dict[str, Any]) -> None:
        self.close_connection = True
        kind = "application/json" if self._fault == "wrong_type" else "text/event-stream"
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._stream(body)

    def _stream(self, body: dict[str, Any]) -> None:
        fake, name = self.fake, self._fault.replace(" ", "_")
        self._event(self._delta({"role": "assistant", "content": None}))
        for text in fake.reasoning:
            self._event(self._delta({fake.reasoning_name: text}))
        for number, token in enumerate(fake.tokens):
            if number == fake.pause_before:
                self._hold()
                if fake.gone.is_set():
                    return
            wrong = getattr(self, f"chat_{name}", None) if number == 2 else None
            if wrong is not None and wrong() is not True:
                return
            self._event(self._delta({"content": token}))
        for parts in fake.tool_calls:
            self._event(self._delta({"tool_calls": parts}))
        if self._fault != "no_reason":
            self._event(self._delta({}, "length" if self._fault == "length" else "stop"))
        if fake.usage is not None and "stream_options" in body:
            self._event({"choices": [], "usage": fake.usage})
        if self._fault != "no_done":
            self._raw("data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _delta(self, delta: Any, finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"object": "chat.completion.chunk", "choices": [choice]}

    def _event(self, event: Any) -> None:
        self._raw(f"data: {json.dumps(event)}\n\n")

    def _raw(self, text: str | bytes) -> None:
        data = text.encode() if isinstance(text, str) else text
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    # --- faults after two tokens; True goes on ----------------------------------------------------

    def chat_close(self) -> None:
        """The connection ends, politely for TCP, in the middle for HTTP."""

    def chat_end(self) -> None:
        """HTTP ends as it should, the answer does not."""
        self.wfile.write(b"0\r\n\r\n")

    def chat_reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def chat_http_500(self) -> None:
        self.wfile.write(b"HTTP/1.1 500 Internal Server Error\r\n\r\n")

    def chat_half_line(self) -> None:
        self._raw('data: {"choices": [{"delta": {"cont')
        self.wfile.write(b"0\r\n\r\n")

    def chat_bad_json(self) -> bool:
        self._raw("data: {this is no JSON}\n\n")
        return True

    def chat_long_line(self) -> None:
        part = b"x" * (1 << 20)
        self._raw(b'data: {"choices": [{"delta": {"content": "')
        for _ in range(100):
            self._raw(part)

    def chat_hang(self) -> None:
        self._hold()

    def chat_comments(self) -> None:
        """Signs of life for ever, and nothing else."""
        while not self.fake.stopping.wait(0.02):
            self._raw(": still here\n\n")

    def chat_wrong_role(self) -> bool:
        self._event(self._delta({"role": "user", "content": "I am you."}))
        return True

    def chat_wrong_fields(self) -> bool:
        self._event(self._delta({"content": {"text": ["no", "string"]}}))
        return True

    def chat_wrong_choices(self) -> bool:
        self._event({"choices": {"0": "no list"}})
        return True

    def chat_nulls(self) -> bool:
        self._event({"choices": None, "usage": None, "error": None})
        self._event({"choices": [{"delta": None, "finish_reason": None}]})
        self._event(self._delta({"role": None, "content": None, self.fake.reasoning_name: None}))
        self._raw("event: ping\n\n: a comment\n\nid: 7\nretry: x\n\n")
        return True

    def chat_error_event(self) -> bool:
        self._event(self.fake.error_body)
        return True

    def chat_halves(self) -> bool:
        """A character in two pieces, and a half that nothing follows."""
        for text in ("\ud83d", "\ude00", "\ud83d", "!"):
            self._event(self._delta({"content": text}))
        return True

    def chat_flood(self) -> None:
        """Few pieces, each as large as one may be."""
        while not self.fake.stopping.is_set():
            self._event(self._delta({"content": "x" * 1_000_000}))

    def chat_calls_without_end(self) -> None:
        while not self.fake.stopping.is_set():
            part = {"index": 0, "function": {"name": "f", "arguments": "[" * 1_000_000}}
            self._event(self._delta({"tool_calls": [part]}))

    def chat_endless(self) -> None:
        while not self.fake.stopping.is_set():
            self._event(self._delta({"content": "and on "}))

    def chat_nested(self) -> bool:
        self._raw("data: " + '{"a":' * 100_000 + "\n\n")
        return True
