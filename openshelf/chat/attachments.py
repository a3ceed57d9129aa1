"""Files that come with a question: what is kept of them, and how the model is shown them.

What is inside is a stranger's. It reaches the model as text between marks that it cannot close.
"""

from __future__ import annotations

import base64
import enum
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from openshelf.reasons import Reason

_CLOSING = re.compile(r"<(?=/?document\b)", re.IGNORECASE)
IMAGE_TOKENS = 1024
"""Reckoned for a picture before the model has counted it; most encoders make 256 to 1,500."""


class AttachmentKind(enum.StrEnum):
    TEXT = "text"
    PDF = "pdf"
    IMAGE = "image"


@dataclass(frozen=True)
class Attachment:
    """`text` is what is read to the model, `data` the picture as PNG or JPEG; lists of messages
    leave both out. `tokens` are what it takes of the context, a guess until `is_counted`.

    `facts` are whole numbers to be shown: bytes (of the file), pages, pages_read, width, height,
    characters_cut.
    """

    kind: AttachmentKind
    name: str
    text: str = ""
    data: bytes = b""
    tokens: int = 0
    is_counted: bool = False
    facts: dict[str, int] = field(default_factory=dict)


def document_text(attachments: Iterable[Attachment]) -> str:
    """The texts as the model gets them, before the question; empty without any."""
    parts = []
    for one in attachments:
        if one.kind is AttachmentKind.IMAGE:
            continue
        name = one.name.replace('"', "'")
        text = _CLOSING.sub("<\u200b", one.text)
        parts.append(f'<document name="{name}">\n{text}\n</document>')
    return "\n\n".join(parts)


def images_in_base64(attachments: Iterable[Attachment]) -> tuple[str, ...]:
    return tuple(
        base64.b64encode(one.data).decode("ascii")
        for one in attachments
        if one.kind is AttachmentKind.IMAGE and one.data
    )


def reason_of_attachment(one: Attachment) -> Reason:
    """`msa-2026.pdf · 3,120 tokens`; a guess says so, and is not told of a picture."""
    kind = "attached_picture" if one.kind is AttachmentKind.IMAGE else "attached_file"
    own = {"attached_picture": "_counted"} if one.is_counted else {"attached_file": "_guessed"}
    return Reason(kind + own.get(kind, ""), {"name": one.name, "tokens": one.tokens})


def tokens_of(attachments: Sequence[Attachment]) -> int:
    return sum(one.tokens for one in attachments)
