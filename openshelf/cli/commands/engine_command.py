"""`openshelf engine`: the engine builds, their devices, and which architectures they can load."""

from __future__ import annotations

import argparse
import textwrap
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openshelf import wording
from openshelf.catalog.entries import Catalog
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.engine.architectures import EngineKnowledge
from openshelf.engine.build import binding_version, library_folder
from openshelf.engine.builds import Build, Builds
from openshelf.engine.kept_builds import INSTALLED
from openshelf.gguf.constants import architecture_names
from openshelf.hardware.facts import Machine
from openshelf.services import Services
from openshelf.tasks import no_report
from openshelf.units import format_bytes

_DAY_SECONDS = 86400
_WIDTH = 80
_DEFAULT = "default"
"""What the installed build is called here."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--use",
        metavar="PATH",
        help="load models with the llama.cpp in this folder from now on, or with the installed one "
        "(default); its code is run, so name only builds that you trust",
    )
    parser.add_argument("--list", action="store_true", help="the builds alone, asking no engine")
    parser.add_argument("--forget", metavar="PATH", help="no longer list the build in this folder")


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    if arguments.forget is not None:
        named = Path(arguments.forget).expanduser().absolute()
        services.engine_builds.forget(str(library_folder(named) or named))
    if arguments.use is not None:
        path = None if arguments.use == _DEFAULT else Path(arguments.use)
        services.engine_builds.use(path, interrupts.token)
    if arguments.list or arguments.forget is not None:
        _show_builds(services.engine_builds.current(), output)
        return 0
    machine = services.engine_facts(services.detect_machine(interrupts.token, no_report))
    catalog = services.catalog()
    engine = services.architectures.ask(catalog.architectures | architecture_names())
    builds = services.engine_builds.current()
    missing = _missing(catalog, engine)
    notes = [note for note in machine.notes if note.code == "engine_silent"]
    output.result(
        {
            "builds": [_build_json(build, builds, machine, engine) for build in builds.builds],
            "chosen": builds.chosen or _DEFAULT,
            "not_in_engine": [{"family": family, "models": names} for family, names in missing],
            "notes": [note.as_json() for note in notes],
        }
    )
    in_use = builds.build(builds.in_use)
    if in_use is None or not in_use.path:
        output.line("No engine is installed: llama-cpp-python is missing.")
    else:
        _print(in_use, machine, engine, output)
    for build in builds.builds:
        if build is not in_use:
            output.line(f"other build    {_summary(build)}")
    for family, names in missing:
        output.line(f"not yet in this engine: {family} ({', '.join(names)})")
    for note in notes:
        output.line(f"note           {wording.sentence(note)}")
    return 0


def _show_builds(builds: Builds, output: Output) -> None:
    rows = [_build_json(build, builds, None, None) for build in builds.builds]
    output.result({"builds": rows, "chosen": builds.chosen or _DEFAULT})
    for build in builds.builds:
        marks = [word for word, folder in (("in use", builds.in_use), ("chosen", builds.chosen))
                 if folder == build.folder]  # fmt: skip
        output.line(f"{', '.join(marks):16}{_summary(build)}")


def _summary(build: Build) -> str:
    parts = [build.folder or _DEFAULT, build.engine_version or "not asked yet"]
    if build.modified_at:
        parts.append(f"{_age_days(build)} days old")
    parts += [f"{device.name} ({device.description})" for device in build.devices]
    if build.problem is not None:
        parts.append(wording.error_sentence(build.problem))
    return " · ".join(parts)


def _build_json(
    build: Build, builds: Builds, machine: Machine | None, engine: EngineKnowledge | None
) -> dict[str, Any]:
    is_used = build.folder == builds.in_use
    devices: list[Any] = [
        {
            "name": device.name,
            "description": device.description,
            "type": device.type,
            "total_bytes": device.total_bytes,
            "free_bytes": device.free_bytes,
        }
        for device in build.devices
    ]
    version: str | None = build.engine_version or None
    if is_used and machine is not None and machine.engine is not None:
        devices, version = machine.as_json()["engine"]["devices"], machine.engine.version
    elif is_used and engine is not None:
        version = version or engine.engine_version or None
    facts = machine.engine if machine is not None and is_used else None
    known = engine if is_used and engine is not None else None
    return {
        "version": version,
        "binding": f"llama-cpp-python {binding_version()}".strip(),
        "identity": build.identity,
        "path": build.path,
        "is_installed_one": build.folder == INSTALLED,
        "installed_at": datetime.fromtimestamp(build.modified_at, UTC).isoformat(),
        "age_days": _age_days(build),
        "in_use": is_used,
        "chosen": build.folder == builds.chosen,
        "problem": None
        if build.problem is None
        else {"why": build.problem.why, "message": wording.error_sentence(build.problem)},
        "devices": devices,
        "network_forbidden": None if facts is None else not facts.network_fault,
        "architectures": None
        if known is None
        else {"known": sorted(known.known), "unknown": sorted(known.unknown)},
    }


def _print(build: Build, machine: Machine, engine: EngineKnowledge, output: Output) -> None:
    version = machine.engine.version if machine.engine else engine.engine_version
    version = version or "could not be asked"
    output.line(f"engine         {version}, through llama-cpp-python {binding_version()}")
    since = datetime.fromtimestamp(build.modified_at, UTC).date().isoformat()
    output.line(f"built          {since}, {_age_days(build)} days ago, in {build.path}")
    for device in machine.engine.devices if machine.engine else ():
        size = format_bytes(device.total_bytes, binary=True)
        output.line(f"device         {device.name}, {device.description}, {size}")
    if machine.engine is not None:
        fault = machine.engine.network_fault
        words = f"possible for its process ({fault})" if fault else "forbidden to its process"
        output.line(f"network        {words}")
    known = len(engine.known)
    output.line(f"architectures  {known} of {known + len(engine.unknown)} asked for are known")
    for line in textwrap.wrap(" ".join(sorted(engine.known)), _WIDTH, break_on_hyphens=False):
        output.line(f"               {line}")
    if engine.unknown:
        output.line(f"not known      {' '.join(sorted(engine.unknown))}")


def _age_days(build: Build) -> int:
    return max(0, int((time.time() - build.modified_at) / _DAY_SECONDS))


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
