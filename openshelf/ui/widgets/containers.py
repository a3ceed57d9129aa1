"""Cards, page headers, rows and the states that a page can be in besides full."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets.buttons import Button, PrimaryButton
from openshelf.ui.widgets.text import ElidedLabel, TextLabel

PAGE_MARGIN = 22
"""Pixels left and right of a page's content."""


class Card(QFrame):
    """A white (or dark) panel with a border; fill `body`."""

    def __init__(self, *, horizontal: bool = False, margin: int = 16, spacing: int = 8) -> None:
        super().__init__()
        self.setProperty("kind", "card")
        direction = (
            QBoxLayout.Direction.LeftToRight if horizontal else QBoxLayout.Direction.TopToBottom
        )
        self.body = QBoxLayout(direction, self)
        self.body.setContentsMargins(margin, margin, margin, margin)
        self.body.setSpacing(spacing)


class Divider(QFrame):
    """A line one pixel thick."""

    def __init__(self, *, vertical: bool = False) -> None:
        super().__init__()
        self.setProperty("kind", "divider")
        if vertical:
            self.setFixedWidth(1)
        else:
            self.setFixedHeight(1)


class PageHeader(QFrame):
    """The bar on top of each page: title, a line below it, controls on the right."""

    def __init__(self, title: str, subtitle: str = "") -> None:
        super().__init__()
        self.setProperty("kind", "header")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.setMinimumHeight(70)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(PAGE_MARGIN, 10, PAGE_MARGIN, 10)
        self._row.setSpacing(16)
        words = QVBoxLayout()
        words.setSpacing(2)
        self.title = ElidedLabel(title, TextRole.TITLE)
        self.title.setMinimumWidth(120)
        self.subtitle = TextLabel(subtitle, TextRole.SMALL, "muted", wrap=True)
        words.addStretch(1)
        words.addWidget(self.title)
        words.addWidget(self.subtitle)
        words.addStretch(1)
        self._row.addLayout(words, 1)

    def set_subtitle(self, text: str) -> None:
        self.subtitle.setText(text)

    def add_control(self, control: QWidget, caption: QWidget | None = None) -> None:
        """A control at the right end, with a SectionLabel above it where one is given."""
        if caption is None:
            self._row.addWidget(control, 0, Qt.AlignmentFlag.AlignVCenter)
            return
        column = QVBoxLayout()
        column.setSpacing(4)
        column.addStretch(1)
        column.addWidget(caption)
        column.addWidget(control)
        column.addStretch(1)
        self._row.addLayout(column)


class KeyValueRow(QWidget):
    """A name on the left, a value (text or any widget) on the right."""

    def __init__(
        self,
        key: str,
        value: str | QWidget,
        *,
        role: TextRole = TextRole.SMALL,
        key_tone: str = "ink",
    ) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        self.key = TextLabel(key, role, key_tone)
        self.value: QWidget = TextLabel(value, role) if isinstance(value, str) else value
        row.addWidget(self.key)
        row.addStretch(1)
        row.addWidget(self.value, 0, Qt.AlignmentFlag.AlignRight)

    def set_value(self, text: str) -> None:
        """For rows whose value is text."""
        if isinstance(self.value, TextLabel):
            self.value.setText(text)


class EmptyState(QWidget):
    """A page with nothing on it: what belongs here and the one thing to do. `acted` on press."""

    acted = Signal()

    def __init__(self, title: str, text: str, button: str = "") -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setSpacing(8)
        column.addStretch(2)
        self.title = TextLabel(title, TextRole.HEADING, wrap=True)
        self.text = TextLabel(text, TextRole.BODY, "muted", wrap=True)
        for label in (self.title, self.text):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.title)
        middle = QHBoxLayout()
        middle.addStretch(1)
        middle.addWidget(self.text, 3)
        middle.addStretch(1)
        column.addLayout(middle)
        self.button: Button | None = None
        if button:
            self.button = PrimaryButton(button)
            self.button.clicked.connect(self._on_clicked)
            column.addSpacing(6)
            column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)

    def _on_clicked(self) -> None:
        self.acted.emit()


class ScrollPage(QScrollArea):
    """A vertical scroll area; fill `body`. Never scrolls sideways."""

    def __init__(self, *, margin: int = PAGE_MARGIN, top: int = 18, spacing: int = 10) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        content = QWidget()
        content.setProperty("kind", "content")
        self.body = QVBoxLayout(content)
        self.body.setContentsMargins(margin, top, margin, top)
        self.body.setSpacing(spacing)
        self.setWidget(content)
        self.viewport().setAutoFillBackground(False)
        self._margin = margin
        self.verticalScrollBar().rangeChanged.connect(self._on_range_changed)

    def content_height(self, width: int) -> int:
        """The height at which nothing needs to be scrolled."""
        # While a scroll bar is shown, the right margin is smaller than it will be then.
        spare = self._margin - self.body.contentsMargins().right()
        return self.body.totalHeightForWidth(width - spare)

    def _on_range_changed(self, _: int, most: int) -> None:
        # The bar stands in the margin, so that the content keeps its right edge.
        margins = self.body.contentsMargins()
        bar = self.verticalScrollBar().sizeHint().width() if most > 0 else 0
        wanted = max(2, self._margin - bar)
        if margins.right() != wanted:
            margins.setRight(wanted)
            self.body.setContentsMargins(margins)


class Column(QWidget):
    """Widgets below each other, in the middle of the height."""

    def __init__(self, *, spacing: int) -> None:
        super().__init__()
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(spacing)
        self.column.addStretch(1)

    def add(self, *widgets: QWidget) -> None:
        for widget in widgets:
            self.column.addWidget(widget)
        if len(widgets) > 1:
            self.finish()

    def finish(self) -> None:
        self.column.addStretch(1)
