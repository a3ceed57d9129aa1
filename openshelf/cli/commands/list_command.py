"""`openshelf list`: what is installed."""

from __future__ import annotations

import argparse

from openshelf import wording
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.library.disk_use import disk_use
from openshelf.library.installed import InstalledModel
from openshelf.services import Services
from openshelf.units import format_bytes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def _state(model: InstalledModel) -> str:
    if model.damaged:
        return "damaged"
    if model.away:
        return f"not here: {model.away}"
    if model.missing:
        return "missing"
    return "verified" if model.verified_at else "unverified"


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    models = services.library.installed()
    use = disk_use(models)
    output.result(
        {
            "models": [
                {**model.as_json(), "disk_bytes": use.by_model.get(model.id, 0)} for model in models
            ],
            "disk": use.as_json(),
        }
    )
    if not models:
        output.line("Nothing is installed yet. `openshelf shelf` shows what fits.")
        return 0
    output.table(
        ("ID", "SIZE", "LICENSE", "INSTALLED", "LAST USED", "STATE"),
        [
            (
                model.id,
                format_bytes(model.size_bytes),
                model.license_expression,
                model.installed_at[:10],
                (model.last_used_at or "—")[:10],
                _state(model),
            )
            for model in models
        ],
    )
    for duplicate in use.duplicates:
        output.line(
            wording.template("lies_twice").format(
                size=format_bytes(duplicate.spare_bytes),
                places=", ".join(location for _, location in duplicate.places),
            )
        )
    return 0
