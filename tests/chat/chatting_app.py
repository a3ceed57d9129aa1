"""An app that chats without end and says what it acknowledged, for tests that kill it.

Each line on stdout is `[message id, text]` in JSON, printed after the call that kept it returned.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from openshelf.chat import answering
from openshelf.chat.conversation import Message
from openshelf.chat.session import AskWith, Chats, LoadTicket
from openshelf.chat.store import ConversationStore
from openshelf.engine.protocol import Sampling
from openshelf.tasks import CancelToken, Progress
from tests.fakes.engine import Answer, FakeEngine, clearance_for, load_order, model_file

ASK = AskWith("m", Sampling())


def acknowledge(message: Message) -> None:
    sys.stdout.write(json.dumps([message.id, message.content]) + "\n")
    sys.stdout.flush()


def words(turn: int) -> Iterator[str]:
    for number in range(12):
        yield f"answer {turn} word {number} "


def open_model(model_id: str, cancel: CancelToken) -> LoadTicket:
    file = model_file()
    return LoadTicket(model_id, clearance_for(file), load_order(file), "fits_cpu", 30)


class Asked:
    """Acknowledges the question as soon as anything is heard of its answer."""

    def __init__(self, chats: Chats, conversation_id: int) -> None:
        self._chats, self._conversation_id = chats, conversation_id
        self.question_id = 0

    def __call__(self, _: Progress) -> None:
        if not self.question_id:
            question = self._chats.messages(self._conversation_id)[-2]
            self.question_id = question.id
            acknowledge(question)


def chat(path: Path, turn: int) -> None:
    answering._SAVE_SECONDS = 0.0  # each token is kept: the kill meets a write more often
    engine = FakeEngine()
    chats = Chats(ConversationStore(path), engine, open_model)
    conversation = chats.new_conversation("m", "system prompt")
    while True:
        turn += 1
        engine.answers = [Answer(words(turn))]
        asked = Asked(chats, conversation.id)
        text = f"question {turn}"
        answer = chats.send(conversation.id, text, "m", ASK.sampling, CancelToken(), asked)
        acknowledge(answer)
        engine.answers = [Answer(words(turn))]
        match turn % 4:
            case 0:
                acknowledge(chats.regenerate(answer.id, ASK, CancelToken(), asked))
            case 1:
                acknowledge(
                    chats.edit(asked.question_id, f"{text}, edited", ASK, CancelToken(), asked)
                )
            case 2:
                acknowledge(chats.continue_answer(answer.id, ASK, CancelToken(), asked))
            case _:
                chats.rename(conversation.id, f"named in {turn}")
                conversation = chats.new_conversation("m")


if __name__ == "__main__":
    chat(Path(sys.argv[1]), int(sys.argv[2]))
