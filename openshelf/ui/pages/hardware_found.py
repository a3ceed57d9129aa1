"""What was found in a machine, whether the engine can use it, and what could not be found out."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from openshelf.fit.pools import GPU_RESERVE_BYTES, RAM_RESERVE_BYTES, RAM_RESERVE_SHARE
from openshelf.hardware.facts import Cpu, Disk, EngineBuild, Gpu, GpuKind, Machine, Memory
from openshelf.ui.sentences import reason_sentence
from openshelf.ui.theme import TextRole
from openshelf.ui.theme.kinds import ChipKind
from openshelf.ui.widgets.chip import Chip
from openshelf.ui.widgets.containers import Card, Divider
from openshelf.ui.widgets.text import TextLabel
from openshelf.units import format_bytes

_EVERYWHERE = frozenset(("SSE4.2", "AVX", "F16C", "FMA"))
"""Features that any machine of ten years has: not worth the room."""


class FoundRow(QWidget):
    """Kind, name, figures; at the right what the engine makes of it."""

    def __init__(self, kind: str, name: str, figures: str) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        row = QHBoxLayout()
        row.setContentsMargins(0, 9, 0, 9)
        row.setSpacing(12)
        caption = TextLabel(kind, TextRole.BODY, "muted")
        caption.setFixedWidth(74)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(TextLabel(name, TextRole.STRONG, wrap=True, selectable=True))
        if figures:
            words.addWidget(TextLabel(figures, TextRole.TINY, "muted", wrap=True))
        self._row = row
        row.addWidget(caption, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addLayout(words, 5)
        column.addLayout(row)
        column.addWidget(Divider())

    def add_state(self, text: str, kind: ChipKind, why: str = "") -> None:
        state = QVBoxLayout()
        state.setSpacing(4)
        state.addStretch(1)
        state.addWidget(Chip(text, kind), 0, Qt.AlignmentFlag.AlignLeft)
        if why:
            state.addWidget(TextLabel(why, TextRole.TINY, "muted", wrap=True))
        state.addStretch(1)
        self._row.addLayout(state, 4)


class FoundCard(Card):
    def __init__(self) -> None:
        super().__init__(margin=18, spacing=0)
        self.body.addWidget(TextLabel(self.tr("Found"), TextRole.HEADING))
        self._rows = QVBoxLayout()
        self._rows.setSpacing(0)
        self.body.addLayout(self._rows)
        self.body.addStretch(1)
        self._machine: Machine | None = None

    def show_machine(self, machine: Machine) -> None:
        if machine == self._machine:
            return
        self._machine = machine
        while (item := self._rows.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for number, gpu in enumerate(machine.gpus):
            self._rows.addWidget(self._gpu_row(number, gpu))
        if not machine.gpus:
            text = self.tr("No GPU was found; models run on the CPU.")
            self._rows.addWidget(FoundRow(self.tr("GPU"), self.tr("none"), text))
        self._rows.addWidget(self._cpu_row(machine.cpu))
        self._rows.addWidget(self._memory_row(machine.memory))
        for disk in machine.disks:
            self._rows.addWidget(self._disk_row(disk))
        self._rows.addWidget(self._engine_row(machine.engine))
        self._add_notes(machine)

    def _gpu_row(self, number: int, gpu: Gpu) -> FoundRow:
        parts = []
        if gpu.kind is GpuKind.UNIFIED:
            parts.append(self.tr("shares all memory with the CPU"))
        elif gpu.kind is GpuKind.INTEGRATED:
            parts.append(self.tr("shares RAM"))
        if gpu.total_bytes is not None:
            parts.append(format_bytes(gpu.total_bytes, binary=True))
        if gpu.free_bytes is not None:
            parts.append(self.tr("{size} free").format(size=_gib(gpu.free_bytes)))
        if gpu.kind is GpuKind.DISCRETE:
            parts.append(self.tr("{size} kept for you").format(size=_gib(GPU_RESERVE_BYTES)))
        if gpu.bandwidth_bytes_per_second:
            rate = format_bytes(gpu.bandwidth_bytes_per_second)
            parts.append(self.tr("{rate}/s").format(rate=rate))
        if gpu.driver:
            parts.append(self.tr("driver {version}").format(version=gpu.driver))
        row = FoundRow(self.tr("GPU {number}").format(number=number), gpu.name, " · ".join(parts))
        why = reason_sentence(gpu.reason) if gpu.reason else ""
        if gpu.usable_by_engine:
            row.add_state(self.tr("used by the engine"), ChipKind.GOOD, why)
        elif gpu.usable_by_engine is False:
            row.add_state(self.tr("seen, not used"), ChipKind.WARNING, why)
        else:
            row.add_state(self.tr("not known yet"), ChipKind.NEUTRAL, why)
        return row

    def _cpu_row(self, cpu: Cpu) -> FoundRow:
        parts = [
            self.tr("%n core(s)", "", cpu.physical_cores),
            self.tr("%n thread(s)", "", cpu.logical_cores),
        ]
        parts += [name for name in cpu.features if name not in _EVERYWHERE]
        row = FoundRow(self.tr("CPU"), cpu.name or self.tr("unknown"), " · ".join(parts))
        row.add_state(self.tr("used by the engine"), ChipKind.GOOD)
        return row

    def _memory_row(self, memory: Memory) -> FoundRow:
        reserve = max(RAM_RESERVE_BYTES, memory.total_bytes // RAM_RESERVE_SHARE)
        parts = [
            self.tr("{size} free").format(size=_gib(memory.available_bytes)),
            self.tr("{size} kept for you").format(size=_gib(reserve)),
        ]
        name = self.tr("{size} RAM").format(size=_gib(memory.total_bytes))
        return FoundRow(self.tr("Memory"), name, " · ".join(parts))

    def _disk_row(self, disk: Disk) -> FoundRow:
        text = self.tr("{free} free of {total}")
        figures = text.format(free=format_bytes(disk.free_bytes), total=_gb(disk.total_bytes))
        return FoundRow(self.tr("Disk"), disk.path, figures)

    def _engine_row(self, engine: EngineBuild | None) -> FoundRow:
        if engine is None:
            text = self.tr("Its devices are listed once it has been asked.")
            return FoundRow(self.tr("Engine"), self.tr("not asked yet"), text)
        devices = [f"{device.name} ({device.description})" for device in engine.devices]
        text = ", ".join(devices) or self.tr("no devices listed")
        return FoundRow(self.tr("Engine"), engine.version, text)

    def _add_notes(self, machine: Machine) -> None:
        if not machine.notes:
            return
        column = QVBoxLayout()
        box = QWidget()
        box.setLayout(column)
        column.setContentsMargins(0, 12, 0, 0)
        column.setSpacing(4)
        column.addWidget(TextLabel(self.tr("Could not be found out"), TextRole.SMALL_STRONG))
        for note in machine.notes:
            column.addWidget(TextLabel(reason_sentence(note), TextRole.SMALL, "muted", wrap=True))
        self._rows.addWidget(box)


def _gib(count: int) -> str:
    return format_bytes(count, binary=True)


def _gb(count: int) -> str:
    return format_bytes(count)
