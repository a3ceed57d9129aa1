"""What is known about whoever uses the models, and a team's rules: the policy file.

Every fact may be unknown (None). One TOML file holds facts and rules, so that it can be shared.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NoReturn

from openshelf.errors import BadPolicy
from openshelf.licenses.license import CLASSES
from openshelf.paths import Paths, written_path
from openshelf.policy.toml_lines import line_of_key, place_of_error
from openshelf.policy.waiver import Waiver, waivers_from_table


@dataclass(frozen=True)
class Organization:
    """Facts that licenses ask about; money in US dollars, regions as ISO 3166 alpha-2 or EU."""

    name: str | None = None
    domicile: str | None = None
    use_regions: tuple[str, ...] | None = None
    commercial: bool | None = None
    internal_only: bool | None = None
    mau: int | None = None
    mau_over_on_release: bool | None = None
    annual_revenue_usd: int | None = None
    monthly_revenue_usd: int | None = None
    redistributes: bool | None = None
    distributes_product: bool | None = None
    makes_derivatives: bool | None = None
    distributes_derivatives: bool | None = None
    hosts_service: bool | None = None
    ai_work_assistant: bool | None = None
    trains_on_outputs: bool | None = None
    competes_with_licensor: bool | None = None
    fields_of_use: tuple[str, ...] | None = None
    """In the organization's own words: "military", "medical advice"."""


@dataclass(frozen=True)
class Rules:
    """A team's own rules, on top of what the licenses ask."""

    allow_only: tuple[str, ...] | None = None
    deny_classes: tuple[str, ...] = ()
    deny_vendor_regions: tuple[str, ...] = ()
    require_osi: bool = False
    require_license_text: bool = False
    strict_labels: bool = False
    waivers: tuple[Waiver, ...] = ()


@dataclass(frozen=True)
class Policy:
    """`sha256` is that of the file, "" where there is none; `source` is its path or "".

    `managed` is true for the machine-wide file that ordinary users cannot write.
    """

    organization: Organization = field(default_factory=Organization)
    rules: Rules = field(default_factory=Rules)
    name: str = ""
    source: str = ""
    sha256: str = ""
    managed: bool = False
    offline_only: bool = False
    allow_remote_hosts: tuple[str, ...] | None = None
    keep_chats_days: int | None = None
    origins: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    """Dotted key of a fact or rule → the files that state it."""

    @property
    def exists(self) -> bool:
        return bool(self.sha256)

    def source_of(self, key: str) -> str:
        """The files that state a fact or a rule (`rules.allow_only`), for showing."""
        return ", ".join(self.origins.get(key, ())) or self.source


@dataclass(frozen=True)
class FoundPolicies:
    """The machine-wide policy and the person's own; None where there is none."""

    managed: Policy | None
    own: Policy | None

    @property
    def in_force(self) -> Policy:
        """Beside a machine-wide policy the other one only adds rules."""
        if self.managed is None:
            return self.own or Policy()
        return self.managed if self.own is None else tighten(self.managed, self.own)


def find_policies(
    paths: Paths,
    environment: Mapping[str, str] | None = None,
    managed_file: Path | None = None,
) -> FoundPolicies:
    """The machine-wide file, and the one that OPENSHELF_POLICY names or else the person's own.

    Raises BadPolicy naming the key.
    """
    environment = os.environ if environment is None else environment
    machine_wide = managed_policy_file(environment) if managed_file is None else managed_file
    named = named_policy_file(environment)
    own: Policy | None = None
    if named is not None:
        own = load_policy(named)
    elif os.path.lexists(paths.policy_file):
        own = load_policy(paths.policy_file)
    return FoundPolicies(load_managed(machine_wide), own)


def load_managed(path: Path) -> Policy | None:
    """The machine-wide policy, None where there is none. Raises BadPolicy naming the key."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:  # it may be there, and somebody does not want it to be read
        raise BadPolicy(path=str(path), why="unreadable", detail=error.strerror or "") from error
    return replace(load_policy(path), managed=_is_write_protected(path))


def named_policy_file(environment: Mapping[str, str]) -> Path | None:
    """The file that OPENSHELF_POLICY names, None where it names none."""
    named = environment.get("OPENSHELF_POLICY", "")
    return written_path(named) if named else None


def closed_policy(source: str) -> Policy:
    """Allows nothing: in force where a policy's file is there and cannot be understood."""
    digest = hashlib.sha256(source.encode()).hexdigest()
    return Policy(rules=Rules(allow_only=()), source=source, sha256=digest, allow_remote_hosts=())


