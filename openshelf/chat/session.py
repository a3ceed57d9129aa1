"""Sending, streaming, stopping: one conversation talking to the engine.

`send` is blocking work for a task; whoever shows the answer asks `live` for the text so far, so a
slow window never slows the engine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from openshelf.chat.answering import AnswerWriter, Writing
from openshelf.chat.archive import ExportForm
from openshelf.chat.attachments import Attachment
from openshelf.chat.conversation import Conversation, FoundConversation, Message, MessageState, Role
from openshelf.chat.exporting import write_export
from openshelf.chat.holding import ModelHolder
from openshelf.chat.importing import read_archive
from openshelf.chat.interface import AskWith as AskWith
from openshelf.chat.interface import ChatsLike as ChatsLike
from openshelf.chat.interface import FoldersLike
from openshelf.chat.interface import KeepsMeasurements as KeepsMeasurements
from openshelf.chat.interface import LoadTicket as LoadTicket
from openshelf.chat.interface import ModelInMemory as ModelInMemory
from openshelf.chat.interface import OpenAny as OpenAny
from openshelf.chat.interface import OpenModel as OpenModel
from openshelf.chat.live import AnswerInProgress
from openshelf.chat.live import LiveAnswer as LiveAnswer
from openshelf.chat.live import LivePhase as LivePhase
from openshelf.chat.store import ConversationStore
from openshelf.chat.stores import Stores
from openshelf.chat.titles import storable
from openshelf.engine.interface import EngineLike, Order
from openshelf.engine.protocol import Sampling
from openshelf.errors import BadWords, EngineFailed, NotFound
from openshelf.tasks import CancelToken, Report

_END_SECONDS = 10.0
_CUT_OFF = {MessageState.ENGINE_DIED, MessageState.FAILED}


def _words(text: str) -> str:
    """What a person wrote, as it is kept. Raises UsageError where it is empty."""
    text = storable(text).strip()
    if not text:
        raise BadWords(why="empty_message")
    return text


class Chats:
    """ChatsLike over one store and one engine: one answer at a time."""

    def __init__(
        self,
        store: ConversationStore,
        engine: EngineLike[Order],
        open_model: OpenAny,
        measurements: KeepsMeasurements | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stores = Stores(store)
        self._engine = engine
        self._holder = ModelHolder(engine, open_model, measurements)
        self._writer = AnswerWriter(self._stores, engine, self._holder, clock)
        self._clock = clock
        self._lock = threading.Lock()
        self._current: AnswerInProgress | None = None

    # --- looking --------------------------------------------------------------------------------

    def conversations(self) -> tuple[Conversation, ...]:
        return self._stores.conversations()

    @property
    def folders(self) -> FoldersLike:
        return self._stores.saved.folders

    def new_conversation(
        self, model_id: str | None, system_prompt: str = "", *, is_saved: bool = True
    ) -> Conversation:
        return self._stores.new_conversation(model_id, system_prompt, is_saved=is_saved)

    def search(self, text: str) -> tuple[FoundConversation, ...]:
        return self._stores.search(text)

    def rename(self, conversation_id: int, title: str) -> None:
        self._stores.of(conversation_id).rename(conversation_id, title)

    def pin(self, conversation_id: int, *, pinned: bool) -> None:
        self._stores.of(conversation_id).pin(conversation_id, pinned=pinned)

    def export(self, conversation_id: int, path: Path, form: ExportForm) -> None:
        write_export(self._stores.of(conversation_id).archive(conversation_id), path, form)

    def import_file(self, path: Path) -> Conversation:
        return self._stores.saved.add_archive(read_archive(path))

    def delete_all(self) -> int:
        """Stops the answer that is written first, whichever chat it is in."""
        with self._lock:
            current = self._current
        if current is not None:
            current.cancel.cancel()
            current.ended.wait(_END_SECONDS)
        return self._stores.delete_all()

    def delete_conversation(self, conversation_id: int) -> None:
        """Stops its answer first, if one is being written."""
        current = self._answer_in(conversation_id)
        if current is not None:
            current.cancel.cancel()
            current.ended.wait(_END_SECONDS)
        self._stores.of(conversation_id).delete_conversation(conversation_id)

    def messages(self, conversation_id: int) -> tuple[Message, ...]:
        self._stores.of(conversation_id).conversation(conversation_id)
        branch = self._stores.of(conversation_id).branch(conversation_id)
        return tuple(message for message in branch if message.role is not Role.SYSTEM)

    def live(self, conversation_id: int) -> LiveAnswer | None:
        current = self._answer_in(conversation_id)
        return None if current is None else current.snapshot()

    @property
    def is_answering(self) -> bool:
        with self._lock:
            return self._current is not None

    def loaded(self) -> ModelInMemory | None:
        return self._holder.loaded()

    def count(
        self, attached: Sequence[Attachment], model_id: str, cancel: CancelToken
    ) -> tuple[Attachment, ...]:
        return self._holder.count(attached, model_id, cancel)

    def versions(self, conversation_id: int) -> Mapping[int, tuple[int, ...]]:
        return self._stores.of(conversation_id).versions(conversation_id)

    def show(self, message_id: int) -> None:
        self._stores.of(message_id).show(message_id)

    # --- doing ----------------------------------------------------------------------------------

    def stop(self, conversation_id: int) -> None:
        """Returns at once; `send` returns the answer so far."""
        current = self._answer_in(conversation_id)
        if current is not None:
            current.cancel.cancel()

    def unload(self) -> None:
        """Raises EngineFailed (busy) while an answer is written."""
        self._holder.unload()

    def close(self) -> None:
        """Stop the answer that is written, wait until it is kept, and close the store."""
        with self._lock:
            current = self._current
        if current is not None:
            current.cancel.cancel()
            current.ended.wait(_END_SECONDS)
        self._stores.close()

    def send(
        self,
        conversation_id: int,
        text: str,
        model_id: str,
        sampling: Sampling,
        cancel: CancelToken,
        report: Report,
        *,
        attached: Sequence[Attachment] = (),
    ) -> Message:
        """See ChatsLike. Raises EngineFailed (busy) where another answer is being written."""
        text, ask = _words(text), AskWith(model_id, sampling)
        with self._one_answer(conversation_id, cancel) as current:
            question = self._ask(conversation_id, text, attached)
            answer = self._stores.of(question.id).add_answer(question, model_id)
            return self._writer.write(Writing(answer, ask, current, report), self._discard)

    def edit(
        self, question_id: int, text: str, ask: AskWith, cancel: CancelToken, report: Report
    ) -> Message:
        """See ChatsLike. Words that did not change ask for another answer."""
        text, question = _words(text), self._message(question_id, Role.USER)
        with self._one_answer(question.conversation_id, cancel) as current:
            version = question
            if text != question.content:
                store = self._stores.of(question.id)
                version = store.add_question(
                    question.conversation_id,
                    question.parent_id,
                    text,
                    store.path_to(question.id)[-1].attachments,
                )
            answer = self._stores.of(version.id).add_answer(version, ask.model_id)
            return self._writer.write(Writing(answer, ask, current, report), self._discard)

    def regenerate(
        self, answer_id: int, ask: AskWith, cancel: CancelToken, report: Report
    ) -> Message:
        """See ChatsLike."""
        earlier = self._message(answer_id, Role.ASSISTANT)
        question = self._message(earlier.parent_id or 0, Role.USER)
        with self._one_answer(question.conversation_id, cancel) as current:
            store = self._stores.of(question.id)
            shown = store.branch(question.conversation_id)[-1]
            answer = store.add_answer(question, ask.model_id)

            def take_back(answer: Message) -> None:
                store.discard(answer)
                store.show(shown.id)

            return self._writer.write(Writing(answer, ask, current, report), take_back)

    def continue_answer(
        self, answer_id: int, ask: AskWith, cancel: CancelToken, report: Report
    ) -> Message:
        """See ChatsLike. It stays the same message, and nothing of it is taken away."""
        earlier = self._message(answer_id, Role.ASSISTANT)
        with self._one_answer(earlier.conversation_id, cancel) as current:
            # Only now nothing is being added to it any more.
            store, earlier = self._stores.of(answer_id), self._message(answer_id, Role.ASSISTANT)
            if store.branch(earlier.conversation_id)[-1].id != answer_id:
                raise BadWords(why="answer_followed")
            answer = dataclasses.replace(
                earlier, state=MessageState.STREAMING, model_id=ask.model_id
            )
            store.update(answer)

            def take_back(_: Message) -> None:
                store.update(earlier)

            return self._writer.write(Writing(answer, ask, current, report), take_back)

    # --- one answer -----------------------------------------------------------------------------

    def _message(self, message_id: int, role: Role) -> Message:
        """Raises NotFound, also where it is not that side's."""
        message = self._stores.of(message_id).message(message_id)
        if message.role is not role:
            raise NotFound("message", str(message_id))
        return message

    def _discard(self, answer: Message) -> None:
        self._stores.of(answer.id).discard(answer)

    def _answer_in(self, conversation_id: int) -> AnswerInProgress | None:
        with self._lock:
            current = self._current
        if current is None or current.conversation_id != conversation_id:
            return None
        return current

    @contextlib.contextmanager
    def _one_answer(self, conversation_id: int, cancel: CancelToken) -> Iterator[AnswerInProgress]:
        self._stores.of(conversation_id).conversation(conversation_id)
        current = AnswerInProgress(conversation_id, self._clock)
        with self._lock:
            if self._current is not None:
                raise EngineFailed("busy")
            self._current = current
        try:
            cancel.on_cancel(current.cancel.cancel)
            yield current
        finally:
            with self._lock:
                self._current = None
            current.ended.set()

    def _ask(self, conversation_id: int, text: str, attached: Sequence[Attachment]) -> Message:
        """Store the question. One that never got an answer is asked again, not doubled.

        What was attached to it goes along again, also where its answer was cut off.
        """
        store = self._stores.of(conversation_id)
        branch = store.branch(conversation_id)
        parent = branch[-1] if branch else None
        before = next((m for m in reversed(branch) if m.role is Role.USER), None)
        is_again = before is not None and before.content == text and not attached
        if parent is not None and parent.role is Role.USER:
            if is_again:
                return parent
            return store.add_question(conversation_id, parent.parent_id, text, attached)
        if before is not None and is_again and parent is not None and parent.state in _CUT_OFF:
            attached = store.path_to(before.id)[-1].attachments
        return store.add_question(conversation_id, parent.id if parent else None, text, attached)
