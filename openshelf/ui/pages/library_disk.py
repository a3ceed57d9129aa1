"""How much of the disk the models take, the largest by name."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QHBoxLayout, QWidget

from openshelf.library.installed import InstalledModel
from openshelf.ui.models.library_facts import DiskUse
from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.bars import LegendMark, Segment, SegmentBar
from openshelf.ui.widgets.containers import Card
from openshelf.ui.widgets.flow import FlowLayout
from openshelf.ui.widgets.text import TextLabel
from openshelf.units import format_bytes

_TOKENS = ("weights", "kv_cache", "compute_buffer", "warning")
_OTHERS, _ELSE = "muted", "control_line"


class DiskCard(Card):
    def __init__(self) -> None:
        super().__init__()
        self.body.addWidget(TextLabel(self.tr("Disk"), TextRole.HEADING))
        self.bar = SegmentBar(self.tr("Use of the disk"), thickness=14)
        self.body.addWidget(self.bar)
        self._legend = QWidget()
        self._flow = FlowLayout(self._legend, spacing=14)
        self.body.addWidget(self._legend)

    def show_use(self, installed: Sequence[InstalledModel], disk: DiskUse) -> None:
        """The models' share of `disk`, everything else on it, and what is free."""
        present = [model for model in installed if not model.missing]
        by_size = sorted(present, key=lambda model: model.size_bytes, reverse=True)
        named, rest = by_size[: len(_TOKENS)], by_size[len(_TOKENS) :]
        parts = [
            (" ".join(model.name.split()), model.size_bytes, token)
            for model, token in zip(named, _TOKENS, strict=False)
        ]
        if rest:
            words = self.tr("%n other model(s)", "", len(rest))
            parts.append((words, sum(model.size_bytes for model in rest), _OTHERS))
        models = sum(size for _, size, _ in parts)
        used = disk.total_bytes - disk.free_bytes
        parts.append((self.tr("everything else"), max(0, used - models), _ELSE))
        whole = max(1, disk.total_bytes)
        self.bar.set_segments(
            [Segment(size / whole, token, is_hatched=token == _ELSE) for _, size, token in parts]
        )
        free = (self.tr("free"), disk.free_bytes, "free")
        self._show_legend([*parts, free])

    def _show_legend(self, parts: Sequence[tuple[str, int, str]]) -> None:
        while (item := self._flow.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        spoken = []
        for name, size, token in parts:
            short = name if len(name) <= 36 else f"{name[:35]}…"
            text = f"{short} {format_bytes(size)}"
            spoken.append(text)
            entry = QWidget()
            row = QHBoxLayout(entry)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(5)
            row.addWidget(LegendMark(token, is_hatched=token == _ELSE))
            row.addWidget(TextLabel(text, TextRole.TINY, "muted"))
            self._flow.addWidget(entry)
        self.bar.setAccessibleDescription("; ".join(spoken))
