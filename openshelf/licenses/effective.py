"""The result of the resolver: which licenses apply, and how that was found out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from openshelf.errors import CorruptSettings


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

    `kind` is license, use_policy or notice (what a publisher asks to be passed on); `repo` is
    where it was read, "" where it was not in a repository.
    """

    license: str
    url: str
    sha256: str
    bytes: int
    text: str | None = None
    commit: str | None = None
    kind: str = "license"
    repo: str = ""


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

    def as_json(self) -> dict[str, Any]:
        """Everything but the texts' content, for the manifest of what is installed."""
        bare = replace(self, texts=tuple(replace(text, text=None) for text in self.texts))
        return asdict(bare)


def effective_from_json(table: Mapping[str, Any]) -> EffectiveLicense:
    """The inverse of `EffectiveLicense.as_json`. Raises CorruptSettings for anything else.

    Unknown keys are left out, so that an older version can read what a newer one wrote.
    """
    try:
        lineage = tuple(LineageNode(**_known(LineageNode, node)) for node in table["lineage"])
        texts = tuple(LicenseText(**_known(LicenseText, text)) for text in table.get("texts", ()))
        plain: dict[str, Any] = _known(EffectiveLicense, table)
        plain.update(lineage=lineage, texts=texts)
        return EffectiveLicense(**plain)
    except (TypeError, KeyError, AttributeError) as error:
        raise CorruptSettings(detail=str(error), path="effective license") from error


def _known(kind: type, table: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `kind` in `table`. Raises TypeError for a value of another type."""
    values = {}
    for field in fields(kind):
        if field.name in table:
            value = table[field.name]
            value = tuple(value) if isinstance(value, list) else value
            fits = _FITS.get(str(field.type))
            if fits is not None and not fits(value):
                raise TypeError(field.name)
            values[field.name] = value
    return values


def _texts(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(text, str) for text in value)


_FITS: dict[str, Callable[[object], bool]] = {
    "str": lambda value: isinstance(value, str),
    "str | None": lambda value: value is None or isinstance(value, str),
    "int": lambda value: type(value) is int,
    "bool": lambda value: isinstance(value, bool),
    "tuple[str, ...]": _texts,
}
"""By the types as they are written above; tables inside of a table are looked at on their own."""
