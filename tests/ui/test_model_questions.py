"""The tab Four questions: words, sources, marks, for the eye and for a screen reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from openshelf.errors import Offline
from openshelf.hardware.profiles import find_machine
from openshelf.reasons import Reason
from openshelf.shelf.evidence import Answer, Mark
from openshelf.shelf.four_questions import FourQuestions, Question
from openshelf.ui.pages.model import ModelPage
from openshelf.ui.pages.model_header import ModelTab
from openshelf.ui.pages.model_questions import QuestionCard, QuestionsPanel, spoken
from openshelf.ui.widgets import TextLabel
from tests.fakes.downloads import FakeInstaller
from tests.fakes.example_models import FakeModels, hostile_listing
from tests.ui.model_tabs import press, stranger, texts

Open = Callable[..., ModelPage]


def wait_for_all(page: ModelPage, qtbot: QtBot, words: str) -> None:
    """Until every card is drawn, these words among them."""
    panel = page.tabs.questions
    qtbot.waitUntil(lambda: words in texts(page) and not panel._timer.isActive())


def test_five_questions_and_what_nobody_assessed(
    open_page: Open, installer: FakeInstaller, qtbot: QtBot
) -> None:
    page = open_page()
    press(page, ModelTab.QUESTIONS)
    wait_for_all(page, qtbot, "Llama 3.2 Community License Agreement")
    text = texts(page)
    for words in (
        "Legal", "Infrastructure", "Security", "Product", "Control", "Not assessed",
        "May we use it, and what is asked?", "Sanctions lists", "Export control",
        "Duties under the EU AI Act", "not approved by OSI", "OSAID",
        "23 of 41 layers run on the GPU", "NVIDIA GeForce RTX 4070 Laptop GPU; 32.0 GiB RAM.",
        "Loading it runs no code from the file", "in a sandbox", "at commit 5ab33fa0",
        "Hub: bartowski/Llama-3.2-3B-Instruct-GGUF at 5ab33fa0 and its bases",
        "“Built with Llama” (llama3.2 §1.b.i(B)) May apply: a fact is missing.",
        "expected", "unknown",
    ):  # fmt: skip
        assert words in text, words


def test_without_the_hub_the_catalog_answers(
    open_page: Open, installer: FakeInstaller, qtbot: QtBot
) -> None:
    installer.error = Offline("huggingface.co")
    page = open_page()
    press(page, ModelTab.QUESTIONS)
    qtbot.waitUntil(lambda: page.tabs.offers.problem(installer.prepared[0]) is not None)
    wait_for_all(page, qtbot, "Catalog: the license as declared there")
    assert "Catalog: the license as declared there, along its lineage" in texts(page)
    assert "Whether a form is asked for was not looked up yet." in texts(page)


def test_a_stranger_s_questions_stay_open(open_page: Open, qtbot: QtBot) -> None:
    page = open_page(models=stranger())
    press(page, ModelTab.QUESTIONS)
    qtbot.waitUntil(lambda: "Not in the catalog; its model card may tell." in texts(page))


def test_the_machine_that_is_asked_about_is_named(open_page: Open, qtbot: QtBot) -> None:
    page = open_page()
    control = page.variants.controls.machine
    machine = find_machine("RTX 5090 32 GB + 64 GB")
    control.chooser.choose(machine)
    control._on_chosen(machine)
    qtbot.waitUntil(lambda: page.variants.reckoned is machine)
    press(page, ModelTab.QUESTIONS)
    qtbot.waitUntil(lambda: f"What if it were {machine.name}:" in texts(page))


def test_the_keyboard_scrolls_and_a_reader_hears_whole_answers(
    open_page: Open, qtbot: QtBot
) -> None:
    page = open_page()
    press(page, ModelTab.QUESTIONS)
    panel = page.tabs.questions
    qtbot.waitUntil(lambda: panel.verticalScrollBar().maximum() > 0)
    wait_for_all(page, qtbot, "Sanctions lists")
    page.focus_content()
    assert panel.hasFocus()
    qtbot.keyClick(panel, Qt.Key.Key_PageDown)
    assert panel.verticalScrollBar().value() > 0
    names = [label.accessibleName() for label in panel.findChildren(TextLabel)]
    assert any(name.startswith("Format. GGUF") and "Openshelf is built" in name for name in names)
    assert any(name.startswith("Your own work. unknown. ") for name in names)


def test_the_view_stays_where_it_was_when_the_hub_answers(qtbot: QtBot, themed_app: object) -> None:
    panel = QuestionsPanel()
    qtbot.addWidget(panel)
    panel.resize(800, 300)
    panel.show()

    def answers(last: str) -> FourQuestions:
        rows = tuple(
            Answer(f"topic{i}", (Reason(f"line_{i}"),), Reason("source_openshelf"))
            for i in range(40)
        )
        more = Answer("last", (Reason(last),), None, Mark.UNKNOWN)
        return FourQuestions((Question("legal", (*rows, more)),), ())

    panel.show_answers(answers("before"))
    qtbot.waitUntil(lambda: panel.verticalScrollBar().maximum() > 400)
    panel.verticalScrollBar().setValue(400)
    panel.show_answers(answers("after"))
    qtbot.waitUntil(lambda: any(label.text() == "after" for label in panel.findChildren(TextLabel)))
    qtbot.wait(20)
    assert panel.verticalScrollBar().value() == 400


def test_all_of_it_can_be_copied(open_page: Open, qtbot: QtBot) -> None:
    page = open_page()
    press(page, ModelTab.QUESTIONS)
    qtbot.waitUntil(lambda: "Llama 3.2 Community License Agreement" in texts(page))
    page.tabs.questions._copy.click()
    copied = QGuiApplication.clipboard().text()
    assert copied.startswith("Legal: May we use it, and what is asked?\n- License: Llama 3.2")
    assert "- Your own work [unknown]:" in copied
    assert copied.rstrip().endswith("for code")
    assert page.tabs.questions._copy.text() == "Copied"


def test_names_from_strangers_turn_nothing_around(open_page: Open, qtbot: QtBot) -> None:
    page = open_page(models=FakeModels(hostile_listing()))
    press(page, ModelTab.QUESTIONS)
    qtbot.waitUntil(lambda: bool(page.tabs.questions.findChildren(QuestionCard)))
    labels = page.tabs.questions.findChildren(TextLabel)
    assert labels
    for label in labels:
        assert label.textFormat() is Qt.TextFormat.PlainText
        assert not {"\u202e", "\u2066"} & set(label.text())


def test_spoken_answers_carry_their_mark() -> None:
    answer = Answer("speed", (Reason("answer_unknown"),), None, Mark.UNKNOWN)
    assert spoken(answer) == "Speed. unknown. Not known here"


def test_only_what_changed_is_drawn_anew(qtbot: QtBot, themed_app: object) -> None:
    panel = QuestionsPanel()
    qtbot.addWidget(panel)
    panel.show()
    answer = Answer("speed", (Reason("answer_unknown"),), None, Mark.UNKNOWN)
    same, before = Question("product", (answer,)), Question("legal", (answer,))
    panel.show_answers(FourQuestions((before, same), ()))
    qtbot.waitUntil(lambda: len(panel._shown) == 3)
    kept = [card for _, card in panel._shown]
    after = Question("legal", (replace(answer, topic="quality"),))
    panel.show_answers(FourQuestions((after, same), ()))
    qtbot.waitUntil(lambda: panel._shown[0][0] == after)
    assert [card for _, card in panel._shown][1:] == kept[1:]
    assert panel._shown[0][1] is not kept[0]
