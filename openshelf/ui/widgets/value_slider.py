"""A slider with its name and value above it, drawn as a thin bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QSlider, QVBoxLayout, QWidget
from typing_extensions import override

from openshelf.ui.theme import TextRole, color
from openshelf.ui.widgets.text import TextLabel

_HEIGHT = 16
_GROOVE = 5
_KNOB = 6.0


class BarSlider(QSlider):
    """A horizontal slider in the colors of the theme; wheel turns over it do nothing."""

    def __init__(self, steps: int) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setRange(0, steps)
        self.setPageStep(max(1, steps // 10))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(_HEIGHT)

    @override
    def sizeHint(self) -> QSize:
        return QSize(140, _HEIGHT)

    @override
    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        share = self.value() / max(1, self.maximum())
        if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            share = 1 - share
        room = self.width() - 2 * _KNOB - 2
        x = _KNOB + 1 + share * room
        middle = self.height() / 2
        groove = QRectF(0, middle - _GROOVE / 2, self.width(), _GROOVE)
        painter.setBrush(color("free"))
        painter.drawRoundedRect(groove, _GROOVE / 2, _GROOVE / 2)
        groove.setRight(x)
        painter.setBrush(color("accent" if self.isEnabled() else "faint"))
        painter.drawRoundedRect(groove, _GROOVE / 2, _GROOVE / 2)
        painter.drawEllipse(QPointF(x, middle), _KNOB, _KNOB)
        if self.hasFocus():
            painter.setBrush(color("on_accent"))
            painter.drawEllipse(QPointF(x, middle), _KNOB / 2, _KNOB / 2)


class ValueSlider(QWidget):
    """One of `values`, written with `show`; `value_changed` carries it as a float."""

    value_changed = Signal(float)

    def __init__(
        self,
        name: str,
        values: Sequence[float],
        value: float,
        show: Callable[[float], str],
    ) -> None:
        super().__init__()
        self._values, self._show_value = tuple(values), show
        self._exact: float | None = None
        """The value that was set, until the slider is moved."""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        row = QHBoxLayout()
        row.addWidget(TextLabel(name, TextRole.SMALL))
        row.addStretch(1)
        self._label = TextLabel("", TextRole.SMALL)
        self._label.set_tabular(TextRole.SMALL)
        row.addWidget(self._label)
        column.addLayout(row)
        self.slider = BarSlider(len(self._values) - 1)
        self.slider.setAccessibleName(name)
        column.addWidget(self.slider)
        self.set_value(value)
        self.slider.valueChanged.connect(self._on_value_changed)

    @property
    def value(self) -> float:
        return self._values[self.slider.value()] if self._exact is None else self._exact

    def set_value(self, value: float) -> None:
        """Exactly this one; the slider stands at the nearest of its values."""
        distances = [abs(known - value) for known in self._values]
        self.slider.setValue(distances.index(min(distances)))
        self._exact = value
        self._show_label()

    def _show_label(self) -> None:
        text = self._show_value(self.value)
        self._label.setText(text)
        self.slider.setAccessibleDescription(text)

    def _on_value_changed(self, _: int) -> None:
        self._exact = None
        self._show_label()
        self.value_changed.emit(self.value)
