"""What the engine took beside what was predicted, memory by memory and part by part."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from openshelf.library.measurements import Component, ComponentMemory
from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.bars import Segment, SegmentBar
from openshelf.ui.widgets.text import TextLabel
from openshelf.units import format_bytes


class ComparedView(QWidget):
    """Predicted beside measured: a name with the difference, then the bar, then both sizes."""

    def __init__(
        self,
        name: str,
        predicted: int | None,
        measured: int | None,
        *,
        role: TextRole = TextRole.SMALL,
    ) -> None:
        super().__init__()
        self.name = name
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(4 if role is TextRole.SMALL else 1)
        self.head = QHBoxLayout()
        self.head.setSpacing(6)
        self.head.addWidget(TextLabel(name, role))
        # It wraps where a language has longer words: the panel does not grow.
        difference = self._difference(predicted, measured)
        self.difference = TextLabel(difference, TextRole.TINY, "muted", wrap=True)
        self.difference.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.head.addWidget(self.difference, 1)
        self.column.addLayout(self.head)
        self.words = self.tr("{measured} · {predicted} predicted").format(
            measured=self._measured(measured), predicted=self._size(predicted)
        )
        self._sizes = TextLabel(self.words, TextRole.TINY, "muted", wrap=True)
        self.column.addWidget(self._sizes)

    def _measured(self, count: int | None) -> str:
        if count is None:
            return self.tr("not told")
        return self.tr("{size} measured").format(size=self._size(count))

    def _size(self, count: int | None) -> str:
        return "?" if count is None else format_bytes(count, binary=True)

    def _difference(self, predicted: int | None, measured: int | None) -> str:
        if not predicted or measured is None:
            return ""
        share = round((measured - predicted) / predicted * 100, 1) + 0.0
        text = f"{share:+.1f}".replace("-", "−") if share else "0.0"
        return self.tr("difference {share} %").format(share=text)


class PartView(ComparedView):
    """One component of what lies in a memory, marked with its color in the bar."""

    def __init__(self, part: ComponentMemory) -> None:
        super().__init__(
            _component_name(part.component),
            part.predicted_bytes,
            part.measured_bytes,
            role=TextRole.TINY,
        )
        mark = SegmentBar(thickness=8)
        mark.setFixedWidth(8)
        mark.set_segments([Segment(1.0, part.component)])
        self.head.insertWidget(0, mark)
        self.setToolTip(_technical_name(part.component))


class PoolView(ComparedView):
    """One memory as a whole, and part by part where the engine tells it."""

    def __init__(
        self,
        name: str,
        predicted: int | None,
        measured: int | None,
        parts: tuple[ComponentMemory, ...] = (),
    ) -> None:
        super().__init__(name, predicted, measured)
        bar = SegmentBar(self.tr("Memory measured, of what was predicted"), thickness=8)
        whole = max(predicted or 0, measured or 0, 1)
        bar.set_segments(
            [Segment(_taken(part) / whole, part.component) for part in parts]
            or [Segment((measured or 0) / whole, "weights")]
        )
        bar.setAccessibleDescription(self.words)
        self.column.insertWidget(1, bar)
        for part in parts:
            self.column.addWidget(PartView(part))
        self.setToolTip(
            self.tr(
                "Weights, context memory and work buffers: as llama.cpp allocated them, beside "
                "what was predicted before loading."
            )
        )


def _taken(part: ComponentMemory) -> int:
    return part.predicted_bytes if part.measured_bytes is None else part.measured_bytes


def _component_name(component: str) -> str:
    names = {
        Component.WEIGHTS: QCoreApplication.translate("MeasuredMemory", "Weights"),
        Component.KV_CACHE: QCoreApplication.translate("MeasuredMemory", "Context memory"),
        Component.COMPUTE_BUFFER: QCoreApplication.translate("MeasuredMemory", "Work buffers"),
    }
    return names[Component(component)]


def _technical_name(component: str) -> str:
    names = {
        Component.WEIGHTS: QCoreApplication.translate("MeasuredMemory", "The model's tensors"),
        Component.KV_CACHE: QCoreApplication.translate("MeasuredMemory", "KV cache, with state"),
        Component.COMPUTE_BUFFER: QCoreApplication.translate("MeasuredMemory", "Compute buffers"),
    }
    return names[Component(component)]
