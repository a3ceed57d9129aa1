"""The gate: who gets a clearance, and that nobody else makes one."""

from __future__ import annotations

import ast
import time
from dataclasses import replace
from pathlib import Path

import pytest

import openshelf
from openshelf.errors import ClearanceRefused, LicenseNotAccepted, NeedsReview, PolicyBlocked
from openshelf.licenses.acceptance import AcceptanceForm, AcceptanceLog
from openshelf.licenses.clearance import ClearedFile, Verdict
from openshelf.licenses.facts import licenses_sha256, load_licenses
from openshelf.licenses.lineage import EffectiveLicense, RepoClaims, resolve
from openshelf.policy.gate import Gate
from openshelf.policy.organization import Organization, Policy, Rules
from openshelf.policy.records import AcceptedModel, RecordContext, build_record
from openshelf.policy.verdict import Decision

REPO, COMMIT = "owner/model-GGUF", "c" * 40
FILES = (ClearedFile("a-00001-of-00002.gguf", "a" * 64, 5), ClearedFile("b.gguf", "b" * 64, 6))
TEAM = Policy(name="team", sha256="1" * 64, source="/team.toml")


@pytest.fixture
def log(tmp_path: Path) -> AcceptanceLog:
    return AcceptanceLog(tmp_path / "acceptances.jsonl", tmp_path / "head.json")


def under(name: str) -> EffectiveLicense:
    return resolve(RepoClaims(REPO, card={"license": name}), lambda _: None)


def accept(log: AcceptanceLog, gate: Gate, decision: Decision, **form: object) -> str:
    return log.append(
        build_record(
            AcceptedModel(REPO, COMMIT, FILES),
            decision,
            AcceptanceForm("Ada", **form),  # type: ignore[arg-type]
            gate.policy,
            RecordContext("0.1", "ada", catalog={"version": "1", "sha256": licenses_sha256()}),
        )
    )


def gate_of(log: AcceptanceLog, policy: Policy | None = None) -> Gate:
    return Gate(load_licenses(), policy or Policy(), log)


def test_no_record_no_clearance_even_for_mit(log: AcceptanceLog) -> None:
    gate = gate_of(log)
    decision = gate.decide(under("mit"))
    with pytest.raises(LicenseNotAccepted) as caught:
        gate.clear(decision, REPO, COMMIT, FILES, target="x")
    assert caught.value.licenses == ("mit",)


def test_an_accepted_model_is_cleared(log: AcceptanceLog) -> None:
    gate = gate_of(log)
    decision = gate.decide(under("mit"))
    record_id = accept(log, gate, decision)
    slip = gate.clear(decision, REPO, COMMIT, FILES[1:], target="x")
    assert (slip.record_id, slip.files, slip.policy_sha256) == (record_id, FILES[1:], "")
    slip.require(
        repo=REPO, commit=COMMIT, path="b.gguf", size_bytes=6, sha256="b" * 64, policy_sha256=""
    )
    with pytest.raises(ClearanceRefused):
        slip.require(
            repo=REPO, commit=COMMIT, path="b.gguf", size_bytes=6, sha256="c" * 64, policy_sha256=""
        )


def test_other_files_or_commits_are_not(log: AcceptanceLog) -> None:
    gate = gate_of(log)
    decision = gate.decide(under("mit"))
    accept(log, gate, decision)
    other = (replace(FILES[0], sha256="f" * 64),)
    for repo, commit, files in (
        (REPO, COMMIT, other),
        (REPO, "d" * 40, FILES),
        ("x/y", COMMIT, FILES),
    ):
        with pytest.raises(LicenseNotAccepted):
            gate.clear(decision, repo, commit, files, target="x")
    with pytest.raises(LicenseNotAccepted):
        gate.clear(decision, REPO, COMMIT, (), target="x")


def test_needs_review_stops_only_with_a_policy(log: AcceptanceLog) -> None:
    free = gate_of(log)
    decision = free.decide(under("nobodys-terms"))
    assert decision.verdict is Verdict.NEEDS_REVIEW
    accept(log, free, decision)
    assert log.records()[0]["unreviewed"] is True
    assert free.clear(decision, REPO, COMMIT, FILES, target="x").verdict is Verdict.NEEDS_REVIEW
    with pytest.raises(NeedsReview) as caught:
        gate_of(log, TEAM).clear(decision, REPO, COMMIT, FILES, target="x")
    assert caught.value.reasons[0]["license"] == "unknown"


