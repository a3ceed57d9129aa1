"""What came with a question, in the three forms of an exported chat."""

from __future__ import annotations

import base64
import html
import re

from openshelf import wording
from openshelf.chat.attachments import Attachment, AttachmentKind
from openshelf.reasons import Reason

_TICKS = re.compile(r"`{3,}")


def attachment_line(one: Attachment) -> str:
    """`msa.pdf, 3,120 tokens`."""
    code = "chat_export.attached_image" if one.kind is AttachmentKind.IMAGE else "chat_export.file"
    return wording.sentence(Reason(code, {"name": one.name, "tokens": one.tokens}))


def as_data(one: Attachment) -> dict[str, object]:
    """For JSON: all of it, the picture in base64."""
    return {
        "kind": one.kind.value,
        "name": one.name,
        "tokens": one.tokens,
        "counted": one.is_counted,
        "facts": one.facts,
        "text": one.text,
        "data": base64.b64encode(one.data).decode("ascii"),
    }


def as_markdown(attachments: tuple[Attachment, ...]) -> str:
    """Names, and texts in fences that they cannot close; pictures by name only."""
    parts = []
    for one in attachments:
        parts.append(f"\n*{_plain(attachment_line(one))}*\n")
        if one.text:
            fence = "`" * max([3, *(len(found) + 1 for found in _TICKS.findall(one.text))])
            parts.append(f"{fence}text\n{one.text}\n{fence}\n")
    return "\n".join(parts)


def _plain(text: str) -> str:
    return re.sub(r"([*_`<>\[\]\\])", r"\\\1", text)


def as_html(attachments: tuple[Attachment, ...]) -> str:
    """Texts folded away, pictures inside of the page."""
    parts = []
    for one in attachments:
        name = html.escape(attachment_line(one))
        if one.kind is AttachmentKind.IMAGE:
            kind = "png" if one.data.startswith(b"\x89PNG") else "jpeg"
            data = base64.b64encode(one.data).decode("ascii")
            inner = f'<img alt="{html.escape(one.name)}" src="data:image/{kind};base64,{data}">'
        else:
            inner = f'<div class="text">{html.escape(one.text)}</div>'
        parts.append(f"<details><summary>{name}</summary>{inner}</details>")
    return "\n".join(parts)
