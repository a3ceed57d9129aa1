"""Tab goes as the eye does: in the order in which things stand, not in that of their creation.

Rows that come later, a notice above what was there, messages of a conversation: Qt puts all of
them at the end of the chain. So the chain is put right when somebody presses Tab.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

_DIRECT = Qt.FindChildOption.FindDirectChildrenOnly


def order_tabs(root: QWidget) -> None:
    """Put what Tab reaches inside of `root` into the order in which it stands there."""
    wanted = [widget for widget in as_they_stand(root) if _takes_tab(widget)]
    for before, after in itertools.pairwise(wanted):
        QWidget.setTabOrder(before, after)


def as_they_stand(root: QWidget) -> Iterator[QWidget]:
    """The widgets inside of `root` that are shown, each before what it holds: line by line."""
    shown = [
        child
        for child in root.findChildren(QWidget, options=_DIRECT)
        if not child.isHidden() and not child.isWindow()
    ]
    for line in _lines(shown):
        is_mirrored = root.layoutDirection() is Qt.LayoutDirection.RightToLeft
        for child in sorted(line, key=QWidget.x, reverse=is_mirrored):
            yield child
            yield from as_they_stand(child)


def _lines(widgets: Sequence[QWidget]) -> Iterator[list[QWidget]]:
    """Those beside each other: what begins above the middle of the first one of its line."""
    line: list[QWidget] = []
    for widget in sorted(widgets, key=QWidget.y):
        if line and widget.y() >= line[0].y() + line[0].height() / 2:
            yield line
            line = []
        line.append(widget)
    if line:
        yield line


def _takes_tab(widget: QWidget) -> bool:
    is_reached = widget.focusPolicy() & Qt.FocusPolicy.TabFocus
    return bool(is_reached) and widget.isEnabled() and widget.focusProxy() is None
