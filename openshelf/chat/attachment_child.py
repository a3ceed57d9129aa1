"""The child that reads a PDF or a picture: prints one JSON line of facts, then the content.

Strangers' files are read here under limits of memory and time; whatever they do to this process,
the app goes on.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

MOST_MEMORY = 1 << 30
"""Of its data, with what it has when it begins."""
MOST_CPU_SECONDS = 30
MOST_PAGES = 2_000
MOST_CHARACTERS = 2_000_000
PDF_SECONDS = 20.0
MOST_PIXELS = 64_000_000
LONGEST_SIDE = 1_568
"""Encoders scale what is larger down to less themselves."""
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
_PNG_BYTES = 1_500_000


class _Refused(Exception):
    """`why` is a code of BadAttachment."""

    def __init__(self, why: str, detail: str = "") -> None:
        super().__init__(why)
        self.why, self.detail = why, detail


def run_attachment(arguments: list[str]) -> int:
    """Entry of `Door.ATTACHMENT`: kind and path."""
    answers = os.fdopen(os.dup(1), "wb")
    sys.stdout = sys.stderr
    logging.disable()
    try:
        kind, path = arguments
        read = {"pdf": _read_pdf, "image": _read_image}[kind]
        _limit()
        facts, content = read(Path(path))
    except _Refused as refused:
        facts, content = {"why": refused.why, "detail": refused.detail}, b""
    except MemoryError:
        facts, content = {"why": "too_much_memory"}, b""
    except Exception as error:  # noqa: BLE001 (whatever a stranger's file makes a parser raise)
        facts, content = {"why": "broken", "detail": type(error).__name__}, b""
    _answer(answers, facts, content)
    return 0


def _answer(answers: BinaryIO, facts: dict[str, Any], content: bytes) -> None:
    with contextlib.suppress(OSError), answers:
        answers.write(json.dumps(facts).encode() + b"\n" + content)


def _limit() -> None:
    """No more memory, time, files or children than reading needs (where the system knows how)."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_SECONDS, MOST_CPU_SECONDS))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))


# --- PDF ----------------------------------------------------------------------------------------


def _read_pdf(path: Path) -> tuple[dict[str, Any], bytes]:
    """The text of its pages, as far as time and room allow, each headed by its number."""
    from pypdf import PdfReader
    from pypdf.errors import FileNotDecryptedError

    sys.setrecursionlimit(2_000)
    deadline = time.monotonic() + PDF_SECONDS
    try:
        reader = PdfReader(path, strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise _Refused("encrypted")
        count = len(reader.pages)
    except FileNotDecryptedError as error:
        raise _Refused("encrypted") from error
    parts: list[str] = []
    length = done = 0
    for number in range(min(count, MOST_PAGES)):
        if time.monotonic() > deadline or length > MOST_CHARACTERS:
            break
        text = _page_text(reader, number)
        done = number + 1
        if text:
            parts.append(f"[page {number + 1}]\n{text}")
            length += len(text)
    words = "\n\n".join(parts)[:MOST_CHARACTERS].encode("utf-8", "replace")
    return {"pages": count, "pages_read": done}, words


def _page_text(reader: Any, number: int) -> str:
    """Empty where one page cannot be read: the others may be."""
    try:
        return str(reader.pages[number].extract_text() or "").strip()
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001
        return ""


# --- pictures -----------------------------------------------------------------------------------


def _read_image(path: Path) -> tuple[dict[str, Any], bytes]:
    """Upright, at most LONGEST_SIDE, on white, without anything but its pixels."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    try:
        opened = Image.open(path, formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise _Refused("broken") from error
    except Image.DecompressionBombError as error:
        raise _Refused("too_many_pixels", f"{MOST_PIXELS // 1_000_000}") from error
    with opened:
        width, height = opened.size
        if width * height > MOST_PIXELS:
            raise _Refused("too_many_pixels", f"{MOST_PIXELS // 1_000_000}")
        opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a JPEG is decoded smaller at once
        upright = ImageOps.exif_transpose(opened)
        layered = upright.convert("RGBA") if "A" in upright.getbands() else upright
    layered.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    if layered.mode == "RGBA":
        ground = Image.new("RGB", layered.size, "white")
        ground.paste(layered, mask=layered.getchannel("A"))
    else:
        ground = layered.convert("RGB")
    # A new picture of the pixels alone: no metadata can come along.
    plain = Image.frombytes("RGB", ground.size, ground.tobytes())
    buffer = io.BytesIO()
    plain.save(buffer, "PNG", optimize=False)
    if buffer.tell() > _PNG_BYTES:
        buffer = io.BytesIO()
        plain.save(buffer, "JPEG", quality=90)
    return {"width": width, "height": height}, buffer.getvalue()
