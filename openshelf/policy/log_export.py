"""The acceptance log as a file for auditors: all of it or what concerns one person.

Every export prints the head of the log, to be kept elsewhere: whoever can rewrite log and head is
not found on this machine.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openshelf.licenses.chain import VerifyReport
from openshelf.licenses.log_queries import NO_ACCEPTANCE

COLUMNS = (
    "at", "by", "os_user", "role", "on_behalf_of", "kind", "repo", "commit", "files", "licenses",
    "verdict", "unreviewed", "policy", "note", "record_id", "prev_sha256",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export_json(
    records: Sequence[Mapping[str, Any]],
    report: VerifyReport,
    at: str,
    lines: Sequence[str] = (),
) -> str:
    """One object: when, head and state of the whole log, the records with their names.

    `lines` are those of the log, byte for byte, so that the chain can be checked without us.
    """
    exported = {"exported_at": at, "log": _log(report), "records": list(records)}
    if lines:
        exported["lines"] = list(lines)
    return json.dumps(exported, ensure_ascii=False, indent=2) + "\n"


def export_csv(records: Iterable[Mapping[str, Any]], report: VerifyReport, at: str) -> str:
    """A line per record, and a last one with the head of the log."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for record in records:
        row = record_row(record)
        writer.writerow([_cell(row[column]) for column in COLUMNS])
    state = "whole" if report.problem is None else f"{report.problem} at line {report.line}"
    last = {"at": at, "kind": "head of the log", "prev_sha256": report.head_sha256}
    last |= {"files": str(report.records), "note": state}
    writer.writerow([last.get(column, "") for column in COLUMNS])
    return text.getvalue()


def record_row(record: Mapping[str, Any]) -> dict[str, str]:
    """The fields of COLUMNS of any record, also of one that somebody wrote by hand."""
    person, model = _table(record, "accepted_by"), _table(record, "model")
    files = model.get("files")
    listed = files if isinstance(files, list) else []
    names = [str(file.get("path")) for file in listed if isinstance(file, dict)]
    ids = _table(record, "effective").get("ids")
    return {
        "at": _text(record.get("at")),
        "by": _text(person.get("display")) or _text(person.get("os_user")),
        "os_user": _text(person.get("os_user")),
        "role": _text(person.get("role")),
        "on_behalf_of": _text(record.get("on_behalf_of")),
        "kind": record_kind(record),
        "repo": _text(model.get("repo")),
        "commit": _text(model.get("commit")),
        "files": " ".join(names),
        "licenses": " ".join(str(id_) for id_ in ids) if isinstance(ids, list) else "",
        "verdict": _text(record.get("verdict")),
        "unreviewed": "yes" if record.get("unreviewed") is True else "",
        "policy": _text(_table(record, "policy").get("name")),
        "note": _text(record.get("note")),
        "record_id": _text(record.get("record_id")),
        "prev_sha256": _text(record.get("prev_sha256")),
    }


def record_kind(record: Mapping[str, Any]) -> str:
    """acceptance, or what the record is instead: revoked, waiver, names_erased."""
    method = record.get("method")
    return str(method) if method in NO_ACCEPTANCE else "acceptance"


def persons(records: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Everyone who is named in the log, in the order of the alphabet."""
    return tuple(sorted({row["by"] for row in map(record_row, records) if row["by"]}))


def records_of(records: Iterable[Mapping[str, Any]], person: str) -> tuple[Mapping[str, Any], ...]:
    """Everything that the log holds of one person, by display name or system user."""
    return tuple(
        record
        for record in records
        if person in (record_row(record)["by"], record_row(record)["os_user"])
    )


def matches(record: Mapping[str, Any], text: str) -> bool:
    """Whether every word occurs somewhere in the record's fields."""
    haystack = " ".join(record_row(record).values()).casefold()
    return all(word in haystack for word in text.casefold().split())


def _log(report: VerifyReport) -> dict[str, Any]:
    return {
        "records": report.records,
        "head_sha256": report.head_sha256,
        "whole": report.problem is None,
        "problem": report.problem,
        "line": report.line,
        "beyond_head": report.beyond_head,
        "clock_line": report.clock_line,
    }


def _cell(text: str) -> str:
    """Never a formula, whatever a name or a note begins with."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _table(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return "" if value is None else str(value)
