"""`openshelf verify [ID]`: hash installed files again and keep what was found."""

from __future__ import annotations

import argparse

from openshelf import wording
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.errors import ChecksumMismatch, NotFound
from openshelf.library.verifying import FileState, ModelCheck
from openshelf.services import Services
from openshelf.units import format_bytes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", nargs="?", help="one model; all without it")


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    """Exit 7 where a file is damaged, 4 where one is missing or cannot be read."""
    library = services.library
    models = [library.find(arguments.id)] if arguments.id else list(library.installed())
    checks = []
    for model in models:
        check = library.verify(model.id, interrupts.token, output.report)
        _print(check, output)
        checks.append(check)
    output.result({"models": [check.as_json() for check in checks]})
    if not models:
        output.line("Nothing is installed yet.")
    states = {check.state for check in checks}
    if FileState.DAMAGED in states:
        return ChecksumMismatch.exit_code
    return NotFound.exit_code if states - {FileState.INTACT} else 0


def _print(check: ModelCheck, output: Output) -> None:
    size = format_bytes(check.model.size_bytes)
    output.line(f"{check.model.id} ({size}): {wording.template(f'verified_{check.state}')}")
    for found in check.files:
        if found.state is not FileState.INTACT:
            output.line(f"  {found.file.path}: {wording.template(f'file_{found.state}')}")
            output.line(f"  {found.file.location}")
    if check.state is not FileState.INTACT and check.model.source != "import":
        output.line(f'  Get it again: openshelf install "{check.model.id}"')
