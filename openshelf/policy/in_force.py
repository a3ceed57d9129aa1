"""The policy in force, said out: each fact and rule with the file that states it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import date
from typing import Any

from openshelf.policy.organization import Organization, Policy, Rules
from openshelf.policy.waiver import Waiver

_SETTINGS = ("offline_only", "allow_remote_hosts", "keep_chats_days")


def policy_in_force(policy: Policy, waivers: Iterable[Waiver], today: date) -> dict[str, Any]:
    """The answer of `policy show --json` (docs/cli.md). `waivers` are those that count."""
    return {
        "name": policy.name,
        "exists": policy.exists,
        "managed": policy.managed,
        "source": policy.source,
        "sha256": policy.sha256,
        "facts": _facts(policy),
        "facts_unknown": [
            f.name for f in fields(Organization) if getattr(policy.organization, f.name) is None
        ],
        "rules": _rules(policy),
        "settings": _settings(policy),
        "waivers": [
            {**waiver.as_json(), "in_force": today <= waiver.until} for waiver in waivers
        ],
    }  # fmt: skip


def _facts(policy: Policy) -> list[dict[str, Any]]:
    known = {
        f.name: value
        for f in fields(Organization)
        if (value := getattr(policy.organization, f.name)) is not None
    }
    return [_row(policy, f"organization.{name}", name, value) for name, value in known.items()]


def _rules(policy: Policy) -> list[dict[str, Any]]:
    """Rules that ask for something; an empty list to choose from allows nothing, and is one."""
    return [
        _row(policy, f"rules.{f.name}", f.name, value)
        for f in fields(Rules)
        if (value := getattr(policy.rules, f.name)) not in (None, False, ())
        or (f.name == "allow_only" and value is not None)
        if f.name != "waivers"
    ]


def _settings(policy: Policy) -> list[dict[str, Any]]:
    return [
        _row(policy, name, name, value)
        for name in _SETTINGS
        if (value := getattr(policy, name)) not in (None, False)
    ]


def _row(policy: Policy, key: str, name: str, value: Any) -> dict[str, Any]:
    shown = list(value) if isinstance(value, tuple) else value
    files = list(policy.origins.get(key, ())) or ([policy.source] if policy.source else [])
    return {"name": name, "value": shown, "sources": files}
