"""Sending, streaming, stopping: one conversation talking to the engine.

`send` is blocking work for a task; whoever shows the answer asks `live` for the text so far, so a
slow window never slows the engine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from openshelf.chat.context import Sent, choose_messages
from openshelf.chat.conversation import (
    AnswerFigures,
    Conversation,
    Message,
    MessageState,
    Role,
)
from openshelf.chat.endings import STATES, death_detail, failure_detail, figures_of
from openshelf.chat.interface import ChatsLike as ChatsLike
from openshelf.chat.interface import KeepsMeasurements as KeepsMeasurements
from openshelf.chat.interface import LoadTicket as LoadTicket
from openshelf.chat.interface import ModelInMemory as ModelInMemory
from openshelf.chat.interface import OpenModel as OpenModel
from openshelf.chat.live import AnswerInProgress
from openshelf.chat.live import LiveAnswer as LiveAnswer
from openshelf.chat.live import LivePhase as LivePhase
from openshelf.chat.measuring import load_measurement, measured_run, model_in_memory
from openshelf.chat.store import ConversationStore, storable
from openshelf.engine.interface import EngineLike
from openshelf.engine.protocol import Done, Loaded, Sampling
from openshelf.errors import (
    CancelledByUser,
    EngineDied,
    EngineFailed,
    NotEnoughDisk,
    OpenshelfError,
    UsageError,
)
from openshelf.fit.speed import LEAST_ANSWER_TOKENS
from openshelf.tasks import CancelToken, Progress, Report

log = logging.getLogger(__name__)

_SAVE_SECONDS = 1.0
_END_SECONDS = 10.0
_RETRY_SHARES = (1.0, 0.7, 0.5)
"""Of the context, where the guess of its length was too low."""


class Chats:
    """ChatsLike over one store and one engine: one answer at a time."""

    def __init__(
        self,
        store: ConversationStore,
        engine: EngineLike,
        open_model: OpenModel,
        measurements: KeepsMeasurements | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._engine = engine
        self._open_model = open_model
        self._measurements = measurements
        self._clock = clock
        self._lock = threading.Lock()
        self._current: AnswerInProgress | None = None
        self._ticket: LoadTicket | None = None
        self._in_memory: tuple[Loaded, ModelInMemory] | None = None

    # --- looking --------------------------------------------------------------------------------

    def conversations(self) -> tuple[Conversation, ...]:
        return self._store.conversations()

    def new_conversation(self, model_id: str | None, system_prompt: str = "") -> Conversation:
        return self._store.new_conversation(model_id, system_prompt)

    def delete_conversation(self, conversation_id: int) -> None:
        """Stops its answer first, if one is being written."""
        current = self._answer_in(conversation_id)
        if current is not None:
            current.cancel.cancel()
            current.ended.wait(_END_SECONDS)
        self._store.delete_conversation(conversation_id)

    def messages(self, conversation_id: int) -> tuple[Message, ...]:
        self._store.conversation(conversation_id)
        branch = self._store.branch(conversation_id)
        return tuple(message for message in branch if message.role is not Role.SYSTEM)

    def live(self, conversation_id: int) -> LiveAnswer | None:
        current = self._answer_in(conversation_id)
        return None if current is None else current.snapshot()

    def loaded(self) -> ModelInMemory | None:
        held = self._in_memory
        return held[1] if held is not None and self._engine.loaded is held[0] else None

    # --- doing ----------------------------------------------------------------------------------

    def stop(self, conversation_id: int) -> None:
        """Returns at once; `send` returns the answer so far."""
        current = self._answer_in(conversation_id)
        if current is not None:
            current.cancel.cancel()

    def unload(self) -> None:
        """Raises EngineFailed (busy) while an answer is written."""
        self._in_memory = None
        self._ticket = None
        self._engine.unload()

    def close(self) -> None:
        """Stop the answer that is written, wait until it is kept, and close the store."""
        with self._lock:
            current = self._current
        if current is not None:
            current.cancel.cancel()
            current.ended.wait(_END_SECONDS)
        self._store.close()

    def send(
        self,
        conversation_id: int,
        text: str,
        model_id: str,
        sampling: Sampling,
        cancel: CancelToken,
        report: Report,
    ) -> Message:
        """See ChatsLike. Raises EngineFailed (busy) where another answer is being written."""
        text = storable(text).strip()
        if not text:
            raise UsageError("an empty message")
        with self._one_answer(conversation_id) as current:
            cancel.on_cancel(current.cancel.cancel)
            question = self._ask(conversation_id, text, model_id)
            answer = self._store.add_answer(question, model_id)
            current.message = answer
            try:
                self._have_model(model_id, current, report)
            except CancelledByUser:
                return self._keep(answer, state=MessageState.STOPPED)
            except EngineDied as death:
                detail = death_detail(death, loading=True)
                return self._keep(answer, state=MessageState.ENGINE_DIED, detail=detail)
            except BaseException:
                self._store.discard(answer)
                raise
            return self._answer(answer, sampling, current, report)

    # --- one answer -----------------------------------------------------------------------------

    def _answer_in(self, conversation_id: int) -> AnswerInProgress | None:
        with self._lock:
            current = self._current
        if current is None or current.conversation_id != conversation_id:
            return None
        return current

    @contextlib.contextmanager
    def _one_answer(self, conversation_id: int) -> Iterator[AnswerInProgress]:
        self._store.conversation(conversation_id)
        current = AnswerInProgress(conversation_id, self._clock)
        with self._lock:
            if self._current is not None:
                raise EngineFailed("busy")
            self._current = current
        try:
            yield current
        finally:
            with self._lock:
                self._current = None
            current.ended.set()

    def _ask(self, conversation_id: int, text: str, model_id: str) -> Message:
        """Store the question. One that never got an answer is asked again, not doubled."""
        branch = self._store.branch(conversation_id)
        self._store.set_model(conversation_id, model_id)
        parent = branch[-1] if branch else None
        if parent is not None and parent.role is Role.USER:
            if parent.content == text:
                return parent
            return self._store.add_question(conversation_id, parent.parent_id, text)
        return self._store.add_question(conversation_id, parent.id if parent else None, text)

    def _have_model(self, model_id: str, current: AnswerInProgress, report: Report) -> None:
        """Load it, unless it is what is loaded. The one before goes first: the fit counts on it."""
        ticket = self._ticket
        if (
            ticket is not None
            and ticket.model_id == model_id
            and self.loaded() is not None
            and ticket.still_allowed()
        ):
            return
        self.unload()

        def on_progress(progress: Progress) -> None:
            current.move_to(LivePhase.LOADING, progress.fraction)
            report(progress)

        ticket = self._open_model(model_id, current.cancel)
        loaded = self._engine.load(ticket.clearance, ticket.order, current.cancel, on_progress)
        self._ticket = ticket
        in_memory = model_in_memory(ticket, loaded)
        self._in_memory = (loaded, in_memory)
        measured = load_measurement(ticket, loaded, in_memory)
        if self._measurements is not None and measured is not None:
            with _kept_if_possible():
                self._measurements.keep_load(measured)

    def _answer(
        self, answer: Message, sampling: Sampling, current: AnswerInProgress, report: Report
    ) -> Message:
        """Stream and keep; however it ends, the text so far is in the store."""
        current.move_to(LivePhase.PROMPT)
        try:
            done, sent = self._stream(answer, sampling, current, report)
        except CancelledByUser:
            return self._keep(answer, current.text, MessageState.STOPPED)
        except EngineDied as death:
            detail = death_detail(death, loading=False)
            return self._keep(answer, current.text, MessageState.ENGINE_DIED, detail=detail)
        except EngineFailed as failure:
            detail = failure_detail(failure)
            return self._keep(answer, current.text, MessageState.FAILED, detail=detail)
        except BaseException:
            self._keep(answer, current.text, MessageState.FAILED)
            raise
        dropped = {"code": "turns_dropped", "messages": sent.dropped} if sent.dropped else None
        kept = self._keep(
            answer,
            current.text,
            STATES.get(done.finish_reason, MessageState.COMPLETE),
            figures=figures_of(done),
            detail=dropped,
        )
        self._keep_speed(done)
        return kept

    def _keep_speed(self, done: Done) -> None:
        if self._measurements is None or self._ticket is None:
            return
        if done.completion_tokens >= LEAST_ANSWER_TOKENS:
            with _kept_if_possible():
                self._measurements.keep_run(measured_run(self._ticket, done))

    def _stream(
        self, answer: Message, sampling: Sampling, current: AnswerInProgress, report: Report
    ) -> tuple[Done, Sent]:
        branch = self._store.branch(answer.conversation_id)[:-1]
        kept_at = self._clock()

        def on_tokens(text: str, count: int) -> None:
            nonlocal kept_at
            current.add(text, count)
            report(Progress(current.tokens, None, LivePhase.GENERATING.value))
            if self._clock() - kept_at >= _SAVE_SECONDS:
                self._keep_partial(answer, current.text)
                kept_at = self._clock()

        def on_progress(progress: Progress) -> None:
            current.move_to(LivePhase.PROMPT, progress.fraction)
            report(progress)

        context_length = self._in_memory[1].context_length if self._in_memory else 0
        room = min(max(sampling.max_tokens, 1), context_length // 4)
        before: Sent | None = None
        for share in _RETRY_SHARES:
            sent = choose_messages(branch, round((context_length - room) * share))
            if before is not None and sent == before:
                continue
            try:
                done = self._engine.chat(
                    sent.messages, sampling, current.cancel, on_tokens, on_progress
                )
            except EngineFailed as failure:
                if failure.why != "context_too_long" or current.tokens:
                    raise
                before, refusal = sent, failure
            else:
                return done, sent
        raise refusal

    # --- keeping --------------------------------------------------------------------------------

    def _keep(
        self,
        answer: Message,
        text: str = "",
        state: MessageState = MessageState.COMPLETE,
        figures: AnswerFigures | None = None,
        detail: dict[str, Any] | None = None,
    ) -> Message:
        kept = dataclasses.replace(
            answer, content=text, state=state, figures=figures, detail=detail
        )
        self._store.update(kept)
        return kept

    def _keep_partial(self, answer: Message, text: str) -> None:
        """A disk that is full now may have room by the end; the answer goes on."""
        try:
            self._store.update(dataclasses.replace(answer, content=text))
        except (sqlite3.Error, NotEnoughDisk) as error:
            log.warning("the answer so far could not be kept: %s", error)


@contextlib.contextmanager
def _kept_if_possible() -> Iterator[None]:
    """What was measured is not worth an answer: a library that cannot be written is no failure."""
    try:
        yield
    except OpenshelfError as error:
        log.warning("what was measured could not be kept: %s", error)
