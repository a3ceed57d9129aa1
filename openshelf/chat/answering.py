"""How one answer comes about: load, stream, keep; however it ends, the text so far is kept."""

from __future__ import annotations

import dataclasses
import logging
import sqlite3
from collections.abc import Callable
from typing import Any

from openshelf.chat.attachment_rows import keep_counts
from openshelf.chat.context import Sent, budget_tokens, choose_messages
from openshelf.chat.conversation import AnswerFigures, Message, MessageState
from openshelf.chat.endings import (
    STATES,
    death_detail,
    detail_of,
    failure_detail,
    figures_of,
)
from openshelf.chat.holding import ModelHolder
from openshelf.chat.interface import AskWith
from openshelf.chat.live import AnswerInProgress, LivePhase
from openshelf.chat.stores import Stores
from openshelf.engine.interface import EngineLike, Order
from openshelf.engine.protocol import Done, Sampling
from openshelf.errors import (
    CancelledByUser,
    ContextFull,
    EngineDied,
    EngineFailed,
    NetworkFailure,
    NotEnoughDisk,
    Offline,
)
from openshelf.tasks import Progress, Report

log = logging.getLogger(__name__)

_SAVE_SECONDS = 1.0
_RETRY_SHARES = (1.0, 0.7, 0.5)
"""Of the context, where the guess of its length was too low."""


@dataclasses.dataclass(frozen=True)
class Writing:
    """An answer on its way: the message, what it is written with, and who looks on."""

    answer: Message
    ask: AskWith
    current: AnswerInProgress
    report: Report


class AnswerWriter:
    """Writes one answer into the store, as the engine draws it."""

    def __init__(
        self,
        stores: Stores,
        engine: EngineLike[Order],
        holder: ModelHolder,
        clock: Callable[[], float],
    ) -> None:
        self._stores = stores
        self._engine = engine
        self._holder = holder
        self._clock = clock

    def write(self, writing: Writing, take_back: Callable[[Message], None]) -> Message:
        """Load the model if needed, and answer; `take_back` undoes what could not be begun."""
        answer, current = writing.answer, writing.current
        current.begin(answer)
        try:
            self._stores.of(answer.id).set_asked(
                answer.conversation_id, writing.ask.model_id, writing.ask.sampling
            )
            self._holder.have(writing.ask.model_id, current, writing.report)
        except CancelledByUser:
            return self._keep(answer, current, MessageState.STOPPED)
        except EngineDied as death:
            detail = death_detail(death, loading=True)
            return self._keep(answer, current, MessageState.ENGINE_DIED, detail=detail)
        except BaseException:
            take_back(answer)
            raise
        return self._answer(answer, writing.ask.sampling, current, writing.report)

    def _answer(
        self, answer: Message, sampling: Sampling, current: AnswerInProgress, report: Report
    ) -> Message:
        """Stream and keep; however it ends, the text so far is in the store."""
        try:
            self._count_attached(answer, current)
            current.move_to(LivePhase.PROMPT)
            done, sent = self._stream(answer, sampling, current, report)
        except CancelledByUser:
            return self._keep(answer, current, MessageState.STOPPED)
        except EngineDied as death:
            detail = death_detail(death, loading=False)
            return self._keep(answer, current, MessageState.ENGINE_DIED, detail=detail)
        except (EngineFailed, NetworkFailure, Offline) as failure:
            detail = failure_detail(failure)
            return self._keep(answer, current, MessageState.FAILED, detail=detail)
        except BaseException:
            self._keep(answer, current, MessageState.FAILED)
            raise
        kept = self._keep(
            answer,
            current,
            STATES.get(done.finish_reason, MessageState.COMPLETE),
            figures=figures_of(done),
            detail=detail_of(sent, done, sampling, current.text),
        )
        self._holder.keep_speed(done)
        return kept

    def _stream(
        self, answer: Message, sampling: Sampling, current: AnswerInProgress, report: Report
    ) -> tuple[Done, Sent]:
        branch = self._stores.of(answer.id).path_to(answer.id)
        # Last is the answer itself: it goes along where it is one to go on with.
        branch = branch if answer.content else branch[:-1]
        kept_at = self._clock()

        def on_tokens(text: str, count: int) -> None:
            nonlocal kept_at
            current.add(text, count)
            report(Progress(current.tokens, None, LivePhase.GENERATING.value))
            if self._clock() - kept_at >= _SAVE_SECONDS:
                self._keep_partial(answer, current)
                kept_at = self._clock()

        def on_progress(progress: Progress) -> None:
            current.move_to(LivePhase.PROMPT, progress.fraction)
            report(progress)

        budget = budget_tokens(self._holder.context_length, sampling)
        before: Sent | None = None
        for share in _RETRY_SHARES:
            sent = choose_messages(branch, round(budget * share))
            if before is not None and sent == before:
                continue
            try:
                done = self._engine.chat(
                    sent.messages, sampling, current.cancel, on_tokens, on_progress
                )
            except ContextFull as failure:
                if current.tokens:
                    raise
                before, refusal = sent, failure
            else:
                return done, sent
        raise refusal

    def _count_attached(self, answer: Message, current: AnswerInProgress) -> None:
        """What came with the question, exactly, before it is chosen what else goes along."""
        store = self._stores.of(answer.id)
        question = store.path_to(answer.parent_id or 0)[-1:]
        attached = question[0].attachments if question else ()
        if all(one.is_counted for one in attached):
            return
        try:
            counted = self._holder.count(attached, answer.model_id or "", current.cancel)
            if counted != attached:
                keep_counts(store.database, question[0].id, counted)
        except EngineFailed as failure:
            if self._holder.loaded() is None:
                raise
            log.info("what is attached could not be counted: %s", failure)
        except (sqlite3.Error, NotEnoughDisk) as error:
            log.warning("the tokens of what is attached could not be kept: %s", error)

    # --- keeping --------------------------------------------------------------------------------

    def _keep(
        self,
        answer: Message,
        current: AnswerInProgress,
        state: MessageState,
        figures: AnswerFigures | None = None,
        detail: dict[str, Any] | None = None,
    ) -> Message:
        kept = dataclasses.replace(
            _so_far(answer, current), state=state, figures=figures, detail=detail
        )
        self._stores.of(answer.id).update(kept)
        return kept

    def _keep_partial(self, answer: Message, current: AnswerInProgress) -> None:
        """A disk that is full now may have room by the end; the answer goes on."""
        try:
            self._stores.of(answer.id).update(_so_far(answer, current))
        except (sqlite3.Error, NotEnoughDisk) as error:
            log.warning("the answer so far could not be kept: %s", error)


def _so_far(answer: Message, current: AnswerInProgress) -> Message:
    return dataclasses.replace(
        answer, content=current.text, thought_seconds=current.thought_seconds
    )
