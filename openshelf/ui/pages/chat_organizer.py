"""What is done with whole conversations: find, rename, pin, delete one or all."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QModelIndex, Signal

from openshelf.chat.archive import ExportForm
from openshelf.chat.conversation import Conversation, FoundConversation
from openshelf.services import Services
from openshelf.tasks import CancelToken, Failed, Outcome, Report, Succeeded
from openshelf.ui.models.conversations import ConversationRow, ConversationsModel
from openshelf.ui.models.rows import ROW_ROLE
from openshelf.ui.pages.chat_dialogue import Dialogue
from openshelf.ui.pages.chat_doing import ChatDoing
from openshelf.ui.pages.chat_folders import FolderKeeper
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.conversation_list import ConversationPanel
from openshelf.ui.widgets.file_dialogs import ask_for_file, ask_where_to_save

_MOST_NAME = 60


def file_name(title: str) -> str:
    """A name that every system takes, from words that anybody may have written."""
    kept = "".join(c if c.isalnum() or c in " -_" else " " for c in title)
    return " ".join(kept.split())[:_MOST_NAME].strip() or "chat"


class Organizer(ChatDoing):
    """`left` when the one shown is going, `imported` with a new Conversation, `exported` with a
    path."""

    imported = Signal(object)
    exported = Signal(str)
    left = Signal()

    def __init__(
        self, services: Services, bridge: TaskBridge, panel: ConversationPanel, dialogue: Dialogue
    ) -> None:
        super().__init__(panel, bridge)
        self._services = services
        self._panel, self._dialogue = panel, dialogue
        self._deleting: int | None = None
        self.folders = FolderKeeper(services, bridge, panel.view, self._model)
        self.folders.changed.connect(self.changed)
        self.folders.failed.connect(self.failed)
        self._connect()

    @property
    def _model(self) -> ConversationsModel:
        model = self._panel.view.model()
        assert isinstance(model, ConversationsModel)  # noqa: S101 (the panel was given it)
        return model

    def _connect(self) -> None:
        self._panel.search_changed.connect(self._model.set_search)
        self._panel.search_settled.connect(self._on_search_settled)
        self._panel.delete_confirmed.connect(self._on_delete_confirmed)
        self._panel.folder_delete_requested.connect(self._on_folder_delete_requested)
        self._panel.delete_all_confirmed.connect(self._on_delete_all_confirmed)
        self._panel.view.pin_requested.connect(self._on_pin_requested)
        self._model.renamed.connect(self._on_renamed)
        self._dialogue.ended.connect(self._on_ended)

    # --- finding ----------------------------------------------------------------------------------

    def _on_search_settled(self, text: str) -> None:
        if not text.strip():
            return

        def work(cancel: CancelToken, report: Report) -> tuple[FoundConversation, ...]:
            return self._services.chats.search(text)

        def show(outcome: Outcome[tuple[FoundConversation, ...]]) -> None:
            if isinstance(outcome, Succeeded) and self._panel.search.text() == text:
                self._model.set_found(outcome.value)
                at = self._model.position(("conversation", self._dialogue.shown_id))
                self._panel.choose(QModelIndex() if at is None else self._model.index(at))
            elif isinstance(outcome, Failed):
                self.failed.emit(outcome.error)

        self._bridge.submit("search chats", work, on_outcome=show)

    # --- the one shown ----------------------------------------------------------------------------

    def rename_shown(self) -> None:
        if self._choose_shown().isValid():
            self._panel.view.rename_current()

    def pin_shown(self) -> None:
        index = self._choose_shown()
        if index.isValid():
            self._on_pin_requested(index)

    def delete_shown(self) -> None:
        index = self._choose_shown()
        if index.isValid():
            self._panel.ask_to_delete(index)

    def ask_to_delete_all(self) -> None:
        self._panel.ask_to_delete_all(self._model.count)

    def ask_where_to_export(self, form: str) -> None:
        conversation = self._dialogue.conversation
        if conversation is None:
            return
        wanted = ExportForm(form)
        filters = {
            ExportForm.MARKDOWN: self.tr("Markdown (*.md)"),
            ExportForm.HTML: self.tr("Web page (*.html)"),
            ExportForm.JSON: self.tr("JSON (*.json)"),
        }
        name = f"{file_name(self._model.title_of(conversation))}.{wanted.value}"

        def chosen(path: str) -> None:
            self.export_to(path, wanted)

        ask_where_to_save(self._panel, self.tr("Export this chat"), name, filters[wanted], chosen)

    def export_to(self, path: str, form: ExportForm) -> None:
        shown = self._dialogue.shown_id
        if shown is None:
            return

        def work(cancel: CancelToken, report: Report) -> str:
            self._services.chats.export(shown, Path(path), form)
            return path

        self._bridge.submit("export a chat", work, on_outcome=self._on_exported)

    def _on_exported(self, outcome: Outcome[str]) -> None:
        if isinstance(outcome, Succeeded):
            self.exported.emit(outcome.value)
        elif isinstance(outcome, Failed):
            self.failed.emit(outcome.error)

    def ask_what_to_import(self) -> None:
        filters = self.tr("Exported chats (*.json *.md)")
        ask_for_file(self._panel, self.tr("Import a chat"), filters, self.import_file)

    def import_file(self, path: str) -> None:
        def work(cancel: CancelToken, report: Report) -> Conversation:
            return self._services.chats.import_file(Path(path))

        self._bridge.submit("import a chat", work, on_outcome=self._on_imported)

    def _on_imported(self, outcome: Outcome[Conversation]) -> None:
        if isinstance(outcome, Succeeded):
            self.imported.emit(outcome.value)
            self.changed.emit()
        elif isinstance(outcome, Failed):
            self.failed.emit(outcome.error)

    def _choose_shown(self) -> QModelIndex:
        """Its row; a search that hides it is given up."""
        if self._model.position(("conversation", self._dialogue.shown_id)) is None:
            self._panel.search.clear()
        at = self._model.position(("conversation", self._dialogue.shown_id))
        index = QModelIndex() if at is None else self._model.index(at)
        self._panel.choose(index)
        return index

    # --- doing ------------------------------------------------------------------------------------

    def _on_renamed(self, conversation_id: int, title: str) -> None:
        self._do("rename", lambda: self._services.chats.rename(conversation_id, title))

    def _on_pin_requested(self, index: QModelIndex) -> None:
        row: ConversationRow = index.data(ROW_ROLE)
        conversation = row.conversation
        if conversation is not None:
            pinned = not conversation.is_pinned
            self._do("pin", lambda: self._services.chats.pin(conversation.id, pinned=pinned))

    def _on_delete_confirmed(self, index: QModelIndex) -> None:
        row: ConversationRow = index.data(ROW_ROLE)
        if row.conversation is None:
            return
        if self._dialogue.answers_in(row.conversation.id):
            self._deleting = row.conversation.id
            self._dialogue.stop()
        else:
            self._delete(row.conversation.id)

    def _on_folder_delete_requested(self, index: QModelIndex) -> None:
        row: ConversationRow = index.data(ROW_ROLE)
        if row.folder is not None:
            self.folders.delete(row.folder)

    def _on_ended(self) -> None:
        if self._deleting is not None:
            self._delete(self._deleting)

    def _delete(self, conversation_id: int) -> None:
        self._deleting = None
        if self._dialogue.shown_id == conversation_id:
            self.left.emit()
        self._do(
            "delete a conversation",
            lambda: self._services.chats.delete_conversation(conversation_id),
        )

    def _on_delete_all_confirmed(self) -> None:
        """An answer that is being written is stopped by the service, in the task."""
        self.left.emit()
        self._do("delete all conversations", self._services.chats.delete_all)
