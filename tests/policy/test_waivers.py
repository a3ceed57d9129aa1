"""Waivers: single reasons of one model, until a day, and never against a managed policy."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from openshelf.errors import BadPolicy, LicenseNotAccepted, NeedsReview, PolicyBlocked
from openshelf.licenses.acceptance import AcceptanceForm, AcceptanceLog
from openshelf.licenses.clearance import ClearedFile, Verdict
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.lineage import EffectiveLicense, RepoClaims, resolve
from openshelf.licenses.log_queries import WAIVED
from openshelf.policy.gate import Gate
from openshelf.policy.in_force import policy_in_force
from openshelf.policy.organization import (
    Organization,
    Policy,
    Rules,
    load_policy,
    policy_from_bytes,
    tighten,
)
from openshelf.policy.records import AcceptedModel, RecordContext, build_record
from openshelf.policy.verdict import PolicyReason
from openshelf.policy.waiver import Scope, Waiver
from openshelf.policy.waiving import WaiverRequest, waiver_from_record, waiver_part

REPO, COMMIT = "owner/model-GGUF", "c" * 40
FILES = (ClearedFile("m.gguf", "a" * 64, 5),)
TODAY, LATER = date(2026, 11, 26), date(2026, 12, 31)
STRICT = Policy(
    rules=Rules(allow_only=("mit",), require_osi=True), sha256="1" * 64, source="/team.toml"
)


@pytest.fixture
def log(tmp_path: Path) -> AcceptanceLog:
    return AcceptanceLog(tmp_path / "acceptances.jsonl", tmp_path / "head.json")


def under(name: str = "gemma", repo: str = REPO, commit: str = COMMIT) -> EffectiveLicense:
    return resolve(RepoClaims(repo, card={"license": name}, commit=commit), lambda _: None)


def gate_of(log: AcceptanceLog, policy: Policy = STRICT, today: date = TODAY) -> Gate:
    return Gate(load_licenses(), policy, log, today=lambda: today)


def record_of(gate: Gate, license_: EffectiveLicense) -> dict[str, object]:
    return build_record(
        AcceptedModel(REPO, COMMIT, FILES),
        gate.decide(license_),
        AcceptanceForm("Ada", note="contract 7", role="approver"),
        gate.policy,
        RecordContext("0.1", "ada"),
    )


def waive(log: AcceptanceLog, license_: EffectiveLicense | None = None, **request: str) -> str:
    license_ = license_ or under()
    gate = gate_of(log)
    part = waiver_part(gate.decide(license_), WaiverRequest(LATER, **request))
    return log.append({**record_of(gate, license_), "method": WAIVED, "waiver": part})


def test_a_waiver_lets_its_reasons_not_count(log: AcceptanceLog) -> None:
    before = gate_of(log).decide(under())
    assert {reason.code for reason in before.reasons} == {
        "policy.allow_only", "policy.require_osi"
    }  # fmt: skip
    waive(log)
    found = gate_of(log).decide(under())
    assert found.verdict is Verdict.ALLOWED_WITH_OBLIGATIONS
    assert found.reasons == ()
    assert {waived.reason.code for waived in found.waived} == {
        "policy.allow_only", "policy.require_osi"
    }  # fmt: skip
    (entry, _) = found.as_json("x")["waived"]
    assert entry["waiver"]["until"] == "2026-12-31"
    assert entry["waiver"]["record_id"] == log.records()[0]["record_id"]


def test_a_waiver_is_no_acceptance(log: AcceptanceLog) -> None:
    waive(log)
    gate = gate_of(log)
    decision = gate.decide(under())
    with pytest.raises(LicenseNotAccepted):
        gate.clear(decision, REPO, COMMIT, FILES, target="x")
    assert log.earlier(REPO) == ()
    accepted = log.append(record_of(gate, under()))
    slip = gate.clear(decision, REPO, COMMIT, FILES, target="x")
    assert (slip.record_id, slip.verdict) == (accepted, Verdict.ALLOWED_WITH_OBLIGATIONS)
    rests_on = log.records()[-1]["waiver"]
    assert {entry["waiver"]["record_id"] for entry in rests_on} == {log.records()[0]["record_id"]}


def test_what_was_not_named_still_stops(log: AcceptanceLog) -> None:
    waive(log, rule="policy.allow_only")
    found = gate_of(log).decide(under())
    assert found.verdict is Verdict.BLOCKED
    assert [reason.code for reason in found.reasons] == ["policy.require_osi"]
    with pytest.raises(PolicyBlocked):
        gate_of(log).check(found, target="x")


def test_a_new_reason_is_not_waived(log: AcceptanceLog) -> None:
    waive(log)
    stricter = replace(STRICT, rules=replace(STRICT.rules, deny_classes=("community",)))
    found = gate_of(log, stricter).decide(under())
    assert [reason.code for reason in found.reasons] == ["policy.deny_classes"]
    assert gate_of(log).decide(under("llama3.1")).verdict is Verdict.BLOCKED


def test_only_this_model_until_its_day(log: AcceptanceLog) -> None:
    waive(log)
    assert gate_of(log).decide(under(repo="owner/other")).verdict is Verdict.BLOCKED
    assert gate_of(log).decide(under(repo="OWNER/Model-gguf")).reasons == ()
    assert gate_of(log, today=LATER).decide(under()).reasons == ()
    assert gate_of(log, today=date(2027, 1, 1)).decide(under()).verdict is Verdict.BLOCKED


def test_any_file_can_be_called_so(log: AcceptanceLog) -> None:
    """A file on disk is told by its hash and not by its name."""
    waive(log, under(repo="model.gguf", commit="d" * 40))
    found = gate_of(log).decide
    assert found(under(repo="model.gguf", commit="d" * 40)).reasons == ()
    assert found(under(repo="model.gguf", commit="e" * 40)).verdict is Verdict.BLOCKED


def test_a_waiver_taken_back(log: AcceptanceLog) -> None:
    log.revoke(waive(log), AcceptanceForm("Eve"))
    assert gate_of(log).decide(under()).verdict is Verdict.BLOCKED
    assert gate_of(log).waivers() == ()


def test_nothing_in_the_log_loosens_a_managed_policy(log: AcceptanceLog) -> None:
    waive(log)
    managed = replace(STRICT, managed=True)
    assert gate_of(log, managed).decide(under()).verdict is Verdict.BLOCKED
    assert gate_of(log, managed).waivers() == ()


def test_a_changed_log_waives_nothing(log: AcceptanceLog) -> None:
    """Whoever cuts off the record that took a waiver back must not win it again."""
    waived = waive(log)
    log.revoke(waived, AcceptanceForm("Eve"))
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(lines[0])
    assert log.verify().problem == "fewer_than_head"
    assert gate_of(log).decide(under()).verdict is Verdict.BLOCKED


def test_an_obligation_is_meant_by_its_clause(log: AcceptanceLog) -> None:
    """gpl-3.0: what is owed when it is passed on could not be confirmed."""
    facts = Organization(
        commercial=True, redistributes=True, trains_on_outputs=False, distributes_derivatives=True
    )
    policy = Policy(organization=facts, sha256="1" * 64)
    decision = gate_of(log, policy).decide(under("gpl-3.0"))
    assert decision.verdict is Verdict.NEEDS_REVIEW
    duty = next(d for d in decision.obligations if d.ref == decision.reasons[0].clause)
    meant = WaiverRequest(LATER, obligation=duty.id).chosen(decision)
    assert [reason.code for reason in meant] == ["unsure_fact"]
    assert WaiverRequest(LATER, obligation="display_badge").chosen(decision) == ()
    assert WaiverRequest(LATER, license="mit").chosen(decision) == ()


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"waiver": 3, "model": {}},
        {"waiver": {"reasons": [], "repo": "x", "until": "never"}, "model": {}},
        {"waiver": {"reasons": {}, "repo": "x", "until": "2026-01-01"}, "model": {}},
        {"waiver": {"reasons": [], "until": "2026-01-01"}, "model": {}},
    ],
)
def test_what_is_no_waiver_waives_nothing(record: dict[str, object]) -> None:
    assert waiver_from_record(record) is None


def test_reasons_that_say_nothing_cover_nothing(log: AcceptanceLog) -> None:
    part = {"reasons": [{}, 5], "repo": REPO, "until": "2027-01-01"}
    log.append({"accepted_by": {}, "model": {}, "method": WAIVED, "waiver": part})
    assert len(gate_of(log).waivers()) == 1
    assert gate_of(log).decide(under()).verdict is Verdict.BLOCKED


FILE = """
name = "team"
offline_only = true
[organization]
commercial = true
[rules]
allow_only = ["mit"]
require_osi = true
[[rules.waivers]]
repo = "owner/model-GGUF"
until = 2026-12-31
name = "Ada"
note = "contract 7"
license = "gemma"
rules = ["policy.allow_only"]
[[rules.waivers]]
repo = "owner/old"
until = "2025-01-01"
name = "Ada"
"""


def written(folder: Path, text: str, name: str = "policy.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_waivers_of_a_policy_file(log: AcceptanceLog, tmp_path: Path) -> None:
    policy = load_policy(written(tmp_path, FILE))
    for in_force in (policy, replace(policy, managed=True)):
        found = gate_of(log, in_force).decide(under())
        assert [reason.code for reason in found.reasons] == ["policy.require_osi"]
        assert found.waived[0].source.endswith("policy.toml")
        assert found.waived[0].record_id is None
    shown = policy_in_force(policy, gate_of(log, policy).waivers(), TODAY)
    assert [waiver["in_force"] for waiver in shown["waivers"]] == [True, False]


def test_another_file_cannot_waive_a_managed_rule(log: AcceptanceLog, tmp_path: Path) -> None:
    managed = replace(load_policy(written(tmp_path, '[rules]\nallow_only = ["mit"]')), managed=True)
    own = load_policy(written(tmp_path, FILE, "own.toml"))
    together = tighten(managed, own)
    assert together.rules.waivers == ()
    found = gate_of(log, together).decide(under())
    assert {r.code for r in found.reasons} == {"policy.allow_only", "policy.require_osi"}


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ("waivers = 3", "rules.waivers"),
        ("waivers = [3]", "rules.waivers[1]"),
        ('waivers = [{repo = "a/b", until = 2026-01-01}]', "rules.waivers[1].name"),
        ('waivers = [{until = 2026-01-01, name = "A"}]', "rules.waivers[1].repo"),
        ('waivers = [{repo = "a/b", name = "A"}]', "rules.waivers[1].until"),
        ('waivers = [{repo = "a/b", name = "A", until = "soon"}]', "rules.waivers[1].until"),
        ('waivers = [{repo = "a/b", name = "A", until = 3}]', "rules.waivers[1].until"),
        ('waivers = [{repo = "a/b", name = "A", until = 2026-01-01, for = 1}]',
         "rules.waivers[1].for"),
        ('waivers = [{repo = "a/b", name = "A", until = 2026-01-01, rules = "x"}]',
         "rules.waivers[1].rules"),
        *((f'waivers = [{{repo = "{repo}", name = "A", until = 2026-01-01}}]',
           "rules.waivers[1].repo") for repo in ("*", "a/*", "mistralai", "a/b?", "a/b/c", "@")),
    ],
)  # fmt: skip
def test_a_waiver_that_cannot_be_understood_is_named(tmp_path: Path, lines: str, key: str) -> None:
    with pytest.raises(BadPolicy) as caught:
        load_policy(written(tmp_path, f"[rules]\n{lines}\n"))
    assert caught.value.key == key


def test_each_rule_is_shown_with_the_files_that_state_it(tmp_path: Path) -> None:
    managed = replace(
        load_policy(written(tmp_path, FILE, "managed.toml")), managed=True
    )  # fmt: skip
    own = load_policy(
        written(
            tmp_path,
            'name="mine"\n[organization]\ncommercial = false\n[rules]\nallow_only = ["mit", "x"]\n'
            "strict_labels = true\n",
            "own.toml",
        )
    )
    shown = policy_in_force(tighten(managed, own), (), TODAY)
    rows = {row["name"]: row for part in ("facts", "rules", "settings") for row in shown[part]}
    files = {name: [Path(path).name for path in row["sources"]] for name, row in rows.items()}
    assert files == {
        "commercial": ["managed.toml"],
        "allow_only": ["managed.toml", "own.toml"],
        "require_osi": ["managed.toml"],
        "strict_labels": ["own.toml"],
        "offline_only": ["managed.toml"],
    }
    assert rows["commercial"]["value"] is True
    assert shown["name"] == "team"
    assert "domicile" in shown["facts_unknown"]
    assert json.dumps(shown)


def test_a_reason_names_the_file_of_its_rule(log: AcceptanceLog, tmp_path: Path) -> None:
    managed = load_policy(written(tmp_path, "[organization]\ncommercial = true", "managed.toml"))
    own = load_policy(written(tmp_path, "[rules]\nrequire_osi = true", "own.toml"))
    found = gate_of(log, tighten(managed, own)).decide(under("cc-by-nc-4.0"))
    sources = {reason.code: Path(reason.source).name for reason in found.reasons}
    assert sources == {"no_commercial_use": "managed.toml", "policy.require_osi": "own.toml"}


def test_an_empty_list_of_allowed_licenses_is_a_rule() -> None:
    shown = policy_in_force(Policy(rules=Rules(allow_only=())), (), TODAY)
    assert [row["name"] for row in shown["rules"]] == ["allow_only"]
    assert policy_in_force(Policy(), (), TODAY)["rules"] == []


def test_needs_review_is_lifted_too(log: AcceptanceLog) -> None:
    team = Policy(sha256="1" * 64)
    gate = gate_of(log, team)
    decision = gate.decide(under("nobodys-terms"))
    with pytest.raises(NeedsReview):
        gate.check(decision, target="x")
    part = waiver_part(decision, WaiverRequest(LATER))
    log.append({**record_of(gate, under("nobodys-terms")), "method": WAIVED, "waiver": part})
    assert gate_of(log, team).check(decision, target="x").verdict is Verdict.ALLOWED


@pytest.mark.parametrize(
    ("written", "meant"),
    [("Mistralai/X", True), ("mi\u017ftralai/x", False), ("mistr\u0430lai/x", False),
     ("mistralai/x ", False), ("mistralai/x*", False), ("mistralai", False)],
)  # fmt: skip
def test_letters_that_look_alike_are_other_letters(written: str, meant: bool) -> None:
    waiver = Waiver(written, date(2999, 1, 1), (Scope(),))
    reason = PolicyReason("unknown_license", "unknown", "unknown")
    assert waiver.covers(reason, "mistralai/x", date(2026, 1, 1)) is meant


def test_the_line_of_what_is_wrong_in_a_waiver() -> None:
    whole = '[[rules.waivers]]\nrepo = "a/b"\nuntil = 2027-01-01\nname = "A"\n'
    for more, line in (
        ('[[rules.waivers]]\nrepo = "a/c"\nuntil = "soon"\nname = "A"\n', 7),
        ('[[rules.waivers]]\nrepo = "a/c"\nname = "A"\n', 5),
        ('[[rules.waivers]]\nrepo = "a/c"\nname = "A"\n[organization]\nuntil = 3\n', None),
        ('[organization]\nmau = 1\n[[rules.waivers]]\nrepo = "*"\nname = "A"\n', 8),
    ):
        with pytest.raises(BadPolicy) as caught:
            policy_from_bytes((whole + more).encode(), "p")
        assert line is None or caught.value.line == line, more
    with pytest.raises(BadPolicy) as caught:
        policy_from_bytes(b'[rules]\nwaivers = [{repo = "*"}]\n', "p")
    assert caught.value.line == 2
