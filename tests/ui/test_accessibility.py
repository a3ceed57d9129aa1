"""A walk over each page: everything that takes the keyboard has a name, in the order of the eye."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from openshelf.ui.main_window import MainWindow
from openshelf.ui.pages.install_sheet import InstallSheet, SheetState
from openshelf.ui.places import Place
from openshelf.ui.widgets import FitBar

OWN_PAGES = (Place.SHELF, Place.SETTINGS)


def _focusable(root: QWidget) -> list[QWidget]:
    return [
        widget
        for widget in root.findChildren(QWidget)
        if widget.isVisible()
        and widget.isEnabled()
        and widget.focusPolicy() != Qt.FocusPolicy.NoFocus
        and not isinstance(widget, QMenu)
        and not _is_inside(widget)
    ]


def _is_inside(widget: QWidget) -> bool:
    """Parts that Qt makes: viewports, and the button inside a line edit."""
    parent = widget.parentWidget()
    return (isinstance(parent, QAbstractScrollArea) and widget is parent.viewport()) or type(
        widget
    ).__name__ == "QLineEditIconButton"


def _spoken(widget: QWidget) -> str:
    """What a screen reader calls it: the name given, or the text of a label or button."""
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name) if interface is not None else ""


def _tab_order(window: QWidget, root: QWidget, qtbot: QtBot) -> list[QWidget]:
    """Widgets of `root` in the order in which Tab reaches them, once around."""
    start = window.nextInFocusChain()
    order, widget = [], start
    while True:
        takes_tab = widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        if takes_tab and widget.isVisible() and widget.isEnabled() and root.isAncestorOf(widget):
            order.append(widget)
        widget = widget.nextInFocusChain()
        if widget is start or widget is None:
            return order


@pytest.mark.parametrize("place", list(Place))
def test_everything_that_takes_the_keyboard_has_a_name(
    window: MainWindow, qtbot: QtBot, place: Place
) -> None:
    window.open_place(place)
    qtbot.wait(30)
    nameless = [
        f"{type(widget).__name__} in {type(widget.parentWidget()).__name__}"
        for widget in _focusable(window)
        if not _spoken(widget)
    ]
    assert nameless == []


def test_the_sheet_has_names_too(window: MainWindow, qtbot: QtBot) -> None:
    window.open_install("a/b")
    sheet = window.sheet
    assert isinstance(sheet, InstallSheet)
    qtbot.waitUntil(lambda: sheet.state is SheetState.READING)
    nameless = [type(w).__name__ for w in _focusable(sheet) if not _spoken(w)]
    assert nameless == []


@pytest.mark.parametrize("place", OWN_PAGES)
def test_tab_order_follows_the_eye(window: MainWindow, qtbot: QtBot, place: Place) -> None:
    window.open_place(place)
    qtbot.wait(30)
    page = window.page(place)
    order = _tab_order(window, page, qtbot)
    assert order
    tops = [widget.mapTo(page, QPoint(0, widget.height() // 2)).y() for widget in order]
    backwards = [
        f"{order[i].accessibleName()} → {order[i + 1].accessibleName()}"
        for i in range(len(order) - 1)
        if tops[i + 1] < tops[i] - 24
    ]
    assert backwards == []


def test_every_fit_bar_can_be_heard(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: len(window.findChildren(FitBar)) >= 5)
    for bar in window.page(Place.SHELF).findChildren(FitBar):
        assert bar.accessibleName()
        if bar.isVisible():
            assert "GiB" in bar.accessibleDescription()


def test_the_main_job_needs_no_mouse(window: MainWindow, qtbot: QtBot) -> None:
    """Tab to Install…, Space; Space on the tick; Tab to Accept, Space."""
    shelf = window.page(Place.SHELF)
    qtbot.waitUntil(lambda: len(shelf.cards) == 5)  # type: ignore[attr-defined]
    window.activateWindow()
    shelf.focus_content()
    for _ in range(30):
        focus = QApplication.focusWidget()
        assert focus is not None
        if focus.accessibleName() == "Install Qwen3":
            break
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    else:
        raise AssertionError("Tab never reached the first card")
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Space)
    sheet = window.sheet
    assert isinstance(sheet, InstallSheet)
    qtbot.waitUntil(lambda: sheet.state is SheetState.READING)
    qtbot.waitUntil(lambda: QApplication.focusWidget() is sheet.side.tick)
    qtbot.keyClick(sheet.side.tick, Qt.Key.Key_Space)
    for _ in range(4):
        focus = QApplication.focusWidget()
        assert focus is not None
        if focus is sheet.side.accept:
            break
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: sheet.state is SheetState.FETCHING)
