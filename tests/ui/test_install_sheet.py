"""The install sheet over fake services: reading, consent, fetching, and every way it can end."""

from __future__ import annotations

import getpass
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QTextCursor
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.errors import GatedModel, NotFound, PolicyBlocked
from openshelf.library.downloads import DownloadState
from openshelf.library.install import InstallOffer
from openshelf.licenses.clearance import Verdict
from openshelf.policy.gate import Gate
from openshelf.policy.organization import Policy
from openshelf.reasons import Reason
from openshelf.services import Services
from openshelf.tasks import CancelToken, PoolTaskRunner, Report
from openshelf.ui.main_window import MainWindow
from openshelf.ui.pages.install_sheet import InstallSheet, SheetState
from openshelf.ui.pages.install_terms import FullText
from openshelf.ui.widgets import Chip, LinkButton, TextLabel
from openshelf.ui.widgets.marked_text import MarkedText
from tests.fakes.downloads import FakeDownloads, FakeInstaller
from tests.fakes.example_data import COMMIT, LICENSES, SHA256, example_offer
from tests.fakes.example_updates import example_change
from tests.fakes.services import FakeRecords, fake_services

LEFT = Qt.MouseButton.LeftButton
MakeWindow = Callable[..., MainWindow]


def _open(window: MainWindow, qtbot: QtBot) -> InstallSheet:
    window.open_install("bartowski/Llama-3.2-3B-Instruct-GGUF:Q8_0")
    sheet = window.sheet
    assert isinstance(sheet, InstallSheet)
    qtbot.waitUntil(lambda: sheet.state is not SheetState.PREPARING)
    return sheet


def _with_offer(services: Services, **changes: Any) -> Services:
    return replace(services, installer=FakeInstaller(example_offer(**changes)))


def _texts(sheet: InstallSheet) -> str:
    parts = [label.text() for label in sheet.findChildren(TextLabel) if label.isVisible()]
    parts += [chip.words for chip in sheet.findChildren(Chip) if chip.isVisible()]
    parts += [m.toPlainText() for m in sheet.findChildren(MarkedText) if m.isVisible()]
    return "\n".join(parts)


def _accept(sheet: InstallSheet, qtbot: QtBot) -> str:
    """Tick, accept; returns the id of the download."""
    qtbot.mouseClick(sheet.side.tick, LEFT)
    qtbot.mouseClick(sheet.side.accept, LEFT)
    qtbot.waitUntil(lambda: sheet.state is SheetState.FETCHING)
    return cast(str, sheet._download_id)


def test_the_sheet_shows_what_would_be_owed(window: MainWindow, qtbot: QtBot) -> None:
    sheet = _open(window, qtbot)
    text = _texts(sheet)
    for words in (
        "Before you install Llama-3.2-3B-Instruct",
        "Q8_0 · packaged by bartowski · base model by Meta",
        "Llama 3.2 Community License",
        "not open source by OSI’s definition",
        "“Built with Llama”",
        "§1.b.i(B)",
        "When you pass the model on",
        "Llama-3.2-3B-Instruct-Q8_0.gguf",
        "3.4 GB",
        "209 GB",
        "SHA-256",
        "not legal advice",
    ):
        assert words in text
    assert "YOU MUST" in text
    assert "ONLY IF" in text
    assert "YOU MAY" in text


def test_nothing_can_be_accepted_before_the_tick(window: MainWindow, qtbot: QtBot) -> None:
    sheet = _open(window, qtbot)
    assert not sheet.side.accept.isEnabled()
    qtbot.mouseClick(sheet.side.tick, LEFT)
    assert sheet.side.accept.isEnabled()
    qtbot.mouseClick(sheet.side.tick, LEFT)
    assert not sheet.side.accept.isEnabled()


def test_the_full_text_is_one_key_away_from_the_top(window: MainWindow, qtbot: QtBot) -> None:
    sheet = _open(window, qtbot)
    (link,) = [b for b in sheet.terms.findChildren(LinkButton) if b.text() == "Full text"]
    assert link.accessibleName().startswith("Go to the full text of Llama 3.2")
    assert not link.visibleRegion().isEmpty(), "seen without scrolling"
    (text,) = [part for part in sheet.terms._texts if part.sha256 and type(part) is FullText]
    assert sheet.terms.texts_shown == ()
    link.setFocus()
    qtbot.keyClick(link, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: QApplication.focusWidget() is text._view)
    assert text._view is not None
    qtbot.waitUntil(lambda: not text._view.visibleRegion().isEmpty())  # type: ignore[union-attr]
    assert sheet.terms.texts_shown == (text.sha256,)
    link.click()
    assert text._view.isVisible(), "pressed again it stays open"


