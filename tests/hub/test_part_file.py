"""A file that is written while it comes: what is hashed is what was written."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

from openshelf.hub.cache_layout import place_of
from openshelf.hub.entries import DownloadFile
from openshelf.hub.part_file import PartFile
from tests.hub.downloading import PATH, REPO, some_bytes


class Hesitant(io.RawIOBase):
    """Takes no more than a part of what it is given, as a disk with a quota may."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, data: Any, /) -> int:
        return int(self._file.write(data[: max(1, len(data) * 2 // 3)]))

    def fileno(self) -> int:
        return int(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def test_a_disk_that_takes_less_than_it_is_given(tmp_path: Path) -> None:
    content = some_bytes(3_000_000)
    file = DownloadFile(REPO, "a" * 40, PATH, len(content), hashlib.sha256(content).hexdigest())
    place = place_of(tmp_path, file)
    part = PartFile(place, file, lambda _: None)
    part._handle = Hesitant(part._handle)  # type: ignore[assignment]
    while part.missing_bytes:
        room = part.room(1 << 20)
        room[:] = content[part.length : part.length + len(room)]
        part.append(len(room))
    part.finish()
    assert place.blob.read_bytes() == content
