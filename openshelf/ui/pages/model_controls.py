"""What can be changed on the Model screen: context, type of its memory, GPU layers, machine."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from openshelf.fit.memory import FitRequest
from openshelf.hardware.facts import Machine
from openshelf.ui.models.context_lengths import context_steps, read_length
from openshelf.ui.theme.fonts import TextRole, font
from openshelf.ui.widgets import (
    Card,
    LinkButton,
    SectionLabel,
    SegmentedControl,
    TextLabel,
)
from openshelf.ui.widgets.machine_chooser import MachineChooser
from openshelf.ui.widgets.value_slider import BarSlider
from openshelf.units import format_bytes

_HEAD_HEIGHT = 28
KV_TYPES = ("f16", "q8_0", "q4_0")


@dataclass(frozen=True)
class ModelChoices:
    """`gpu_layers` None = the best; `machine` None = the one that people sit at."""

    context_length: int
    kv_type: str
    gpu_layers: int | None = None
    machine: Machine | None = None

    @property
    def request(self) -> FitRequest:
        return FitRequest(
            context_length=self.context_length,
            kv_type_k=self.kv_type,
            kv_type_v=self.kv_type,
            gpu_layers=self.gpu_layers,
        )


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


class LayersControl(ModelControl):
    """How many layers go to the GPU, by itself or by hand; `changed(int | None)`."""

    changed = Signal(object)

    def __init__(self) -> None:
        super().__init__(self.tr("GPU layers"))
        self._layers: int | None = None
        self._budget_bytes = 0
        self._value = TextLabel("", TextRole.STRONG)
        self.head.addWidget(self._value)
        self.slider = BarSlider(1)
        self.slider.setAccessibleName(self.tr("GPU layers"))
        self.column.addWidget(self.slider)
        self.automatic = LinkButton(
            self.tr("Choose automatically"), self.tr("Choose GPU layers automatically"), small=True
        )
        self.automatic.hide()
        self.finish()
        self.column.insertWidget(2, self.automatic)
        self.slider.valueChanged.connect(self._on_slider)
        self.automatic.clicked.connect(self._on_automatic)

    @property
    def layers(self) -> int | None:
        return self._layers

    def show_layers(self, found: int, most: int, budget_bytes: int) -> None:
        """What was found for the chosen build, of `most` with the output layer."""
        self._budget_bytes = budget_bytes
        shown = found if self._layers is None else min(self._layers, most)
        self.slider.blockSignals(True)
        self.slider.setRange(0, most)
        self.slider.setValue(shown)
        self.slider.blockSignals(False)
        self._show()

    def reset(self) -> None:
        self._layers = None
        self._show()

    def _show(self) -> None:
        text = self.tr("{layers} of {all}")
        text = text.format(layers=self.slider.value(), all=self.slider.maximum())
        self._value.setText(text)
        self.slider.setAccessibleDescription(text)
        self.slider.update()
        is_automatic = self._layers is None
        free = format_bytes(self._budget_bytes, binary=True)
        self.hint.setText(self.tr("chosen automatically for {size} free").format(size=free))
        self.hint.setVisible(is_automatic)
        self.automatic.setVisible(not is_automatic)

    def _on_slider(self, layers: int) -> None:
        self._layers = layers
        self._show()
        self.changed.emit(layers)

    def _on_automatic(self) -> None:
        self.slider.setFocus()
        self.reset()
        self.changed.emit(None)


class MachineControl(ModelControl):
    """What if it were another machine; `changed(Machine | None)`."""

    changed = Signal(object)

    def __init__(self) -> None:
        super().__init__(self.tr("What if"))
        self.chooser = MachineChooser()
        self.column.addWidget(self.chooser)
        self.finish()
        self.chooser.machine_chosen.connect(self._on_chosen)
        self._show(None)

    def _on_chosen(self, machine: Machine | None) -> None:
        self._show(machine)
        self.changed.emit(machine)

    def _show(self, machine: Machine | None) -> None:
        self.hint.setText("" if machine is None else self.tr("with nothing else running on it"))
        self.hint.setVisible(machine is not None)


class ModelControls(Card):
    """All of them beside each other; `changed(ModelChoices)` whenever one was moved."""

    changed = Signal(object)

    def __init__(self, choices: ModelChoices) -> None:
        super().__init__(horizontal=True, spacing=22)
        self.body.setContentsMargins(18, 10, 18, 10)
        self._choices = choices
        self.context = ContextControl(choices.context_length)
        self.kv_type = KvTypeControl(choices.kv_type)
        self.layers = LayersControl()
        self.machine = MachineControl()
        for control, share in (
            (self.context, 27), (self.kv_type, 20), (self.layers, 24), (self.machine, 20),
        ):  # fmt: skip
            self.body.addWidget(control, share)
        self.layers.hide()
        self.context.changed.connect(self._on_context)
        self.kv_type.changed.connect(self._on_kv_type)
        self.layers.changed.connect(self._on_layers)
        self.machine.changed.connect(self._on_machine)

    @property
    def choices(self) -> ModelChoices:
        return self._choices

    def set_longest(self, longest: int | None) -> None:
        self.context.set_longest(longest)
        self._choices = replace(self._choices, context_length=self.context.length)

    def reset_layers(self) -> None:
        """Another model or machine: what was chosen by hand says nothing of it."""
        self.layers.reset()
        self._choices = replace(self._choices, gpu_layers=None)

    def _change(self, choices: ModelChoices) -> None:
        self._choices = choices
        self.changed.emit(choices)

    def _on_context(self, length: int) -> None:
        self._change(replace(self._choices, context_length=length))

    def _on_kv_type(self, kv_type: str) -> None:
        self._change(replace(self._choices, kv_type=kv_type))

    def _on_layers(self, layers: int | None) -> None:
        self._change(replace(self._choices, gpu_layers=layers))

    def _on_machine(self, machine: Machine | None) -> None:
        self.layers.reset()
        self._change(replace(self._choices, machine=machine, gpu_layers=None))
