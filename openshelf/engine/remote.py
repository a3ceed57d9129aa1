"""A model on a server that speaks the OpenAI protocol: vLLM, SGLang, llama-server, LM Studio,
Ollama. The same interface as the engine on this machine.

Thread-safe, one job at a time; every request has a connection of its own, which a cancel closes.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from openshelf.engine.asking import MOST_ANSWER
from openshelf.engine.interface import OnTokens, Probed, ServerOrder
from openshelf.engine.protocol import ChatMessage, Done, Loaded, Sampling
from openshelf.engine.remote_answers import (
    Unreadable,
    count_in,
    find_model,
    is_about_length,
    models_in,
    prompt_in,
    redacted,
)
from openshelf.engine.remote_asking import chat_body, plain_messages
from openshelf.engine.remote_http import Ask, Exchange, Limits, OptionsFor
from openshelf.engine.remote_stream import (
    Piece,
    ReasoningMarks,
    Surrogates,
    ToolCalls,
    Usage,
    piece_in,
)
from openshelf.engine.servers import Server, ServerModel
from openshelf.errors import (
    CancelledByUser,
    ContextFull,
    EngineFailed,
    NetworkFailure,
    ServerFailed,
)
from openshelf.licenses.clearance import Clearance
from openshelf.network import EgressLog
from openshelf.tasks import CancelToken, Progress, Report, no_report

T = TypeVar("T")
CHAT, LIST, COUNT = "chat with a server", "models of a server", "counting on a server"
"""What the log of what went out says."""
_TOKENS_OVER = 64
"""Pieces beyond the longest answer asked for, before a server that ignores it is stopped."""


class RemoteEngine:
    """EngineLike over HTTP. `key_for` has the key of an address, and is asked for no other."""

    def __init__(
        self,
        options: OptionsFor,
        key_for: Callable[[str], str | None],
        egress: EgressLog | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._options, self._key_for, self._egress = options, key_for, egress
        self._limits = limits or Limits()
        self._turn = threading.Lock()
        self._order: ServerOrder | None = None
        self._loaded: Loaded | None = None
        self._current: CancelToken | None = None
        self._is_closed = False

    @property
    def loaded(self) -> Loaded | None:
        """The model that is talked to; None after a failure, so that it is looked at anew."""
        return self._loaded

    def models(self, server: Server, cancel: CancelToken) -> tuple[ServerModel, ...]:
        """What the server lists; not a job, so beside an answer too. Raises what `load` raises."""
        ask = self._ask(server, "models", LIST)
        text = "".join(self._exchange(ask).pieces(cancel))
        try:
            return models_in(text)
        except Unreadable as error:
            raise ask.failed("not_a_server", str(error)) from None

    def probe(self, order: ServerOrder, cancel: CancelToken) -> Probed:
        """Whether the server has this model, and what it tells of it. Raises what `load` raises."""
        found = find_model(self.models(order.server, cancel), order.model)
        if found is None:
            host = order.server.host
            raise ServerFailed(host, "no_model", order.model, server=order.server.name)
        return Probed(found.id, context_length=found.context_length)

    def load(
        self,
        clearance: Clearance,
        order: ServerOrder,
        cancel: CancelToken,
        report: Report = no_report,
    ) -> Loaded:
        """Talk to `order.model` from now on, if `clearance` covers it. The server loads it itself.

        Raises ClearanceRefused, Offline, ServerFailed, RateLimited, EngineFailed (busy, closed),
        CancelledByUser.
        """
        clearance.require_server(
            origin=order.server.origin, model=order.model, policy_sha256=order.policy_sha256
        )
        with self._job(cancel):
            self._loaded = None
            started = time.monotonic()
            report(Progress(0, None, "loading"))
            probed = self.probe(order, cancel)
            self._order = order
            self._loaded = Loaded(
                id=0,
                seconds=time.monotonic() - started,
                context_length=probed.context_length or order.context_length,
                n_gpu_layers=0,
                architecture="",
                description=probed.name,
                memory_bytes={},
                has_template=True,
                source="told" if probed.context_length else "assumed",
            )
            return self._loaded

    def chat(
        self,
        messages: Sequence[ChatMessage],
        sampling: Sampling,
        cancel: CancelToken,
        on_tokens: OnTokens,
        report: Report = no_report,
    ) -> Done:
        """Answer; `on_tokens` is called in this thread, piece by piece.

        A cancelled answer returns a Done whose `finish_reason` is cancelled. Raises EngineFailed
        (no_model, busy, closed), ContextFull, Offline, ServerFailed, RateLimited.
        """
        with self._job(cancel):
            order = self._order
            if order is None or self._loaded is None:
                raise EngineFailed("no_model")
            report(Progress(0, None, "prompt"))
            answer = _Answer(on_tokens, sampling.max_tokens)
            try:
                self._stream(order, messages, sampling, cancel, answer)
            except CancelledByUser:
                if self._is_closed:
                    raise
                return answer.done("cancelled")
            except NetworkFailure:
                self._loaded = None
                raise
            return answer.done(answer.finish_reason or "stop")

    def count_tokens(self, messages: Sequence[ChatMessage], cancel: CancelToken) -> int | None:
        """As the server counts them (llama-server, vLLM); None where it has no such question.

        Raises EngineFailed (no_model), Offline, CancelledByUser.
        """
        order = self._order
        if order is None or self._loaded is None:
            raise EngineFailed("no_model")
        server, plain = order.server, plain_messages(messages)
        try:
            whole = {"model": order.model, "messages": plain}
            prompt = self._post(server, "apply-template", whole, prompt_in, cancel)
            if prompt is None:
                return self._post(server, "tokenize", whole, count_in, cancel)
            parts = {"model": order.model, "content": prompt, "add_special": True}
            parts["parse_special"] = True
            return self._post(server, "tokenize", parts, count_in, cancel)
        except ServerFailed:
            return None

    def ping(self) -> float:
        """Seconds until the server told its models. Raises what `load` raises."""
        order = self._order
        if order is None:
            raise EngineFailed("no_model")
        started = time.monotonic()
        self.models(order.server, CancelToken())
        return time.monotonic() - started

    def unload(self) -> None:
        """Talk to no model any more; the server keeps its own. Raises EngineFailed (busy)."""
        if self._loaded is None:
            return
        if not self._turn.acquire(blocking=False):
            raise EngineFailed("busy")
        self._loaded = self._order = None
        self._turn.release()

    def close(self) -> None:
        """End what is under way; nothing can be begun afterwards."""
        self._is_closed = True
        current = self._current
        if current is not None:
            current.cancel()

    # --- asking -----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _job(self, cancel: CancelToken) -> Iterator[None]:
        if self._is_closed:
            raise EngineFailed("closed")
        if not self._turn.acquire(blocking=False):
            raise EngineFailed("busy")
        try:
            self._current = cancel
            yield
        finally:
            self._current = None
            self._turn.release()

    def _ask(self, server: Server, path: str, purpose: str, body: Any = None) -> Ask:
        """`path` below /v1; one that begins with a slash is beside it."""
        address = server.address
        if path.startswith("/"):
            address, path = address.removesuffix("/v1"), path[1:]
        content = None if body is None else json.dumps(body, allow_nan=False).encode()
        return Ask(
            server=server.name,
            url=f"{address}/{path}",
            purpose=purpose,
            body=content,
            key=self._key_for(server.address),
            streams=purpose == CHAT,
        )

    def _exchange(self, ask: Ask) -> Exchange:
        return Exchange(ask, self._options, self._limits, self._egress)

    def _post(
        self,
        server: Server,
        path: str,
        body: dict[str, Any],
        read: Callable[[str], T | None],
        cancel: CancelToken,
    ) -> T | None:
        """None where the server does not know the question."""
        ask = self._ask(server, f"/{path}", COUNT, body)
        try:
            return read("".join(self._exchange(ask).pieces(cancel)))
        except (ServerFailed, Unreadable, EngineFailed):
            return None

    def _stream(
        self,
        order: ServerOrder,
        messages: Sequence[ChatMessage],
        sampling: Sampling,
        cancel: CancelToken,
        answer: _Answer,
    ) -> None:
        body = chat_body(order.model, messages, sampling)
        try:
            self._read(self._ask(order.server, "chat/completions", CHAT, body), cancel, answer)
        except ServerFailed as failure:
            # Some refuse what they do not know; without it they only do not count for us.
            if failure.why != "refused_ask" or "stream_options" not in failure.detail:
                raise
            del body["stream_options"]
            self._read(self._ask(order.server, "chat/completions", CHAT, body), cancel, answer)

    def _read(self, ask: Ask, cancel: CancelToken, answer: _Answer) -> None:
        pieces = self._exchange(ask).pieces(cancel)
        with contextlib.closing(pieces):
            for data in pieces:
                piece = _piece_of(ask, data)
                answer.add(piece)
                if piece.is_last or answer.is_too_long:
                    return
        if not answer.finish_reason:
            raise ask.failed("early_end")


def _piece_of(ask: Ask, data: str) -> Piece:
    try:
        piece = piece_in(data)
    except Unreadable as error:
        raise ask.failed("bad_answer", str(error)) from None
    if not piece.error:
        return piece
    if is_about_length(piece.error):
        raise ContextFull("said", redacted(piece.error, ask.key))
    raise ask.failed("server_error", piece.error)


@dataclass
class _Answer:
    """Counts and times an answer, and hands its text on."""

    on_tokens: OnTokens
    max_tokens: int
    finish_reason: str = ""
    usage: Usage | None = None

    def __post_init__(self) -> None:
        self._marks = ReasoningMarks()
        self._calls = ToolCalls()
        self._started = time.monotonic()
        self._first_at: float | None = None
        self._last_at = self._started
        self._pieces = self._characters = 0
        self._halves = Surrogates()

    @property
    def is_too_long(self) -> bool:
        is_over = 0 < self.max_tokens < self._pieces - _TOKENS_OVER
        if not is_over and self._characters <= MOST_ANSWER:
            return False
        self.finish_reason = "length"
        return True

    def add(self, piece: Piece) -> None:
        if piece.usage is not None:
            self.usage = piece.usage
        self.finish_reason = piece.finish_reason or self.finish_reason
        self._characters += piece.characters
        self._calls.add(piece)
        text = self._halves.joined("".join(self._marks.text_of(piece)))
        # Some servers end without a reason; a call must not be lost with it, nor be a thought.
        if (piece.finish_reason or piece.is_last) and (calls := self._calls.written()):
            text += self._halves.joined(self._marks.end() + calls)
        if not text:
            return
        self._last_at = time.monotonic()
        if self._first_at is None:
            self._first_at = self._last_at
        self._pieces += 1
        self.on_tokens(text, 1)

    def done(self, finish_reason: str) -> Done:
        """Tokens as the server counted them; 0 where it did not, and then no speeds either."""
        first = (self._first_at or self._last_at) - self._started
        usage = self.usage or Usage(0, 0)
        read = usage.prompt_tokens - usage.cached_tokens
        writing = self._last_at - (self._first_at or self._last_at)
        return Done(
            id=0,
            finish_reason=finish_reason,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens,
            first_token_seconds=first,
            prefill_tokens_per_second=read / first if first > 0 else 0.0,
            decode_tokens_per_second=(usage.completion_tokens - 1) / writing
            if writing > 0 and usage.completion_tokens > 1
            else 0.0,
            template="server",
        )
