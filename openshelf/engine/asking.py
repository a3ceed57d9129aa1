"""What an answer is asked for with: the messages, how tokens are drawn, what the answer is like."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_IMAGES = 16
"""Of all messages of a question to the engine together."""
MOST_ANSWER = 16 << 20
"""Bytes of one answer: 100,000 tokens make a twentieth of it. A vocabulary may hold tokens of any
length and a server may send anything, and whoever shows an answer has it in memory."""


@dataclass(frozen=True)
class AnswerForm:
    """What the answer is to be like, besides how its tokens are drawn.

    `thinking` and `effort` (low, medium, high) reach templates that know them; None and "" leave
    it to the template. `json_schema` and `tools` are JSON texts or empty: the answer keeps to the
    first, and of the second the model is told.
    """

    thinking: bool | None = None
    effort: str = ""
    json_schema: str = ""
    tools: str = ""


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn; a `seed` of None is another one each time. `max_tokens` 0 goes
    on to the end of the context."""

    temperature: float = 0.7
    top_p: float = 0.95
    top_k: int = 40
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    max_tokens: int = 1024
    seed: int | None = None
    stop: tuple[str, ...] = ()
    form: AnswerForm = field(default_factory=AnswerForm)


@dataclass(frozen=True)
class ChatMessage:
    """`role` is system, user or assistant; an assistant's at the end is gone on with.

    `attached` is the text of files, before the content: in it no token has a meaning of its own.
    `images` are PNG or JPEG files in base64, shown before all text.
    """

    role: str
    content: str
    attached: str = ""
    images: tuple[str, ...] = ()

    @property
    def whole(self) -> str:
        """What was attached and what was written, as one text."""
        return f"{self.attached}\n\n{self.content}" if self.attached else self.content
