"""A model's file before it is loaded: whether it may be, and what its header tells."""

from __future__ import annotations

from pathlib import Path

from openshelf.engine.interface import ModelFile, Probed
from openshelf.errors import CorruptModel, NotFound
from openshelf.gguf.header import read_header
from openshelf.licenses.clearance import Clearance


def probe_file(file: ModelFile) -> Probed:
    """Raises NotFound, CorruptModel."""
    header = read_header(Path(file.location))
    length = header.get("context_length")
    return Probed(
        name=str(header.metadata.get("general.name") or file.path),
        architecture=header.architecture,
        context_length=length if type(length) is int else None,
        has_template="tokenizer.chat_template" in header.metadata,
    )


def check_file(file: ModelFile, clearance: Clearance, policy_sha256: str) -> int:
    """When it was changed last (ns). Raises ClearanceRefused, NotFound, CorruptModel (another
    size)."""
    clearance.require(
        repo=file.repo,
        commit=file.commit,
        path=file.path,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        policy_sha256=policy_sha256,
    )
    try:
        found = Path(file.location).stat()
    except OSError as error:
        raise NotFound("file", file.location) from error
    if found.st_size != file.size_bytes:
        detail = f"{found.st_size} ≠ {file.size_bytes}"
        raise CorruptModel(file.location, "size_changed", detail)
    return found.st_mtime_ns
