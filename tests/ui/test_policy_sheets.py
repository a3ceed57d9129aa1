"""Granting a waiver, taking a record back and erasing a name, on the Policy screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from openshelf.errors import Offline
from openshelf.licenses.clearance import Verdict
from openshelf.licenses.facts import load_licenses
from openshelf.policy.gate import Gate
from openshelf.policy.organization import Policy
from openshelf.services import Services
from openshelf.tasks import CancelToken, no_report
from openshelf.ui.main_window import MainWindow
from openshelf.ui.pages.policy_log import LogPanel
from openshelf.ui.pages.policy_records import EraseSheet, TakeBackSheet
from openshelf.ui.pages.policy_waiver import WaiverSheet
from openshelf.ui.widgets import TextLabel
from tests.fakes.downloads import FakeInstaller
from tests.fakes.example_data import example_offer
from tests.fakes.real_offers import KIMI, LARGE_COMPANY, company_policy, real_offer
from tests.screens.policy_scenes import with_log
from tests.ui.test_policy_log import log_of

LEFT = Qt.MouseButton.LeftButton
MakeWindow = Callable[..., MainWindow]
Sheet = TypeVar("Sheet", bound=QWidget)
STRICT = company_policy(LARGE_COMPANY, allow_only=("mit",), deny_vendor_regions=("CN",))


def found(log: LogPanel, kind: type[Sheet]) -> Sheet:
    sheet = log.window().findChild(kind)
    assert sheet is not None
    return sheet


def said(sheet: QWidget) -> str:
    return "\n".join(label.text() for label in sheet.findChildren(TextLabel) if label.isVisible())


@pytest.fixture
def log(make_window: MakeWindow, services: Services, qtbot: QtBot) -> LogPanel:
    with_log(services)
    return log_of(make_window(services), qtbot)


def under(services: Services, policy: Policy) -> Services:
    """With a model that this policy stops, and a gate that reads the real log."""
    gate = Gate(load_licenses(), policy, services.acceptances)
    return replace(services, gate=gate, installer=FakeInstaller(real_offer(KIMI, policy)))


def waiver_sheet(log: LogPanel, qtbot: QtBot) -> WaiverSheet:
    qtbot.mouseClick(log.waive_button, LEFT)
    sheet = found(log, WaiverSheet)
    sheet.target_field.setText(KIMI[0].id)
    qtbot.mouseClick(sheet.look_button, LEFT)
    qtbot.waitUntil(lambda: bool(sheet.ticks))
    return sheet


def test_an_acceptance_is_taken_back(log: LogPanel, services: Services, qtbot: QtBot) -> None:
    assert log.details.take_back.isHidden(), "a revocation cannot be taken back"
    log.view.selectRow(1)
    qtbot.mouseClick(log.details.take_back, LEFT)
    sheet = found(log, TakeBackSheet)
    assert "are not loaded before the terms are accepted again" in said(sheet)
    assert "unsloth/DeepSeek-R1-Distill-Llama-8B-GGUF" in said(sheet)
    sheet.note_field.setText("left the project")
    qtbot.mouseClick(sheet.action, LEFT)
    qtbot.waitUntil(lambda: "Taken back" in log.notice.text.text())
    qtbot.waitUntil(lambda: len(log._model.rows) == 9)
    newest = services.acceptances.records()[-1]
    assert (newest["method"], newest["note"]) == ("revoked", "left the project")
    assert newest["supersedes"] == log._model.rows[2]["record_id"]
    log.view.selectRow(2)
    assert log.details.take_back.isHidden(), "it does not hold any more"


def test_cancel_takes_nothing_back(log: LogPanel, services: Services, qtbot: QtBot) -> None:
    log.view.selectRow(1)
    log.details.take_back.click()
    qtbot.mouseClick(found(log, TakeBackSheet).cancel, LEFT)
    assert len(services.acceptances.records()) == 8


def test_what_was_taken_back_meanwhile_is_said(
    log: LogPanel, services: Services, qtbot: QtBot
) -> None:
    from openshelf.licenses.acceptance import AcceptanceForm

    log.view.selectRow(1)
    log.details.take_back.click()
    sheet = found(log, TakeBackSheet)
    services.acceptances.revoke(str(log._model.rows[1]["record_id"]), AcceptanceForm())
    qtbot.mouseClick(sheet.action, LEFT)
    qtbot.waitUntil(lambda: sheet.problem.isVisible())
    assert sheet.action.isEnabled()
    assert len(services.acceptances.records()) == 9


def test_a_name_is_erased_only_after_a_tick(
    log: LogPanel, services: Services, qtbot: QtBot
) -> None:
    qtbot.mouseClick(log.erase_button, LEFT)
    sheet = found(log, EraseSheet)
    assert not sheet.tick.isEnabled(), "nobody is chosen yet"
    sheet.choose("Ada Lovelace")
    assert "Ada Lovelace stands in 4 records, with 3 notes." in said(sheet)
    assert not sheet.action.isEnabled()
    sheet.tick.setChecked(True)
    qtbot.mouseClick(sheet.action, LEFT)
    qtbot.waitUntil(lambda: "erased from 4 records" in log.notice.text.text())
    names = {person.name for person in services.acceptances.people()}
    assert names == {"Grace Hopper", "<b>Mallory</b>"}
    assert services.acceptances.verify().problem is None
    qtbot.waitUntil(lambda: len(log._model.rows) == 9)
    assert "Ada Lovelace" not in [label for _, label in log.person._choices]


def test_the_person_that_is_listed_is_meant(log: LogPanel, qtbot: QtBot) -> None:
    next(a for a in log.person.menu().actions() if a.text() == "<b>Mallory</b>").trigger()
    log.erase_button.click()
    sheet = found(log, EraseSheet)
    assert sheet.person.value == "<b>Mallory</b>"
    assert "<b>Mallory</b> stands in 2 records" in said(sheet)
    sheet.close_sheet()


def test_single_reasons_are_waived_until_a_day(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    services = under(with_log(services), STRICT)
    log = log_of(make_window(services), qtbot)
    sheet = waiver_sheet(log, qtbot)
    codes = {reason.code for _, reason in sheet.ticks}
    assert {"policy.allow_only", "policy.deny_vendor_regions"} <= codes
    for tick, reason in sheet.ticks:
        tick.setChecked(reason.code == "policy.allow_only")
    sheet.name_field.setText("Grace Hopper")
    sheet.note_field.setText("contract 7")
    sheet.until_field.setText("tomorrow")
    qtbot.mouseClick(sheet.action, LEFT)
    assert "Say the last day as in 2026-12-31." in said(sheet)
    assert len(services.acceptances.records()) == 8
    sheet.until_field.setText("2999-12-31")
    qtbot.mouseClick(sheet.action, LEFT)
    qtbot.waitUntil(lambda: "The waiver is in the log" in log.notice.text.text())
    assert "blocked" in log.notice.text.text(), "the region still stops it"
    record = services.acceptances.records()[-1]
    assert record["accepted_by"]["role"] == "approver"
    assert [reason["code"] for reason in record["waiver"]["reasons"]] == ["policy.allow_only"]
    offer = services.installer.prepare("x", CancelToken(), no_report)
    left = {r.code for r in services.gate.decide(offer.decision.license).reasons}
    assert "policy.allow_only" not in left
    assert "policy.deny_vendor_regions" in left
    qtbot.waitUntil(lambda: len(log._model.rows) == 9)
    log.view.selectRow(0)
    log.details.take_back.click()
    back = found(log, TakeBackSheet)
    assert "stops the model again, at once" in said(back)
    qtbot.mouseClick(back.action, LEFT)
    qtbot.waitUntil(lambda: "Taken back" in log.notice.text.text())
    again = {r.code for r in services.gate.decide(offer.decision.license).reasons}
    assert again >= {"policy.allow_only", "policy.deny_vendor_regions"}


@pytest.mark.parametrize(
    ("name", "note", "until", "words"),
    [
        ("", "why", "2999-12-31", "A waiver needs the name"),
        ("Ada", "", "2999-12-31", "A waiver needs the name"),
        ("Ada", "why", "2001-12-31", "is over already"),
    ],
)
def test_what_a_waiver_lacks_is_said_and_nothing_is_written(
    make_window: MakeWindow, services: Services, qtbot: QtBot,
    name: str, note: str, until: str, words: str,
) -> None:  # fmt: skip
    services = under(services, STRICT)
    sheet = waiver_sheet(log_of(make_window(services), qtbot), qtbot)
    for field, text in zip(
        (sheet.name_field, sheet.note_field, sheet.until_field), (name, note, until), strict=True
    ):
        field.setText(text)
    qtbot.mouseClick(sheet.action, LEFT)
    qtbot.waitUntil(lambda: words in said(sheet))
    assert services.acceptances.records() == ()
    sheet.close_sheet()


def test_another_model_is_looked_up_anew(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    services = under(services, STRICT)
    sheet = waiver_sheet(log_of(make_window(services), qtbot), qtbot)
    assert sheet.action.isEnabled()
    qtbot.keyClicks(sheet.target_field, "x")
    assert not sheet.action.isEnabled()
    assert sheet.ticks == []
    services.installer.error = Offline("huggingface.co")  # type: ignore[attr-defined]
    sheet.look_up()
    qtbot.waitUntil(lambda: sheet.problem.property("level") == "bad")
    sheet.close_sheet()


def test_where_nothing_stops_there_is_nothing_to_waive(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    offer = example_offer(verdict=Verdict.ALLOWED, licenses=("apache-2.0",))
    log = log_of(make_window(replace(services, installer=FakeInstaller(offer))), qtbot)
    log.waive_button.click()
    sheet = found(log, WaiverSheet)
    sheet.look_up()
    assert "Say which model is meant." in said(sheet)
    sheet.target_field.setText("a/b")
    sheet.look_up()
    qtbot.waitUntil(lambda: "there is nothing to waive" in said(sheet))
    assert not sheet.action.isEnabled()
    sheet.close_sheet()


def test_under_a_managed_policy_no_waiver_is_offered(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    managed = replace(STRICT, managed=True)
    log = log_of(make_window(under(services, managed)), qtbot)
    assert not log.waive_button.isEnabled()
    assert "managed" in log.waive_button.toolTip()
