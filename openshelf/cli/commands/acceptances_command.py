"""`openshelf acceptances list|verify`: what was accepted, and whether the log is whole."""

from __future__ import annotations

import argparse
from typing import Any

from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.services import Services


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("act", choices=("list", "verify"))


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    if arguments.act == "verify":
        return _verify(services, output)
    records = services.acceptances.records()
    output.result({"records": list(records)})
    output.table(
        ("AT", "BY", "MODEL", "LICENSES", "VERDICT"),
        [_cells(record) for record in records],
    )
    report = services.acceptances.verify()
    if report.problem is not None:
        output.note(f"This log was changed ({report.problem} at line {report.line}).")
    return 0


def _cells(record: dict[str, Any]) -> tuple[str, ...]:
    """A row for any record, also for one that somebody wrote by hand."""

    def inner(table: str, key: str) -> str:
        value = record.get(table)
        return str(value.get(key) or "") if isinstance(value, dict) else ""

    return (
        str(record.get("at", "")),
        inner("accepted_by", "display") or inner("accepted_by", "os_user"),
        inner("model", "repo"),
        inner("effective", "expression"),
        str(record.get("verdict", "")),
    )


def _verify(services: Services, output: Output) -> int:
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
        }
    )
    if whole:
        output.line(f"The log is whole: {report.records} records, head {report.head_sha256}.")
    else:
        output.line(f"The log was changed: {report.problem} at line {report.line}.")
    return 0 if whole else 7
