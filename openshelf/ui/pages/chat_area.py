"""The middle of the chat page: header, transcript (or why there is none), composer."""

from __future__ import annotations

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.chat_header import ChatHeader
from openshelf.ui.widgets.composer import Composer, LinkNotice
from openshelf.ui.widgets.containers import EmptyState
from openshelf.ui.widgets.find_bar import FindBar
from openshelf.ui.widgets.notice import InlineNotice
from openshelf.ui.widgets.text import TextLabel
from openshelf.ui.widgets.transcript import COLUMN_WIDTH, Transcript
from openshelf.ui.widgets.transcript_find import TranscriptFind


class Welcome(QWidget):
    """What a new chat shows before its first message."""

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.addStretch(2)
        self.title = TextLabel("", TextRole.CARD_TITLE)
        self.words = TextLabel("", TextRole.BODY, "muted")
        self.show_saving(is_saved=True)
        column.addWidget(self.title, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.words, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)

    def show_saving(self, *, is_saved: bool, sent_to: str = "") -> None:
        """`sent_to` is the host that gets what is written, empty where it stays here."""
        if sent_to:
            words = self.tr("What you write is sent to {host}.").format(host=sent_to)
        elif is_saved:
            words = self.tr("What you write and what it answers stays on this machine.")
        else:
            words = self.tr("This chat is not saved: it is gone when Openshelf closes.")
        self.words.setText(words)


class ChatArea(QWidget):
    """Holds the parts; the page decides what they show."""

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.header = ChatHeader()
        self.transcript = Transcript()
        self.welcome = Welcome()
        self.nothing_installed = EmptyState(
            self.tr("No model is installed yet"),
            self.tr("The Shelf shows which ones run on this machine, and what each one asks."),
            self.tr("Go to the Shelf"),
        )
        self._stack = QStackedWidget()
        for part in (self.transcript, self.welcome, self.nothing_installed):
            self._stack.addWidget(part)
        self.composer = Composer()
        self.link_notice = LinkNotice()
        self.notice = InlineNotice()
        self.find_bar = FindBar()
        self.finder = TranscriptFind(self.find_bar, self.transcript)
        column.addWidget(self.header)
        column.addWidget(self.find_bar)
        column.addWidget(self._stack, 1)
        column.addWidget(self._build_foot())
        self.link_notice.open_requested.connect(self._on_link_confirmed)
        self.link_notice.copy_requested.connect(self._on_link_copied)

    def _on_link_confirmed(self, address: str) -> None:
        QDesktopServices.openUrl(QUrl(address))

    def _on_link_copied(self, address: str) -> None:
        QGuiApplication.clipboard().setText(address)

    def _build_foot(self) -> QWidget:
        self._foot = QWidget()
        row = QHBoxLayout(self._foot)
        row.setContentsMargins(24, 4, 24, 18)
        inner = QWidget()
        inner.setMaximumWidth(COLUMN_WIDTH)
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.notice)
        column.addWidget(self.link_notice)
        column.addWidget(self.composer)
        row.addStretch(1)
        row.addWidget(inner, 1000)
        row.addStretch(1)
        return self._foot

    def show_nothing_installed(self) -> None:
        focused, button = self.window().focusWidget(), self.nothing_installed.button
        self._stack.setCurrentWidget(self.nothing_installed)
        if button is not None and self._foot.isAncestorOf(focused):
            # Hidden, the composer would hand the keyboard to the rail.
            button.setFocus(Qt.FocusReason.OtherFocusReason)
        self._foot.hide()

    def show_welcome(self, model_name: str, *, is_saved: bool, sent_to: str = "") -> None:
        self.welcome.show_saving(is_saved=is_saved, sent_to=sent_to)
        self.welcome.title.setText(self.tr("Ask {model}").format(model=model_name))
        self._stack.setCurrentWidget(self.welcome)
        self._foot.show()

    def show_transcript(self) -> None:
        self._stack.setCurrentWidget(self.transcript)
        self._foot.show()
