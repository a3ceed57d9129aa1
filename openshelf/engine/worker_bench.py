"""Prompt and generation speed as llama-bench takes them: tokens by chance, nothing drawn.

Each repetition reads a prompt into an empty context, then empties it and adds tokens one by one.
"""

from __future__ import annotations

import ctypes
import random
import threading
import time
from collections.abc import Callable, Sequence

import llama_cpp.llama_cpp as lib

from openshelf.engine.protocol import Bench, Benched, BenchProgress, Event
from openshelf.engine.worker_failures import Refusal
from openshelf.engine.worker_llama import Model

_SEED = 42
_TELL_SECONDS = 0.2


def bench(
    request: Bench, model: Model, stop: threading.Event, send: Callable[[Event], None]
) -> Benched:
    """Raises Refusal (cancelled, decode_failed). The context is empty afterwards."""
    room = model.n_context
    n_prompt, n_answer = min(request.prompt_tokens, room), min(request.answer_tokens, room)
    dice = random.Random(_SEED)  # noqa: S311 (which tokens are read matters to nobody)
    n_vocab = lib.llama_vocab_n_tokens(model.vocabulary)
    tokens = [dice.randrange(n_vocab) for _ in range(max(n_prompt, n_answer))]
    model.set_threads(model.n_threads)  # an answer may have lowered them
    abort = lib.ggml_abort_callback(lambda _: stop.is_set())
    prompts: list[float] = []
    answers: list[float] = []
    count = n_prompt + request.repetitions * (n_prompt + n_answer)
    tell = _Teller(lambda done: send(BenchProgress(request.id, done, count)))
    # The one of before belongs to a generator that is gone.
    lib.llama_set_abort_callback(model.context, abort, None)
    try:
        # The first one pays for pages and caches, and does not count.
        _read(model, tokens[:n_prompt], model.n_batch, stop, tell)
        for _ in range(request.repetitions):
            # Costs a millisecond a token, so only where one call may take long.
            lib.llama_set_abort_callback(model.context, abort, None)
            prompts.append(_read(model, tokens[:n_prompt], model.n_batch, stop, tell))
            lib.llama_set_abort_callback(model.context, lib.ggml_abort_callback(), None)
            answers.append(_read(model, tokens[:n_answer], 1, stop, tell))
        tell.tell()
    finally:
        lib.llama_set_abort_callback(model.context, lib.ggml_abort_callback(), None)
        lib.llama_memory_clear(lib.llama_get_memory(model.context), True)
    return Benched(request.id, n_prompt, n_answer, tuple(prompts), tuple(answers))


class _Teller:
    """Tells how many tokens were read in all, a few times a second: a line costs microseconds."""

    def __init__(self, send: Callable[[int], None]) -> None:
        self._send = send
        self._done = self._told = 0
        self._told_at = time.monotonic()

    def add(self, count: int) -> None:
        self._done += count
        if time.monotonic() - self._told_at >= _TELL_SECONDS:
            self.tell()

    def tell(self) -> None:
        """Nothing where it was told already: the last token may have been its turn."""
        self._told_at = time.monotonic()
        if self._told != self._done:
            self._told = self._done
            self._send(self._done)


def _read(
    model: Model, tokens: Sequence[int], step: int, stop: threading.Event, tell: _Teller
) -> float:
    """Seconds to read `tokens`, `step` at a time, into an empty context."""
    lib.llama_memory_clear(lib.llama_get_memory(model.context), True)
    array = (lib.llama_token * len(tokens))(*tokens)
    started = time.perf_counter()
    for start in range(0, len(tokens), step):
        place = ctypes.byref(array, start * ctypes.sizeof(lib.llama_token))
        count = min(step, len(tokens) - start)
        batch = lib.llama_batch_get_one(ctypes.cast(place, lib.llama_token_p), count)
        result = 0 if stop.is_set() else lib.llama_decode(model.context, batch)
        if stop.is_set():
            raise Refusal("cancelled")
        if result:
            raise Refusal("decode_failed", f"{result}")
        lib.llama_synchronize(model.context)
        tell.add(count)
    return time.perf_counter() - started
