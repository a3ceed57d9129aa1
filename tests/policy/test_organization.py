"""The policy file: where it is found, what can be wrong, and what never loosens a managed one."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from openshelf import wording
from openshelf.errors import BadPolicy
from openshelf.licenses.facts import licenses_folder
from openshelf.licenses.license import CLASSES
from openshelf.paths import Paths, find_paths
from openshelf.policy import organization as module
from openshelf.policy.organization import (
    Policy,
    Rules,
    find_policies,
    load_policy,
    managed_policy_file,
    tighten,
)

TEXT = """
name = "Example GmbH"
offline_only = true
keep_chats_days = 30

[organization]
domicile = "de"
use_regions = ["DE", "fr"]
commercial = true
mau = 50_000
mau_over_on_release = false

[rules]
allow_only = ["apache-2.0", "mit"]
deny_vendor_regions = ["cn"]
require_osi = true
"""


@pytest.fixture
def paths() -> Paths:
    found = find_paths()
    found.config.mkdir(parents=True)
    return found


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    return tmp_path / "no" / "policy.toml"


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_no_policy_knows_nothing(paths: Paths, nowhere: Path) -> None:
    policy = find_policies(paths, {}, nowhere).in_force
    assert policy == Policy()
    assert not policy.exists
    assert set(vars(policy.organization).values()) == {None}


def test_the_users_file(paths: Paths, nowhere: Path) -> None:
    written(paths.policy_file, TEXT)
    policy = find_policies(paths, {}, nowhere).in_force
    assert policy.exists
    assert policy.name == "Example GmbH"
    assert policy.source == str(paths.policy_file)
    assert policy.sha256 == hashlib.sha256(TEXT.encode()).hexdigest()
    assert policy.organization.domicile == "DE"
    assert policy.organization.use_regions == ("DE", "FR")
    assert policy.organization.hosts_service is None
    assert policy.rules.allow_only == ("apache-2.0", "mit")
    assert policy.rules.deny_vendor_regions == ("CN",)
    assert policy.offline_only
    assert policy.keep_chats_days == 30
    assert not policy.managed


def test_the_environment_comes_before_the_user(paths: Paths, tmp_path: Path, nowhere: Path) -> None:
    written(paths.policy_file, 'name = "mine"')
    named = written(tmp_path / "team.toml", 'name = "team"')
    assert find_policies(paths, {"OPENSHELF_POLICY": str(named)}, nowhere).in_force.name == "team"
    assert find_policies(paths, {}, nowhere).in_force.name == "mine"


def test_a_named_policy_that_is_missing_is_an_error(paths: Paths, nowhere: Path) -> None:
    with pytest.raises(BadPolicy) as caught:
        find_policies(paths, {"OPENSHELF_POLICY": "/not/there.toml"}, nowhere)
    assert caught.value.why == "unreadable"


def test_a_managed_policy_is_only_tightened(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_is_write_protected", lambda path: True)
    managed = written(tmp_path / "etc" / "policy.toml", TEXT)
    looser = """
