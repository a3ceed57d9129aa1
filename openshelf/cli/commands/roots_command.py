"""`openshelf roots`: the folders with models, and a look through them."""

from __future__ import annotations

import argparse

from openshelf import wording
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.errors import BadWords, ChecksumMismatch
from openshelf.library.folders import ModelFolder
from openshelf.library.scanning import ScanReport
from openshelf.library.settling import Settled
from openshelf.services import Services
from openshelf.units import format_bytes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", nargs="?", choices=("add", "remove", "default", "scan"),
        help="enter or leave a folder, choose the one for downloads, or look through all",
    )  # fmt: skip
    parser.add_argument("path", metavar="PATH", nargs="?", help="the folder; none with scan")


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    """No folder and no file is made, moved or deleted by any of these."""
    action, path, folders = arguments.action, arguments.path, services.folders
    if action == "scan":
        if path is not None:
            raise BadWords(why="roots_scan")
        return _scan(services, output, interrupts)
    if action is not None:
        if path is None:
            raise BadWords(why="roots_needs", name=action)
        change = {"add": folders.add, "remove": folders.remove, "default": folders.choose}[action]
        change(path)
    listed = folders.all()
    models = _models_by_folder(services)
    output.result(
        {"roots": [{**folder.as_json(), "models": models.get(folder.path, 0)} for folder in listed]}
    )
    output.table(
        ("FOLDER", "STATE", "MODELS", "FREE", ""), [_row(folder, models) for folder in listed]
    )
    return 0


def _models_by_folder(services: Services) -> dict[str, int]:
    counts: dict[str, int] = {}
    for model in services.library.installed():
        folder = model.first_file.folder
        counts[folder] = counts.get(folder, 0) + 1
    return counts


def _row(folder: ModelFolder, models: dict[str, int]) -> tuple[str, ...]:
    notes = []
    if folder.takes_downloads:
        notes.append(wording.template("folder_for_downloads"))
    if folder.is_here and not folder.look.is_writable:
        notes.append(wording.template("folder_read_only"))
    if folder.same_as:
        notes.append(f"= {folder.same_as}")
    elif folder.inside:
        notes.append(f"in {folder.inside}")
    free = format_bytes(folder.look.free_bytes) if folder.is_here else "—"
    state = "unmade" if not folder.is_here and not folder.is_missing else folder.condition.value
    words = wording.template(f"folder_{state}")
    return folder.path, words, str(models.get(folder.path, 0)), free, ", ".join(notes)


def _scan(services: Services, output: Output, interrupts: Interrupts) -> int:
    found = services.folders.scan(interrupts.token, output.report)
    settled = services.folders.settle(found.doubts, interrupts.token, output.report)
    output.result(
        {
            **found.as_json(),
            "settled": {
                "found": [{"id": id_, "location": path} for id_, path in settled.found],
                "intact": list(settled.intact),
                "damaged": list(settled.damaged),
            },
        }
    )
    _print_scan(found, settled, output)
    return ChecksumMismatch.exit_code if settled.damaged else 0


def _print_scan(found: ScanReport, settled: Settled, output: Output) -> None:
    output.line(
        wording.template("scan_summary").format(
            files=found.files, unchanged=found.unchanged, away=found.away, missing=found.missing
        )
    )
    for model_id, path in settled.found:
        output.line(wording.template("scan_found").format(id=model_id, path=path))
    for model_id in settled.intact:
        output.line(wording.template("scan_intact").format(id=model_id))
    for model_id in settled.damaged:
        output.line(wording.template("scan_damaged").format(id=model_id))
    for path in found.cut:
        output.line(wording.template("scan_cut").format(path=path))
    for stranger in found.strangers:
        output.line(wording.template("scan_stranger").format(path=stranger.path))
