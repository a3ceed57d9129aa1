"""The small card at the foot of the rail: which machine this is and what is free on it."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from openshelf.hardware.facts import Gpu, Machine
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets.bars import Meter
from openshelf.ui.widgets.containers import Card
from openshelf.ui.widgets.text import ElidedLabel, SectionLabel, TextLabel
from openshelf.units import GIB, format_bytes

_VENDOR_WORDS = ("NVIDIA", "GeForce", "AMD", "Intel(R)", "(R)", "(TM)", "Corporation", "GPU")


def short_device_name(name: str) -> str:
    """`NVIDIA GeForce RTX 4070 Laptop GPU` → `RTX 4070 Laptop`, where something is left of it."""
    words = name.replace("(R)", "").replace("(TM)", "").split()
    kept = [word for word in words if word not in _VENDOR_WORDS]
    return " ".join(kept or words)


def shown_gpu(machine: Machine) -> Gpu | None:
    """The GPU that matters: the largest one that the engine can (or may) use."""
    known = [gpu for gpu in machine.gpus if gpu.total_bytes and gpu.usable_by_engine is not False]
    return max(known, key=lambda gpu: gpu.total_bytes or 0, default=None)


class _MemoryLine(QWidget):
    """`8.0 GiB VRAM · 7.1 free` above a bar of what is in use."""

    def __init__(self, color_name: str) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        self._text = TextLabel("", TextRole.TINY, "muted", wrap=True)
        self._bar = Meter("", color_name)
        column.addWidget(self._text)
        column.addWidget(self._bar)

    def show_memory(self, text: str, spoken: str, total_bytes: int, free_bytes: int) -> None:
        self._text.setText(text)
        self._bar.setAccessibleName(spoken)
        used = (total_bytes - free_bytes) / total_bytes if total_bytes else 0.0
        self._bar.set_fraction(used, text)


class MachineCard(Card):
    """Shows a machine; before one is known, says that it is being looked at."""

    def __init__(self) -> None:
        super().__init__(margin=10, spacing=3)
        self.body.addWidget(SectionLabel(self.tr("This machine")))
        self._name = ElidedLabel(self.tr("Looking…"), TextRole.SMALL_STRONG)
        self.body.addWidget(self._name)
        self._vram = _MemoryLine("weights")
        self._ram = _MemoryLine("kv_cache")
        self._disk = TextLabel("", TextRole.TINY, "muted", wrap=True)
        for line in (self._vram, self._ram, self._disk):
            line.hide()
            self.body.addWidget(line)
        self.body.setSpacing(5)

    def show_machine(self, machine: Machine) -> None:
        gpu = shown_gpu(machine)
        name = gpu.name if gpu else machine.cpu.name
        self._name.setText(short_device_name(name) if gpu else name)
        self._name.setToolTip(name)
        self._vram.setVisible(gpu is not None)
        if gpu is not None and gpu.total_bytes:
            self._show_vram(gpu, gpu.total_bytes)
        memory = machine.memory
        text = self.tr("{total} RAM · {free} free").format(
            total=_gib(memory.total_bytes), free=_number(memory.available_bytes)
        )
        spoken = self.tr("RAM in use")
        self._ram.show_memory(text, spoken, memory.total_bytes, memory.available_bytes)
        self._ram.show()
        self._disk.setVisible(bool(machine.disks))
        if machine.disks:
            free = format_bytes(machine.disks[0].free_bytes)
            self._disk.setText(self.tr("{free} free on disk").format(free=free))

    def _show_vram(self, gpu: Gpu, total_bytes: int) -> None:
        spoken = self.tr("VRAM in use")
        if gpu.free_bytes is None:
            text = self.tr("{total} VRAM").format(total=_gib(total_bytes))
            self._vram.show_memory(text, spoken, total_bytes, total_bytes)
            return
        text = self.tr("{total} VRAM · {free} free").format(
            total=_gib(total_bytes), free=_number(gpu.free_bytes)
        )
        self._vram.show_memory(text, spoken, total_bytes, gpu.free_bytes)


def _gib(count: int) -> str:
    return format_bytes(count, binary=True)


def _number(count: int) -> str:
    return f"{count / GIB:.1f}"
