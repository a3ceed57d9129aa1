"""Navigation: places, keys, the badge, the machine, what one page asks of another."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QShortcut
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.library.downloads import DownloadState
from openshelf.reasons import Reason
from openshelf.services import Services
from openshelf.tasks import CancelToken, no_report
from openshelf.ui.main_window import MINIMUM_SIZE, MainWindow
from openshelf.ui.places import PAGES, RAIL_ORDER, Place, read_pages
from openshelf.ui.theme import apply_theme
from openshelf.ui.widgets import TextLabel
from openshelf.ui.widgets.page import Page
from openshelf.ui.widgets.shortcut_sheet import ShortcutSheet
from tests.fakes.downloads import FakeDownloads, FakeInstaller, installed_model
from tests.fakes.example_data import example_machine, example_offer

UI = Path(__file__).parents[2] / "openshelf" / "ui"


def test_the_main_window_stays_small() -> None:
    lines = (UI / "main_window.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 200, "navigation only"


def test_the_shelf_is_open_first_and_knows_the_machine(window: MainWindow, qtbot: QtBot) -> None:
    assert window._stack.currentWidget() is window.page(Place.SHELF)
    assert window.rail.button(Place.SHELF).isChecked()
    names = [label.text() for label in window.rail.machine_card.findChildren(TextLabel)]
    assert "RTX 4070 Laptop" in names


def test_hardware_found_anew_is_told_to_everybody(window: MainWindow) -> None:
    hardware = window.page(Place.HARDWARE)
    renamed = replace(
        example_machine(), gpus=(), cpu=replace(example_machine().cpu, name="New CPU")
    )
    hardware.machine_found.emit(renamed)
    assert window.machine is renamed
    names = [label.text() for label in window.rail.machine_card.findChildren(TextLabel)]
    assert "New CPU" in names


def test_what_was_wrong_at_the_start_is_said_until_it_is_closed(
    services: Services, make_window: Callable[[Services], MainWindow], qtbot: QtBot
) -> None:
    problem = Reason("library_set_aside", {"path": "/x/library.damaged"})
    window = make_window(replace(services, problems=lambda: (problem,)))
    assert window.notice.isVisible()
    assert "/x/library.damaged" in window.notice.text.text()
    qtbot.mouseClick(window.notice.button, Qt.MouseButton.LeftButton)
    assert not window.notice.isVisible()


def test_pages_are_made_when_they_are_opened(window: MainWindow) -> None:
    assert set(window._pages) == {Place.SHELF}
    window.open_place(Place.SETTINGS)
    assert set(window._pages) == {Place.SHELF, Place.SETTINGS}


@pytest.mark.parametrize("place", [*RAIL_ORDER, Place.SETTINGS])
def test_every_place_of_the_rail_has_a_page(window: MainWindow, qtbot: QtBot, place: Place) -> None:
    button = window.rail.button(place)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    page = window.page(place)
    assert isinstance(page, Page)
    assert type(page).__name__ == PAGES[place].name
    assert window._stack.currentWidget() is page
    assert [p for p in window.rail.places if window.rail.button(p).isChecked()] == [place]


def test_a_place_below_another_marks_that_one_in_the_rail(window: MainWindow) -> None:
    window.open_place(Place.MODEL)
    assert [p for p in window.rail.places if window.rail.button(p).isChecked()] == [Place.SHELF]


def test_another_theme_leaves_the_open_place_strong(
    window: MainWindow, themed_app: QApplication
) -> None:
    window.show()
    window.open_place(Place.CHAT)

    def weights() -> dict[Place, int]:
        return {place: int(window.rail.button(place).font().weight()) for place in RAIL_ORDER}

    before = weights()
    assert before[Place.CHAT] > before[Place.SHELF]
    try:
        for theme in ("dark", "light", "dark"):
            apply_theme(themed_app, theme)
            QApplication.processEvents()
            assert weights() == before
    finally:
        apply_theme(themed_app, "light")


@pytest.mark.parametrize(("number", "place"), list(enumerate(RAIL_ORDER, start=1)))
def test_control_and_a_number_open_a_place(
    window: MainWindow, qtbot: QtBot, number: int, place: Place
) -> None:
    window.open_place(Place.SETTINGS)
    key = getattr(Qt.Key, f"Key_{number}")
    qtbot.keyClick(window, key, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: window._stack.currentWidget() is window.page(place))


def test_keys_do_not_leave_an_open_sheet(window: MainWindow, qtbot: QtBot) -> None:
    window.open_install("a/b")
    qtbot.keyClick(window, Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)
    assert window.sheet is not None


def test_the_badge_counts_active_downloads(
    window: MainWindow, services: Services, qtbot: QtBot
) -> None:
    downloads = cast(FakeDownloads, services.downloads)
    installer = cast(FakeInstaller, services.installer)
    button = window.rail.button(Place.LIBRARY)
    first, second = (
        downloads.start(example_offer(), installer.clear(example_offer())) for _ in range(2)
    )
    qtbot.waitUntil(lambda: button.badge.words == "2 ↓")
    assert button.accessibleName() == "Library, 2 downloads running"
    downloads.pause(first.id)
    qtbot.waitUntil(lambda: button.badge.words == "1 ↓")
    downloads.change(second.id, state=DownloadState.DONE)
    qtbot.waitUntil(lambda: not button.badge.isVisible())
    assert button.accessibleName() == "Library"


def test_four_clicks_from_the_shelf_to_the_chat(
    window: MainWindow, services: Services, qtbot: QtBot
) -> None:
    """Install…, the tick, Accept and install; the fourth is Send, in the chat itself."""
    left = Qt.MouseButton.LeftButton
    shelf = window.page(Place.SHELF)
    qtbot.waitUntil(lambda: len(shelf.cards) > 0)  # type: ignore[attr-defined]
    qtbot.mouseClick(shelf.cards[0]._action, left)  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: hasattr(window.sheet, "side"))
    qtbot.mouseClick(window.sheet.side.tick, left)  # type: ignore[union-attr]
    qtbot.mouseClick(window.sheet.side.accept, left)  # type: ignore[union-attr]
    downloads = cast(FakeDownloads, services.downloads)
    qtbot.waitUntil(lambda: "d1" in downloads.all)
    downloads.finish("d1")
    chat = window.page(Place.CHAT)
    qtbot.waitUntil(lambda: window._stack.currentWidget() is chat)
    assert window.sheet is None


def test_it_stays_usable_at_its_smallest(window: MainWindow) -> None:
    window.resize(QSize(10, 10))
    assert window.size() == MINIMUM_SIZE
    assert window.minimumSizeHint().width() <= MINIMUM_SIZE.width()
    assert window.minimumSizeHint().height() <= MINIMUM_SIZE.height()


def test_geometry_is_kept(
    make_window: Callable[[Services], MainWindow], services: Services
) -> None:
    window = make_window(services)
    # Lower than the offscreen screen, into which a kept geometry is moved.
    window.resize(MINIMUM_SIZE.width(), 700)
    window.close()
    assert services.paths.window_file.exists()
    assert make_window(services).height() == 700


def test_the_library_changing_reaches_the_shelf(
    window: MainWindow, services: Services, qtbot: QtBot
) -> None:
    shelf = window.page(Place.SHELF)
    qtbot.waitUntil(lambda: shelf.starter.isVisible())  # type: ignore[attr-defined]
    window.open_place(Place.SETTINGS)
    services.library.add(installed_model())  # type: ignore[attr-defined]
    qtbot.wait(20)
    window.open_place(Place.SHELF)
    qtbot.waitUntil(lambda: not shelf.starter.isVisible())  # type: ignore[attr-defined]


@pytest.mark.parametrize("place", list(Place))
def test_f1_lists_the_keys_everywhere(window: MainWindow, qtbot: QtBot, place: Place) -> None:
    window.open_place(place)
    qtbot.keyClick(window, Qt.Key.Key_F1)
    sheet = window.findChild(ShortcutSheet)
    assert sheet is not None
    assert sheet.isVisible()
    listed = {keys for entry in sheet.entries() for keys in entry[0]}
    known = {one.key().toString() for one in window.findChildren(QShortcut)} - {""}
    assert known <= listed
    qtbot.keyClick(sheet.close_button, Qt.Key.Key_Escape)
    assert sheet.isHidden()


def test_nothing_below_an_open_sheet_changes(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.keyClick(window, Qt.Key.Key_F1)
    for key in (Qt.Key.Key_2, Qt.Key.Key_Comma):
        qtbot.keyClick(window, key, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(window, Qt.Key.Key_F1)
    assert window._stack.currentWidget() is window.page(Place.SHELF)
    (sheet,) = window.findChildren(ShortcutSheet)
    sheet.close_button.click()
    qtbot.keyClick(window, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
    assert window._stack.currentWidget() is window.page(Place.LIBRARY)


def test_pages_are_read_before_somebody_waits_for_one() -> None:
    read_pages(CancelToken(), no_report)
    assert all(address.module in sys.modules for address in PAGES.values())
