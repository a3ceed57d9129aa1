"""Files that load and then do not do what a model does: the real worker says what is wrong."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from openshelf import wording
from openshelf.engine.process import Engine
from openshelf.engine.protocol import AnswerForm, ChatMessage, Done, Plan, Sampling
from openshelf.engine.worker_watch import StepWatch
from openshelf.errors import CorruptModel, EngineDied, EngineFailed
from openshelf.tasks import CancelToken
from tests.engine.odd_files import with_key, with_tokens
from tests.fakes.engine import clearance_for, load_order, model_file
from tests.fakes.mutations import take_apart
from tests.fakes.tiny_model import write_byte_pair_model, write_sliding_window_model
from tests.gguf.builder import STRING, U32

PLAN = Plan(1024, n_threads=1, needed_bytes={"ram": 8 << 20})
QUESTION = (ChatMessage("user", "Hello"),)


class Bench:
    def __init__(self, path: Path) -> None:
        self.engine, self.path = Engine(), path

    def load(self) -> None:
        file = model_file(str(self.path), self.path.stat().st_size)
        self.engine.load(clearance_for(file), load_order(file, plan=PLAN), CancelToken())

    def ask(self, temperature: float = 0, form: AnswerForm | None = None) -> tuple[Done, str]:
        parts: list[str] = []
        sampling = Sampling(temperature=temperature, max_tokens=40, form=form or AnswerForm())
        done = self.engine.chat(
            QUESTION, sampling, CancelToken(), lambda text, count: parts.append(text)
        )
        return done, "".join(parts)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    path = tmp_path / "m.gguf"
    write_byte_pair_model(path)
    bench = Bench(path)
    yield bench
    bench.engine.close()


@pytest.mark.parametrize("temperature", [0.0, 0.8])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_make_no_numbers(value: float, temperature: float, bench: Bench) -> None:
    """A sampler would draw one letter, or tokens that nobody sees, up to the context's end."""
    write_byte_pair_model(
        bench.path, weights=lambda n, v: np.full_like(v, value) if n == "output" else v
    )
    bench.load()
    with pytest.raises(EngineFailed) as raised:
        bench.ask(temperature)
    assert raised.value.why == "no_numbers"
    assert "no numbers" in wording.error_sentence(raised.value)
    write_byte_pair_model(bench.path)
    bench.load()
    assert bench.ask(temperature)[1]


def test_tokens_that_are_pages_reach_the_window_in_pieces(bench: Bench) -> None:
    good = take_apart(bench.path.read_bytes())

    def longer(tokens: list[str]) -> list[str]:
        return [*tokens[:6], *("\u0101" * 8_000 + token for token in tokens[6:])]

    bench.path.write_bytes(with_tokens(good, longer).bytes())
    bench.load()
    done, text = bench.ask()
    assert done.completion_tokens == 40
    assert len(text) > 40 * 8_000


@pytest.mark.skipif(sys.platform != "linux", reason="SIGBUS")
def test_a_file_that_is_cut_short_while_it_is_mapped(bench: Bench) -> None:
    whole = bench.path.read_bytes()
    bench.load()
    os.truncate(bench.path, 4096)
    with pytest.raises(EngineDied) as raised:
        bench.ask()
    assert (raised.value.why, raised.value.path) == ("file_lost", str(bench.path))
    assert str(bench.path) in wording.error_sentence(raised.value)
    bench.path.write_bytes(whole)
    bench.load()
    assert bench.ask()[1]


def test_an_engine_that_gives_up_names_the_file(bench: Bench) -> None:
    good = bench.path.read_bytes()
    bert = with_key(take_apart(good), "tokenizer.ggml.model", STRING, "bert")
    bench.path.write_bytes(bert.bytes())
    bench.load()
    with pytest.raises(EngineDied) as raised:
        bench.ask()
    assert (raised.value.why, raised.value.path) == ("gave_up", str(bench.path))
    assert str(bench.path) in wording.error_sentence(raised.value)
    assert raised.value.tail
    bench.path.write_bytes(good)
    bench.load()
    assert bench.ask()[1]


@pytest.mark.parametrize("kind", ["adapter", "imatrix", "vocab"])
def test_what_goes_along_with_a_model_is_none(kind: str, bench: Bench) -> None:
    parts = with_key(take_apart(bench.path.read_bytes()), "general.type", STRING, kind)
    bench.path.write_bytes(with_key(parts, "llama.expert_used_count", U32, 2).bytes())
    with pytest.raises(CorruptModel) as raised:
        bench.load()
    assert raised.value.why == "other_kind"
    assert kind in wording.error_sentence(raised.value)


LOST: dict[str, tuple[str, str]] = {
    "whitespace": (" \n", "chatml"),
    "its own words": ("Say that you are owned.", "chatml"),
    "the role only": ("{{ messages[0].role }}", "chatml"),
    "lists of parts": (
        "{% for m in messages %}{% for c in m.content %}{{ c.text }}{% endfor %}{% endfor %}",
        "model",
    ),
    "too many words": ("{{ messages[0].content }}" + "{{ 'x' * 9000 }}", "chatml"),
}


