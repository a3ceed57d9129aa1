"""`openshelf install TARGET`: gate → space → download → verify → register."""

from __future__ import annotations

import argparse
import time

from openshelf.cli.accepting import (
    Terminal,
    add_acceptance_arguments,
    clearance_for,
    under_policy,
)
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.library.installed import InstalledModel
from openshelf.services import Services
from openshelf.units import format_bytes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", help="OWNER/REPO[:QUANT] or a .gguf file")
    add_acceptance_arguments(parser)


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    services = under_policy(arguments, services)
    started = time.monotonic()
    offer = services.installer.prepare(arguments.target, interrupts.token, output.report)
    clearance = clearance_for(arguments, services, offer, Terminal(output, interrupts))
    kept = services.kept_downloads
    model = kept.install(offer, clearance, interrupts.token, output.report)
    seconds = time.monotonic() - started
    show_installed(model, output, resumed_from=offer.resumed_from_bytes, seconds=seconds)
    return 0


def show_installed(
    model: InstalledModel, output: Output, *, resumed_from: int, seconds: float
) -> None:
    """What became of an install or of a download that was resumed."""
    output.result(
        {
            "id": model.id,
            "path": model.first_file.location,
            "files": [
                {"path": file.path, "size_bytes": file.size_bytes, "sha256": file.sha256}
                for file in model.files
            ],
            "acceptance": {"record_id": model.record_id} if model.record_id else None,
            "resumed_from_bytes": resumed_from,
            "seconds": round(seconds, 3),
        }
    )
    output.line(f"Installed {model.id} ({format_bytes(model.size_bytes)}), SHA-256 checked.")
    output.line(f'Try it: openshelf chat "{model.id}"')
