"""What the engine knows of architectures: the real worker's answers, and how they are kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from openshelf.catalog.loader import load_catalog
from openshelf.engine.architectures import EngineKnowledge, KnownArchitectures
from openshelf.engine.build import find_engine
from openshelf.engine.dry_runs import DryRuns
from openshelf.engine.process import Engine
from openshelf.engine.protocol import Architectures, Plan
from openshelf.errors import EngineFailed
from openshelf.gguf.constants import architecture_names
from openshelf.tasks import CancelToken
from tests.fakes.engine import clearance_for, load_order, model_file

# --- the real worker ----------------------------------------------------------------------------


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


def test_the_engine_tells_names_that_it_knows_from_others(engine: Engine) -> None:
    answer = engine.architectures(["llama", "no-such-one", "qwen3moe", "clip", "llama"])
    assert answer.known == ("llama", "qwen3moe", "clip")
    assert answer.unknown == ("no-such-one",)
    assert answer.engine_version.startswith("llama.cpp ")


def test_every_architecture_of_the_catalog_is_known(engine: Engine) -> None:
    names = load_catalog().architectures
    assert len(names) >= 8
    assert engine.architectures(sorted(names)).unknown == ()


def test_of_the_names_of_the_gguf_package_only_one_has_no_code_behind_it(engine: Engine) -> None:
    names = architecture_names()
    assert len(names) > 120
    assert engine.architectures(sorted(names)).unknown == ("gptj",)


@pytest.mark.parametrize("name", ["", " llama", "llama\n", "a'b", "x" * 5000, "\0", "ll\u00e4ma"])
def test_names_of_strangers_are_refused_and_harm_nothing(engine: Engine, name: str) -> None:
    answer = engine.architectures([name, "llama"])
    assert (answer.known, answer.unknown) == (("llama",), (name,))


@pytest.mark.model
def test_a_model_in_memory_is_left_alone(engine: Engine, starter_model: Path) -> None:
    file = model_file(str(starter_model), starter_model.stat().st_size)
    loaded = engine.load(clearance_for(file), load_order(file, plan=Plan(512)), CancelToken())
    with pytest.raises(EngineFailed, match="busy"):
        engine.architectures(["llama"])
    beside = DryRuns(engine)
    assert beside.architectures(["llama", "other"]).unknown == ("other",)
    beside.close()
    assert engine.loaded == loaded


def test_an_engine_that_says_no_in_other_words_tells_nothing() -> None:
    script = (
        "import sys\n"
        "from openshelf.engine import worker_architectures as asked, worker_llama\n"
        "from openshelf.engine.protocol import ListArchitectures\n"
        "asked.classify = lambda lines: ('load_failed', '')\n"
        "_, log = worker_llama.start(sys.stderr.write)\n"
        "try:\n"
        "    asked.list_architectures(ListArchitectures(1, ('llama',)), '1', log)\n"
        "except asked.Refusal as refusal:\n"
        "    print(refusal.why)\n"
    )
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, timeout=60, check=True,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.stdout.strip() == "not_told"


# --- what is kept -------------------------------------------------------------------------------


class Asked:
    """An engine that knows `known`, remembers what it was asked, and fails while told to."""

    def __init__(self, *known: str) -> None:
        self.known = known
        self.questions: list[tuple[str, ...]] = []
        self.failure: EngineFailed | None = None
        self.identity = "build-1"
        self.now = 0.0

    def ask(self, names: Sequence[str]) -> Architectures:
        self.questions.append(tuple(names))
        if self.failure is not None:
            raise self.failure
        known = tuple(name for name in names if name in self.known)
        return Architectures(1, "llama.cpp 1", known, tuple(set(names) - set(known)))

    def open(self, folder: Path) -> KnownArchitectures:
        return KnownArchitectures(
            folder / "architectures.json", self.ask, lambda: self.identity, lambda: self.now
        )


def test_an_answer_is_kept_for_the_next_start(tmp_path: Path) -> None:
    engine = Asked("llama")
    first = engine.open(tmp_path)
    assert first.current() == EngineKnowledge()
    assert first.current().knows("llama") is None
    first.ask(["llama", "novel", None, ""])
    again = engine.open(tmp_path)
    assert (again.current().knows("llama"), again.current().knows("novel")) == (True, False)
    assert again.current().engine_version == "llama.cpp 1"
    assert again.ask(["novel", "llama"]) is again.current()
    assert engine.questions == [("llama", "novel")]


def test_only_new_names_are_asked_for_and_the_others_stay(tmp_path: Path) -> None:
    engine = Asked("a", "c")
    known = engine.open(tmp_path)
    known.ask(["a", "b"])
    known.ask(["a", "b", "c"])
    assert engine.questions == [("a", "b"), ("c",)]
    assert {name: known.current().knows(name) for name in "abcd"} == {
        "a": True, "b": False, "c": True, "d": None,
    }  # fmt: skip


def test_another_build_is_asked_anew(tmp_path: Path) -> None:
    engine = Asked("a")
    engine.open(tmp_path).ask(["a"])
    engine.identity = "build-2"
    assert engine.open(tmp_path).current().knows("a") is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"build": "build-1"}', "[" * 100_000, "\0"]
)
def test_a_damaged_file_is_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "architectures.json").write_text(text)
    engine = Asked("a")
    known = engine.open(tmp_path)
    assert known.current() == EngineKnowledge()
    assert known.ask(["a"]).knows("a") is True


def test_an_engine_that_cannot_be_asked_is_told_and_left_alone_for_a_minute(
    tmp_path: Path,
) -> None:
    engine = Asked("a", "b")
    known = engine.open(tmp_path)
    known.ask(["a"])
    engine.failure = EngineFailed("start_failed")
    told: list[EngineKnowledge] = []
    known.announcer.subscribe(told.append)
    for _ in range(3):
        answer = known.ask(["a", "b"])
        assert answer.failure is engine.failure
        assert (answer.knows("a"), answer.knows("b")) == (True, None)
    assert (len(engine.questions), len(told)) == (2, 1)
    engine.failure, engine.now = None, 61.0
    assert known.ask(["b"]).failure is None
    assert known.current().knows("b") is True
    assert len(told) == 2


def test_what_can_be_no_name_is_not_asked_for(tmp_path: Path) -> None:
    engine = Asked()
    known = engine.open(tmp_path)
    known.ask(["llama\n", "x" * 65])
    assert engine.questions == []
    assert known.current().knows("llama\n") is False


def test_a_cache_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    engine = Asked("a")
    assert engine.open(tmp_path / "file").ask(["a"]).knows("a") is True


# --- the build ----------------------------------------------------------------------------------


def test_a_build_is_told_by_its_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "some_binding"
    (folder / "lib").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise AssertionError('imported')")
    library = folder / "lib" / "libllama.so.0.5"
    library.write_bytes(b"1")
    monkeypatch.syspath_prepend(tmp_path)
    first = find_engine("some_binding")
    assert first is not None
    assert first.folder == folder
    assert first.modified_at == pytest.approx(library.stat().st_mtime)
    assert find_engine("some_binding") == first
    library.write_bytes(b"22")
    second = find_engine("some_binding")
    assert second is not None
    assert second.identity != first.identity
    assert find_engine("no_such_binding") is None


def test_the_installed_build_is_found_without_importing_it() -> None:
    script = (
        "import sys, json\n"
        "from openshelf.engine.build import find_engine\n"
        "found = find_engine()\n"
        "print(json.dumps([found.binding_version, 'llama_cpp' in sys.modules]))\n"
    )
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, timeout=60, check=True,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    version, is_imported = json.loads(done.stdout)
    assert version
    assert not is_imported
