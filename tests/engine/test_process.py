"""The parent's side against the real worker door and against workers that misbehave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import openshelf
from openshelf import wording
from openshelf.children import Door, child_command, child_environment
from openshelf.engine import connection
from openshelf.engine.connection import signal_name
from openshelf.engine.process import Engine
from openshelf.engine.protocol import PROTOCOL_VERSION, ChatMessage, Hello, Plan, Sampling, encode
from openshelf.errors import (
    CancelledByUser,
    ClearanceRefused,
    ContextFull,
    CorruptModel,
    EngineDied,
    EngineFailed,
    NotFound,
)
from openshelf.licenses.clearance import Verdict
from openshelf.tasks import CancelToken
from tests.fakes.engine import clearance_for, load_order, model_file

QUESTION = (ChatMessage("user", "Hello"),)


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


def test_hello_and_ping(engine: Engine) -> None:
    assert not engine.is_running
    engine.start()
    assert engine.is_running
    assert 0 <= engine.ping() < 5


def test_devices_have_a_cpu_and_a_version(engine: Engine) -> None:
    devices = engine.devices()
    assert devices.engine_version.startswith("llama.cpp ")
    cpu = [device for device in devices.devices if device.type == "cpu"]
    assert len(cpu) == 1
    assert cpu[0].total_bytes > 0


def test_more_than_a_worker_takes_is_refused_before_it_is_sent(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be waited for as for a template that hangs."""
    monkeypatch.setattr(connection, "MAX_LINE_BYTES", 2_000)
    engine.start()
    pid = engine.pid
    picture = ChatMessage("user", "What is it?", images=("A" * 4_000,))
    with pytest.raises(ContextFull) as raised:
        engine.chat((picture,), Sampling(), CancelToken(), lambda text, count: None)
    assert raised.value.why == "too_large"
    assert engine.ping() >= 0
    assert engine.pid == pid


def test_close_ends_the_process_and_the_engine(engine: Engine) -> None:
    engine.start()
    pid = engine.pid
    engine.close()
    assert not _exists(pid)
    with pytest.raises(EngineFailed, match="closed"):
        engine.start()


def test_nothing_loaded_is_an_answer_and_no_death(engine: Engine) -> None:
    with pytest.raises(EngineFailed) as raised:
        engine.chat(QUESTION, Sampling(), CancelToken(), print)
    assert raised.value.why == "no_model"
    assert "load" in wording.error_sentence(raised.value)
    assert engine.is_running


def test_a_cancelled_job_is_never_sent(engine: Engine) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(CancelledByUser):
        engine.chat(QUESTION, Sampling(), cancel, print)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# --- what is checked before the worker hears of it ------------------------------------------------


def test_a_load_needs_a_clearance_for_that_file(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"x" * 100)
    file = model_file(str(path))
    with pytest.raises(ClearanceRefused) as raised:
        engine.load(clearance_for(file, verdict=Verdict.BLOCKED), load_order(file), CancelToken())
    assert raised.value.why == "blocked"
    other = model_file(str(path), size_bytes=101)
    with pytest.raises(ClearanceRefused) as raised:
        engine.load(clearance_for(other), load_order(file), CancelToken())
    assert raised.value.why == "wrong_file"
    assert not engine.is_running


def test_a_file_that_changed_its_size_is_refused(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    file = model_file(str(path))
    with pytest.raises(NotFound):
        engine.load(clearance_for(file), load_order(file), CancelToken())
    path.write_bytes(b"x" * 99)
    with pytest.raises(CorruptModel) as raised:
        engine.load(clearance_for(file), load_order(file), CancelToken())
    assert raised.value.why == "size_changed"
    assert not engine.is_running


def test_a_file_that_is_no_model_is_refused_with_a_reason(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"<html>" + b"x" * 94)
    file = model_file(str(path))
    with pytest.raises(CorruptModel) as raised:
        engine.load(clearance_for(file), load_order(file), CancelToken())
    assert raised.value.path == str(path)
    assert raised.value.why
    assert engine.is_running


# --- workers that misbehave -----------------------------------------------------------------------

HELLO = encode(
    Hello(0, PROTOCOL_VERSION, openshelf.__version__, str(Path(openshelf.__file__).parent), 1)
).decode()


def worker(body: str, hello: str = HELLO) -> Engine:
    """An engine whose worker is a few lines of Python; `read()` takes one request."""
    code = (
        "import json, os, signal, sys, time\n"
        "def read(): return json.loads(sys.stdin.buffer.readline())\n"
        "def say(text): sys.stdout.write(text); sys.stdout.flush()\n"
        f"say({hello!r})\n{body}"
    )
    return Engine([sys.executable, "-c", code], child_environment())


def test_a_program_that_is_not_there() -> None:
    engine = Engine(["/no/such/program"])
    with pytest.raises(EngineFailed) as raised:
        engine.start()
    assert raised.value.why == "start_failed"
    engine.close()


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("package_version", "0.0.0"),
        ("protocol", 99),
        ("package_path", "/elsewhere"),
        ("engine_folder", "/elsewhere"),
    ],
)
def test_a_hello_of_something_else_is_refused(change: str, value: object) -> None:
    hello = json.dumps({**json.loads(HELLO), change: value}) + "\n"
    engine = worker("sys.stdin.read()", hello)
    with pytest.raises(EngineFailed) as raised:
        engine.start()
    assert raised.value.why == "wrong_worker"
    assert str(value) in raised.value.detail
    engine.close()


