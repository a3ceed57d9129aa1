"""The settings page over the real store: each choice holds, is kept, or it is said why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.errors import NotEnoughDisk, UsageError
from openshelf.services import Services
from openshelf.settings import THEMES, SettingsStore
from openshelf.ui.main_window import MainWindow
from openshelf.ui.pages.settings import SettingsPage
from openshelf.ui.places import Place
from openshelf.ui.theme import Scheme, apply_theme
from openshelf.ui.theme.tokens import DARK, HIGH_CONTRAST, LIGHT
from tests.fakes.services import FakeSettingsStore

LEFT = Qt.MouseButton.LeftButton
MakeWindow = Callable[..., MainWindow]


def _open(window: MainWindow) -> SettingsPage:
    window.open_place(Place.SETTINGS)
    return cast(SettingsPage, window.page(Place.SETTINGS))


def _press(page: SettingsPage, theme: str, qtbot: QtBot) -> None:
    qtbot.mouseClick(page.theme._group.button(list(Scheme).index(Scheme(theme))), LEFT)


def test_the_store_and_the_theme_know_the_same_schemes() -> None:
    assert set(THEMES) == {scheme.value for scheme in Scheme}


@pytest.mark.parametrize("theme", list(THEMES))
def test_each_choice_of_colors_is_kept_and_can_be_applied(
    make_window: MakeWindow,
    services: Services,
    qtbot: QtBot,
    themed_app: QApplication,
    theme: str,
) -> None:
    path = services.paths.config / "settings.toml"
    start = "dark" if theme != "dark" else "light"
    store = SettingsStore(path)
    store.change(theme=start)
    page = _open(make_window(replace(services, settings=store)))
    _press(page, theme, qtbot)
    assert not page.problem.isVisible()
    assert SettingsStore(path).current.theme == theme
    known = {"system": LIGHT, "light": LIGHT, "dark": DARK, "high_contrast": HIGH_CONTRAST}
    try:
        assert apply_theme(themed_app, SettingsStore(path).current.theme) is known[theme]
    finally:
        apply_theme(themed_app, Scheme.LIGHT)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (UsageError("/x/settings.toml cannot be written: Permission denied"), "Permission denied"),
        (NotEnoughDisk("/x", 4096, 0), "/x"),
    ],
)
def test_a_choice_that_cannot_be_kept_is_told_on_the_page(
    window: MainWindow, services: Services, qtbot: QtBot, failure: UsageError, words: str
) -> None:
    store = cast(FakeSettingsStore, services.settings)
    store.failure = failure
    page = _open(window)
    _press(page, "high_contrast", qtbot)
    assert store.current.theme == "high_contrast"
    qtbot.waitUntil(page.problem.isVisible)
    assert words in page.problem.text.text()
    assert "until Openshelf is closed" in page.problem.text.text()
    store.failure = None
    qtbot.mouseClick(page.offline, LEFT)
    assert store.current.offline
    assert not page.problem.isVisible()


def test_a_home_that_is_a_file_is_no_crash(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    blocked = services.paths.config
    blocked.parent.mkdir(parents=True, exist_ok=True)
    store = SettingsStore(blocked / "settings.toml")
    blocked.write_text("no folder")
    page = _open(make_window(replace(services, settings=store)))
    _press(page, "dark", qtbot)
    qtbot.waitUntil(page.problem.isVisible)
    assert store.current.theme == "dark"


def test_a_refused_value_shows_what_is_in_force(
    window: MainWindow, services: Services, qtbot: QtBot
) -> None:
    page = _open(window)
    page._on_theme("purple")
    assert "purple" in page.problem.text.text()
    assert services.settings.current.theme == "system"
    assert page.theme.value == "system"


def test_what_went_out_is_shown(make_window: MakeWindow, services: Services, qtbot: QtBot) -> None:
    page = _open(make_window(services))
    assert "no other machine was asked" in page.egress.summary.text()
    services.egress.record("huggingface.co", "search", 2_000)
    for _ in range(20):
        services.egress.record("cdn.example", "download", 1_000_000)
    qtbot.waitUntil(lambda: "21 requests" in page.egress.summary.text(), timeout=5000)
    assert "20.0 MB" in page.egress.summary.text()
    rows = [[label.text() for label in row][1:] for row in page.egress._rows]
    assert rows == [["cdn.example", "download", "1.0 MB"]] * 12
    page.hide()
    assert not page.egress._timer.isActive()
