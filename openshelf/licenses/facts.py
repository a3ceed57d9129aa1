"""Reads the license facts of resources/licenses: one TOML file per license."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from openshelf.errors import CorruptSettings
from openshelf.licenses.license import (
    Fact,
    License,
    LicenseIds,
    NamingRule,
    Obligation,
    Permission,
    RegionRestriction,
    Source,
    TextPiece,
    Threshold,
    UsePolicy,
)
from openshelf.paths import resources


def licenses_folder() -> Path:
    return resources() / "licenses"


def load_licenses(folder: Path | None = None) -> Mapping[str, License]:
    """All licenses by id, read once per process for the shipped folder.

    Raises CorruptSettings naming the file that breaks the schema.
    """
    return _shipped_licenses() if folder is None else _read_folder(folder)


def licenses_sha256(folder: Path | None = None) -> str:
    """Hash over the fact files, so that a record can say which facts it rests on."""
    digest = hashlib.sha256()
    for path in sorted((folder or licenses_folder()).glob("*.toml")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@cache
def _shipped_licenses() -> Mapping[str, License]:
    return _read_folder(licenses_folder())


def _read_folder(folder: Path) -> Mapping[str, License]:
    licenses: dict[str, License] = {}
    for path in sorted(folder.glob("*.toml")):
        try:
            entry = license_from_table(tomllib.loads(path.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorruptSettings(detail=str(error), path=str(path)) from error
        licenses[entry.id] = entry
    return MappingProxyType(licenses)


def license_from_table(table: Mapping[str, Any]) -> License:
    """One license from its TOML table (resources/licenses/schema/license.json)."""
    outputs = table["outputs"]
    permissions = tuple(
        Permission(entry["text"], entry["ref"], entry["fact"]) for entry in table.get("may", ())
    )
    policy = table.get("use_policy")
    naming = table.get("naming")
    return License(
        id=table["id"],
        name=table["name"],
        version=table.get("version"),
        licensor=table["licensor"],
        licensor_region=table.get("licensor_region"),
        license_class=table["class"],
        ids=_ids(table["ids"], table.get("text", {})),
        osi_approved=table.get("osi_approved"),
        commercial_use=_fact(table["commercial_use"]),
        train_other_models=Fact(outputs["train_other_models"], outputs.get("ref")),
        obligations=tuple(_obligation(entry) for entry in table.get("obligation", ())),
        thresholds=tuple(_threshold(entry) for entry in table.get("threshold", ())),
        regions=tuple(_region(entry) for entry in table.get("region", ())),
        naming_rule=NamingRule(**_tuples(naming)) if naming else None,
        use_policy_url=policy["url"] if policy else None,
        may=tuple(permission.text for permission in permissions),
        note=table.get("note"),
        sources=tuple(Source(**entry) for entry in table["source"]),
        reviewed=str(table["reviewed"]),
        unsure_fields=tuple(table.get("unsure_fields", ())),
        permissions=permissions,
        use_policy=UsePolicy(**policy) if policy else None,
        outputs_ownership=outputs.get("ownership", ""),
        outputs_text=outputs.get("text", ""),
        terms={name: _fact(entry) for name, entry in table.get("terms", {}).items()},
        field_of_use=tuple(table.get("field_of_use", ())),
        example_models=tuple(table.get("example_models", ())),
        hub_gating_seen=table.get("hub_gating_seen", ""),
    )


def _ids(table: Mapping[str, Any], text: Mapping[str, Any]) -> LicenseIds:
    return LicenseIds(
        **{"spdx": None, **_tuples(table)},
        title_phrases=tuple(text.get("title_phrases", ())),
        required_phrases=tuple(text.get("required", ())),
        forbidden_phrases=tuple(text.get("forbidden", ())),
        max_words=text.get("max_words"),
        sha256_known=tuple(text.get("sha256_known", ())),
        is_title_general=text.get("is_title_general", False),
        pieces=tuple(TextPiece(**_tuples(piece)) for piece in text.get("piece", ())),
    )


def _fact(table: Mapping[str, Any]) -> Fact:
    return Fact(table["value"], table.get("ref"))


def _obligation(table: Mapping[str, Any]) -> Obligation:
    return Obligation(**_tuples(table))


def _threshold(table: Mapping[str, Any]) -> Threshold:
    return Threshold(**_tuples(table))


def _region(table: Mapping[str, Any]) -> RegionRestriction:
    return RegionRestriction(**_tuples(table))


def _tuples(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