def managed_policy_file(environment: Mapping[str, str]) -> Path:
    """Where an administrator puts the policy of a whole machine."""
    if sys.platform == "win32":
        return Path(environment.get("PROGRAMDATA", r"C:\ProgramData")) / "openshelf" / "policy.toml"
    if sys.platform == "darwin":
        return Path("/Library/Application Support/openshelf/policy.toml")
    return Path("/etc/openshelf/policy.toml")


def tighten(managed: Policy, other: Policy) -> Policy:
    """`managed` with the rules of `other` on top. Facts and permissions stay the managed ones."""
    first, second = managed.rules, other.rules
    rules = Rules(
        allow_only=_both(first.allow_only, second.allow_only),
        deny_classes=_either(first.deny_classes, second.deny_classes),
        deny_vendor_regions=_either(first.deny_vendor_regions, second.deny_vendor_regions),
        require_osi=first.require_osi or second.require_osi,
        require_license_text=first.require_license_text or second.require_license_text,
        strict_labels=first.strict_labels or second.strict_labels,
        waivers=first.waivers,  # another file's would loosen it
    )
    joined = hashlib.sha256(f"{managed.sha256}+{other.sha256}".encode()).hexdigest()
    return replace(
        managed,
        rules=rules,
        sha256=joined,
        offline_only=managed.offline_only or other.offline_only,
        allow_remote_hosts=_both(managed.allow_remote_hosts, other.allow_remote_hosts),
        keep_chats_days=_shorter(managed.keep_chats_days, other.keep_chats_days),
        origins=_origins_of_both(managed, other),
    )


def _origins_of_both(managed: Policy, other: Policy) -> dict[str, tuple[str, ...]]:
    """Facts come from the managed file alone; a rule from each file that states it."""
    added = {
        key: files
        for key, files in other.origins.items()
        if key not in ("name", "rules.waivers") and not key.startswith("organization.")
    }
    keys = dict.fromkeys((*managed.origins, *added))
    return {key: (*managed.origins.get(key, ()), *added.get(key, ())) for key in keys}


def load_policy(path: Path) -> Policy:
    """Read one policy file. Raises BadPolicy naming the key that is wrong, and its line."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise BadPolicy(path=str(path), why="unreadable", detail=error.strerror or "") from error
    if len(raw) > _MOST_BYTES:
        raise BadPolicy(path=str(path), why="unreadable", detail="it is larger than 1 MB")
    return policy_from_bytes(raw, str(path))


def policy_from_bytes(raw: bytes, source: str) -> Policy:
    """The policy in the content of a file. Raises BadPolicy naming key and line."""
    try:
        text = text_of(raw)
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        line, detail = place_of_error(error, raw)
        raise BadPolicy(path=source, why="not_toml", detail=detail, line=line) from error
    try:
        policy = policy_from_table(table, source)
    except BadPolicy as error:
        raise replace(error, line=line_of_key(text, error.key)) from error
    return replace(
        policy,
        source=source,
        sha256=hashlib.sha256(raw).hexdigest(),
        origins=dict.fromkeys(_dotted_keys(table), (source,)),
    )


def text_of(raw: bytes) -> str:
    """A file's content; some editors begin it with a byte order mark. Raises UnicodeDecodeError."""
    return raw.decode("utf-8").removeprefix("\ufeff")


