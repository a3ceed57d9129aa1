"""Engine builds: chosen, checked, and passed over where they are not sound."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from openshelf import wording
from openshelf.engine import build_check
from openshelf.engine.architectures import KnownArchitectures
from openshelf.engine.build import find_build, find_engine, library_folder
from openshelf.engine.builds import Builds, EngineBuilds
from openshelf.engine.kept_builds import INSTALLED, read_kept
from openshelf.engine.process import Engine
from openshelf.engine.protocol import Architectures, ChatMessage, Device, Plan, Sampling
from openshelf.errors import CancelledByUser, EngineFailed, NotFound
from openshelf.tasks import CancelToken
from tests.conftest import ExpectedLogs
from tests.engine.shim_build import break_build, copy_build, foreign_library
from tests.fakes.engine import clearance_for, load_order, model_file
from tests.fakes.tiny_model import write_sliding_window_model

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc and ELF")
needs_compiler = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="a C compiler"
)


class Bench:
    """One engine over builds, and all that was announced."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "builds.json"
        self.builds = EngineBuilds(self.file)
        self.told: list[Builds] = []
        self.builds.announcer.subscribe(self.told.append)
        self.engine = Engine(starter=self.builds)

    def libraries(self) -> set[Path]:
        """Folders that the worker's llama.cpp was loaded from."""
        maps = Path(f"/proc/{self.engine.pid}/maps").read_text()
        return {Path(path).parent for path in re.findall(r"/\S*/lib(?:llama|ggml)\S*\.so\S*", maps)}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.engine.close()


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return copy_build(tmp_path / "copied")


def test_nothing_is_kept_before_anybody_chose(bench: Bench) -> None:
    now = bench.builds.current()
    assert [build.folder for build in now.builds] == [INSTALLED]
    assert (now.chosen, now.in_use, now.problem, now.replaced) == (INSTALLED, INSTALLED, None, None)
    installed = find_engine()
    assert installed is not None
    assert bench.builds.identity() == installed.identity
    assert not bench.file.exists()


@needs_linux
def test_the_chosen_build_is_what_the_worker_loads(bench: Bench, copied: Path) -> None:
    bench.engine.devices()
    (own,) = bench.libraries()
    assert own != copied
    chosen = bench.builds.use(copied)
    assert chosen.engine_version.startswith("llama.cpp ")
    assert "cpu" in {device.type for device in chosen.devices}
    assert chosen.modified_at > 0
    bench.engine.devices()
    assert bench.libraries() == {copied}
    bench.builds.use(None)
    bench.engine.devices()
    assert bench.libraries() == {own}
    assert [state.in_use for state in bench.told] == ["", str(copied), ""]


@needs_linux
def test_a_model_in_memory_stays_until_the_next_load(bench: Bench, copied: Path) -> None:
    path = bench.folder / "m.gguf"
    write_sliding_window_model(path)
    file = model_file(str(path), path.stat().st_size)
    order = load_order(file, plan=Plan(256, n_threads=1))

    def ask() -> None:
        bench.engine.chat(
            (ChatMessage("user", "Hi"),), Sampling(max_tokens=2), CancelToken(), lambda *_: None
        )

    bench.engine.load(clearance_for(file), order, CancelToken())
    before = bench.engine.pid
    bench.builds.use(copied)
    ask()
    bench.engine.devices()
    assert bench.engine.pid == before
    bench.engine.load(clearance_for(file), order, CancelToken())
    assert bench.engine.pid != before
    assert bench.libraries() == {copied}
    ask()


@needs_linux
def test_the_choice_of_another_process_counts(bench: Bench, copied: Path) -> None:
    bench.engine.devices()
    EngineBuilds(bench.file).use(copied)
    bench.engine.devices()
    assert bench.libraries() == {copied}
    again = EngineBuilds(bench.file)
    assert again.current().chosen == str(copied)


@pytest.mark.parametrize("inner", ["", "lib", "bin", "build/bin", "llama_cpp/lib"])
def test_a_build_is_found_in_what_was_unpacked(tmp_path: Path, inner: str) -> None:
    folder = tmp_path / inner
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "libllama.so").write_bytes(b"1")
    assert library_folder(tmp_path) == folder
    assert find_build(folder) is not None


