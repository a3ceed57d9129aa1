"""What every engine keeps: the worker with a real model, a server, and the scripted fake."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from openshelf.engine.engines import Engines
from openshelf.engine.interface import EngineLike, Order
from openshelf.engine.process import Engine
from openshelf.engine.protocol import ChatMessage, Done, Loaded, Plan, Sampling
from openshelf.engine.remote_http import Limits
from openshelf.errors import (
    CancelledByUser,
    ClearanceRefused,
    EngineFailed,
    OpenshelfError,
)
from openshelf.licenses.clearance import Clearance, Verdict
from openshelf.tasks import CancelToken, Progress
from tests.fakes.engine import Answer, FakeEngine, clearance_for, load_order, model_file
from tests.fakes.llama_server import REAL_MODEL, llama_server
from tests.fakes.model_server import FakeModelServer
from tests.fakes.servers import clearance_for_server, remote_engine, server_order

HELLO = (ChatMessage("user", "Hello"),)
LONGER = (
    ChatMessage("system", "Be brief."), *HELLO, ChatMessage("assistant", "Hi."),
    ChatMessage("user", "What is a llama, and where does it live?"),
)  # fmt: skip
FEW = Sampling(temperature=0, max_tokens=6)


@dataclass
class Subject:
    """An engine with something that it can load, and something that it cannot."""

    engine: EngineLike[Any]
    order: Order
    clearance: Clearance
    missing: tuple[Clearance, Order]
    reports: list[Progress] = field(default_factory=list)

    def load(self, cancel: CancelToken | None = None) -> Loaded:
        return self.engine.load(
            self.clearance, self.order, cancel or CancelToken(), self.reports.append
        )

    def ask(
        self,
        on_tokens: Callable[[str], None] | None = None,
        cancel: CancelToken | None = None,
    ) -> tuple[str, Done]:
        parts: list[str] = []

        def take(text: str, count: int) -> None:
            assert count > 0
            parts.append(text)
            if on_tokens is not None:
                on_tokens(text)

        done = self.engine.chat(HELLO, FEW, cancel or CancelToken(), take, self.reports.append)
        return "".join(parts), done


def scripted() -> Iterator[Subject]:
    engine, file = FakeEngine(Answer(tokens=("Hello", " there", "."))), model_file()
    engine.missing_paths.add("/gone.gguf")
    gone = model_file("/gone.gguf")
    yield Subject(
        engine, load_order(file), clearance_for(file), (clearance_for(gone), load_order(gone))
    )
    engine.close()


def on_a_server() -> Iterator[Subject]:
    with FakeModelServer() as server:
        engine, order = remote_engine(), server_order(server.address)
        other = server_order(server.address, "another")
        yield Subject(
            engine, order, clearance_for_server(order), (clearance_for_server(other), other)
        )
        engine.close()


def on_llama_server(model: Path) -> Iterator[Subject]:
    with llama_server(model) as address:
        patient = Limits(connect=10, first=120, silent=60, short=60)
        engine, order = remote_engine(limits=patient), server_order(address, REAL_MODEL)
        other = server_order(address, "another")
        yield Subject(
            engine, order, clearance_for_server(order), (clearance_for_server(other), other)
        )
        engine.close()


def in_a_worker(model: Path) -> Iterator[Subject]:
    engine = Engine()
    size = model.stat().st_size
    file, gone = model_file(str(model), size), model_file(str(model.parent / "gone"), size)
    plan = Plan(1024, n_threads=1, needed_bytes={"ram": 10})
    yield Subject(
        engine,
        load_order(file, plan=plan),
        clearance_for(file),
        (clearance_for(gone), load_order(gone, plan=plan)),
    )
    engine.close()


def either(kind: str, model: Path | None = None) -> Iterator[Subject]:
    """The same through the switch between this machine and servers."""
    inner = on_a_server() if kind == "server" else scripted()
    for subject in inner:
        idle: Any = FakeEngine() if kind == "server" else remote_engine()
        both = (idle, subject.engine) if kind == "server" else (subject.engine, idle)
        yield dataclasses.replace(subject, engine=Engines(*both))


@pytest.fixture(
    params=[
        "scripted",
        "server",
        "either scripted",
        "either server",
        pytest.param("worker", marks=pytest.mark.model),
        pytest.param("llama.cpp server", marks=pytest.mark.model),
    ]
)
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    match request.param:
        case "scripted":
            yield from scripted()
        case "server":
            yield from on_a_server()
        case "worker":
            yield from in_a_worker(request.getfixturevalue("starter_model"))
        case "llama.cpp server":
            yield from on_llama_server(request.getfixturevalue("starter_model"))
        case _:
            yield from either(request.param.partition(" ")[2])


def test_nothing_is_loaded_at_first(subject: Subject) -> None:
    assert subject.engine.loaded is None
    for act in (subject.ask, lambda: subject.engine.count_tokens(HELLO, CancelToken())):
        with pytest.raises(EngineFailed) as caught:
            act()
        assert caught.value.why == "no_model"
    subject.engine.unload()


def test_probe(subject: Subject) -> None:
    probed = subject.engine.probe(subject.order, CancelToken())
    assert probed.name
    assert (probed.context_length or 0) >= 1024
    assert subject.engine.loaded is None
    cancelled = CancelToken()
    cancelled.cancel()
    with pytest.raises(CancelledByUser):
        subject.engine.probe(subject.order, cancelled)


def test_load_says_how_far_it_is_and_what_it_loaded(subject: Subject) -> None:
    loaded = subject.load()
    assert subject.engine.loaded is loaded
    assert loaded.context_length >= 1024
    assert {report.phase for report in subject.reports} == {"loading"}
    assert subject.engine.ping() >= 0


@pytest.mark.parametrize(
    "change", [{"repo": "x/y"}, {"policy_sha256": "1" * 64}, {"verdict": Verdict.BLOCKED}], ids=str
)
def test_no_load_without_its_clearance(change: dict[str, Any], subject: Subject) -> None:
    slip = dataclasses.replace(subject.clearance, **change)
    with pytest.raises(ClearanceRefused):
        subject.engine.load(slip, subject.order, CancelToken())
    assert subject.engine.loaded is None


def test_a_load_can_be_stopped(subject: Subject) -> None:
    cancel = CancelToken()
    with pytest.raises(CancelledByUser):
        subject.engine.load(
            subject.clearance, subject.order, cancel, lambda progress: cancel.cancel()
        )
    assert subject.engine.loaded is None
    subject.load()
    assert subject.ask()[0]


def test_what_cannot_be_loaded_leaves_nothing(subject: Subject) -> None:
    subject.load()
    with pytest.raises(OpenshelfError):
        subject.engine.load(*subject.missing, CancelToken())
    subject.engine.unload()
    assert subject.engine.loaded is None
    subject.load()
    assert subject.ask()[0]


def test_an_answer_comes_in_pieces_in_the_callers_thread(subject: Subject) -> None:
    subject.load()
    threads: list[int] = []
    text, done = subject.ask(lambda text: threads.append(threading.get_ident()))
    assert text
    assert set(threads) == {threading.get_ident()}
    assert done.finish_reason in ("stop", "length")
    assert done.prompt_tokens > 0
    assert done.completion_tokens > 0
    assert done.first_token_seconds > 0
    assert "prompt" in {report.phase for report in subject.reports}


def test_an_answer_can_be_stopped_and_the_next_one_comes(subject: Subject) -> None:
    subject.load()
    whole, _ = subject.ask()
    cancel = CancelToken()
    text, done = subject.ask(lambda text: cancel.cancel(), cancel)
    assert done.finish_reason == "cancelled"
    assert whole.startswith(text)
    assert subject.ask()[0] == whole, "temperature 0"


def test_one_thing_at_a_time(subject: Subject) -> None:
    subject.load()
    refused: list[str] = []

    def meanwhile(text: str) -> None:
        if refused:
            return
        for act in (subject.ask, subject.load, subject.engine.unload):
            with pytest.raises(EngineFailed) as caught:
                act()
            refused.append(caught.value.why)
        assert subject.engine.ping() >= 0

    assert subject.ask(meanwhile)[0]
    assert refused == ["busy"] * 3


def test_tokens_of_a_prompt(subject: Subject) -> None:
    subject.load()
    short = subject.engine.count_tokens(HELLO, CancelToken())
    long = subject.engine.count_tokens(LONGER, CancelToken())
    assert short is not None
    assert long is not None
    assert 0 < short < long
    assert subject.ask()[0]


def test_unload_and_load_again(subject: Subject) -> None:
    subject.load()
    subject.engine.unload()
    subject.engine.unload()
    assert subject.engine.loaded is None
    with pytest.raises(EngineFailed):
        subject.ask()
    subject.load()
    assert subject.ask()[0]


def test_closed_is_closed(subject: Subject) -> None:
    subject.load()
    subject.engine.close()
    subject.engine.close()
    with pytest.raises(EngineFailed) as caught:
        subject.load()
    assert caught.value.why == "closed"
