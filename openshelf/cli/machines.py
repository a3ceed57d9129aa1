"""Which machine a command is about: this one, a profile, or a JSON file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from openshelf.cli.values import context_length
from openshelf.errors import BadFile, NotFound
from openshelf.hardware.facts import Machine
from openshelf.paths import written_path
from openshelf.services import Services
from openshelf.tasks import CancelToken, no_report


def add_setup_arguments(parser: argparse.ArgumentParser) -> None:
    """What a fit is asked for: the machine, the context length, the KV type."""
    parser.add_argument(
        "--machine",
        default="this",
        metavar="M",
        help="this (the default), a profile's name (hardware --profiles), or a JSON file",
    )
    parser.add_argument("--context", type=context_length, default=8192, metavar="N", help="tokens")
    parser.add_argument(
        "--kv-type",
        choices=("f16", "q8_0", "q4_0"),
        default="f16",
        help="precision of the context memory (f16)",
    )


def chosen_machine(name: str, services: Services, cancel: CancelToken) -> Machine:
    """The machine `--machine` names. Raises NotFound or UsageError."""
    from openshelf.hardware.profiles import find_machine, machine_from_json

    if name == "this":
        return services.engine_facts(services.detect_machine(cancel, no_report))
    path = written_path(name)
    if path.suffix == ".json" or _is_file(path):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise NotFound("machine", name) from error
        except (ValueError, RecursionError) as error:
            raise BadFile(str(error), name, "not_json") from error
        return machine_from_json(data)
    return find_machine(name)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # no file has so long a name
        return False
