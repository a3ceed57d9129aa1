"""The scrolling column of a conversation; follows the end only while the person is there."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from openshelf.chat.conversation import Message, Role
from openshelf.ui.widgets.buttons import LinkButton
from openshelf.ui.widgets.transcript_messages import AnswerView
from openshelf.ui.widgets.transcript_question import UserBubble

COLUMN_WIDTH = 720
FIRST_MESSAGES = 40
"""So many are laid out when a conversation is opened; earlier ones on demand."""
_NEAR_THE_END = 24


class Transcript(QScrollArea):
    """`send_again_requested` carries the question's text, `link_pressed` an address."""

    link_pressed = Signal(str)
    send_again_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(self.tr("Conversation"))
        self.viewport().setAutoFillBackground(False)
        content = QWidget()
        content.setProperty("kind", "content")
        self._row = row = QHBoxLayout(content)
        row.setContentsMargins(24, 20, 24, 12)
        row.addStretch(1)
        column = QWidget()
        column.setMaximumWidth(COLUMN_WIDTH)
        self._column = QVBoxLayout(column)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(18)
        self._earlier_button = LinkButton(muted=True)
        self._earlier_button.hide()
        self._column.addWidget(self._earlier_button, 0, Qt.AlignmentFlag.AlignHCenter)
        self._column.addStretch(1)
        row.addWidget(column, 1000)
        row.addStretch(1)
        self.setWidget(content)
        self._earlier: list[Message] = []
        self._items: list[UserBubble | AnswerView] = []
        self._follows = True
        self._connect()

    def _connect(self) -> None:
        self._earlier_button.clicked.connect(self._on_earlier_clicked)
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        self.verticalScrollBar().rangeChanged.connect(self._on_range_changed)

    @property
    def items(self) -> tuple[UserBubble | AnswerView, ...]:
        return tuple(self._items)

    @property
    def last_answer(self) -> AnswerView | None:
        return next((i for i in reversed(self._items) if isinstance(i, AnswerView)), None)

    def show_messages(self, messages: Sequence[Message]) -> None:
        """A conversation from its stored messages, at its end."""
        self.clear()
        self._earlier = list(messages[:-FIRST_MESSAGES])
        for message in messages[-FIRST_MESSAGES:]:
            self._insert(self._view_of(message), len(self._items))
        self._show_earlier_button()
        self.follow_end()

    def clear(self) -> None:
        for item in tuple(self._items):
            self._remove(item)
        self._earlier = []
        self._show_earlier_button()

    def add_question(self, text: str) -> UserBubble:
        bubble = UserBubble(text)
        self._insert(bubble, len(self._items))
        self.follow_end()
        return bubble

    def begin_answer(self) -> AnswerView:
        answer = AnswerView()
        self._insert(answer, len(self._items))
        return answer

    def follow_end(self) -> None:
        self._follows = True
        bar = self.verticalScrollBar()
        bar.setValue(bar.maximum())

    def _view_of(self, message: Message) -> UserBubble | AnswerView:
        if message.role is Role.USER:
            return UserBubble(message.content)
        answer = AnswerView()
        answer.show_message(message)
        return answer

    def _insert(self, item: UserBubble | AnswerView, index: int) -> None:
        self._items.insert(index, item)
        self._column.insertWidget(index + 1, item)
        if isinstance(item, AnswerView):
            item.link_pressed.connect(self._on_link_pressed)
            item.send_again_pressed.connect(self._on_send_again)

    def _remove(self, item: UserBubble | AnswerView) -> None:
        self._items.remove(item)
        self._column.removeWidget(item)
        item.hide()
        item.deleteLater()

    def _show_earlier_button(self) -> None:
        count = len(self._earlier)
        self._earlier_button.setText(self.tr("Show %n earlier message(s)", "", count))
        self._earlier_button.setAccessibleName(self._earlier_button.text())
        self._earlier_button.setVisible(count > 0)

    def _on_earlier_clicked(self) -> None:
        bar = self.verticalScrollBar()
        self._follows = False
        from_end = bar.maximum() - bar.value()
        shown, self._earlier = self._earlier[-FIRST_MESSAGES:], self._earlier[:-FIRST_MESSAGES]
        for index, message in enumerate(shown):
            self._insert(self._view_of(message), index)
        self._show_earlier_button()
        self._row.activate()
        bar.setValue(bar.maximum() - from_end)

    def _on_send_again(self) -> None:
        answer = self.sender()
        if not isinstance(answer, AnswerView) or answer not in self._items:
            return
        before = self._items[: self._items.index(answer)]
        question = next((i for i in reversed(before) if isinstance(i, UserBubble)), None)
        if question is None:
            return
        answer.notice.button.hide()
        if not answer.is_kept:
            # The question will be shown again, and there is nothing of an answer to keep.
            self._remove(question)
            self._remove(answer)
        self.send_again_requested.emit(question.text)

    def _on_link_pressed(self, address: str) -> None:
        self.link_pressed.emit(address)

    def _on_scrolled(self, value: int) -> None:
        self._follows = value >= self.verticalScrollBar().maximum() - _NEAR_THE_END

    def _on_range_changed(self, _: int, maximum: int) -> None:
        if self._follows:
            self.verticalScrollBar().setValue(maximum)
