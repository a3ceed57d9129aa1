"""Finds labels and buttons whose text does not fit into them."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt
from PySide6.QtWidgets import QAbstractScrollArea, QLabel, QPushButton, QScrollArea, QWidget

from openshelf.ui.widgets import Chip, ElidedLabel, TickBox


def clipped_texts(root: QWidget, *, may_elide: bool) -> list[str]:
    """A line for each visible text that is cut, and for each widget that leaves its parent.

    `may_elide` allows labels made for it to end in …
    """
    problems = [
        f"the content of {area.accessibleName()!r} is {content.width()} wide, "
        f"and {area.viewport().width()} are shown"
        for area in root.findChildren(QScrollArea)
        if area.horizontalScrollBarPolicy() is Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        and (content := area.widget()) is not None
        and content.isVisible()
        and content.width() > area.viewport().width()
    ]
    for widget in root.findChildren(QWidget):
        if isinstance(widget, TickBox) and widget.isVisible():
            if widget.heightForWidth(widget.width()) > widget.height():
                problems.append(f"the tick box {widget.accessibleName()!r} is cut")
            continue
        if not widget.isVisible() or not _text_of(widget):
            continue
        if isinstance(widget, ElidedLabel | Chip):
            if isinstance(widget, Chip) and _is_chip_cut(widget):
                problems.append(f"the chip {widget.words!r} is cut")
            if widget.is_elided and not may_elide:
                problems.append(f"{_text_of(widget)[:60]!r} is cut off with …")
            continue
        needed = _needed(widget)
        if needed is not None and not _fits(needed, widget.size()):
            problems.append(
                f"{_text_of(widget)[:60]!r} needs {needed.width()}×{needed.height()}, "
                f"has {widget.width()}×{widget.height()}"
            )
        elif _leaves_parent(widget):
            problems.append(f"{_text_of(widget)[:60]!r} leaves its parent")
    return problems


def _is_chip_cut(chip: Chip) -> bool:
    return chip.fontMetrics().horizontalAdvance(chip.text()) > chip.contentsRect().width() + 1


def _text_of(widget: QWidget) -> str:
    return widget.text() if isinstance(widget, QLabel | QPushButton) else ""


def _needed(widget: QWidget):
    if isinstance(widget, QLabel) and widget.wordWrap():
        bounds = widget.fontMetrics().boundingRect(
            QRect(0, 0, widget.width(), 100_000),
            int(Qt.TextFlag.TextWordWrap),
            widget.text(),
        )
        return bounds.size()
    return widget.minimumSizeHint()


def _fits(needed, has) -> bool:
    return needed.width() <= has.width() + 1 and needed.height() <= has.height() + 1


def _leaves_parent(widget: QWidget) -> bool:
    parent = widget.parentWidget()
    if parent is None or isinstance(parent.parentWidget(), QAbstractScrollArea):
        return False
    return not parent.rect().adjusted(-1, -1, 1, 1).contains(widget.geometry())
