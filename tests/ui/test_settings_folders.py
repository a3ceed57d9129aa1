"""Settings: the model folders over fakes, and the schedule in the real store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

from pytestqt.qtbot import QtBot

from openshelf.library.folders import ModelFolder
from openshelf.services import Services
from openshelf.settings import SettingsStore
from openshelf.ui.main_window import MainWindow
from openshelf.ui.pages.settings import SettingsPage
from openshelf.ui.pages.settings_folders import FolderRow
from openshelf.ui.places import Place
from tests.fakes.folders import GONE, HERE, FakeFolders

MakeWindow = Callable[..., MainWindow]
DRIVE, NAS = "/media/ada/STICK", "/mnt/nas"


def opened(window: MainWindow) -> SettingsPage:
    window.open_place(Place.SETTINGS)
    return cast(SettingsPage, window.page(Place.SETTINGS))


def row_of(page: SettingsPage, path: str) -> FolderRow:
    row = page.folders.rows.row(path)
    assert row is not None
    return row


def test_folders_are_added_chosen_and_left(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    folders = services.folders
    assert isinstance(folders, FakeFolders)
    folders.folders.append(ModelFolder(DRIVE, GONE))
    page = opened(make_window(services))
    card = page.folders
    standard = str(services.paths.models)
    qtbot.waitUntil(lambda: len(card.rows.rows) == 2)
    assert row_of(page, standard).words.text() == "200 GB free · downloads go here"
    assert row_of(page, standard).remove_button.isHidden()
    assert row_of(page, DRIVE).words.text() == "drive STICK is not here"
    assert row_of(page, DRIVE).use_button.isHidden()
    card.add(NAS)
    qtbot.waitUntil(lambda: len(card.rows.rows) == 3)
    row_of(page, NAS).use_button.click()
    qtbot.waitUntil(lambda: "downloads go here" in row_of(page, NAS).words.text())
    assert not row_of(page, standard).use_button.isHidden()
    card.add(NAS)
    qtbot.waitUntil(card.problem.isVisible)
    assert "already" in card.problem.text.text()
    row_of(page, DRIVE).remove_button.click()
    qtbot.waitUntil(lambda: len(card.rows.rows) == 2)
    assert not card.problem.isVisible()


def test_what_cannot_take_downloads_is_not_offered_for_them(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    folders = services.folders
    assert isinstance(folders, FakeFolders)
    folders.folders += [
        ModelFolder("/cdrom", replace(HERE, is_writable=False)),
        ModelFolder("/alias", HERE, same_as=str(services.paths.models)),
    ]
    page = opened(make_window(services))
    qtbot.waitUntil(lambda: len(page.folders.rows.rows) == 3)
    assert row_of(page, "/cdrom").words.text() == "cannot be written"
    assert "the same folder as" in row_of(page, "/alias").words.text()
    for path in ("/cdrom", "/alias"):
        assert row_of(page, path).use_button.isHidden()
        assert not row_of(page, path).remove_button.isHidden()


def test_the_schedule_is_kept(
    make_window: MakeWindow, services: Services, qtbot: QtBot, tmp_path: Path
) -> None:
    store = SettingsStore(tmp_path / "settings.toml")
    page = opened(make_window(replace(services, settings=store)))
    page.folders.schedule._group.button(2).click()
    assert SettingsStore(tmp_path / "settings.toml").current.verify_schedule == "monthly"
    store.change(verify_schedule="weekly")
    qtbot.waitUntil(lambda: page.folders.schedule.value == "weekly")
