"""`openshelf update [ID]`: what a newer commit would bring; says it and fetches nothing."""

from __future__ import annotations

import argparse
from typing import Any

from openshelf import wording
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.cli.terms import print_terms_change
from openshelf.errors import CancelledByUser, OpenshelfError
from openshelf.library.install import LOCAL
from openshelf.library.updates import UpdateReport
from openshelf.services import Services
from openshelf.units import format_bytes

_MOST_DIFF_LINES = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", nargs="?", help="one model; all without it")


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    """With an ID its errors are errors; without, each is told beside its model."""
    if arguments.id:
        model = services.library.find(arguments.id)
        found = services.check_update(model, interrupts.token, output.report)
        output.result({"updates": [found.as_json()]})
        _print(found, output)
        return 0
    answers: list[dict[str, Any]] = []
    for model in services.library.installed():
        if model.repo == LOCAL:
            continue
        try:
            found = services.check_update(model, interrupts.token, output.report)
        except CancelledByUser:
            raise
        except OpenshelfError as error:
            sentence = wording.error_sentence(error)
            answers.append(
                {"id": model.id, "state": "unknown",
                 "error": {"code": error.code, "message": sentence, **error.data()}}
            )  # fmt: skip
            output.line(f"{model.id}: {sentence}")
            continue
        answers.append(found.as_json())
        _print(found, output)
    output.result({"updates": answers})
    if not answers:
        output.line("Nothing that is installed comes from the Hub.")
    return 0


def _print(found: UpdateReport, output: Output) -> None:
    output.line(f"{found.model.id}: {wording.template(f'update_{found.state}')}")
    terms = found.terms
    if terms.is_changed:
        print_terms_change(terms, output, most_lines=_MOST_DIFF_LINES)
    for flag in terms.flags_added:
        output.line(f"  {wording.template(flag)}")
    if found.state == "current":
        return
    if not terms.is_changed:
        output.line(f"  license: {terms.after.expression}, as before")
    output.line(f"  {wording.template(f'update_gate_{found.gate}')}")
    output.line(f"  commit {found.model.commit[:8]} → {found.offer.commit[:8]}")
    for file in found.files:
        after = format_bytes(file.after[1]) if file.after else "gone"
        state = "the same file" if file.before == file.after else f"another file, {after}"
        output.line(f"  {file.path}: {state}")
    if found.has_other_files:
        output.line(f'  Get it: openshelf install "hf:{found.model.repo}/{found.files[0].path}"')
