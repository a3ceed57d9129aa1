"""`openshelf chat ID`: one answer with `--prompt`, a conversation without."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from openshelf import wording
from openshelf.chat.advice import Advice
from openshelf.chat.advising import AdvisesLike
from openshelf.chat.attachments import Attachment, reason_of_attachment, tokens_of
from openshelf.chat.conversation import Message, MessageState, Role
from openshelf.chat.interface import AskWith, ChatsLike
from openshelf.chat.live import LivePhase
from openshelf.cli.answers import answer_json
from openshelf.cli.asking import add_sampling, sampling_from
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.cli.values import context_length
from openshelf.engine.servers import ServerModelName, is_model_name
from openshelf.errors import (
    CancelledByUser,
    CorruptModel,
    EngineDied,
    EngineFailed,
    NotFound,
    Offline,
    OpenshelfError,
    RateLimited,
    ServerFailed,
    UsageError,
)
from openshelf.reasons import Reason
from openshelf.services import Services
from openshelf.tasks import (
    Cancelled,
    CancelToken,
    Failed,
    Outcome,
    Succeeded,
    no_report,
    run_to_outcome,
)

_POLL_SECONDS = 0.05
_SERVER_ERRORS: dict[str, type[OpenshelfError]] = {
    kind.__name__: kind for kind in (ServerFailed, RateLimited, Offline)
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id",
        metavar="ID",
        help="an installed id, or an unambiguous part of it; with --server a model's name there",
    )
    parser.add_argument(
        "--server", metavar="NAME", help="chat with the model ID of this server (openshelf servers)"
    )
    parser.add_argument("--prompt", metavar="TEXT", help="answer this and leave; - reads stdin")
    parser.add_argument("--system", default="", metavar="TEXT")
    parser.add_argument("--context", type=context_length, metavar="N", help="tokens")
    add_sampling(parser)


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    model_id = _model_id(arguments, services, output)
    chats = services.chats
    aids = services.chat_aids
    # Of a server's model nobody here knows what its publisher recommends.
    advice = Advice() if arguments.server else _advice(aids.advisor, model_id)
    sampling = sampling_from(arguments, advice)
    attached = [aids.read_file(Path(name), interrupts.token) for name in arguments.attach]
    conversation = chats.new_conversation(model_id, arguments.system)
    turn = _Turn(chats, conversation.id, AskWith(model_id, sampling), output, attached)
    if arguments.prompt is not None:
        prompt = sys.stdin.read() if arguments.prompt == "-" else arguments.prompt
        if not prompt.strip():
            raise UsageError("the prompt is empty")
        answer = turn.ask(prompt, interrupts.token)
        # An error is the one object on stdout, in place of the answer.
        _raise_if_failed(answer)
        output.result(answer_json(answer, sampling, chats.loaded(), turn.attached()))
        return 0
    if output.as_json:
        raise UsageError("chat --json needs --prompt")
    return _converse(turn, output, interrupts)


def _model_id(arguments: argparse.Namespace, services: Services, output: Output) -> str:
    """Raises NotFound."""
    if arguments.server is None:
        return services.library.find(arguments.id).id
    server = services.servers.find(arguments.server)
    if not is_model_name(arguments.id):
        raise UsageError("that is not the name of a model on a server")
    if server.is_here:
        output.note(f"Another program on this machine ({server.host}) answers.")
    else:
        output.note(f"What you write leaves this machine: it goes to {server.host}.")
    return ServerModelName(server.name, arguments.id).id


def _advice(advisor: AdvisesLike, model_id: str) -> Advice:
    """Whether a model may and can be loaded is said when it is: none of it is this one's."""
    try:
        return advisor.advice(model_id)
    except (CorruptModel, NotFound):
        return Advice()


