"""A file is the old one or the new one, never a half."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from openshelf import durable


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    durable.replace_file(path, b"one")
    durable.replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    durable.replace_file(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        durable.replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_private_files_are_for_their_owner(tmp_path: Path) -> None:
    durable.replace_file(tmp_path / "file", b"x", is_private=True)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_opened_is_no_failure(tmp_path: Path) -> None:
    durable.sync_folder(tmp_path / "nowhere")


def test_a_device_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "null"
    path.write_bytes(b"stands for one: nobody wants to lose a real one")
    monkeypatch.setattr(Path, "is_char_device", lambda self: self == path)
    with pytest.raises(OSError, match="device"):
        durable.replace_file(path, b"new")
    assert path.read_bytes().startswith(b"stands")
