"""The real window over real services, driven the way a person drives it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget
from pytestqt.qtbot import QtBot

from openshelf.paths import find_paths
from openshelf.ui.app import Arguments, Desktop
from openshelf.ui.theme import load_fonts
from openshelf.ui.translation import install_translators
from openshelf.wiring import build_services

HERE = Path(__file__).parent
SECONDS = 1000
PATIENCE = 60 * SECONDS
"""For anything that loads a model or starts a child on a busy machine, in milliseconds."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ignore = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(ignore)


class Person:
    """Sees what is visible, clicks, types, and counts the clicks."""

    def __init__(self, desktop: Desktop, qtbot: QtBot) -> None:
        self.desktop = desktop
        self.window = desktop.window
        self.services = desktop._services
        self.clicks = 0
        self._qtbot = qtbot

    def click(self, *words: str) -> None:
        """Click the one button whose name holds all these words, as soon as it can be clicked."""
        self._qtbot.waitUntil(lambda: self._button(words) is not None, timeout=PATIENCE)
        button = self._button(words)
        assert button is not None
        self.clicks += 1
        self._qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def type(self, text: str) -> None:
        """Into whatever has the focus, as a keyboard does."""
        focused = QApplication.focusWidget()
        assert focused is not None, "nothing has the focus"
        self._qtbot.keyClicks(focused, text)

    def press_enter(self) -> None:
        focused = QApplication.focusWidget()
        assert focused is not None
        self._qtbot.keyClick(focused, Qt.Key.Key_Return)

    def press(self, keys: str) -> None:
        combination = QKeySequence(keys)[0]
        self._qtbot.keyClick(self.window, combination.key(), combination.keyboardModifiers())

    def wait(self, condition: Callable[[], bool], timeout: int = PATIENCE) -> None:
        self._qtbot.waitUntil(condition, timeout=timeout)

    def rest(self, milliseconds: int) -> None:
        """Do nothing for a while; the window goes on."""
        self._qtbot.wait(milliseconds)

    def sees(self, *words: str) -> bool:
        text = self.visible_text()
        return all(word in text for word in words)

    def visible_text(self) -> str:
        texts = []
        for widget in self.window.findChildren(QWidget):
            if widget.isVisible():
                text = getattr(widget, "text", None)
                texts.append(str(text()) if callable(text) else "")
                texts.append(widget.accessibleName())
        return "\n".join(texts)

    def _button(self, words: tuple[str, ...]) -> QAbstractButton | None:
        for button in self.window.findChildren(QAbstractButton):
            name = f"{button.accessibleName()} {button.text()}"
            if button.isVisible() and button.isEnabled() and all(word in name for word in words):
                return button
        return None


@pytest.fixture
def start_app(
    qapp: QApplication, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Person]]:
    """Starts the whole app in the test's home; closes it as a person would. Without a Hub of the
    test's own it is offline: otherwise it would ask the real one what is new."""
    started: list[Desktop] = []

    def start() -> Person:
        if "HF_ENDPOINT" not in os.environ:
            monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        load_fonts()
        install_translators(qapp)
        desktop = Desktop(qapp, build_services(find_paths()), Arguments())
        started.append(desktop)
        with qtbot.waitSignal(desktop.window.first_painted, timeout=PATIENCE):
            desktop.start()
        desktop.window.activateWindow()
        return Person(desktop, qtbot)

    yield start
    for desktop in started:
        desktop.window.close()
        desktop.close()
        desktop.window.deleteLater()
        desktop.deleteLater()
    qapp.processEvents()