class _Turn:
    """Asks one question and prints the answer as it is written; the first one with `attached`."""

    def __init__(
        self,
        chats: ChatsLike,
        conversation_id: int,
        ask: AskWith,
        output: Output,
        attached: Sequence[Attachment],
    ) -> None:
        self._chats = chats
        self._conversation_id = conversation_id
        self._ask = ask
        self._output = output
        self._has_said_cpu = False
        self._attached = tuple(attached)

    def ask(self, text: str, cancel: CancelToken) -> Message:
        """The answer, also one that was stopped. Raises what kept it from being asked."""
        outcomes: list[Outcome[Message]] = []
        attached, self._attached = self._attached, ()
        thread = threading.Thread(
            target=lambda: outcomes.append(
                run_to_outcome(
                    lambda cancel, report: self._chats.send(
                        self._conversation_id,
                        text,
                        self._ask.model_id,
                        self._ask.sampling,
                        cancel,
                        report,
                        attached=attached,
                    ),
                    cancel,
                    no_report,
                )
            ),
            name="openshelf-chat",
        )
        thread.start()
        shown = 0
        untold = bool(attached)
        while thread.is_alive():
            thread.join(_POLL_SECONDS)
            live = self._chats.live(self._conversation_id)
            if untold and live is not None and live.phase is not LivePhase.LOADING:
                untold = False
                self._tell_attached()
            if live is not None and len(live.text) > shown:
                self._output.stream(live.text[shown:])
                shown = len(live.text)
        match outcomes[0]:
            case Succeeded(answer):
                if untold and answer.figures is not None:
                    self._tell_attached()
            case Failed(error):
                raise error
            case Cancelled():
                raise CancelledByUser
        self._output.stream(answer.content[shown:] + "\n")
        loaded = self._chats.loaded()
        if loaded is not None and loaded.left_gpu and not self._has_said_cpu:
            self._has_said_cpu = True
            self._output.note(wording.sentence(Reason("engine_left_gpu")))
        return answer

    def attached(self) -> tuple[Attachment, ...]:
        """What came with the last question, as it was counted for the model that reads it."""
        asked = [m for m in self._chats.messages(self._conversation_id) if m.role is Role.USER]
        return asked[-1].attachments if asked else ()

    def _tell_attached(self) -> None:
        """What each file takes, and what the context holds, once the model is in memory."""
        for one in self.attached():
            self._output.note(wording.sentence(reason_of_attachment(one)))
        loaded, files = self._chats.loaded(), self.attached()
        if loaded is None:
            return
        code = "attached_counted_fits" if all(f.is_counted for f in files) else "attached_fits"
        data = {"tokens": tokens_of(files), "whole": loaded.context_length}
        self._output.note(wording.sentence(Reason(code, data)))


def _converse(turn: _Turn, output: Output, interrupts: Interrupts) -> int:
    output.line("Write a message; Ctrl+C stops an answer, an empty line or Ctrl+D ends this.")
    while True:
        text = interrupts.read_line("\n> ")
        if not text.strip():
            return 0
        answer = turn.ask(text.strip(), interrupts.renew())
        if answer.state in (MessageState.ENGINE_DIED, MessageState.FAILED):
            output.note(wording.error_sentence(_error_of(answer)))
        elif answer.figures is not None:
            figures = answer.figures
            output.line(
                f"({figures.decode_tokens_per_second:.1f} tokens/s, "
                f"first token after {figures.first_token_seconds:.2f} s)"
            )


def _raise_if_failed(answer: Message) -> None:
    if answer.state in (MessageState.ENGINE_DIED, MessageState.FAILED):
        raise _error_of(answer)
    if answer.state is MessageState.STOPPED:
        raise CancelledByUser


def _error_of(answer: Message) -> OpenshelfError:
    detail = answer.detail or {}
    kind = _SERVER_ERRORS.get(str(detail.get("code", "")).partition(".")[0])
    if kind is not None:
        names = {field.name for field in dataclasses.fields(kind)}
        return kind(**{name: value for name, value in detail.items() if name in names})
    if answer.state is MessageState.ENGINE_DIED:
        signal, tail, why = (str(detail.get(name, "")) for name in ("signal", "tail", "why"))
        return EngineDied(signal=signal, tail=tail, why=why)
    return EngineFailed(why=str(detail.get("why", "")), detail=str(detail.get("detail", "")))
