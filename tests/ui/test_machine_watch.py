"""The machine is looked at again when it may have changed; what the engine said of it stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from openshelf.chat.interface import ModelInMemory
from openshelf.hardware.facts import GpuKind, Machine
from openshelf.reasons import Reason
from openshelf.services import Services
from openshelf.ui.models.machine_facts import with_engine_of, without_our_model
from openshelf.ui.models.machine_watch import MachineWatch
from openshelf.ui.task_bridge import TaskBridge
from tests.fakes.downloads import FakeDownloads, FakeInstaller, installed_model
from tests.fakes.example_data import GIB, example_machine, example_offer, plain_machine
from tests.fakes.services import FakeLibrary, fake_services

LOADED = ModelInMemory("m", 8192, 41, 41, "fits_gpu", {}, {}, 1.0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A watch over a machine of which less is free each time it is looked at."""

    def __init__(self, folder: Path) -> None:
        self.looks = 0
        self.services: Services = fake_services(folder, changes={"detect_machine": self._detect})
        self.bridge = TaskBridge(self.services.runner)
        self.window = QWidget()
        self.clock = Clock()
        self.found: list[Machine] = []
        self.watch = MachineWatch(self.services, self.bridge, self.window, self.clock)
        self.watch.found.connect(self.found.append)

    def _detect(self, *_: object) -> Machine:
        self.looks += 1
        memory = replace(plain_machine().memory, available_bytes=(10 - self.looks) * GIB)
        return replace(plain_machine(), memory=memory)


@pytest.fixture
def watched(tmp_path: Path, themed_app: QApplication, qtbot: QtBot) -> Iterator[Watched]:
    made = Watched(tmp_path)
    qtbot.addWidget(made.window)
    yield made
    made.bridge.close()
    made.bridge.deleteLater()


def test_a_finished_download_and_a_removed_model_are_looked_for(
    qtbot: QtBot, watched: Watched
) -> None:
    watched.watch.note(replace(plain_machine(), engine=example_machine().engine))
    downloads = cast(FakeDownloads, watched.services.downloads)
    offer = example_offer()
    download = downloads.start(offer, cast(FakeInstaller, watched.services.installer).clear(offer))
    downloads.advance(download.id, 1000)
    qtbot.wait(150)
    assert watched.looks == 0, "progress alone changes nothing that matters"
    model = downloads.finish(download.id)
    qtbot.waitUntil(lambda: bool(watched.found))
    assert watched.found[-1].memory.available_bytes == (10 - len(watched.found)) * GIB
    assert watched.found[-1].engine == example_machine().engine, "what it said before"
    qtbot.wait(150)
    before = watched.looks
    watched.services.library.remove(model.id)
    qtbot.waitUntil(lambda: watched.looks > before)


def test_a_window_that_becomes_active_looks_every_ten_seconds_at_most(
    qtbot: QtBot, watched: Watched, themed_app: QApplication
) -> None:
    def activate(seconds: float) -> int:
        watched.clock.now += seconds
        themed_app.applicationStateChanged.emit(Qt.ApplicationState.ApplicationInactive)
        themed_app.applicationStateChanged.emit(Qt.ApplicationState.ApplicationActive)
        qtbot.wait(20)
        return watched.looks

    assert activate(60) == 0, "the first look is not ours"
    watched.watch.note(plain_machine())
    assert activate(9) == 0
    assert activate(1) == 1
    assert activate(5) == 1
    assert activate(5) == 2


def test_many_wishes_at_once_are_two_looks(qtbot: QtBot, watched: Watched) -> None:
    watched.watch.note(plain_machine())
    for number in range(5):
        cast(FakeLibrary, watched.services.library).add(installed_model(f"m{number}"))
    qtbot.waitUntil(lambda: len(watched.found) == 2)
    qtbot.wait(20)
    assert watched.looks == 2


def test_what_the_engine_said_is_carried_over() -> None:
    known = example_machine()
    silent = Reason("engine_silent", {"detail": "x"})
    gpus = tuple(
        replace(gpu, usable_by_engine=None, reason=None, free_bytes=2 * GIB) for gpu in known.gpus
    )
    seen = replace(known, gpus=gpus, engine=None)
    carried = with_engine_of(seen, replace(known, notes=(silent,)))
    assert carried.engine == known.engine
    assert [gpu.usable_by_engine for gpu in carried.gpus] == [True, False]
    assert [gpu.free_bytes for gpu in carried.gpus] == [2 * GIB, 2 * GIB]
    assert carried.notes == (silent,)
    assert with_engine_of(carried, replace(known, notes=(silent,))) == carried


def test_the_engine_tells_the_size_of_unified_memory() -> None:
    known = example_machine()
    shared = replace(known.gpus[0], kind=GpuKind.UNIFIED, total_bytes=6 * GIB, free_bytes=5 * GIB)
    seen = replace(shared, usable_by_engine=None, total_bytes=None, free_bytes=None)
    carried = with_engine_of(
        replace(known, gpus=(seen,), engine=None), replace(known, gpus=(shared,))
    )
    assert carried.gpus == (shared,)


def test_what_our_own_model_holds_is_not_missing() -> None:
    before = example_machine()
    gpus = (replace(before.gpus[0], free_bytes=1 * GIB), *before.gpus[1:])
    memory = replace(before.memory, available_bytes=30 * GIB)
    now = replace(before, gpus=gpus, memory=memory)
    assert without_our_model(now, before, None) == now
    seen = without_our_model(now, before, LOADED)
    assert seen.gpus == before.gpus, "given back before another one is loaded"
    assert seen.memory == memory, "what others gave back counts"


def test_the_rail_follows_and_the_shelf_is_not_asked_for_our_own_model(
    tmp_path: Path, make_window: Callable[..., object], qtbot: QtBot
) -> None:
    services = fake_services(tmp_path)
    asked: list[int] = []
    machine = example_machine()

    def shelf(known: Machine, question: object) -> object:
        asked.append(known.memory.available_bytes)
        return services.shelf(known, question)  # type: ignore[arg-type]

    memory = replace(machine.memory, available_bytes=5 * GIB)
    changes = {"shelf": shelf, "detect_machine": lambda *_: replace(machine, memory=memory)}
    window = make_window(replace(services, **changes))  # type: ignore[arg-type]
    qtbot.waitUntil(lambda: len(asked) == 1)
    services.chats.in_memory = LOADED  # type: ignore[attr-defined]
    window._watch.look()  # type: ignore[attr-defined]
    ram = window.rail.machine_card._ram._text  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: "5.0 free" in ram.text())
    qtbot.wait(20)
    assert len(asked) == 1
    services.chats.in_memory = None  # type: ignore[attr-defined]
    window._watch.look()  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: asked == [machine.memory.available_bytes, 5 * GIB])
