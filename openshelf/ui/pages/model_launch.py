"""The sheet for a build that does not fit here: commands for a larger machine, to be copied."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from openshelf import wording
from openshelf.engine.launch import LaunchNeeds, LaunchRecipe
from openshelf.ui.sentences import reason_sentence
from openshelf.ui.theme.fonts import TextRole, font
from openshelf.ui.widgets import Button, LinkButton, SegmentedControl, TextLabel
from openshelf.ui.widgets.overlay import Overlay
from openshelf.units import format_bytes

_WIDTH = 860


class LaunchSheet(Overlay):
    """One recipe at a time, chosen by its program."""

    def __init__(self, host: QWidget, name: str, recipes: Sequence[LaunchRecipe]) -> None:
        title = host.tr("Run {name} elsewhere").format(name=name)
        super().__init__(host, width=_WIDTH, name=title)
        self._recipes = {recipe.engine.value: recipe for recipe in recipes}
        column = QVBoxLayout(self.panel)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(10)
        head = QHBoxLayout()
        head.addWidget(TextLabel(title, TextRole.CARD_TITLE, wrap=True), 1)
        self.close_button = LinkButton("✕", self.tr("Close"), muted=True)
        self.close_button.clicked.connect(self.close_sheet)
        head.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(head)
        text = self.tr(
            "It does not fit on this machine. On a larger one these commands start it; then add "
            "that machine in Settings, and chat with it here."
        )
        column.addWidget(TextLabel(text, TextRole.SMALL, "muted", wrap=True))
        options = [(key, wording.template(f"launch_short_{key}")) for key in self._recipes]
        first = next((key for key, recipe in self._recipes.items() if recipe.commands), "")
        self.engine: SegmentedControl[str] = SegmentedControl(
            self.tr("Program"), options, first or options[0][0]
        )
        self.engine.value_changed.connect(self._on_engine)
        column.addWidget(self.engine)
        self.needs = TextLabel("", TextRole.STRONG, wrap=True)
        column.addWidget(self.needs)
        self.commands = QPlainTextEdit()
        self.commands.setReadOnly(True)
        self.commands.setProperty("kind", "text")
        self.commands.setFont(font(TextRole.CODE))
        self.commands.setAccessibleName(self.tr("Commands"))
        self.commands.setTabChangesFocus(True)
        self.commands.setMinimumHeight(150)
        column.addWidget(self.commands, 1)
        row = QHBoxLayout()
        self.copy = Button(self.tr("Copy"), self.tr("Copy the commands"))
        self.copy.clicked.connect(self._on_copy)
        self.address = TextLabel("", TextRole.SMALL, "muted", wrap=True, selectable=True)
        row.addWidget(self.copy)
        row.addWidget(self.address, 1)
        column.addLayout(row)
        self.notes = TextLabel("", TextRole.SMALL, "muted", wrap=True, selectable=True)
        column.addWidget(self.notes)
        self._show(first or options[0][0])

    def _show(self, key: str) -> None:
        recipe = self._recipes[key]
        has_commands = bool(recipe.commands)
        self.needs.setText(needs_text(recipe.needs, self))
        self.needs.setVisible(has_commands and recipe.needs is not None)
        self.commands.setPlainText("\n".join(recipe.lines))
        self.commands.setVisible(has_commands)
        self.copy.setVisible(has_commands)
        self.copy.setText(self.tr("Copy"))
        text = self.tr("Its address for Settings: {address}").format(address=recipe.address)
        self.address.setText(text if has_commands else "")
        self.notes.setText("\n".join(f"•  {reason_sentence(note)}" for note in recipe.notes))
        if self.isVisible():
            self.fit_panel()

    def _on_engine(self, key: str) -> None:
        self._show(key)

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self.commands.toPlainText())
        self.copy.setText(self.tr("Copied"))


def needs_text(needs: LaunchNeeds | None, widget: QWidget) -> str:
    """What it takes there, by our own fit."""
    if needs is None:
        return ""
    each, ram = format_bytes(needs.each_gpu_bytes), format_bytes(needs.ram_bytes)
    if needs.gpus > 1:
        text = widget.tr("Needs {count} GPUs with {each} each and {ram} of RAM, by our own fit.")
        return text.format(count=needs.gpus, each=each, ram=ram)
    text = widget.tr("Needs a GPU with {each} and {ram} of RAM, by our own fit.")
    return text.format(each=each, ram=ram)
