"""Tab goes as the eye does: in the order of the layouts, not in the order of creation.

Rows that come later, a notice above what was there, messages of a conversation: Qt puts all of
them at the end of the chain. So the chain is put right when somebody presses Tab.
"""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLayout, QScrollArea, QStackedWidget, QWidget


def order_tabs(root: QWidget) -> None:
    """Put what Tab reaches inside of `root` into the order in which it is laid out."""
    wanted = [widget for widget in laid_out(root) if _takes_tab(widget)]
    for before, after in zip(wanted, wanted[1:], strict=False):
        QWidget.setTabOrder(before, after)


def laid_out(root: QWidget) -> Iterator[QWidget]:
    """The widgets inside of `root` that are shown, each before what it holds."""
    seen: set[QWidget] = set()
    for child in _children(root):
        if child in seen or child.isHidden() or child.isWindow():
            continue
        seen.add(child)
        yield child
        yield from laid_out(child)


def _takes_tab(widget: QWidget) -> bool:
    is_reached = widget.focusPolicy() & Qt.FocusPolicy.TabFocus
    return bool(is_reached) and widget.isEnabled() and widget.focusProxy() is None


def _children(widget: QWidget) -> Iterator[QWidget]:
    if isinstance(widget, QStackedWidget):
        current = widget.currentWidget()
        if current is not None:
            yield current
        return
    if isinstance(widget, QScrollArea):
        content = widget.widget()
        if content is not None:
            yield content
        return
    layout = widget.layout()
    if layout is not None:
        yield from _in_layout(layout)
    # What no layout holds stands above or inside by hand.
    for child in widget.children():
        if isinstance(child, QWidget):
            yield child


def _in_layout(layout: QLayout) -> Iterator[QWidget]:
    places = range(layout.count())
    if isinstance(layout, QGridLayout):
        places = sorted(places, key=lambda at: layout.getItemPosition(at)[:2])  # type: ignore[assignment, index]
    for at in places:
        item = layout.itemAt(at)
        if item is None:
            continue
        widget, inner = item.widget(), item.layout()
        if widget is not None:
            yield widget
        elif inner is not None:
            yield from _in_layout(inner)
