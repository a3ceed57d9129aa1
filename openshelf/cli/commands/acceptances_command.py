"""`openshelf acceptances list|verify`: what was accepted, and whether the log is whole."""

from __future__ import annotations

import argparse

from openshelf.cli.output import Output
from openshelf.services import Services
from openshelf.tasks import CancelToken


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("act", choices=("list", "verify"))


def run(
    arguments: argparse.Namespace, services: Services, output: Output, cancel: CancelToken
) -> int:
    if arguments.act == "verify":
        return _verify(services, output)
    records = services.acceptances.records()
    output.result({"records": list(records)})
    output.table(
        ("AT", "BY", "MODEL", "LICENSES", "VERDICT"),
        [
            (
                str(record["at"]),
                str(record["accepted_by"]["display"] or record["accepted_by"]["os_user"]),
                str(record["model"]["repo"]),
                str(record["effective"]["expression"]),
                str(record["verdict"]),
            )
            for record in records
        ],
    )
    return 0


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
