"""One control of the Model screen with its name and hint; the two for the context."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from openshelf.ui.models.context_lengths import context_steps, read_length
from openshelf.ui.theme.fonts import TextRole, font
from openshelf.ui.widgets import SectionLabel, SegmentedControl, TextLabel
from openshelf.ui.widgets.value_slider import BarSlider
from openshelf.units import format_bytes

_HEAD_HEIGHT = 28
KV_TYPES = ("f16", "q8_0", "q4_0")


class ModelControl(QWidget):
    """A name, something to change, and a line about it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(5)
        self.head = QHBoxLayout()
        self.head.setSpacing(6)
        label = SectionLabel(name)
        label.setWordWrap(True)
        label.setMinimumWidth(40)
        label.setMinimumHeight(_HEAD_HEIGHT)
        self.head.addWidget(label, 1)
        self.column.addLayout(self.head)
        self.hint = TextLabel("", TextRole.TINY, "muted", wrap=True)

    def finish(self) -> None:
        self.column.addWidget(self.hint)
        self.column.addStretch(1)


class ContextControl(ModelControl):
    """A slider over sensible lengths, and a field for any other; `changed(int)`."""

    changed = Signal(int)

    def __init__(self, length: int) -> None:
        super().__init__(self.tr("Context length"))
        self._length = self._asked = length
        self._longest: int | None = None
        self._steps = context_steps(None)
        self.field = QLineEdit()
        self.field.setFont(font(TextRole.STRONG, tabular=True))
        self.field.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.field.setAccessibleName(self.tr("Context length in tokens"))
        self.field.setMaxLength(16)
        self.field.setFixedSize(92, _HEAD_HEIGHT)
        self.head.addWidget(self.field)
        self.slider = BarSlider(len(self._steps) - 1)
        self.slider.setAccessibleName(self.tr("Context length"))
        self.column.addWidget(self.slider)
        self.finish()
        self.slider.valueChanged.connect(self._on_slider)
        self.field.editingFinished.connect(self._on_typed)
        self._show()

    @property
    def length(self) -> int:
        return self._length

    def set_longest(self, longest: int | None) -> None:
        """What the model was trained for; what was asked for is cut to that."""
        self._longest = longest
        self._steps = context_steps(longest)
        self._length = min(self._asked, longest or self._asked)
        self._show()

    def show_cost(self, bytes_per_1k: int | None) -> None:
        parts = []
        if self._longest is not None:
            parts.append(self.tr("up to {length}").format(length=f"{self._longest:,}"))
        if bytes_per_1k is not None:
            cost = format_bytes(bytes_per_1k, binary=True)
            parts.append(self.tr("1K tokens cost about {size}").format(size=cost))
        self.hint.setText(" · ".join(parts))

    def _show(self) -> None:
        self.field.setText(f"{self._length:,}")
        distances = [abs(step - self._length) for step in self._steps]
        self.slider.blockSignals(True)
        self.slider.setRange(0, len(self._steps) - 1)
        self.slider.setValue(distances.index(min(distances)))
        self.slider.blockSignals(False)
        self.slider.setAccessibleDescription(f"{self._length:,}")
        self.slider.update()

    def _set(self, length: int) -> None:
        is_new = length != self._length
        self._length = length
        if is_new:
            self._asked = length
        self._show()
        if is_new:
            self.changed.emit(length)

    def _on_slider(self, step: int) -> None:
        self._set(self._steps[step])

    def _on_typed(self) -> None:
        typed = read_length(self.field.text(), self._longest)
        self._set(self._length if typed is None else typed)


class KvTypeControl(ModelControl):
    """How the context memory is stored; `changed(str)`."""

    changed = Signal(object)

    def __init__(self, kv_type: str) -> None:
        name = self.tr("Context memory")
        super().__init__(name)
        self.setToolTip(self.tr("The KV cache: what the model keeps of the words so far"))
        options = [(name, name) for name in KV_TYPES]
        self.types: SegmentedControl[str] = SegmentedControl(name, options, kv_type)
        self.column.addWidget(self.types)
        self.hint.setText(self.tr("q8_0 takes about half of f16, q4_0 about a quarter"))
        self.finish()
        self.types.value_changed.connect(self.changed)
