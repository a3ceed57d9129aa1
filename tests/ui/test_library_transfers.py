"""Bundles, limits and the order of downloads in the library page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.library.bundles import MANIFEST
from openshelf.library.bundling import Bundles
from openshelf.library.downloads import Download, DownloadState
from openshelf.library.installed import InstalledModel
from openshelf.library.queue_order import Move
from openshelf.network import NetworkOptions
from openshelf.settings import SettingsStore
from openshelf.tasks import CancelToken, PoolTaskRunner, Progress, Report
from openshelf.ui.pages.library_export import MOST_TICKS
from openshelf.ui.places import Place
from tests.fakes.downloads import installed_model
from tests.library.conftest import Home, open_home
from tests.library.foreign import gguf, put
from tests.ui.library_page import Setting

SMALL = "Small-Q4_0.gguf"


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Home]:
    home = open_home(tmp_path / "sender", NetworkOptions(offline=True))
    yield home
    home.close()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Home]:
    home = open_home(tmp_path / "receiver", NetworkOptions(offline=True))
    yield home
    home.close()


def bundles(home: Home) -> Bundles:
    return Bundles(home.parts, home.installer, lambda: {"context_length": 8192})


@pytest.fixture
def small(sender: Home, tmp_path: Path) -> InstalledModel:
    return sender.install(str(put(tmp_path / "own" / SMALL, gguf("a"))))


def exported(sender: Home, small: InstalledModel, folder: Path) -> Path:
    report = bundles(sender).export([small], folder, CancelToken(), lambda _: None)
    return report.folder


def test_export_is_written_and_said(
    qtbot: QtBot,
    make_library: Callable[..., Setting],
    sender: Home,
    small: InstalledModel,
    tmp_path: Path,
) -> None:
    setting = make_library(small, bundles=bundles(sender))
    card = setting.page.export
    assert card.isHidden()
    setting.page.export_button.click()
    (tick,) = card.ticks.rows
    assert not card.export_button.isEnabled(), "nothing is chosen"
    card.all_button.click()
    assert tick.isChecked()
    assert card.chosen.text().startswith("1 model · ")
    card.export_to(str(tmp_path / "usb"))
    qtbot.waitUntil(card.notice.isVisible)
    assert card.notice.property("level") == "good"
    assert str(tmp_path / "usb") in card.notice.text.text()
    assert (tmp_path / "usb" / MANIFEST).exists()
    card.export_to(str(tmp_path / "usb"))
    qtbot.waitUntil(lambda: card.notice.property("level") == "bad")
    assert "holds a bundle already" in card.notice.text.text()


def test_licenses_are_called_by_their_names(make_library: Callable[..., Setting]) -> None:
    gemma = "LicenseRef-scancode-gemma-tou-2025-03-24"
    model = installed_model(
        "gemma", license_ids=("gemma", "mit"), license_expression=f"{gemma} AND MIT"
    )
    strange = installed_model("odd", license_ids=("<b>own</b>\nterms",), license_expression="x")
    setting = make_library(model, strange)
    card = setting.page.export
    card.open_card((model, strange))
    first, second = (tick.accessibleName() for tick in card.ticks.rows)
    assert first.endswith("· Gemma Terms of Use + MIT License")
    assert second.endswith("· <b>own</b> terms"), "plain text on one line"


def test_of_thousands_a_few_are_shown_and_all_can_be_chosen(
    make_library: Callable[..., Setting],
) -> None:
    models = [installed_model(f"Model {number:04}", "Q4_K_M") for number in range(1000)]
    card = make_library(*models).page.export
    card.open_card(tuple(models))
    assert len(card.ticks.rows) == MOST_TICKS
    assert card.more.text() == "and 970 others: search for them"
    card.ticks.rows[0].click()
    card.search.setText("0999")
    assert [tick.accessibleName()[:10] for tick in card.ticks.rows] == ["Model 0999"]
    card.ticks.rows[0].click()
    card.search.clear()
    assert [model.name for model in card.chosen_models()] == ["Model 0000", "Model 0999"]
    assert card.ticks.rows[0].isChecked()
    card.all_button.click()
    assert len(card.chosen_models()) == 1000
    card.all_button.click()
    assert card.chosen_models() == []


@pytest.fixture
def pool() -> Iterator[PoolTaskRunner]:
    runner = PoolTaskRunner()
    yield runner
    runner.close()


class SlowBundles:
    """Exports for as long as nobody stops it."""

    def export(self, models: Any, folder: Path, cancel: CancelToken, report: Report) -> Any:
        report(Progress(1_000_000, 5_000_000, "copying"))
        while True:
            cancel.wait(10)
            cancel.raise_if_cancelled()


def test_export_stops_at_once(
    qtbot: QtBot,
    make_library: Callable[..., Setting],
    small: InstalledModel,
    pool: PoolTaskRunner,
) -> None:
    setting = make_library(small, bundles=SlowBundles(), runner=pool)
    card = setting.page.export
    card.open_card((small,))
    card.all_button.click()
    card.export_to("/nowhere")
    qtbot.waitUntil(lambda: "1.0 MB of 5.0 MB" in card.progress_text.text())
    assert not card.export_button.isEnabled()
    card.stop_button.click()
    qtbot.waitUntil(lambda: not card.is_running, timeout=1000)
    assert "Stopped" in card.notice.text.text()
    assert not card.stop_button.isVisible()
    assert card.export_button.isEnabled()


def drop(setting: Setting, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    where, action = QPointF(20, 200), Qt.DropAction.CopyAction
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(where.toPoint(), action, data, buttons, keys)
    QApplication.sendEvent(setting.page, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(setting.page, QDropEvent(where, action, data, buttons, keys))


def test_a_dropped_bundle_is_verified_and_leads_to_the_sheet(
    qtbot: QtBot, make_library: Callable[..., Setting], sender: Home, receiver: Home,
    small: InstalledModel, tmp_path: Path,
) -> None:  # fmt: skip
    folder = exported(sender, small, tmp_path / "usb")
    setting = make_library(bundles=bundles(receiver))
    drop(setting, folder)
    card = setting.page.bundle
    qtbot.waitUntil(lambda: len(card.rows.rows) == 1)
    assert "Every byte is as it was exported" in card.words.text()
    (row,) = card.rows.rows
    assert setting.page.window().focusWidget() is row.button
    with qtbot.waitSignal(setting.page.install_requested) as asked:
        row.button.click()
    offer = receiver.prepare(asked.args[0])
    assert offer.origin == "bundle", "the sheet is given what the bundle says"
    setting.library.add(replace(small, id=offer.model_id))
    qtbot.waitUntil(lambda: row.button.text() == "In the library")
    assert not row.button.isEnabled()


@pytest.mark.parametrize("damage", ["byte", "license"])
def test_a_damaged_bundle_is_refused_by_name(
    qtbot: QtBot, make_library: Callable[..., Setting], sender: Home, receiver: Home,
    small: InstalledModel, tmp_path: Path, damage: str,
) -> None:  # fmt: skip
    folder = exported(sender, small, tmp_path / "usb")
    if damage == "byte":
        path = next(folder.rglob("*.gguf"))
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    else:
        path = next(folder.rglob("NOTICE"))
        path.unlink()
    setting = make_library(bundles=bundles(receiver))
    drop(setting, folder)
    notice = setting.page.bundle.notice
    qtbot.waitUntil(notice.isVisible)
    assert setting.page.window().focusWidget() is setting.page.bundle.close_button
    assert notice.property("level") == "bad"
    assert path.name in notice.text.text()
    assert setting.page.bundle.rows.rows == ()


def test_a_dropped_file_goes_to_the_sheet(
    qtbot: QtBot, make_library: Callable[..., Setting], tmp_path: Path
) -> None:
    path = put(tmp_path / "own" / SMALL, gguf("a"))
    setting = make_library()
    with qtbot.waitSignal(setting.page.install_requested) as asked:
        drop(setting, path)
    assert asked.args == [str(path)]


def test_an_address_dropped_is_not_taken(make_library: Callable[..., Setting]) -> None:
    data = QMimeData()
    data.setUrls([QUrl("https://example.com/x.gguf")])
    enter = QDragEnterEvent(
        QPointF(20, 200).toPoint(), Qt.DropAction.CopyAction, data,
        Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    enter.ignore()
    QApplication.sendEvent(make_library().page, enter)
    assert not enter.isAccepted()


def waiting(name: str, order: float) -> Download:
    return Download(
        name, f"ada/{name}", name, "Q4_K_M", DownloadState.QUEUED, 0, 10_000_000, order=order
    )


def test_moved_rows_change_their_places(qtbot: QtBot, make_library: Callable[..., Setting]) -> None:
    setting = make_library(installed_model())
    for number, name in enumerate("abc"):
        setting.downloads.put(waiting(name, float(number)))
    rows = setting.page.download_rows
    qtbot.waitUntil(lambda: [row.name.text() for row in rows.rows] == ["a", "b", "c"])
    row = rows.row("c")
    assert row is not None
    row.moves[Move.NEXT].trigger()
    qtbot.waitUntil(lambda: [row.name.text() for row in rows.rows] == ["c", "a", "b"])
    row.moves[Move.DOWN].trigger()
    qtbot.waitUntil(lambda: [row.name.text() for row in rows.rows] == ["a", "c", "b"])
    setting.downloads.change("c", state=DownloadState.RUNNING)
    qtbot.waitUntil(lambda: not row.moves[Move.NEXT].isEnabled())


def test_one_download_is_limited_in_its_menu(
    qtbot: QtBot, make_library: Callable[..., Setting]
) -> None:
    setting = make_library(installed_model())
    setting.downloads.put(waiting("a", 0.0))
    rows = setting.page.download_rows
    qtbot.waitUntil(lambda: len(rows.rows) == 1)
    (row,) = rows.rows
    menu = row.limit_menu
    next(action for action in menu.actions() if action.text() == "2.0 MB/s").trigger()
    qtbot.waitUntil(lambda: setting.downloads.all["a"].limit == 2_000_000)
    qtbot.waitUntil(lambda: [a.text() for a in menu.actions() if a.isChecked()] == ["2.0 MB/s"])
    setting.downloads.change("a", limit=3_000_000)
    qtbot.waitUntil(lambda: [a.text() for a in menu.actions() if a.isChecked()] == ["3.0 MB/s"])
    next(action for action in menu.actions() if action.text() == "No limit").trigger()
    qtbot.waitUntil(lambda: setting.downloads.all["a"].limit is None)


def test_all_are_limited_in_the_cards_menu(
    qtbot: QtBot, make_library: Callable[..., Setting], tmp_path: Path
) -> None:
    store = SettingsStore(tmp_path / "settings.toml")
    setting = make_library(installed_model(), settings=store)
    card = setting.page.downloads_card
    assert card.limit_button.text() == "limit: none ▾"
    next(a for a in card.limit_menu.actions() if a.text() == "5.0 MB/s").trigger()
    qtbot.waitUntil(lambda: card.limit_button.text() == "limit: 5.0 MB/s ▾")
    assert SettingsStore(tmp_path / "settings.toml").current.download_limit == 5_000_000
    store.change(download_hours="22:00-07:00")
    qtbot.waitUntil(lambda: "5.0 MB/s, none 22:00–07:00" in card.limit_button.text())
    store.change(download_pauses=True)
    qtbot.waitUntil(lambda: "only 22:00–07:00" in card.limit_button.text())
    with qtbot.waitSignal(setting.page.place_requested) as asked:
        card.limit_menu.actions()[-1].trigger()
    assert asked.args == [Place.SETTINGS]
