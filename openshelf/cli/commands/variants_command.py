"""`openshelf variants MODEL_OR_REPO`: all builds of one model, and what each takes here."""

from __future__ import annotations

import argparse

from openshelf import wording
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.machines import add_setup_arguments, chosen_machine
from openshelf.cli.output import Output
from openshelf.fit.memory import FitRequest
from openshelf.services import Services
from openshelf.shelf.builds import BuildRow, BuildTable, fit_builds
from openshelf.shelf.recipes import Recipe
from openshelf.units import format_bytes, format_tokens

_COLUMNS = (
    "VARIANT", "BITS", "SIZE", "FIT", "TOKENS/S", "KEPT", "RECIPE", "PACKAGED BY", "DOWNLOADS",
    "CHANGED", "TARGET",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL_OR_REPO", help="a model's name, or OWNER/REPO")
    add_setup_arguments(parser)
    parser.add_argument("--prefer", choices=("speed", "balance", "quality"), default="balance")


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    listing = services.models.listing(arguments.model, interrupts.token, output.report)
    request = FitRequest(
        context_length=arguments.context,
        kv_type_k=arguments.kv_type,
        kv_type_v=arguments.kv_type,
    )
    machine = chosen_machine(arguments.machine, services, interrupts.token)
    table = fit_builds(listing, machine, request, arguments.prefer)
    output.result(
        {
            "model": listing.name,
            "family": listing.family.name if listing.family else None,
            "machine": machine.name,
            "context_length": arguments.context,
            "recommended": table.recommended,
            "variants": [row.as_json() for row in table.rows],
            "notes": [note.as_json() for note in listing.notes],
        }
    )
    output.line(f"{listing.name} at {format_tokens(arguments.context)} context")
    output.table(_COLUMNS, [_cells(row, table) for row in table.rows])
    for note in listing.notes:
        output.line(wording.sentence(note))
    return 0


def _cells(row: BuildRow, table: BuildTable) -> tuple[str, ...]:
    build, fit = row.build, row.fit
    size = format_bytes(build.size_bytes)
    kept = build.quality.kept
    kind = wording.template(f"packager_short_{build.packager_kind.value}")
    speed = fit.speed if fit is not None and fit.verdict.fits else None
    mark = " *" if build.target == table.recommended else ""
    return (
        f"{build.quant or build.name}{mark}",
        "-" if build.bits_per_weight is None else f"{build.bits_per_weight:.1f}",
        f"~{size}" if build.size_is_expected else size,
        "?" if fit is None else wording.template(f"fit_short_{fit.verdict.value}"),
        "-" if speed is None else f"{speed.decode.low:.0f} to {speed.decode.high:.0f}",
        "-" if kept is None else f"{kept:.1%}",
        _recipe(build.recipe),
        f"{build.packager.name} ({kind})",
        "-" if build.downloads is None else f"{build.downloads}",
        (build.last_modified or "-")[:10],
        build.target,
    )


def _recipe(recipe: Recipe) -> str:
    words = ("dynamic" if recipe.dynamic else "", "imatrix" if recipe.imatrix else "")
    return "+".join(filter(None, words)) or "-"
