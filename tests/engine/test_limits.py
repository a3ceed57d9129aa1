"""What a worker may not do: reach the network, take more memory than planned, never end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import openshelf
from openshelf import wording
from openshelf.children import child_environment
from openshelf.engine import load_watch, process, worker_network
from openshelf.engine.load_watch import LoadWatch, Usage, most_bytes, usage_of
from openshelf.engine.process import Engine
from openshelf.engine.protocol import (
    PROTOCOL_VERSION,
    ChatMessage,
    Hello,
    LoadProgress,
    Plan,
    Sampling,
    encode,
)
from openshelf.errors import EngineFailed, OutOfMemory
from openshelf.tasks import CancelToken
from tests.fakes.engine import clearance_for, load_order, model_file
from tests.fakes.tiny_model import write_sliding_window_model

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc, prctl")
QUESTION = (ChatMessage("user", "Hello"),)
MIB = 1 << 20


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


# --- the network ----------------------------------------------------------------------------------

_TRY = """
import errno, json, socket, sys
from openshelf.engine.worker_isolation import harden, network_fault
harden()
ends = {}
for name in ("AF_INET", "AF_INET6", "AF_PACKET", "AF_UNIX", "AF_NETLINK"):
    kind = socket.SOCK_RAW if name == "AF_NETLINK" else socket.SOCK_DGRAM
    try:
        socket.socket(getattr(socket, name), kind).close()
        ends[name] = "open"
    except OSError as error:
        ends[name] = errno.errorcode[error.errno]
