"""The tab Model card: read once, drawn in pieces, and nothing in it acts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication, QTextDocument, QTextFormat
from pytestqt.qtbot import QtBot

from openshelf.errors import GatedModel, NotFound, Offline
from openshelf.ui.pages.model import ModelPage
from openshelf.ui.pages.model_card import CardPanel
from openshelf.ui.pages.model_header import ModelTab
from openshelf.ui.widgets.card_pieces import card_pieces
from openshelf.ui.widgets.card_view import MOST_PIECES, CardView
from tests.fakes.example_cards import EXAMPLE_CARD, HOSTILE_CARD, FakeCards, nested_card
from tests.fakes.example_data import COMMIT
from tests.ui.model_tabs import press, texts

CHOSEN = "unsloth/Qwen3-14B-GGUF"
Open = Callable[..., ModelPage]
OpenCard = Callable[..., CardPanel]


@pytest.fixture
def open_card(open_page: Open, qtbot: QtBot) -> OpenCard:
    def make(cards: FakeCards, **changes: Any) -> CardPanel:
        page = open_page(read_card=cards.card, **changes)
        press(page, ModelTab.CARD)
        panel = page.tabs.card
        qtbot.waitUntil(lambda: panel.empty.isVisible() or bool(panel.view.views))
        return panel

    return make


def drawn(view: CardView) -> str:
    return "\n".join(part.content.toPlainText() for part in view.views)


def links(view: CardView) -> dict[str, str]:
    """Text → address of every link that is drawn."""
    found: dict[str, str] = {}
    for part in view.views:
        block = part.content.begin()
        while block.isValid():
            parts = block.begin()
            while not parts.atEnd():
                style = parts.fragment().charFormat()
                if style.anchorHref():
                    found[parts.fragment().text()] = style.anchorHref()
                parts += 1
            block = block.next()
    return found


def test_the_card_of_the_chosen_build_at_its_commit(open_card: OpenCard, qtbot: QtBot) -> None:
    cards = FakeCards(EXAMPLE_CARD)
    panel = open_card(cards)
    assert cards.asked == [(CHOSEN, COMMIT)]
    assert panel.at.text() == "at commit 5ab33fa0"
    qtbot.waitUntil(lambda: panel.view.is_whole)
    text = drawn(panel.view)
    for words in ("Qwen3-14B", "[image: Qwen logo]", "very good", "from transformers", "<think>"):
        assert words in text, words
    assert "<p" not in text
    rows = {row[0].text: row[1].text for row in panel.facts.rows}
    assert rows == {"license": "apache-2.0", "language": "en, de"}
    assert not panel.notice.isVisible()


def test_other_packagers_and_the_publisher_can_be_chosen(open_card: OpenCard, qtbot: QtBot) -> None:
    cards = FakeCards(EXAMPLE_CARD)
    panel = open_card(cards)
    offered = [value for value, _ in panel.repos._choices]
    assert offered[0] == CHOSEN
    assert offered[-1] == "Qwen/Qwen3-14B"
    assert len(set(offered)) == len(offered)
    action = panel.repos.menu().actions()[-1]
    panel.repos.menu().triggered.emit(action)
    qtbot.waitUntil(lambda: ("Qwen/Qwen3-14B", "") in cards.asked)
    panel.repos.menu().triggered.emit(panel.repos.menu().actions()[0])
    qtbot.wait(10)
    assert len(cards.asked) == 2


def test_what_was_read_is_not_read_again(open_page: Open, qtbot: QtBot) -> None:
    cards = FakeCards(EXAMPLE_CARD)
    page = open_page(read_card=cards.card)
    for tab in (ModelTab.CARD, ModelTab.VARIANTS, ModelTab.CARD):
        press(page, tab)
        qtbot.wait(5)
    assert len(cards.asked) == 1
    page.show_model("another")
    qtbot.waitUntil(page.variants.isVisible)
    press(page, ModelTab.CARD)
    qtbot.waitUntil(lambda: len(cards.asked) == 2)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Offline("huggingface.co"), "Offline mode is on"),
        (NotFound("card", CHOSEN), "has no model card"),
        (GatedModel(CHOSEN, "https://huggingface.co/x"), "asks for a form"),
    ],
)
def test_a_card_that_cannot_be_read_says_why(
    open_card: OpenCard, qtbot: QtBot, error: Any, words: str
) -> None:
    cards = FakeCards(EXAMPLE_CARD)
    cards.error = error
    panel = open_card(cards)
    assert words in panel.empty.text.text()
    cards.error = None
    assert panel.empty.button is not None
    panel.empty.button.click()
    qtbot.waitUntil(lambda: "Qwen3-14B" in drawn(panel.view))


def test_a_kept_card_and_a_cut_card_say_so(
    open_page: Open, open_card: OpenCard, qtbot: QtBot
) -> None:
    cards = FakeCards("# Short", is_kept=True, is_cut=True, total_bytes=10_000_000)
    panel = open_card(cards)
    assert "The Hub could not be asked" in panel.notice.text.text()
    qtbot.waitUntil(panel.view._end.isVisible)
    assert "Cut here: the card has 10.0 MB" in panel.view._end.text()
    cards.changes = {}
    panel.notice.button.click()
    qtbot.waitUntil(lambda: not panel.notice.isVisible())


def test_links_are_shown_before_anything_opens(
    open_card: OpenCard, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    panel = open_card(FakeCards(EXAMPLE_CARD))
    qtbot.waitUntil(lambda: panel.view.is_whole)
    part = panel.view.views[0]
    part.anchorClicked.emit(QUrl("https://example.org/blog"))
    notice = panel.link_notice
    assert notice.isVisible()
    assert notice._address_label.text().replace("\u200b", "") == "https://example.org/blog"
    assert "The card’s author wrote this link." in notice._words.text()
    assert opened == []
    assert notice._open.hasFocus()
    qtbot.keyClick(notice._open, Qt.Key.Key_Return)
    assert opened == ["https://example.org/blog"]
    panel.page.click()
    assert "huggingface.co/unsloth" in notice._address_label.text().replace("\u200b", "")
    notice._copy.click()
    assert QGuiApplication.clipboard().text() == f"https://huggingface.co/{CHOSEN}"
    assert len(opened) == 1


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("LICENSE", f"https://huggingface.co/{CHOSEN}/blob/{COMMIT}/LICENSE"),
        ("//evil.example/x", "https://evil.example/x"),
        ("../../../../../x", "https://huggingface.co/x"),
        ("http://[broken", "http://[broken"),
    ],
)
def test_relative_links_lead_to_the_hub(
    open_card: OpenCard, qtbot: QtBot, address: str, shown: str
) -> None:
    panel = open_card(FakeCards(EXAMPLE_CARD))
    panel._on_link(address)
    assert panel.link_notice._address_label.text().replace("\u200b", "") == shown
    panel.link_notice.hide()
    panel._on_link("#part")
    assert not panel.link_notice.isVisible()


def test_nothing_in_a_hostile_card_acts(
    open_card: OpenCard, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    loaded: list[str] = []
    load = QTextDocument.loadResource
    monkeypatch.setattr(
        QTextDocument, "loadResource",
        lambda self, kind, name: (loaded.append(str(name)), load(self, kind, name))[1],
    )  # fmt: skip
    panel = open_card(FakeCards(HOSTILE_CARD))
    qtbot.waitUntil(lambda: panel.view.is_whole)
    panel.grab()
    assert loaded == []
    text = drawn(panel.view)
    assert "alert(1)" not in text.replace("javascript:alert(1)", "")
    assert "\u202e" not in text
    assert "[image: bomb]" in text
    for part in panel.view.views:
        formats = part.content.allFormats()
        assert not [f for f in formats if f.isImageFormat()]
        assert not [f for f in formats if f.hasProperty(QTextFormat.Property.ImageName)]
    notice = panel.link_notice
    found = {words: to for words, to in links(panel.view).items() if not to.startswith("#")}
    for words, address in found.items():
        panel.view.views[0].anchorClicked.emit(QUrl(address))
        shown = notice._address_label.text().replace("\u200b", "")
        is_web = shown.startswith(("https://", "http://"))
        assert notice._open.isVisible() == is_web, (words, shown)
        notice.hide()
    assert {"press me", "and me", "read"} & set(found)
    assert opened == []


def test_no_turn_of_the_loop_takes_long(qtbot: QtBot, themed_app: object) -> None:
    """Processor time, so that a busy machine does not fail it."""
    pieces = card_pieces(nested_card())
    view = CardView()
    qtbot.addWidget(view)
    view.resize(900, 700)
    view.show()
    longest = 0.0
    view.show_pieces(pieces)
    view._timer.stop()
    while view._waiting:
        started = time.process_time()
        view._on_turn()
        longest = max(longest, time.process_time() - started)
        view._timer.stop()
    assert len(view.views) == min(len(pieces), MOST_PIECES)
    assert longest < 0.5


def test_boxes_stand_around_their_code(open_card: OpenCard, qtbot: QtBot) -> None:
    panel = open_card(FakeCards(EXAMPLE_CARD))
    qtbot.waitUntil(lambda: panel.view.is_whole)
    qtbot.wait(10)
    part = panel.view.views[0]
    section = part.content.code_sections[0]
    layout = part.content.documentLayout()
    first = layout.blockBoundingRect(part.content.findBlockByNumber(section.first_block))
    box = part._box(section)
    assert box.top() < first.top() < box.bottom()
    assert part._headers[0].geometry().top() == box.toAlignedRect().top()


def test_only_what_is_near_is_drawn(qtbot: QtBot, themed_app: object) -> None:
    text = "\n\n".join(f"Paragraph {number}: {'words ' * 60}" for number in range(1_300))
    assert len(text) > 450_000
    view = CardView()
    qtbot.addWidget(view)
    view.resize(900, 500)
    view.show()
    view.show_pieces(card_pieces(text))
    qtbot.waitUntil(lambda: bool(view.views) and not view._timer.isActive())
    first = len(view.views)
    assert first < 15
    bar = view.verticalScrollBar()
    bar.setValue(bar.maximum())
    qtbot.waitUntil(lambda: len(view.views) > first)
    assert not view.is_whole
    view.show_pieces(["one"])
    qtbot.waitUntil(lambda: view.is_whole)
    assert len(view.views) == 1


def test_a_card_without_an_end_is_cut_with_a_mark(qtbot: QtBot, themed_app: object) -> None:
    view = CardView()
    qtbot.addWidget(view)
    view.show()
    view.show_pieces(["a"] * (MOST_PIECES + 1))
    assert "the rest is not shown" in view._end.text()
    assert len(view._waiting) + len(view.views) == MOST_PIECES


def test_the_keyboard_scrolls_and_reaches_links(open_card: OpenCard, qtbot: QtBot) -> None:
    panel = open_card(FakeCards(EXAMPLE_CARD * 4))
    qtbot.waitUntil(lambda: panel.view.verticalScrollBar().maximum() > 0)
    panel.focus_content()
    assert panel.view.hasFocus()
    qtbot.keyClick(panel.view, Qt.Key.Key_PageDown)
    assert panel.view.verticalScrollBar().value() > 0
    part = panel.view.views[0]
    assert part.focusPolicy() & Qt.FocusPolicy.TabFocus
    assert part.accessibleName() == "Part 1 of the model card"
    part.setFocus()
    qtbot.keyClick(part, Qt.Key.Key_Tab)
    qtbot.keyClick(part, Qt.Key.Key_Return)
    assert panel.link_notice.isVisible()


def test_the_card_has_its_place_in_the_window(open_page: Open, qtbot: QtBot) -> None:
    page = open_page(read_card=FakeCards(EXAMPLE_CARD).card)
    press(page, ModelTab.CARD)
    qtbot.waitUntil(lambda: "In its head" in texts(page))
