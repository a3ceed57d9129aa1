"""Reads resources/catalog/*.toml, one file per family, strictly: a misspelled field is an error."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openshelf import paths
from openshelf.catalog.entries import (
    BaseModel,
    Catalog,
    CatalogModel,
    CatalogShape,
    Family,
    Key,
    Languages,
    Openness,
    Tradeoffs,
)
from openshelf.catalog.fields import Table, read_table
from openshelf.errors import CorruptCatalog

FILE_FORMAT = 1
_FILE = Table(required={"format": int, "families": list}, optional={})
_FAMILY = Table(
    required={"id": str, "name": str, "publisher": str, "reviewed": str, "models": list},
    optional={"origin": str, "order": int, "bases": list, "tradeoffs": dict},
)
_TRADEOFFS = Table(
    required={
        "openness": str, "license": str, "strength": str, "weakness": str, "source": str,
        "judgement": [str], "unverified": [str],
    },
    optional={"languages": str},
)  # fmt: skip
_BASE = Table(
    required={"repo": str, "license": str, "source": str},
    optional={"origin": str, "verified": bool},
)
_MODEL = Table(
    required={
        "id": str, "name": str, "label": str, "hub_repo": str, "license": str,
        "modalities": [str], "capabilities": [str], "openness": dict,
        "unverified": [str], "shape": dict,
    },
    optional={
        "parameters": int, "active_parameters": int, "weights_count": int, "license_note": str,
        "release_date": str, "languages": dict, "notes": str, "attention_note": str,
        "source": str, "shape_source": str, "native_quant": str, "hub_model_type": str,
        "specialty": ("code", "math", "vision"),
        "unsure": bool, "lineage": [str], "lineage_source": str, "gguf": list,
    },
)  # fmt: skip
_SHAPE = Table(
    required={"attention": ("full", "other"), "completeness": ("complete", "partial")},
    optional={
        "architecture": str, "n_layers": int, "n_embd": int, "n_head": int, "n_head_kv": int,
        "head_dim": int, "n_vocab": int, "n_expert": int, "n_expert_used": int,
        "context_length": int, "n_ff": int, "expert_n_ff": int, "tied_embeddings": bool,
        "gguf_weights": int, "beside_weights": int, "keys": dict,
    },
)  # fmt: skip
_LANGUAGES = Table(required={}, optional={"count": int, "codes": [str], "basis": str})
_OPENNESS = Table(required={"weights": bool, "training_data": str, "code": str}, optional={})
_GGUF = Table(required={"repo": str, "evidence": [str]}, optional={"quants": [str]})


def load_catalog(folder: Path | None = None) -> Catalog:
    """All families of `folder` (default: the shipped ones), by their `order`.

    Raises CorruptCatalog with the file and the place in it.
    """
    folder = paths.resources() / "catalog" if folder is None else folder
    families = [read_family(path) for path in sorted(folder.glob("*.toml"))]
    if not families:
        raise CorruptCatalog(path=str(folder), detail="no family in this folder")
    _refuse_duplicates(families, folder)
    families.sort(key=lambda family: (family.order, family.name.casefold()))
    return Catalog(tuple(families), as_of=min(family.reviewed for family in families))


def read_family(path: Path) -> Family:
    """One family's file. Raises CorruptCatalog."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return _family(data)
    except (OSError, ValueError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise CorruptCatalog(path=path.name, detail=str(error)) from error


def read_catalog_file(text: str) -> tuple[Family, ...]:
    """The families of a catalog in one file: JSON, `{"format": 1, "families": [...]}`, each of them
    with the fields of a shipped file. Raises CorruptCatalog."""
    where = "catalog"
    try:
        data = read_table(json.loads(text), _FILE, where)
        if data["format"] != FILE_FORMAT:
            raise ValueError(f"{where}.format is {data['format']}, not {FILE_FORMAT}")
        families = [_family(row) for row in data["families"]]
    except (ValueError, RecursionError) as error:
        raise CorruptCatalog(path=where, detail=str(error)[:300]) from error
    if not families:
        raise CorruptCatalog(path=where, detail="no family in this file")
    _refuse_duplicates(families, Path(where))
    return tuple(families)


def _refuse_duplicates(families: list[Family], folder: Path) -> None:
    seen: set[str] = set()
    for family in families:
        for name in (family.id, *(model.hub_repo.casefold() for model in family.models)):
            if name in seen:
                raise CorruptCatalog(path=str(folder), detail=f"{name} occurs twice")
            seen.add(name)


def _family(data: Mapping[str, Any]) -> Family:
    row = read_table(data, _FAMILY, "family")
    return Family(
        id=row["id"],
        name=row["name"],
        publisher=row["publisher"],
        origin=row.get("origin"),
        order=row.get("order", 1000),
        reviewed=row["reviewed"],
        models=tuple(_model(model, index) for index, model in enumerate(row["models"])),
        bases=tuple(_base(base, index) for index, base in enumerate(row.get("bases", ()))),
        tradeoffs=_tradeoffs(row["tradeoffs"]) if "tradeoffs" in row else None,
    )


def _tradeoffs(data: Any) -> Tradeoffs:
    row = dict(read_table(data, _TRADEOFFS, "tradeoffs"))
    for name in ("judgement", "unverified"):
        row[name] = tuple(row[name])
    return Tradeoffs(**{"languages": None, **row})


def _base(data: Any, index: int) -> BaseModel:
    row = read_table(data, _BASE, f"bases[{index}]")
    return BaseModel(**{"origin": None, "verified": False, **row})


def _model(data: Any, index: int) -> CatalogModel:
    where = f"models[{index}]"
    row = read_table(data, _MODEL, where)
    gguf = [
        read_table(entry, _GGUF, f"{where}.gguf[{number}]")
        for number, entry in enumerate(row.get("gguf", ()))
    ]
    return CatalogModel(
        id=row["id"],
        name=row["name"],
        label=row["label"],
        hub_repo=row["hub_repo"],
        gguf_repos=tuple(entry["repo"] for entry in gguf),
        gguf_evidence=tuple(tuple(entry["evidence"]) for entry in gguf),
        gguf_quants=tuple(tuple(entry["quants"]) if "quants" in entry else None for entry in gguf),
        native_quant=row.get("native_quant"),
        shape=_shape(row["shape"], f"{where}.shape"),
        parameters=row.get("parameters"),
        active_parameters=row.get("active_parameters"),
        weights_count=row.get("weights_count"),
        license=row["license"],
        license_note=row.get("license_note"),
        languages=_languages(row.get("languages", {}), f"{where}.languages"),
        modalities=tuple(row["modalities"]),
        capabilities=tuple(row["capabilities"]),
        specialty=row.get("specialty"),
        release_date=row.get("release_date"),
        lineage=tuple(row.get("lineage", ())),
        lineage_source=row.get("lineage_source"),
        unverified=tuple(row["unverified"]),
        openness=Openness(**read_table(row["openness"], _OPENNESS, f"{where}.openness")),
        notes=row.get("notes"),
        attention_note=row.get("attention_note"),
        hub_model_type=row.get("hub_model_type"),
        shape_source=row.get("shape_source"),
        source=row.get("source", ""),
        is_unsure=row.get("unsure", False),
    )


def _shape(data: Any, where: str) -> CatalogShape:
    row = dict(read_table(data, _SHAPE, where))
    is_complete = row.pop("completeness") == "complete"
    counts = ("architecture", "n_layers", "n_embd", "n_head", "n_head_kv", "head_dim", "n_vocab")
    known = {name: row.pop(name, None) for name in counts}
    keys = _keys(row.pop("keys", {}), f"{where}.keys")
    shape = CatalogShape(**known, **row, is_complete=is_complete, keys=keys)
    if is_complete and shape.text_weights is None:
        raise ValueError(f"{where} is called complete and lacks a count")
    return shape


def _keys(data: Mapping[str, Any], where: str) -> tuple[tuple[str, Key], ...]:
    """Keys of a header; numbers, and arrays of whole numbers with one for each layer."""
    keys: dict[str, Key] = {}
    for name, value in data.items():
        is_array = isinstance(value, list) and all(type(item) in (int, bool) for item in value)
        if not is_array and type(value) not in (int, float, bool):
            raise ValueError(f"{where}.{name} is {value!r}, which is no key of a header")
        keys[name] = tuple(int(item) for item in value) if is_array else value
    return tuple(sorted(keys.items()))


def _languages(data: Any, where: str) -> Languages:
    row = read_table(data, _LANGUAGES, where)
    return Languages(row.get("count"), tuple(row.get("codes", ())), row.get("basis"))
