"""`openshelf search TEXT`: models by words, in the catalog and on the Hub."""

from __future__ import annotations

import argparse

from openshelf import wording
from openshelf.cli.commands.shelf_command import COLUMNS, cells_of, print_notes
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.machines import chosen_machine
from openshelf.cli.output import Output
from openshelf.cli.questions import add_question_arguments, asked_question
from openshelf.cli.values import positive
from openshelf.services import Services
from openshelf.shelf.search import SearchAnswer, SearchQuestion


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", metavar="TEXT", nargs="+", help="parts of a name")
    add_question_arguments(parser)
    parser.add_argument(
        "--limit", type=positive, default=20, metavar="N", help="repositories of the Hub at most"
    )


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    text = " ".join(arguments.text)
    question = SearchQuestion(text, asked_question(arguments), arguments.limit)
    machine = chosen_machine(arguments.machine, services, interrupts.token)
    answer = services.search(machine, question, interrupts.token)
    output.result(answer.as_json())
    _print(answer, output)
    return 0


def _print(answer: SearchAnswer, output: Output) -> None:
    rows = [
        ("catalog", *cells_of(row, row.shown, is_fitting=row.recommended is not None), "-")
        for row in answer.shelf.rows
    ]
    for found in answer.hub:
        row = found.row
        cells = cells_of(row, row.shown, is_fitting=row.recommended is not None)
        downloads = found.hit.downloads
        rows.append(("Hub", *cells, "-" if downloads is None else str(downloads)))
    if rows:
        output.table(("FROM", *COLUMNS, "DOWNLOADS"), rows)
        print_notes([*answer.shelf.rows, *(found.row for found in answer.hub)], output)
    else:
        output.line("Nothing was found.")
    for note in answer.notes:
        output.line(wording.sentence(note))
