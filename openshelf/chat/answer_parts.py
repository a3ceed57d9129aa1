"""An answer as its model wrote it, parted: what it thought, what it says, tools it would call."""

from __future__ import annotations

from dataclasses import dataclass

from openshelf.chat.tool_calls import ToolCall, call_of, take_tool_calls

_OPENINGS = (("<think>", "</think>"), ("[THINK]", "[/THINK]"))
CHANNEL, MESSAGE = "<|channel|>", "<|message|>"
_ENDS = ("<|end|>", "<|call|>", "<|return|>")
_TOOL = " to=functions."


@dataclass(frozen=True)
class AnswerParts:
    """`is_thinking`: what it thinks is not written to its end."""

    reasoning: str
    answer: str
    is_thinking: bool
    calls: tuple[ToolCall, ...] = ()


def split_answer(text: str) -> AnswerParts:
    """Also of an answer that is still being written; what is not whole stays text."""
    if text.lstrip().startswith(CHANNEL):
        return _harmony(text.lstrip())
    thought = _thought(text)
    answer, calls = take_tool_calls(thought.answer)
    return AnswerParts(thought.reasoning, answer, thought.is_thinking, calls)


def _thought(text: str) -> AnswerParts:
    """A leading `<think>…</think>`, or Mistral's `[THINK]`; an unfinished one counts."""
    start = text.lstrip()
    for opening, closing in _OPENINGS:
        if start.startswith(opening):
            inside, ended, answer = start[len(opening) :].partition(closing)
            return AnswerParts(inside.strip("\n"), answer.lstrip("\n"), is_thinking=not ended)
        if start and len(start) < len(opening) and opening.startswith(start):
            return AnswerParts("", "", is_thinking=False)
    return AnswerParts("", text, is_thinking=False)


def _harmony(text: str) -> AnswerParts:
    """gpt-oss: `<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final…`."""
    thoughts: list[str] = []
    said: list[str] = []
    calls: list[ToolCall] = []
    is_thinking = False
    for part in text.split(CHANNEL)[1:]:
        head, begun, body = part.partition(MESSAGE)
        if not begun:
            break  # its head is still being written
        ends = [place for end in _ENDS if (place := body.find(end)) >= 0]
        content = body[: min(ends)] if ends else body
        channel = head.strip()
        if _TOOL in f" {channel}":
            name = channel.partition("to=functions.")[2].split("<", 1)[0].split(" ", 1)[0]
            call = call_of(name, content)
            if call is not None:
                calls.append(call)
            else:
                said.append(content)
            is_thinking = False
        elif channel.startswith("analysis"):
            thoughts.append(content.strip())
            is_thinking = not ends
        else:
            said.append(content)
            is_thinking = False
    return AnswerParts("\n\n".join(thoughts), "".join(said).strip(), is_thinking, tuple(calls))


def as_history(text: str) -> str:
    """The answer as its template wants to have it back: gpt-oss refuses its own marks."""
    return split_answer(text).answer if text.lstrip().startswith(CHANNEL) else text