def _dotted_keys(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if key in ("organization", "rules") and isinstance(value, Mapping):
            yield from (f"{key}.{inner}" for inner in value)
        else:
            yield key


def policy_from_table(table: Mapping[str, Any], source: str = "") -> Policy:
    """A policy from `name`, `[organization]`, `[rules]` and the settings beside them."""
    reader = _Reader(source)
    top = {key: value for key, value in table.items() if key not in ("organization", "rules")}
    values = reader.values(Policy, top, "", ("name", "offline_only", *_LISTS_AT_TOP))
    organization = Organization(
        **reader.values(Organization, reader.table(table, "organization"), "organization.")
    )
    stated = dict(reader.table(table, "rules"))
    waivers = waivers_from_table(stated.pop("waivers", []), source)
    rules = Rules(**reader.values(Rules, stated, "rules."), waivers=waivers)
    return Policy(organization=organization, rules=rules, **values)


_MOST_BYTES = 1_000_000
_LONGEST_TEXT, _MOST_ENTRIES, _MOST = 500, 2000, 10**15
"""Of a text in characters, of a list, of a figure: beyond that it is a mistake or a joke."""
_LISTS_AT_TOP = ("allow_remote_hosts", "keep_chats_days")
_REGION_KEYS = ("domicile", "use_regions", "deny_vendor_regions")


@dataclass(frozen=True)
class _Reader:
    """Checks a table against the fields of a dataclass and says which key is wrong."""

    source: str

    def fail(self, key: str, why: str, detail: str = "") -> NoReturn:
        raise BadPolicy(path=self.source, key=key, why=why, detail=detail)

    def table(self, table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = table.get(key, {})
        if not isinstance(value, Mapping):
            self.fail(key, "wrong_type", "a table")
        return value

    def values(
        self, kind: type, table: Mapping[str, Any], prefix: str, allowed: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        types = {f.name: str(f.type) for f in fields(kind) if not allowed or f.name in allowed}
        checked: dict[str, Any] = {}
        for key, value in table.items():
            if key not in types:
                self.fail(prefix + key, "unknown_key")
            checked[key] = self._value(prefix + key, value, types[key])
        return checked

    def _value(self, key: str, value: Any, expected: str) -> Any:
        name = key.rsplit(".", 1)[-1]
        if expected.startswith("tuple"):
            return tuple(self._entry(key, item) for item in self._list(key, value))
        if expected.startswith("bool"):
            if not isinstance(value, bool):
                self.fail(key, "wrong_type", "true or false")
            return value
        if expected.startswith("int"):
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                self.fail(key, "wrong_type", "a whole number, 0 or more")
            if value > _MOST:
                self.fail(key, "wrong_type", "a whole number of at most 10^15")
            return value
        if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
            self.fail(key, "wrong_type", f"a string of at most {_LONGEST_TEXT} characters")
        return self._region(key, value) if name in _REGION_KEYS else " ".join(value.split())

    def _list(self, key: str, value: Any) -> list[str]:
        is_list = isinstance(value, list) and len(value) <= _MOST_ENTRIES
        if not is_list or not all(isinstance(e, str) and len(e) <= _LONGEST_TEXT for e in value):
            self.fail(key, "wrong_type", "a list of strings")
        return list(value)

    def _entry(self, key: str, entry: str) -> str:
        """One entry of a list. A class that does not exist would silently deny nothing."""
        name = key.rsplit(".", 1)[-1]
        if name == "deny_classes" and entry not in CLASSES:
            self.fail(key, "unknown_class", entry)
        return self._region(key, entry) if name in _REGION_KEYS else entry

    def _region(self, key: str, value: str) -> str:
        code = value.strip().upper()
        if len(code) != 2 or not code.isascii() or not code.isalpha():
            self.fail(key, "not_a_region", value)
        return {"UK": "GB", "EL": "GR"}.get(code, code)


def _is_write_protected(path: Path) -> bool:
    """Whether only an administrator can change the file. Windows guards ProgramData by itself."""
    if os.name != "posix":
        return True
    try:
        states = (path.stat(), path.parent.stat())
    except OSError:
        return False
    return all(s.st_uid == 0 and not s.st_mode & (stat.S_IWGRP | stat.S_IWOTH) for s in states)


def _both(first: tuple[str, ...] | None, second: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """What both lists allow; None allows everything."""
    if first is None or second is None:
        return second if first is None else first
    allowed = {entry.strip().casefold() for entry in second}
    return tuple(entry for entry in first if entry.strip().casefold() in allowed)


def _shorter(first: int | None, second: int | None) -> int | None:
    days = [value for value in (first, second) if value is not None]
    return min(days, default=None)


def _either(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))
