"""What is done with folders in the list of chats: make, rename, delete, move into and out of."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex

from openshelf.chat.conversation import Folder
from openshelf.services import Services
from openshelf.tasks import CancelToken, Failed, Outcome, Report, Succeeded
from openshelf.ui.models.conversations import ConversationRow, ConversationsModel
from openshelf.ui.models.rows import ROW_ROLE
from openshelf.ui.pages.chat_doing import ChatDoing
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.conversation_rows import ConversationView


class FolderKeeper(ChatDoing):
    def __init__(
        self,
        services: Services,
        bridge: TaskBridge,
        view: ConversationView,
        model: ConversationsModel,
    ) -> None:
        super().__init__(view, bridge)
        self._services = services
        self._view, self._model = view, model
        self._new: int | None = None
        view.move_requested.connect(self._on_move_requested)
        view.new_folder_requested.connect(self._on_new_requested)
        model.moved.connect(self._move)
        model.folder_renamed.connect(self._on_renamed)

    def show_folders(self) -> None:
        """After the conversations were read: what can be moved into; a new one is to be named."""
        self._view.folders = tuple((one.id, one.name) for one in self._model.folders)
        at = None if self._new is None else self._model.position(("folder", self._new))
        if at is not None:
            self._new = None
            self._view.setCurrentIndex(self._model.index(at))
            self._view.edit(self._model.index(at))

    def delete(self, folder: Folder) -> None:
        """Its chats stay, in no folder."""
        self._do("delete a folder", lambda: self._services.chats.folders.delete(folder.id))

    def _move(self, conversation_id: int, folder_id: int | None) -> None:
        folders = self._services.chats.folders
        self._do("move a chat", lambda: folders.put(conversation_id, folder_id))

    def _on_move_requested(self, index: QModelIndex, folder_id: int | None) -> None:
        row: ConversationRow = index.data(ROW_ROLE)
        if row.conversation is not None:
            self._move(row.conversation.id, folder_id)

    def _on_renamed(self, folder_id: int, name: str) -> None:
        folders = self._services.chats.folders
        self._do("rename a folder", lambda: folders.rename(folder_id, name))

    def _on_new_requested(self, index: QModelIndex) -> None:
        row: ConversationRow = index.data(ROW_ROLE)
        if row.conversation is None:
            return
        moved, name = row.conversation.id, self._free_name()

        def work(cancel: CancelToken, report: Report) -> Folder:
            folder = self._services.chats.folders.add(name)
            self._services.chats.folders.put(moved, folder.id)
            return folder

        self._bridge.submit("new folder", work, on_outcome=self._on_made)

    def _on_made(self, outcome: Outcome[Folder]) -> None:
        if isinstance(outcome, Succeeded):
            self._new = outcome.value.id
        elif isinstance(outcome, Failed):
            self.failed.emit(outcome.error)
        self.changed.emit()

    def _free_name(self) -> str:
        taken = {one.name.casefold() for one in self._model.folders}
        name, number = self.tr("New folder"), 1
        while name.casefold() in taken:
            number += 1
            name = self.tr("New folder {number}").format(number=number)
        return name
