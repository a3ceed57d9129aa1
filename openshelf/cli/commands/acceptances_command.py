"""`openshelf acceptances list|verify|export|revoke|people|erase`: the acceptance log."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from openshelf import wording
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output, write_output
from openshelf.cli.values import refuse_stray
from openshelf.errors import BadWords
from openshelf.library.evidence import os_user_name
from openshelf.library.store import now_utc
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.licenses.chain import VerifyReport
from openshelf.licenses.clearance import Verdict
from openshelf.licenses.log_queries import of_person
from openshelf.paths import written_path
from openshelf.policy.log_export import export_csv, export_json
from openshelf.reasons import Reason
from openshelf.services import Services
from openshelf.units import counted

_BELONGING = {
    **dict.fromkeys(("id", "accept_as", "note"), ("revoke",)),
    "person": ("list", "export", "erase"),
    "output": ("export",),
}
_KINDS = {"revoked": "revocation", "waiver": "waiver", "names_erased": "names erased"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("act", choices=tuple(_ACTS), metavar="|".join(_ACTS))
    parser.add_argument("id", metavar="ID", nargs="?", help="revoke: a record, or its beginning")
    parser.add_argument("--person", metavar="NAME", help="list, export, erase: only this name")
    parser.add_argument("--output", metavar="FILE", help="export: where to, instead of stdout")
    parser.add_argument("--accept-as", metavar="NAME", help="revoke: name for the record")
    parser.add_argument("--note", default="", metavar="TEXT", help="revoke: why")


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    refuse_stray(arguments, arguments.act, _BELONGING)
    return _ACTS[arguments.act](arguments, services, output)


def _list(arguments: argparse.Namespace, services: Services, output: Output) -> int:
    records = _chosen(arguments, services)
    output.result({"records": list(records)})
    if records:
        output.table(
            ("AT", "BY", "KIND", "MODEL", "LICENSES", "VERDICT", "RECORD"),
            [_cells(record) for record in records],
        )
    else:
        output.line(_nothing(arguments.person))
    report = services.acceptances.verify()
    if report.problem is not None:
        output.note(_problem(report))
    return 0


def _nothing(person: str | None) -> str:
    if person:
        return wording.sentence(Reason("log_nothing_of_person", {"name": person}))
    return wording.template("log_nothing_listed")


def _chosen(arguments: argparse.Namespace, services: Services) -> tuple[dict[str, Any], ...]:
    records = services.acceptances.records()
    return of_person(records, arguments.person) if arguments.person else records


def _cells(record: dict[str, Any]) -> tuple[str, ...]:
    """A row for any record, also for one that somebody wrote by hand."""

    def inner(table: str, key: str) -> str:
        value = record.get(table)
        return str(value.get(key) or "") if isinstance(value, dict) else ""

    return (
        str(record.get("at", "")),
        inner("accepted_by", "display") or inner("accepted_by", "os_user"),
        _KINDS.get(str(record.get("method")), "acceptance"),
        inner("model", "repo"),
        inner("effective", "expression"),
        _verdict(record.get("verdict")),
        str(record.get("record_id", ""))[:8],
    )


def _verdict(value: object) -> str:
    """In words; as it stands where somebody wrote something else."""
    known = [verdict.value for verdict in Verdict]
    return wording.template(f"verdict_short_{value}") if value in known else str(value or "")


def _verify(arguments: argparse.Namespace, services: Services, output: Output) -> int:
    report = services.acceptances.verify()
    whole = report.problem is None
    output.result(
        {
            "ok": whole,
            "records": report.records,
            "head_sha256": report.head_sha256,
            "problem": report.problem,
            "line": report.line,
            "unfinished_line": report.unfinished_line,
            "sealed": report.sealed,
            "beyond_head": report.beyond_head,
            "clock_line": report.clock_line,
        }
    )
    facts = {"records": report.records, "head_sha256": report.head_sha256}
    output.line(wording.sentence(Reason("log_whole", facts)) if whole else _problem(report))
    if report.beyond_head:
        output.line(wording.template("log_beyond_head"))
    if report.clock_line is not None:
        output.line(wording.sentence(Reason("log_clock", {"line": report.clock_line})))
    if report.sealed is not None:
        output.line(wording.template("log_sealed" if report.sealed else "log_unsealed"))
    output.line(wording.template("log_limits"))
    return 0 if whole else 7


def _problem(report: VerifyReport) -> str:
    return wording.sentence(Reason(f"log_{report.problem}", {"line": report.line}))


def _revoke(arguments: argparse.Namespace, services: Services, output: Output) -> int:
    if not arguments.id:
        raise BadWords(why="revoke_needs")
    log = services.acceptances
    ids = [str(record.get("record_id")) for record in log.records()]
    found = [id_ for id_ in ids if id_.startswith(arguments.id)]
    record_id = found[0] if len(found) == 1 else arguments.id
    form = AcceptanceForm(display_name=arguments.accept_as or "", note=arguments.note)
    revocation = log.revoke(record_id, form, os_user_name())
    output.result({"record_id": revocation, "revoked": record_id})
    output.line(f"Taken back: {record_id}. That is record {revocation}.")
    return 0


def _export(arguments: argparse.Namespace, services: Services, output: Output) -> int:
    """A .csv file as a table, everything else as JSON; each ends with the head of the log."""
    log = services.acceptances
    records, report = _chosen(arguments, services), log.verify()
    path = written_path(arguments.output) if arguments.output else None
    if path is not None and path.suffix.casefold() == ".csv":
        text = export_csv(records, report, now_utc())
    else:
        lines = () if arguments.person else log.lines()
        text = export_json(records, report, now_utc(), lines)
    if report.problem is not None:
        output.note(_problem(report))
    if path is None:
        output.document(text)
        return 0
    write_output(path, text.encode("utf-8", "replace"))
    output.result({"path": str(path), "records": len(records), "head_sha256": report.head_sha256})
    count = counted(len(records), "record")
    output.line(f"{count} written to {path}. Head of the log: {report.head_sha256}")
    return 0


def _people(arguments: argparse.Namespace, services: Services, output: Output) -> int:
    people = services.acceptances.people()
    output.result({"people": [person.as_json() for person in people]})
    output.table(
        ("NAME", "RECORDS", "NOTES", "ROLES", "ACCOUNTS"),
        [
            (
                person.name or "(a note without a name)",
                str(len(person.record_ids)),
                str(person.notes),
                ", ".join(person.roles),
                ", ".join(person.os_users),
            )
            for person in people
        ],
    )
    return 0


def _erase(arguments: argparse.Namespace, services: Services, output: Output) -> int:
    if arguments.person is None:
        raise BadWords(why="erase_needs")
    ids = services.acceptances.erase_names(arguments.person, os_user_name())
    output.result({"erased": list(ids)})
    output.line(f"The name and its notes are erased from {counted(len(ids), 'record')}.")
    output.line("The chain stays as it was, with the name of the account on this machine in it.")
    return 0


_ACTS: dict[str, Callable[[argparse.Namespace, Services, Output], int]] = {
    "list": _list,
    "verify": _verify,
    "export": _export,
    "revoke": _revoke,
    "people": _people,
    "erase": _erase,
}
