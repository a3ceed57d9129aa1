"""Where a message is written: Enter sends, Shift+Enter breaks the line, Esc stops the answer."""

from __future__ import annotations

from PySide6.QtCore import QMimeData, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget
from typing_extensions import override

from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.attachment_bar import AttachmentBar
from openshelf.ui.widgets.buttons import Button, PrimaryButton
from openshelf.ui.widgets.composer_foot import ComposerFoot
from openshelf.ui.widgets.containers import Card
from openshelf.ui.widgets.markdown_formats import reading_font
from openshelf.ui.widgets.text import ElidedLabel, TextLabel

_MOST_LINES = 8


def paths_of(mime: QMimeData) -> list[str]:
    """The files of this machine that are dropped or pasted."""
    return [url.toLocalFile() for url in mime.urls() if url.isLocalFile() and url.toLocalFile()]


class MessageEdit(QPlainTextEdit):
    """Plain text that grows with its lines; `submitted` on Enter, `escaped` on Esc,
    `files_dropped` with paths."""

    submitted = Signal()
    escaped = Signal()
    files_dropped = Signal(list)

    def __init__(self) -> None:
        super().__init__()
        self.setFont(reading_font())
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setTabChangesFocus(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setAccessibleName(self.tr("Message"))
        self.viewport().setAutoFillBackground(False)
        self.document().setDocumentMargin(2)
        self.document().documentLayout().documentSizeChanged.connect(self._on_size_changed)
        self._fit_height()

    def _on_size_changed(self) -> None:
        self._fit_height()

    def _fit_height(self) -> None:
        # A plain text document counts its height in lines.
        lines = min(_MOST_LINES, max(1, int(self.document().size().height())))
        self.setFixedHeight(lines * self.fontMetrics().lineSpacing() + 8)

    @override
    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        return bool(paths_of(source)) or super().canInsertFromMimeData(source)

    @override
    def insertFromMimeData(self, source: QMimeData) -> None:
        """Files go along; what else is dropped or pasted is text."""
        if paths := paths_of(source):
            self.files_dropped.emit(paths)
        else:
            super().insertFromMimeData(source)

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if is_enter and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.submitted.emit()
        elif event.key() == Qt.Key.Key_Escape:
            self.escaped.emit()
        else:
            super().keyPressEvent(event)


class Composer(Card):
    """`send_requested` carries the text; `stop_requested` while an answer is being written,
    `files_dropped` paths."""

    send_requested = Signal(str)
    stop_requested = Signal()
    files_dropped = Signal(list)

    def __init__(self) -> None:
        super().__init__(margin=12, spacing=8)
        self.bar = AttachmentBar()
        self.edit = MessageEdit()
        self.body.addWidget(self.bar)
        self.body.addWidget(self.edit)
        row = QHBoxLayout()
        self.foot = ComposerFoot()
        self.hint = ElidedLabel("", TextRole.TINY, "faint")
        self.hint.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.send_button = PrimaryButton(self.tr("Send ⏎"), self.tr("Send the message"))
        self.send_button.setToolTip(self.tr("Enter sends · Shift+Enter for a new line"))
        self.stop_button = Button(self.tr("Stop"), self.tr("Stop the answer"))
        row.addWidget(self.foot)
        row.addWidget(self.hint, 1)
        row.addWidget(self.send_button)
        row.addWidget(self.stop_button)
        self.body.addLayout(row)
        self._is_answering = False
        self._blocked_by = ""
        self._is_reading = False
        self._connect()
        self._show()

    def _connect(self) -> None:
        self.edit.textChanged.connect(self._show)
        self.edit.submitted.connect(self._on_submitted)
        self.edit.escaped.connect(self._on_stop)
        self.edit.files_dropped.connect(self.files_dropped)
        self.send_button.clicked.connect(self._on_submitted)
        self.stop_button.clicked.connect(self._on_stop)

    def set_placeholder(self, text: str) -> None:
        # Of what does not fit on the first line, only halves of letters would be seen.
        self.edit.setPlaceholderText(text if len(text) <= 56 else f"{text[:55].rstrip()}…")
        # Qt draws again only where a placeholder comes or goes, not where its words change.
        self.edit.viewport().update()

    def set_answering(self, answering: bool) -> None:  # noqa: FBT001
        """Whether the conversation shown is being answered: Send becomes Stop."""
        self._is_answering = answering
        self._show()

    def set_reading(self, reading: bool) -> None:  # noqa: FBT001
        """Files are being read that are to go along."""
        self._is_reading = reading
        self._show()

    def set_blocked(self, why: str) -> None:
        """Why nothing can be sent now; empty where it can."""
        self._blocked_by = why
        self._show()

    def _show(self) -> None:
        can_send = self._can_send()
        has_focus = self.send_button.hasFocus() or self.stop_button.hasFocus()
        self.send_button.setVisible(not self._is_answering)
        self.stop_button.setVisible(self._is_answering)
        self.send_button.setEnabled(can_send)
        if self._is_answering:
            self.hint.setText(self.tr("Esc stops"))
        else:
            self.hint.setText(self._blocked_by)
        if has_focus:
            self.edit.setFocus(Qt.FocusReason.OtherFocusReason)

    def _can_send(self) -> bool:
        has_words = bool(self.edit.toPlainText().strip())
        return has_words and not self._blocked_by and not self._is_reading

    def _on_submitted(self) -> None:
        text = self.edit.toPlainText().strip()
        if self._can_send() and not self._is_answering:
            self.edit.clear()
            self.send_requested.emit(text)

    def _on_stop(self) -> None:
        if self._is_answering:
            self.stop_requested.emit()


class LinkNotice(QFrame):
    """Shows where a link leads before anything is opened.

    `leads_out` and `leads_nowhere` (for what is no web address) stand above it; without them the
    model is named as the author.
    """

    open_requested = Signal(str)
    copy_requested = Signal(str)

    def __init__(
        self, parent: QWidget | None = None, *, leads_out: str = "", leads_nowhere: str = ""
    ) -> None:
        super().__init__(parent)
        self._leads_out = leads_out or self.tr(
            "The model wrote this link. It leads out of Openshelf, to:"
        )
        self._leads_nowhere = leads_nowhere or self.tr(
            "The model wrote this link. It is no web address, so it is not opened:"
        )
        self.setProperty("kind", "notice")
        self.setProperty("level", "warning")
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 14, 10)
        column.setSpacing(6)
        self._words = TextLabel("", TextRole.SMALL, wrap=True)
        self._address_label = TextLabel("", TextRole.CODE, wrap=True, selectable=True)
        self._address_label.setAccessibleName(self.tr("Address of the link"))
        row = QHBoxLayout()
        self._open = Button(self.tr("Open in the browser"))
        self._copy = Button(self.tr("Copy address"))
        self._close = Button(self.tr("Close"))
        for button in (self._open, self._copy, self._close):
            row.addWidget(button)
        row.addStretch(1)
        column.addWidget(self._words)
        column.addWidget(self._address_label)
        column.addLayout(row)
        self._address = ""
        self._open.clicked.connect(self._on_open)
        self._copy.clicked.connect(self._on_copy)
        self._close.clicked.connect(self.hide)
        self.hide()

    def show_address(self, address: str) -> None:
        self._address = address
        can_open = address.lower().startswith(("https://", "http://", "mailto:"))
        self._open.setVisible(can_open)
        self._words.setText(self._leads_out if can_open else self._leads_nowhere)
        # Zero-width spaces let a long address break anywhere.
        self._address_label.setText("\u200b".join(address[:600]))
        self.show()
        (self._open if can_open else self._copy).setFocus(Qt.FocusReason.OtherFocusReason)

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.hide()
        else:
            super().keyPressEvent(event)

    def _on_open(self) -> None:
        self.hide()
        self.open_requested.emit(self._address)

    def _on_copy(self) -> None:
        self.hide()
        self.copy_requested.emit(self._address)
