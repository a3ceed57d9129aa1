"""PDFs and pictures for the tests, right ones and hostile ones, written byte by byte."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

from PIL import Image
from pypdf import PdfReader, PdfWriter


def pdf_with(*pages: str, stream: bytes | None = None, filters: str = "", kids: str = "") -> bytes:
    """Each text on a page of its own; `stream` replaces the content of the first page, `kids`
    the list of pages."""
    numbers = [4 + 2 * index for index in range(len(pages))]
    listed = kids or " ".join(f"{number} 0 R" for number in numbers)
    objects = {
        1: b"<</Type/Catalog/Pages 2 0 R>>",
        2: f"<</Type/Pages/Kids[{listed}]/Count {len(pages)}>>".encode(),
        3: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    }
    for number, text in zip(numbers, pages, strict=True):
        objects[number] = (
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents {number + 1} 0 R"
            "/Resources<</Font<</F 3 0 R>>>>>>"
        ).encode()
        content = f"BT /F 12 Tf 50 700 Td ({text}) Tj ET".encode()
        if stream is not None and number == numbers[0]:
            content = stream
        head = f"<</Length {len(content)}{filters}>>stream\n".encode()
        objects[number + 1] = head + content + b"\nendstream"
    return _file(objects)


def _file(objects: dict[int, bytes]) -> bytes:
    out = bytearray(b"%PDF-1.7\n")
    places = {}
    for number, body in sorted(objects.items()):
        places[number] = len(out)
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    for number in sorted(objects):
        out += f"{places[number]:010d} 00000 n \n".encode()
    out += f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\n".encode()
    return bytes(out) + f"startxref\n{start}\n%%EOF\n".encode()


def locked_pdf() -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf_with("secret"))))
    writer.encrypt("a password", algorithm="RC4-128")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def bomb_pdf(megabytes: int) -> bytes:
    """A page whose content unpacks to so much."""
    packed = zlib.compress(b"BT " + b" " * (megabytes << 20), 9)
    return pdf_with("x", stream=packed, filters="/Filter/FlateDecode")


def endless_pdf() -> bytes:
    """A page tree that holds itself."""
    return pdf_with("x", kids="2 0 R 2 0 R 4 0 R")


def slow_pdf() -> bytes:
    """A page that draws millions of letters one by one."""
    drawn = b"BT /F 12 Tf " + b"1 0 Td (a) Tj " * 3_000_000 + b"ET"
    return pdf_with("x", stream=zlib.compress(drawn, 9), filters="/Filter/FlateDecode")


def png_of(width: int, height: int) -> bytes:
    """A head that claims this size, and hardly any pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [
        _chunk(b"IHDR", head),
        _chunk(b"IDAT", zlib.compress(b"\0" * 64)),
        _chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def photo(width: int = 80, height: int = 40) -> bytes:
    """A JPEG that lies on its side, with the place where it was taken."""
    picture = Image.new("RGB", (width, height), "white")
    picture.paste((220, 20, 20), (0, 0, width // 2, height))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it to the right
    exif[0x010F] = "A CAMERA OF MINE"
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 0.0)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif, comment=b"a comment of mine", quality=95)
    return buffer.getvalue()


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