def test_no_hello_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HELLO_SECONDS", 0.2)
    engine = worker("sys.stdin.read()", hello="")
    with pytest.raises(EngineFailed) as raised:
        engine.start()
    assert raised.value.why == "no_hello"
    engine.close()


DEATHS = {
    "exit 0": ("sys.exit(0)", ""),
    "exit 3": ("print('the end', file=sys.stderr); sys.exit(3)", ""),
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    "aborted": ("os.abort()", "SIGABRT"),
    "segfault": ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
    "garbage": ("say('what?\\n'); time.sleep(60)", None),
    "half a line": ('say(\'{"kind": "Done"\'); sys.exit(0)', ""),
    "an endless line": ("say('x' * (17 << 20)); time.sleep(60)", None),
    "stdout closed": ("os.close(1); os.close(2); time.sleep(60)", None),
}


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("name", DEATHS)
def test_every_end_of_the_worker_is_a_death_with_a_cause(name: str) -> None:
    body, expected = DEATHS[name]
    engine = worker(f"print('last words', file=sys.stderr, flush=True)\nread()\n{body}")
    for _ in range(2):  # the second call starts a new one, which dies as well
        with pytest.raises(EngineDied) as raised:
            engine.chat(QUESTION, Sampling(), CancelToken(), print)
        assert raised.value.during == "chat"
        assert "last words" in raised.value.tail
        if expected is not None:
            assert raised.value.signal == expected
        assert not engine.is_running
    engine.close()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_worker_that_hangs_is_found_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HUNG_AFTER_SECONDS", 0.3)
    monkeypatch.setattr("openshelf.engine.waiting.PING_AFTER_SECONDS", 0.1)
    engine = worker("read()\nos.kill(os.getpid(), signal.SIGSTOP)")
    with pytest.raises(EngineDied) as raised:
        engine.chat(QUESTION, Sampling(), CancelToken(), print)
    assert raised.value.signal == "SIGKILL"
    assert raised.value.why == "hung"
    assert "no longer answered" in wording.error_sentence(raised.value)
    engine.close()


def test_only_the_end_of_stderr_is_kept() -> None:
    engine = worker("read()\nsys.stderr.write('a' * 100_000 + 'the end'); sys.exit(1)")
    with pytest.raises(EngineDied) as raised:
        engine.chat(QUESTION, Sampling(), CancelToken(), print)
    assert raised.value.tail.endswith("the end")
    assert len(raised.value.tail) <= connection.TAIL_BYTES
    engine.close()


BUSY_SECONDS = 3.0
LADDER = {
    "stop": ("id = read()['id']; read(); say(json.dumps({'kind': 'Refused', 'id': id, 'why': "
             "'cancelled'}) + '\\n'); sys.stdin.read()", 0.0, 0.9),
    "stdin closed": ("read(); sys.stdin.buffer.read()", 1.0, 1.9),
    "terminate": ("read()\ntime.sleep(60)", 2.0, 3.9),
    "kill": ("signal.signal(signal.SIGTERM, signal.SIG_IGN); read()\ntime.sleep(60)", 4.0, 6.0),
}  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("step", LADDER)
def test_the_stop_ladder_goes_as_far_as_it_must(step: str) -> None:
    body, at_least, at_most = LADDER[step]
    engine = worker(body)
    engine.start()
    pid = engine.pid
    cancel = CancelToken()
    cancelled: list[float] = []
    cancel.on_cancel(lambda: cancelled.append(time.monotonic()))
    canceller = threading.Timer(0.1, cancel.cancel)
    canceller.start()
    with pytest.raises(CancelledByUser):
        engine.chat(QUESTION, Sampling(), cancel, print)
    took = time.monotonic() - cancelled[0]
    canceller.join()
    # A busy machine is slow to notice, never early.
    assert at_least <= took < at_most + BUSY_SECONDS
    assert _exists(pid) == (step == "stop")
    engine.close()
    assert not _exists(pid)


