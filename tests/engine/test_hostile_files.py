"""Model files and templates made to do harm, through the whole engine: refused, or contained.

Each within SECONDS and MEMORY above the worker's base, with a reason; the worker or its successor
then loads the right file and answers.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openshelf import wording
from openshelf.engine.process import Engine
from openshelf.engine.protocol import ChatMessage, Plan, Sampling
from openshelf.errors import EngineDied, OpenshelfError
from openshelf.tasks import CancelToken
from tests.engine.hostile_templates import HOSTILE_TEMPLATES
from tests.engine.odd_files import odd_files
from tests.fakes.engine import clearance_for, load_order, model_file
from tests.fakes.mutations import Key, Parts, mutated, take_apart
from tests.fakes.tiny_model import (
    write_byte_pair_model,
    write_recurrent_model,
    write_sliding_window_model,
)
from tests.gguf.bad_files import BAD_FILES
from tests.gguf.builder import STRING

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="/proc"),
    pytest.mark.timeout(3600),
]

SECONDS = 10.0
BUSY_FACTOR = 2.0
"""For the ordinary run, beside others; the full one keeps to the target."""
MEMORY_BYTES = 512 << 20
MUTATIONS = 300
QUESTIONS = (ChatMessage("system", "Be brief."), ChatMessage("user", "Hello"))
PLAN = Plan(512, n_threads=1, needed_bytes={"ram": 8 << 20})


class Watch:
    """The most memory that any worker of the engine had, above what the first one began with."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._over = threading.Event()
        engine.devices()
        self.base = self.peak = self._resident()
        self._thread = threading.Thread(target=self._run)

    def _resident(self) -> int:
        try:
            status = Path(f"/proc/{self._engine.pid}/status").read_text("ascii", "replace")
        except (FileNotFoundError, ProcessLookupError):
            return 0
        found = re.search(r"VmHWM:\s+(\d+)", status)
        return int(found[1]) * 1024 if found else 0

    def _run(self) -> None:
        while not self._over.wait(0.02):
            self.peak = max(self.peak, self._resident())

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        self.peak = max(self.peak, self._resident())

    @property
    def grown(self) -> int:
        return self.peak - self.base


class Laboratory:
    """One engine for many files."""

    def __init__(self, folder: Path) -> None:
        self.engine = Engine()
        self.path = folder / "m.gguf"
        self.good: list[bytes] = []
        for write in (write_sliding_window_model, write_recurrent_model, write_byte_pair_model):
            write(self.path)
            self.good.append(self.path.read_bytes())

    def parts(self, number: int = 0) -> Parts:
        return take_apart(self.good[number % len(self.good)])

    def use(self, content: bytes) -> str:
        """Load and ask; how it ended. Raises OpenshelfError where it was refused."""
        self.path.write_bytes(content)
        file = model_file(str(self.path), len(content))
        self.engine.load(clearance_for(file), load_order(file, plan=PLAN), CancelToken())
        sampling = Sampling(temperature=0, max_tokens=4)
        done = self.engine.chat(QUESTIONS, sampling, CancelToken(), lambda text, count: None)
        return f"answered by {done.template}"

    def try_out(self, name: str, content: bytes, seconds: float) -> tuple[str, str]:
        """(how it ended, what is wrong with that). Nothing is wrong where the second is empty."""
        with Watch(self.engine) as watch:
            started = time.monotonic()
            wrong = ""
            try:
                end = self.use(content)
            except OpenshelfError as error:
                end, wrong = type(error).__name__, fault_of(error, self.path)
                if isinstance(error, EngineDied):
                    end = f"died of {error.signal} during {error.during}"
                    print(f"\n{name}: {end}: {_last_words(error.tail)}")  # noqa: T201
            took = time.monotonic() - started
        if took > seconds:
            wrong += f" took {took:.1f} s"
        if watch.grown > MEMORY_BYTES:
            wrong += f" grew by {watch.grown >> 20} MiB"
        return end, f"{name}: {end}: {wrong}" if wrong else ""

    def still_works(self) -> None:
        assert self.use(self.good[0]) == "answered by model"


def _last_words(tail: str) -> str:
    said = [line for line in tail.splitlines() if "ASSERT" in line or "error" in line]
    return " | ".join(said or tail.splitlines())[:400]


def fault_of(error: OpenshelfError, path: Path) -> str:
    """Whether the error says something to a person."""
    said = wording.error_sentence(error)
    if not said or "{" in said or "Traceback" in said:
        return f" says {said!r}"
    if any(not (c.isprintable() or c == "\n") for c in said):
        return f" says unprintable {said!r}"
    named = str(error.data().get("path", path))
    return "" if named == str(path) else f" names {named}"


@pytest.fixture
def laboratory(tmp_path: Path) -> Iterator[Laboratory]:
    laboratory = Laboratory(tmp_path)
    yield laboratory
    laboratory.engine.close()


def run_all(laboratory: Laboratory, cases: list[tuple[str, bytes]], seconds: float) -> None:
    ends: dict[str, int] = {}
    faults = []
    for name, content in cases:
        end, fault = laboratory.try_out(name, content, seconds)
        ends[end] = ends.get(end, 0) + 1
        if fault:
            faults.append(fault)
    laboratory.still_works()
    print(f"\n{len(cases)} cases: {ends}")  # noqa: T201
    assert not faults, "\n".join(faults)


def with_template(parts: Parts, source: str) -> bytes:
    keys = tuple(
        Key(key.name, STRING, source) if key.name == "tokenizer.chat_template" else key
        for key in parts.keys
    )
    return Parts(keys, parts.tensors, parts.data).bytes()


def template_cases(laboratory: Laboratory, marker: Path) -> list[tuple[str, bytes]]:
    return [
        (name, with_template(laboratory.parts(), source.replace("{marker}", str(marker))))
        for name, source in HOSTILE_TEMPLATES.items()
    ]


def a_tenth(cases: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return cases[:: max(1, len(cases) // (len(cases) // 10))]


def test_what_is_taken_apart_is_put_together(laboratory: Laboratory) -> None:
    for number, good in enumerate(laboratory.good):
        assert laboratory.parts(number).bytes() == good


def test_bad_files_are_refused_with_a_reason(laboratory: Laboratory) -> None:
    cases = [(name, content) for name, (_, content) in BAD_FILES.items() if content]
    run_all(laboratory, cases, SECONDS * BUSY_FACTOR)


CASES: dict[str, Callable[[Laboratory, Path], list[tuple[str, bytes]]]] = {
    "templates": template_cases,
    "mutations": lambda laboratory, marker: [
        mutated(laboratory.parts(seed), seed) for seed in range(MUTATIONS)
    ],
    "odd": lambda laboratory, marker: list(odd_files(laboratory.path.parent)),
}


@pytest.mark.parametrize("family", CASES)
def test_a_tenth_is_contained(laboratory: Laboratory, family: str, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    run_all(laboratory, a_tenth(CASES[family](laboratory, marker)), SECONDS * BUSY_FACTOR)
    assert not marker.exists()


@pytest.mark.endurance
@pytest.mark.parametrize("family", CASES)
def test_all_are_contained(laboratory: Laboratory, family: str, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    run_all(laboratory, CASES[family](laboratory, marker), SECONDS)
    assert not marker.exists()
    assert {path.name for path in tmp_path.iterdir()} <= {"m.gguf", "home", "hugging-face"}
