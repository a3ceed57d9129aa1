"""The conversation that is shown, and the one answer that is being written, here or elsewhere."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from openshelf.chat.conversation import Conversation, Message
from openshelf.chat.live import LiveAnswer
from openshelf.services import Services
from openshelf.tasks import Cancelled, Failed, Outcome, Succeeded
from openshelf.ui.models.chat_facts import is_open_end, read_messages
from openshelf.ui.models.chat_turn import ChatTurn, Question
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.transcript import Transcript
from openshelf.ui.widgets.transcript_messages import AnswerView
from openshelf.ui.widgets.transcript_question import UserBubble


class Dialogue(QObject):
    """Puts messages and answers into the transcript. `changed` when anything else of it did,
    `created` with a new Conversation, `stored` when the question is kept, `loaded` when the model
    is in memory, `advanced` with each look at the answer shown, `ended` when an answer ended,
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

    def open_conversation(self, conversation: Conversation) -> None:
        self.conversation = conversation
        work = read_messages(self._services, conversation.id)
        self._bridge.submit("messages", work, on_outcome=self._on_messages_read)
        self.changed.emit()

    def _on_messages_read(self, outcome: Outcome[tuple[int, tuple[Message, ...]]]) -> None:
        if isinstance(outcome, Failed):
            self.failed.emit(outcome.error)
        if not isinstance(outcome, Succeeded) or outcome.value[0] != self.shown_id:
            return
        messages = outcome.value[1]
        if self.is_answering:
            messages = tuple(message for message in messages if not is_open_end(message))
        self.messages, self._answer = messages, None
        self._transcript.show_messages(messages)
        if self._turn is not None and self.is_answering:
            self._show_running(self._turn)
        self.changed.emit()

    def send(self, question: Question, model_name: str) -> None:
        """Show the question, and the answer as it is written. Nothing else may be answering."""
        self._model_name = model_name
        self._turn = turn = ChatTurn(self._services, self._bridge, question, self)
        turn.created.connect(self._on_created)
        turn.stored.connect(self.stored)
        turn.loaded.connect(self.loaded)
        turn.advanced.connect(self._on_advanced)
        turn.ended.connect(self._on_ended)
        self._transcript.add_question(question.text)
        self._answer = self._transcript.begin_answer()
        self._answer.show_waiting()
        self.changed.emit()
        self._transcript.follow_end()
        turn.start()

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
            self._answer.show_live(live, self._model_name)
            self.advanced.emit()

    def _on_ended(self, outcome: Outcome[Message]) -> None:
        was_shown = self.is_answering
        turn, self._turn = self._turn, None
        answer, self._answer = self._answer, None
        if was_shown and answer is not None:
            match outcome:
                case Succeeded(message):
                    answer.show_message(message)
                    self.messages = (*self.messages, message)
                case Failed(error):
                    answer.show_error(error)
                case Cancelled():
                    answer.show_stopped()
        if turn is not None:
            turn.deleteLater()
        self.ended.emit()
        self.changed.emit()

    def _show_running(self, turn: ChatTurn) -> None:
        """Come back to a conversation that is being answered."""
        items = self._transcript.items
        last = items[-1] if items else None
        if not isinstance(last, UserBubble) or last.text != turn.question.text:
            self._transcript.add_question(turn.question.text)
        self._answer = self._transcript.begin_answer()
        if turn.last is None:
            self._answer.show_waiting()
        else:
            self._answer.show_live(turn.last, self._model_name)
        self._transcript.follow_end()
