"""What a person attached, put before what they wrote: as text, in which no token is special.

A file that holds `<|im_end|>` would otherwise end the question and speak for somebody else.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence

from openshelf.engine.asking import AnswerForm, ChatMessage

_JOINT = "\u200b"


class Composer:
    """Messages as the template gets them. `specials` lists the texts of the special tokens, once
    something is attached."""

    def __init__(self, specials: Callable[[], Iterable[str]]) -> None:
        self._specials = specials
        self._pattern: re.Pattern[str] | None = None

    def compose(self, messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
        return tuple(self._composed(message) for message in messages)

    def _composed(self, message: ChatMessage) -> ChatMessage:
        if not message.attached:
            return message
        harmless = dataclasses.replace(message, attached=self.neutral(message.attached))
        return dataclasses.replace(message, content=harmless.whole, attached="")

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
