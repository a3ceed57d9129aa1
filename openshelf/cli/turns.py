"""One question of `openshelf chat`, from sending it to the end of its answer."""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass

from openshelf import errors, wording
from openshelf.chat.attachments import Attachment, reason_of_attachment, tokens_of
from openshelf.chat.conversation import Message, MessageState, Role
from openshelf.chat.interface import AskWith, ChatsLike, ModelInMemory
from openshelf.chat.live import LiveAnswer, LivePhase
from openshelf.cli.output import Output
from openshelf.errors import CancelledByUser, EngineDied, EngineFailed, OpenshelfError
from openshelf.reasons import Reason
from openshelf.tasks import (
    Cancelled,
    CancelToken,
    Failed,
    Outcome,
    Progress,
    Report,
    Succeeded,
    no_report,
    run_to_outcome,
)

_POLL_SECONDS = 0.05
_WHOLE = 1000
_FAILED = (MessageState.ENGINE_DIED, MessageState.FAILED)
_FAILURES: dict[str, type[OpenshelfError]] = {
    kind.__name__: kind
    for kind in (
        errors.ContextFull, errors.EngineFailed, errors.OutOfMemory, errors.NetworkFailure,
        errors.Offline, errors.RateLimited, errors.ServerFailed,
    )
}  # fmt: skip
"""What chat/answering.py keeps with an answer, by the name in its code."""


@dataclass(frozen=True)
class Asking:
    """What a conversation is held with: `attached` goes along with the first question; `context`
    is what was asked for on the command line."""

    conversation_id: int
    ask: AskWith
    attached: tuple[Attachment, ...] = ()
    context: int | None = None


class Turns:
    """Asks and prints each answer as it is written; `notes` are what was said of the load."""

    def __init__(self, chats: ChatsLike, asking: Asking, output: Output) -> None:
        self._chats = chats
        self._asking = asking
        self._output = output
        self._attached = asking.attached
        self._told: ModelInMemory | None = None
        self._progress: Progress | None = None
        self._shown = 0
        self.notes: list[Reason] = []

    def ask(self, text: str, cancel: CancelToken) -> Message:
        """The answer, also one that was stopped. Raises what kept it from being asked."""
        outcomes: list[Outcome[Message]] = []
        attached, self._attached = self._attached, ()

        def send(cancel: CancelToken, report: Report) -> Message:
            ask = self._asking.ask
            return self._chats.send(
                self._asking.conversation_id,
                text,
                ask.model_id,
                ask.sampling,
                cancel,
                report,
                attached=attached,
            )

        thread = threading.Thread(
            target=lambda: outcomes.append(run_to_outcome(send, cancel, no_report)),
            name="openshelf-chat",
        )
        thread.start()
        self._shown = 0
        while thread.is_alive():
            thread.join(_POLL_SECONDS)
            self._show(self._chats.live(self._asking.conversation_id))
        self._tell_load()
        match outcomes[0]:
            case Succeeded(answer):
                self._stream(answer.content)
            case Failed(error):
                raise error
            case Cancelled():
                raise CancelledByUser
        if self._shown:
            self._output.stream("\n")
        if answer.state not in _FAILED and answer.detail is not None:
            self._output.note(wording.sentence(Reason(str(answer.detail["code"]), answer.detail)))
        return answer

    def _show(self, live: LiveAnswer | None) -> None:
        if live is None:
            return
        if live.text:
            self._tell_load()
            self._stream(live.text)
        elif live.fraction is not None and live.phase is not LivePhase.GENERATING:
            progress = Progress(round(live.fraction * _WHOLE), _WHOLE, live.phase.value)
            if progress != self._progress:
                self._progress = progress
                self._output.report(progress)

    def _stream(self, text: str) -> None:
        if len(text) > self._shown:
            self._output.stream(text[self._shown :])
            self._shown = len(text)

    def _tell_load(self) -> None:
        """Once for each load, before its first answer."""
        loaded = self._chats.loaded()
        if loaded is None or loaded is self._told:
            return
        self._told = loaded
        self._tell_files(loaded)
        notes = []
        asked, has = self._asking.context, loaded.context_length
        if asked is not None and loaded.server is None and has < asked:
            notes.append(Reason("fit_context_clamped", {"asked": asked, "trained": has}))
        if loaded.left_gpu:
            notes.append(Reason("engine_left_gpu"))
        for note in notes:
            if note not in self.notes:
                self.notes.append(note)
                self._output.note(wording.sentence(note))

    def files(self) -> tuple[Attachment, ...]:
        """What came with the last question, as it was counted for the model that reads it."""
        messages = self._chats.messages(self._asking.conversation_id)
        asked = [message for message in messages if message.role is Role.USER]
        return asked[-1].attachments if asked else ()

    def _tell_files(self, loaded: ModelInMemory) -> None:
        """What each takes, and what the context holds."""
        files = self.files()
        if not files:
            return
        for one in files:
            self._output.note(wording.sentence(reason_of_attachment(one)))
        code = "attached_counted_fits" if all(f.is_counted for f in files) else "attached_fits"
        data = {"tokens": tokens_of(files), "whole": loaded.context_length}
        self._output.note(wording.sentence(Reason(code, data)))


def raise_if_failed(answer: Message) -> None:
    """Where an answer did not come to its end. Raises CancelledByUser, what `failure_of` tells."""
    if answer.state in _FAILED:
        raise failure_of(answer)
    if answer.state is MessageState.STOPPED:
        raise CancelledByUser


def failure_of(answer: Message) -> OpenshelfError:
    """The error that an answer of the state FAILED or ENGINE_DIED ended with."""
    detail = answer.detail or {}
    kind: type[OpenshelfError] = EngineDied
    if answer.state is not MessageState.ENGINE_DIED:
        kind = _FAILURES.get(str(detail.get("code", "")).partition(".")[0], EngineFailed)
    names = {field.name for field in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in detail.items() if name in names})
