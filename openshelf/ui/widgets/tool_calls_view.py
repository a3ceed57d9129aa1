"""Tools that a model would call: name and arguments in a box each. Openshelf calls none."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from openshelf.chat.tool_calls import ToolCall
from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.buttons import LinkButton
from openshelf.ui.widgets.containers import Card
from openshelf.ui.widgets.text import ElidedLabel, TextLabel

_SHOWN_CHARACTERS = 6_000


class ToolCallView(Card):
    """One call: what it is called, with what, and that nobody made it."""

    def __init__(self, call: ToolCall) -> None:
        super().__init__(margin=12, spacing=6)
        self._call = call
        row = QHBoxLayout()
        self.name = ElidedLabel(call.name, TextRole.STRONG)
        self.name.setAccessibleName(self.tr("Tool call: {name}").format(name=call.name))
        self.note = TextLabel(self.tr("tool call · not made"), TextRole.TINY, "muted")
        self.note.setToolTip(
            self.tr("The model asks for this tool. Openshelf shows it and calls nothing.")
        )
        self.copy_button = LinkButton(
            self.tr("Copy"), self.tr("Copy the call"), muted=True, small=True
        )
        self.copy_button.clicked.connect(self._on_copy)
        row.addWidget(self.name, 1)
        row.addWidget(self.note)
        row.addWidget(self.copy_button)
        self.body.addLayout(row)
        shown = call.arguments[:_SHOWN_CHARACTERS]
        if len(shown) < len(call.arguments):
            shown += "\n…"
        self.arguments = TextLabel(shown, TextRole.CODE, wrap=True, selectable=True)
        self.arguments.setAccessibleName(self.tr("Arguments"))
        self.body.addWidget(self.arguments)

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(f"{self._call.name} {self._call.arguments}")


class ToolCallsView(QWidget):
    """The calls of one answer; hidden without any."""

    def __init__(self) -> None:
        super().__init__()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        self._calls: tuple[ToolCall, ...] = ()
        self.hide()

    @property
    def views(self) -> tuple[ToolCallView, ...]:
        found = (self._column.itemAt(at) for at in range(self._column.count()))
        views = (item.widget() for item in found if item is not None)
        return tuple(view for view in views if isinstance(view, ToolCallView))

    def show_calls(self, calls: Sequence[ToolCall]) -> None:
        """Those that are shown already stay as they are."""
        if tuple(calls[: len(self._calls)]) != self._calls:
            self._clear()
        for call in calls[len(self._calls) :]:
            self._column.addWidget(ToolCallView(call))
        self._calls = tuple(calls)
        self.setVisible(bool(calls))

    def _clear(self) -> None:
        for view in self.views:
            self._column.removeWidget(view)
            view.hide()
            view.deleteLater()
        self._calls = ()
