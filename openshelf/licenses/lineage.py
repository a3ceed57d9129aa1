"""From what the Hub and a file say to the licenses that apply, along the chain of base models.

Pure functions over plain data; `hub/` and `gguf/` fetch what they work on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class RepoClaims:
    """Everything one repository (a node of the lineage) says about its license.

    `card` is the YAML head of the model card as the Hub returns it; `license_text` is the content
    of its LICENSE file where it was read; `gguf` holds general.* keys of a file's header;
    `declared` is what our own catalog says, used where nothing else is at hand.
    """

    id: str
    commit: str | None = None
    card: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    license_text: str | None = None
    gguf: Mapping[str, Any] = field(default_factory=dict)
    gated: bool = False
    region: str | None = None
    declared: str | None = None


@dataclass(frozen=True)
class LineageNode:
    """`relation` is quantized, finetune, adapter, merge, or base for the last of the chain."""

    repo: str
    commit: str | None
    relation: str
    license: str
    region: str | None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class LicenseText:
    """A text that was (or can be) shown. `sha256` is empty as long as it was not read."""

    license: str
    url: str
    sha256: str
    bytes: int
    text: str | None = None
    commit: str | None = None


@dataclass(frozen=True)
class EffectiveLicense:
    """The union along the chain: what applies to whoever installs this model."""

    effective: tuple[str, ...]
    expression: str
    flags: tuple[str, ...]
    lineage: tuple[LineageNode, ...]
    texts: tuple[LicenseText, ...] = ()
    disputed: tuple[str, ...] = ()
    declared_names: tuple[str, ...] = ()
    """What was written where the license is not one we know, for showing."""
    multimodal: bool = False
