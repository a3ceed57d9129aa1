"""What the tests of the Model screen's tabs share."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QAbstractScrollArea, QMenu, QWidget

from openshelf.ui.pages.model import ModelPage
from openshelf.ui.pages.model_header import ModelTab
from openshelf.ui.widgets import Chip, TextLabel
from tests.fakes.example_models import FakeModels, example_listing


def stranger() -> FakeModels:
    """A repository that the catalog does not have."""
    return FakeModels(replace(example_listing(), family=None, model=None, decision=None))


def press(page: ModelPage, tab: ModelTab) -> None:
    page.header.tabs._group.button(list(ModelTab).index(tab)).click()


def texts(page: ModelPage) -> str:
    parts = [label.text() for label in page.findChildren(TextLabel) if label.isVisible()]
    parts += [chip.words for chip in page.findChildren(Chip) if chip.isVisible()]
    return "\n".join(parts)


def focusable(root: QWidget) -> list[QWidget]:
    """Everything below `root` that the keyboard can be put on."""
    return [
        widget
        for widget in root.findChildren(QWidget)
        if widget.isVisible()
        and widget.isEnabled()
        and widget.focusPolicy() != Qt.FocusPolicy.NoFocus
        and not isinstance(widget, QMenu)
        and not isinstance(widget.parentWidget(), QAbstractScrollArea)
    ]


def spoken_name(widget: QWidget) -> str:
    """What a screen reader calls it."""
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name) if interface is not None else ""
