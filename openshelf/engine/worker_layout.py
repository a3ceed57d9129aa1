"""How messages become one prompt: by the model's own template, or by the nearest thing that works.

A template may fail, and it may as well lose what a person wrote: some know only lists of parts,
some no system prompt, and some say whatever their maker liked. What comes out is held against what
went in, so that no answer is written to a question that nobody asked.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from openshelf.engine.asking import AnswerForm, ChatMessage
from openshelf.engine.worker_template import PLAIN, ChatTemplate, TemplateFailed

_ADDED_PER_MESSAGE = 512
_ADDED_ANYWAY = 4096
_TOOLS_WRITTEN_OUT = 4
"""JSON that is indented takes so many times its room."""
TRYING_SECONDS = 2.0
"""No further way is tried after so long: whoever asked waits for all of them."""
_OTHER_WORDS = " 8f41c6"
_THOUGHTS = re.compile(r"<think>\n*\Z")


@dataclass(frozen=True)
class Rendered:
    """`source` as in protocol.Done.template; `stop` are strings that end this format's answers."""

    text: str
    source: str
    stop: tuple[str, ...] = ()
    opening: str = ""
    """What the template wrote of the answer itself: R1, QwQ and their kin begin its thoughts, so
    that the model's own text has no mark where they begin."""


def render_prompt(
    template: ChatTemplate | None,
    messages: Sequence[ChatMessage],
    builtin: Callable[[Sequence[ChatMessage]], str | None],
    form: AnswerForm = PLAIN,
) -> Rendered:
    """The model's own template, or the nearest thing to it that works.

    `builtin` is llama.cpp's own for this model's family, None where it knows none.
    An answer at the end is one to go on with: its text follows where the answer begins.
    Raises TemplateFailed where even that is impossible (no messages).
    """
    if not messages:
        raise TemplateFailed("no messages")
    if messages[-1].role == "assistant":
        begun = render_prompt(template, messages[:-1], builtin, form)
        # What an answer shows has the opening in it, and the prompt has it already.
        rest = messages[-1].content.removeprefix(begun.opening)
        return dataclasses.replace(begun, text=begun.text + rest, opening="")
    if template is not None:
        for attempt in _attempts(template, messages, form):
            if attempt is not None:
                return attempt
    if (text := builtin(messages)) is not None:
        return Rendered(text, "builtin")
    return Rendered(_chatml(messages), "chatml", ("<|im_end|>",))


def _attempts(
    template: ChatTemplate, messages: Sequence[ChatMessage], form: AnswerForm
) -> Iterator[Rendered | None]:
    """The ways to use a model's own template, the plainest first; None where one does not work."""
    merged = merge_system(messages)
    started = time.monotonic()
    for in_parts in (False, True):
        layout = _Layout(template, form, in_parts)
        for tried, source in ((tuple(messages), "model"), (merged, "merged_system")):
            if time.monotonic() - started > TRYING_SECONDS:
                return
            if source == "model" or merged != tuple(messages):
                text = layout.text(tried)
                yield None if text is None else Rendered(text, source, opening=_opening(text))


@dataclass(frozen=True)
class _Layout:
    """A template with the shape in which it gets its messages."""

    template: ChatTemplate
    form: AnswerForm
    in_parts: bool

    def text(self, messages: tuple[ChatMessage, ...]) -> str | None:
        """None where it fails, loses the question or the system prompt, or is all its own."""
        try:
            text = self._render(messages)
            if len(text) > self._most_characters(messages):
                return None
            places = [len(messages) - 1]
            if messages[0].role == "system":
                places.insert(0, 0)
            return None if any(self._loses(messages, at, text) for at in places) else text
        except TemplateFailed:
            return None

    def _most_characters(self, messages: tuple[ChatMessage, ...]) -> int:
        """What was given, and the template's own words once, with its marks around each message:
        one that writes more than that would fill the context with itself."""
        given = sum(len(m.content) + _ADDED_PER_MESSAGE for m in messages)
        tools = _TOOLS_WRITTEN_OUT * len(self.form.tools)
        return given + tools + len(self.template.source) + _ADDED_ANYWAY

    def _render(self, messages: tuple[ChatMessage, ...]) -> str:
        return self.template.render(messages, self.form, in_parts=self.in_parts)

    def _loses(self, messages: tuple[ChatMessage, ...], at: int, text: str) -> bool:
        """Whether the words of one message have no say in the prompt. What a template writes in
        another way (as JSON, without marks) is not lost: other words make another prompt."""
        message = messages[at]
        if _holds(text, message.content):
            return False
        other = dataclasses.replace(message, content=message.content + _OTHER_WORDS)
        return self._render((*messages[:at], other, *messages[at + 1 :])) == text


def _opening(text: str) -> str:
    found = _THOUGHTS.search(text, max(0, len(text) - 16))
    return found[0] if found else ""


def _holds(text: str, words: str) -> bool:
    return words.strip() in text


def merge_system(messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
    """The system prompt inside the first question, for templates that refuse a system role."""
    system = "\n\n".join(m.content for m in messages if m.role == "system")
    rest = [m for m in messages if m.role != "system"]
    if not system or not rest or rest[0].role != "user":
        return tuple(messages)
    return (ChatMessage("user", f"{system}\n\n{rest[0].content}"), *rest[1:])


def _chatml(messages: Sequence[ChatMessage]) -> str:
    turns = "".join(f"<|im_start|>{m.role}\n{m.content}<|im_end|>\n" for m in messages)
    return f"{turns}<|im_start|>assistant\n"
