"""Painted bars: plain meters, and the fit bar that shows where a model's memory goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QLineF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget
from typing_extensions import override

from openshelf.fit.verdict import Fit
from openshelf.ui.theme import scheme
from openshelf.units import format_bytes


@dataclass(frozen=True)
class Segment:
    """`share` of the bar's width (0–1) in the color of `token`; hatched means "too much"."""

    share: float
    token: str
    is_hatched: bool = False


def paint_hatched(painter: QPainter, area: QRectF, token: str) -> None:
    """Diagonal stripes, so that "too much" is a shape and not only a color."""
    painter.save()
    painter.setClipRect(area, Qt.ClipOperation.IntersectClip)
    painter.setPen(QPen(scheme.color(token), 3))
    x = area.left() - area.height()
    while x < area.right() + area.height():
        end = x + area.height()
        painter.drawLine(QLineF(x, area.bottom() + 2, end, area.top() - 2))
        x += 7
    painter.restore()


def paint_segments(
    painter: QPainter, area: QRectF, segments: Sequence[Segment], *, is_mirrored: bool
) -> None:
    """The parts in a rounded bar on the color of free memory."""
    painter.save()
    outline = QPainterPath()
    outline.addRoundedRect(area, area.height() / 2, area.height() / 2)
    painter.setClipPath(outline, Qt.ClipOperation.IntersectClip)
    painter.fillRect(area, scheme.color("free"))
    left = 0.0
    for segment in segments:
        width = min(segment.share, 1.0) * area.width()
        x = area.right() - left - width if is_mirrored else area.left() + left
        part = QRectF(x, area.top(), width, area.height())
        if segment.is_hatched:
            paint_hatched(painter, part, segment.token)
        else:
            painter.fillRect(part, scheme.color(segment.token))
        left += width
    painter.restore()


class SegmentBar(QWidget):
    """A rounded bar of colored parts on the color of free memory, from left to right."""

    def __init__(self, name: str = "", *, thickness: int = 10) -> None:
        super().__init__()
        self._segments: tuple[Segment, ...] = ()
        self._thickness = thickness
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(thickness)

    @property
    def segments(self) -> tuple[Segment, ...]:
        return self._segments

    def set_segments(self, segments: Sequence[Segment]) -> None:
        if self._segments != tuple(segments):
            self._segments = tuple(segments)
            self.update()

    @override
    def sizeHint(self) -> QSize:
        return QSize(160, self._thickness)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        is_mirrored = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        paint_segments(painter, QRectF(self.rect()), self._segments, is_mirrored=is_mirrored)


class Meter(SegmentBar):
    """One value between 0 and 1: memory in use, progress of a download."""

    def __init__(self, name: str, tint: str = "accent", *, thickness: int = 10) -> None:
        super().__init__(name, thickness=thickness)
        self._tint = tint

    def set_tint(self, tint: str) -> None:
        """The color token of what is shown next."""
        self._tint = tint

    def set_fraction(self, fraction: float, spoken: str = "") -> None:
        """Show `fraction`; `spoken` is what a screen reader says for it."""
        self.set_segments([Segment(max(0.0, min(1.0, fraction)), self._tint)])
        self.setAccessibleDescription(spoken or f"{fraction * 100:.0f} %")


@dataclass(frozen=True)
class FitParts:
    """Bytes of one model on one machine, over all devices; `budget_bytes` is what may be used."""

    weights_bytes: int
    kv_cache_bytes: int
    compute_buffer_bytes: int
    budget_bytes: int

    @property
    def needed_bytes(self) -> int:
        return self.weights_bytes + self.kv_cache_bytes + self.compute_buffer_bytes

    @property
    def missing_bytes(self) -> int:
        return max(0, self.needed_bytes - self.budget_bytes)

    @classmethod
    def of(cls, fit: Fit) -> FitParts:
        """Sum over the devices; projector and overhead count as work buffers."""
        budget = sum(pool.budget_bytes for pool in fit.pools if pool.needed_bytes > 0)
        return cls(
            sum(device.weights_bytes for device in fit.devices),
            sum(device.kv_cache_bytes for device in fit.devices),
            sum(
                device.compute_buffer_bytes + device.projector_bytes + device.overhead_bytes
                for device in fit.devices
            ),
            budget or sum(pool.budget_bytes for pool in fit.pools),
        )

    def segments(self) -> list[Segment]:
        """Parts of a bar whose whole length is the budget, or the need where that is more."""
        whole = max(self.needed_bytes, self.budget_bytes, 1)
        parts = (
            (self.weights_bytes, "weights"),
            (self.kv_cache_bytes, "kv_cache"),
            (self.compute_buffer_bytes, "compute_buffer"),
        )
        segments, room = [], self.budget_bytes
        for size, token in parts:
            inside = min(size, room)
            room -= inside
            segments.append(Segment(inside / whole, token))
        if self.missing_bytes:
            segments.append(Segment(self.missing_bytes / whole, "bad", is_hatched=True))
        return segments


class FitBar(SegmentBar):
    """Weights, context memory, work buffers, what stays free, and (hatched) what is too much.

    The tooltip and the accessible description give each part in words and GiB.
    """

    def __init__(self, *, thickness: int = 10) -> None:
        super().__init__(thickness=thickness)
        self.setAccessibleName(self.tr("Memory on this machine"))

    def set_fit(self, fit: Fit) -> None:
        if not fit.devices:
            self.set_segments([])
            self._describe(self.tr("Memory needs are not known for this model yet."))
            return
        self.set_parts(FitParts.of(fit))

    def set_parts(self, parts: FitParts) -> None:
        self.set_segments(parts.segments())
        self._describe(describe_parts(parts))

    def _describe(self, text: str) -> None:
        self.setToolTip(text)
        self.setAccessibleDescription(text.replace("\n", "; "))


def describe_parts(parts: FitParts) -> str:
    """Each part in words and GiB, one to a line."""

    def line(text: str, **sizes: int) -> str:
        return text.format(**{name: _gib(size) for name, size in sizes.items()})

    lines = [
        line(_tr("Weights: {size}"), size=parts.weights_bytes),
        line(_tr("Context memory (KV cache): {size}"), size=parts.kv_cache_bytes),
        line(_tr("Work buffers (compute buffers): {size}"), size=parts.compute_buffer_bytes),
    ]
    if parts.missing_bytes:
        text = _tr("Too much by {size}: {budget} can be used now")
        lines.append(line(text, size=parts.missing_bytes, budget=parts.budget_bytes))
    else:
        free = parts.budget_bytes - parts.needed_bytes
        lines.append(line(_tr("Stays free: {size}"), size=free))
    return "\n".join(lines)


def _tr(text: str) -> str:
    return QCoreApplication.translate("FitBar", text)


def _gib(count: int) -> str:
    return format_bytes(count, binary=True)


class LegendMark(QWidget):
    """The small square of a legend in the color of `token`, striped for "too much"."""

    def __init__(self, token: str, *, is_hatched: bool = False) -> None:
        super().__init__()
        self._token, self._is_hatched = token, is_hatched
        self.setFixedSize(9, 9)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._is_hatched:
            painter.setPen(QPen(scheme.color(self._token), 1))
            painter.drawRect(QRectF(0.5, 0.5, 8, 8))
            paint_hatched(painter, QRectF(self.rect()), self._token)
        else:
            painter.fillRect(self.rect(), scheme.color(self._token))
