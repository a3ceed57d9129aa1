"""What stands in the records of the acceptance log: which still hold, and whose names they carry.

Records may hold anything: whoever can write the file can write what he likes into it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from openshelf.licenses.clearance import ClearedFile
from openshelf.licenses.effective import EffectiveLicense

Record = dict[str, Any]
REVOKED = "revoked"
WAIVED = "waiver"
ERASED = "names_erased"
_TERMS = ("license", "use_policy")
"""Kinds of texts that are accepted; a NOTICE is passed on."""
NO_ACCEPTANCE = (REVOKED, WAIVED, ERASED)
"""`method` of records that nobody accepted anything with."""


def in_force(records: Sequence[Record], *, waivers: bool = False) -> Iterator[Record]:
    """Acceptances (or waivers) that nobody took back, the newest first.

    A revocation counts for what stands before it.
    """
    revoked: set[str] = set()
    for record in reversed(records):
        method = record.get("method")
        if method == REVOKED:
            revoked.add(str(record.get("supersedes")))
        elif str(record.get("record_id")) in revoked:
            continue
        elif (method == WAIVED) if waivers else (method not in NO_ACCEPTANCE):
            yield record


def revoked_in(records: Iterable[Record]) -> frozenset[str]:
    """Ids of the records that were taken back."""
    return frozenset(str(r.get("supersedes")) for r in records if r.get("method") == REVOKED)


def covers(record: Record, repo: str, commit: str, wanted: set[tuple[str, str, int]]) -> bool:
    """Whether an acceptance names all these files: path, sha256, size in bytes."""
    model = table_of(record, "model")
    if (model.get("repo"), model.get("commit")) != (repo, commit) or not wanted:
        return False
    return wanted <= {(file.get("path"), file.get("sha256"), file.get("size"))
                      for file in files_of(record)}  # fmt: skip


def same_terms(
    record: Record, repo: str, commit: str, paths: frozenset[str], license: EffectiveLicense
) -> bool:
    """Whether an acceptance of another commit was for files of these names under the same terms.

    The licenses' texts must have been read both times: what was not read cannot be the same. So
    with a use policy, unless it is only linked both times.
    """
    model, effective = table_of(record, "model"), table_of(record, "effective")
    if model.get("repo") != repo or model.get("commit") == commit or not paths:
        return False
    accepted = _texts_of(record)
    now = {(t.license, t.kind, t.sha256) for t in license.texts if t.kind in _TERMS}
    return (
        paths <= {str(file.get("path")) for file in files_of(record)}
        and {text for text in now if text[2]} == {text for text in accepted if text[2]}
        and all(sha256 for _, kind, sha256 in now if kind == "license")
        and set(license.effective) == _strings(effective.get("ids"))
        and set(license.disputed) == _strings(effective.get("disputed"))
        and set(license.flags) <= flags_of(record)
    )


def _texts_of(record: Record) -> set[tuple[str, str, str]]:
    """(license, kind, sha256) of the texts that were accepted; a hash is "" where none was read."""
    texts = record.get("texts")
    return {
        (str(text.get("license")), str(text.get("kind")), str(text.get("sha256") or ""))
        for text in (texts if isinstance(texts, list) else [])
        if isinstance(text, dict) and text.get("kind") in _TERMS
    }


def _strings(value: object) -> set[str]:
    return {str(entry) for entry in value} if isinstance(value, list) else set()


def flags_of(record: Record) -> set[str]:
    return _strings(table_of(record, "effective").get("flags"))


def files_of(record: Record) -> list[Record]:
    files = table_of(record, "model").get("files")
    return [file for file in (files if isinstance(files, list) else []) if isinstance(file, dict)]


def table_of(record: Record, key: str) -> Record:
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def wanted_files(files: Iterable[ClearedFile]) -> set[tuple[str, str, int]]:
    return {(file.path, file.sha256, file.size_bytes) for file in files}


@dataclass(frozen=True)
class Person:
    """One name that the log holds, and the records that carry it."""

    name: str
    record_ids: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    os_users: tuple[str, ...] = ()
    notes: int = field(default=0)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "records": list(self.record_ids),
            "roles": list(self.roles),
            "os_users": list(self.os_users),
            "notes": self.notes,
        }


def people_in(records: Iterable[Record]) -> tuple[Person, ...]:
    """Everyone whose name is kept, by name; a note without a name belongs to the name ""."""
    found: dict[str, list[Record]] = {}
    for record in records:
        name = display_of(record)
        if name or record.get("note"):
            found.setdefault(name.casefold(), []).append(record)
    return tuple(_person(mine) for _, mine in sorted(found.items()))


def _person(records: list[Record]) -> Person:
    people = [table_of(record, "accepted_by") for record in records]
    return Person(
        name=display_of(records[0]),
        record_ids=tuple(str(record.get("record_id")) for record in records),
        roles=_distinct(str(person.get("role") or "") for person in people),
        os_users=_distinct(str(person.get("os_user") or "") for person in people),
        notes=sum(bool(record.get("note")) for record in records),
    )


def of_person(records: Iterable[Record], name: str) -> tuple[Record, ...]:
    """The records that carry this display name or user name, ignoring case."""
    wanted = name.strip().casefold()
    return tuple(
        record
        for record in records
        if wanted and wanted in (display_of(record).casefold(), _os_user(record).casefold())
    )


def display_of(record: Record) -> str:
    return str(table_of(record, "accepted_by").get("display") or "")


def _os_user(record: Record) -> str:
    return str(table_of(record, "accepted_by").get("os_user") or "")


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))