print(json.dumps([network_fault(), ends]))
"""


@linux
def test_a_worker_cannot_open_a_socket_to_anywhere() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", _TRY],
        capture_output=True, text=True, timeout=60, check=True, env=child_environment(),
    )  # fmt: skip
    fault, ends = json.loads(done.stdout)
    if fault:
        pytest.skip(f"this kernel cannot forbid it: {fault}")
    assert ends == {
        "AF_INET": "EACCES", "AF_INET6": "EACCES", "AF_PACKET": "EACCES",
        "AF_UNIX": "open", "AF_NETLINK": "open",
    }  # fmt: skip


@linux
def test_the_real_worker_is_under_the_filter_and_says_so(engine: Engine) -> None:
    devices = engine.devices()
    status = Path(f"/proc/{engine.pid}/status").read_text()
    rows = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert rows["Seccomp"] == ("0" if devices.network_fault else "2")
    assert (devices.network_fault == "") == (rows["NoNewPrivs"] == "1")


def test_a_kernel_that_cannot_forbid_it_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_network.platform, "machine", lambda: "mips")
    expected = "mips" if sys.platform == "linux" else sys.platform
    assert worker_network.forbid_network() == expected


@linux
@pytest.mark.parametrize(
    ("has_driver", "has_device", "is_run"),
    [(True, False, True), (True, True, False), (False, False, False)],
)
def test_device_files_of_a_gpu_are_made_before(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_driver: bool,
    has_device: bool,
    is_run: bool,
) -> None:
    program = tmp_path / "bin" / "nvidia-modprobe"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/ran\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    driver, device = tmp_path / "driver", tmp_path / "uvm"
    for path, is_there in ((driver, has_driver), (device, has_device)):
        if is_there:
            path.touch()
    worker_network.make_gpu_devices(driver, device)
    ran = tmp_path / "ran"
    assert ran.exists() == is_run
    assert not is_run or ran.read_text() == "-u -c=0\n"


# --- memory ---------------------------------------------------------------------------------------


def tiny(folder: Path) -> Path:
    path = folder / "m.gguf"
    write_sliding_window_model(path)
    return path


@linux
def test_a_load_above_its_plan_is_refused_by_the_worker_itself(
    engine: Engine, tmp_path: Path
) -> None:
    file = model_file(str(tiny(tmp_path)), (tmp_path / "m.gguf").stat().st_size)
    # The work buffers of so many tokens at once take more than a gigabyte.
    plan = Plan(65536, batch=16384, ubatch=16384, n_threads=1, needed_bytes={"ram": 8 * MIB})
    with pytest.raises(OutOfMemory) as raised:
        engine.load(clearance_for(file), load_order(file, plan=plan), CancelToken())
    assert engine.is_running, "it is a refusal, not a death"
    assert "memory" in wording.error_sentence(raised.value)
    good = Plan(256, n_threads=1, needed_bytes={"ram": 8 * MIB})
    engine.load(clearance_for(file), load_order(file, plan=good), CancelToken())
    assert Path(f"/proc/{engine.pid}/limits").read_text().count("Max data size") == 1
    assert "Max data size             unlimited" in Path(f"/proc/{engine.pid}/limits").read_text()


HELLO = encode(
    Hello(0, PROTOCOL_VERSION, openshelf.__version__, str(Path(openshelf.__file__).parent), 1)
).decode()


def worker(body: str) -> Engine:
    """An engine whose worker is a few lines of Python; `read()` takes one request."""
    code = (
        "import json, sys, time\n"
        "def read(): return json.loads(sys.stdin.buffer.readline())\n"
        "def say(**event): sys.stdout.write(json.dumps(event) + '\\n'); sys.stdout.flush()\n"
        f"sys.stdout.write({HELLO!r}); sys.stdout.flush()\n{body}"
    )
    return Engine([sys.executable, "-c", code], child_environment())


def test_a_worker_that_takes_far_more_than_planned_is_killed(tmp_path: Path) -> None:
    """One that does not limit itself: 700 MiB, touched, for a plan of 8."""
    engine = worker("read()\nheld = bytearray(b'x') * (700 << 20)\nsys.stdin.read()")
    file = model_file(str(tiny(tmp_path)), (tmp_path / "m.gguf").stat().st_size)
    plan = Plan(256, needed_bytes={"ram": 8 * MIB})
    engine.start()
    pid = engine.pid
    with pytest.raises(OutOfMemory) as raised:
        engine.load(clearance_for(file), load_order(file, plan=plan), CancelToken())
    assert raised.value.why == "above_plan"
    assert "planned" in wording.error_sentence(raised.value)
    assert not psutil.pid_exists(pid)
    engine.close()


def test_no_plan_no_limit() -> None:
    assert most_bytes(load_order(plan=Plan(256))) is None
    both = Plan(256, needed_bytes={"ram": 100 * MIB, "gpu-0": 100 * MIB})
    assert most_bytes(load_order(plan=both)) == 240 * MIB + load_watch.SLACK_BYTES


def test_the_usage_of_a_process() -> None:
    usage = usage_of(os.getpid())
    assert usage is not None
    assert usage.own_bytes > 10 * MIB
    assert usage.processor_seconds > 0
    assert usage_of(2**22 + 1) is None


# --- time -----------------------------------------------------------------------------------------


class Scene:
    """A load as it looks from outside, second by second."""

    def __init__(self, plan: Plan | None = None) -> None:
        self.now = 0.0
        self.usage: Usage | None = Usage(50 * MIB, 1.0, 0)
        self.watch = LoadWatch(
            1, load_order(plan=plan or Plan(256)), lambda pid: self.usage, lambda: self.now
        )

    def run(
        self, seconds: float, *, processor: float = 0.0, read: int = 0, progresses: bool = False
    ) -> tuple[float, EngineFailed | None]:
        """Look each half second; when it ended, and why."""
        end = self.now + seconds
        while self.now < end:
            self.now += 0.5
            assert self.usage is not None
            self.usage = Usage(
                self.usage.own_bytes,
                self.usage.processor_seconds + processor / 2,
                self.usage.read_bytes + read,
            )
            event = LoadProgress(1, 0.5) if progresses else None
            if (fault := self.watch.look(event)) is not None:
                return self.now, fault
        return self.now, None


def test_a_load_that_goes_on_is_left_alone() -> None:
    assert Scene().run(1000, processor=1.0, progresses=True)[1] is None
    assert Scene().run(1000, progresses=True)[1] is None


def test_a_load_that_only_reads_is_left_alone_for_as_long_as_a_slow_disk_takes() -> None:
    plan = Plan(256, needed_bytes={"ram": 2 << 30})
    assert Scene(plan).run(100, read=1)[1] is None


def test_a_load_that_spins_is_ended_soon() -> None:
    ended, fault = Scene().run(100, processor=1.0)
    assert fault is not None
    assert fault.why == "load_hung"
    assert load_watch.SPIN_SECONDS <= ended <= 10
    assert "9 s" in wording.error_sentence(fault)


def test_a_load_that_stands_still_is_ended() -> None:
    ended, fault = Scene().run(100)
    assert fault is not None
    assert load_watch.STILL_SECONDS <= ended <= load_watch.STILL_SECONDS + 2


def test_kernels_for_a_gpu_may_be_compiled_first() -> None:
    assert Scene(Plan(256, n_gpu_layers=9)).run(200, processor=1.0)[1] is None


def test_a_process_that_cannot_be_looked_at_is_no_fault() -> None:
    scene = Scene()
    scene.usage = None
    scene.now = 500.0
    assert scene.watch.look(None) is None


def test_a_template_without_end_is_ended_and_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(process, "TEMPLATE_SECONDS", 0.5)
    engine = worker(
        "r = read()\n"
        "say(kind='Loaded', id=r['id'], seconds=0, context_length=1, n_gpu_layers=0,"
        " architecture='', description='', memory_bytes={}, has_template=True)\n"
        "r = read()\n"
        "if r['own_template']: sys.stdin.read()\n"
        "say(kind='PromptLaidOut', id=r['id'])\n"
        "say(kind='Done', id=r['id'], finish_reason='stop', prompt_tokens=1, completion_tokens=1,"
        " cached_tokens=0, first_token_seconds=0, prefill_tokens_per_second=0,"
        " decode_tokens_per_second=0)\n"
        "sys.stdin.read()"
    )
    file = model_file(str(tiny(tmp_path)), (tmp_path / "m.gguf").stat().st_size)
    order = load_order(file, plan=Plan(256))
    engine.load(clearance_for(file), order, CancelToken())
    pid = engine.pid
    with pytest.raises(EngineFailed) as raised:
        engine.chat(QUESTION, Sampling(), CancelToken(), print)
    assert raised.value.why == "template_hung"
    assert "without it" in wording.error_sentence(raised.value)
    assert not psutil.pid_exists(pid)
    engine.load(clearance_for(file), order, CancelToken())
    assert engine.chat(QUESTION, Sampling(), CancelToken(), print).finish_reason == "stop"
    engine.close()
