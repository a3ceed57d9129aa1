"""What a file of another program is offered as: with its projector, and with what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from openshelf.errors import CorruptModel, NotFound
from openshelf.gguf.companions import is_projector_of
from openshelf.gguf.header import Header, read_header
from openshelf.library.foreign import ForeignModel
from openshelf.licenses.ancestry import header_parents
from openshelf.licenses.lineage import RepoClaims


def with_projector(found: ForeignModel, header: Header) -> ForeignModel:
    """With the file by which it sees, where that is one and belongs to it."""
    if found.projector is None:
        return found
    try:
        if not is_projector_of(read_header(found.projector), header):
            return found
    except (CorruptModel, NotFound):
        return found
    return replace(
        found,
        paths=(*found.paths, found.projector),
        names=(*found.names, found.projector_name),
    )


def claims_of(found: ForeignModel, gguf: Mapping[str, Any], commit: str) -> RepoClaims:
    """What a file says of itself, and what is told where it lies: neither hides the other."""
    own = RepoClaims(
        id=found.names[0].rpartition("/")[2],
        commit=commit,
        gguf=gguf,
        files=found.names,
        license_text=found.license_text,
        license_path=found.license_path,
    )
    if not found.repo:
        return own
    above = (found.repo, *header_parents(own))
    return replace(own, base_models=tuple(("quantized", repo) for repo in above))
