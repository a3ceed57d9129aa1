"""The AI-BOM holds by the strict schema of CycloneDX 1.6, whatever is installed."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from openshelf.library.bom import BomContext, BomEntry, bom_json
from openshelf.library.installed import InstalledFile, InstalledModel
from openshelf.licenses.chain import VerifyReport
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.lineage import EffectiveLicense, RepoClaims, resolve
from openshelf.policy.organization import Organization, Policy
from openshelf.policy.rules import decide

LICENSES = load_licenses()
COMMIT = "5ab33fa0" * 5
VALIDATOR = JsonStrictValidator(SchemaVersion.V1_6)
POLICY = Policy(Organization(commercial=True), name="team", sha256="1" * 64)


def context(**changes: Any) -> BomContext:
    base = BomContext(
        datetime(2026, 11, 26, tzinfo=UTC),
        LICENSES,
        VerifyReport(3, "f" * 64),
        serial=uuid.UUID(int=5, version=4),
    )
    return replace(base, **changes)


def entry_of(license_: EffectiveLicense, repo: str = "p/m-GGUF", **changes: Any) -> BomEntry:
    model = InstalledModel(
        id=f"{repo}@5ab33fa0:m-Q4_K_M",
        repo=repo,
        commit=COMMIT,
        name="M",
        quant="Q4_K_M",
        files=tuple(
            InstalledFile(f"m-0000{n}-of-00002.gguf", f"/models/{n}", 5 + n, str(n) * 64)
            for n in (1, 2)
        ),
        license_expression=license_.expression,
        license_ids=license_.effective,
        record_id="record-1",
        source="hub",
        installed_at="2026-11-20T09:00:00Z",
        verified_at=None,
    )
    return BomEntry(replace(model, **changes), license_, decide(license_, LICENSES, POLICY))


def chain(*cards: dict[str, Any]) -> EffectiveLicense:
    nodes = [
        RepoClaims(f"o{n}/m{n}" if n else "p/m-GGUF", COMMIT if n < 2 else None, card=card)
        for n, card in enumerate(cards)
    ]
    known = {node.id: node for node in nodes}
    return resolve(nodes[0], known.get)


def bom(*entries: BomEntry, **changes: Any) -> dict[str, Any]:
    text = bom_json(entries, context(**changes))
    assert VALIDATOR.validate_str(text) is None
    value = json.loads(text)
    assert isinstance(value, dict)
    return value


def properties(component: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for entry in component["properties"]:
        found.setdefault(entry["name"].removeprefix("openshelf:"), []).append(entry["value"])
    return found


def said(component: dict[str, Any], how: str) -> set[str]:
    licenses = [entry["license"] for entry in component.get("licenses", ())]
    return {e.get("id") or e["name"] for e in licenses if e["acknowledgement"] == how}


def test_everything_stands_in_it() -> None:
    license_ = chain(
        {"license": "mit", "base_model": "o1/m1", "base_model_relation": "quantized"},
        {"license": "apache-2.0", "base_model": "o2/m2", "base_model_relation": "finetune"},
        {"license": "llama3.1"},
    )
    found = bom(entry_of(license_), revoked=frozenset({"record-1"}))
    assert (found["specVersion"], found["bomFormat"]) == ("1.6", "CycloneDX")
    (model,) = found["components"]
    assert model["type"] == "machine-learning-model"
    assert model["purl"] == f"pkg:huggingface/p/m-GGUF@{COMMIT}"
    assert said(model, "declared") == {"MIT"}
    llama = "LicenseRef-scancode-llama-3.1-license-2024"
    assert said(model, "concluded") == {"MIT", "Apache-2.0", llama}
    files = [(f["name"], f["hashes"][0]["content"], f["type"]) for f in model["components"]]
    assert files == [
        ("m-00001-of-00002.gguf", "1" * 64, "file"),
        ("m-00002-of-00002.gguf", "2" * 64, "file"),
    ]
    facts = properties(model)
    assert facts["acceptance_record"] == ["record-1"]
    assert facts["acceptance_revoked"] == ["true"]
    assert "label_conflict" in facts["flag"]
    assert facts["expression"] == [license_.expression]
    assert "llama3.1:display_badge" in facts["obligation"]
    ancestors = {a["purl"]: a for a in model["pedigree"]["ancestors"]}
    assert set(ancestors) == {f"pkg:huggingface/o1/m1@{COMMIT}", "pkg:huggingface/o2/m2"}
    assert said(ancestors["pkg:huggingface/o2/m2"], "declared") == {llama}
    assert properties(ancestors[f"pkg:huggingface/o1/m1@{COMMIT}"])["relation"] == ["finetune"]
    whole = properties(found["metadata"])
    assert whole["log_head_sha256"] == ["f" * 64]
    assert whole["policy_sha256"] == ["1" * 64]


@pytest.mark.parametrize("license_id", sorted(LICENSES))
def test_every_license(license_id: str) -> None:
    license_ = replace(chain({"license": "mit"}), effective=(license_id,))
    (model,) = bom(entry_of(license_))["components"]
    entry = LICENSES[license_id]
    assert said(model, "concluded") == {entry.spdx_symbol}


def test_a_license_that_nobody_knows_is_declared_as_it_was_written() -> None:
    license_ = chain({"license": "other", "license_name": "our <own> terms \u202e"})
    (model,) = bom(entry_of(license_))["components"]
    assert said(model, "declared") == {"our <own> terms"}


def test_a_file_of_ones_own_has_no_address() -> None:
    license_ = resolve(RepoClaims("m.gguf", card={"license": "mit"}), lambda _: None)
    (model,) = bom(entry_of(license_, "local", source="import", record_id=None))["components"]
    assert "purl" not in model
    assert (model["name"], "group" in model) == ("M", False)
    assert "acceptance_record" not in properties(model)


def test_nothing_and_many() -> None:
    assert "components" not in bom()
    license_ = chain({"license": "mit", "base_model": "o1/m1"}, {"license": "mit"})
    many = [entry_of(license_, id=f"m{n}") for n in range(20)]
    assert len(bom(*many)["components"]) == 20


def test_the_same_again_is_the_same() -> None:
    entry = entry_of(chain({"license": "gemma"}))
    assert bom_json([entry], context()) == bom_json([entry], context())