def test_a_text_that_is_not_at_hand_was_not_shown(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    offer = example_offer()
    license = offer.decision.license
    bare = tuple(replace(text, text=None, sha256=SHA256) for text in license.texts)
    decision = replace(offer.decision, license=replace(license, texts=bare))
    installer = FakeInstaller(replace(offer, decision=decision))
    sheet = _open(make_window(replace(services, installer=installer)), qtbot)
    for link in sheet.terms.findChildren(LinkButton):
        if link.text() == "Full text":
            link.click()
    assert sheet.terms.texts_shown == ()
    assert "The text was not read yet." in _texts(sheet)


def test_the_gray_button_says_what_it_waits_for(window: MainWindow, qtbot: QtBot) -> None:
    side = _open(window, qtbot).side
    assert not side.accept.isEnabled()
    assert (
        side.accept.toolTip() == side.accept.accessibleDescription() == "First tick the box above."
    )
    qtbot.mouseClick(side.tick, LEFT)
    assert side.accept.isEnabled()
    assert side.accept.toolTip() == ""
    qtbot.mouseClick(side.tick, LEFT)
    assert side.accept.toolTip() != ""


def test_accepting_records_note_and_texts_that_were_shown(
    window: MainWindow, services: Services, qtbot: QtBot
) -> None:
    sheet = _open(window, qtbot)
    assert sheet.terms.texts_shown == ()
    sheet.terms._texts[0].opener.click()
    assert "Apache License" in (sheet.terms._texts[0]._view.toPlainText())  # type: ignore[union-attr]
    qtbot.keyClicks(sheet.side.note_field, "Ticket 482")
    _accept(sheet, qtbot)
    installer = cast(FakeInstaller, services.installer)
    assert [(form.note, form.texts_shown) for form in installer.forms] == [
        ("Ticket 482", (SHA256,))
    ]


def test_progress_then_chat_when_the_sheet_is_still_open(
    window: MainWindow, services: Services, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    chats: list[str] = []
    monkeypatch.setattr(window, "start_chat", chats.append)
    sheet = _open(window, qtbot)
    download = _accept(sheet, qtbot)
    downloads = cast(FakeDownloads, services.downloads)
    downloads.advance(download, 1_290_000_000)
    qtbot.waitUntil(lambda: "1.3 GB of 3.4 GB · 38.0 MB/s · 56 s left" in _texts(sheet))
    installed = downloads.finish(download)
    qtbot.waitUntil(lambda: window.sheet is None)
    assert chats == [installed.id]


def test_pause_resume_and_cancel(window: MainWindow, services: Services, qtbot: QtBot) -> None:
    sheet = _open(window, qtbot)
    download = _accept(sheet, qtbot)
    downloads = cast(FakeDownloads, services.downloads)
    downloads.advance(download, 1)
    qtbot.waitUntil(lambda: sheet.progress.toggle.text() == "Pause")
    qtbot.mouseClick(sheet.progress.toggle, LEFT)
    qtbot.waitUntil(lambda: sheet.progress.toggle.text() == "Resume")
    assert downloads.all[download].state is DownloadState.PAUSED
    qtbot.mouseClick(sheet.progress.toggle, LEFT)
    qtbot.waitUntil(lambda: sheet.progress.toggle.text() == "Pause")
    qtbot.mouseClick(sheet.progress.cancel, LEFT)
    qtbot.waitUntil(lambda: window.sheet is None)
    assert downloads.all[download].state is DownloadState.CANCELLED


def test_a_failed_download_says_why_and_can_go_on(
    window: MainWindow, services: Services, qtbot: QtBot
) -> None:
    sheet = _open(window, qtbot)
    download = _accept(sheet, qtbot)
    downloads = cast(FakeDownloads, services.downloads)
    downloads.change(download, state=DownloadState.FAILED, reason=Reason("The disk is full."))
    qtbot.waitUntil(lambda: "The disk is full." in _texts(sheet))
    qtbot.mouseClick(sheet.progress.toggle, LEFT)
    qtbot.waitUntil(lambda: downloads.all[download].state is DownloadState.RUNNING)


def test_in_the_background_it_goes_on_and_does_not_jump_to_the_chat(
    window: MainWindow, services: Services, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    chats: list[str] = []
    monkeypatch.setattr(window, "start_chat", chats.append)
    sheet = _open(window, qtbot)
    download = _accept(sheet, qtbot)
    qtbot.mouseClick(sheet.progress.background, LEFT)
    assert window.sheet is None
    downloads = cast(FakeDownloads, services.downloads)
    downloads.advance(download, 5)
    badge = window.rail.findChildren(Chip)
    qtbot.waitUntil(lambda: any(chip.words == "1 ↓" for chip in badge))
    downloads.finish(download)
    qtbot.waitUntil(lambda: all(chip.words != "1 ↓" for chip in badge))
    assert chats == []


@pytest.mark.parametrize("way", ["escape", "cancel"])
def test_it_can_be_left(window: MainWindow, qtbot: QtBot, way: str) -> None:
    sheet = _open(window, qtbot)
    if way == "escape":
        qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    else:
        qtbot.mouseClick(sheet.side.cancel, LEFT)
    assert window.sheet is None
    assert not sheet.isVisible()


def test_leaving_while_it_looks_up_cancels_that(
    make_window: MakeWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    begun, cancelled = threading.Event(), threading.Event()

    class SlowInstaller(FakeInstaller):
        def prepare(self, target: str, cancel: CancelToken, report: Report) -> InstallOffer:
            begun.set()
            if cancel.wait(10):
                cancelled.set()
            cancel.raise_if_cancelled()
            return self.offer

    runner = PoolTaskRunner()
    services = fake_services(tmp_path, runner=runner, changes={"installer": SlowInstaller()})
    window = make_window(services)
    window.open_install("a/b")
    assert begun.wait(5)
    sheet = window.sheet
    assert isinstance(sheet, InstallSheet)
    assert sheet.state is SheetState.PREPARING
    qtbot.mouseClick(sheet._waiting.cancel, LEFT)
    assert cancelled.wait(5)
    assert window.sheet is None
    runner.close()


def test_a_failed_look_up_says_what_to_do_and_can_be_repeated(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    installer = cast(FakeInstaller, services.installer)
    installer.error = GatedModel("meta-llama/x", "https://huggingface.co/meta-llama/x")
    window = make_window(services)
    sheet = _open(window, qtbot)
    assert sheet.state is SheetState.FAILED
    assert "asks for a form on the Hub" in _texts(sheet)
    installer.error = None
    qtbot.mouseClick(sheet._waiting.notice.button, LEFT)
    qtbot.waitUntil(lambda: sheet.state is SheetState.READING)


def test_a_refused_acceptance_stays_on_the_sheet(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    installer = cast(FakeInstaller, services.installer)
    installer.accept_error = PolicyBlocked("meta/x")
    window = make_window(services)
    sheet = _open(window, qtbot)
    qtbot.mouseClick(sheet.side.tick, LEFT)
    qtbot.mouseClick(sheet.side.accept, LEFT)
    qtbot.waitUntil(sheet.side.problem.isVisible)
    assert "does not allow meta/x" in sheet.side.problem.text.text()
    assert sheet.side.accept.isEnabled()


def test_blocked_has_no_button_but_a_reason(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    window = make_window(_with_offer(services, verdict=Verdict.BLOCKED))
    sheet = _open(window, qtbot)
    assert not sheet.side.accept.isVisible()
    assert not sheet.side.tick.isVisible()
    assert "blocked" in _texts(sheet)


def test_an_unknown_license_asks_for_another_tick(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    offer = {"verdict": Verdict.NEEDS_REVIEW, "licenses": ("unknown",)}
    window = make_window(_with_offer(services, **offer))
    sheet = _open(window, qtbot)
    assert "nobody has reviewed this" in sheet.side.tick.accessibleName()
    assert "does not know this license" in _texts(sheet)
    assert sheet.side.accept.isVisible()


def test_without_room_on_the_disk_it_cannot_begin(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    offer = replace(example_offer(), free_bytes=1_000_000_000)
    window = make_window(replace(services, installer=FakeInstaller(offer)))
    sheet = _open(window, qtbot)
    assert not sheet.side.accept.isVisible()
    assert "3.4 GB are needed and 1.0 GB are free" in _texts(sheet)


def test_exact_words_are_copied_as_they_stand(
    window: MainWindow, qtbot: QtBot, themed_app: QApplication
) -> None:
    sheet = _open(window, qtbot)
    button = next(
        b for b in sheet.findChildren(LinkButton) if b.accessibleName() == "Copy “Built with Llama”"
    )
    qtbot.mouseClick(button, LEFT)
    assert QGuiApplication.clipboard().text() == "Built with Llama"


def test_only_one_sheet_at_a_time(window: MainWindow, qtbot: QtBot) -> None:
    sheet = _open(window, qtbot)
    window.open_install("other/model")
    assert window.sheet is sheet


def test_the_keyboard_stays_inside(
    window: MainWindow, qtbot: QtBot, themed_app: QApplication
) -> None:
    sheet = _open(window, qtbot)
    qtbot.waitUntil(lambda: QApplication.focusWidget() is sheet.side.tick)
    for key in [Qt.Key.Key_Tab] * 15 + [Qt.Key.Key_Backtab] * 15:
        focus = QApplication.focusWidget()
        assert focus is not None
        qtbot.keyClick(focus, key)
        focus = QApplication.focusWidget()
        assert focus is not None
        assert sheet.isAncestorOf(focus) or focus is sheet


def test_not_found_names_the_model(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    cast(FakeInstaller, services.installer).error = NotFound("model", "a/b")
    sheet = _open(make_window(services), qtbot)
    assert "There is no model called a/b." in _texts(sheet)


def test_the_record_carries_the_name_that_stands_in_the_sheet(
    window: MainWindow, services: Services, qtbot: QtBot
) -> None:
    sheet = _open(window, qtbot)
    assert sheet.side.name_field.text() == getpass.getuser()
    sheet.side.name_field.setText("  Ada Lovelace ")
    _accept(sheet, qtbot)
    assert cast(FakeInstaller, services.installer).forms[-1].display_name == "Ada Lovelace"


def test_a_machine_without_a_name_for_the_user_leaves_the_field_empty(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(getpass, "getuser", fail)
    assert _open(window, qtbot).side.display_name == ""


def test_the_sheet_says_which_commit_when_and_what_nobody_assessed(
    window: MainWindow, qtbot: QtBot
) -> None:
    sheet = _open(window, qtbot)
    text = _texts(sheet)
    assert sheet.side.commit.text() == COMMIT[:8]
    assert COMMIT in sheet.side.commit.toolTip()
    assert datetime.now(UTC).date().isoformat() in sheet.verdict.words + sheet.as_of.text()
    assert "Not assessed: sanctions, export control" in text


def test_without_a_policy_no_rule_speaks(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    offer = {"verdict": Verdict.ALLOWED, "licenses": ("apache-2.0",)}
    text = _texts(_open(make_window(_with_offer(services, **offer)), qtbot))
    assert "No policy file is set; the licenses alone speak." in text
    assert "Rules that object" not in text


def test_with_a_policy_it_is_said_that_no_rule_objects(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    policy = Policy(name="House rules", source="/etc/policy.toml", sha256="a" * 64)
    changed = replace(
        _with_offer(services, verdict=Verdict.ALLOWED, licenses=("apache-2.0",)),
        gate=Gate(LICENSES, policy, FakeRecords()),
    )
    text = _texts(_open(make_window(changed), qtbot))
    assert "No policy file" not in text
    assert "Rules that object: none" in text


def test_tab_goes_as_the_eye_goes(
    window: MainWindow, qtbot: QtBot, themed_app: QApplication
) -> None:
    sheet = _open(window, qtbot)
    side = sheet.side
    qtbot.mouseClick(side.tick, LEFT)
    side.tick.setFocus()
    passed = []
    for _ in range(4):
        focus = QApplication.focusWidget()
        assert focus is not None
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
        passed.append(QApplication.focusWidget())
    assert passed == [side.name_field, side.note_field, side.cancel, side.accept]
    qtbot.keyClick(side.accept, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: sheet.state is SheetState.FETCHING)


@pytest.mark.parametrize("policy", [Policy(), Policy(sha256="1" * 64)])
def test_terms_that_changed_are_shown_old_beside_new(
    make_window: MakeWindow, services: Services, qtbot: QtBot, policy: Policy
) -> None:
    offer = replace(example_offer(), change=example_change())
    gate = Gate(LICENSES, policy, FakeRecords())
    changed = replace(services, installer=FakeInstaller(offer), gate=gate)
    sheet = _open(make_window(changed), qtbot)
    text = _texts(sheet)
    for words in (
        "The terms are not the ones that were accepted on 2026-10-12.",
        "The text of the Llama 3.2 Community License",
        "As accepted",
        "The notice names Meta and the license.",
        "As it is now",
        "The notice names Meta, the license and the date.",
    ):
        assert words in text
    assert text.index("not the ones") < text.index("YOU MUST")


def test_changed_words_inside_a_passage_are_marked(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    before = "You may sell it below 20 million dollars a year."
    after = "You may never sell it below 20 million dollars a month."
    offer = replace(example_offer(), change=example_change(before, after))
    sheet = _open(make_window(replace(services, installer=FakeInstaller(offer))), qtbot)
    old, new = sheet.findChildren(MarkedText)
    assert (old.toPlainText(), new.toPlainText()) == (before, after)
    assert (old.marked, new.marked) == (("year",), ("never", "month"))
    assert old.accessibleDescription() == "Gone: year"
    assert new.accessibleDescription() == "New words: never … month"
    for part, word, is_gone in ((old, "year", True), (new, "never", False)):
        cursor = QTextCursor(part.document())
        cursor.setPosition(part.toPlainText().index(word) + 1)
        assert cursor.charFormat().fontStrikeOut() is is_gone
        assert cursor.charFormat().fontUnderline() is not is_gone
        cursor.setPosition(1)
        assert not cursor.charFormat().fontUnderline()
        assert not cursor.charFormat().fontStrikeOut()
        assert part.height() >= part.document().size().height() - 1


def test_without_an_earlier_acceptance_nothing_changed(window: MainWindow, qtbot: QtBot) -> None:
    assert "As accepted" not in _texts(_open(window, qtbot))
