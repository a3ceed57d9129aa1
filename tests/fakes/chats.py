"""Conversations in memory, scripted by the test."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from openshelf.chat.archive import ExportForm
from openshelf.chat.attachments import Attachment
from openshelf.chat.conversation import (
    AnswerFigures,
    Conversation,
    Folder,
    FoundConversation,
    Message,
    MessageState,
    Role,
)
from openshelf.chat.session import AskWith, LiveAnswer, ModelInMemory
from openshelf.engine.protocol import Sampling
from openshelf.errors import NotFound, OpenshelfError
from openshelf.tasks import CancelToken, Report


class FakeFolders:
    """No chat is in any; they can be made and named."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}

    def all(self) -> tuple[Folder, ...]:
        return tuple(Folder(number, name) for number, name in self.names.items())

    def add(self, name: str) -> Folder:
        self.names[len(self.names) + 1] = name
        return self.all()[-1]

    def rename(self, folder_id: int, name: str) -> None:
        self.names[folder_id] = name

    def delete(self, folder_id: int) -> None:
        del self.names[folder_id]

    def put(self, conversation_id: int, folder_id: int | None) -> None:
        raise NotFound("conversation", str(conversation_id))


class FakeChats:
    """Answers each question with `answer`, at once; `error` is raised instead where it is set."""

    def __init__(self) -> None:
        self.answer = "The answer is **42**."
        self.error: OpenshelfError | None = None
        self.state = MessageState.COMPLETE
        self.all: dict[int, Conversation] = {}
        self.texts: dict[int, list[Message]] = {}
        self.live_answer: LiveAnswer | None = None
        self.in_memory: ModelInMemory | None = None
        self.stopped: list[int] = []
        self.all_versions: dict[int, tuple[int, ...]] = {}
        self._ids = itertools.count(1)
        self.folders = FakeFolders()

    def conversations(self) -> tuple[Conversation, ...]:
        return tuple(reversed(self.all.values()))

    def new_conversation(
        self, model_id: str | None, system_prompt: str = "", *, is_saved: bool = True
    ) -> Conversation:
        now = "2026-11-23T09:00:00Z"
        conversation = Conversation(next(self._ids), "", now, now, model_id, is_saved=is_saved)
        self.all[conversation.id] = conversation
        self.texts[conversation.id] = []
        return conversation

    def delete_all(self) -> int:
        count = len(self.all)
        self.all.clear()
        self.texts.clear()
        return count

    def search(self, text: str) -> tuple[FoundConversation, ...]:
        return tuple(
            FoundConversation(message.conversation_id, message.id, message.content)
            for messages in self.texts.values()
            for message in messages[:1]
            if text.casefold() in message.content.casefold()
        )

    def rename(self, conversation_id: int, title: str) -> None:
        self.all[conversation_id] = replace(self.all[conversation_id], title=title)

    def pin(self, conversation_id: int, *, pinned: bool) -> None:
        self.all[conversation_id] = replace(self.all[conversation_id], is_pinned=pinned)

    def export(self, conversation_id: int, path: Path, form: ExportForm) -> None:
        raise NotFound("conversation", str(conversation_id))

    def import_file(self, path: Path) -> Conversation:
        raise NotFound("file", str(path))

    def delete_conversation(self, conversation_id: int) -> None:
        del self.all[conversation_id]
        del self.texts[conversation_id]

    def messages(self, conversation_id: int) -> tuple[Message, ...]:
        return tuple(self.texts[conversation_id])

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
        if self.error is not None:
            raise self.error
        question = self._append(conversation_id, Role.USER, text, MessageState.COMPLETE, None)
        self.texts[conversation_id][-1] = replace(question, attachments=tuple(attached))
        self.all[conversation_id] = replace(self.all[conversation_id], sampling=sampling)
        figures = AnswerFigures(12, 9, 0, 0.4, 310.0, 21.3)
        if not self.all[conversation_id].title:
            self.all[conversation_id] = replace(self.all[conversation_id], title=text[:40])
        return self._append(conversation_id, Role.ASSISTANT, self.answer, self.state, figures)

    def _append(
        self,
        conversation_id: int,
        role: Role,
        text: str,
        state: MessageState,
        figures: AnswerFigures | None,
    ) -> Message:
        message = Message(
            next(self._ids), conversation_id, None, role, text, state, "2026-11-23T09:00:00Z",
            figures=figures,
        )  # fmt: skip
        self.texts[conversation_id].append(message)
        return message

    def versions(self, conversation_id: int) -> Mapping[int, tuple[int, ...]]:
        return self.all_versions

    def show(self, message_id: int) -> None:
        raise NotFound("message", str(message_id))

    def edit(
        self, question_id: int, text: str, ask: AskWith, cancel: CancelToken, report: Report
    ) -> Message:
        raise NotFound("message", str(question_id))

    def regenerate(
        self, answer_id: int, ask: AskWith, cancel: CancelToken, report: Report
    ) -> Message:
        raise NotFound("message", str(answer_id))

    def continue_answer(
        self, answer_id: int, ask: AskWith, cancel: CancelToken, report: Report
    ) -> Message:
        raise NotFound("message", str(answer_id))

    def count(
        self, attached: Sequence[Attachment], model_id: str, cancel: CancelToken
    ) -> tuple[Attachment, ...]:
        cancel.raise_if_cancelled()
        if self.in_memory is None or self.in_memory.model_id != model_id:
            return tuple(attached)
        return tuple(
            replace(one, tokens=len(one.text.split()), is_counted=True) for one in attached
        )

    def live(self, conversation_id: int) -> LiveAnswer | None:
        return self.live_answer

    def stop(self, conversation_id: int) -> None:
        self.stopped.append(conversation_id)

    def loaded(self) -> ModelInMemory | None:
        return self.in_memory

    def unload(self) -> None:
        self.in_memory = None
