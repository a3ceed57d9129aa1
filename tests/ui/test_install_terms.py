"""The install sheet for real licenses: what is asked, what is answered, and what can be done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QFileDialog, QPlainTextEdit
from pytestqt.qtbot import QtBot

from openshelf.errors import GatedModel
from openshelf.library.install import InstallOffer
from openshelf.policy.organization import Policy
from openshelf.services import Services
from openshelf.settings import Settings
from openshelf.ui.main_window import MainWindow
from openshelf.ui.pages.decision_part import CheckRow
from openshelf.ui.pages.install_sheet import InstallSheet, SheetState
from openshelf.ui.pages.install_terms import OtherText
from openshelf.ui.pages.policy import PolicyPage
from openshelf.ui.places import Place
from openshelf.ui.widgets import Chip, TextLabel
from tests.fakes.downloads import FakeInstaller
from tests.fakes.real_offers import (
    HUB,
    KIMI,
    LARGE_COMPANY,
    LLAMA_4,
    QWEN_3B,
    SMALL_COMPANY,
    UNLABELLED,
    company_policy,
    real_offer,
    with_offer,
)
from tests.fakes.services import FakePolicies, FakeSettingsStore

LEFT = Qt.MouseButton.LeftButton
MakeWindow = Callable[..., MainWindow]
OpenSheet = Callable[[InstallOffer, Policy], InstallSheet]
COMPANY = company_policy(SMALL_COMPANY)


@pytest.fixture
def open_sheet(make_window: MakeWindow, services: Services, qtbot: QtBot) -> OpenSheet:
    def open_one(offer: InstallOffer, policy: Policy) -> InstallSheet:
        window = make_window(with_offer(services, offer, policy))
        window.open_install(offer.target)
        sheet = window.sheet
        assert isinstance(sheet, InstallSheet)
        qtbot.waitUntil(lambda: sheet.state is SheetState.READING)
        return sheet

    return open_one


def text_of(sheet: InstallSheet) -> str:
    parts = [label.text() for label in sheet.findChildren(TextLabel) if label.isVisible()]
    return "\n".join(parts)


def chips_of(sheet: InstallSheet) -> list[str]:
    return [chip.words for chip in sheet.findChildren(Chip) if chip.isVisible()]


def answers(sheet: InstallSheet) -> dict[str, str]:
    return {row.title.text(): row.answer.words for row in sheet.findChildren(CheckRow)}


def test_llama_4_to_an_organization_in_the_eu(open_sheet: OpenSheet) -> None:
    sheet = open_sheet(real_offer(LLAMA_4, COMPANY), COMPANY)
    text = text_of(sheet)
    assert answers(sheet) == {
        "Commercial use": "allowed",
        "Your size": "no limit reached",
        "Your region": "DE: blocked",
    }
    assert "Llama 4 Community License Agreement gives no rights where you are" in text
    assert "Acceptable Use Policy, closing paragraph" in text
    assert "Only an approver’s waiver" in text
    assert "Its use policy" not in text, "it was read, so that it can be opened"
    assert "does not apply by the facts that your policy states" in text
    assert not sheet.side.accept.isVisible()
    assert not sheet.side.ask.isVisible()
    assert sheet.side.cancel.text() == "Close"


def test_use_policy_and_notice_are_opened_like_the_license(open_sheet: OpenSheet) -> None:
    sheet = open_sheet(real_offer(LLAMA_4, Policy()), Policy())
    names = {text.opener.text(): text for text in sheet.terms.findChildren(OtherText)}
    assert list(names) == ["Read the use policy (600 B)", "Read the publisher’s NOTICE (40 B)"]
    policy, notice = names.values()
    spoken = "Read the use policy of Llama 4 Community License Agreement"
    assert policy.opener.accessibleName() == spoken
    assert sheet.terms.texts_shown == ()
    for part in (policy, notice):
        part.opener.click()
    assert sheet.terms.texts_shown == (policy.sha256, notice.sha256)
    shown = [view.toPlainText() for view in sheet.terms.findChildren(QPlainTextEdit)]
    assert shown[0].startswith("Llama 4 Acceptable Use Policy")
    assert shown[1] == "Portions of this model © somebody else\n"


def test_a_use_policy_that_was_not_read_is_linked(open_sheet: OpenSheet) -> None:
    unread = (LLAMA_4[0], replace(LLAMA_4[1], other_texts=()))
    sheet = open_sheet(real_offer(unread, Policy()), Policy())
    assert "Its use policy, which is part of it: https://" in text_of(sheet)
    assert sheet.terms.findChildren(OtherText) == []


def test_qwen_3b_to_a_company_counts_both_licenses(open_sheet: OpenSheet) -> None:
    sheet = open_sheet(real_offer(QWEN_3B, COMPANY), COMPANY)
    text = text_of(sheet)
    assert answers(sheet)["Commercial use"] == "blocked"
    assert "Qwen Research License Agreement (2024-09-19; 2026-09-20) does not allow" in text
    assert "A label along the lineage does not match" in text
    assert "where one allows less than another, the less counts" in text
    assert "“?” marks what could not be confirmed" in text
    badges = chips_of(sheet)
    assert "OSI-approved license" in badges
    assert "not open source by OSI’s definition" in badges
    assert badges.count("OSAID: not assessed") == 2


def test_kimi_to_an_organization_above_the_line(open_sheet: OpenSheet) -> None:
    policy = company_policy(LARGE_COMPANY)
    sheet = open_sheet(real_offer(KIMI, policy), policy)
    text = text_of(sheet)
    assert "more than 100 million monthly active users. (final paragraph)" in text
    assert text.count("\napplies by the facts that your policy states") == 2
    assert "“Kimi K2”" in text
    assert "The maker of the base model tells which one is meant." in text
    assert "which the catalog does not know" not in text
    assert sheet.side.accept.isVisible()
    assert sheet.side.tick.accessibleName() == "I accept these terms for Example Corp"
    assert "does not apply" in text, "below the product line nothing is passed on"


def test_a_model_without_any_license(open_sheet: OpenSheet) -> None:
    sheet = open_sheet(real_offer(UNLABELLED, Policy()), Policy())
    text = text_of(sheet)
    assert "No license declared" in text
    assert "Without a license the law leaves you few rights or none" in text
    assert "Read its text" not in text, "there is none"
    assert "reviewed 20" not in text
    assert "nobody has reviewed this" in sheet.side.tick.accessibleName()
    assert answers(sheet) == {
        "Where the model comes from": "needs review",
        "Which license it is": "needs review",
    }


def test_nothing_is_called_allowed_of_a_license_that_nobody_knows(open_sheet: OpenSheet) -> None:
    sheet = open_sheet(real_offer(UNLABELLED, COMPANY), COMPANY)
    assert set(answers(sheet).values()) == {"needs review"}


def test_rules_of_the_team_stand_beside_what_the_license_says(open_sheet: OpenSheet) -> None:
    policy = company_policy(SMALL_COMPANY, allow_only=("mit",), deny_vendor_regions=("US",))
    sheet = open_sheet(real_offer(KIMI, policy), policy)
    assert answers(sheet) == {
        "Commercial use": "allowed",
        "Licenses your team allows": "not on the list",
        "Regions of the vendors": "CN: not denied",
    }


def test_under_a_policy_a_review_is_asked_for(
    open_sheet: OpenSheet, qtbot: QtBot, tmp_path: Path, themed_app: QApplication
) -> None:
    sheet = open_sheet(real_offer(UNLABELLED, COMPANY), COMPANY)
    side = sheet.side
    assert not side.accept.isVisible()
    assert not side.tick.isVisible()
    assert side.ask.text() == "Ask for review…"
    qtbot.waitUntil(lambda: QApplication.focusWidget() is side.name_field)
    side.name_field.setText("Ada Lovelace")
    qtbot.keyClicks(side.note_field, "Ticket 482")
    qtbot.mouseClick(side.ask, LEFT)
    dialog = sheet.findChild(QFileDialog)
    assert dialog is not None
    assert dialog.acceptMode() is QFileDialog.AcceptMode.AcceptSave
    with qtbot.waitSignal(dialog.destroyed):
        dialog.reject()
    sheet.save_request(str(tmp_path / "request.txt"))
    qtbot.waitUntil(side.problem.isVisible)
    assert "Send it to whoever reviews for you" in side.problem.text.text()
    text = (tmp_path / "request.txt").read_text(encoding="utf-8")
    for words in (
        "Request for a review: someone/great-model-GGUF:Q4_K_M",
        "Asked by Ada Lovelace",
        "Ticket 482",
        "House rules, sha256 " + "f" * 64,
        "No license is declared anywhere along the lineage",
        "where the organization has its seat: DE",
    ):
        assert words in text, words
    assert sheet.state is SheetState.READING, "nothing was accepted"


def test_a_request_that_cannot_be_written_is_said(
    open_sheet: OpenSheet, qtbot: QtBot, tmp_path: Path
) -> None:
    sheet = open_sheet(real_offer(UNLABELLED, COMPANY), COMPANY)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    sheet.save_request(str(tmp_path / "file" / "request.txt"))
    qtbot.waitUntil(sheet.side.problem.isVisible)
    assert "cannot be written" in sheet.side.problem.text.text()


def test_a_gated_repository_is_told_first_and_its_page_opened(
    open_sheet: OpenSheet, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: opened.append(url.toString()) or True
    )
    sheet = open_sheet(real_offer(LLAMA_4, Policy(), gated=True), Policy())
    address = f"{HUB}/unsloth/Llama-4-Scout-17B-16E-Instruct-GGUF"
    text = text_of(sheet).replace("\u200b", "")
    assert "asks for a form on the Hub first, with your own account" in text
    assert "nor accepts anything for you" in text
    assert address in text
    first = sheet.side.gate.mapTo(sheet, sheet.side.gate.rect().topLeft()).y()
    assert first < sheet.side.commit.mapTo(sheet, sheet.side.commit.rect().topLeft()).y()
    qtbot.mouseClick(sheet.side.page_button, LEFT)
    assert opened == [address]


def test_where_the_hub_refuses_the_page_can_be_opened_too(
    make_window: MakeWindow, services: Services, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: opened.append(url.toString()) or True
    )
    installer = cast(FakeInstaller, services.installer)
    installer.error = GatedModel("meta-llama/x", f"{HUB}/meta-llama/x")
    window = make_window(services)
    window.open_install("meta-llama/x")
    sheet = window.sheet
    assert isinstance(sheet, InstallSheet)
    qtbot.waitUntil(sheet._waiting.open_page.isVisible)
    qtbot.mouseClick(sheet._waiting.open_page, LEFT)
    assert opened == [f"{HUB}/meta-llama/x"]
    installer.error = None
    qtbot.mouseClick(sheet._waiting.notice.button, LEFT)
    qtbot.waitUntil(lambda: sheet.state is SheetState.READING)


# --- for whom ---


def _first_use(services: Services, settings: Settings | None = None) -> Services:
    return replace(services, settings=FakeSettingsStore(settings or Settings()))


def _asking(window: MainWindow) -> InstallSheet:
    window.open_install("a/b")
    sheet = window.sheet
    assert isinstance(sheet, InstallSheet)
    assert sheet.state is SheetState.ASKING
    return sheet


def test_the_first_install_asks_for_whom_and_only_once(
    make_window: MakeWindow, services: Services, qtbot: QtBot, themed_app: QApplication
) -> None:
    services = _first_use(services)
    window = make_window(services)
    sheet = _asking(window)
    installer = cast(FakeInstaller, services.installer)
    assert installer.prepared == []
    qtbot.waitUntil(lambda: QApplication.focusWidget() is sheet.question.myself)
    qtbot.keyClick(sheet.question.myself, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: sheet.state is SheetState.READING)
    assert services.settings.current.used_for == "myself"
    sheet.close_sheet()
    window.open_install("a/b")
    assert isinstance(window.sheet, InstallSheet)
    assert window.sheet.state is not SheetState.ASKING


def test_for_an_organization_the_policy_screen_comes_first(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    services = _first_use(services)
    window = make_window(services)
    sheet = _asking(window)
    qtbot.mouseClick(sheet.question.organization, LEFT)
    assert window.sheet is None
    assert services.settings.current.used_for == "organization"
    page = window.page(Place.POLICY)
    assert isinstance(page, PolicyPage)
    assert page.isVisible()
    qtbot.waitUntil(lambda: page.draft.preview._missing.rows != ())
    qtbot.mouseClick(page.draft.notice.button, LEFT)
    qtbot.waitUntil(lambda: isinstance(window.sheet, InstallSheet))
    opened = cast(InstallSheet, window.sheet)
    qtbot.waitUntil(lambda: opened.state is SheetState.READING)
    assert opened._target == "a/b", "installing stays possible without a policy"


@pytest.mark.parametrize("way", ["escape", "cancel"])
def test_the_question_can_be_left_without_an_answer(
    make_window: MakeWindow, services: Services, qtbot: QtBot, way: str
) -> None:
    services = _first_use(services)
    window = make_window(services)
    sheet = _asking(window)
    if way == "escape":
        qtbot.keyClick(sheet.question.myself, Qt.Key.Key_Escape)
    else:
        qtbot.mouseClick(sheet.question.cancel, LEFT)
    assert window.sheet is None
    assert services.settings.current.used_for == ""
    _asking(window)


def test_with_a_policy_nobody_is_asked(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    services = _first_use(with_offer(services, real_offer(KIMI, COMPANY), COMPANY))
    window = make_window(replace(services, policies=FakePolicies(services.paths)))
    window.open_install("a/b")
    sheet = cast(InstallSheet, window.sheet)
    qtbot.waitUntil(lambda: sheet.state is SheetState.READING)
    assert services.settings.current.used_for == ""
