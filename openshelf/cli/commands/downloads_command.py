"""`openshelf downloads [pause|resume|cancel ID]`: what is unfinished, and how it goes on."""

from __future__ import annotations

import argparse
import time

from openshelf.cli.commands.install_command import show_installed
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.errors import UsageError
from openshelf.library.downloads import Download
from openshelf.services import Services
from openshelf.units import format_bytes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=("pause", "resume", "cancel"))
    parser.add_argument("id", nargs="?", metavar="ID", help="as listed, its beginning, or TARGET")


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    kept = services.kept_downloads
    if arguments.action is None:
        _list(kept.listed(), output)
        return 0
    if arguments.id is None:
        raise UsageError(f"downloads {arguments.action} needs the ID of a download")
    if arguments.action == "resume":
        started = time.monotonic()
        download = kept.find(arguments.id)
        model = kept.resume(download.id, interrupts.token, output.report)
        seconds = time.monotonic() - started
        show_installed(model, output, resumed_from=download.done_bytes, seconds=seconds)
        return 0
    act = kept.pause if arguments.action == "pause" else kept.cancel
    download = act(arguments.id, interrupts.token)
    output.result(download.as_json())
    size = format_bytes(download.done_bytes)
    if arguments.action == "pause":
        output.line(f"Paused {download.id} ({download.target}); {size} are kept.")
    else:
        output.line(f"Cancelled {download.id} ({download.target}); nothing of it is left.")
    return 0


def _list(downloads: tuple[Download, ...], output: Output) -> None:
    output.result({"downloads": [download.as_json() for download in downloads]})
    if not downloads:
        output.line("No downloads are unfinished.")
        return
    output.table(
        ("ID", "MODEL", "STATE", "HERE", "OF"),
        [
            (
                download.id,
                download.target,
                download.state.value,
                format_bytes(download.done_bytes),
                format_bytes(download.total_bytes),
            )
            for download in downloads
        ],
    )
