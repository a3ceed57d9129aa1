"""`openshelf chat ID`: one answer with `--prompt`, a conversation without."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from openshelf import wording
from openshelf.chat.advice import Advice
from openshelf.chat.advising import AdvisesLike
from openshelf.chat.attachments import Attachment
from openshelf.chat.conversation import Message, MessageState
from openshelf.chat.interface import AskWith, ChatsLike
from openshelf.cli.answers import answer_json
from openshelf.cli.asking import add_sampling, sampling_from
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.cli.values import context_length
from openshelf.errors import (
    CancelledByUser,
    CorruptModel,
    EngineDied,
    EngineFailed,
    NotFound,
    UsageError,
)
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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="an installed id, or an unambiguous part of it")
    parser.add_argument("--prompt", metavar="TEXT", help="answer this and leave; - reads stdin")
    parser.add_argument("--system", default="", metavar="TEXT")
    parser.add_argument("--context", type=context_length, metavar="N", help="tokens")
    add_sampling(parser)


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    model = services.library.find(arguments.id)
    chats = services.chats
    aids = services.chat_aids
    sampling = sampling_from(arguments, _advice(aids.advisor, model.id))
    attached = [aids.read_file(Path(name), interrupts.token) for name in arguments.attach]
    conversation = chats.new_conversation(model.id, arguments.system)
    turn = _Turn(chats, conversation.id, AskWith(model.id, sampling), output, attached)
    if arguments.prompt is not None:
        prompt = sys.stdin.read() if arguments.prompt == "-" else arguments.prompt
        if not prompt.strip():
            raise UsageError("the prompt is empty")
        answer = turn.ask(prompt, interrupts.token)
        _raise_if_failed(answer)
        output.result(answer_json(answer, sampling, chats.loaded()))
        return 0
    if output.as_json:
        raise UsageError("chat --json needs --prompt")
    return _converse(turn, output, interrupts)


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
        while thread.is_alive():
            thread.join(_POLL_SECONDS)
            live = self._chats.live(self._conversation_id)
            if live is not None and len(live.text) > shown:
                self._output.stream(live.text[shown:])
                shown = len(live.text)
        match outcomes[0]:
            case Succeeded(answer):
                pass
            case Failed(error):
                raise error
            case Cancelled():
                raise CancelledByUser
        self._output.stream(answer.content[shown:] + "\n")
        return answer


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


def _error_of(answer: Message) -> EngineDied | EngineFailed:
    detail = answer.detail or {}
    if answer.state is MessageState.ENGINE_DIED:
        return EngineDied(signal=str(detail.get("signal", "")), tail=str(detail.get("tail", "")))
    return EngineFailed(why=str(detail.get("why", "")), detail=str(detail.get("detail", "")))
