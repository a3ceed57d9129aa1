"""The doors: window, command line; workers for engine, downloads, probes, files and formulas.

Decides which one before anything heavy is imported; a frozen app re-runs itself through here.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from pathlib import Path

from openshelf.children import Door
from openshelf.errors import CancelledByUser


def main(arguments: list[str] | None = None) -> int:
    """Run one door; returns the process's exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    # A parent may have closed them; what is written then goes nowhere.
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115  for good
    if sys.stdout is None or sys.stderr is None:
        nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  for good
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
    try:
        return _open_door(words)
    except KeyboardInterrupt:
        return CancelledByUser.exit_code


def _open_door(words: list[str]) -> int:
    if words and words[0] == Door.ENGINE_WORKER:
        from openshelf.engine.worker import run_worker

        return run_worker()
    if words and words[0] == Door.DOWNLOAD_WORKER:
        from openshelf.hub.download_worker import run_worker as run_download_worker

        return run_download_worker()
    if words and words[0] == Door.PROBE:
        from openshelf.hardware.probe_child import run_probe

        return run_probe(words[1:])
    if words and words[0] == Door.FORMULA_WORKER:
        from openshelf.chat.formula_worker import run_worker as run_formula_worker

        return run_formula_worker()
    if words and words[0] == Door.ATTACHMENT:
        from openshelf.chat.attachment_child import run_attachment

        return run_attachment(words[1:])
    if not words or words[0] in ("--smoke", "--screenshot"):
        return _run_window(words)
    return _run_command_line(words)


def _run_window(words: list[str]) -> int:
    try:
        from openshelf.ui.app import run_window
    except ImportError as error:
        # Qt leaves some libraries to the system, and a bare one has none of them.
        if not str(error.name or error).startswith(("PySide6", "shiboken6", "lib")):
            raise
        sys.stderr.write(
            f"openshelf: the window cannot be opened: {error}.\n"
            "On Debian and Ubuntu this brings what is missing:\n\n"
            "    apt-get install libegl1 libgl1 libxkbcommon0 libfontconfig1 libdbus-1-3\n\n"
            "Everything works on the command line meanwhile: openshelf --help\n"
        )
        return 1
    return run_window(words)


def _run_command_line(words: list[str]) -> int:
    from openshelf.cli.main import run_command
    from openshelf.cli.output import Output

    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows few letters shows a question mark, and the command goes on.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        return run_command(words)
    except Exception as error:
        # The last edge before a person: one line instead of a traceback.
        if "--debug" in words:
            raise
        logging.getLogger(__name__).exception("unexpected failure of a command")
        Output(as_json="--json" in words).error(error)
        return 1