name = "mine"
allow_remote_hosts = ["a"]
[organization]
commercial = false
hosts_service = false
[rules]
allow_only = ["mit", "gemma"]
deny_classes = ["rail"]
"""
    written(paths.policy_file, looser)
    policy = find_policies(paths, {}, managed).in_force
    assert policy.managed
    assert policy.name == "Example GmbH"
    assert policy.organization.commercial is True
    assert policy.organization.hosts_service is None
    assert policy.rules.allow_only == ("mit",)
    assert policy.rules.deny_classes == ("rail",)
    assert policy.rules.require_osi
    assert policy.offline_only
    assert policy.sha256 not in (load_policy(managed).sha256, load_policy(paths.policy_file).sha256)


def test_tightening_with_nothing_changes_no_rule() -> None:
    managed = Policy(rules=Rules(allow_only=("mit",), strict_labels=True), sha256="x", managed=True)
    assert tighten(managed, Policy()).rules == managed.rules
    assert tighten(replace(managed, rules=Rules()), managed).rules == managed.rules


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root's own file")
def test_a_file_that_others_can_write_is_not_managed(paths: Paths, tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    file = written(folder / "policy.toml", 'name = "x"')
    folder.chmod(0o755)
    file.chmod(0o644)
    assert find_policies(paths, {}, file).in_force.managed
    file.chmod(0o666)
    assert not find_policies(paths, {}, file).in_force.managed
    file.chmod(0o644)
    folder.chmod(0o777)
    assert not find_policies(paths, {}, file).in_force.managed


def test_the_managed_place_is_machine_wide() -> None:
    assert managed_policy_file({}).name == "policy.toml"
    assert managed_policy_file({"OPENSHELF_HOME": "/x"}) == managed_policy_file({})


@pytest.mark.parametrize(
    ("text", "key", "why"),
    [
        ("nonsense = 1", "nonsense", "unknown_key"),
        ("[organization]\ncommercal = true", "organization.commercal", "unknown_key"),
        ('[organization]\ncommercial = "yes"', "organization.commercial", "wrong_type"),
        ("[organization]\nmau = true", "organization.mau", "wrong_type"),
        ("[organization]\nmau = -1", "organization.mau", "wrong_type"),
        ("[organization]\nmau = 1.5", "organization.mau", "wrong_type"),
        ('[organization]\ndomicile = "Germany"', "organization.domicile", "not_a_region"),
        ('[organization]\nuse_regions = "DE"', "organization.use_regions", "wrong_type"),
        ("[rules]\nallow_only = [1]", "rules.allow_only", "wrong_type"),
        ("[rules]\nrequire_osi = 1", "rules.require_osi", "wrong_type"),
        ("rules = 3", "rules", "wrong_type"),
        ("managed = true", "managed", "unknown_key"),
        ('sha256 = "x"', "sha256", "unknown_key"),
        ("name = 3", "name", "wrong_type"),
        ("[[", "", "not_toml"),
        ('[rules]\ndeny_classes = ["noncommercial"]', "rules.deny_classes", "unknown_class"),
        (f"[organization]\nmau = {10**16}", "organization.mau", "wrong_type"),
        (f'name = "{"x" * 600}"', "name", "wrong_type"),
        (f'[rules]\nallow_only = ["{"x" * 600}"]', "rules.allow_only", "wrong_type"),
        (f"[rules]\nallow_only = {['mit'] * 3000}", "rules.allow_only", "wrong_type"),
        (
            '[[rules.waivers]]\nrepo = "a/b"\nuntil = 2026-12-31\nname = "A"\nnote = '
            f'"{"x" * 3000}"',
            "rules.waivers[1].note",
            "wrong_type",
        ),
    ],
)
def test_a_bad_file_names_its_key(tmp_path: Path, text: str, key: str, why: str) -> None:
    path = written(tmp_path / "policy.toml", text)
    with pytest.raises(BadPolicy) as caught:
        load_policy(path)
    assert (caught.value.key, caught.value.why) == (key, why)
    assert caught.value.code == "usage"
    sentence = wording.error_sentence(caught.value)
    assert str(path) in sentence
    assert key in sentence
    assert "?" not in sentence


def test_an_endless_file_is_not_read(tmp_path: Path) -> None:
    path = written(tmp_path / "policy.toml", "# " + "x" * 1_000_001)
    with pytest.raises(BadPolicy) as caught:
        load_policy(path)
    assert caught.value.why == "unreadable"
    if Path("/dev/zero").exists():
        with pytest.raises(BadPolicy):
            load_policy(Path("/dev/zero"))


def test_names_are_one_line(tmp_path: Path) -> None:
    policy = load_policy(written(tmp_path / "p.toml", 'name = "a\\nmanaged by an administrator"'))
    assert policy.name == "a managed by an administrator"


def test_every_class_can_be_denied_and_no_other() -> None:
    from openshelf.licenses.facts import load_licenses

    assert {entry.license_class for entry in load_licenses().values()} <= set(CLASSES)
    schema = licenses_folder() / "schema" / "license.json"
    stated = json.loads(schema.read_text("utf-8"))["properties"]["class"]["enum"]
    assert set(stated) == set(CLASSES)


def test_two_lists_meet_whatever_their_letters() -> None:
    one, other = (Policy(rules=Rules(allow_only=names)) for names in (("MIT",), (" mit ", "x")))
    assert tighten(one, other).rules.allow_only == ("MIT",)


def test_what_is_there_and_is_no_file_is_no_missing_policy(paths: Paths, nowhere: Path) -> None:
    paths.policy_file.mkdir(parents=True)
    with pytest.raises(BadPolicy) as caught:
        find_policies(paths, {}, nowhere)
    assert caught.value.why == "unreadable"
    paths.policy_file.rmdir()
    paths.policy_file.symlink_to(nowhere)
    with pytest.raises(BadPolicy):
        find_policies(paths, {}, nowhere)


def test_a_machine_wide_file_that_may_not_be_looked_at(
    paths: Paths, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(nowhere), "stat", refuse)
    with pytest.raises(BadPolicy) as caught:
        find_policies(paths, {}, nowhere)
    assert (caught.value.why, caught.value.path) == ("unreadable", str(nowhere))


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadPolicy):
        load_policy(path)
