"""A question in a conversation: what the person wrote, as it was written."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget
from typing_extensions import override

from openshelf.chat.attachments import Attachment
from openshelf.chat.conversation import Message
from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.attachment_bar import AttachmentRow, attachment_words
from openshelf.ui.widgets.buttons import LinkButton
from openshelf.ui.widgets.markdown_formats import reading_font
from openshelf.ui.widgets.question_edit import QuestionEdit
from openshelf.ui.widgets.text import TextLabel
from openshelf.ui.widgets.version_pager import VersionPager

_BUBBLE_SHARE = 0.78
_BUBBLE_PADDING = 14
_ATTACHED_WIDTH = 260
_SHOWN_CHARACTERS = 6_000
"""Of a question; the rest unfolds on demand, since laying out a pasted book would be felt."""


class UserBubble(QWidget):
    """What the person wrote, at the right, on a soft ground; below it, once its place in the
    conversation is known (`message_id`), the way to other words and to its other versions.

    `edited` carries the id and the new words, `version_chosen` an id; `edit_began` once it is
    written over.
    """

    edited = Signal(int, str)
    edit_began = Signal()
    version_chosen = Signal(int)

    def __init__(self, text: str, attachments: Sequence[Attachment] = ()) -> None:
        super().__init__()
        self._text = text
        self.attachments = tuple(attachments)
        self.message_id: int | None = None
        self.editor: QuestionEdit | None = None
        self._whole = QVBoxLayout(self)
        self._whole.setContentsMargins(0, 0, 0, 0)
        self._whole.setSpacing(4)
        self._whole.addWidget(self._build_bubble())
        self._whole.addWidget(self._build_foot())
        self._show(text[:_SHOWN_CHARACTERS])

    def _build_bubble(self) -> QWidget:
        self._bubble = QWidget()
        row = QHBoxLayout(self._bubble)
        row.setContentsMargins(0, 0, 0, 0)
        row.addStretch(1)
        self._frame = QFrame()
        self._frame.setProperty("kind", "notice")
        self._frame.setProperty("level", "info")
        self._frame.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Minimum)
        column = QVBoxLayout(self._frame)
        column.setContentsMargins(_BUBBLE_PADDING, 10, _BUBBLE_PADDING, 10)
        self._label = TextLabel("", TextRole.BODY, wrap=True, selectable=True)
        self._label.setFont(reading_font())
        self._label.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._label.setAccessibleName(self.tr("You wrote"))
        self._more = LinkButton(small=True)
        self._more.clicked.connect(self._on_more_clicked)
        column.addWidget(self._label)
        column.addWidget(self._more)
        self._attached = AttachmentRow(self.attachments)
        column.addWidget(self._attached)
        row.addWidget(self._frame)
        return self._bubble

    def _build_foot(self) -> QWidget:
        self._foot = QWidget()
        row = QHBoxLayout(self._foot)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        self.edit_button = LinkButton(
            self.tr("Edit"), self.tr("Ask in other words"), muted=True, small=True
        )
        self.edit_button.setToolTip(self.tr("Ask in other words (Ctrl+E: the last question)"))
        self.pager = VersionPager()
        row.addStretch(1)
        row.addWidget(self.edit_button)
        row.addWidget(self.pager)
        self.edit_button.clicked.connect(self.begin_edit)
        self.pager.version_chosen.connect(self.version_chosen)
        self._foot.hide()
        return self._foot

    def show_place(self, message: Message, versions: Sequence[int], *, is_last: bool) -> None:
        """Which message it is, its versions' ids, and what came with it as it was counted since."""
        self.message_id = message.id
        if [attachment_words(one) for one in message.attachments] != self._attached.words:
            self.attachments = message.attachments
            self._attached.show_files(message.attachments)
        self.pager.show_versions(message.id, versions)
        self._foot.setVisible(self.editor is None)

    def set_usable(self, usable: bool) -> None:  # noqa: FBT001
        """Whether it can be asked in other words now."""
        self.edit_button.setEnabled(usable)
        self.pager.setEnabled(usable)
        if not usable:
            self._end_edit()

    def begin_edit(self) -> None:
        """Write over it in place; the first version is kept."""
        if self.message_id is None or not self.edit_button.isEnabled() or self.editor is not None:
            return
        self.editor = QuestionEdit(self._text)
        self.editor.submitted.connect(self._on_submitted)
        self.editor.left.connect(self._on_left)
        self._whole.addWidget(self.editor)
        self._bubble.hide()
        self._foot.hide()
        self.edit_began.emit()
        self.editor.take_focus()

    def _end_edit(self) -> None:
        editor, self.editor = self.editor, None
        if editor is None:
            return
        self._whole.removeWidget(editor)
        editor.hide()
        editor.deleteLater()
        self._bubble.show()
        self._foot.show()

    def _on_left(self) -> None:
        self._end_edit()
        self.edit_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_submitted(self, text: str) -> None:
        self._end_edit()
        if self.message_id is not None:
            self.edited.emit(self.message_id, text)

    @property
    def text(self) -> str:
        return self._text

    @property
    def label(self) -> TextLabel:
        """Where the words stand."""
        return self._label

    def show_whole(self) -> None:
        """A long question is cut as long as nobody wants to read it."""
        if len(self._label.text()) < len(self._text):
            self._show(self._text)

    def _show(self, shown: str) -> None:
        self._label.setText(shown)
        rest = len(self._text) - len(shown)
        self._more.setText(self.tr("Show %n more character(s)", "", rest))
        self._more.setAccessibleName(self._more.text())
        self._more.setVisible(rest > 0)
        self._fit()

    def _fit(self) -> None:
        metrics = QFontMetrics(self._label.font())
        lines = self._label.text()[:_SHOWN_CHARACTERS].split("\n")
        wanted = (
            max(metrics.horizontalAdvance(line[:400]) for line in lines) + 2 * _BUBBLE_PADDING + 4
        )
        if self.attachments:
            wanted = max(wanted, _ATTACHED_WIDTH)
        room = max(160, round(self.width() * _BUBBLE_SHARE))
        width = min(wanted, room)
        self._frame.setFixedWidth(width)
        # Without this the label asks for the height that it would have at its smallest width.
        self._label.setFixedWidth(width - 2 * _BUBBLE_PADDING)

    def _on_more_clicked(self) -> None:
        self._show(self._text)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()
