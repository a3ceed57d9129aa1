"""The real worker with a real model: loading, answering, stopping, dying, starting again."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from openshelf.engine.process import Engine
from openshelf.engine.protocol import ChatMessage, Done, Loaded, Plan, Sampling
from openshelf.errors import (
    CancelledByUser,
    ContextFull,
    EngineDied,
    EngineFailed,
    UnsupportedArchitecture,
)
from openshelf.tasks import CancelToken, Progress
from tests.fakes.engine import clearance_for, load_order, model_file

pytestmark = pytest.mark.model

QUESTION = ChatMessage("user", "Tell me a very long story about a lighthouse and its keeper.")
GREEDY = Sampling(temperature=0, max_tokens=24)
ENDLESS = Sampling(temperature=1.0, max_tokens=4000, seed=1, min_p=0.0, top_p=1.0)


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


def load(engine: Engine, path: Path, plan: Plan | None = None) -> Loaded:
    file = model_file(str(path), path.stat().st_size)
    order = load_order(file, plan=plan or Plan(2048))
    return engine.load(clearance_for(file), order, CancelToken())


def ask(engine: Engine, *messages: ChatMessage, sampling: Sampling = GREEDY) -> tuple[str, Done]:
    parts: list[str] = []
    done = engine.chat(messages, sampling, CancelToken(), lambda text, count: parts.append(text))
    return "".join(parts), done


def test_a_load_follows_its_plan_and_measures_its_memory(
    engine: Engine, starter_model: Path
) -> None:
    reports: list[Progress] = []
    file = model_file(str(starter_model), starter_model.stat().st_size)
    plan = Plan(4096, kv_type_k="q8_0", kv_type_v="q8_0", ubatch=256)
    order = load_order(file, plan=plan)
    loaded = engine.load(clearance_for(file), order, CancelToken(), reports.append)
    assert (loaded.architecture, loaded.context_length) == ("llama", 4096)
    assert loaded.has_template
    assert engine.loaded == loaded
    assert reports[-1].fraction == 1.0
    assert [r.done for r in reports] == sorted(r.done for r in reports)
    # 92 MiB of weights, 30 layers x 192 x 2 x 4096 cells in q8_0 (34 bytes for 32), work buffers.
    kv_cache = 30 * 192 * 2 * 4096 * 34 // 32
    ram = loaded.memory_bytes["ram"]
    assert kv_cache + 96_000_000 < ram < kv_cache + 96_000_000 + 40_000_000
    half = load(engine, starter_model, Plan(2048, kv_type_k="q8_0", kv_type_v="q8_0", ubatch=256))
    assert ram - half.memory_bytes["ram"] == pytest.approx(kv_cache / 2, rel=0.05)


def test_greedy_answers_are_the_same_each_time(engine: Engine, starter_model: Path) -> None:
    load(engine, starter_model)
    first, done = ask(engine, QUESTION)
    again, _ = ask(engine, QUESTION)
    assert first == again
    assert len(first) > 40
    assert (done.finish_reason, done.completion_tokens) == ("length", 24)
    assert done.template == "model"
    assert done.prompt_tokens > 20
    assert done.cached_tokens == 0
    assert done.first_token_seconds > 0
    assert done.decode_tokens_per_second > 0


def test_a_seed_decides_and_another_one_differs(engine: Engine, starter_model: Path) -> None:
    load(engine, starter_model)
    hot = {"temperature": 1.2, "max_tokens": 24}
    same = {ask(engine, QUESTION, sampling=Sampling(seed=7, **hot))[0] for _ in range(3)}
    assert len(same) == 1
    assert ask(engine, QUESTION, sampling=Sampling(seed=8, **hot))[0] not in same
    unseeded = {ask(engine, QUESTION, sampling=Sampling(**hot))[0] for _ in range(3)}
    assert len(unseeded) > 1


def test_the_system_prompt_and_the_penalty_reach_the_model(
    engine: Engine, starter_model: Path
) -> None:
    load(engine, starter_model)
    plain, _ = ask(engine, QUESTION)
    piracy, _ = ask(engine, ChatMessage("system", "You are a rude pirate. Say arr."), QUESTION)
    assert plain != piracy
    penalized = Sampling(temperature=0, max_tokens=80, repeat_penalty=1.5)
    unpenalized = Sampling(temperature=0, max_tokens=80)
    assert ask(engine, QUESTION, sampling=penalized) != ask(engine, QUESTION, sampling=unpenalized)


def test_the_next_turns_read_only_what_is_new(engine: Engine, starter_model: Path) -> None:
    load(engine, starter_model)
    messages = [QUESTION]
    held = 0
    for turn in range(5):
        sampling = Sampling(temperature=0.9, seed=turn, max_tokens=30)
        text, done = ask(engine, *messages, sampling=sampling)
        if turn:
            # What is new: the end of the last answer, one short question, the head of the next.
            assert done.cached_tokens >= held - 8
            assert done.prompt_tokens - done.cached_tokens < 40
        held = done.prompt_tokens + done.completion_tokens
        messages += [ChatMessage("assistant", text), ChatMessage("user", f"And then, {turn}?")]


def test_reuse_changes_nothing_in_the_answer(engine: Engine, starter_model: Path) -> None:
    load(engine, starter_model)
    text, _ = ask(engine, QUESTION)
    turns = (QUESTION, ChatMessage("assistant", text), ChatMessage("user", "What was its name?"))
    warm, done = ask(engine, *turns)
    assert done.cached_tokens > 0
    load(engine, starter_model)
    cold, done = ask(engine, *turns)
    assert done.cached_tokens == 0
    assert warm == cold
    # After an edit of the question, only the beginning is kept.
    edited, done = ask(engine, ChatMessage("user", "Tell me a very long story about a cat."))
    assert 0 < done.cached_tokens < done.prompt_tokens
    load(engine, starter_model)
    assert ask(engine, ChatMessage("user", "Tell me a very long story about a cat."))[0] == edited


def test_tokens_come_in_batches_and_stop_strings_end_an_answer(
    engine: Engine, starter_model: Path
) -> None:
    load(engine, starter_model)
    batches: list[tuple[str, int]] = []
    sampling = Sampling(temperature=0, max_tokens=60)
    done = engine.chat(
        [QUESTION], sampling, CancelToken(), lambda text, count: batches.append((text, count))
    )
    assert sum(count for _, count in batches) == done.completion_tokens == 60
    is_slow = done.decode_tokens_per_second < 1 / 0.03  # then every token is a batch of its own
    assert 4 <= len(batches) < 60 or is_slow
    whole = "".join(text for text, _ in batches)
    word = whole.split()[12]
    stopped, done = ask(
        engine, QUESTION, sampling=Sampling(temperature=0, max_tokens=60, stop=(word,))
    )
    assert done.finish_reason == "stop"
    assert stopped == whole[: whole.index(word)]


def test_a_full_context_ends_the_answer_and_a_long_prompt_is_refused(
    engine: Engine, starter_model: Path
) -> None:
    loaded = load(engine, starter_model, Plan(256))
    text, done = ask(engine, QUESTION, sampling=ENDLESS)
    assert done.finish_reason == "length"
    assert done.prompt_tokens + done.completion_tokens in range(
        loaded.context_length - 1, loaded.context_length + 2
    )
    assert text
    with pytest.raises(ContextFull) as raised:
        ask(engine, ChatMessage("user", "word " * 300))
    assert raised.value.why == "counted"
    assert raised.value.needed_tokens > 300
    assert raised.value.context_length == loaded.context_length == 256
    again, _ = ask(engine, QUESTION)
    assert again


def stop_soon(
    cancel: CancelToken, started: threading.Event
) -> tuple[threading.Thread, list[float]]:
    """Cancels as soon as `started`; the list gets the moment."""
    moments: list[float] = []

    def run() -> None:
        assert started.wait(60)
        moments.append(time.monotonic())
        cancel.cancel()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, moments


def test_stop_while_it_writes(engine: Engine, starter_model: Path) -> None:
    load(engine, starter_model)
    cancel, writing = CancelToken(), threading.Event()
    thread, moments = stop_soon(cancel, writing)
    done = engine.chat([QUESTION], ENDLESS, cancel, lambda text, count: writing.set())
    took = time.monotonic() - moments[0]
    thread.join()
    assert done.finish_reason == "cancelled"
    assert done.completion_tokens > 0
    assert took <= 2.0  # half a second, on a machine that is not busy
    assert ask(engine, QUESTION)[0], "the engine goes on with the same model"


def test_the_speed_of_a_prompt_is_of_what_was_read_of_it() -> None:
    from openshelf.engine.worker_generation import _Turn

    turn = _Turn(started=10.0, prompt_tokens=4000, cached_tokens=24, prompt_done=12.0)
    turn.read_tokens = 536
    done = turn.as_done(1, "cancelled", "model")
    assert (done.prompt_tokens, done.prefill_tokens_per_second) == (4000, 256.0)
    turn.read_tokens = 0  # forgotten, when it was stopped within a batch
    assert turn.as_done(1, "cancelled", "model").prefill_tokens_per_second == 0.0


def test_stop_while_it_reads_a_long_prompt(engine: Engine, starter_model: Path) -> None:
    load(engine, starter_model, Plan(8192))
    cancel, reading = CancelToken(), threading.Event()
    thread, moments = stop_soon(cancel, reading)
    long_prompt = ChatMessage("user", "word " * 7000)
    done = engine.chat(
        [long_prompt], GREEDY, cancel, lambda text, count: None, lambda progress: reading.set()
    )
    took = time.monotonic() - moments[0]
    thread.join()
    assert (done.finish_reason, done.completion_tokens) == ("cancelled", 0)
    assert took <= 2.0  # half a second, on a machine that is not busy
    answer, _ = ask(engine, QUESTION)
    load(engine, starter_model, Plan(8192))
    assert ask(engine, QUESTION)[0] == answer, "the context is as good as new after a stop"


def test_stop_while_it_loads(engine: Engine, starter_model: Path) -> None:
    engine.devices()
    cancel = CancelToken()
    file = model_file(str(starter_model), starter_model.stat().st_size)
    with pytest.raises(CancelledByUser):
        engine.load(
            clearance_for(file),
            load_order(file),
            cancel,
            lambda progress: cancel.cancel(),
        )
    assert engine.loaded is None
    pid = engine.pid
    load(engine, starter_model)
    assert engine.pid == pid, "a stopped load costs no worker"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_unload_gives_the_memory_back(engine: Engine, starter_model: Path) -> None:
    load(engine, starter_model)
    ask(engine, QUESTION)
    engine.unload()
    before = _memory(engine.pid)
    load(engine, starter_model, Plan(8192))
    ask(engine, QUESTION)
    assert _memory(engine.pid) > before + 50_000_000
    engine.unload()
    assert engine.loaded is None
    assert _memory(engine.pid) < before + 30_000_000


def _memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_death_in_the_middle_and_a_new_worker(
    engine: Engine, starter_model: Path, number: signal.Signals
) -> None:
    load(engine, starter_model)
    parts: list[str] = []

    def on_tokens(text: str, count: int) -> None:
        if not parts:
            os.kill(engine.pid, number)
        parts.append(text)

    with pytest.raises(EngineDied) as raised:
        engine.chat([QUESTION], ENDLESS, CancelToken(), on_tokens)
    assert parts
    assert raised.value.signal == number.name
    assert raised.value.during == "chat"
    assert engine.loaded is None
    load(engine, starter_model)
    assert ask(engine, QUESTION)[0]


def test_an_architecture_the_engine_does_not_know(
    engine: Engine, starter_model: Path, tmp_path: Path
) -> None:
    data = starter_model.read_bytes()
    path = tmp_path / "strange.gguf"
    # A name of the same length: the header stays right, and only the engine can say no.
    path.write_bytes(data[:4_000_000].replace(b"llama", b"lamma") + data[4_000_000:])
    with pytest.raises(UnsupportedArchitecture) as raised:
        load(engine, path)
    assert raised.value.architecture == "lamma"
    load(engine, starter_model)
    assert ask(engine, QUESTION)[0]


def test_ping_answers_while_it_writes(engine: Engine, starter_model: Path) -> None:
    load(engine, starter_model)
    cancel, writing = CancelToken(), threading.Event()
    thread = threading.Thread(
        target=engine.chat,
        args=([QUESTION], ENDLESS, cancel, lambda text, count: writing.set()),
    )
    thread.start()
    assert writing.wait(60)
    assert engine.ping() < 1.0
    cancel.cancel()
    thread.join()


def test_a_bench_times_what_is_loaded_and_leaves_the_context_as_new(
    engine: Engine, starter_model: Path
) -> None:
    with pytest.raises(EngineFailed, match="no_model"):
        engine.bench(8, 4, 1, cancel=CancelToken())
    load(engine, starter_model, Plan(256))
    answer, _ = ask(engine, QUESTION)
    reports: list[Progress] = []
    benched = engine.bench(64, 8, 3, cancel=CancelToken(), report=reports.append)
    assert (benched.prompt_tokens, benched.answer_tokens) == (64, 8)
    assert len(benched.prompt_seconds) == len(benched.answer_seconds) == 3
    assert min(*benched.prompt_seconds, *benched.answer_seconds) > 0
    # Reading many at once is faster than one by one, on any machine.
    per_prompt, per_answer = min(benched.prompt_seconds) / 64, min(benched.answer_seconds) / 8
    assert per_prompt < per_answer
    assert [report.done for report in reports] == sorted({report.done for report in reports})
    # The first reading of the prompt is no repetition, and takes as long as one.
    whole = 64 + 3 * (64 + 8)
    assert (reports[-1].done, reports[-1].total, reports[-1].phase) == (whole, whole, "bench")
    assert engine.bench(9999, 1, 1, cancel=CancelToken()).prompt_tokens == 256
    again, done = ask(engine, QUESTION)
    assert (again, done.cached_tokens) == (answer, 0)


def test_stop_while_it_is_timed(engine: Engine, starter_model: Path) -> None:
    load(engine, starter_model, Plan(4096))
    cancel = CancelToken()
    with pytest.raises(CancelledByUser):
        engine.bench(64, 16, 10_000, cancel=cancel, report=lambda progress: cancel.cancel())
    assert engine.loaded is not None
    assert ask(engine, QUESTION)[0]
