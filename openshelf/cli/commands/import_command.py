"""`openshelf import PATH`: models that lie on this disk, each through the license gate."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from openshelf import wording
from openshelf.cli.accepting import (
    Terminal,
    add_acceptance_arguments,
    clearance_for,
    under_policy,
)
from openshelf.cli.bundled import import_bundle
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.errors import CancelledByUser, CorruptModel, NotFound, OpenshelfError
from openshelf.library.bundles import is_bundle
from openshelf.library.foreign import ForeignModel, Origin, find_models, usual_places
from openshelf.library.install import COPY, LINK, REFERENCE
from openshelf.library.installed import InstalledModel
from openshelf.library.starter import find_starters
from openshelf.paths import written_path
from openshelf.services import Services
from openshelf.units import format_bytes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", metavar="PATH", nargs="?",
        help="a .gguf, a folder, or the folder of another program; without it those are listed",
    )  # fmt: skip
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument(
        "--link", dest="placing", action="store_const", const=LINK, default=REFERENCE,
        help="a second name in the model folder, where the disk allows it",
    )  # fmt: skip
    kept.add_argument(
        "--copy", dest="placing", action="store_const", const=COPY,
        help="copy it into the model folder",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="only say what is there")
    add_acceptance_arguments(parser)


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    """Of one file its error is an error; of a folder each is told beside its model, and the exit
    code is that of the first."""
    if arguments.path is None:
        return _list_places(output)
    services = under_policy(arguments, services)
    path = written_path(arguments.path)
    if not path.exists():
        raise NotFound("path", str(path))
    if not (path.is_file() or path.is_dir()):
        raise CorruptModel(str(path), "unreadable", "not a file")
    if is_bundle(path):
        return import_bundle(arguments, services, path, Terminal(output, interrupts))
    found = find_models(path)
    if arguments.list:
        output.result({"models": [_facts(model) for model in found]})
        for model in found:
            output.line(f"{model.names[0]}  {_size(model)}  {model.origin}  {model.paths[0]}")
        return 0
    terminal = Terminal(output, interrupts)
    answers: list[dict[str, Any]] = []
    codes: list[int] = []
    for model in found:
        try:
            answers.append(_import(arguments, services, model, terminal))
        except CancelledByUser:
            raise
        except OpenshelfError as error:
            if path.is_file():
                raise
            codes.append(error.exit_code)
            sentence = wording.error_sentence(error)
            told = {"code": error.code, "message": sentence, **error.data()}
            answers.append({**_facts(model), "id": None, "error": told})
            output.line(f"{model.names[0]}: {sentence}")
    output.result({"models": answers})
    if not found:
        output.line("No model file lies there.")
    return codes[0] if codes else 0


def _import(
    arguments: argparse.Namespace, services: Services, model: ForeignModel, terminal: Terminal
) -> dict[str, Any]:
    output, token = terminal.output, terminal.interrupts.token
    offer = services.installer.prepare(str(model.paths[0]), token, output.report)
    offer = replace(offer, placing=arguments.placing)
    clearance = clearance_for(arguments, services, offer, terminal)
    installed = services.installer.install(offer, clearance, token, output.report)
    placed = _placed(installed, model)
    size = format_bytes(installed.size_bytes)
    output.line(f"{installed.id} ({size}): {wording.template(f'placed_{placed}')}")
    return {
        **_facts(model),
        "id": installed.id,
        "license": installed.license_expression,
        "placed": placed,
        "acceptance": {"record_id": clearance.record_id} if clearance.record_id else None,
    }


def _placed(installed: InstalledModel, model: ForeignModel) -> str:
    """What became of its first file: reference, hard_link or copy (also one of shared blocks)."""
    here, there = Path(installed.first_file.location), model.paths[0]
    if here == there:
        return "reference"
    try:
        return "hard_link" if here.samefile(there) else "copy"
    except OSError:
        return "copy"


def _facts(model: ForeignModel) -> dict[str, Any]:
    return {
        "path": str(model.paths[0]),
        "files": [str(path) for path in model.paths],
        "name": model.names[0],
        "origin": model.origin.value,
        "repo": model.repo or None,
    }


def _size(model: ForeignModel) -> str:
    return format_bytes(sum(path.stat().st_size for path in model.paths if path.is_file()))


def _list_places(output: Output) -> int:
    rows = []
    for origin, folder in usual_places(os.environ, Path.home()):
        rows.append((origin.value, str(folder), len(find_models(folder))))
    starters = find_starters()
    rows += [(Origin.PACKAGE.value, str(starter.path.parent), 1) for starter in starters]
    targets = [starter.model.target for starter in starters]
    output.result(
        {
            "places": [{"origin": o, "path": path, "models": count} for o, path, count in rows],
            "starters": targets,
        }
    )
    if not rows:
        output.line("No other program's models were found in their usual places.")
        return 0
    output.table(("PROGRAM", "MODELS", "FOLDER"), [(o, str(n), path) for o, path, n in rows])
    for target in targets:
        output.line(wording.template("starter_ready").format(target=target))
    return 0
