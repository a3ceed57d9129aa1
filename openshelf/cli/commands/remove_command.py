"""`openshelf remove ID`: exactly the files in the manifest, to the trash where there is one."""

from __future__ import annotations

import argparse
import sys

from openshelf import wording
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.errors import NoTrash
from openshelf.library.installed import InstalledModel
from openshelf.library.removal import Removed
from openshelf.reasons import Reason
from openshelf.services import Services


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="an installed id, or an unambiguous part of it")
    parser.add_argument("--for-good", action="store_true", help="past the trash")


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    model = services.library.find(arguments.id)
    try:
        removed = services.library.remove(model.id, for_good=arguments.for_good)
    except NoTrash as error:
        output.note(wording.error_sentence(error))
        if not _may_delete(output, interrupts):
            raise
        removed = services.library.remove(model.id, for_good=True)
    output.result(
        {
            "id": model.id,
            "freed_bytes": removed.freed_bytes,
            "trashed_bytes": removed.trashed_bytes,
        }
    )
    output.line(wording.sentence(_outcome(model, removed)))
    return 0


def _may_delete(output: Output, interrupts: Interrupts) -> bool:
    """A person is asked; a script asked for the removal and gets it, with a note."""
    if output.as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return True
    typed = interrupts.read_line("Type `delete` to delete it for good: ")
    return typed.strip().casefold() == "delete"


def _outcome(model: InstalledModel, removed: Removed) -> Reason:
    data = {
        "id": model.id,
        "path": model.first_file.location,
        "freed_bytes": removed.freed_bytes,
        "trashed_bytes": removed.trashed_bytes,
    }
    if removed.trashed_bytes:
        return Reason("removed_to_trash", data)
    return Reason("removed_for_good" if removed.freed_bytes else "removed_from_list", data)
