"""`openshelf shelf`: the best variant of each family for a machine."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace

from openshelf import wording
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.machines import chosen_machine
from openshelf.cli.output import Output
from openshelf.cli.questions import add_question_arguments, asked_question
from openshelf.fit.verdict import FitVerdict
from openshelf.paths import written_path
from openshelf.services import Services
from openshelf.shelf.rows import RankedVariant, Shelf, ShelfRow
from openshelf.units import format_bytes, format_tokens

COLUMNS = ("FAMILY", "VARIANT", "SIZE", "FIT", "TOKENS/S", "LICENSE", "POLICY")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_question_arguments(parser)
    parser.add_argument("--family", metavar="F")
    parser.add_argument("--policy", metavar="FILE", help="what if this were the policy")
    parser.add_argument(
        "--refresh", action="store_true", help="first ask the Hub what is new, once a day"
    )
    parser.add_argument("--all", action="store_true", help="every variant with its score")


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    question = replace(
        asked_question(arguments), family=arguments.family, all_variants=arguments.all
    )
    if arguments.policy:
        services = services.with_policy(written_path(arguments.policy), True)
    machine = chosen_machine(arguments.machine, services, interrupts.token)
    if arguments.refresh:
        services.refresh_catalog(interrupts.token, output.report)
    services.architectures.ask(services.catalog().architectures)
    shelf = services.shelf(machine, question)
    if shelf.unknown_filters:
        raise shelf.unknown_filters[0]
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
    if rows:
        output.table(COLUMNS, rows)
        print_notes(shelf.rows, output)
        context = format_tokens(shelf.context_length)
        output.line()
        output.line(
            f"{shelf.fitting} of {len(shelf.rows)} families have a variant that fits at {context}."
        )
    else:
        output.line(wording.template("shelf_nothing_left"))
    _print_age(shelf, output)
    for starter in shelf.starters:
        variant = starter.variant
        output.line(
            f"On this machine already: {variant.model.name} {variant.quant}. "
            f"openshelf install {variant.target} --accept"
        )


def print_notes(rows: Iterable[ShelfRow], output: Output) -> None:
    """Below the table, why a family has no variant in it."""
    noted = [(row.family.name, row.note) for row in rows if row.shown is None and row.note]
    if noted:
        output.line()
    for name, note in noted:
        output.line(f"{name}: {wording.sentence(note)}")


def _print_age(shelf: Shelf, output: Output) -> None:
    at = shelf.as_json()["refreshed_at"] or "never"
    output.line(f"Catalog as of {shelf.catalog_as_of}; the Hub was last asked what is new: {at}.")
    if shelf.freshness.note is not None:
        output.line(wording.sentence(shelf.freshness.note))
    if shelf.engine.failure is not None:
        output.line(wording.template("shelf_engine_not_asked"))


def cells_of(row: ShelfRow, ranked: RankedVariant | None, *, is_fitting: bool) -> tuple[str, ...]:
    """A line of the table, one cell for each of COLUMNS."""
    if ranked is None:
        return (row.family.name, *("-",) * (len(COLUMNS) - 1))
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
