"""`openshelf chat ID`: one answer with `--prompt`, a conversation without."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from openshelf import wording
from openshelf.chat.advice import Advice
from openshelf.chat.advising import AdvisesLike
from openshelf.chat.conversation import MessageState
from openshelf.chat.interface import AskWith
from openshelf.cli.answers import answer_json
from openshelf.cli.asking import add_sampling, ignored_options, sampling_from
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.cli.turns import Asking, Turns, failure_of, raise_if_failed
from openshelf.cli.values import context_length
from openshelf.engine.servers import ServerModelName, is_model_name
from openshelf.errors import BadWords, CorruptModel, NotFound
from openshelf.services import Services


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
    chats, aids = services.chats, services.chat_aids
    # Of a server's model nobody here knows what its publisher recommends.
    advice = None if arguments.server else _advice(aids.advisor, model_id)
    sampling = sampling_from(arguments, advice or Advice())
    ignored = ignored_options(arguments, advice)
    attached = tuple(aids.read_file(Path(name), interrupts.token) for name in arguments.attach)
    prompt = _prompt(arguments, output)
    for reason in ignored:
        output.note(wording.sentence(reason))
    conversation = chats.new_conversation(model_id, arguments.system)
    asking = Asking(conversation.id, AskWith(model_id, sampling), attached, arguments.context)
    turns = Turns(chats, asking, output)
    if prompt is None:
        return _converse(turns, output, interrupts)
    answer = turns.ask(prompt, interrupts.token)
    # An error is the one object on stdout, in place of the answer.
    raise_if_failed(answer)
    notes = [*ignored, *turns.notes]
    output.result(answer_json(answer, sampling, chats.loaded(), notes, turns.files()))
    return 0


def _prompt(arguments: argparse.Namespace, output: Output) -> str | None:
    """None for a conversation. Raises UsageError."""
    if arguments.prompt is None:
        if output.as_json:
            raise BadWords(why="chat_json_needs")
        return None
    prompt = sys.stdin.read() if arguments.prompt == "-" else str(arguments.prompt)
    if not prompt.strip():
        raise BadWords(why="empty_prompt")
    return prompt


def _model_id(arguments: argparse.Namespace, services: Services, output: Output) -> str:
    """Raises NotFound."""
    if arguments.server is None:
        return services.library.find(arguments.id).id
    server = services.servers.find(arguments.server)
    if not is_model_name(arguments.id):
        raise BadWords(why="server_model", name=arguments.id)
    if server.is_here:
        output.note(f"Another program on this machine ({server.host}) answers.")
    else:
        output.note(f"What you write leaves this machine: it goes to {server.host}.")
    return ServerModelName(server.name, arguments.id).id


def _advice(advisor: AdvisesLike, model_id: str) -> Advice | None:
    """Whether a model may and can be loaded is said when it is: none of it is this one's."""
    try:
        return advisor.advice(model_id)
    except (CorruptModel, NotFound):
        return None


def _converse(turns: Turns, output: Output, interrupts: Interrupts) -> int:
    output.line("Write a message; Ctrl+C stops an answer, an empty line or Ctrl+D ends this.")
    while True:
        text = interrupts.read_line("\n> ")
        if not text.strip():
            return 0
        answer = turns.ask(text.strip(), interrupts.renew())
        if answer.state in (MessageState.ENGINE_DIED, MessageState.FAILED):
            output.note(wording.error_sentence(failure_of(answer)))
        elif answer.figures is not None:
            figures = answer.figures
            output.line(
                f"({figures.decode_tokens_per_second:.1f} tokens/s, "
                f"first token after {figures.first_token_seconds:.2f} s)"
            )
