"""The question before a removal: what goes, what stays, and a person's own files only if they say
so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from openshelf.library.installed import InstalledFile, InstalledModel
from openshelf.ui.models.installed_words import plain_name
from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.buttons import Button, DangerButton, LinkButton
from openshelf.ui.widgets.text import TextLabel
from openshelf.ui.widgets.tick import TickBox
from openshelf.units import format_bytes

_NAMED = 2


@dataclass(frozen=True)
class RemovalChoice:
    """`all_files`: also those in the model folders that Openshelf did not put there."""

    model_id: str
    for_good: bool
    all_files: bool


class RemovalQuestion(QFrame):
    """Hidden until `ask`; `confirmed` carries a RemovalChoice."""

    confirmed = Signal(object)
    kept = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._model: InstalledModel | None = None
        self.setProperty("kind", "notice")
        self.setProperty("level", "warning")
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 8, 14, 8)
        column.setSpacing(6)
        row = QHBoxLayout()
        self.text = TextLabel("", TextRole.SMALL, wrap=True)
        self.all_tick = TickBox(self.tr("Also the files of my own"))
        self.remove_button = DangerButton(self.tr("Move to trash"))
        self.delete_button = LinkButton(self.tr("Delete for good"), muted=True, small=True)
        self.keep_button = Button(self.tr("Keep"))
        row.addWidget(self.text, 1)
        for button in (self.delete_button, self.remove_button, self.keep_button):
            row.addWidget(button)
        column.addLayout(row)
        column.addWidget(self.all_tick)
        self.all_tick.toggled.connect(self._on_ticked)
        self.remove_button.clicked.connect(self._on_remove)
        self.delete_button.clicked.connect(self._on_delete)
        self.keep_button.clicked.connect(self._on_keep)
        self.hide()

    @property
    def model_id(self) -> str:
        return "" if self.isHidden() or self._model is None else self._model.id

    def ask(self, model: InstalledModel) -> None:
        """Say what goes and what stays; nothing is deleted before it is confirmed."""
        self._model = model
        self.all_tick.setChecked(False)
        # Outside the model folders nothing is ever taken away.
        self.all_tick.setVisible(any(file.folder for file in model.own_files))
        self._show_words(model)
        self._set_enabled(enabled=True)
        self.show()
        self.keep_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_words(self, model: InstalledModel) -> None:
        stays = [f for f in model.own_files if not (self.all_tick.isChecked() and f.folder)]
        goes = [file for file in model.files if file not in stays]
        text = self.tr("Remove {name}? {files}, {size}. Its chats stay.").format(
            name=plain_name(model),
            files=self.tr("%n file(s)", "", len(goes)),
            size=format_bytes(sum(file.size_bytes for file in goes)),
        )
        if not goes:
            text = self.tr("Take {name} off the list? Its chats stay.")
            text = text.format(name=plain_name(model))
        self.text.setText(" ".join([text, *self._staying(stays)]))
        self.remove_button.setText(self.tr("Move to trash") if goes else self.tr("Take off"))
        self.delete_button.setVisible(bool(goes))

    def _staying(self, files: Sequence[InstalledFile]) -> list[str]:
        if not files:
            return []
        text = self.tr("Kept, because Openshelf did not put it there: {path}")
        paths = ", ".join(file.location for file in files[:_NAMED])
        more = len(files) - _NAMED
        if more > 0:
            paths = f"{paths} {self.tr('and %n other(s)', '', more)}"
        return [text.format(path=paths)]

    def _on_ticked(self) -> None:
        if self._model is not None:
            self._show_words(self._model)

    def _on_remove(self) -> None:
        self._confirm(for_good=False)

    def _on_delete(self) -> None:
        self._confirm(for_good=True)

    def _confirm(self, *, for_good: bool) -> None:
        if self._model is not None:
            self._set_enabled(enabled=False)
            is_all = self.all_tick.isChecked()
            self.confirmed.emit(RemovalChoice(self._model.id, for_good, is_all))

    def _on_keep(self) -> None:
        self.hide()
        self.kept.emit()

    def _set_enabled(self, *, enabled: bool) -> None:
        for widget in (self.remove_button, self.delete_button, self.all_tick):
            widget.setEnabled(enabled)
