"""Writes a policy as TOML: the values that are known, beside everything in the file that is not
ours to change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from openshelf.policy.organization import Organization, Policy, Rules

_TOP = ("name", "offline_only", "allow_remote_hosts", "keep_chats_days")
_TABLES = {"organization": Organization, "rules": Rules}


def policy_table(policy: Policy, base: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """`base`, the table of the file as it is (its waivers too), with the values of `policy`.

    What is unknown or as without the file is left out; keys of `base` that no field of a policy
    has are kept as they are.
    """
    kept = dict(base or {})
    table = _merged(kept, {name: getattr(policy, name) for name in _TOP}, Policy)
    for name, kind in _TABLES.items():
        part = getattr(policy, name)
        before = kept.get(name)
        before = before if isinstance(before, Mapping) else {}
        values = {f.name: getattr(part, f.name) for f in fields(kind) if f.name != "waivers"}
        inside = _merged(before, values, kind)
        table.pop(name, None)
        if inside:
            table[name] = inside
    return table


def policy_text(policy: Policy, base: Mapping[str, Any] | None = None) -> str:
    """The TOML text of `policy_table`."""
    import tomli_w

    return tomli_w.dumps(policy_table(policy, base))


def _merged(before: Mapping[str, Any], values: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """`before` with `values`; a value that a missing key means as well is left out."""
    defaults = {f.name: f.default for f in fields(kind)}
    merged = dict(before)
    for name, value in values.items():
        if value is None or value == defaults.get(name):
            merged.pop(name, None)
        else:
            merged[name] = list(value) if isinstance(value, tuple) else value
    return merged
