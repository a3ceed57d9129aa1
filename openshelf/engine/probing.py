"""What a model's file tells of itself before it is loaded; reads only its header."""

from __future__ import annotations

from pathlib import Path

from openshelf.engine.interface import ModelFile, Probed
from openshelf.gguf.header import read_header


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
