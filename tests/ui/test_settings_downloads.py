"""Limits and hours on the settings page: what is typed holds, what is no value is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest
from pytestqt.qtbot import QtBot

from openshelf.services import Services
from openshelf.settings import SettingsStore
from openshelf.ui.main_window import MainWindow
from openshelf.ui.pages.settings import SettingsPage
from openshelf.ui.pages.settings_downloads import DownloadsCard
from openshelf.ui.places import Place

Open = Callable[[], tuple[DownloadsCard, SettingsStore]]


@pytest.fixture
def open_card(make_window: Callable[..., MainWindow], services: Services) -> Open:
    def build() -> tuple[DownloadsCard, SettingsStore]:
        store = SettingsStore(services.paths.settings_file)
        window = make_window(replace(services, settings=store))
        window.open_place(Place.SETTINGS)
        return cast(SettingsPage, window.page(Place.SETTINGS)).downloads, store

    return build


@pytest.mark.parametrize(
    ("typed", "rate", "shown"),
    [
        ("2 MB/s", 2_000_000, "2.0 MB/s"), ("1.5", 1_500_000, "1.5 MB/s"), ("", None, ""),
        ("500kB", 500_000, "500 kB/s"),
    ],
)  # fmt: skip
def test_a_limit_is_typed(
    open_card: Open, qtbot: QtBot, typed: str, rate: int | None, shown: str
) -> None:
    card, store = open_card()
    store.change(download_limit=7_000_000)
    qtbot.waitUntil(lambda: card.limit.text() == "7.0 MB/s")
    card.limit.setText(typed)
    card.limit.editingFinished.emit()
    assert store.current.download_limit == rate
    qtbot.waitUntil(lambda: card.limit.text() == shown)


def test_what_is_no_speed_is_said(open_card: Open) -> None:
    card, store = open_card()
    card.limit.setText("fast")
    card.limit.editingFinished.emit()
    assert store.current.download_limit is None
    assert "fast is no speed" in card.problem.text.text()
    assert not card.problem.isHidden()


def test_hours_and_what_holds_outside_of_them(open_card: Open, qtbot: QtBot) -> None:
    card, store = open_card()
    assert card.start.isHidden() or not card.start.isVisible()
    card.by_hours.click()
    assert store.current.download_hours == "22:00-07:00"
    qtbot.waitUntil(card.start.isVisible)
    card.start.setText("23:30")
    card.start.editingFinished.emit()
    assert store.current.download_hours == "23:30-07:00"
    card.pauses._group.button(1).click()
    assert store.current.download_pauses
    card.end.setText("25:00")
    card.end.editingFinished.emit()
    assert store.current.download_hours == "23:30-07:00"
    assert "no hours" in card.problem.text.text()
    card.by_hours.click()
    assert (store.current.download_hours, store.current.download_pauses) == ("", False)
