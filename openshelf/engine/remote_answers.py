"""What servers answer, as facts and errors of ours: refusals, lists of models, counts.

All of it is hostile text: read strictly, cut, and freed of the key that some servers repeat.
"""

from __future__ import annotations

import email.utils
import json
import math
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from openshelf.engine.servers import MOST_MODELS, ServerModel, is_model_name
from openshelf.errors import ContextFull, OpenshelfError, RateLimited
from openshelf.network import LONGEST_ASKED_SECONDS, host_of

if TYPE_CHECKING:
    from openshelf.engine.remote_http import Ask

LONGEST_DETAIL = 300
_LONGEST_CONTEXT = 1 << 27
_TOO_LONG = re.compile(
    r"exceed_context_size|context_length_exceeded|maximum context length|context size|"
    r"longer than the (?:model|context)|too many tokens",
    re.IGNORECASE,
)
_CONTEXT_NAMES = (
    "max_model_len", "loaded_context_length", "n_ctx", "context_length", "max_context_length",
    "context_window",
)  # fmt: skip
"""vLLM and SGLang; LM Studio; llama-server (in `meta`); gateways."""


class Unreadable(Exception):
    """An answer that is not what the protocol says; the text says what, in a few words."""


def redacted(text: str, key: str | None) -> str:
    """One line of what a server says, cut, and without the key."""
    if key:
        text = text.replace(key, "•••")
    shown = "".join(c if c.isprintable() else " " for c in text[: 4 * LONGEST_DETAIL])
    return " ".join(shown.split())[:LONGEST_DETAIL]


# --- refusals -----------------------------------------------------------------------------------


def refusal_of(ask: Ask, status: int, headers: Mapping[str, str], body: bytes) -> OpenshelfError:
    """An answer with a status from 300 on."""
    said = _said(body)
    if status < 400:
        # Only the host: the rest of the address is the server's to invent.
        target = headers.get("location", "")
        return ask.failed("redirected", host_of(target) if "://" in target else ask.host)
    if status in (401, 403):
        return ask.failed("bad_key", said)
    if status == 404:
        return ask.failed("no_model" if said and ask.streams else "not_a_server", said)
    if status == 429:
        return RateLimited(ask.host, "http_429", retry_after_seconds=_waiting_time(headers))
    if status in (400, 413, 422) and is_about_length(body[:4096].decode("utf-8", "replace")):
        return ContextFull("said", redacted(said, ask.key))
    if status < 500:
        return ask.failed("refused_ask", said or f"HTTP {status}")
    return ask.failed(f"http_{status}", said or f"HTTP {status}")


def is_about_length(text: str) -> bool:
    """Whether it says that the conversation is longer than the context."""
    return _TOO_LONG.search(text) is not None


def _said(body: bytes) -> str:
    """The message in an error's body; empty where it is a page or nothing that can be read."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return message_in(document)


def message_in(document: object) -> str:
    """`{"error": {"message": …}}`, `{"error": "…"}`, `{"message": …}`, `{"detail": …}`."""
    if not isinstance(document, Mapping):
        return document if isinstance(document, str) else ""
    for name in ("error", "message", "detail"):
        if document.get(name):
            return message_in(document[name]) or "an error"
    return ""


def _waiting_time(headers: Mapping[str, str]) -> float:
    """Seconds of `Retry-After`, which is a number or a date; a minute where it is neither."""
    written = headers.get("retry-after", "").strip()
    try:
        seconds = float(written)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(written).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            seconds = 60.0
    if not math.isfinite(seconds):
        seconds = 60.0
    return min(max(seconds, 1.0), float(LONGEST_ASKED_SECONDS))


# --- lists --------------------------------------------------------------------------------------


def models_in(text: str) -> tuple[ServerModel, ...]:
    """The answer to `/v1/models`. Raises Unreadable where it is no such list."""
    document = json_object(text)
    listed = document.get("data")
    if not isinstance(listed, list):
        raise Unreadable("no list of models")
    found: dict[str, ServerModel] = {}
    for entry in listed:
        if not isinstance(entry, Mapping) or len(found) >= MOST_MODELS:
            continue
        name = entry.get("id")
        if isinstance(name, str) and is_model_name(name):
            aliases = entry.get("aliases")
            found[name] = ServerModel(
                name,
                _context_in(entry),
                tuple(a for a in aliases if is_model_name(a))[:20]
                if isinstance(aliases, list)
                else (),
                text_in(entry.get("owned_by"))[:80],
            )
    return tuple(found.values())


def find_model(models: tuple[ServerModel, ...], name: str) -> ServerModel | None:
    """By its id, another name of it, or Ollama's way to leave `:latest` out."""
    for model in models:
        if name in (model.id, *model.aliases) or model.id == f"{name}:latest":
            return model
    return None


def _context_in(entry: Mapping[str, Any]) -> int | None:
    places = [entry, entry.get("meta")]
    for place in places:
        for name in _CONTEXT_NAMES:
            value = place.get(name) if isinstance(place, Mapping) else None
            if type(value) is int and 0 < value <= _LONGEST_CONTEXT:
                return value
    return None


def count_in(text: str) -> int | None:
    """The answer to `/tokenize`, of vLLM (`count`) or of llama-server (`tokens`)."""
    document = json_object(text)
    count, tokens = document.get("count"), document.get("tokens")
    if type(count) is int and count >= 0:
        return count
    return len(tokens) if isinstance(tokens, list) else None


def prompt_in(text: str) -> str | None:
    """The answer to llama-server's `/apply-template`."""
    prompt = json_object(text).get("prompt")
    return prompt if isinstance(prompt, str) else None


def text_in(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unreadable(f"{type(value).__name__} where text should be")
    return value


def json_object(text: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable("no JSON") from error
    if not isinstance(document, Mapping):
        raise Unreadable("no object")
    return document
