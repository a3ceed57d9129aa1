"""docs/policy.md: its example is a policy, and no key is missing from it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

from openshelf.licenses.facts import load_licenses
from openshelf.licenses.license import CLASSES
from openshelf.policy.organization import Organization, Rules, policy_from_bytes
from openshelf.policy.rules import names_of_nothing

GUIDE = (Path(__file__).parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")
TOP = {"name", "offline_only", "allow_remote_hosts", "keep_chats_days", "organization", "rules"}


def example() -> str:
    found = re.search(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    assert found
    return found[1]


def test_the_example_is_a_policy_whose_names_all_mean_something() -> None:
    policy = policy_from_bytes(example().encode(), "docs/policy.md")
    assert policy.organization.domicile == "DE"
    assert len(policy.rules.waivers) == 1
    assert names_of_nothing(policy.rules, load_licenses()) == ()


def test_every_key_stands_in_the_example() -> None:
    table = tomllib.loads(example())
    assert set(table) == TOP
    assert set(table["organization"]) == {field.name for field in fields(Organization)}
    assert set(table["rules"]) == {field.name for field in fields(Rules)}


def test_every_class_is_named() -> None:
    line = GUIDE.split("The classes are ")[1]
    assert set(re.findall(r"[a-z-]+", line)) - {"and"} == set(CLASSES)