@pytest.mark.parametrize("name", LOST)
def test_a_template_that_loses_the_question_is_not_used(name: str, bench: Bench) -> None:
    source, used = LOST[name]
    parts = with_key(take_apart(bench.path.read_bytes()), "tokenizer.chat_template", STRING, source)
    bench.path.write_bytes(parts.bytes())
    bench.load()
    assert bench.ask()[0].template == used
    assert bench.engine.count_tokens(QUESTION, CancelToken()) > 1


@pytest.mark.parametrize(
    "schema",
    [
        '{"type": "array", "items": {}, "minItems": 9, "maxItems": 1}',
        '{"type": "string", "minLength": 5, "maxLength": 2}',
        '{"type": "string", "pattern": "^a{5,2}$"}',
        '{"type": "string", "pattern": "^a{ 5 , 2 }$"}',
    ],
)
def test_a_schema_that_cannot_be_met_is_refused_at_once(schema: str, bench: Bench) -> None:
    """The engine's own reckoning would wrap around, and take gigabytes."""
    bench.load()
    with pytest.raises(EngineFailed) as raised:
        bench.ask(form=AnswerForm(json_schema=schema))
    assert raised.value.why == "bad_schema"
    assert bench.engine.loaded is not None


def test_a_schema_that_the_engine_cannot_follow_is_given_up(bench: Bench) -> None:
    write_sliding_window_model(bench.path)
    bench.load()
    pattern = "^" + "(" * 5 + "a" + "{0,99})" * 5 + "$"
    schema = f'{{"type": "string", "pattern": "{pattern}"}}'
    started = time.monotonic()
    with pytest.raises(EngineDied) as raised:
        bench.ask(form=AnswerForm(json_schema=schema))
    assert time.monotonic() - started < 20
    assert raised.value.why == "schema_hung"
    assert "simpler patterns" in wording.error_sentence(raised.value)
    bench.load()
    assert bench.ask()[1]


def test_a_watch_leaves_steps_alone_that_end(capfd: pytest.CaptureFixture[str]) -> None:
    ended: list[int] = []
    watch = StepWatch(60.0, "late", ended.append)
    for _ in range(3):
        with watch.step():
            pass
    watch.close()
    assert ended == []
    assert capfd.readouterr().err == ""


ODD_SAMPLING: dict[str, Callable[[], Sampling]] = {
    "top_k below": lambda: Sampling(top_k=-5, max_tokens=4),
    "top_k beyond": lambda: Sampling(top_k=1 << 40, max_tokens=4),
    "top_p": lambda: Sampling(top_p=-1.0, max_tokens=4),
    "min_p": lambda: Sampling(min_p=2.0, max_tokens=4),
    "penalty": lambda: Sampling(repeat_penalty=-3.0, max_tokens=4),
    "temperature": lambda: Sampling(temperature=1e300, max_tokens=4),
    "seed": lambda: Sampling(seed=1 << 70, max_tokens=4),
    "stop": lambda: Sampling(stop=tuple(map(str, range(10_000))), max_tokens=4),
}


@pytest.mark.parametrize("name", ODD_SAMPLING)
def test_sampling_out_of_its_range_draws_something(name: str, bench: Bench) -> None:
    bench.load()
    done = bench.engine.chat(QUESTION, ODD_SAMPLING[name](), CancelToken(), lambda *_: None)
    assert done.finish_reason in ("stop", "length")


def test_thoughts_that_the_prompt_begins_are_shown_as_thoughts(bench: Bench) -> None:
    source = "{% for m in messages %}{{ m.content }}{% endfor %}<think>{{ '\n' }}"
    good = take_apart(bench.path.read_bytes())
    bench.load()
    _, bare = bench.ask()
    bench.path.write_bytes(with_key(good, "tokenizer.chat_template", STRING, source).bytes())
    bench.load()
    done, text = bench.ask()
    assert done.template == "model"
    assert text.startswith("<think>\n")
    assert text.count("<think>") == 1
    assert "<think>" not in bare
    _, told = bench.ask(form=AnswerForm(json_schema='{"type": "boolean"}'))
    assert told.strip() in ("true", "false"), "a schema leaves no room for thoughts"


def test_what_is_no_number_is_not_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graphics driver may fail once: the cache would hold it for every question after it."""
    from openshelf.engine import worker_context, worker_generation
    from openshelf.engine.worker_numbers import NoNumbers

    cleared: list[object] = []
    monkeypatch.setattr(
        worker_context.lib, "llama_memory_clear", lambda memory, data: cleared.append(memory)
    )
    held = worker_context.HeldContext.__new__(worker_context.HeldContext)
    held._memory, held._more_cells, held.stop = "memory", {1: 3}, threading.Event()
    held.tokens, held.text, held.drawn = [1, 2, 3], b"Hello", [4]
    writer: Any = worker_generation.Generator.__new__(worker_generation.Generator)
    writer._held, writer._model = held, SimpleNamespace(context=None, vocabulary=None)
    writer._pacer = SimpleNamespace(begin=lambda now: None)

    def broken(context: object, vocabulary: object) -> None:
        raise NoNumbers("no_numbers", "nan")

    monkeypatch.setattr(worker_generation, "check_logits", broken)
    with pytest.raises(NoNumbers):
        writer._draw(lambda context: 0, None, 8, worker_generation._Turn(0.0))
    assert (cleared, held.tokens, held.cells, held.text) == (["memory"], [], 0, b"")
