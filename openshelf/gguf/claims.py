"""What a GGUF file says of its own license and origin: claims, to be weighed by the resolver."""

from __future__ import annotations

from typing import Any

from openshelf.gguf.header import Header

_PLAIN_KEYS = (
    "general.license",
    "general.license.name",
    "general.license.link",
    "general.name",
    "general.basename",
    "general.organization",
    "general.author",
    "general.source.url",
    "general.source.repo_url",
    "general.repo_url",
    "general.base_model.count",
    "general.quantized_by",
)
_PREFIXES = ("general.base_model.", "general.source.")


def read_license_claims(header: Header) -> dict[str, Any]:
    """The keys on license and lineage as they stand in the file: strings and integers only."""
    return {
        key: value
        for key, value in header.metadata.items()
        if (key in _PLAIN_KEYS or key.startswith(_PREFIXES)) and isinstance(value, str | int)
    }
