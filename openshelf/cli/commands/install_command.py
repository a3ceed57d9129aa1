"""`openshelf install TARGET`: gate → space → download → verify → register."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from openshelf import wording
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.cli.terms import print_decision
from openshelf.errors import LicenseNotAccepted, UsageError
from openshelf.library.install import InstallOffer
from openshelf.library.installed import InstalledModel
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.licenses.clearance import Clearance
from openshelf.reasons import Reason
from openshelf.services import Services
from openshelf.units import format_bytes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", help="OWNER/REPO[:QUANT] or a .gguf file")
    parser.add_argument(
        "--accept", action="store_true", help="the terms that `openshelf license` shows"
    )
    parser.add_argument("--accept-as", metavar="NAME", help="name for the record")
    parser.add_argument("--on-behalf-of", metavar="ORG")
    parser.add_argument("--note", default="", metavar="TEXT")
    parser.add_argument("--policy", metavar="FILE")


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    if arguments.policy:
        if services.gate.policy.managed:
            raise UsageError("--policy is refused here: this machine's policy is managed")
        services = services.with_policy(Path(arguments.policy).expanduser(), False)
    started = time.monotonic()
    offer = services.installer.prepare(arguments.target, interrupts.token, output.report)
    clearance = _clearance(arguments, services, offer, _Terminal(output, interrupts))
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
    output.note("")
    output.line(f"Installed {model.id} ({format_bytes(model.size_bytes)}), SHA-256 checked.")
    output.line(f'Try it: openshelf chat "{model.id}"')


@dataclass(frozen=True)
class _Terminal:
    output: Output
    interrupts: Interrupts


def _clearance(
    arguments: argparse.Namespace, services: Services, offer: InstallOffer, terminal: _Terminal
) -> Clearance:
    """From an earlier acceptance, from `--accept`, or from a person at the terminal."""
    output = terminal.output
    try:
        clearance = services.installer.clear(offer)
    except LicenseNotAccepted:
        pass
    else:
        if arguments.accept and clearance.record_id:
            data = {"record_id": clearance.record_id}
            output.note(wording.sentence(Reason("log_accepted_before", data)))
        return clearance
    output.line(f"{offer.model_name} {offer.quant or ''} from {offer.repo}")
    print_decision(offer.decision, output)
    method = "--accept"
    if not arguments.accept:
        if output.as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise LicenseNotAccepted(offer.target, offer.decision.license.effective)
        typed = terminal.interrupts.read_line("Type `accept` to accept these terms: ")
        if typed.strip().casefold() != "accept":
            raise LicenseNotAccepted(offer.target, offer.decision.license.effective)
        method = "typed"
    form = AcceptanceForm(
        display_name=arguments.accept_as or "",
        on_behalf_of=arguments.on_behalf_of,
        note=arguments.note,
        method=method,
    )
    return services.installer.accept(offer, form)