def test_a_folder_without_a_build_is_refused(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(NotFound) as raised:
        bench.builds.use(tmp_path)
    assert "libllama" in wording.error_sentence(raised.value)
    with pytest.raises(NotFound):
        bench.builds.forget(str(tmp_path))
    assert bench.builds.current().chosen == INSTALLED


# --- builds that are not sound --------------------------------------------------------------------


def refused(bench: Bench, folder: Path) -> EngineFailed:
    """The choice is refused, in a worker that is gone then, and nothing changes."""
    before = bench.builds.current()
    with pytest.raises(EngineFailed) as raised:
        bench.builds.use(folder)
    assert bench.builds.current() == before
    sentence = wording.error_sentence(raised.value)
    assert "?" not in sentence
    assert sentence.endswith((".", "folder"))
    return raised.value


SHIM_ENDS = {
    "a longer struct": "engine_layout",
    "a shorter struct": "engine_layout",
    "other fields": "engine_layout",
    "wrong numbers": "engine_wrong_result",
    "a crash": "build_wrong_cpu",
    "an abort": "build_crashed",
    "an end": "build_crashed",
    "a hang": "hung",
}


@needs_compiler
@pytest.mark.parametrize("shim", SHIM_ENDS)
def test_a_build_that_does_not_fit_is_refused(
    bench: Bench, copied: Path, shim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shim == "a hang":
        monkeypatch.setattr(build_check, "CHECK_SECONDS", 1.0)
    break_build(copied, shim)
    assert refused(bench, copied).why == SHIM_ENDS[shim]


@needs_linux
def test_a_build_of_another_version_lacks_functions(bench: Bench, copied: Path) -> None:
    foreign_library(copied)
    error = refused(bench, copied)
    assert error.why == "engine_lacks"
    assert "llama_" in error.detail


@needs_linux
def test_half_of_another_build_is_refused(bench: Bench, copied: Path) -> None:
    engine = find_engine()
    assert engine is not None
    other = copy_build(bench.folder / "other")
    for library in copied.glob("libggml-base*"):
        library.unlink()
        library.symlink_to(other / library.name)
    error = refused(bench, copied)
    assert (error.why, Path(error.detail).parent) == ("engine_mixed", other)


@needs_linux
def test_something_that_is_no_library_is_refused(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "no-library"
    folder.mkdir()
    (folder / "libllama.so").write_text("<html>")
    assert refused(bench, folder).why == "build_unloadable"


@needs_compiler
def test_a_check_under_way_ends_with_the_app(bench: Bench, copied: Path) -> None:
    bench.builds.use(copied)
    break_build(copied, "a hang")
    ends: list[BaseException] = []

    def ask() -> None:
        try:
            bench.engine.devices()
        except CancelledByUser as error:
            ends.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    bench.builds.close()
    asking.join(20)
    assert not asking.is_alive()
    assert len(ends) == 1
    assert bench.builds.current().chosen == str(copied)


# --- falling back ---------------------------------------------------------------------------------


@needs_linux
def test_one_that_fails_later_is_replaced_and_everybody_hears_of_it(
    bench: Bench, copied: Path, expected_logs: ExpectedLogs
) -> None:
    bench.builds.use(copied)
    (copied / "libllama.so").unlink()
    (copied / "libllama.so").write_text("broken")
    expected_logs("cannot be used")
    assert bench.engine.devices().devices
    assert bench.libraries() != {copied}
    now = bench.told[-1]
    assert now == bench.builds.current()
    assert (now.chosen, now.in_use) == (str(copied), INSTALLED)
    assert now.problem is not None
    assert now.problem.why == "build_unloadable"
    assert now.replaced is not None
    assert str(copied) in wording.sentence(now.replaced)
    shown = now.build(str(copied))
    assert shown is not None
    assert shown.problem is not None
    # Tried once: the next worker does not wait for it again.
    told = len(bench.told)
    os.kill(bench.engine.pid, 9)
    connection = bench.engine._jobs._connection
    assert connection is not None
    assert connection._ended.wait(10)
    assert bench.engine.devices().devices
    assert len(bench.told) == told
    # Mended, it is in use again.
    shutil.rmtree(copied)
    copy_build(copied)
    bench.engine.devices()
    assert bench.libraries() == {copied}
    assert bench.told[-1].problem is None


@needs_linux
def test_the_last_good_one_comes_before_the_installed_one(
    bench: Bench, copied: Path, tmp_path: Path, expected_logs: ExpectedLogs
) -> None:
    other = copy_build(tmp_path / "other")
    bench.builds.use(copied)
    bench.builds.use(other)
    shutil.rmtree(other)
    bench.engine.devices()
    assert bench.libraries() == {copied}
    now = bench.builds.current()
    assert now.in_use == str(copied)
    assert now.problem is not None
    assert now.problem.why == "build_gone"
    assert now.replaced is not None
    assert str(copied) in wording.sentence(now.replaced)
    bench.builds.forget(str(other))
    assert bench.builds.current().chosen == INSTALLED


@needs_linux
def test_a_new_start_tries_the_chosen_one_again(
    bench: Bench, copied: Path, expected_logs: ExpectedLogs
) -> None:
    bench.builds.use(copied)
    library = copied / "libllama.so"
    content = library.read_bytes()
    times = library.stat().st_atime_ns, library.stat().st_mtime_ns
    library.unlink()
    library.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    os.utime(library, ns=times)
    expected_logs("cannot be used")
    bench.engine.devices()
    assert bench.builds.current().in_use == INSTALLED
    later = EngineBuilds(bench.file)
    assert later.current().in_use == str(copied), "to be tried once more"
    shown = later.current().build(str(copied))
    assert shown is not None
    assert shown.problem is not None, "and what it did last is known"


def test_a_damaged_file_counts_as_empty(tmp_path: Path, expected_logs: ExpectedLogs) -> None:
    file = tmp_path / "builds.json"
    expected_logs("cannot be read")
    for content in ("", "[]", '{"chosen": 3}', '{"builds": [{}]}', "[" * 100_000):
        file.write_text(content)
        assert EngineBuilds(file).current().chosen == INSTALLED


# --- a GPU that is gone ---------------------------------------------------------------------------

CPU = Device("CPU", "a CPU", "cpu", 100, 50)
GPU = Device("CUDA0", "NVIDIA GeForce RTX 4070", "gpu", 8 << 30, 7 << 30)


def test_a_gpu_that_the_engine_no_longer_lists_is_an_event(bench: Bench) -> None:
    bench.builds.note("llama.cpp 1", (GPU, CPU))
    assert bench.builds.current().without_gpu is None
    bench.builds.note("llama.cpp 1", (CPU,))
    lost = bench.told[-1].without_gpu
    assert lost is not None
    assert "no longer finds NVIDIA GeForce RTX 4070" in wording.sentence(lost)
    told = len(bench.told)
    bench.builds.note("llama.cpp 1", (CPU,))
    assert (bench.builds.current().without_gpu, len(bench.told)) == (lost, told), "said once"
    bench.builds.note("llama.cpp 1", (GPU, CPU))
    assert bench.told[-1].without_gpu is None


def test_it_is_noticed_after_a_new_start_as_well(bench: Bench) -> None:
    bench.builds.note("llama.cpp 1", (GPU, CPU))
    later = EngineBuilds(bench.file)
    later.note("llama.cpp 1", (CPU,))
    assert later.current().lost == (GPU.description,)


def test_another_build_without_that_gpu_has_lost_none(bench: Bench, copied: Path) -> None:
    bench.builds.note("llama.cpp 1", (GPU, CPU))
    bench.builds.use(copied)
    bench.builds.note("llama.cpp 1", (CPU,))
    assert bench.builds.current().without_gpu is None


# --- what is kept by build ------------------------------------------------------------------------


def test_another_build_is_asked_for_its_own_architectures(tmp_path: Path, bench: Bench) -> None:
    asked: list[str] = []

    def ask(names: object) -> Architectures:
        asked.append(bench.builds.identity())
        return Architectures(1, engine_version="x", known=("llama",), unknown=())

    known = KnownArchitectures(tmp_path / "known.json", ask, bench.builds.identity)
    bench.builds.announcer.subscribe(lambda _: known.forget())
    assert known.ask(["llama"]).knows("llama")
    assert known.ask(["llama"]).knows("llama")
    assert len(asked) == 1
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "libllama.so").write_bytes(b"another build")
    bench.file.write_text(json.dumps({"chosen": str(folder), "good": [str(folder)]}))
    known.forget()
    assert known.current().knows("llama") is None
    known.ask(["llama"])
    assert len(set(asked)) == 2
    assert read_kept(bench.file).chosen == str(folder)
