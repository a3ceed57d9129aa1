"""A file that is written while it comes: what is hashed is what was written."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from pathlib import Path
from typing import Any

import pytest

from openshelf import wording
from openshelf.errors import UsageError
from openshelf.hub import part_file
from openshelf.hub.cache_layout import place_of
from openshelf.hub.entries import DownloadFile
from openshelf.hub.part_file import PartFile, disk_failure
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


@pytest.mark.parametrize(
    ("number", "needed", "words"),
    [
        (errno.EFBIG, 2_000_000, "no file as large"),
        (errno.EDQUOT, 2_000_000, "quota"),
        (errno.ENOSPC, 2_000_000, "inodes"),
        (errno.ENOSPC, 1 << 60, "are needed"),
        (errno.EROFS, 5, "Read-only"),
        (errno.ENODEV, 5, "cannot be written"),
        (errno.EIO, 5, "cannot be written"),
    ],
)
def test_what_a_disk_refuses_is_said_as_it_is(
    tmp_path: Path, number: int, needed: int, words: str
) -> None:
    """With room for the first: `75 GB are free, and 2 MB are needed` helps nobody."""
    error = disk_failure(OSError(number, os.strerror(number)), tmp_path, needed)
    assert words in wording.error_sentence(error)
    assert str(tmp_path) in wording.error_sentence(error)


def test_a_part_that_cannot_be_read_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drive that is pulled out while the beginning is hashed."""

    def gone(*arguments: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(part_file, "_hash_rest", gone)
    file = DownloadFile("ada/Small-GGUF", "1" * 40, "x.gguf", 100, "1" * 64)
    with pytest.raises(UsageError) as error:
        part_file.PartFile(place_of(tmp_path, file), file, lambda done: None)
    assert "Input/output error" in wording.error_sentence(error.value)
