"""The acceptance log on the Policy screen: state, search, a person, one record, export."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.licenses.chain import canonical
from openshelf.services import Services
from openshelf.ui.main_window import MainWindow
from openshelf.ui.models.log_table import LogTableModel, record_details
from openshelf.ui.pages.policy import PolicyPage
from openshelf.ui.pages.policy_log import LogPanel
from openshelf.ui.places import Place
from openshelf.ui.widgets import TextLabel
from tests.screens.policy_scenes import with_log

LEFT = Qt.MouseButton.LeftButton


def log_of(window: MainWindow, qtbot: QtBot) -> LogPanel:
    window.open_place(Place.POLICY)
    page = window.page(Place.POLICY)
    assert isinstance(page, PolicyPage)
    button = next(b for b in page.tabs._group.buttons() if b.text() == "Acceptance log")
    qtbot.mouseClick(button, LEFT)
    qtbot.waitUntil(lambda: page.log._facts is not None)
    return page.log


def shown(log: LogPanel) -> str:
    return "\n".join(label.text() for label in log.findChildren(TextLabel) if label.isVisible())


@pytest.fixture
def log(make_window: Callable[..., MainWindow], services: Services, qtbot: QtBot) -> LogPanel:
    with_log(services)
    return log_of(make_window(services), qtbot)


def test_an_empty_log_says_what_belongs_there(window: MainWindow, qtbot: QtBot) -> None:
    panel = log_of(window, qtbot)
    assert panel.empty.isVisible()
    assert not panel.export_button.isEnabled()
    assert not panel.erase_button.isEnabled()
    assert not panel.state.isVisible()


def test_a_whole_log_is_said_to_be_whole_and_its_head_can_be_kept(
    log: LogPanel, services: Services, qtbot: QtBot
) -> None:
    assert "The log is whole: 8 records" in log.state.text.text()
    qtbot.mouseClick(log.state.button, LEFT)
    report = services.acceptances.verify()
    assert QGuiApplication.clipboard().text() == f"8 {report.head_sha256}"
    assert "is not detected on this machine" in shown(log)
    assert "The log holds names" in shown(log)


def test_a_record_beyond_the_head_and_a_clock_set_back_are_told(
    make_window: Callable[..., MainWindow], services: Services, qtbot: QtBot
) -> None:
    with_log(services)
    log = services.acceptances
    head = log.head_file.read_bytes()
    person = {"os_user": "ada", "display": "Ada", "role": "member"}
    log.append({"accepted_by": person, "method": "checkbox"})
    lines = log.path.read_bytes().splitlines()
    last = {**json.loads(lines[-1]), "at": "2020-01-01T00:00:00Z"}
    log.path.write_bytes(b"".join(line + b"\n" for line in (*lines[:-1], canonical(last))))
    log.head_file.write_bytes(head)
    text = log_of(make_window(services), qtbot).state.text.text()
    assert "The log is whole: 9 records" in text
    assert "not counted in the head yet" in text
    assert "The clock was set back before line 9" in text


def test_a_changed_log_is_said_to_be_changed(
    make_window: Callable[..., MainWindow], services: Services, qtbot: QtBot
) -> None:
    with_log(services)
    path = services.acceptances.path
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    panel = log_of(make_window(services), qtbot)
    assert "Line 3 of the log does not follow" in panel.state.text.text()
    assert panel.state.property("level") == "bad"


def test_newest_first_and_the_first_is_open(log: LogPanel) -> None:
    first = log._model.rows[0]
    assert first["method"] == "revoked"
    assert log.view.currentIndex().row() == 0
    assert "taken back" in shown(log)


def test_search_and_person_narrow_the_list(log: LogPanel, qtbot: QtBot) -> None:
    qtbot.keyClicks(log.search, "llama hopper")
    assert {row["accepted_by"]["display"] for row in log.listed} == {"Grace Hopper"}
    assert len(log.listed) == 1
    qtbot.keyClicks(log.search, " nothing of that")
    assert log.none_found.isVisible()
    assert not log.export_button.isEnabled()
    log.search.clear()
    action = next(a for a in log.person.menu().actions() if a.text() == "Ada Lovelace")
    action.trigger()
    assert len(log.listed) == 4


def test_a_record_tells_everything_and_marks_stay_text(log: LogPanel, qtbot: QtBot) -> None:
    qtbot.keyClicks(log.search, "mallory llama3.2")
    log.view.choose_first()
    text = shown(log).replace("\u200b", "")
    for words in (
        "<b>Mallory</b>", "Example GmbH", "bartowski/Llama-3.2-3B-Instruct-GGUF",
        "5ab33fa" + "0" * 33, "Llama-3.2-3B-Instruct-Q8_0.gguf", "with obligations",
        "llama3.2 §1.b.i(B)", "where the organization has its seat: DE", "House rules",
        "opened",
    ):  # fmt: skip
        assert words in text, words


def test_odd_records_can_be_shown() -> None:
    for record in ({}, {"accepted_by": 1, "model": [], "texts": "x", "facts": 3, "verdict": "?"}):
        assert isinstance(record_details(record), list)


def test_what_is_listed_is_exported(log: LogPanel, qtbot: QtBot, tmp_path: Path) -> None:
    action = next(a for a in log.person.menu().actions() if a.text() == "Grace Hopper")
    action.trigger()
    log.export_to(str(tmp_path / "hopper.json"))
    qtbot.waitUntil(lambda: "2 records written to" in log.notice.text.text())
    exported = json.loads((tmp_path / "hopper.json").read_text(encoding="utf-8"))
    assert len(exported["records"]) == 2
    assert exported["log"]["whole"] is True
    assert "lines" not in exported, "everybody else's records are not about this person"
    log.export_to(str(tmp_path / "hopper.CSV"))
    qtbot.waitUntil(lambda: "hopper.CSV" in log.notice.text.text())
    with (tmp_path / "hopper.CSV").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["by"] for row in rows[:-1]] == ["Grace Hopper"] * 2
    assert rows[-1]["prev_sha256"] == exported["log"]["head_sha256"]


def test_a_place_that_cannot_be_written_is_said(
    log: LogPanel, qtbot: QtBot, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    log.export_to(str(tmp_path / "file" / "log.json"))
    qtbot.waitUntil(lambda: "cannot be written" in log.notice.text.text())


def test_the_keyboard_walks_the_list(log: LogPanel, qtbot: QtBot, themed_app: QApplication) -> None:
    log.view.setFocus()
    qtbot.keyClick(log.view, Qt.Key.Key_Down)
    assert log.view.currentIndex().row() == 1
    assert log._model.rows[1]["model"]["repo"] in shown(log).replace("\u200b", "")


def test_the_model_keeps_qts_rules(services: Services, qtbot: QtBot) -> None:
    model = LogTableModel()
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    records = with_log(services).acceptances.records()
    for part in (records, records[:2], (), records):
        model.set_records(part)
    assert model.rowCount() == 8
    spoken = model.data(model.index(0, 0), Qt.ItemDataRole.AccessibleTextRole)
    assert "Ada Lovelace" in spoken
    tester.deleteLater()
    model.deleteLater()


def test_the_whole_log_comes_with_its_lines(
    log: LogPanel, services: Services, qtbot: QtBot, tmp_path: Path
) -> None:
    log.export_to(str(tmp_path / "log.json"))
    qtbot.waitUntil(lambda: "8 records written to" in log.notice.text.text())
    exported = json.loads((tmp_path / "log.json").read_text(encoding="utf-8"))
    written = services.acceptances.path.read_text(encoding="utf-8").splitlines()
    assert exported["lines"] == written
