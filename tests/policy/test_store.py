"""The policy store: what is in force, drafts, saving without a loss, broken files."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openshelf import wording
from openshelf.errors import BadPolicy, PolicyBlocked
from openshelf.licenses.acceptance import AcceptanceForm, AcceptanceLog
from openshelf.licenses.clearance import ClearedFile, Verdict
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.lineage import RepoClaims, resolve
from openshelf.paths import Paths, find_paths
from openshelf.policy.gate import Gate
from openshelf.policy.organization import (
    Organization,
    Policy,
    Rules,
    load_policy,
    policy_from_bytes,
    policy_from_table,
)
from openshelf.policy.records import AcceptedModel, RecordContext, build_record
from openshelf.policy.store import PolicyState, PolicyStore
from openshelf.policy.writing import policy_table, policy_text
from openshelf.wiring.assembly import build_services

FULL = Policy(
    organization=Organization(
        name="Example GmbH", domicile="DE", use_regions=("DE", "FR"), commercial=True,
        internal_only=False, mau=0, annual_revenue_usd=4_000_000, trains_on_outputs=False,
    ),
    rules=Rules(
        allow_only=("mit", "apache-2.0"), deny_classes=("research-only",),
        deny_vendor_regions=("CN",), require_osi=True, strict_labels=True,
    ),
    name="House rules", offline_only=True, allow_remote_hosts=("gpu.example.org",),
    keep_chats_days=30,
)  # fmt: skip


@pytest.fixture
def paths() -> Paths:
    found = find_paths()
    found.config.mkdir(parents=True)
    return found


def make_store(paths: Paths, managed: str = "", named: Path | None = None) -> PolicyStore:
    machine_wide = paths.config / "machine-wide.toml"
    if managed:
        machine_wide.write_text(managed, encoding="utf-8")
    environment = {"OPENSHELF_POLICY": str(named)} if named else {}
    return PolicyStore(paths, environment, machine_wide)


@pytest.mark.parametrize("policy", [Policy(), FULL, Policy(rules=Rules(allow_only=()))])
def test_what_is_written_is_read_again(policy: Policy) -> None:
    assert policy_from_table(tomllib.loads(policy_text(policy))) == policy


def test_keys_that_are_not_ours_stay() -> None:
    base = {
        "name": "Old",
        "waivers": [{"by": "Ada", "until": "2027-01-01"}],
        "organization": {"mau": 5, "sector": "health"},
        "rules": {"require_osi": True, "later": 1},
    }
    table = policy_table(replace(FULL, rules=Rules()), base)
    assert table["waivers"] == base["waivers"]
    assert table["name"] == "House rules"
    assert table["organization"]["sector"] == "health"
    assert table["organization"]["mau"] == 0
    assert table["rules"] == {"later": 1}


def test_saving_puts_it_in_force_and_tells_everybody(paths: Paths) -> None:
    store = make_store(paths)
    assert store.current == PolicyState(Policy(), None, None, paths.policy_file)
    heard: list[PolicyState] = []
    store.announcer.subscribe(heard.append)
    state = store.save(FULL)
    assert heard == [state]
    assert state.policy.organization == FULL.organization
    assert state.policy.rules == FULL.rules
    assert state.policy == load_policy(paths.policy_file)
    assert state.policy.exists


def test_the_file_as_it_was_is_kept_beside_the_new_one(paths: Paths) -> None:
    written = '# Decided on 3 May.\nname = "Old"\n[organization]\nmau = 7\n'
    paths.policy_file.write_text(written, encoding="utf-8")
    store = make_store(paths)
    store.save(FULL)
    assert store.previous_path.read_text(encoding="utf-8") == written
    assert "House rules" in paths.policy_file.read_text(encoding="utf-8")


def test_a_broken_file_allows_nothing_and_can_be_replaced(paths: Paths) -> None:
    paths.policy_file.write_text("[rules]\nrequire_osi = true\nallow_all = true\n", "utf-8")
    store = make_store(paths)
    state = store.current
    assert state.policy.rules.allow_only == ()
    assert state.problem is not None
    assert (state.problem.key, state.problem.line) == ("rules.allow_all", 3)
    assert state.editable
    after = store.save(FULL)
    assert after.problem is None
    assert after.policy.rules == FULL.rules
    assert "allow_all" in store.previous_path.read_text(encoding="utf-8")


def test_beside_a_managed_policy_a_draft_only_tightens(paths: Paths) -> None:
    store = make_store(paths, '[organization]\nmau = 9\n[rules]\nallow_only = ["mit", "gemma"]\n')
    draft = Policy(Organization(mau=1), Rules(allow_only=("mit", "llama4"), require_osi=True))
    tried = store.current.under(draft)
    assert tried.organization.mau == 9
    assert tried.rules.allow_only == ("mit",)
    assert tried.rules.require_osi
    assert tried.exists
    saved = store.save(draft)
    assert saved.policy.rules == tried.rules
    assert saved.managed is not None
    assert saved.own is not None
    assert saved.own.organization.mau == 1


def test_a_draft_counts_as_a_policy(paths: Paths) -> None:
    assert make_store(paths).current.under(Policy()).exists


def test_a_named_file_is_not_ours_to_change(paths: Paths, tmp_path: Path) -> None:
    named = tmp_path / "team.toml"
    named.write_text(policy_text(FULL), encoding="utf-8")
    state = make_store(paths, named=named).current
    assert not state.editable
    assert state.own_path == named
    assert state.policy.rules == FULL.rules


def test_a_broken_managed_file_cannot_be_mended_here(paths: Paths) -> None:
    state = make_store(paths, "rules = 3\n").current
    assert state.problem is not None
    assert not state.editable
    assert state.policy.rules.allow_only == ()


def test_removing_keeps_the_file_elsewhere(paths: Paths) -> None:
    store = make_store(paths)
    store.save(FULL)
    state = store.remove()
    assert not state.policy.exists
    assert load_policy(store.previous_path).rules == FULL.rules
    assert store.remove() == state


def test_export_holds_what_the_file_holds(paths: Paths, tmp_path: Path) -> None:
    store = make_store(paths)
    store.export(FULL, tmp_path / "sent.toml")
    assert store.read(tmp_path / "sent.toml").organization == FULL.organization


def test_a_folder_that_is_a_file_is_said(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(BadPolicy) as caught:
        make_store(paths).export(FULL, tmp_path / "file" / "policy.toml")
    assert caught.value.why == "unwritable"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('name = "A"\nmau == 3\n', 2, "not valid TOML (line 2)"),
        ('name = "A"\n\nx = [1,\n', 3, "(line 3)"),
        ("[organization]\n# a note\nmau = -1\n", 3, "organization.mau (line 3) must be"),
        ('[rules]\nallow_only = "mit"\n', 2, "rules.allow_only (line 2) must be a list"),
        ("organization.commercial = 1\n", 1, "organization.commercial (line 1) must be true"),
        ('[organization]\n"use_regions" = ["Europe"]\n', 2, "two-letter regions"),
        ("rules = []\n", 1, "rules (line 1) must be a table"),
        ("[extra]\na = 1\n", 1, "means nothing (line 1): extra"),
        ("organization = { mau = true }\n", 0, "organization.mau must be a whole number"),
        ("a = 1\nmau = 2\n[organization]\nmau = 2\n", 1, "means nothing (line 1): a"),
    ],
)
def test_a_bad_file_names_the_line(text: str, line: int, words: str) -> None:
    with pytest.raises(BadPolicy) as caught:
        policy_from_bytes(text.encode(), "/tmp/policy.toml")
    assert caught.value.line == line
    assert words in wording.error_sentence(caught.value)


def test_bytes_that_are_no_text_name_the_line() -> None:
    with pytest.raises(BadPolicy) as caught:
        policy_from_bytes(b'name = "A"\n# \xff\n', "p")
    assert caught.value.line == 2


def test_the_managed_policy_is_known_where_only_the_own_one_is_broken(paths: Paths) -> None:
    paths.policy_file.write_text("nonsense", encoding="utf-8")
    state = make_store(paths, "[rules]\nrequire_osi = true\n").current
    assert state.managed is not None
    assert state.managed.rules.require_osi
    assert state.problem is not None


@pytest.mark.parametrize(
    ("managed", "own"),
    [("[rules]\nrequire_osi = true", "[["), ("[[", ""), ("[[", "[[")],
    ids=["own", "managed", "both"],
)
def test_whoever_breaks_a_file_cannot_waive_what_the_machine_demands(
    paths: Paths, managed: str, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is allowed then, and the log's waivers do not count: that would loosen it."""
    monkeypatch.setattr("openshelf.policy.organization._is_write_protected", lambda path: True)
    if own:
        paths.policy_file.write_text(own, encoding="utf-8")
    policy = make_store(paths, managed).current.policy
    assert policy.managed
    assert policy.rules.allow_only == ()
    assert policy.rules.require_osi == (managed != "[[")
    gate = Gate(load_licenses(), policy, WaiveEverything())
    found = gate.decide(resolve(RepoClaims("o/m", card={"license": "mit"}), lambda _: None))
    assert found.verdict is Verdict.BLOCKED
    assert gate.waivers() == ()


