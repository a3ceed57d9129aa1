"""The table of installed models with thousands of rows, drives that are away, what moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPersistentModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from openshelf.library.file_looks import FileRow
from openshelf.library.folders import ModelFolder
from openshelf.library.installed import InstalledFile, InstalledModel
from openshelf.library.scanning import Doubt, ScanReport, Stranger
from openshelf.library.settling import Settled
from openshelf.library.upkeep import UpkeepState
from openshelf.ui.models.installed_table import InstalledColumn, InstalledTableModel
from openshelf.ui.models.library_facts import LibraryFacts
from tests.fakes.downloads import installed_model
from tests.fakes.folders import GONE, HERE, FakeFolders, FakeUpkeep
from tests.ui.library_page import Setting

Make = Callable[..., Setting]
DRIVE = "/media/ada/STICK"


def many(count: int) -> list[InstalledModel]:
    return [
        installed_model(
            f"Model {number:04}", "Q4_K_M",
            files=(InstalledFile("a.gguf", f"/m/{number}", 1000 + number, f"{number:064x}"),),
            last_used_at=f"2026-11-{1 + number % 20:02}T08:00:00Z" if number % 3 else None,
        )
        for number in range(count)
    ]  # fmt: skip


def test_thousands_of_models_make_no_thousands_of_widgets(qtbot: QtBot, make_library: Make) -> None:
    few, lots = make_library(*many(3)), make_library(*many(5000))
    for setting, count in ((few, 3), (lots, 5000)):
        qtbot.waitUntil(lambda s=setting, n=count: s.card.table.rowCount() == n)
    counts = [len(setting.page.findChildren(QWidget)) for setting in (few, lots)]
    assert counts[1] - counts[0] < 60, "the words below the disk"
    assert lots.card.view.height() < lots.page.height()
    lots.card.view.choose(many(5000)[4321].id)
    assert lots.card.view.chosen == many(5000)[4321]


def test_rows_keep_the_selection_through_every_change(themed_app: QApplication) -> None:
    table = InstalledTableModel()
    tester = QAbstractItemModelTester(table)
    models = many(12)
    table.set_facts(LibraryFacts(tuple(models)))
    persistent = QPersistentModelIndex(table.index(table.position(models[5].id) or 0, 0))
    newer = installed_model("Newest", installed_at="2026-11-25T09:00:00Z")
    steps = [
        (newer, *models),
        (newer, *models[3:]),
        (newer, *models[3:7], replace(models[7], verified_at=None), *models[8:]),
        tuple(models[5:]),
    ]
    for step in steps:
        table.set_facts(LibraryFacts(step))
        assert {model.id for model in table.rows} == {model.id for model in step}
        assert table.rows[persistent.row()].id == models[5].id
    table.sort(InstalledColumn.SIZE, Qt.SortOrder.DescendingOrder)
    assert [m.size_bytes for m in table.rows] == sorted(m.size_bytes for m in table.rows)[::-1]
    assert table.rows[persistent.row()].id == models[5].id
    table.sort(InstalledColumn.USED)
    assert [m.last_used_at for m in table.rows][-1] is None
    tester.deleteLater()


def test_a_change_of_one_row_is_told_of_that_row(themed_app: QApplication) -> None:
    table = InstalledTableModel()
    models = many(5000)
    table.set_facts(LibraryFacts(tuple(models)))
    told: list[tuple[int, int]] = []
    table.dataChanged.connect(lambda first, last: told.append((first.row(), last.row())))
    table.set_facts(LibraryFacts(tuple(models)))
    assert told == []
    models[77] = replace(models[77], verified_at=None)
    table.set_facts(LibraryFacts(tuple(models)))
    assert told == [(77, 77)]


def away_model() -> InstalledModel:
    file = InstalledFile("a.gguf", f"{DRIVE}/a.gguf", 1000, "a" * 64, None, DRIVE)
    return installed_model("Away", missing=True, away=DRIVE, files=(file,))


def folders_of(setting: Setting) -> FakeFolders:
    folders = setting.services.folders
    assert isinstance(folders, FakeFolders)
    return folders


def test_a_drive_that_is_not_here_is_named_and_its_models_are_kept(
    qtbot: QtBot, make_library: Make
) -> None:
    away = away_model()
    setting = make_library(away)
    folders_of(setting).folders.append(ModelFolder(DRIVE, GONE))
    setting.page.open_page()
    qtbot.waitUntil(setting.page.folders.isVisible)
    assert f"{DRIVE} (drive STICK)" in setting.page.folders.text.text()
    assert setting.cell(away, InstalledColumn.INTEGRITY) == "folder not here"
    lines = [words.text() for _, words in setting.page.disk_card.folder_lines]
    assert "1 model · drive STICK is not here" in lines
    with (
        qtbot.assertNotEmitted(setting.page.chat_requested),
        qtbot.assertNotEmitted(setting.page.install_requested),
    ):
        setting.press(away, InstalledColumn.ACTION)
    setting.card.ask_to_remove(away.id)
    assert setting.card.question.isHidden()
    setting.page.folders.button.click()
    assert setting.page.folders.isHidden()
    setting.page.open_page()
    qtbot.waitUntil(lambda: not setting.page.folders.is_running)
    assert setting.page.folders.isHidden(), "said once, until something else is found"
    folders_of(setting).folders.append(ModelFolder("/media/ada/OTHER", GONE))
    setting.page.open_page()
    qtbot.waitUntil(setting.page.folders.isVisible)


def test_a_drive_that_comes_back_is_noticed_while_the_page_is_shown(
    qtbot: QtBot, make_library: Make
) -> None:
    setting = make_library(away_model())
    folders = folders_of(setting).folders
    folders.append(ModelFolder(DRIVE, GONE))
    notice = setting.page.folders
    setting.page.open_page()
    qtbot.waitUntil(notice.isVisible)
    assert notice._timer.isActive()
    with qtbot.assertNotEmitted(notice.changed):
        notice.check()
        heard: list[bool] = []
        setting.page._bridge.call_soon(heard.append, True)
        qtbot.waitUntil(lambda: heard == [True])
    back = replace(away_model(), missing=False, away="")
    setting.library.models[:] = [back]
    folders[1] = ModelFolder(DRIVE, HERE)
    with qtbot.waitSignal(notice.changed):
        notice.check()
    qtbot.waitUntil(notice.isHidden)
    qtbot.waitUntil(lambda: setting.cell(back, InstalledColumn.INTEGRITY) != "folder not here")
    setting.page.hide()
    assert not notice._timer.isActive()


def test_its_menu_offers_nothing_that_cannot_be_done(qtbot: QtBot, make_library: Make) -> None:
    setting = make_library(away_model(), installed_model())
    for model, enabled in ((away_model(), False), (installed_model(), True)):
        setting.choose(model)
        setting.card.view.open_menu()
        assert setting.card.menu.isVisible()
        assert setting.card.remove_action.isEnabled() is enabled
        assert setting.card.copy_action.isEnabled()
        setting.card.menu.close()


def test_what_moved_is_read_and_then_told(qtbot: QtBot, make_library: Make) -> None:
    setting = make_library(installed_model())
    row = FileRow("m", "a.gguf", "", "/old", 1000, "a" * 64, None, None)
    folders = folders_of(setting)
    folders.found = ScanReport((), doubts=(Doubt(row, ("/new",)),))
    folders.settled = Settled(found=(("m", "/new"),))
    with qtbot.waitSignal(setting.page.folders.ended):
        setting.page.open_page()
    assert folders.asked_to_settle[0].locations == ("/new",)
    assert setting.page.folders.text.text() == "Moved and found again: 1 model."
    folders.settled = Settled(damaged=("m",))
    with qtbot.waitSignal(setting.page.folders.ended):
        setting.page.open_page()
    assert "damaged" in setting.page.folders.text.text()
    assert setting.page.folders.property("level") == "bad"


@pytest.mark.usefixtures("no_starters")
def test_files_that_nobody_entered_are_offered_for_import(
    qtbot: QtBot, make_library: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "person" / "data"))
    setting = make_library(installed_model())
    folders_of(setting).found = ScanReport((), strangers=(Stranger("/m/new.gguf", 1_000_000),))
    setting.page.open_page()
    qtbot.waitUntil(setting.page.folders.isVisible)
    assert "1 model file" in setting.page.folders.text.text()
    setting.page.folders.button.click()
    qtbot.waitUntil(lambda: len(setting.page.imports.rows.rows) == 1)
    (row,) = setting.page.imports.rows.rows
    assert (row.name.text(), row.button.text()) == ("new.gguf", "Import")
    with qtbot.waitSignal(setting.page.install_requested) as asked:
        row.button.click()
    assert asked.args == ["/m/new.gguf"]


def test_the_scheduled_verification_is_told_and_can_be_stopped(
    qtbot: QtBot, make_library: Make
) -> None:
    setting = make_library(installed_model())
    upkeep = setting.services.upkeep
    assert isinstance(upkeep, FakeUpkeep)
    notice = setting.page.upkeep
    assert notice.isHidden()
    upkeep.announcer.announce(UpkeepState("<b>Qwen\n3</b>", "a.gguf", 500_000, 1_000_000))
    qtbot.waitUntil(notice.isVisible)
    said = "Verifying <b>Qwen 3</b> in the background: 500 kB of 1.0 MB"
    assert notice.text.text() == said
    notice.button.click()
    assert upkeep.stopped == 1
    upkeep.announcer.announce(UpkeepState(verified=3))
    qtbot.waitUntil(lambda: notice.text.text().startswith("3 files verified"))
    upkeep.announcer.announce(UpkeepState(damaged=("Qwen",)))
    qtbot.waitUntil(lambda: "damaged files: Qwen" in notice.text.text())
    notice.button.click()
    assert notice.isHidden()


def test_copies_and_what_nobody_uses_are_named(qtbot: QtBot, make_library: Make) -> None:
    one = installed_model("One", last_used_at="2026-01-01T00:00:00Z")
    two = installed_model("Two", installed_at="2099-01-01T00:00:00Z")
    second = replace(two.first_file, location="/models/elsewhere.gguf")
    setting = make_library(one, replace(two, files=(second,)))
    said = setting.page.disk_card.notes.text()
    assert "more than once: Two; 7.3 GB could be free." in said
    assert "Not used for 30 days: One." in said


def test_news_are_a_chip_that_leads_to_the_update(qtbot: QtBot, make_library: Make) -> None:
    fresh, old = installed_model("fresh", news="newer"), installed_model("old")
    other = installed_model("other", news="terms_changed")
    asked: list[str] = []
    setting = make_library(fresh, old, other)
    setting.page.resize(1200, 800)
    setting.card.update_pressed.connect(asked.append)
    cells = [setting.cell(model, InstalledColumn.NOTE) for model in (fresh, old, other)]
    assert cells == ["newer build · review", "", "other terms · review"]
    for model in (old, fresh):
        setting.press(model, InstalledColumn.NOTE)
    assert asked == [fresh.id]
    spoken = setting.card.table.index(0, InstalledColumn.MODEL)
    assert "newer build" in spoken.data(Qt.ItemDataRole.AccessibleTextRole)
    setting.page.resize(840, 640)
    qtbot.waitUntil(lambda: setting.card.view.isColumnHidden(InstalledColumn.NOTE))


@pytest.mark.parametrize(
    ("facts", "cell", "details"),
    [
        ({"source": "starter"}, "starter", "starter, verified 23 Nov"),
        ({"source": "import", "origin": "lm_studio"}, "linked from LM Studio",
         "linked from LM Studio, verified 23 Nov"),
        ({"source": "import", "origin": "bundle"}, "verified 23 Nov", "verified 23 Nov"),
        ({"source": "starter", "verified_at": None}, "not verified", "not verified"),
    ],
)  # fmt: skip
def test_where_a_file_came_from_stands_in_its_row(
    make_library: Make, facts: dict[str, Any], cell: str, details: str
) -> None:
    model = installed_model(**facts)
    setting = make_library(model)
    assert setting.cell(model, InstalledColumn.INTEGRITY) == cell
    index = setting.card.table.index(0, InstalledColumn.INTEGRITY)
    assert details in index.data(Qt.ItemDataRole.ToolTipRole)
