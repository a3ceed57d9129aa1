"""`openshelf export ID… DIR`: a bundle for machines without a network."""

from __future__ import annotations

import argparse

from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.paths import written_path
from openshelf.services import Services
from openshelf.units import counted, format_bytes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", metavar="ID", nargs="+", help="installed models")
    parser.add_argument("folder", metavar="DIR", help="where the bundle goes")


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    found = {model.id: model for model in map(services.library.find, arguments.ids)}
    folder = written_path(arguments.folder).absolute()
    report = services.bundles.export(list(found.values()), folder, interrupts.token, output.report)
    output.result(report.as_json())
    count, size = counted(len(report.model_ids), "model"), format_bytes(report.size_bytes)
    output.line(f"{count} ({size}) with licenses in {report.folder}")
    for name in report.licenses_missing:
        output.note(f"The text of {name} is not on this machine; the NOTICE says where it is.")
    output.line(f'On the other machine: openshelf import "{report.folder}"')
    return 0
