"""`openshelf import DIR` of a bundle: verified whole, then model by model through the gate."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from openshelf import wording
from openshelf.cli.accepting import Terminal, clearance_for
from openshelf.errors import CancelledByUser, OpenshelfError
from openshelf.library.bundling import BundleOffer
from openshelf.services import Services
from openshelf.units import format_bytes


def import_bundle(
    arguments: argparse.Namespace, services: Services, folder: Path, terminal: Terminal
) -> int:
    """A bundle of which one byte is wrong imports nothing. Of its models each is told beside its
    name, and the exit code is that of the first that was refused."""
    output, token = terminal.output, terminal.interrupts.token
    bundle, offers = services.bundles.read(folder, token, output.report)
    answers: list[dict[str, Any]] = []
    codes: list[int] = []
    for found in offers:
        facts = _facts(found)
        if arguments.list:
            output.line(f"{found.model.id}  {format_bytes(found.model.size_bytes)}")
            answers.append(facts)
            continue
        try:
            clearance = clearance_for(arguments, services, found.offer, terminal)
            model = services.installer.install(found.offer, clearance, token, output.report)
        except CancelledByUser:
            raise
        except OpenshelfError as error:
            codes.append(error.exit_code)
            sentence = wording.error_sentence(error)
            told = {"code": error.code, "message": sentence, **error.data()}
            answers.append({**facts, "id": None, "error": told})
            output.line(f"{found.model.id}: {sentence}")
            continue
        output.line(f"{model.id}: verified and copied to the model folder")
        answers.append(
            {
                **facts,
                "id": model.id,
                "license": model.license_expression,
                "placed": "copy",
                "acceptance": {"record_id": clearance.record_id},
            }
        )
    output.result(
        {"bundle": {"path": str(folder), "created_at": bundle.created_at,
                    "settings": bundle.settings}, "models": answers}
    )  # fmt: skip
    return codes[0] if codes else 0


def _facts(found: BundleOffer) -> dict[str, Any]:
    carried = found.model.acceptance or {}
    return {
        "path": str(found.model.paths[0]),
        "files": [str(path) for path in found.model.paths],
        "name": found.model.name,
        "origin": found.offer.origin,
        "repo": found.offer.repo,
        "verdict": found.offer.decision.verdict.value,
        "carried_record_id": carried.get("record_id"),
    }
