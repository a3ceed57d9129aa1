"""What can be changed on the Model screen: context, type of its memory, GPU layers, machine."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import Signal

from openshelf.fit.memory import FitRequest
from openshelf.hardware.facts import Machine
from openshelf.ui.pages.model_control import ContextControl, KvTypeControl, ModelControl
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import Card, LinkButton, TextLabel
from openshelf.ui.widgets.machine_chooser import MachineChooser
from openshelf.ui.widgets.value_slider import BarSlider
from openshelf.units import format_bytes


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
