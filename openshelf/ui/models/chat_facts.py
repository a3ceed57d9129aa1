"""What the chat page shows around a conversation: read in tasks, kept as frozen facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QDate, QLocale

from openshelf.chat.attachments import Attachment, tokens_of
from openshelf.chat.conversation import (
    AnswerFigures,
    Conversation,
    Folder,
    Message,
    MessageState,
    Role,
)
from openshelf.chat.interface import ModelInMemory
from openshelf.engine.servers import Server
from openshelf.library.installed import InstalledModel
from openshelf.services import Services
from openshelf.tasks import CancelToken, Report
from openshelf.ui.models.moments import local_day, local_today


@dataclass(frozen=True)
class ChatFacts:
    conversations: tuple[Conversation, ...]
    installed: tuple[InstalledModel, ...]
    loaded: ModelInMemory | None
    folders: tuple[Folder, ...] = ()
    servers: tuple[Server, ...] = ()


def read_facts(services: Services) -> Callable[[CancelToken, Report], ChatFacts]:
    def work(cancel: CancelToken, report: Report) -> ChatFacts:
        return ChatFacts(
            services.chats.conversations(),
            services.library.installed(),
            services.chats.loaded(),
            services.chats.folders.all(),
            services.servers.servers(),
        )

    return work


@dataclass(frozen=True)
class ShownBranch:
    """The branch shown of a conversation; `versions` as ChatsLike.versions has them. The id comes
    along, so that a late answer can be told from a current one."""

    conversation_id: int
    messages: tuple[Message, ...]
    versions: Mapping[int, tuple[int, ...]]

    def versions_of(self, message: Message) -> tuple[int, ...]:
        return self.versions.get(message.id, (message.id,))


def read_branch(
    services: Services, conversation_id: int, through: int | None = None
) -> Callable[[CancelToken, Report], ShownBranch]:
    """`through` a message, where another branch is to be shown from now on."""

    def work(cancel: CancelToken, report: Report) -> ShownBranch:
        chats = services.chats
        if through is not None:
            chats.show(through)
        return ShownBranch(
            conversation_id, chats.messages(conversation_id), chats.versions(conversation_id)
        )

    return work


def read_acceptances(services: Services) -> Callable[[CancelToken, Report], dict[str, str]]:
    """Record id → the day on which it was written, as dates are written here."""

    def work(cancel: CancelToken, report: Report) -> dict[str, str]:
        records = services.acceptances.records()
        return {str(r.get("record_id")): short_day(str(r.get("at") or "")) for r in records}

    return work


def short_day(moment: str) -> str:
    """An ISO time as a local date (`12 Nov`, `12 Nov 2025`); empty where it is none."""
    day = local_day(moment)
    if day is None:
        return ""
    is_this_year = day.year == local_today().year
    pattern = "d MMM" if is_this_year else "d MMM yyyy"
    return QLocale().toString(QDate(day.year, day.month, day.day), pattern)


def tokens_in_context(messages: tuple[Message, ...]) -> int | None:
    """Tokens of the conversation after its last answer, as the engine counted them."""
    for message in reversed(messages):
        if message.role is Role.ASSISTANT and message.figures is not None:
            return message.figures.prompt_tokens + message.figures.completion_tokens
    return None


@dataclass(frozen=True)
class ContextParts:
    """Tokens of the context after the last answer: what was attached (`is_guessed` where not all of
    it was counted), what was written before the answer, and the answer."""

    attached: int
    written: int
    answer: int
    is_guessed: bool = False


def last_figures(messages: Sequence[Message]) -> AnswerFigures | None:
    """Of the last answer that has any."""
    told = (m.figures for m in reversed(messages) if m.role is Role.ASSISTANT and m.figures)
    return next(told, None)


def context_parts(messages: Sequence[Message]) -> ContextParts | None:
    """None where the last answer was not counted, or earlier messages were left out."""
    last = messages[-1] if messages else None
    if last is None or last.figures is None or (last.detail or {}).get("messages"):
        return None
    files = [one for message in messages for one in message.attachments]
    attached = min(tokens_of(files), last.figures.prompt_tokens)
    return ContextParts(
        attached,
        last.figures.prompt_tokens - attached,
        last.figures.completion_tokens,
        is_guessed=not all(one.is_counted for one in files),
    )


def context_length(loaded: ModelInMemory | None, services: Services) -> int:
    """Tokens that the model holds, or would be loaded with."""
    return loaded.context_length if loaded else services.settings.current.context_length


def question_of(text: str, attached: Sequence[Attachment]) -> Message:
    """What is being written, as the message it may become."""
    state = MessageState.COMPLETE
    return Message(0, 0, None, Role.USER, text, state, "", attachments=tuple(attached))


def is_open_end(message: Message) -> bool:
    """An answer that is still being written: what of it is stored is not shown as its end."""
    return message.role is Role.ASSISTANT and message.state is MessageState.STREAMING
