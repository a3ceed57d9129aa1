"""What stands above the families: the model that is here already, and the shape of what comes."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from typing_extensions import override

from openshelf.shelf.rows import RankedVariant
from openshelf.ui.sentences import reason_sentences
from openshelf.ui.theme import scheme
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import Button, Card, Column, TextLabel


class StarterCard(Card):
    """A model that lies on this machine already and only waits to be accepted."""

    install_pressed = Signal(str)

    def __init__(self) -> None:
        super().__init__(horizontal=True, margin=14, spacing=16)
        self._target = ""
        words = Column(spacing=3)
        self._title = TextLabel("", TextRole.STRONG, wrap=True)
        self._why = TextLabel("", TextRole.SMALL, "muted", wrap=True)
        words.add(self._title, self._why)
        self.body.addWidget(words, 1)
        self._action = Button(self.tr("Install…"))
        self._action.setFixedWidth(128)
        self._action.clicked.connect(self._on_pressed)
        self.body.addWidget(self._action, 0, Qt.AlignmentFlag.AlignVCenter)

    def show_starter(self, starter: RankedVariant) -> None:
        variant = starter.variant
        self._target = variant.target
        title = self.tr("Ready on this machine: {model} · {quant} — no download")
        self._title.setText(title.format(model=variant.model.name, quant=variant.quant))
        self._why.setText(reason_sentences(starter.reasons))
        name = self.tr("Install {model}").format(model=variant.model.name)
        self._action.setAccessibleName(name)

    def _on_pressed(self) -> None:
        self.install_pressed.emit(self._target)


class SkeletonCard(Card):
    """The shape of a card before there is anything to say."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(114)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(scheme.color("skeleton"))
        width = float(self.width())
        for left, top, share, height in (
            (0.015, 26, 0.11, 14), (0.015, 50, 0.08, 10), (0.015, 70, 0.06, 14),
            (0.23, 32, 0.12, 12), (0.23, 54, 0.39, 10), (0.23, 74, 0.30, 10),
            (0.64, 26, 0.18, 10), (0.64, 48, 0.16, 10), (0.64, 70, 0.17, 10),
            (0.872, 40, 0.113, 32),
        ):  # fmt: skip
            painter.drawRoundedRect(QRectF(width * left, top, width * share, height), 5, 5)
