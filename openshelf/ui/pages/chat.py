"""The chat page: conversations, the transcript of one, and what is known of its model."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QWidget
from typing_extensions import override

from openshelf.chat.advice import Advice
from openshelf.chat.conversation import Conversation
from openshelf.library.installed import InstalledModel
from openshelf.services import Services
from openshelf.tasks import Cancelled, Failed, Outcome, Succeeded
from openshelf.ui.models.chat_facts import (
    ChatFacts,
    context_length,
    context_parts,
    last_figures,
    read_acceptances,
    read_facts,
    tokens_in_context,
)
from openshelf.ui.models.chat_turn import Question, Way
from openshelf.ui.models.chosen_model import ChosenModel
from openshelf.ui.models.conversations import ConversationRow, ConversationsModel
from openshelf.ui.models.rows import ROW_ROLE
from openshelf.ui.models.server_words import shown
from openshelf.ui.pages.chat_area import ChatArea
from openshelf.ui.pages.chat_asking import Asking
from openshelf.ui.pages.chat_attaching import AskedFor, Attaching
from openshelf.ui.pages.chat_dialogue import Dialogue
from openshelf.ui.pages.chat_organizer import Organizer
from openshelf.ui.pages.chat_server import sent_to, show_chosen, tell_lost_gpu
from openshelf.ui.places import Place
from openshelf.ui.sentences import error_text
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.chat_inspector import ChatInspector
from openshelf.ui.widgets.containers import Divider
from openshelf.ui.widgets.conversation_list import ConversationPanel
from openshelf.ui.widgets.notice import NoticeLevel
from openshelf.ui.widgets.page import Page
from openshelf.ui.widgets.transcript_keys import TranscriptKeys

ROOM_FOR_INSPECTOR = 1_000
"""Below this width the inspector is shown on demand only."""


class ChatPage(Page):
    """One conversation at a time is shown, and one answer at a time is written."""

    def __init__(
        self, services: Services, bridge: TaskBridge, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._services, self._bridge = services, bridge
        self.chosen = ChosenModel()
        self._is_saving = True
        self._wants_details: bool | None = None
        self._build()
        self._connect()
        self.inspector.edit_system_prompt()
        self._show_all()

    def _build(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        self.model = ConversationsModel()
        self.model.setParent(self)
        self.panel = ConversationPanel(self.model)
        self.panel.setFixedWidth(230)
        self.area = ChatArea()
        self.dialogue = Dialogue(self._services, self._bridge, self.area.transcript, self)
        self.organizer = Organizer(self._services, self._bridge, self.panel, self.dialogue)
        self.inspector = ChatInspector()
        self.asking = Asking(self._services, self._bridge, self.inspector, self.area.composer)
        self.attaching = Attaching(self._services, self._bridge, self.area, self._asked_for)
        self._inspector_line = Divider(vertical=True)
        row.addWidget(self.panel)
        row.addWidget(Divider(vertical=True))
        row.addWidget(self.area, 1)
        row.addWidget(self._inspector_line)
        row.addWidget(self.inspector)
        self._stop_key = self._key(QKeySequence(Qt.Key.Key_Escape))
        self._new_key = self._key(QKeySequence(QKeySequence.StandardKey.New))
        self._unsaved_key = self._key(QKeySequence("Ctrl+Shift+N"))
        self._attach_key = self._key(QKeySequence("Ctrl+Shift+A"))
        self._keys = TranscriptKeys(self.area.transcript, self.area.finder, self)

    def _key(self, keys: QKeySequence) -> QShortcut:
        key = QShortcut(keys, self)
        key.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        return key

    def _connect(self) -> None:
        header, transcript, composer = self.area.header, self.area.transcript, self.area.composer
        self.panel.new_requested.connect(self.start_new)
        self.panel.unsaved_requested.connect(self.start_unsaved)
        self.panel.chosen.connect(self._on_chosen)
        self.organizer.changed.connect(self.refresh)
        self.organizer.left.connect(self.start_new)
        self.organizer.failed.connect(self._on_failed)
        header.model_chosen.connect(self._on_model_chosen)
        header.place_requested.connect(self.place_requested)
        header.delete_requested.connect(self.organizer.delete_shown)
        header.delete_all_requested.connect(self.organizer.ask_to_delete_all)
        header.rename_requested.connect(self.organizer.rename_shown)
        header.pin_requested.connect(self.organizer.pin_shown)
        header.export_requested.connect(self.organizer.ask_where_to_export)
        header.import_requested.connect(self.organizer.ask_what_to_import)
        self.organizer.imported.connect(self._open_conversation)
        self.organizer.exported.connect(self._on_exported)
        header.find_requested.connect(self.area.finder.open)
        header.shortcuts_requested.connect(self.keys_requested)
        header.details_toggled.connect(self._on_details_toggled)
        transcript.link_pressed.connect(self.area.link_notice.show_address)
        transcript.shorter_context_wanted.connect(self.asking.use_context)
        transcript.send_again_requested.connect(self._on_send_requested)
        transcript.edit_requested.connect(self._on_edit_requested)
        transcript.regenerate_requested.connect(self._on_regenerate_requested)
        transcript.continue_requested.connect(self._on_continue_requested)
        transcript.version_requested.connect(self.dialogue.show_version)
        composer.send_requested.connect(self._on_send_requested)
        composer.stop_requested.connect(self._on_stop_requested)
        self.dialogue.changed.connect(self._show_all)
        self.dialogue.changed.connect(self.area.finder.refresh)
        self.dialogue.created.connect(self._on_created)
        self.dialogue.advanced.connect(self._show_context)
        self.dialogue.stored.connect(self.refresh)
        self.dialogue.loaded.connect(self.refresh)
        self.dialogue.ended.connect(self._on_ended)
        self.dialogue.failed.connect(self._on_failed)
        self.area.nothing_installed.acted.connect(self._on_shelf_requested)
        self.asking.advised.connect(self._on_advised)
        self.asking.failed.connect(self._on_failed)
        self.attaching.failed.connect(self._on_failed)
        self._attach_key.activated.connect(self.attaching.ask_for_files)
        self._stop_key.activated.connect(self._on_stop_requested)
        self._new_key.activated.connect(self.start_new)
        self._unsaved_key.activated.connect(self.start_unsaved)
        self._bridge.listen(self._services.library.announcer, self._on_library_changed)

    # --- what the window asks ---------------------------------------------------------------------

    @override
    def open_page(self) -> None:
        self.asking.forget_model()
        self.refresh()

    @override
    def focus_content(self) -> None:
        button = self.area.nothing_installed.button
        if self._is_bare() and button is not None:
            button.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self.area.composer.edit.setFocus(Qt.FocusReason.OtherFocusReason)

    @override
    def set_model(self, model_id: str) -> None:
        self.open_model(model_id)

    def open_model(self, model_id: str) -> None:
        """A new chat with that model, ready to be written to."""
        self.chosen.id = model_id
        self.start_new()

    def refresh(self) -> None:
        """Read conversations, models and what is in memory."""
        self._bridge.submit(
            "chat facts", read_facts(self._services), on_outcome=self._on_facts_read
        )
        self.asking.refresh()
        self._bridge.submit(
            "acceptances", read_acceptances(self._services), on_outcome=self._on_acceptances_read
        )

    def start_new(self) -> None:
        """A chat that exists once its first message is sent."""
        self._start(is_saved=True)

    def start_unsaved(self) -> None:
        """The same, never written to disk."""
        self._start(is_saved=False)

    def _start(self, *, is_saved: bool) -> None:
        self._is_saving = is_saved
        self.area.notice.hide()
        self.area.link_notice.hide()
        self.inspector.edit_system_prompt()
        self.asking.show_conversation(None)
        self.attaching.clear()
        self.panel.choose(QModelIndex())
        self.dialogue.start_new()
        self.focus_content()

    # --- what was read ----------------------------------------------------------------------------

    def _on_facts_read(self, outcome: Outcome[ChatFacts]) -> None:
        match outcome:
            case Succeeded(facts):
                has_changed = facts.loaded != self.chosen.in_memory
                self.chosen.installed, self.chosen.in_memory = facts.installed, facts.loaded
                self.chosen.servers = facts.servers
                self.model.set_conversations(facts.conversations, facts.folders)
                self.organizer.folders.show_folders()
                self.dialogue.know(facts.conversations)
                self._choose_shown()
                self._show_all()
                self.attaching.count()
                if has_changed:
                    self.memory_changed.emit()
                    tell_lost_gpu(facts.loaded, self.area.notice)
            case Failed(error):
                self._on_failed(error)
            case Cancelled():
                pass

    def _on_acceptances_read(self, outcome: Outcome[dict[str, str]]) -> None:
        if isinstance(outcome, Succeeded):
            self.chosen.accepted = outcome.value
            self._show_model()

    def _on_library_changed(self, installed: tuple[InstalledModel, ...]) -> None:
        self.chosen.installed = installed
        self._show_all()

    # --- choosing ---------------------------------------------------------------------------------

    def _on_chosen(self, index: QModelIndex) -> None:
        row: ConversationRow = index.data(ROW_ROLE)
        if row.conversation is not None:
            self._open_conversation(row.conversation, row.found_in)

    def _open_conversation(self, conversation: Conversation, message_id: int | None = None) -> None:
        self.chosen.id = conversation.model_id or self.chosen.id
        self.area.notice.hide()
        self.area.link_notice.hide()
        self.inspector.show_system_prompt(conversation.system_prompt)
        self.asking.show_conversation(conversation)
        self.attaching.clear()
        self.dialogue.open_conversation(conversation, message_id)

    def _on_model_chosen(self, model_id: str) -> None:
        self.chosen.id = model_id
        self._show_all()
        self.attaching.count()
        self.focus_content()

    def _choose_shown(self) -> None:
        """Mark the row of the conversation shown."""
        at = self.model.position(("conversation", self.dialogue.shown_id))
        if at is not None:
            self.panel.choose(self.model.index(at))

    # --- sending ----------------------------------------------------------------------------------

    def _on_send_requested(self, text: str) -> None:
        self._ask(text, Way.SEND)

    def _on_edit_requested(self, message_id: int, text: str) -> None:
        self._ask(text, Way.EDIT, message_id)
        self.focus_content()

    def _on_regenerate_requested(self, message_id: int) -> None:
        self._ask(self.area.transcript.question_before(message_id), Way.REGENERATE, message_id)
        self.focus_content()

    def _on_continue_requested(self, message_id: int) -> None:
        self._ask(self.area.transcript.question_before(message_id), Way.CONTINUE, message_id)
        self.focus_content()

    def _ask(self, text: str, way: Way, message_id: int = 0) -> None:
        dialogue = self.dialogue
        if self.chosen.id is None or dialogue.is_answering or dialogue.is_answering_elsewhere:
            return
        self.area.notice.hide()
        prompt = "" if dialogue.conversation else self.inspector.system_prompt
        attached = self.attaching.files if way is Way.SEND else ()
        question = Question(
            dialogue.shown_id, text, self.chosen.id, prompt, self.asking.sampling,
            way, message_id, self._is_saving, attached,
        )  # fmt: skip
        if way is Way.SEND:
            self.attaching.clear()
        dialogue.send(question, self._model_name())

    def _on_advised(self, advice: Advice) -> None:
        self.attaching.cannot_see = "" if advice.can_see else self._model_name()

    def _asked_for(self) -> AskedFor:
        messages = () if self.dialogue.is_empty else self.dialogue.messages
        whole = context_length(self.chosen.loaded, self._services)
        return AskedFor(messages, whole, self.asking.sampling, self.chosen.counted_by)

    def _on_created(self, conversation: Conversation) -> None:
        if conversation.id == self.dialogue.shown_id:
            self.inspector.show_system_prompt(conversation.system_prompt)
            self.asking.show_conversation(conversation)
        self.refresh()

    def _on_ended(self) -> None:
        self.refresh()

    def _on_stop_requested(self) -> None:
        if self.dialogue.is_answering:
            self.dialogue.stop()

    def _on_exported(self, path: str) -> None:
        words = self.tr("Exported to {path}. Only you can read the file.").format(path=path)
        self.area.notice.show_message(words, NoticeLevel.INFO)

    def _on_failed(self, error: BaseException) -> None:
        self.area.notice.show_message(error_text(error), NoticeLevel.BAD)

    def _on_shelf_requested(self) -> None:
        self.place_requested.emit(Place.SHELF)

    def _on_details_toggled(self, wanted: bool) -> None:  # noqa: FBT001
        self._wants_details = wanted
        self._show_inspector()

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_inspector()

    # --- showing ----------------------------------------------------------------------------------

    def _show_inspector(self) -> None:
        has_room = self.width() >= ROOM_FOR_INSPECTOR
        shown = has_room if self._wants_details is None else self._wants_details
        shown = shown and not self._is_bare()
        self.inspector.setVisible(shown)
        self._inspector_line.setVisible(shown)
        self.area.header.details_button.setChecked(shown)

    def _is_bare(self) -> bool:
        """Nothing is installed, and no conversation is open."""
        has_none = self.chosen.installed == () and not self.chosen.servers
        return has_none and self.chosen.on_server is None and self.dialogue.is_empty

    def _model_name(self) -> str:
        model, on_server = self.chosen.model, self.chosen.on_server
        if on_server is not None:
            return shown(on_server.model)
        return " ".join(model.name.split()) if model else self.tr("the model")

    def _show_all(self) -> None:
        self.chosen.pick()
        if self._is_bare():
            self.area.show_nothing_installed()
        elif not self.dialogue.is_empty:
            self.area.show_transcript()
        else:
            self.area.show_welcome(
                self._model_name(), is_saved=self._is_saving, sent_to=sent_to(self.chosen)
            )
        self.area.header.setVisible(not self._is_bare())
        self._show_inspector()
        current = self.dialogue.conversation
        self.area.header.show_conversation(current, has_any=not self.model.is_empty)
        self.area.header.show_privacy(is_saved=current.is_saved if current else self._is_saving)
        self._show_composer()
        self._show_model()

    def _show_composer(self) -> None:
        composer = self.area.composer
        is_answering = self.dialogue.is_answering or self.dialogue.is_answering_elsewhere
        self.area.transcript.set_usable(self.chosen.is_usable and not is_answering)
        composer.set_answering(self.dialogue.is_answering)
        self._stop_key.setEnabled(self.dialogue.is_answering)
        composer.set_placeholder(self.tr("Message {model}…").format(model=self._model_name()))
        if self.dialogue.is_answering_elsewhere:
            composer.set_blocked(self.tr("Another chat is being answered."))
        elif not self.chosen.is_usable:
            composer.set_blocked(self.tr("Choose a model above."))
        else:
            composer.set_blocked("")

    def _show_context(self) -> None:
        dialogue = self.dialogue
        whole = context_length(self.chosen.loaded, self._services)
        used = 0 if dialogue.is_empty else tokens_in_context(dialogue.messages)
        if dialogue.is_answering:
            self.inspector.show_growing_context((used or 0) + dialogue.live_tokens, whole)
        else:
            self.inspector.show_context(used, whole, context_parts(dialogue.messages))
        self.inspector.answer.show_figures(last_figures(dialogue.messages))

    def _show_model(self) -> None:
        loaded = self.chosen.loaded
        show_chosen(self.chosen, self.area.header, self.inspector)
        is_here = self.chosen.on_server is None
        self.asking.show_model(self.chosen.id if is_here else None, on_server=not is_here)
        self._show_context()
        self.inspector.show_memory(loaded)
