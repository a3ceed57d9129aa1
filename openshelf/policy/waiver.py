"""A waiver: an approver lets single reasons not count for one model, until a day.

Waivers stand in the policy file (`[[rules.waivers]]`) or in the acceptance log; the gate decides
which of them count. A role is what somebody said of himself, nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from openshelf.errors import BadPolicy
from openshelf.policy.verdict import PolicyReason


@dataclass(frozen=True)
class Scope:
    """Which reasons are meant; None stands for any code, license or clause (`ref`)."""

    code: str | None = None
    license: str | None = None
    ref: str | None = None

    def covers(self, reason: PolicyReason) -> bool:
        pairs = (
            (self.code, reason.code),
            (self.license, reason.license),
            (self.ref, reason.ref),
        )
        return all(wanted is None or wanted == given for wanted, given in pairs)


@dataclass(frozen=True)
class Waiver:
    """For `repo` (any commit; NAME@HASH for a file), until the end of the day `until` in UTC.

    `record_id` is that of the log, None for a waiver of the policy file (`source`).
    """

    repo: str
    until: date
    scopes: tuple[Scope, ...]
    name: str = ""
    note: str = ""
    record_id: str | None = None
    source: str = ""

    def covers(self, reason: PolicyReason, repo: str, today: date) -> bool:
        return (
            _same_repo(self.repo, repo)
            and today <= self.until
            and any(scope.covers(reason) for scope in self.scopes)
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "repo": self.repo,
            "until": self.until.isoformat(),
            "scopes": [vars(scope) for scope in self.scopes],
            "name": self.name,
            "note": self.note,
            "record_id": self.record_id,
            "source": self.source,
        }


def _same_repo(one: str, other: str) -> bool:
    """Letter case does not count on the Hub; letters of other scripts are other letters."""
    return one == other or (one.isascii() and other.isascii() and one.lower() == other.lower())


_REPO_OR_FILE = re.compile(r"^([^/*?\[\]]+/[^/*?\[\]]+|.+@[0-9a-fA-F]*)$")
"""A pattern would look as if it waived much, and waive nothing."""
_LONGEST = 2000
_KEYS = ("repo", "until", "name", "note", "license", "rules")


def waivers_from_table(entries: Any, source: str) -> tuple[Waiver, ...]:
    """The waivers of a policy file: each has repo, until and name; note, license and rules (codes
    of reasons; all of them where none is named) may follow. Raises BadPolicy.
    """
    if not isinstance(entries, list):
        raise BadPolicy("a list of tables", source, "rules.waivers", "wrong_type")
    return tuple(
        _waiver(f"rules.waivers[{number}]", entry, source)
        for number, entry in enumerate(entries, start=1)
    )


def _waiver(key: str, entry: Any, source: str) -> Waiver:
    if not isinstance(entry, Mapping):
        raise BadPolicy("a table", source, key, "wrong_type")
    if unknown := sorted(set(entry) - set(_KEYS)):
        raise BadPolicy("", source, f"{key}.{unknown[0]}", "unknown_key")
    texts = {name: entry.get(name, "") for name in ("repo", "name", "note", "license")}
    for name, text in texts.items():
        is_text = isinstance(text, str) and len(text) <= _LONGEST
        if not is_text or (name in ("repo", "name") and not text.strip()):
            raise BadPolicy("a string", source, f"{key}.{name}", "wrong_type")
    if not _REPO_OR_FILE.search(texts["repo"].strip()):
        raise BadPolicy(
            "one repository (OWNER/NAME) or file (NAME@HASH), without * or ?",
            source, f"{key}.repo", "wrong_type",
        )  # fmt: skip
    rules = entry.get("rules", [])
    if not isinstance(rules, list) or not all(isinstance(rule, str) for rule in rules):
        raise BadPolicy("a list of strings", source, f"{key}.rules", "wrong_type")
    until = _day(entry.get("until"))
    if until is None:
        raise BadPolicy("a day such as 2026-12-31", source, f"{key}.until", "wrong_type")
    license = texts["license"].strip() or None
    scopes = tuple(Scope(code=rule, license=license) for rule in rules)
    return Waiver(
        repo=texts["repo"].strip(),
        until=until,
        scopes=scopes or (Scope(license=license),),
        name=texts["name"].strip(),
        note=texts["note"],
        source=source,
    )


def _day(value: Any) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return None