class WaiveEverything:
    """A log whose only record waives what stops o/m."""

    def find_acceptance(self, *_: object) -> str | None:
        return None

    def same_terms(self, *_: object) -> tuple[Mapping[str, Any], ...]:
        return ()

    def waivers(self) -> tuple[Mapping[str, Any], ...]:
        reasons = [{"code": "policy.allow_only", "license": "mit", "ref": "policy.allow_only"}]
        waiver = {"repo": "o/m", "until": "2999-12-31", "reasons": reasons}
        return ({"record_id": "r1", "model": {"repo": "o/m"}, "waiver": waiver},)


def test_without_a_machine_wide_file_the_persons_own_can_be_waived(paths: Paths) -> None:
    paths.policy_file.write_text("[[", encoding="utf-8")
    policy = make_store(paths).current.policy
    assert not policy.managed
    gate = Gate(load_licenses(), policy, WaiveEverything())
    found = gate.decide(resolve(RepoClaims("o/m", card={"license": "mit"}), lambda _: None))
    assert found.verdict is not Verdict.BLOCKED


def test_a_file_that_somebody_else_changed_counts_at_once(paths: Paths) -> None:
    store = make_store(paths)
    told: list[PolicyState] = []
    store.announcer.subscribe(told.append)
    assert store.look_again().policy == Policy()
    paths.policy_file.write_text("[rules]\nallow_only = []\n", encoding="utf-8")
    assert store.look_again().policy.rules.allow_only == ()
    assert store.look_again() is told[0]
    paths.policy_file.write_text("[rules\n", encoding="utf-8")
    broken = store.look_again()
    assert broken.problem is not None
    assert broken.policy.rules.allow_only == (), "nothing is allowed while it cannot be read"
    paths.policy_file.unlink()
    assert store.look_again().policy == Policy()
    assert len(told) == 3, "told only where something is another"


