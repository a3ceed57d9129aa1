"""The conversation that is shown, and the one answer that is being written, here or elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from openshelf.chat.conversation import Conversation, Message
from openshelf.chat.live import LiveAnswer
from openshelf.services import Services
from openshelf.tasks import Cancelled, Failed, Outcome, Succeeded
from openshelf.ui.models.chat_facts import ShownBranch, is_open_end, read_branch
from openshelf.ui.models.chat_turn import ChatTurn, Question, Way
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.pace import Pace
from openshelf.ui.widgets.transcript import Transcript
from openshelf.ui.widgets.transcript_messages import AnswerView
from openshelf.ui.widgets.transcript_question import UserBubble

_KEEP_THE_BRANCH = {Way.REGENERATE, Way.CONTINUE}
"""Where these cannot be begun, the conversation stays as it was."""

_FIGURES_MILLISECONDS = 250
"""Figures that change more often cannot be read."""


class Dialogue(QObject):
    """Puts messages and answers into the transcript. `changed` when anything else of it did,
    `created` with a new Conversation, `stored` when the question is kept, `loaded` when the model
    is in memory, `advanced` a few times a second as it is written, `ended` when an answer ended,
    `failed` with an error."""

    changed = Signal()
    created = Signal(object)
    stored = Signal()
    loaded = Signal()
    advanced = Signal()
    ended = Signal()
    failed = Signal(object)

    def __init__(
        self, services: Services, bridge: TaskBridge, transcript: Transcript, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._services, self._bridge = services, bridge
        self._transcript = transcript
        self._answer: AnswerView | None = None
        self._turn: ChatTurn | None = None
        self._model_name = ""
        self._figures = Pace(_FIGURES_MILLISECONDS, self.advanced.emit, self)
        transcript.came_into_view.connect(self._on_came_into_view)
        self.conversation: Conversation | None = None
        self.messages: tuple[Message, ...] = ()

    @property
    def shown_id(self) -> int | None:
        return self.conversation.id if self.conversation else None

    @property
    def is_empty(self) -> bool:
        """A new chat without a message."""
        return self.conversation is None and not self._transcript.items

    @property
    def is_answering(self) -> bool:
        """The conversation shown is being answered."""
        return self._turn is not None and self._turn.conversation_id == self.shown_id

    @property
    def is_answering_elsewhere(self) -> bool:
        return self._turn is not None and not self.is_answering

    @property
    def live_tokens(self) -> int:
        """Tokens of the answer that is being written, as far as it was last seen."""
        last = self._turn.last if self._turn is not None else None
        return last.tokens if last is not None else 0

    def answers_in(self, conversation_id: int) -> bool:
        return self._turn is not None and self._turn.conversation_id == conversation_id

    def start_new(self) -> None:
        self.conversation, self.messages, self._answer = None, (), None
        self._transcript.clear()
        self.changed.emit()

    def open_conversation(self, conversation: Conversation, message_id: int | None = None) -> None:
        """At its end, or at a message of it on whichever branch."""
        if conversation.id != self.shown_id:
            self.messages = ()  # until they are read: no figures of the one before
        self.conversation = conversation

        def show(outcome: Outcome[ShownBranch]) -> None:
            self._on_branch_read(outcome)
            if message_id is not None:
                self._transcript.reveal(message_id)

        self._read(show, through=None if self.is_answering else message_id)
        self.changed.emit()

    def know(self, conversations: Sequence[Conversation]) -> None:
        """What was read anew of the one shown: its title, whether it is pinned."""
        self.conversation = next(
            (one for one in conversations if one.id == self.shown_id), self.conversation
        )

    def show_version(self, message_id: int) -> None:
        """The branch through another version of a message."""

        def show(outcome: Outcome[ShownBranch]) -> None:
            self._on_branch_read(outcome)
            self._transcript.reveal(message_id)
            self._transcript.focus_versions(message_id)

        if self._turn is None:
            self._read(show, through=message_id)

    def _read(
        self, on_outcome: Callable[[Outcome[ShownBranch]], None], through: int | None = None
    ) -> None:
        if self.shown_id is not None:
            work = read_branch(self._services, self.shown_id, through)
            self._bridge.submit("messages", work, on_outcome=on_outcome)

    def _on_branch_read(self, outcome: Outcome[ShownBranch]) -> None:
        if isinstance(outcome, Failed):
            self.failed.emit(outcome.error)
        if not isinstance(outcome, Succeeded) or outcome.value.conversation_id != self.shown_id:
            return
        branch = outcome.value
        if self.is_answering:
            messages = tuple(message for message in branch.messages if not is_open_end(message))
            branch = replace(branch, messages=messages)
        self.messages, self._answer = branch.messages, None
        self._transcript.show_branch(branch)
        if self._turn is not None and self.is_answering:
            self._show_running(self._turn)
        self.changed.emit()

    def _on_places_read(self, outcome: Outcome[ShownBranch]) -> None:
        """After an answer: what is shown stays, with what can be done with it now."""
        if not isinstance(outcome, Succeeded) or outcome.value.conversation_id != self.shown_id:
            return
        if self._turn is None:
            self.messages = outcome.value.messages
            self._transcript.adopt(outcome.value)
            self.changed.emit()

    def send(self, question: Question, model_name: str) -> None:
        """Show the question, and the answer as it is written. Nothing else may be answering."""
        self._model_name = model_name
        self._turn = turn = ChatTurn(self._services, self._bridge, question, self)
        turn.is_seen = lambda: self.is_answering and self._transcript.isVisible()
        turn.created.connect(self._on_created)
        turn.stored.connect(self.stored)
        turn.loaded.connect(self.loaded)
        turn.advanced.connect(self._on_advanced)
        turn.ended.connect(self._on_ended)
        self._answer = self._view_for(question)
        self._answer.show_waiting()
        self.changed.emit()
        self._transcript.follow_end()
        turn.start()

    def _view_for(self, question: Question) -> AnswerView:
        """Where the answer will be written; what it takes the place of goes."""
        transcript = self._transcript
        match question.way:
            case Way.CONTINUE:
                view = transcript.item_of(question.message_id)
                if isinstance(view, AnswerView):
                    return view
            case Way.REGENERATE:
                transcript.cut_from(question.message_id)
            case Way.EDIT:
                attached = transcript.attached_to(question.message_id)
                transcript.cut_from(question.message_id)
                transcript.add_question(question.text, attached)
            case Way.SEND:
                transcript.add_question(question.text, question.attached)
        return transcript.begin_answer()

    def stop(self) -> None:
        """Stop the answer that is being written, wherever that is."""
        if self._turn is not None:
            self._turn.stop()

    def _on_created(self, conversation: Conversation) -> None:
        if self.conversation is None and self._answer is not None:
            self.conversation = conversation
        self.created.emit(conversation)

    def _on_advanced(self, live: LiveAnswer) -> None:
        if self._answer is not None and self.is_answering:
            if self._transcript.isVisible():
                self._answer.show_live(live, self._model_name)
            self._figures.ask()

    def _on_came_into_view(self) -> None:
        """What was written while another page was shown."""
        if self._turn is not None and self._turn.last is not None:
            self._turn.notice_seen()
            self._on_advanced(self._turn.last)

    def _on_ended(self, outcome: Outcome[Message]) -> None:
        was_shown = self.is_answering
        turn, self._turn = self._turn, None
        self._figures.forget()
        answer, self._answer = self._answer, None
        if was_shown and answer is not None:
            match outcome:
                case Succeeded(message):
                    answer.show_message(message)
                    earlier = (m for m in self.messages if m.id != message.id)
                    self.messages = (*earlier, message)
                case Failed(error) if turn is not None and turn.question.way in _KEEP_THE_BRANCH:
                    self.failed.emit(error)
                    self._read(self._on_branch_read)
                case Failed(error):
                    answer.show_error(error)
                case Cancelled():
                    answer.show_stopped()
        if turn is not None:
            turn.deleteLater()
        if was_shown:
            self._read(self._on_places_read)
        self.ended.emit()
        self.changed.emit()

    def _show_running(self, turn: ChatTurn) -> None:
        """Come back to a conversation that is being answered."""
        items = self._transcript.items
        last = items[-1] if items else None
        if not isinstance(last, UserBubble) or last.text != turn.question.text:
            self._transcript.add_question(turn.question.text, turn.question.attached)
        self._answer = self._transcript.begin_answer()
        if turn.last is None:
            self._answer.show_waiting()
        else:
            self._answer.show_live(turn.last, self._model_name)
        self._transcript.follow_end()
