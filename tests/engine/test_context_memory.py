"""What is reused of a context that forgets (sliding window) or cannot go back (recurrent)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openshelf.engine.process import Engine
from openshelf.engine.protocol import ChatMessage, Done, Plan, Sampling
from openshelf.tasks import CancelToken
from tests.fakes.engine import clearance_for, load_order, model_file
from tests.fakes.tiny_model import write_recurrent_model, write_sliding_window_model

WRITERS: dict[str, Callable[[Path], None]] = {
    "sliding window": write_sliding_window_model,
    "recurrent": write_recurrent_model,
}
PLAN = Plan(2048, batch=64, ubatch=64)


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


@pytest.fixture(params=WRITERS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    WRITERS[request.param](path)
    return path


def load(engine: Engine, path: Path) -> None:
    file = model_file(str(path), path.stat().st_size)
    engine.load(clearance_for(file), load_order(file, plan=PLAN), CancelToken())


def ask(engine: Engine, *messages: ChatMessage) -> tuple[str, Done]:
    parts: list[str] = []
    done = engine.chat(
        messages,
        Sampling(temperature=0, max_tokens=40),
        CancelToken(),
        lambda text, count: parts.append(text),
    )
    return "".join(parts), done


def test_the_next_turn_goes_on_where_the_last_one_ended(engine: Engine, path: Path) -> None:
    load(engine, path)
    first = ChatMessage("user", "a" * 300)
    text, done = ask(engine, first)
    held = done.prompt_tokens + done.completion_tokens
    _, done = ask(engine, first, ChatMessage("assistant", text), ChatMessage("user", "b"))
    assert done.cached_tokens == held - 1, "the last token drawn was never read"


def test_what_is_reused_never_changes_an_answer(engine: Engine, path: Path) -> None:
    load(engine, path)
    first = ChatMessage("user", "a" * 700)
    text, _ = ask(engine, first)
    turns = (first, ChatMessage("assistant", text), ChatMessage("user", "b" * 30))
    edited = (ChatMessage("user", "a" * 200 + "c" * 100),)
    warm = [ask(engine, *turns), ask(engine, *edited), ask(engine, *edited)]
    cold = []
    for messages in (turns, edited):
        load(engine, path)
        cold.append(ask(engine, *messages))
    assert [text for text, _ in warm] == [cold[0][0], cold[1][0], cold[1][0]]
    assert [done.prompt_tokens for _, done in cold] == [warm[0][1].prompt_tokens,
                                                        warm[1][1].prompt_tokens]  # fmt: skip
    assert len(set(cold[1][0])) > 3, "letters that tell answers apart"
    assert cold[0][0] != cold[1][0]
    assert warm[1][1].cached_tokens == 0, "too far back: read anew, and right"
