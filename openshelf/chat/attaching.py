"""Reads a file that is to go along with a question: text here, PDFs and pictures in a child.

The child may hang, grow or die of what it reads; each has a limit, and a reason for a person.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from pathlib import Path

from openshelf.chat.attachments import Attachment, AttachmentKind
from openshelf.chat.counting import guessed
from openshelf.chat.titles import one_line, storable
from openshelf.children import Door, child_command, child_environment
from openshelf.errors import BadAttachment
from openshelf.tasks import CancelToken

MOST_TEXT_BYTES = 4_000_000
MOST_FILE_BYTES = 64_000_000
MOST_CHARACTERS = 2_000_000
MOST_ATTACHED = 10
CHILD_SECONDS = 30.0
MOST_CHILD_BYTES = 24_000_000
_MOST_NAME = 120
_PDF = b"%PDF-"
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"RIFF")
_OTHERS = (b"PK\x03\x04", b"\x7fELF", b"MZ", b"\x1f\x8b", b"GGUF", b"\xd0\xcf\x11\xe0")
_POLL_SECONDS = 0.05


def read_attachment(path: Path, cancel: CancelToken) -> Attachment:
    """The file as it goes along with a question. Raises BadAttachment, CancelledByUser."""
    name = one_line(path.name)[:_MOST_NAME] or "file"
    try:
        if not path.is_file():  # a pipe or a device would never end
            kind = "not_a_file" if path.exists() else "missing"
            raise BadAttachment("", str(path), kind)
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(16)
            if start.startswith(_PDF):
                return _by_child(AttachmentKind.PDF, path, name, size, cancel)
            if _is_picture(start):
                return _by_child(AttachmentKind.IMAGE, path, name, size, cancel)
            _refuse_large(path, size, MOST_TEXT_BYTES)
            data = start + file.read(MOST_TEXT_BYTES)
    except OSError as error:
        detail = error.strerror or type(error).__name__
        raise BadAttachment(detail, str(path), "unreadable") from error
    return _plain(path, name, data)


def _is_picture(start: bytes) -> bool:
    if start.startswith(b"RIFF"):
        return start[8:12] == b"WEBP"
    return start.startswith(_PICTURES)


def _refuse_large(path: Path, size: int, most: int) -> None:
    if size > most:
        raise BadAttachment(f"{most // 1_000_000} MB", str(path), "too_large")


def _plain(path: Path, name: str, data: bytes) -> Attachment:
    """Text in UTF-8 or UTF-16, else in the letters of Windows; nothing that holds other bytes."""
    if data.startswith(_OTHERS):
        raise BadAttachment("", str(path), "not_text")
    text: str | None = None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    elif b"\0" in data:
        raise BadAttachment("", str(path), "not_text")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252", "replace")
    return _attachment(AttachmentKind.TEXT, path, name, text, {"bytes": len(data)})


def _attachment(
    kind: AttachmentKind, path: Path, name: str, text: str, facts: dict[str, int]
) -> Attachment:
    text = "\n".join(storable(text).replace("\0", "").splitlines()).strip()
    if not text:
        raise BadAttachment("", str(path), "no_text" if kind is AttachmentKind.PDF else "empty")
    if len(text) > MOST_CHARACTERS:
        facts["characters_cut"] = len(text) - MOST_CHARACTERS
        text = text[:MOST_CHARACTERS]
    return guessed(Attachment(kind, name, text, facts=facts))


# --- the child ----------------------------------------------------------------------------------


def _by_child(
    kind: AttachmentKind, path: Path, name: str, size: int, cancel: CancelToken
) -> Attachment:
    _refuse_large(path, size, MOST_FILE_BYTES)
    answer = _ask_child(kind, path, cancel)
    head, _, content = answer.partition(b"\n")
    try:
        told = json.loads(head)
        why = str(told.pop("why", ""))
        detail = str(told.pop("detail", ""))[:300]
        facts = {str(key): int(value) for key, value in told.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise BadAttachment("", str(path), "broken") from None
    if why:
        raise BadAttachment(detail, str(path), why)
    facts["bytes"] = size
    if kind is AttachmentKind.PDF:
        return _attachment(kind, path, name, content.decode("utf-8", "replace"), facts)
    if not content.startswith((b"\x89PNG", b"\xff\xd8\xff")):
        raise BadAttachment("", str(path), "broken")
    return guessed(Attachment(kind, name, data=content, facts=facts))


def _ask_child(kind: AttachmentKind, path: Path, cancel: CancelToken) -> bytes:
    """All that the child prints. Raises BadAttachment (too_slow, broken), CancelledByUser."""
    child = subprocess.Popen(
        [*child_command(Door.ATTACHMENT, kind.value, str(path.absolute()))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=child_environment(),
    )
    collected: list[bytes] = []
    reader = threading.Thread(target=_collect, args=(child, collected), daemon=True)
    reader.start()
    deadline = time.monotonic() + CHILD_SECONDS
    while reader.is_alive() and time.monotonic() < deadline and not cancel.is_cancelled:
        reader.join(_POLL_SECONDS)
    is_late = reader.is_alive()
    child.kill()
    child.wait()
    reader.join()
    cancel.raise_if_cancelled()
    if is_late:
        raise BadAttachment(f"{CHILD_SECONDS:.0f}", str(path), "too_slow")
    answer = b"".join(collected)
    if len(answer) > MOST_CHILD_BYTES:
        raise BadAttachment("", str(path), "broken")
    return answer


def _collect(child: subprocess.Popen[bytes], collected: list[bytes]) -> None:
    stream = child.stdout
    if stream is None:
        return
    with stream:
        length = 0
        while length <= MOST_CHILD_BYTES and (piece := stream.read(1 << 20)):
            collected.append(piece)
            length += len(piece)
