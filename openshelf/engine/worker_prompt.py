"""What a person attached, put before what they wrote: as text, in which no token is special.

A file that holds `<|im_end|>` would otherwise end the question and speak for somebody else.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Sequence

from openshelf.engine.asking import AnswerForm, ChatMessage
from openshelf.engine.worker_failures import Refusal

_JOINT = "\u200b"


class Composer:
    """Messages as the template gets them. `specials` lists the texts of the special tokens, once
    something is attached; `picture` stands for each picture, None where the model cannot see."""

    def __init__(self, specials: Callable[[], Iterable[str]], picture: str | None = None) -> None:
        self._specials = specials
        self._picture = picture
        self._pattern: re.Pattern[str] | None = None

    def compose(self, messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
        """Raises Refusal (cannot_see)."""
        return tuple(self._composed(message) for message in messages)

    def _composed(self, message: ChatMessage) -> ChatMessage:
        if not message.attached and not message.images:
            return message
        if message.images and self._picture is None:
            raise Refusal("cannot_see")
        harmless = dataclasses.replace(message, attached=self.neutral(message.attached))
        pictures = (self._picture or "") * len(message.images)
        return dataclasses.replace(
            message, content=pictures + harmless.whole, attached="", images=()
        )

    def neutral(self, text: str) -> str:
        """The same to read, with every special token's text broken up."""
        if self._pattern is None:
            texts = sorted({t for t in self._specials() if len(t) > 1}, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, texts)) or r"(?!)")
        return self._pattern.sub(lambda found: found[0][0] + _JOINT + found[0][1:], text)


def settled(form: AnswerForm) -> AnswerForm:
    """A schema leaves no room for thoughts before the answer, unless they were asked for."""
    if form.json_schema and form.thinking is None:
        return dataclasses.replace(form, thinking=False)
    return form


def check_tools(form: AnswerForm) -> None:
    """Before the template gets them, which may do anything with what is none. Raises Refusal."""
    if not form.tools:
        return
    try:
        tools = json.loads(form.tools)
    except (ValueError, RecursionError):
        tools = None
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise Refusal("bad_tools")
