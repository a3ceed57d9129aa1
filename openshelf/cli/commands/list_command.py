"""`openshelf list`: what is installed."""

from __future__ import annotations

import argparse

from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.library.installed import InstalledModel
from openshelf.services import Services
from openshelf.units import format_bytes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def _state(model: InstalledModel) -> str:
    if model.damaged:
        return "damaged"
    if model.missing:
        return "missing"
    return "verified" if model.verified_at else "unverified"


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    models = services.library.installed()
    output.result({"models": [model.as_json() for model in models]})
    if not models:
        output.line("Nothing is installed yet. `openshelf shelf` shows what fits.")
        return 0
    output.table(
        ("ID", "SIZE", "LICENSE", "INSTALLED", "STATE"),
        [
            (
                model.id,
                format_bytes(model.size_bytes),
                model.license_expression,
                model.installed_at[:10],
                _state(model),
            )
            for model in models
        ],
    )
    return 0
