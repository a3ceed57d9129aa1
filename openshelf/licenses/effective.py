"""The result of the resolver: which licenses apply, and how that was found out."""

from __future__ import annotations

from dataclasses import dataclass


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
    """A text that was (or can be) shown. `sha256` is empty as long as it was not read.

    `kind` is license or use_policy.
    """

    license: str
    url: str
    sha256: str
    bytes: int
    text: str | None = None
    commit: str | None = None
    kind: str = "license"


@dataclass(frozen=True)
class EffectiveLicense:
    """The union along the chain: what applies to whoever installs this model.

    `vendor_regions` are those of everyone who made a part of it (packagers are not meant),
    `unknown_vendors` the repositories among them of which no region is known.
    """

    effective: tuple[str, ...]
    expression: str
    flags: tuple[str, ...]
    lineage: tuple[LineageNode, ...]
    texts: tuple[LicenseText, ...] = ()
    disputed: tuple[str, ...] = ()
    declared_names: tuple[str, ...] = ()
    """What was written where the license is not one we know, for showing."""
    multimodal: bool = False
    vendor_regions: tuple[str, ...] = ()
    unknown_vendors: tuple[str, ...] = ()
