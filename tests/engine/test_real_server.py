"""The real server of llama.cpp, with the starter model, on loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from openshelf.engine.process import Engine
from openshelf.engine.protocol import ChatMessage, Done, Plan, Sampling
from openshelf.engine.remote import RemoteEngine
from openshelf.engine.remote_http import Limits
from openshelf.errors import ContextFull, ServerFailed
from openshelf.tasks import CancelToken
from tests.fakes.engine import clearance_for, load_order, model_file
from tests.fakes.llama_server import REAL_MODEL, llama_server
from tests.fakes.servers import KEY, clearance_for_server, remote_engine, server_order

pytestmark = pytest.mark.model

HELLO = (ChatMessage("user", "What is a llama? Answer in one sentence."),)
GREEDY = Sampling(temperature=0, max_tokens=24)
PATIENT = Limits(connect=10, first=120, silent=60, short=60)


@pytest.fixture(scope="module")
def address(starter_model: Path) -> Iterator[str]:
    with llama_server(starter_model, KEY) as running:
        yield running


@pytest.fixture
def engine(address: str) -> RemoteEngine:
    engine, order = remote_engine(KEY, limits=PATIENT), server_order(address, REAL_MODEL)
    engine.load(clearance_for_server(order), order, CancelToken())
    return engine


def ask(engine: RemoteEngine | Engine, sampling: Sampling = GREEDY) -> tuple[str, Done]:
    parts: list[str] = []
    done = engine.chat(HELLO, sampling, CancelToken(), lambda text, count: parts.append(text))
    return "".join(parts), done


def test_it_answers_and_counts(engine: RemoteEngine) -> None:
    loaded = engine.loaded
    assert loaded is not None
    assert (loaded.context_length, loaded.source) == (1024, "told")
    text, done = ask(engine)
    assert "llama" in text.lower()
    assert done.prompt_tokens > 10
    assert 5 <= done.completion_tokens <= 24
    assert done.decode_tokens_per_second > 0
    again, done = ask(engine)
    assert again == text
    assert done.cached_tokens > 10, "the prompt was kept there"


def test_the_same_model_says_the_same_here(engine: RemoteEngine, starter_model: Path) -> None:
    """The template and the prompt are laid out alike on both sides, token for token."""
    file = model_file(str(starter_model), starter_model.stat().st_size)
    local = Engine()
    try:
        plan = Plan(1024, n_threads=1, needed_bytes={"ram": 10})
        local.load(clearance_for(file), load_order(file, plan=plan), CancelToken())
        counted = local.count_tokens(HELLO, CancelToken())
        assert engine.count_tokens(HELLO, CancelToken()) == counted
        assert ask(engine)[1].prompt_tokens == ask(local)[1].prompt_tokens == counted
    finally:
        local.close()


@pytest.mark.parametrize("after", [0, 5])
def test_stop_is_quick_and_the_server_is_free_again(after: int, engine: RemoteEngine) -> None:
    cancel, stopped_at = CancelToken(), [0.0]
    seen = [0]

    def stop() -> None:
        stopped_at[0] = time.monotonic()
        cancel.cancel()

    def on_tokens(text: str, count: int) -> None:
        seen[0] += 1
        if seen[0] == after:
            stop()

    messages = HELLO
    if not after:
        messages = (ChatMessage("user", "Tell a long story. " + "word " * 600),)
        timer = threading.Timer(0.05, stop)
        timer.start()
    done = engine.chat(messages, Sampling(temperature=0, max_tokens=300), cancel, on_tokens)
    assert time.monotonic() - stopped_at[0] < 0.5
    assert done.finish_reason == "cancelled"
    assert ask(engine)[0]


def test_gone_on_with(engine: RemoteEngine) -> None:
    begun = (*HELLO, ChatMessage("assistant", "A llama is"))
    parts: list[str] = []
    engine.chat(begun, GREEDY, CancelToken(), lambda text, count: parts.append(text))
    assert not "".join(parts).lstrip().startswith("A llama is")


def test_a_prompt_that_is_too_long(engine: RemoteEngine) -> None:
    long = (ChatMessage("user", "word " * 3000),)
    with pytest.raises(ContextFull):
        engine.chat(long, GREEDY, CancelToken(), print)
    assert ask(engine)[0]


def test_a_wrong_key(address: str) -> None:
    engine, order = remote_engine("sk-wrong"), server_order(address, REAL_MODEL)
    with pytest.raises(ServerFailed) as caught:
        engine.load(clearance_for_server(order), order, CancelToken())
    assert caught.value.why == "bad_key"


def test_a_server_that_ends_in_the_middle(starter_model: Path) -> None:
    with llama_server(starter_model) as address:
        engine, order = remote_engine(limits=PATIENT), server_order(address, REAL_MODEL)
        engine.load(clearance_for_server(order), order, CancelToken())
    with pytest.raises(ServerFailed) as caught:
        ask(engine)
    assert caught.value.why == "refused"
    with llama_server(starter_model) as address:
        order = server_order(address, REAL_MODEL)
        engine.load(clearance_for_server(order), order, CancelToken())
        assert ask(engine)[0]