def test_a_machine_wide_file_that_comes_while_the_app_runs(paths: Paths) -> None:
    store = make_store(paths)
    (paths.config / "machine-wide.toml").write_text("offline_only = true\n", encoding="utf-8")
    state = store.look_again()
    assert state.managed is not None
    assert state.policy.offline_only


def test_saving_is_no_change_from_outside(paths: Paths) -> None:
    store = make_store(paths)
    told: list[PolicyState] = []
    saved = store.save(FULL)
    store.announcer.subscribe(told.append)
    assert store.look_again() is saved
    assert not told


def test_the_gate_looks_before_it_lets_anything_through(paths: Paths, tmp_path: Path) -> None:
    """An acceptance under no policy, then an administrator writes one: no slip any more, and the
    slip of before is stale. So with a server."""
    store = make_store(paths)
    log = AcceptanceLog(tmp_path / "log.jsonl", tmp_path / "head")
    gate = Gate(load_licenses(), store.current.policy, log)
    store.announcer.subscribe(lambda state: gate.adopt(state.policy))
    gate.watch(store.look_again)
    decision = gate.decide(resolve(RepoClaims("o/m", card={"license": "mit"}), lambda _: None))
    files = (ClearedFile("m.gguf", "a" * 64, 1),)
    model = AcceptedModel("o/m", "c" * 40, files)
    log.append(build_record(model, decision, AcceptanceForm("Ada"), gate.policy,
                            RecordContext("1")))  # fmt: skip
    slip = gate.clear(decision, "o/m", "c" * 40, files, target="o/m")
    assert slip.policy_sha256 == gate.current_sha256()
    gate.clear_server("http://gpu.example.org:8000/v1", "m")
    (paths.config / "machine-wide.toml").write_text(
        'allow_remote_hosts = []\n[rules]\nallow_only = ["apache-2.0"]\n', encoding="utf-8"
    )
    with pytest.raises(PolicyBlocked):
        gate.clear(decision, "o/m", "c" * 40, files, target="o/m")
    assert slip.policy_sha256 != gate.current_sha256()
    with pytest.raises(PolicyBlocked):
        gate.check(decision, target="o/m")
    with pytest.raises(PolicyBlocked):
        gate.clear_server("http://gpu.example.org:8000/v1", "m")


def test_the_wired_gate_does_so(paths: Paths) -> None:
    services = build_services(paths)
    try:
        before = services.gate.current_sha256()
        paths.policy_file.write_text("[rules]\nallow_only = []\n", encoding="utf-8")
        assert services.gate.current_sha256() != before
        assert services.gate.policy.rules.allow_only == ()
    finally:
        services.close()


def test_a_file_that_an_editor_marked(paths: Paths) -> None:
    text = b'name = "House"\r\n[rules]\r\nrequire_osi = true\r\n'
    paths.policy_file.write_bytes(b"\xef\xbb\xbf" + text)
    store = make_store(paths)
    assert store.current.policy.name == "House"
    saved = store.save(replace(store.current.policy, name="Home"))
    assert (saved.policy.name, saved.policy.rules.require_osi) == ("Home", True)
