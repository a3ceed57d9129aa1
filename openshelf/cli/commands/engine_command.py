"""`openshelf engine`: the engine build, its devices, and which architectures it can load."""

from __future__ import annotations

import argparse
import textwrap
import time
from datetime import UTC, datetime
from typing import Any

from openshelf import wording
from openshelf.catalog.entries import Catalog
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.engine.architectures import EngineKnowledge
from openshelf.engine.build import EngineFiles, find_engine
from openshelf.gguf.constants import architecture_names
from openshelf.hardware.facts import Machine
from openshelf.services import Services
from openshelf.tasks import no_report
from openshelf.units import format_bytes

_DAY_SECONDS = 86400
_WIDTH = 80


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None yet: which of several builds to use cannot be chosen."""


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    files = find_engine()
    machine = services.engine_facts(services.detect_machine(interrupts.token, no_report))
    catalog = services.catalog()
    engine = services.architectures.ask(catalog.architectures | architecture_names())
    missing = _missing(catalog, engine)
    builds = [] if files is None else [_build_json(files, machine, engine)]
    notes = [note for note in machine.notes if note.code == "engine_silent"]
    output.result(
        {
            "builds": builds,
            "not_in_engine": [{"family": family, "models": names} for family, names in missing],
            "notes": [note.as_json() for note in notes],
        }
    )
    if files is None:
        output.line("No engine is installed: llama-cpp-python is missing.")
    else:
        _print(files, machine, engine, output)
    for family, names in missing:
        output.line(f"not yet in this engine: {family} ({', '.join(names)})")
    for note in notes:
        output.line(f"note           {wording.sentence(note)}")
    return 0


def _build_json(files: EngineFiles, machine: Machine, engine: EngineKnowledge) -> dict[str, Any]:
    devices = machine.as_json()["engine"]["devices"] if machine.engine else []
    return {
        "version": _version(machine, engine),
        "binding": f"llama-cpp-python {files.binding_version}".strip(),
        "identity": files.identity,
        "path": str(files.folder),
        "installed_at": datetime.fromtimestamp(files.modified_at, UTC).isoformat(),
        "age_days": _age_days(files),
        "in_use": True,
        "devices": devices,
        "architectures": {"known": sorted(engine.known), "unknown": sorted(engine.unknown)},
    }


def _print(files: EngineFiles, machine: Machine, engine: EngineKnowledge, output: Output) -> None:
    version = _version(machine, engine) or "could not be asked"
    output.line(f"engine         {version}, through llama-cpp-python {files.binding_version}")
    since = datetime.fromtimestamp(files.modified_at, UTC).date().isoformat()
    output.line(f"installed      {since}, {_age_days(files)} days ago, in {files.folder}")
    for device in machine.engine.devices if machine.engine else ():
        size = format_bytes(device.total_bytes, binary=True)
        output.line(f"device         {device.name}, {device.description}, {size}")
    known = len(engine.known)
    output.line(f"architectures  {known} of {known + len(engine.unknown)} asked for are known")
    for line in textwrap.wrap(" ".join(sorted(engine.known)), _WIDTH, break_on_hyphens=False):
        output.line(f"               {line}")
    if engine.unknown:
        output.line(f"not known      {' '.join(sorted(engine.unknown))}")


def _version(machine: Machine, engine: EngineKnowledge) -> str | None:
    return machine.engine.version if machine.engine else engine.engine_version or None


def _age_days(files: EngineFiles) -> int:
    return max(0, int((time.time() - files.modified_at) / _DAY_SECONDS))


def _missing(catalog: Catalog, engine: EngineKnowledge) -> list[tuple[str, list[str]]]:
    """Families with models that have no architecture, or one that the engine does not know."""
    found = []
    for family in catalog.families:
        names = [
            model.name
            for model in family.models
            if model.shape.architecture is None or engine.knows(model.shape.architecture) is False
        ]
        if names:
            found.append((family.name, names))
    return found
