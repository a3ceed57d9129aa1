"""The card of installed models: the table, its menu, and the question before a removal."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu

from openshelf.library.install import LOCAL
from openshelf.ui.models.installed_table import InstalledTableModel
from openshelf.ui.models.installed_words import can_act
from openshelf.ui.models.library_facts import LibraryFacts
from openshelf.ui.pages.library_removal import RemovalQuestion
from openshelf.ui.widgets.containers import Card
from openshelf.ui.widgets.installed_view import InstalledView


class InstalledCard(Card):
    """Signals carry the model's id; `again_pressed` where its files are gone or damaged."""

    chat_pressed = Signal(str)
    folder_pressed = Signal(str)
    remove_confirmed = Signal(object)
    """A RemovalChoice."""
    verify_pressed = Signal(str)
    again_pressed = Signal(str)
    update_pressed = Signal(str)
    asked = Signal()
    """The question stands there now, above the table."""

    def __init__(self) -> None:
        super().__init__(margin=18, spacing=8)
        self.table = InstalledTableModel(self)
        self.view = InstalledView(self.table)
        self.question = RemovalQuestion()
        self.body.addWidget(self.question)
        self.body.addWidget(self.view)
        self.menu = QMenu(self)
        self.folder_action = self.menu.addAction(self.tr("Show in folder"))
        self.copy_action = self.menu.addAction(self.tr("Copy id"))
        self.verify_action = self.menu.addAction(self.tr("Verify"))
        self.update_action = self.menu.addAction(self.tr("Check for an update"))
        self.menu.addSeparator()
        self.remove_action = self.menu.addAction(self.tr("Remove…"))
        self.view.acted.connect(self.act_on)
        self.view.menu_asked.connect(self._on_menu)
        self.view.removal_asked.connect(self.ask_to_remove)
        self.question.confirmed.connect(self.remove_confirmed)
        self.question.kept.connect(self._focus_table)
        self.folder_action.triggered.connect(self._on_folder)
        self.copy_action.triggered.connect(self._on_copy)
        self.verify_action.triggered.connect(self._on_verify)
        self.update_action.triggered.connect(self._on_update)
        self.view.news_pressed.connect(self.update_pressed)
        self.remove_action.triggered.connect(self._on_remove)

    def show_facts(self, facts: LibraryFacts) -> None:
        self.table.set_facts(facts)
        if self.question.model_id and self.table.row(self.question.model_id) is None:
            self.question.hide()

    def act_on(self, model_id: str) -> None:
        """Chat; or get it again, where its files are of no use."""
        model = self.table.row(model_id)
        if model is None or not can_act(model):
            return
        (self.chat_pressed if model.is_usable else self.again_pressed).emit(model_id)

    def ask_to_remove(self, model_id: str) -> None:
        model = self.table.row(model_id)
        if model is not None and not model.away:
            self.question.ask(model)
            self.asked.emit()

    def end_removal(self) -> None:
        """It could not be removed: ask no longer."""
        self.question.hide()

    def _on_menu(self, model_id: str, place: QPoint) -> None:
        model = self.table.row(model_id)
        if model is None:
            return
        for action in (self.folder_action, self.verify_action, self.remove_action):
            action.setEnabled(not model.away)
        # What came from this disk has no repository to ask.
        self.update_action.setEnabled(model.repo != LOCAL)
        self.menu.popup(place)

    def _focus_table(self) -> None:
        self.view.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_folder(self) -> None:
        if (model := self.view.chosen) is not None:
            self.folder_pressed.emit(model.id)

    def _on_copy(self) -> None:
        if (model := self.view.chosen) is not None:
            QGuiApplication.clipboard().setText(model.id)

    def _on_verify(self) -> None:
        if (model := self.view.chosen) is not None:
            self.verify_pressed.emit(model.id)

    def _on_update(self) -> None:
        if (model := self.view.chosen) is not None:
            self.update_pressed.emit(model.id)

    def _on_remove(self) -> None:
        if (model := self.view.chosen) is not None:
            self.ask_to_remove(model.id)
