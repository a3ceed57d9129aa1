"""What was found in a machine, whether the engine can use it, and what could not be found out."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from openshelf.fit.pools import GPU_RESERVE_BYTES, RAM_RESERVE_BYTES, RAM_RESERVE_SHARE
from openshelf.fit.verdict import generation_threads
from openshelf.hardware.facts import Cpu, Disk, EngineBuild, Gpu, GpuKind, Machine, Memory
from openshelf.ui.models.hardware_facts import enabling_commands
from openshelf.ui.models.hardware_values import editable_values, is_by_hand
from openshelf.ui.pages.hardware_editor import ValueEditor
from openshelf.ui.pages.hardware_row import BUILDS, CHANGE, ENABLE, FoundRow, Link
from openshelf.ui.sentences import reason_sentence
from openshelf.ui.theme import TextRole
from openshelf.ui.theme.kinds import ChipKind
from openshelf.ui.widgets.containers import Card
from openshelf.ui.widgets.text import TextLabel
from openshelf.units import format_bytes

_EVERYWHERE = frozenset(("SSE4.2", "AVX", "F16C", "FMA"))
"""Features that any machine of ten years has: not worth the room."""


class FoundCard(Card):
    """`entered` carries a part and its texts by field, `reset` a part and a field."""

    entered = Signal(str, object)
    reset = Signal(str, str)
    builds_asked = Signal()

    def __init__(self) -> None:
        super().__init__(margin=18, spacing=0)
        self.body.addWidget(TextLabel(self.tr("Found"), TextRole.HEADING))
        self._rows = QVBoxLayout()
        self._rows.setSpacing(0)
        self.body.addLayout(self._rows)
        self.body.addStretch(1)
        self._machine: Machine | None = None
        self._waiting: Machine | None = None
        self._by_part: dict[str, FoundRow] = {}
        self.editor: ValueEditor | None = None

    def show_machine(self, machine: Machine) -> None:
        """What was found; while somebody edits a value, it waits until that is done."""
        if self.editor is not None:
            self._waiting = machine
        elif machine != self._machine:
            self._machine = machine
            self._rebuild(machine)

    def _rebuild(self, machine: Machine) -> None:
        self._by_part = {}
        while (item := self._rows.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for number, gpu in enumerate(machine.gpus):
            self._add_row(gpu.id, self._gpu_row(number, gpu))
        if not machine.gpus:
            text = self.tr("No GPU was found; models run on the CPU.")
            self._rows.addWidget(FoundRow(self.tr("GPU"), self.tr("none"), text))
        self._add_row("cpu", self._cpu_row(machine.cpu, generation_threads(machine)))
        self._add_row("memory", self._memory_row(machine.memory))
        for disk in machine.disks:
            self._rows.addWidget(self._disk_row(disk))
        engine = self._engine_row(machine.engine)
        engine.add_state(None, links=[Link(BUILDS, self.tr("Builds…"))])
        engine.linked.connect(self._on_builds)
        self._rows.addWidget(engine)
        self._add_notes(machine)

    def _add_row(self, part: str, row: FoundRow) -> None:
        row.setProperty("part", part)
        row.linked.connect(self._on_linked)
        self._by_part[part] = row
        self._rows.addWidget(row)

    def _on_linked(self, link: str) -> None:
        row = self.sender()
        part = str(row.property("part"))
        if link == CHANGE:
            self.open_editor(part)
        elif isinstance(row, FoundRow) and self._machine is not None:
            gpu = next((gpu for gpu in self._machine.gpus if gpu.id == part), None)
            row.show_commands(enabling_commands(gpu) if gpu else ())

    def _on_builds(self, _: str) -> None:
        self.builds_asked.emit()

    def open_editor(self, part: str) -> None:
        """The editor of `memory`, `cpu` or a GPU below its row; one at a time."""
        self.close_editor()
        row = self._by_part.get(part)
        if row is None or self._machine is None:
            return
        self.editor = ValueEditor(row.name, editable_values(self._machine, part))
        self.editor.setProperty("part", part)
        self.editor.entered.connect(self._on_entered)
        self.editor.reset.connect(self._on_reset)
        self.editor.closed.connect(self.close_editor)
        row.below.addWidget(self.editor)
        row.below.setContentsMargins(0, 0, 0, 10)
        self.editor.show()
        self.editor.focus_first()

    def close_editor(self) -> None:
        if self.editor is None:
            return
        part = str(self.editor.property("part"))
        self.editor.hide()
        self.editor.deleteLater()
        self.editor = None
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            self.show_machine(waiting)
        row = self._by_part.get(part)
        if row is not None:
            row.below.setContentsMargins(0, 0, 0, 0)
            row.focus_link(CHANGE)

    def _on_entered(self, texts: object) -> None:
        if self.editor is not None:
            self.entered.emit(str(self.editor.property("part")), texts)

    def _on_reset(self, field: str) -> None:
        if self.editor is not None:
            self.reset.emit(str(self.editor.property("part")), field)

    def _change(self) -> Link:
        return Link(CHANGE, self.tr("Change…"))

    def _shown(self, part: Cpu | Memory | Gpu, field: str, text: str) -> str:
        """A figure, and that it was set by hand where it was."""
        return (
            self.tr("{value} (set by hand)").format(value=text) if is_by_hand(part, field) else text
        )

    def _gpu_row(self, number: int, gpu: Gpu) -> FoundRow:
        title = self.tr("GPU {number}").format(number=number)
        row = FoundRow(title, gpu.name, " · ".join(self._gpu_figures(gpu)))
        why = reason_sentence(gpu.reason) if gpu.reason else ""
        links = [self._change()]
        if gpu.usable_by_engine:
            words = self.tr("used by the engine")
            if gpu.engine_name:
                words = self.tr("used by the engine: {name}").format(name=gpu.engine_name)
            row.add_state((words, ChipKind.GOOD), why, links)
        elif gpu.usable_by_engine is False:
            if enabling_commands(gpu):
                links.insert(0, Link(ENABLE, self.tr("How to enable")))
            row.add_state((self.tr("seen, not used"), ChipKind.WARNING), why, links)
        else:
            row.add_state((self.tr("not known yet"), ChipKind.NEUTRAL), why, links)
        return row

    def _gpu_figures(self, gpu: Gpu) -> list[str]:
        parts = []
        if gpu.kind is GpuKind.UNIFIED:
            parts.append(self.tr("shares all memory with the CPU"))
        elif gpu.kind is GpuKind.INTEGRATED:
            parts.append(self.tr("shares RAM"))
        if gpu.total_bytes is not None:
            parts.append(self._shown(gpu, "total_bytes", _gib(gpu.total_bytes)))
        if gpu.free_bytes is not None:
            free = self.tr("{size} free").format(size=_gib(gpu.free_bytes))
            parts.append(self._shown(gpu, "free_bytes", free))
        if gpu.kind is GpuKind.DISCRETE:
            parts.append(self.tr("{size} kept for you").format(size=_gib(GPU_RESERVE_BYTES)))
        if gpu.bandwidth_bytes_per_second:
            rate = self.tr("{rate}/s").format(rate=format_bytes(gpu.bandwidth_bytes_per_second))
            parts.append(self._shown(gpu, "bandwidth_bytes_per_second", rate))
        if gpu.driver:
            parts.append(self.tr("driver {version}").format(version=gpu.driver))
        return parts + self._source(gpu.source)

    def _source(self, source: str) -> list[str]:
        return [self.tr("from {source}").format(source=source)] if source else []

    def _cpu_row(self, cpu: Cpu, used_threads: int) -> FoundRow:
        cores = self.tr("%n core(s)", "", cpu.physical_cores)
        threads = self.tr("%n thread(s)", "", cpu.logical_cores)
        parts = [
            self._shown(cpu, "physical_cores", cores),
            self._shown(cpu, "logical_cores", threads),
        ]
        parts += [name for name in cpu.features if name not in _EVERYWHERE]
        parts += self._source(cpu.source)
        row = FoundRow(self.tr("CPU"), cpu.name or self.tr("unknown"), " · ".join(parts))
        words = self.tr("used by the engine: %n thread(s)", "", used_threads)
        row.add_state((words, ChipKind.GOOD), links=[self._change()])
        return row

    def _memory_row(self, memory: Memory) -> FoundRow:
        reserve = max(RAM_RESERVE_BYTES, memory.total_bytes // RAM_RESERVE_SHARE)
        free = self.tr("{size} free").format(size=_gib(memory.available_bytes))
        parts = [
            self._shown(memory, "available_bytes", free),
            self.tr("{size} kept for you").format(size=_gib(reserve)),
        ]
        if memory.bandwidth_bytes_per_second:
            rate = self.tr("{rate}/s").format(rate=format_bytes(memory.bandwidth_bytes_per_second))
            parts.append(self._shown(memory, "bandwidth_bytes_per_second", rate))
        parts += self._source(memory.source)
        name = self.tr("{size} RAM").format(size=_gib(memory.total_bytes))
        name = self._shown(memory, "total_bytes", name)
        row = FoundRow(self.tr("Memory"), name, " · ".join(parts))
        row.add_state(None, links=[self._change()])
        return row

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
