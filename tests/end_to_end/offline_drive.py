"""A script, not a test: the whole window, driven through every place and every way out to the Hub.

`test_offline.py` runs it with the switch on and looks at its system calls.
"""

from __future__ import annotations

import sys
from typing import Any

from PySide6.QtCore import QElapsedTimer, Qt
from PySide6.QtTest import QTest

from openshelf.errors import Offline, OpenshelfError
from openshelf.hardware.facts import Machine
from openshelf.paths import find_paths
from openshelf.services import Services
from openshelf.shelf.rows import ShelfQuestion
from openshelf.shelf.search import SearchQuestion
from openshelf.tasks import CancelToken, no_report
from openshelf.ui.app import Arguments, Desktop, make_application
from openshelf.ui.places import Place
from openshelf.wiring import build_services

_REST_MILLISECONDS = 600
PASTED = "llama-server -hf ada/Granite-GGUF:Q4_K_M"
HUB_MODEL = "bartowski/Qwen_Qwen3-8B-GGUF:Q4_K_M"


def rest(milliseconds: int = _REST_MILLISECONDS) -> None:
    """Let the window and its tasks go on."""
    clock = QElapsedTimer()
    clock.start()
    while clock.elapsed() < milliseconds:
        QTest.qWait(20)


def drive(desktop: Desktop) -> None:
    window: Any = desktop.window
    for place in Place:
        window.open_place(place)
        rest()
    window.open_place(Place.SHELF)
    search = window.page(Place.SHELF).controls.search
    for text in ("qwen", PASTED, HUB_MODEL):
        search.setText(text)
        rest()
        QTest.keyClick(search, Qt.Key.Key_Return)
        rest(2 * _REST_MILLISECONDS)
        window.open_place(Place.SHELF)


def ask_everything(services: Services) -> list[str]:
    """Every call that could go out; returns those that did not say Offline."""
    cancel = CancelToken()
    machine: Machine = services.detect_machine(cancel, no_report)
    calls = {
        "prepare": lambda: services.installer.prepare(HUB_MODEL, cancel, no_report),
        "card": lambda: services.read_card("ada/Granite-GGUF", "", cancel),
    }
    silent = []
    for name, call in calls.items():
        try:
            call()
            silent.append(name)
        except Offline:
            pass
        except OpenshelfError as error:
            silent.append(f"{name}: {error}")
    services.search(machine, SearchQuestion("granite", ShelfQuestion()), cancel)
    services.refresh_catalog(cancel, no_report)
    return silent


def main() -> int:
    app = make_application()
    services = build_services(find_paths())
    desktop = Desktop(app, services, Arguments())
    desktop.start()
    rest(3 * _REST_MILLISECONDS)
    drive(desktop)
    silent = ask_everything(services)
    entries = services.egress.entries()
    desktop.window.close()
    desktop.close()
    sys.stderr.write(f"{silent} {entries}\n")
    return 1 if silent or entries else 0


if __name__ == "__main__":
    sys.exit(main())
