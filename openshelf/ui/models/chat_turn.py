"""One question and its answer on their way: the task, and a look at the text at 30 Hz at most."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer, Signal

from openshelf.chat.attachments import Attachment
from openshelf.chat.conversation import Conversation, Message
from openshelf.chat.interface import AskWith
from openshelf.chat.live import LiveAnswer, LivePhase
from openshelf.engine.protocol import Sampling
from openshelf.services import Services
from openshelf.tasks import CancelToken, Outcome, Report, Task
from openshelf.ui.task_bridge import TaskBridge

FRAME_MILLISECONDS = 33
SLOWEST_FRAME_MILLISECONDS = 220
UNSEEN_FRAME_MILLISECONDS = 250
"""Where another page or conversation is shown, only whether it goes on is of interest."""
WINDOW_SHARE = 0.05
"""Of a core: what the window's thread may take while it shows an answer. Where the machine is slow
or busy it looks less often, since the engine writes on the same cores."""


class Way(enum.Enum):
    """How an answer is asked for; all but SEND name the message that it is about."""

    SEND = enum.auto()
    EDIT = enum.auto()
    REGENERATE = enum.auto()
    CONTINUE = enum.auto()


@dataclass(frozen=True)
class Question:
    """`conversation_id` None begins a new conversation with `system_prompt`. `text` is the
    question's, whichever way it is asked."""

    conversation_id: int | None
    text: str
    model_id: str
    system_prompt: str
    sampling: Sampling
    way: Way = Way.SEND
    message_id: int = 0
    is_saved: bool = True
    attached: tuple[Attachment, ...] = ()


class ChatTurn(QObject):
    """`created` carries the new Conversation, `advanced` a LiveAnswer, `ended` the Outcome.

    `stored` once the question is kept, `loaded` once the model is in memory; each at most once.
    """

    created = Signal(object)
    stored = Signal()
    loaded = Signal()
    advanced = Signal(object)
    ended = Signal(object)

    def __init__(
        self, services: Services, bridge: TaskBridge, question: Question, parent: QObject
    ) -> None:
        super().__init__(parent)
        self.question = question
        self.is_seen: Callable[[], bool] = lambda: True
        """Whether the person has the answer before them."""
        self.conversation_id = question.conversation_id
        self.is_running = False
        self._services, self._bridge = services, bridge
        self._task: Task | None = None
        self._last: LiveAnswer | None = None
        self._is_stopping = False
        self._cpu_seconds = 0.0
        self._frame_seconds = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(FRAME_MILLISECONDS)
        self._timer.timeout.connect(self._on_timeout)

    @property
    def last(self) -> LiveAnswer | None:
        """The answer as it was last seen."""
        return self._last

    def start(self) -> None:
        self.is_running = True
        self._cpu_seconds = time.thread_time()
        self._timer.start()
        self._task = self._bridge.submit("chat", self._work, on_outcome=self._on_outcome)

    def stop(self) -> None:
        """Ask the engine to stop; what was written is kept. `ended` follows."""
        if self._is_stopping or not self.is_running:
            return
        self._is_stopping = True
        if self.conversation_id is not None:
            self._ask_to_stop(self.conversation_id)
        elif self._task is not None:
            self._task.cancel()

    def _ask_to_stop(self, conversation_id: int) -> None:
        def work(cancel: CancelToken, report: Report) -> None:
            self._services.chats.stop(conversation_id)

        self._bridge.submit("stop the answer", work)

    def _work(self, cancel: CancelToken, report: Report) -> Message:
        question, chats = self.question, self._services.chats
        ask = AskWith(question.model_id, question.sampling)
        match question.way:
            case Way.EDIT:
                return chats.edit(question.message_id, question.text, ask, cancel, report)
            case Way.REGENERATE:
                return chats.regenerate(question.message_id, ask, cancel, report)
            case Way.CONTINUE:
                return chats.continue_answer(question.message_id, ask, cancel, report)
            case Way.SEND:
                return self._send(cancel, report)

    def _send(self, cancel: CancelToken, report: Report) -> Message:
        question, chats = self.question, self._services.chats
        conversation_id = question.conversation_id
        if conversation_id is None:
            conversation = chats.new_conversation(
                question.model_id, question.system_prompt, is_saved=question.is_saved
            )
            conversation_id = conversation.id
            self._bridge.call_soon(self._on_created, conversation)
        return chats.send(
            conversation_id,
            question.text,
            question.model_id,
            question.sampling,
            cancel,
            report,
            attached=question.attached,
        )

    def _on_created(self, conversation: Conversation) -> None:
        self.conversation_id = conversation.id
        if self._is_stopping and self.is_running:
            self._ask_to_stop(conversation.id)
        self.created.emit(conversation)

    def _set_pace(self) -> None:
        """From what the thread took since the last look, with layout and painting in it."""
        now = time.thread_time()
        taken, self._cpu_seconds = now - self._cpu_seconds, now
        self._frame_seconds += (taken - self._frame_seconds) / 8
        wanted = round(self._frame_seconds / WINDOW_SHARE * 1000)
        interval = max(FRAME_MILLISECONDS, min(SLOWEST_FRAME_MILLISECONDS, wanted))
        is_waiting = self._last is None or self._last.phase is LivePhase.LOADING
        is_unseen = not (is_waiting or self.is_seen())
        self._timer.setInterval(UNSEEN_FRAME_MILLISECONDS if is_unseen else interval)

    def notice_seen(self) -> None:
        """The answer came into view: it is looked at often again."""
        self._set_pace()

    def _on_timeout(self) -> None:
        self._set_pace()
        if self.conversation_id is None:
            return
        live = self._services.chats.live(self.conversation_id)
        if live is None or live == self._last:
            return
        last, self._last = self._last, live
        if last is None:
            self.stored.emit()
        if live.phase is not LivePhase.LOADING and (
            last is None or last.phase is LivePhase.LOADING
        ):
            self.loaded.emit()
        self.advanced.emit(live)

    def _on_outcome(self, outcome: Outcome[Message]) -> None:
        self.is_running = False
        self._timer.stop()
        self.ended.emit(outcome)
