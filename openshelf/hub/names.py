"""Names from strangers: which may become a file of ours, and where it then lies."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path, PurePosixPath

from openshelf.errors import UnsafeName

_REPO_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9_][A-Za-z0-9._-]{0,95}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)", re.IGNORECASE)
_FORBIDDEN = set('<>:"|?*\\')
"""Not possible on Windows; a library is carried from machine to machine."""
_LONGEST_PART_BYTES = 255
_LONGEST_PATH_BYTES = 1024


def is_repo_id(text: str) -> bool:
    """`OWNER/REPO` as the Hub allows them; `--` separates the two in the cache."""
    return bool(_REPO_ID.fullmatch(text)) and ".." not in text and "--" not in text


def check_repo_id(text: str) -> str:
    """`text` unchanged. Raises UnsafeName."""
    if not is_repo_id(text):
        raise UnsafeName(text)
    return text


def check_commit(text: str) -> str:
    """`text` unchanged where it is a full commit id. Raises UnsafeName."""
    if not _COMMIT.fullmatch(text):
        raise UnsafeName(text)
    return text


def check_sha256(text: str) -> str:
    """`text` unchanged where it is 64 hex digits. Raises UnsafeName."""
    if not _SHA256.fullmatch(text):
        raise UnsafeName(text)
    return text


def check_path(path: str) -> PurePosixPath:
    """`path` of a file in a repository, if it can be a file on every system. Raises UnsafeName."""
    parts = path.split("/")
    if len(_bytes(path)) > _LONGEST_PATH_BYTES or any(not _is_plain(part) for part in parts):
        raise UnsafeName(path)
    return PurePosixPath(*parts)


def safe_join(folder: Path, path: str) -> Path:
    """Where the file `path` of a repository lies below `folder`.

    Raises UnsafeName for names that would leave it (`..`, absolute, drives, links on the way) or
    that some system cannot hold.
    """
    joined = folder.joinpath(*check_path(path).parts)
    # A link that somebody put inside the folder must not lead the last step out of it.
    real_folder = os.path.realpath(folder)
    if os.path.commonpath([os.path.realpath(joined.parent), real_folder]) != real_folder:
        raise UnsafeName(path)
    return joined


def is_plain_name(text: str) -> bool:
    """Whether `text` can be the name of a file on every system."""
    return "/" not in text and _is_plain(text)


def _is_plain(part: str) -> bool:
    if part in ("", ".", "..") or part[-1] in ". " or part[0] == " ":
        return False
    if len(_bytes(part)) > _LONGEST_PART_BYTES:
        return False
    if any(mark in _FORBIDDEN or unicodedata.category(mark) in ("Cc", "Cf", "Cs") for mark in part):
        return False
    return not _RESERVED.fullmatch(part.split(".")[0].rstrip())


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
