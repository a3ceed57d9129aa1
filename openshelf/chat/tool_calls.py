"""Calls of tools in an answer, as the families write them: told apart, shown, and never made.

What cannot be read whole (an answer that is still being written, broken JSON) stays text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MOST_CALLS = 64
MOST_ARGUMENTS = 100_000
MOST_TRIES = 16
"""Marks that begin no call: each is held against all that follows, 30 times a second."""
_NAME = re.compile(r"[\w.:/-]{1,128}")
_DECODER = json.JSONDecoder()
HERMES, MISTRAL, PYTHON_TAG = "<tool_call>", "[TOOL_CALLS]", "<|python_tag|>"
DEEPSEEK = "<｜tool▁calls▁begin｜>"
_DEEPSEEK_CALL, _DEEPSEEK_SEP = "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>"
_DEEPSEEK_END, _DEEPSEEK_ENDS = "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"
MARKS = (HERMES, MISTRAL, PYTHON_TAG, DEEPSEEK)


@dataclass(frozen=True)
class ToolCall:
    """`arguments` is JSON, laid out to be read."""

    name: str
    arguments: str


_Found = tuple[int, tuple[ToolCall, ...]]
"""Where the calls end in the text, and the calls."""


def take_tool_calls(text: str) -> tuple[str, tuple[ToolCall, ...]]:
    """The text without its calls, and the calls in their order."""
    if text.lstrip().startswith("{"):
        alone = _llama(text, 0)
        return ("", alone[1]) if alone is not None else (text, ())
    calls: list[ToolCall] = []
    kept: list[str] = []
    at = tries = 0
    while len(calls) < MOST_CALLS and tries < MOST_TRIES:
        place, mark = _next_mark(text, at)
        if mark == "":
            break
        found = _READERS[mark](text, place + len(mark))
        if found is None:
            tries += 1
            kept.append(text[at : place + len(mark)])
            at = place + len(mark)
            continue
        kept.append(text[at:place])
        at = found[0]
        calls.extend(found[1])
    kept.append(text[at:])
    rest = "".join(kept)
    return (rest.strip() if calls else rest), tuple(calls[:MOST_CALLS])


def _next_mark(text: str, at: int) -> tuple[int, str]:
    found = [(place, mark) for mark in MARKS if (place := text.find(mark, at)) >= 0]
    return min(found, default=(-1, ""))


def _json_at(text: str, at: int) -> tuple[Any, int] | None:
    """A JSON value at `at` (after white space), and where it ends."""
    while at < len(text) and text[at].isspace():
        at += 1
    try:
        return _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None


def call_of(name: object, arguments: object) -> ToolCall | None:
    """None for what is no call: a name that is none, arguments that are no object."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return None
    if arguments is None:
        arguments = {}
    elif isinstance(arguments, str):
        parsed = _json_at(arguments, 0)
        arguments = parsed[0] if parsed is not None else None
    if not isinstance(arguments, dict):
        return None
    try:
        shown = json.dumps(arguments, ensure_ascii=False, indent=2)
    except RecursionError:
        return None
    return ToolCall(name, shown) if len(shown) <= MOST_ARGUMENTS else None


def _from_object(value: object) -> ToolCall | None:
    if not isinstance(value, dict):
        return None
    return call_of(value.get("name"), value.get("arguments", value.get("parameters")))


# --- the families -------------------------------------------------------------------------------


def _hermes(text: str, at: int) -> _Found | None:
    """Qwen, Hermes, GLM: `<tool_call>…</tool_call>`, with JSON, or with tags inside."""
    end = text.find("</tool_call>", at)
    if end < 0:
        return None
    body = text[at:end].strip()
    parsed = _json_at(body, 0)
    call = _from_object(parsed[0]) if parsed is not None else _tagged(body)
    return None if call is None else (end + len("</tool_call>"), (call,))


