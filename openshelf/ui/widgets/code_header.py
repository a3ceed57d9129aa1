"""The strip above a code block: its language, and the way to copy it."""

from __future__ import annotations

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QWidget

from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.buttons import LinkButton
from openshelf.ui.widgets.markdown_document import CodeSection
from openshelf.ui.widgets.markdown_formats import CODE_PADDING
from openshelf.ui.widgets.text import TextLabel


class CodeHeader(QWidget):
    """The strip above a code block."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(CODE_PADDING, 0, CODE_PADDING - 4, 0)
        self._language = TextLabel("", TextRole.TINY, "faint")
        self._button = LinkButton(self.tr("Copy"), self.tr("Copy the code"), muted=True, small=True)
        self._button.clicked.connect(self._on_clicked)
        self._section: CodeSection | None = None
        self._length = 0
        row.addWidget(self._language)
        row.addStretch(1)
        row.addWidget(self._button)

    def show_section(self, section: CodeSection) -> None:
        if self._section is not section:
            self._language.setText(section.language)
        elif self._length == len(section.text):
            return
        self._section, self._length = section, len(section.text)
        self._button.setText(self.tr("Copy"))

    def _on_clicked(self) -> None:
        QGuiApplication.clipboard().setText(self._section.text if self._section else "")
        self._button.setText(self.tr("Copied"))
