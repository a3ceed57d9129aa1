"""The longest turns of the window's thread while the whole app is driven through its main jobs.

Run by name: `pytest -m benchmark tests/benchmarks/freezes.py -s -n 0`, on an idle machine: a turn
is wall time. Real services, real engine, offscreen; a library of 5,000 files, 2,000 chats, one of
them of 300 turns. Printed are, per step, the longest turn in wall time, the CPU time of the
window's thread in it, and, of each turn beyond 50 ms, where it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.catalog.loader import load_catalog
from openshelf.chat.archive import Archive
from openshelf.chat.conversation import Conversation
from openshelf.chat.store import ConversationStore
from openshelf.paths import find_paths
from openshelf.ui.app import Arguments, Desktop
from openshelf.ui.main_window import MainWindow
from openshelf.ui.pages.install_sheet import InstallSheet, SheetState
from openshelf.ui.places import Place
from openshelf.ui.theme import load_fonts
from openshelf.ui.translation import install_translators
from openshelf.wiring import build_services
from tests.benchmarks.library import fill
from tests.benchmarks.open_chat import conversation
from tests.benchmarks.turns import TurnWatch

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.model,
    pytest.mark.timeout(1800),
    pytest.mark.qt_log_ignore("This plugin does not support", extend=True),
]
CHATS = int(os.environ.get("FREEZES_CHATS", "2000"))
MODELS = int(os.environ.get("FREEZES_MODELS", "300"))
"""So many models of the catalog are opened, one after the other."""
MOST_MILLISECONDS = 100
BEFORE = "before the window (nobody waits for an answer)"
PATIENCE = 300_000
"""Milliseconds."""


def fill_chats(path: Path) -> None:
    """2,000 short chats, and before them one of 300 turns."""
    store = ConversationStore(path)
    long_one = conversation()
    store.add_archive(long_one)
    short = long_one.messages[:2]
    for number in range(1, CHATS):
        about = Conversation(0, f"Chat {number} about a clause of some agreement", "", "")
        store.add_archive(Archive(about, short, 2))
    store.close()


class Driver:
    """Does one thing at a time in the window and lets it come to rest."""

    def __init__(self, desktop: Desktop, watch: TurnWatch, qtbot: QtBot) -> None:
        self.window: MainWindow = desktop.window
        self.watch, self._qtbot = watch, qtbot

    def begin(self, step: str) -> None:
        self.watch.begin(step)

    def wait(self, condition: Callable[[], bool]) -> None:
        self._qtbot.waitUntil(self.watch.aside_from(condition), timeout=PATIENCE)

    def rest(self, milliseconds: int = 150) -> None:
        self._qtbot.wait(milliseconds)

    def type(self, text: str) -> None:
        for letter in text:
            focused = QApplication.focusWidget()
            assert focused is not None
            QTest.keyClicks(focused, letter)
            self.rest(60)

    def open(self, place: Place) -> Any:
        self.window.open_place(place)
        self.rest(600)
        return self.window.page(place)


@pytest.fixture
def driver(
    qapp: QApplication, qtbot: QtBot, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Driver]:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    paths = find_paths()
    for folder in (paths.data, paths.models):
        folder.mkdir(parents=True)
    fill(paths.data, [paths.models])
    fill_chats(paths.chat_database)
    load_fonts()
    install_translators(qapp)
    watch = TurnWatch()
    watch.begin(BEFORE)
    desktop = Desktop(qapp, build_services(paths), Arguments())
    watch.begin("start: the window is shown, its shelf filled")
    with qtbot.waitSignal(desktop.window.first_painted, timeout=PATIENCE):
        desktop.start()
    desktop.window.activateWindow()
    yield Driver(desktop, watch, qtbot)
    watch.close()
    desktop.window.close()
    desktop.close()
    desktop.window.deleteLater()
    desktop.deleteLater()
    qapp.processEvents()


def use_shelf(driver: Driver) -> None:
    driver.rest(2_000)
    page: Any = driver.window.page(Place.SHELF)
    driver.begin("shelf: the search is typed")
    page.controls.search.setFocus()
    driver.type("qwen3 coder")
    driver.begin("shelf: the search is cleared")
    page.controls.search.clear()
    driver.rest(800)
    driver.begin("shelf: another context length")
    page.controls.context._group.button(2).click()
    driver.rest(2_000)
    driver.begin("shelf: only what fits")
    page.filters.fits.choose(True)
    page.filters.fits_only_changed.emit(True)
    driver.rest(1_500)


def open_models(driver: Driver) -> None:
    with driver.watch.aside():
        models = [model for family in load_catalog().families for model in family.models]
    driver.begin("model: each of the catalog is opened")
    for model in models[:MODELS]:
        driver.window.open_model(model.id)
        page: Any = driver.window.page(Place.MODEL)
        driver.wait(lambda page=page: page.listing is not None)
        driver.rest(60)


def install_starter(driver: Driver) -> None:
    driver.begin("install: sheet, terms, starter")
    driver.window.open_install(driver.window.page(Place.SHELF).starter._target)  # type: ignore[attr-defined]
    sheet: Any = driver.window.sheet
    assert isinstance(sheet, InstallSheet)
    driver.wait(lambda: sheet.state in (SheetState.READING, SheetState.ASKING))
    if sheet.state is SheetState.ASKING:
        sheet.question.myself.click()
        driver.wait(lambda: sheet.state is SheetState.READING)
    sheet.side.tick.setChecked(True)
    driver.rest()
    sheet.side.accept.click()
    driver.wait(lambda: driver.window.page(Place.CHAT).isVisible())


def chat(driver: Driver) -> None:
    page: Any = driver.window.page(Place.CHAT)
    driver.begin("chat: a question is typed and answered")
    driver.rest(600)
    driver.type("Say hello in one word.")
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
    driver.wait(lambda: page.dialogue.is_answering)
    driver.wait(lambda: not page.dialogue.is_answering)
    driver.rest(600)
    driver.begin("chat: one of 300 turns is opened")
    chats = driver.window._services.chats.conversations()
    page._open_conversation(next(chat for chat in chats if chat.title == "300 turns"))
    driver.rest(2_000)
    driver.begin("chat: 2,000 are searched")
    page.panel.search.setFocus()
    driver.type("clause")
    driver.rest(1_000)
    page.panel.search.clear()
    driver.rest(1_000)


def use_library(driver: Driver, folder: Path) -> None:
    driver.begin("library: opened with 5,000 files")
    page = driver.open(Place.LIBRARY)
    driver.wait(lambda: page._facts is not None)
    driver.rest(3_000)
    driver.begin("library: sorted and scrolled")
    table = page.installed_card.view
    table.sortByColumn(2, Qt.SortOrder.DescendingOrder)
    driver.rest()
    for _ in range(20):
        QTest.keyClick(table, Qt.Key.Key_PageDown)
        driver.rest(20)
    driver.begin("library: the export is opened, one model exported")
    page.export_button.click()
    driver.rest(1_000)
    export_one(driver, page, folder)
    page.export.close_button.click()
    driver.rest()


def export_one(driver: Driver, page: Any, folder: Path) -> None:
    page.export.search.setFocus()
    driver.type("smollm2")
    page.export.ticks.rows[0].click()
    driver.rest()
    page.export.export_to(str(folder))
    driver.wait(lambda: not page.export.is_running)
    driver.rest(400)


def use_the_rest(driver: Driver) -> None:
    driver.begin("hardware")
    driver.open(Place.HARDWARE)
    driver.rest(3_000)
    driver.begin("settings")
    page = driver.open(Place.SETTINGS)
    driver.begin("settings: dark, then light")
    for number in (2, 1):
        page.theme._group.button(number).click()
        driver.rest(1_000)
    driver.begin("policy: opened, a fact changed")
    policy = driver.open(Place.POLICY)
    driver.rest(2_500)
    field = policy.draft.facts.rows["domicile"].field
    field.setFocus()
    driver.type("DE")
    driver.rest(2_500)


def print_turns(watch: TurnWatch) -> None:
    print(f"\n{'step':52} {'longest':>8} {'of it CPU':>10} {'most CPU':>9}")  # noqa: T201
    for turn in watch.longest():
        most = watch.most_cpu(turn.step)
        times = (
            f"{turn.seconds * 1e3:5.0f} ms {turn.cpu_seconds * 1e3:7.0f} ms {most * 1e3:6.0f} ms"
        )
        print(f"{turn.step:52} {times}")  # noqa: T201
    for turn in sorted(watch.turns, key=lambda turn: turn.seconds, reverse=True)[:40]:
        print(f"{turn.seconds * 1e3:5.0f} ms  {turn.step}")  # noqa: T201
        for place, count in turn.places:
            print(f"          {count:3} × {place}")  # noqa: T201


def test_longest_turns(driver: Driver, tmp_path: Path) -> None:
    use_shelf(driver)
    open_models(driver)
    install_starter(driver)
    chat(driver)
    use_library(driver, tmp_path / "bundle")
    use_the_rest(driver)
    print_turns(driver.watch)
    turns = [turn for turn in driver.watch.longest() if turn.step != BEFORE]
    worst = max(turns, key=lambda turn: turn.seconds)
    assert worst.seconds * 1e3 <= MOST_MILLISECONDS, worst
