"""A server's answer piece by piece, and its thoughts put where models write them themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard

from openshelf.engine.remote_answers import Unreadable, json_object, message_in, text_in

_MOST_CALLS = 64


@dataclass(frozen=True)
class Usage:
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True)
class CallPart:
    """A part of the call of a tool: `index` tells which; its arguments come in pieces."""

    index: int
    name: str
    arguments: str


@dataclass(frozen=True)
class Piece:
    """One event of a stream. `finish_reason` is stop or length where it ends the answer."""

    text: str = ""
    reasoning: str = ""
    finish_reason: str = ""
    usage: Usage | None = None
    error: str = ""
    is_last: bool = False
    calls: tuple[CallPart, ...] = ()

    @property
    def characters(self) -> int:
        given = sum(len(part.name) + len(part.arguments) for part in self.calls)
        return len(self.text) + len(self.reasoning) + given


def piece_in(data: str) -> Piece:
    """One event's data. Missing and null fields are nothing; wrong ones raise Unreadable."""
    if data.strip() == "[DONE]":
        return Piece(is_last=True)
    if not data.strip():
        return Piece()
    document = json_object(data)
    if document.get("error"):
        return Piece(error=message_in(document) or "an error")
    choices = document.get("choices")
    if choices is None:
        choices = []
    if not isinstance(choices, list):
        raise Unreadable("choices that are no list")
    usage = _usage_in(document.get("usage"))
    first = choices[0] if choices else {}
    if not isinstance(first, Mapping):
        raise Unreadable("a choice that is no object")
    delta = first.get("delta")
    if delta is None:
        delta = {}
    if not isinstance(delta, Mapping):
        raise Unreadable("a delta that is no object")
    if delta.get("role") not in (None, "", "assistant"):
        raise Unreadable("an answer of another role")
    # vLLM, SGLang, llama-server and DeepSeek say the first, Ollama, LM Studio and newer vLLM the
    # second; one that sends both sends the same twice.
    reasoning = text_in(delta.get("reasoning_content")) or text_in(delta.get("reasoning"))
    return Piece(
        text_in(delta.get("content")),
        reasoning,
        _reason(first.get("finish_reason")),
        usage,
        calls=_calls_in(delta.get("tool_calls")),
    )


def _calls_in(value: object) -> tuple[CallPart, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Unreadable("tool calls that are no list")
    parts = []
    for number, entry in enumerate(value[:_MOST_CALLS]):
        function = entry.get("function") if isinstance(entry, Mapping) else None
        if not isinstance(function, Mapping):
            continue
        index = entry.get("index")
        parts.append(
            CallPart(
                index if _is_count(index) else number,
                text_in(function.get("name")),
                text_in(function.get("arguments")),
            )
        )
    return tuple(parts)


def _reason(value: object) -> str:
    if value is None or value == "":
        return ""
    return "length" if text_in(value) in ("length", "max_tokens") else "stop"


def _usage_in(value: object) -> Usage | None:
    if not isinstance(value, Mapping):
        return None
    prompt, completion = value.get("prompt_tokens"), value.get("completion_tokens")
    if not _is_count(prompt) or not _is_count(completion):
        return None
    details = value.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else 0
    known = cached if _is_count(cached) and cached <= prompt else 0
    return Usage(prompt, completion, known)


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 1 << 40


class ToolCalls:
    """Collects the calls of tools, and writes them as models do themselves."""

    def __init__(self) -> None:
        self._calls: dict[int, tuple[list[str], list[str]]] = {}
        """Pieces of the name and of the arguments; the first name counts."""

    def add(self, piece: Piece) -> None:
        for part in piece.calls:
            if part.index in self._calls or len(self._calls) < _MOST_CALLS:
                names, arguments = self._calls.setdefault(part.index, ([], []))
                if part.name:
                    names.append(part.name)
                arguments.append(part.arguments)

    def written(self) -> str:
        """Each once; arguments that are no JSON stay text, so that nothing is lost."""
        calls, self._calls = self._calls, {}
        parts = []
        for names, pieces in calls.values():
            name, arguments = names[0] if names else "", "".join(pieces)
            try:
                given = json.loads(arguments or "{}")
            except (ValueError, RecursionError):
                given = arguments
            call = json.dumps({"name": name, "arguments": given}, ensure_ascii=False)
            parts.append(f"\n<tool_call>\n{call}\n</tool_call>")
        return "".join(parts)


class ReasoningMarks:
    """Puts a stream of its own back between `<think>` marks, as models write it themselves."""

    def __init__(self) -> None:
        self._is_open = False

    def text_of(self, piece: Piece) -> Iterator[str]:
        if piece.reasoning:
            if not self._is_open:
                self._is_open = True
                yield "<think>\n"
            yield piece.reasoning
        if piece.text:
            yield self.end()
            yield piece.text

    def end(self) -> str:
        """What ends its thoughts, where they are not ended yet."""
        is_open, self._is_open = self._is_open, False
        return "\n</think>\n\n" if is_open else ""


class Surrogates:
    """Puts the halves of characters together that JSON's escapes wrote apart, and that some servers
    even send in two pieces; half a character alone becomes U+FFFD."""

    def __init__(self) -> None:
        self._half = ""

    def joined(self, text: str) -> str:
        text = self._half + text
        if text.isascii():
            return text
        end = len(text) - ("\ud800" <= text[-1] <= "\udbff")
        self._half = text[end:]
        raw = text[:end].encode("utf-16-le", "surrogatepass")
        return raw.decode("utf-16-le", "replace")


def without_reasoning(text: str) -> str:
    """An earlier answer as servers want it back: they lay thoughts out anew."""
    start = text.lstrip()
    if not start.startswith("<think>") or "</think>" not in start:
        return text
    return start.partition("</think>")[2].lstrip("\n")
