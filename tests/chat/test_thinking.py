"""How long an answer was thought about: told while it is written, kept, exported, read back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from openshelf.chat.archive import ExportForm
from openshelf.chat.conversation import Message, MessageState
from openshelf.chat.interface import AskWith, LoadTicket
from openshelf.chat.live import AnswerInProgress
from openshelf.chat.session import Chats
from openshelf.chat.store import ConversationStore
from openshelf.chat.thinking import ThinkingClock
from openshelf.engine.asking import Sampling
from openshelf.tasks import CancelToken, no_report
from tests.fakes.engine import Answer, FakeEngine, clearance_for, load_order, model_file

THOUGHT = ("<think>", "so ", "so ", "</think>", "\n\nIt ", "is.")


def timed(clock: list[float], tokens: Iterable[str], seconds: float = 1.0) -> Iterator[str]:
    """A token each second."""
    for token in tokens:
        clock[0] += seconds
        yield token


class Room:
    def __init__(self, path: Path) -> None:
        self.now = [100.0]
        self.engine = FakeEngine()
        self.store = ConversationStore(path / "chats.sqlite3")
        self.chats = Chats(self.store, self.engine, self._open, clock=lambda: self.now[0])
        self.conversation = self.chats.new_conversation("m")

    def _open(self, model_id: str, cancel: CancelToken) -> LoadTicket:
        file = model_file()
        return LoadTicket(model_id, clearance_for(file), load_order(file), "fits_cpu", 30)

    def ask(self, *tokens: str, finish_reason: str = "stop") -> Message:
        self.engine.answers = [Answer(timed(self.now, tokens), finish_reason=finish_reason)]
        return self.chats.send(
            self.conversation.id, "why", "m", Sampling(), CancelToken(), no_report
        )

    def kept(self) -> Message:
        return self.chats.messages(self.conversation.id)[-1]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_from_the_first_token_to_the_end_of_its_thoughts(room: Room) -> None:
    answer = room.ask(*THOUGHT)
    # The end of it is seen with the first letters of what is said.
    assert answer.thought_seconds == 3.0
    assert room.kept() == answer


@pytest.mark.parametrize(
    ("tokens", "seconds"),
    [
        (("It ", "is ", "so."), None),
        (("<think>", "\n\n", "</think>", "\n\nIt is."), None),
        (("<think>", "so ", "so "), 2.0),
        (("[THINK]", "so ", "[/THINK]", "It is."), 2.0),
        (("\n", "\n", "<think>", "so ", "</think>", "It is."), 4.0),
        (("<|channel|>", "analysis", "<|message|>", "so", "<|end|>", "<|start|>assistant",
          "<|channel|>", "final", "<|message|>", "It ", "is."), 4.0),
    ],
    ids=["none", "empty", "cut", "mistral", "empty line", "harmony"],
)  # fmt: skip
def test_whatever_way_a_model_thinks(
    room: Room, tokens: tuple[str, ...], seconds: float | None
) -> None:
    assert room.ask(*tokens).thought_seconds == seconds


def test_what_is_gone_on_with_goes_on_being_thought_about(room: Room) -> None:
    answer = room.ask("<think>", "so ", "so ", finish_reason="length")
    assert (answer.state, answer.thought_seconds) == (MessageState.LENGTH, 2.0)
    room.now[0] += 500
    room.engine.answers = [Answer(timed(room.now, ("then ", "so ", "</think>", "It ", "is.")))]
    ask = AskWith("m", Sampling())
    more = room.chats.continue_answer(answer.id, ask, CancelToken(), no_report)
    assert more.thought_seconds == 4.0
    room.engine.answers = [Answer(timed(room.now, (" And", " so on.")))]
    again = room.chats.continue_answer(answer.id, ask, CancelToken(), no_report)
    assert again.thought_seconds == 4.0, "it is over"
    another = room.chats.regenerate(answer.id, ask, CancelToken(), no_report)
    assert another.thought_seconds is None


def test_the_answer_so_far_tells_it_too() -> None:
    now = [0.0]
    current = AnswerInProgress(1, lambda: now[0])
    current.begin(Message(1, 1, None, "assistant", "", MessageState.STREAMING, ""))  # type: ignore[arg-type]
    seen = []
    for token in timed(now, THOUGHT):
        current.add(token, 1)
        live = current.snapshot()
        assert live is not None
        seen.append(live.thought_seconds)
    assert seen == [None, 1.0, 2.0, 3.0, 3.0, 3.0]


def test_thoughts_that_took_nobody_knows_how_long_stay_so() -> None:
    clock = ThinkingClock("<think>so")
    clock.look("<think>so so", 5.0)
    clock.look("<think>so so</think>It is.", 6.0)
    assert clock.seconds is None


def test_nothing_is_thought_before_the_first_token() -> None:
    now = [1000.0]
    current = AnswerInProgress(1, lambda: now[0])
    assert current.thought_seconds is None
    for token in timed(now, THOUGHT):
        current.add(token, 1)
    assert current.thought_seconds == 3.0


def test_a_long_thought_is_not_parted_at_every_token(monkeypatch: pytest.MonkeyPatch) -> None:
    import openshelf.chat.thinking as thinking

    looks = []
    real: Callable[[str], object] = thinking.split_answer
    monkeypatch.setattr(thinking, "split_answer", lambda text: looks.append(1) or real(text))
    now = [0.0]
    current = AnswerInProgress(1, lambda: now[0])
    for token in timed(now, ("<think>", *["so "] * 2000), seconds=0.005):
        current.add(token, 1)
    assert len(looks) <= 220
    assert current.thought_seconds == pytest.approx(10.0, abs=0.01)


@pytest.mark.parametrize("form", [ExportForm.JSON, ExportForm.MARKDOWN])
def test_exports_bring_it_back(room: Room, tmp_path: Path, form: ExportForm) -> None:
    room.ask(*THOUGHT)
    path = tmp_path / f"chat.{form}"
    room.chats.export(room.conversation.id, path, form)
    if form is ExportForm.MARKDOWN:
        assert "**Answer by m · Thought for 3.0 s**" in path.read_text("utf-8")
    again = room.chats.import_file(path)
    question, answer = room.chats.messages(again.id)
    assert (answer.content, answer.thought_seconds) == ("".join(THOUGHT), 3.0)
    assert question.thought_seconds is None


def test_a_page_to_be_read_says_it(room: Room, tmp_path: Path) -> None:
    room.ask(*THOUGHT)
    path = tmp_path / "chat.html"
    room.chats.export(room.conversation.id, path, ExportForm.HTML)
    assert "<summary>Thought for 3.0 s</summary>" in path.read_text("utf-8")
