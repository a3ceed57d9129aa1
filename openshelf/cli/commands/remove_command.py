"""`openshelf remove ID`: delete exactly the files in the manifest."""

from __future__ import annotations

import argparse

from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.services import Services
from openshelf.units import format_bytes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="an installed id, or an unambiguous part of it")


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    model = services.library.find(arguments.id)
    freed = services.library.remove(model.id)
    output.result({"id": model.id, "freed_bytes": freed})
    output.line(f"Removed {model.id}, {format_bytes(freed)} freed.")
    return 0
