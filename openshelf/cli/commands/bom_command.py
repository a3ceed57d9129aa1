"""`openshelf bom`: everything that is installed as a CycloneDX 1.6 document."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output, write_output
from openshelf.library.bom import BomContext, BomEntry, bom_json
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.log_queries import revoked_in
from openshelf.paths import written_path
from openshelf.services import Services
from openshelf.units import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", metavar="FILE", help="instead of stdout")


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    """The document is JSON with and without `--json`."""
    entries = []
    for model in services.library.installed():
        interrupts.token.raise_if_cancelled()
        license = services.library.effective_license(model.id)
        entries.append(BomEntry(model, license, services.gate.decide(license)))
    log = services.acceptances
    context = BomContext(
        datetime.now(UTC), load_licenses(), log.verify(), revoked_in(log.records())
    )
    text = bom_json(entries, context)
    if not arguments.output:
        output.document(text)
        return 0
    path = written_path(arguments.output)
    write_output(path, text.encode())
    output.result({"path": str(path), "models": len(entries)})
    output.line(f"{counted(len(entries), 'model')} written to {path} (CycloneDX 1.6).")
    return 0
