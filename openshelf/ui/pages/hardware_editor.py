"""The small editor below a row of the hardware page: its values by hand, or as they were found."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLineEdit, QVBoxLayout
from typing_extensions import override

from openshelf.ui.models.hardware_values import EditableValue
from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.buttons import Button, LinkButton
from openshelf.ui.widgets.text import TextLabel
from openshelf.ui.widgets.tick import TickBox


def field_name(field: str) -> str:
    """`free_bytes` → `Free`."""
    names = {
        "total_bytes": QCoreApplication.translate("HardwareEditor", "Memory"),
        "free_bytes": QCoreApplication.translate("HardwareEditor", "Free"),
        "available_bytes": QCoreApplication.translate("HardwareEditor", "Free"),
        "bandwidth_bytes_per_second": QCoreApplication.translate("HardwareEditor", "Bandwidth"),
        "physical_cores": QCoreApplication.translate("HardwareEditor", "Cores"),
        "logical_cores": QCoreApplication.translate("HardwareEditor", "Threads"),
        "usable_by_engine": QCoreApplication.translate("HardwareEditor", "Use this GPU"),
    }
    return names.get(field, field)


class ValueEditor(QFrame):
    """Fields for one part. `entered` carries the texts that changed, `reset` a field's name."""

    entered = Signal(object)
    reset = Signal(str)
    closed = Signal()

    def __init__(self, title: str, values: Sequence[EditableValue]) -> None:
        super().__init__()
        self.setProperty("kind", "well")
        self.setAccessibleName(self.tr("Values of {part} by hand").format(part=title))
        self._values = {value.field: value for value in values}
        self._fields: dict[str, QLineEdit | TickBox] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 12, 12)
        column.setSpacing(8)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(10)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(2, 1)
        for row, value in enumerate(values):
            self._add_value(row, value)
        column.addLayout(self._grid)
        self.problem = TextLabel("", TextRole.SMALL, "bad", wrap=True)
        self.problem.hide()
        column.addWidget(self.problem)
        buttons = QHBoxLayout()
        self.apply_button = Button(self.tr("Use these values"))
        self.apply_button.clicked.connect(self._on_apply)
        self.close_button = Button(self.tr("Close"), self.tr("Close without a change"))
        self.close_button.clicked.connect(self.closed)
        buttons.addWidget(self.apply_button)
        buttons.addWidget(self.close_button)
        buttons.addStretch(1)
        column.addLayout(buttons)

    def _add_value(self, row: int, value: EditableValue) -> None:
        name = field_name(value.field)
        field: QLineEdit | TickBox
        if value.is_flag:
            field = TickBox(name)
            field.setChecked(value.text != "no")
            # What the engine cannot use does not become usable by saying so.
            field.setEnabled(value.is_by_hand or value.text != "no")
            self._grid.addWidget(field, row, 0, 1, 2)
        else:
            self._grid.addWidget(TextLabel(name, TextRole.SMALL, "muted"), row, 0)
            field = QLineEdit(value.text)
            field.setAccessibleName(name)
            field.setFixedWidth(120)
            field.returnPressed.connect(self._on_apply)
            self._grid.addWidget(field, row, 1)
        self._fields[value.field] = field
        self._grid.addWidget(
            TextLabel(self._source_text(value), TextRole.TINY, "muted", wrap=True), row, 2
        )
        if value.is_by_hand:
            spoken = self.tr("Reset {value}").format(value=name)
            link = LinkButton(self.tr("Reset"), spoken, small=True)
            link.setProperty("field", value.field)
            link.clicked.connect(self._on_reset)
            self._grid.addWidget(link, row, 3, Qt.AlignmentFlag.AlignRight)

    def _source_text(self, value: EditableValue) -> str:
        if value.is_by_hand and value.found:
            text = self.tr("set by hand; found: {value} ({source})")
        elif value.is_by_hand:
            return self.tr("set by hand; nothing was found")
        elif value.found:
            text = self.tr("found by {source}")
        else:
            return self.tr("not known")
        return text.format(value=value.found, source=value.source or self.tr("the engine"))

    def focus_first(self) -> None:
        for field in self._fields.values():
            if field.isEnabled():
                field.setFocus(Qt.FocusReason.OtherFocusReason)
                if isinstance(field, QLineEdit):
                    field.selectAll()
                return

    def field(self, name: str) -> QLineEdit | TickBox:
        return self._fields[name]

    def show_problem(self, field: str, text: str) -> None:
        """Say why a value was refused, and go to its field."""
        self.problem.setText(f"{field_name(field)}: {text}")
        self.problem.show()
        self._fields[field].setFocus(Qt.FocusReason.OtherFocusReason)

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)

    def _on_apply(self) -> None:
        texts = {}
        for name, field in self._fields.items():
            value = self._values[name]
            if isinstance(field, QLineEdit):
                text = field.text().strip()
                # An empty field is one that nobody wants to set.
                if text and text != value.text:
                    texts[name] = text
            elif field.isEnabled() and field.isChecked() != (value.text != "no"):
                texts[name] = "yes" if field.isChecked() else "no"
        self.entered.emit(texts)

    def _on_reset(self) -> None:
        self.reset.emit(str(self.sender().property("field")))
