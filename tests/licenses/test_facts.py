"""The license facts: they load fast, follow their schema, and every fact has its clause."""

from __future__ import annotations

import json
import time
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from openshelf.errors import CorruptSettings
from openshelf.licenses.facts import licenses_folder, licenses_sha256, load_licenses
from openshelf.licenses.license import License

FILES = sorted(licenses_folder().glob("*.toml"))
SAYS_NOTHING = ("not addressed", "not express", "silent", "not claimed")


@pytest.fixture(scope="module")
def schema() -> Any:
    text = (licenses_folder() / "schema" / "license.json").read_text(encoding="utf-8")
    return jsonschema.Draft202012Validator(json.loads(text))


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def table(request: pytest.FixtureRequest) -> dict[str, Any]:
    loaded = tomllib.loads(request.param.read_text(encoding="utf-8"))
    return {**loaded, "reviewed": str(loaded["reviewed"])}


def test_the_home_market_is_there() -> None:
    llamas = {"llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "llama4"}
    assert {"apache-2.0", "mit", "gemma", "unknown", "none"} | llamas <= set(load_licenses())


def test_every_file_follows_the_schema(table: dict[str, Any], schema: Any) -> None:
    assert [error.message for error in schema.iter_errors(table)] == []


def test_the_schema_refuses_what_it_should(schema: Any) -> None:
    table = tomllib.loads((licenses_folder() / "mit.toml").read_text(encoding="utf-8"))
    table["reviewed"] = str(table["reviewed"])
    del table["obligation"][0]["ref"]
    table["commercial_use"]["value"] = "maybe"
    assert len(list(schema.iter_errors(table))) == 2


def test_every_fact_has_its_clause(table: dict[str, Any]) -> None:
    for name, fact in table.get("terms", {}).items():
        assert fact.get("ref") or fact["value"] in SAYS_NOTHING, name
    outputs = table["outputs"]
    assert outputs.get("ref") or outputs["train_other_models"] == "silent"


def test_permissions_do_not_go_beyond_the_facts(table: dict[str, Any]) -> None:
    for entry in table.get("may", []):
        match entry["fact"]:
            case "commercial_use":
                assert table["commercial_use"]["value"] in ("yes", "conditional")
            case "outputs":
                said = table["outputs"]
                assert said["train_other_models"].startswith("allowed") or said["ownership"]
                assert said["train_other_models"] != "prohibited"
            case "obligations":
                triggers = {name for duty in table["obligation"] for name in duty["trigger"]}
                assert triggers & {"redistribute", "distribute_derivative"}
            case "patent_grant":
                assert table["terms"]["patent_grant"]["value"] == "express"


def test_unknown_and_none_permit_nothing() -> None:
    for name in ("unknown", "none"):
        assert load_licenses()[name].may == ()
        assert load_licenses()[name].commercial_use.value == "unknown"


def test_no_license_text_is_shipped() -> None:
    assert max(len(path.read_bytes()) for path in FILES) < 8_000


def test_exact_wording_is_kept() -> None:
    llama4 = load_licenses()["llama4"]
    badge = next(duty for duty in llama4.obligations if duty.id == "display_badge")
    assert badge.exact == "Built with Llama"
    assert badge.ref == "§1.b.i(B)"
    assert llama4.thresholds[0].frozen_at == "2025-04-05"
    assert llama4.naming_rule is not None
    assert llama4.naming_rule.prefix == "Llama"


def test_loading_is_fast(tmp_path: Path) -> None:
    for path in FILES:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    started = time.process_time()
    licenses = load_licenses(tmp_path)
    assert time.process_time() - started < 0.15
    assert all(isinstance(entry, License) for entry in licenses.values())


@pytest.mark.parametrize(
    "content", ["id = ", 'id = "x"', "[ids]\nfoo = 1", b"\xff\xfe".decode("latin1")]
)
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "broken.toml").write_text(content, encoding="latin1")
    with pytest.raises(CorruptSettings) as caught:
        load_licenses(tmp_path)
    assert caught.value.path.endswith("broken.toml")


def test_the_hash_follows_the_content(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("x = 1")
    before = licenses_sha256(tmp_path)
    (tmp_path / "a.toml").write_text("x = 2")
    assert licenses_sha256(tmp_path) != before