def test_blocked_always_stops(log: AcceptanceLog) -> None:
    decision = gate_of(log).decide(under("gemma"))
    accept(log, gate_of(log), decision)
    strict = replace(TEAM, rules=Rules(allow_only=("mit",)))
    with pytest.raises(PolicyBlocked) as caught:
        gate_of(log, strict).clear(decision, REPO, COMMIT, FILES, target="x")
    assert caught.value.reasons[0]["ref"] == "policy.allow_only"
    facts = Organization(mau_over_on_release=True)
    unnamed = Policy(organization=facts)
    with pytest.raises(PolicyBlocked):
        gate_of(log, unnamed).clear(decision_of("llama3.1"), REPO, COMMIT, FILES, target="x")


def decision_of(name: str) -> Decision:
    return Decision(under(name), Verdict.ALLOWED, (), (), ())


def test_a_made_up_decision_does_not_help(log: AcceptanceLog) -> None:
    """What counts is the license under today's policy, not the verdict that was handed in."""
    gate = gate_of(log, TEAM)
    forged = decision_of("qwen-research")
    accept(log, gate, forged)
    with pytest.raises(NeedsReview):
        gate.clear(forged, REPO, COMMIT, FILES, target="x")


def test_a_revoked_acceptance_clears_nothing(log: AcceptanceLog) -> None:
    gate = gate_of(log)
    decision = gate.decide(under("mit"))
    log.revoke(accept(log, gate, decision), AcceptanceForm("Ada"))
    with pytest.raises(LicenseNotAccepted):
        gate.clear(decision, REPO, COMMIT, FILES, target="x")


def test_the_record_says_everything(log: AcceptanceLog) -> None:
    gate = gate_of(log, replace(TEAM, organization=Organization(commercial=True, domicile="DE")))
    decision = gate.decide(under("apache-2.0"))
    shown = tuple(text.sha256 for text in decision.license.texts)
    accept(log, gate, decision, texts_shown=shown, note="ticket 482", on_behalf_of="Example GmbH")
    (record,) = log.records()
    specified = {
        "v", "record_id", "prev_sha256", "at", "accepted_by", "on_behalf_of", "model", "lineage",
        "effective", "texts", "obligations_shown", "verdict", "reasons", "policy", "facts",
        "catalog", "hub_gate", "method", "app_version", "waiver", "supersedes",
    }  # fmt: skip
    assert specified <= set(record)
    assert record["accepted_by"]["display"] == "Ada"
    assert record["note"] == "ticket 482"
    assert record["policy"] == {"name": "team", "sha256": "1" * 64}
    assert record["facts"] == {"commercial": True, "domicile": "DE"}
    assert record["texts"][0]["shown"] is True
    assert record["texts"][0]["bytes"] > 10_000
    assert record["model"]["files"][0] == {"path": FILES[0].path, "sha256": "a" * 64, "size": 5}
    assert record["lineage"][0]["license"] == "apache-2.0"
    assert record["unreviewed"] is False


def test_clearing_is_cheap(log: AcceptanceLog) -> None:
    gate = gate_of(log)
    decision = gate.decide(under("llama3.2"))
    for _ in range(60):
        accept(log, gate, decision)
    gate.clear(decision, REPO, COMMIT, FILES, target="x")
    started = time.process_time()
    for _ in range(20):
        gate.clear(decision, REPO, COMMIT, FILES, target="x")
    assert (time.process_time() - started) / 20 < 0.005


def test_only_the_gate_makes_a_clearance() -> None:
    """A permission slip that anybody could write would be none."""
    package = Path(openshelf.__file__).parent
    makers = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = (
                    node.func.id
                    if isinstance(node.func, ast.Name)
                    else getattr(node.func, "attr", "")
                )
                if name == "Clearance":
                    makers.add(path.relative_to(package).as_posix())
            if isinstance(node, ast.Attribute) and node.attr in ("__new__", "_make"):
                assert "Clearance" not in ast.unparse(node.value)
    assert makers == {"policy/gate.py"}


def test_a_policy_adopted_meanwhile_makes_the_slip_stale(log: AcceptanceLog) -> None:
    gate = gate_of(log)
    decision = gate.decide(under("mit"))
    accept(log, gate, decision)

    class Adopting:
        """Answers as the log does, and another policy comes in force at that moment."""

        def find_acceptance(self, *asked: object) -> str | None:
            gate.adopt(TEAM)
            return log.find_acceptance(*asked)  # type: ignore[arg-type]

        same_terms, waivers = log.same_terms, log.waivers

    gate._records = Adopting()
    slip = gate.clear(decision, REPO, COMMIT, FILES, target="x")
    file = FILES[0]
    with pytest.raises(ClearanceRefused) as caught:
        slip.require(
            repo=REPO, commit=COMMIT, path=file.path, size_bytes=file.size_bytes,
            sha256=file.sha256, policy_sha256=gate.policy.sha256,
        )  # fmt: skip
    assert caught.value.why == "stale_policy"
