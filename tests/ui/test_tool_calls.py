"""Tool calls in the transcript: shown in boxes of their own, as plain text, and made by nobody."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.chat.live import LiveAnswer, LivePhase
from openshelf.ui.widgets.tool_calls_view import ToolCallView
from openshelf.ui.widgets.transcript_messages import AnswerView
from tests.ui.chat_messages import message

CALL = '<tool_call>\n{"name": "send_mail", "arguments": {"to": "<b>a@b.c</b>"}}\n</tool_call>'


def live(text: str) -> LiveAnswer:
    return LiveAnswer(1, 2, LivePhase.GENERATING, text, 9, 20.0, None)


def test_a_call_becomes_a_box_once_it_is_whole(themed_app: QApplication, qtbot: QtBot) -> None:
    answer = AnswerView()
    qtbot.addWidget(answer)
    answer.show()
    answer.show_live(live(f"I write.\n\n{CALL[:30]}"), "m")
    assert answer.calls.views == ()
    assert "send_" in answer.text.toPlainText() or "tool_call" in answer.text.toPlainText()
    answer.show_live(live(f"I write.\n\n{CALL}"), "m")
    (view,) = answer.calls.views
    answer.show_live(live(f"I write.\n\n{CALL}\n\nDone?"), "m")
    assert answer.calls.views == (view,), "it is left alone"
    assert view.name.text() == "send_mail"
    assert '"to": "<b>a@b.c</b>"' in view.arguments.text()
    assert view.arguments.textFormat() is Qt.TextFormat.PlainText
    assert "not made" in view.note.text()
    view.copy_button.click()
    assert QGuiApplication.clipboard().text().startswith('send_mail {\n  "to"')


def test_an_answer_that_is_only_a_call(themed_app: QApplication, qtbot: QtBot) -> None:
    answer = AnswerView()
    qtbot.addWidget(answer)
    answer.show_live(live(CALL[:40]), "m")
    answer.show_message(message(2, "assistant", CALL))
    assert len(answer.calls.views) == 1
    assert not answer.text.isVisibleTo(answer)
    answer.show_message(message(2, "assistant", "No tools."))
    assert answer.calls.views == ()
    assert answer.text.toPlainText() == "No tools."


def test_a_very_long_argument_is_cut_in_view(themed_app: QApplication, qtbot: QtBot) -> None:
    from openshelf.chat.tool_calls import ToolCall

    view = ToolCallView(ToolCall("x", "y" * 50_000))
    qtbot.addWidget(view)
    assert len(view.arguments.text()) < 7_000
    view.copy_button.click()
    assert len(QGuiApplication.clipboard().text()) > 50_000
