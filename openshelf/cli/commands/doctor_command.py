"""`openshelf doctor`: a report for a bug: versions, devices, paths, the last errors, redacted."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from openshelf import __version__, wording
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.hardware.facts import Machine
from openshelf.logs import last_errors, redact
from openshelf.paths import Paths, nearest_existing
from openshelf.services import Services
from openshelf.tasks import no_report
from openshelf.units import counted, format_bytes

_PACKAGES = ("llama-cpp-python", "huggingface-hub", "gguf", "PySide6-Essentials", "keyring")
_SHOWN = ("OPENSHELF_HOME", "OPENSHELF_POLICY", "HF_ENDPOINT", "HF_HOME", "HF_HUB_OFFLINE")
_ONLY_SET = ("HF_TOKEN", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE")
"""Whether they are set is told, and never what they hold."""
_MOST_ERRORS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    """Also where the policy, the settings or the library cannot be used: `problems` tells it."""
    machine = services.engine_facts(services.detect_machine(interrupts.token, no_report))
    report = _redacted(_report(services, machine))
    output.result(report)
    for name, value in _lines(report):
        output.line(f"{name:16}{value}")
    return 0


def _report(services: Services, machine: Machine) -> dict[str, Any]:
    facts, policy = machine.as_json(), services.gate.policy
    models = services.library.installed()
    problems = [*services.problems(), *machine.notes]
    return {
        "version": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "frozen": bool(getattr(sys, "frozen", False)),
        "packages": {name: _version(name) for name in _PACKAGES},
        "cpu": facts["cpu"],
        "memory": facts["memory"],
        "gpus": facts["gpus"],
        "engine": facts["engine"],
        "paths": _paths(services.paths),
        "environment": _environment(os.environ),
        "policy": {"exists": bool(policy.source), "managed": policy.managed,
                   "sha256": policy.sha256 or None},
        "library": {"models": len(models), "damaged": sum(bool(m.damaged) for m in models),
                    "missing": sum(bool(m.missing) for m in models)},
        "problems": [{**one.as_json(), "message": wording.sentence(one)} for one in problems],
        "last_errors": last_errors(services.paths.logs, _MOST_ERRORS),
    }  # fmt: skip


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _paths(paths: Paths) -> dict[str, dict[str, Any]]:
    places = {"config": paths.config, "data": paths.data, "cache": paths.cache,
              "logs": paths.logs, "models": paths.models}  # fmt: skip
    return {name: _place(path) for name, path in places.items()}


def _place(path: Path) -> dict[str, Any]:
    above = nearest_existing(path)
    try:
        free = shutil.disk_usage(above).free
    except OSError:
        free = None
    return {
        "path": str(path),
        "exists": path.exists(),
        "writable": above.is_dir() and os.access(above, os.W_OK),
        "free_bytes": free,
    }


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    known = {name: environment[name] for name in _SHOWN if name in environment}
    # An address may hold a name and a password.
    known = {name: "set" if "@" in value else value for name, value in known.items()}
    is_set = {name for name in _ONLY_SET if environment.get(name, environment.get(name.lower()))}
    return known | dict.fromkeys(sorted(is_set), "set")


def _redacted(value: Any) -> Any:
    """Every text in it without tokens and without the name of the home folder."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: _redacted(inner) for key, inner in value.items()}
    return [_redacted(inner) for inner in value] if isinstance(value, list | tuple) else value


def _lines(report: dict[str, Any]) -> list[tuple[str, str]]:
    engine, memory, library = report["engine"], report["memory"], report["library"]
    packages = ", ".join(f"{n} {v or 'missing'}" for n, v in report["packages"].items())
    rows = [
        ("openshelf", f"{report['version']}, Python {report['python']}, {report['system']}"),
        ("packages", packages),
        ("cpu", f"{report['cpu']['name']}, {report['cpu']['logical_cores']} threads"),
        ("memory", format_bytes(memory["total_bytes"], binary=True)),
    ]
    rows += [("gpu", f"{gpu['name']}, driver {gpu['driver'] or '?'}") for gpu in report["gpus"]]
    if engine:
        devices = ", ".join(device["name"] for device in engine["devices"])
        rows.append(("engine", f"{engine['version']}, devices: {devices}"))
    for name, place in report["paths"].items():
        state = "" if place["writable"] else ", cannot be written"
        free = "?" if place["free_bytes"] is None else format_bytes(place["free_bytes"])
        rows.append((name, f"{place['path']}, {free} free{state}"))
    rows += [("environment", f"{name}={value}") for name, value in report["environment"].items()]
    rows.append(("library", f"{counted(library['models'], 'model')}, {library['damaged']} damaged, "
                            f"{library['missing']} missing"))  # fmt: skip
    rows += [("problem", problem["message"]) for problem in report["problems"]]
    rows += [("log", line) for line in report["last_errors"]]
    return rows