def test_a_second_job_is_refused_while_one_runs() -> None:
    engine = worker("read(); say('{\"kind\":\"Tokens\",\"id\":1,\"text\":\"a\",\"count\":1}\\n')\n"
                    "sys.stdin.read()")  # fmt: skip
    running = threading.Event()
    cancel = CancelToken()
    ends: list[BaseException] = []

    def chat() -> None:
        try:
            engine.chat(QUESTION, Sampling(), cancel, lambda text, count: running.set())
        except CancelledByUser as error:
            ends.append(error)

    thread = threading.Thread(target=chat)
    thread.start()
    assert running.wait(10)
    with pytest.raises(EngineFailed) as raised:
        engine.chat(QUESTION, Sampling(), CancelToken(), print)
    assert raised.value.why == "busy"
    engine.close()  # ends the running one as cancelled, not as a death
    thread.join(10)
    assert len(ends) == 1


def test_no_secret_reaches_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_canary")
    monkeypatch.setenv("HTTPS_PROXY", "http://canary")
    code = f"import os, sys; print({HELLO!r}, end='', flush=True); print(os.environ, "
    code += "file=sys.stderr); sys.stdin.readline(); sys.exit(1)"
    engine = Engine([sys.executable, "-c", code])
    with pytest.raises(EngineDied) as raised:
        engine.chat(QUESTION, Sampling(), CancelToken(), print)
    assert "canary" not in raised.value.tail
    assert "OPENSHELF_HOME" in raised.value.tail
    engine.close()


# --- the real worker's door -----------------------------------------------------------------------


def talk(lines: bytes, until: Callable[[list[dict[str, object]]], bool]) -> list[dict[str, object]]:
    """Write raw bytes to a real worker; its events up to where `until` holds."""
    process = subprocess.Popen(
        child_command(Door.ENGINE_WORKER),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_environment(),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    events: list[dict[str, object]] = []
    with process:
        process.stdin.write(lines)
        process.stdin.flush()
        while not until(events):
            events.append(json.loads(process.stdout.readline()))
        process.stdin.close()
        assert process.wait(10) == 0
    return events


def test_garbage_on_stdin_is_refused_and_survived() -> None:
    lines = b'\xff\xfe\n[]\n{"kind":"Nothing"}\n\n' + b"y" * (17 << 20) + b"\n"
    lines += (
        b'{"kind":"Hello","id":3,"protocol":1,"package_version":"","package_path":"","pid":1}\n'
    )
    lines += b'{"kind":"Ping","id":9}\n'
    events = talk(lines, lambda events: any(event["kind"] == "Pong" for event in events))
    assert events[0]["kind"] == "Hello"
    assert [event["kind"] for event in events[1:]] == ["Refused"] * 6 + ["Pong"]
    assert {event["why"] for event in events[1:7]} == {"bad_request"}
    assert events[-1]["id"] == 9


def test_the_hello_comes_before_llama_cpp() -> None:
    """The worker is there at once; the library is imported when it is needed."""
    code = (
        "import sys; sys.argv = ['openshelf', '--openshelf-engine-worker'];"
        "from openshelf.entry import main; main(sys.argv[1:]);"
        "heavy = {'llama_cpp', 'numpy', 'jinja2', 'psutil', 'PySide6'} & set(sys.modules);"
        "print('heavy:', sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-s", "-P", "-c", code],
        input=b"",
        capture_output=True,
        env=child_environment(),
        timeout=30,
        check=True,
    )
    assert b"heavy: []" in done.stderr
    assert done.stdout.count(b"\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_the_worker_has_no_core_files_and_dies_with_its_parent() -> None:
    code = (
        "import subprocess, sys; from openshelf.engine.process import Engine;"
        "engine = Engine(); engine.start(); print(engine.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-P", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=child_environment(),
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert "Max core file size        0" in limits
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)
    deadline = time.monotonic() + 10
    while _is_running(pid):
        assert time.monotonic() < deadline, "the worker outlived its parent"
        time.sleep(0.01)


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_names_of_signals() -> None:
    assert signal_name(-9) == "SIGKILL"
    assert signal_name(-250) == "signal 250"
    assert signal_name(0xC0000005) == "ACCESS_VIOLATION"
    assert signal_name(1) == ""


@pytest.mark.model
def test_a_plan_that_is_none_is_refused(engine: Engine, starter_model: Path) -> None:
    file = model_file(str(starter_model), starter_model.stat().st_size)
    for plan in (
        Plan(4096, kv_type_k="q9_9"),
        Plan(4096, flash_attention="maybe"),
        Plan(0),
        Plan(4096, tensor_split=(1.0,) * 99),
    ):
        with pytest.raises(EngineFailed) as raised:
            engine.load(clearance_for(file), load_order(file, plan=plan), CancelToken())
        assert raised.value.why == "bad_plan"
    assert engine.loaded is None