def _tagged(body: str) -> ToolCall | None:
    """Qwen3-Coder: `<function=f><parameter=x>1</parameter></function>`; GLM: `f` and pairs of
    `<arg_key>x</arg_key><arg_value>1</arg_value>`."""
    if body.startswith("<function="):
        name, _, rest = body.removeprefix("<function=").partition(">")
        pairs = [part.partition(">") for part in rest.split("<parameter=")[1:]]
        given = {key: value.partition("</parameter>")[0] for key, _, value in pairs}
    else:
        name, *parts = body.split("<arg_key>")
        pairs = [part.partition("</arg_key>") for part in parts]
        given = {
            key: value.partition("<arg_value>")[2].partition("</arg_value>")[0]
            for key, _, value in pairs
        }
        if not given:
            return None
    return call_of(name.strip(), {key.strip(): _value(value) for key, value in given.items()})


def _value(text: str) -> Any:
    """JSON where it is, else the words themselves."""
    parsed = _json_at(text, 0)
    if parsed is None or text[parsed[1] :].strip():
        return text.strip("\n")
    return parsed[0]


def _mistral(text: str, at: int) -> _Found | None:
    """`[TOOL_CALLS][{…}, {…}]`, later `[TOOL_CALLS]name[ARGS]{…}`."""
    parsed = _json_at(text, at)
    if parsed is not None:
        listed = parsed[0] if isinstance(parsed[0], list) else [parsed[0]]
        calls = [_from_object(value) for value in listed]
        if not calls or any(call is None for call in calls):
            return None
        return parsed[1], tuple(call for call in calls if call is not None)
    args = text.find("[ARGS]", at)
    if args < 0:
        return None
    name = text[at:args].partition("[CALL_ID]")[0].strip()
    given = _json_at(text, args + len("[ARGS]"))
    call = call_of(name, given[0]) if given is not None else None
    return None if given is None or call is None else (given[1], (call,))


def _llama(text: str, at: int) -> _Found | None:
    """Llama 3.x: the whole answer is `{"name": …, "parameters": {…}}`, several parted by `;`."""
    calls: list[ToolCall] = []
    while True:
        parsed = _json_at(text, at)
        if parsed is None or not isinstance(parsed[0], dict):
            return None
        value, at = parsed
        call = _from_object(value) if set(value) <= _LLAMA_KEYS and len(value) > 1 else None
        if call is None or len(calls) >= MOST_CALLS:
            return None
        calls.append(call)
        rest = text[at:].lstrip()
        if not rest:
            return len(text), tuple(calls)
        if not rest.startswith(";"):
            return None
        at = len(text) - len(rest) + 1


_LLAMA_KEYS = {"type", "name", "parameters", "arguments"}


def _deepseek(text: str, at: int) -> _Found | None:
    """`function<sep>name` and JSON in a fence (V3, R1), later `name<sep>{…}` (V3.1)."""
    calls: list[ToolCall] = []
    while True:
        begin = text.find(_DEEPSEEK_CALL, at)
        end = text.find(_DEEPSEEK_END, begin)
        if begin < 0 or end < 0 or text[at:begin].strip():
            break
        head, _, rest = text[begin + len(_DEEPSEEK_CALL) : end].partition(_DEEPSEEK_SEP)
        name, _, fenced = rest.strip().partition("\n")
        if head.strip() == "function" and fenced:
            inside = fenced.strip().removeprefix("```json").removesuffix("```")
            given = _json_at(inside, 0)
        else:
            name, given = head, _json_at(rest, 0)
        call = call_of(name.strip(), given[0]) if given is not None else None
        if call is None:
            return None
        calls.append(call)
        at = end + len(_DEEPSEEK_END)
    if not calls:
        return None
    if text[at:].lstrip().startswith(_DEEPSEEK_ENDS):
        at = text.find(_DEEPSEEK_ENDS, at) + len(_DEEPSEEK_ENDS)
    return at, tuple(calls)


_READERS: dict[str, Callable[[str, int], _Found | None]] = {
    HERMES: _hermes,
    MISTRAL: _mistral,
    PYTHON_TAG: _llama,
    DEEPSEEK: _deepseek,
}
