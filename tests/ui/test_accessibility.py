"""A walk over each page: everything that takes the keyboard has a name, in the order of the eye."""

from __future__ import annotations

import itertools

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QApplication,
    QLineEdit,
    QMenu,
    QScrollArea,
    QWidget,
)
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from openshelf.ui.main_window import MainWindow
from openshelf.ui.pages.install_sheet import InstallSheet, SheetState
from openshelf.ui.places import Place
from openshelf.ui.theme import Scheme, apply_theme
from openshelf.ui.widgets import FitBar
from openshelf.ui.widgets.overlay import Overlay
from openshelf.ui.widgets.tab_order import as_they_stand
from tests.screens.gallery import FULL, SCENES, Scene, open_scene


def _scene(name: str) -> Scene:
    return next(scene for scene in SCENES if scene.name == name)


WALKED = [
    _scene(name)
    for name in (
        "shelf-full", "shelf-search-silent", "settings", "settings-folders", "settings-servers",
        "install-llama", "install-gated", "install-question", "install-downloading",
        "chat-full", "chat-attached", "chat-server", "library-full", "library-export",
        "library-folders", "library-remove", "hardware-full", "policy-log", "policy-waive",
        "policy-erase", "model-full", "model-too-large", "model-recipes", "model-obligations",
    )
]  # fmt: skip
LOOKED_AT = [
    _scene(name)
    for name in (
        "shelf-full", "settings-servers", "install-llama", "chat-full", "library-export",
        "hardware-editor", "policy-waive", "model-full", "model-obligations",
    )
]  # fmt: skip


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


def _tab_order(root: QWidget, qtbot: QtBot) -> list[QWidget]:
    """Widgets of `root` in the order in which pressing Tab reaches them, once around."""
    order: list[QWidget] = []
    for _ in range(400):
        focused = QApplication.focusWidget()
        assert focused is not None
        if focused in order:
            break
        if root.isAncestorOf(focused) and focused.focusPolicy() & Qt.FocusPolicy.TabFocus:
            order.append(focused)
        qtbot.keyClick(focused, Qt.Key.Key_Tab)
    else:
        raise AssertionError("Tab never comes round")
    first = next(at for at, one in enumerate(as_they_stand(root)) if one in order) if order else 0
    tops = list(as_they_stand(root))[first]
    at = order.index(tops) if order else 0
    return order[at:] + order[:at]


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


def _at_rest(window: MainWindow, qtbot: QtBot) -> QWidget:
    """Make the window the active one; returns what the keyboard is for: the sheet, or the page."""
    with qtbot.waitActive(window):
        window.activateWindow()
    sheets = [sheet for sheet in window.findChildren(Overlay) if sheet.isVisible()]
    if sheets:
        return sheets[-1].panel
    page = window._stack.currentWidget()
    assert page is not None
    return page


def _column_and_row(widget: QWidget, root: QWidget) -> tuple[QPoint, QPoint]:
    return widget.mapTo(root, QPoint(0, 0)), widget.mapTo(root, QPoint(0, widget.height()))


@pytest.mark.parametrize("scene", WALKED, ids=lambda scene: scene.name)
def test_tab_goes_as_the_eye_does(themed_app: QApplication, qtbot: QtBot, scene: Scene) -> None:
    """Down, or to the right; also where rows, notices and messages came later."""
    with open_scene(themed_app, scene, FULL) as window:
        root = _at_rest(window, qtbot)
        order = _tab_order(root, qtbot)
        buttons = [w for w in root.findChildren(QAbstractButton) if w.isVisible() and w.isEnabled()]
        assert [_spoken(w) for w in buttons if not _is_reached(w, order)] == []
        places = [_column_and_row(widget, root) for widget in order]
        backwards = [
            f"{_spoken(order[at])} → {_spoken(order[at + 1])}"
            for at, ((start, _), (to, end)) in enumerate(itertools.pairwise(places))
            if end.y() <= start.y() and to.x() <= start.x()
        ]
        assert backwards == []


def _is_reached(button: QAbstractButton, order: list[QWidget]) -> bool:
    """By Tab, or by the arrow keys from another one of its group; Esc does what a × does."""
    group = button.group()
    in_group = group is not None and any(other in order for other in group.buttons())
    return button in order or in_group or isinstance(button.parentWidget(), QLineEdit)


@pytest.mark.parametrize("scheme", [Scheme.LIGHT, Scheme.DARK, Scheme.HIGH_CONTRAST])
@pytest.mark.parametrize("scene", LOOKED_AT, ids=lambda scene: scene.name)
def test_where_the_keyboard_is_can_be_seen(
    themed_app: QApplication, qtbot: QtBot, scene: Scene, scheme: Scheme
) -> None:
    apply_theme(themed_app, scheme)
    try:
        with open_scene(themed_app, scene, FULL) as window:
            root = _at_rest(window, qtbot)
            unseen = [
                f"{type(widget).__name__} {_spoken(widget)}"
                for widget in _tab_order(root, qtbot)
                if isValid(widget) and not _shows_focus(window, widget)
            ]
    finally:
        apply_theme(themed_app, Scheme.LIGHT)
    assert unseen == []


def _shows_focus(window: MainWindow, widget: QWidget) -> bool:
    _scroll_to(widget)
    pictures = []
    for takes_it in (False, True):
        if takes_it:
            widget.setFocus(Qt.FocusReason.TabFocusReason)
        else:
            window.rail.button(Place.SETTINGS).setFocus(Qt.FocusReason.OtherFocusReason)
        QApplication.processEvents()
        area = QRect(widget.mapTo(window, QPoint(0, 0)), widget.size()).adjusted(-3, -3, 3, 3)
        pictures.append(window.grab(area).toImage())
    return pictures[0] != pictures[1]


def _scroll_to(widget: QWidget) -> None:
    parent = widget.parentWidget()
    while parent is not None:
        if isinstance(parent, QScrollArea):
            parent.ensureWidgetVisible(widget)
        parent = parent.parentWidget()
    QApplication.processEvents()


def test_with_nothing_installed_the_keyboard_is_on_the_way_out(
    themed_app: QApplication, qtbot: QtBot
) -> None:
    with open_scene(themed_app, _scene("chat-empty"), FULL) as window:
        _at_rest(window, qtbot)
        focused = QApplication.focusWidget()
        assert focused is not None
        assert _spoken(focused) == "Go to the Shelf"


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
