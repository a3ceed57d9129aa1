"""Attachments out of an exported chat: as hostile as the file that they come from."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import Any

from openshelf.chat.attaching import MOST_ATTACHED, MOST_CHARACTERS, read_attachment
from openshelf.chat.attachments import Attachment, AttachmentKind
from openshelf.chat.titles import one_line, storable
from openshelf.errors import BadAttachment
from openshelf.tasks import CancelToken

_MOST_NAME = 120
_MOST_FACTS = 12
_MOST_NUMBER = 1 << 40


def attachments_from(listed: object) -> tuple[Attachment, ...]:
    """Raises ValueError for whatever is no list of attachments."""
    if listed is None:
        return ()
    if not isinstance(listed, list) or len(listed) > MOST_ATTACHED:
        raise ValueError("no list")
    return tuple(_attachment(data) for data in listed)


def _attachment(data: Any) -> Attachment:
    if not isinstance(data, dict):
        raise ValueError("no object")
    kind = AttachmentKind(str(data.get("kind")))
    name, text = data.get("name"), data.get("text")
    if not isinstance(name, str) or not isinstance(text, str) or len(text) > MOST_CHARACTERS:
        raise ValueError("no text")
    tokens = _number(data.get("tokens"))
    name = one_line(name)[:_MOST_NAME] or "file"
    if kind is AttachmentKind.IMAGE:
        return _picture(name, data.get("data"), tokens)
    return Attachment(
        kind, name, storable(text), b"", tokens, data.get("counted") is True,
        _facts(data.get("facts")),
    )  # fmt: skip


def _picture(name: str, data: object, tokens: int) -> Attachment:
    """Read anew as any picture is: what the file says it is counts for nothing."""
    raw = base64.b64decode(str(data), validate=True)
    with tempfile.TemporaryDirectory(prefix="openshelf-") as folder:
        path = Path(folder) / "picture"
        path.write_bytes(raw)
        try:
            found = read_attachment(path, CancelToken())
        except BadAttachment as error:
            raise ValueError(error.why) from error
    if found.kind is not AttachmentKind.IMAGE:
        raise ValueError("no picture")
    return Attachment(AttachmentKind.IMAGE, name, "", found.data, tokens, False, found.facts)


def _facts(data: object) -> dict[str, int]:
    if not isinstance(data, dict) or len(data) > _MOST_FACTS:
        raise ValueError("no facts")
    return {one_line(str(key))[:40]: _number(value) for key, value in data.items()}


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _MOST_NUMBER:
        raise ValueError("no number")
    return value
