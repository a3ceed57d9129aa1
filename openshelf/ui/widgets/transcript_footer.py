"""Below an answer: what can be done with it at the left, its figures at the right."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QWidget

from openshelf.chat.answer_parts import split_answer
from openshelf.chat.conversation import AnswerFigures, Message, MessageState
from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.buttons import LinkButton
from openshelf.ui.widgets.text import TextLabel
from openshelf.ui.widgets.version_pager import VersionPager
from openshelf.units import format_duration

_UNFINISHED = {MessageState.STOPPED, MessageState.LENGTH, MessageState.ENGINE_DIED}


class AnswerFooter(QWidget):
    """Another answer and going on are offered once the answer's place in the tree is known."""

    regenerate_pressed = Signal()
    continue_pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        self._copy = LinkButton(self.tr("Copy"), self.tr("Copy the answer"), muted=True, small=True)
        self.regenerate = LinkButton(
            self.tr("Regenerate"), self.tr("Write another answer"), muted=True, small=True
        )
        self.regenerate.setToolTip(self.tr("Another answer to the same question (Ctrl+R)"))
        self.go_on = LinkButton(
            self.tr("Continue"), self.tr("Continue the answer"), muted=True, small=True
        )
        self.go_on.setToolTip(self.tr("Go on where the answer ends"))
        self.pager = VersionPager()
        self.figures = TextLabel("", TextRole.TINY, "muted")
        for part in (self._copy, self.regenerate, self.go_on, self.pager):
            row.addWidget(part)
        row.addStretch(1)
        row.addWidget(self.figures)
        self._text = ""
        self.regenerate.hide()
        self.go_on.hide()
        self._copy.clicked.connect(self._on_copy_clicked)
        self.regenerate.clicked.connect(self._on_regenerate)
        self.go_on.clicked.connect(self._on_continue)
        self.hide()

    def show_message(self, message: Message) -> None:
        self._text = split_answer(message.content).answer
        self._copy.setText(self.tr("Copy"))
        self._copy.setVisible(bool(self._text))
        self.go_on.hide()
        parts = [self._state_words(message)]
        if message.figures is not None:
            parts.append(self._figure_words(message.figures))
        self.figures.setText(" · ".join(part for part in parts if part))
        self.setVisible(bool(self._text) or bool(self.figures.text()))

    def show_place(self, message: Message, versions: Sequence[int], *, is_last: bool) -> None:
        """Where `message` stands: its versions' ids, and whether nothing follows it."""
        self.pager.show_versions(message.id, versions)
        self.regenerate.show()
        unfinished = message.state in _UNFINISHED and bool(message.content)
        self.go_on.setVisible(unfinished and is_last)
        self.show()

    def set_usable(self, usable: bool) -> None:  # noqa: FBT001
        """Not while an answer is being written."""
        for part in (self.regenerate, self.go_on, self.pager):
            part.setEnabled(usable)

    def _state_words(self, message: Message) -> str:
        match message.state:
            case MessageState.STOPPED:
                return self.tr("stopped")
            case MessageState.LENGTH:
                return self.tr("ended at the longest answer allowed")
            case _:
                return ""

    def _figure_words(self, figures: AnswerFigures) -> str:
        text = self.tr("first token {wait} · {tokens}").format(
            wait=format_duration(figures.first_token_seconds),
            tokens=self.tr("%n token(s)", "", figures.completion_tokens),
        )
        if not figures.decode_tokens_per_second:
            return text  # of a single token there is no speed
        rate = self.tr("{rate} tok/s").format(rate=f"{figures.decode_tokens_per_second:.1f}")
        return f"{rate} · {text}"

    def _on_copy_clicked(self) -> None:
        QGuiApplication.clipboard().setText(self._text)
        self._copy.setText(self.tr("Copied"))

    def _on_regenerate(self) -> None:
        self.regenerate_pressed.emit()

    def _on_continue(self) -> None:
        self.continue_pressed.emit()
