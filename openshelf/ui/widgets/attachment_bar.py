"""Files that go along with a question: as chips above the message, and below one that was sent."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from openshelf.chat.attachments import Attachment, reason_of_attachment
from openshelf.ui.sentences import reason_sentence, words
from openshelf.ui.theme import TextRole
from openshelf.ui.theme.kinds import ChipKind
from openshelf.ui.widgets.buttons import LinkButton
from openshelf.ui.widgets.chip import Chip
from openshelf.ui.widgets.flow import FlowLayout
from openshelf.ui.widgets.text import TextLabel


def attachment_words(one: Attachment) -> str:
    """Its name, and what it takes of the context."""
    return reason_sentence(reason_of_attachment(one))


def attachment_details(one: Attachment) -> str:
    """What else is to be known of it, one to a line."""
    facts = one.facts
    lines = []
    if "pages" in facts:
        lines.append(words("attached_pages", read=facts.get("pages_read", 0), pages=facts["pages"]))
    if "width" in facts and "height" in facts:
        lines.append(f"{facts['width']:,} × {facts['height']:,}")
    if facts.get("characters_cut"):
        lines.append(words("attached_cut", count=facts["characters_cut"]))
    return "\n".join(lines)


def attachment_chip(one: Attachment) -> Chip:
    cut = one.facts.get("characters_cut") or one.facts.get("pages_read", 0) < one.facts.get(
        "pages", 0
    )
    chip = Chip(attachment_words(one), ChipKind.WARNING if cut else ChipKind.NEUTRAL)
    chip.setToolTip("\n".join(part for part in (chip.words, attachment_details(one)) if part))
    return chip


def _clear(flow: FlowLayout) -> None:
    while (item := flow.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()


class AttachmentRow(QWidget):
    """The chips of a question that was sent; hidden without any."""

    def __init__(self, attachments: Sequence[Attachment] = ()) -> None:
        super().__init__()
        self._flow = FlowLayout(self)
        self.words: list[str] = []
        self.show_files(attachments)

    def show_files(self, attachments: Sequence[Attachment]) -> None:
        _clear(self._flow)
        self.words = [attachment_words(one) for one in attachments]
        for one in attachments:
            self._flow.addWidget(attachment_chip(one))
        self.setVisible(bool(attachments))


class AttachmentBar(QWidget):
    """The files of the next question, each with a way to take it back (`removed`, its place);
    below them what they take of the context."""

    removed = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self._chips = QWidget()
        self._flow = FlowLayout(self._chips)
        self.consequence = TextLabel("", TextRole.TINY, "muted", wrap=True)
        column.addWidget(self._chips)
        column.addWidget(self.consequence)
        self.hide()

    def show_files(self, attachments: Sequence[Attachment], reading: Sequence[str]) -> None:
        """Those that were read, and the names of those that are being read."""
        _clear(self._flow)
        for place, one in enumerate(attachments):
            self._flow.addWidget(self._removable(place, one))
        for name in reading:
            reading_words = self.tr("{name} · reading…").format(name=name)
            self._flow.addWidget(Chip(reading_words, ChipKind.NEUTRAL))
        self.setVisible(bool(attachments) or bool(reading))

    def _removable(self, place: int, one: Attachment) -> QWidget:
        whole = QWidget()
        row = QHBoxLayout(whole)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        row.addWidget(attachment_chip(one))
        name = self.tr("Leave {name} out").format(name=one.name)
        button = LinkButton("✕", name, muted=True, small=True)
        button.setToolTip(name)
        button.clicked.connect(lambda _=False, place=place: self.removed.emit(place))
        row.addWidget(button, 0, Qt.AlignmentFlag.AlignVCenter)
        return whole

    def show_consequence(self, text: str, *, is_warning: bool) -> None:
        self.consequence.setText(text)
        self.consequence.set_tone("warning" if is_warning else "muted")
        self.consequence.setVisible(bool(text))
