"""`openshelf shelf`: the best variant of each family for a machine."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from openshelf import wording
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.machines import chosen_machine
from openshelf.cli.output import Output
from openshelf.cli.questions import add_question_arguments, asked_question
from openshelf.fit.verdict import FitVerdict
from openshelf.services import Services
from openshelf.shelf.rows import RankedVariant, Shelf, ShelfRow
from openshelf.units import format_bytes, format_tokens

COLUMNS = ("FAMILY", "VARIANT", "SIZE", "FIT", "TOKENS/S", "LICENSE", "POLICY")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_question_arguments(parser)
    parser.add_argument("--family", metavar="F")
    parser.add_argument("--policy", metavar="FILE", help="what if this were the policy")
    parser.add_argument("--all", action="store_true", help="every variant with its score")


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    question = replace(
        asked_question(arguments), family=arguments.family, all_variants=arguments.all
    )
    if arguments.policy:
        services = services.with_policy(Path(arguments.policy).expanduser(), True)
    machine = chosen_machine(arguments.machine, services, interrupts.token)
    shelf = services.shelf(machine, question)
    output.result(shelf.as_json())
    _print(shelf, output, all_variants=arguments.all)
    return 0


def _print(shelf: Shelf, output: Output, *, all_variants: bool) -> None:
    rows: list[tuple[str, ...]] = []
    for row in shelf.rows:
        rows.append(cells_of(row, row.shown, is_fitting=row.recommended is not None))
        if all_variants:
            rows += [
                cells_of(row, variant, is_fitting=variant.fit.verdict.fits)
                for variant in row.alternatives
            ]
    output.table(COLUMNS, rows)
    context = format_tokens(shelf.context_length)
    output.line()
    output.line(
        f"{shelf.fitting} of {len(shelf.rows)} families have a variant that fits at {context}."
    )
    for starter in shelf.starters:
        variant = starter.variant
        output.line(
            f"On this machine already: {variant.model.name} {variant.quant}. "
            f"openshelf install {variant.target} --accept"
        )


def cells_of(row: ShelfRow, ranked: RankedVariant | None, *, is_fitting: bool) -> tuple[str, ...]:
    """A line of the table, one cell for each of COLUMNS."""
    if ranked is None:
        note = wording.sentence(row.note) if row.note else "-"
        return (row.family.name, "-", "-", note, "-", "-", "-")
    variant = ranked.variant
    size = format_bytes(variant.size_bytes)
    verdict = ranked.fit.verdict.value if is_fitting else FitVerdict.DOES_NOT_FIT.value
    return (
        row.family.name,
        f"{variant.model.name} {variant.quant}",
        f"~{size}" if variant.size_is_expected else size,
        wording.template(f"fit_short_{verdict}"),
        _speed(ranked) if is_fitting else "-",
        ranked.decision.license.expression or variant.model.license,
        wording.template(f"verdict_short_{ranked.decision.verdict.value}"),
    )


def _speed(ranked: RankedVariant) -> str:
    speed = ranked.fit.speed
    if speed is None:
        return "?"
    digits = 0 if speed.decode.high >= 10 else 1
    return f"{speed.decode.low:.{digits}f} to {speed.decode.high:.{digits}f}"
