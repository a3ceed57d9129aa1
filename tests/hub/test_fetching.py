"""The download worker as a real child: killed at any moment it loses nothing, told to stop it
stops, and without a clearance it is not even started.
"""

from __future__ import annotations

import dataclasses
import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openshelf import errors
from openshelf.bandwidth import Bandwidth
from openshelf.children import Door, child_command, child_environment
from openshelf.errors import (
    CancelledByUser,
    ChecksumMismatch,
    ClearanceRefused,
    NetworkFailure,
    Offline,
)
from openshelf.hub import wire
from openshelf.hub.download import DownloadJob, FetchedFile
from openshelf.hub.fetching import FetchPlace, FetchRequest, RateShare, fetch
from openshelf.licenses.clearance import Verdict
from openshelf.network import EgressLog, NetworkOptions
from openshelf.reasons import Reason
from openshelf.tasks import CancelToken, Progress, no_report
from tests.fakes.hub.loopback import LoopbackHub
from tests.hub.downloading import Setting, Watch, cleared, publish, some_bytes

SIZE = 20_000_000
KILLS = int(os.environ.get("KILLS", "200"))
"""Of a gigabyte; fewer to see that it still works."""
TOKEN = "hf_abcdefghijklmnop"


@pytest.fixture
def setting(hub: LoopbackHub, tmp_path: Path) -> Setting:
    return Setting(hub, publish(hub, some_bytes(SIZE)), tmp_path / "models")


def request_for(setting: Setting, **options: Any) -> FetchRequest:
    wanted = {"endpoint": setting.hub.endpoint, "read_timeout_seconds": 5.0, **options}
    return FetchRequest(setting.file, setting.models, NetworkOptions(**wanted), "")


def run_fetch(setting: Setting, watch: Watch | None = None, **options: Any) -> FetchedFile:
    watch = watch or Watch()
    return fetch(request_for(setting, **options), cleared(setting.file), watch.cancel, watch)


def test_child_fetches_and_reports(setting: Setting) -> None:
    setting.hub.bytes_per_second = 30_000_000
    watch, egress = Watch(), EgressLog()
    fetched = fetch(
        request_for(setting), cleared(setting.file), watch.cancel, watch,
        FetchPlace(egress, RateShare()),
    )  # fmt: skip
    assert setting.is_installed()
    assert fetched.sha256 == setting.file.sha256
    moving = [p for p in watch.seen if p.phase == "downloading"]
    assert [p.done for p in moving] == sorted(p.done for p in moving)
    assert any(p.rate_per_second for p in moving)
    assert watch.seen[-1].phase == "verifying"
    assert sum(e.received_bytes for e in egress.entries() if e.purpose == "download") >= SIZE


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"repo": "someone/else"}, "wrong_model"),
        ({"commit": "2" * 40}, "wrong_model"),
        ({"files": ()}, "wrong_file"),
        ({"verdict": Verdict.BLOCKED}, "blocked"),
        ({"policy_sha256": "older"}, "stale_policy"),
    ],
)
def test_nothing_is_asked_without_a_clearance(
    setting: Setting, change: dict[str, Any], why: str
) -> None:
    clearance = dataclasses.replace(cleared(setting.file), **change)
    with pytest.raises(ClearanceRefused) as error:
        fetch(request_for(setting), clearance, CancelToken(), no_report)
    assert error.value.why == why
    assert setting.hub.requests == []
    assert not setting.models.exists()


def test_offline_starts_no_child(setting: Setting) -> None:
    request = request_for(setting, offline=True, endpoint="https://huggingface.co")
    with pytest.raises(Offline):
        fetch(request, cleared(setting.file), CancelToken(), no_report)
    assert not setting.models.exists()


def test_pause_leaves_the_line_quiet_within_a_second(setting: Setting) -> None:
    setting.hub.bytes_per_second = 4_000_000
    watch = Watch(at=1_000_000, stops=True)
    paused_at: list[float] = []
    watch.cancel.on_cancel(lambda: paused_at.append(time.monotonic()))
    with pytest.raises(CancelledByUser):
        run_fetch(setting, watch)
    assert time.monotonic() - paused_at[0] < 3.0  # a second, on a machine that is not busy
    sent = setting.hub.sent_bytes
    setting.hub.stopping.wait(0.5)
    assert setting.hub.sent_bytes == sent, "zero bytes on the wire"
    length = setting.place.part.stat().st_size
    assert 1_000_000 <= length < SIZE
    setting.hub.bytes_per_second = 0
    fetched = run_fetch(setting)
    assert fetched.resumed_from_bytes == length
    assert setting.hub.bodies()[-1].range_start == length
    assert setting.is_installed()


def test_stops_even_while_nobody_answers(setting: Setting) -> None:
    setting.hub.faults.add("hang", stage="head")
    watch = Watch()

    def stop_when_asked() -> None:
        while not setting.hub.requests:
            setting.hub.stopping.wait(0.02)
        watch.cancel.cancel()

    stopper = threading.Thread(target=stop_when_asked)
    paused_at: list[float] = []
    watch.cancel.on_cancel(lambda: paused_at.append(time.monotonic()))
    stopper.start()
    with pytest.raises(CancelledByUser):
        run_fetch(setting, watch, read_timeout_seconds=60.0)
    stopper.join()
    assert time.monotonic() - paused_at[0] < 3.0


def test_failures_of_the_child_are_ours_again(setting: Setting) -> None:
    setting.hub.faults.add("corrupt", offset=SIZE // 2)
    with pytest.raises(ChecksumMismatch) as error:
        run_fetch(setting)
    assert error.value.expected == setting.file.sha256


def test_waiting_is_told_with_its_reason(setting: Setting) -> None:
    setting.hub.faults.add("cut", after_bytes=SIZE // 2)
    watch = Watch()
    run_fetch(setting, watch)
    waiting = [progress for progress in watch.seen if progress.phase == "waiting"]
    assert waiting[0].reason is not None
    assert waiting[0].reason.code == "waiting_early_end"
    assert waiting[0].done == SIZE // 2


def test_limit_is_shared_and_can_change(setting: Setting) -> None:
    share = RateShare(Bandwidth(2_000_000))
    watch = Watch(at=400_000)

    def lift() -> None:
        watch.fired.wait(20)
        share.set_bandwidth(Bandwidth())

    lifter = threading.Thread(target=lift)
    lifter.start()
    started = time.monotonic()
    fetch(
        request_for(setting), cleared(setting.file), watch.cancel, watch,
        FetchPlace(EgressLog(), share),
    )  # fmt: skip
    lifter.join()
    assert time.monotonic() - started < 8, "20 MB at 2 MB/s would take 10 s"


def test_token_is_in_no_place_that_others_can_see(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.tokens.add(TOKEN)
    file = publish(hub, some_bytes(SIZE), gated="auto", access={TOKEN})
    setting = Setting(hub, file, tmp_path / "models")
    hub.bytes_per_second = 20_000_000
    seen: list[bytes] = []

    def look(progress: Progress) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes()
                if b"download-worker" in command:
                    seen.append(command + (process / "environ").read_bytes())
            except OSError:
                continue

    request = request_for(setting, token=TOKEN)
    fetch(request, cleared(file), CancelToken(), look)
    assert setting.is_installed()
    if Path("/proc/self/cmdline").exists():
        assert seen
        assert not any(TOKEN.encode() in what for what in seen)
    assert {r.header("authorization") for r in hub.bodies()} == {None}


class Worker:
    """The child alone, as its parent would start it."""

    def __init__(self, setting: Setting) -> None:
        self.process = subprocess.Popen(
            child_command(Door.DOWNLOAD_WORKER),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=child_environment(),
        )
        options = NetworkOptions(endpoint=setting.hub.endpoint)
        self.send(wire.job_message(DownloadJob(setting.file, setting.models), options))

    def send(self, message: wire.Message) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(wire.encode(message))
        self.process.stdin.flush()

    def messages(self) -> Iterator[wire.Message]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            yield wire.decode(line)

    def close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        self.process.wait(10)


def wait_for_part(setting: Setting, length: int, worker: Worker) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and worker.process.poll() is None:
        if setting.place.part.exists() and setting.place.part.stat().st_size >= length:
            return
        time.sleep(0.002)  # a file has no event to wait for
    raise AssertionError(f"no {length} bytes in time")


def length_on_disk(setting: Setting) -> int:
    return setting.place.part.stat().st_size if setting.place.part.exists() else 0


def kill_again_and_again(setting: Setting, positions: list[int]) -> None:
    """Kill the worker when that many bytes are on disk (maybe before it asked for any), then let
    it finish. Each request begins at exactly the length that its worker found."""
    found, asked = 0, 0
    for position in positions:
        found, asked = length_on_disk(setting), len(setting.hub.bodies())
        worker = Worker(setting)
        wait_for_part(setting, position, worker)
        worker.process.kill()
        worker.close()
        for request in setting.hub.bodies()[asked:]:
            assert (request.range_start or 0) == found
    found, asked = length_on_disk(setting), len(setting.hub.bodies())
    worker = Worker(setting)
    last = list(worker.messages())[-1]
    worker.close()
    assert (last["type"], last["resumed_from_bytes"]) == ("done", found)
    assert {request.range_start or 0 for request in setting.hub.bodies()[asked:]} == {found}
    assert setting.is_installed()


def test_ten_kills_lose_nothing(setting: Setting) -> None:
    setting.hub.bytes_per_second = 25_000_000
    dice = random.Random(20261123)
    kill_again_and_again(setting, sorted(dice.randrange(1, SIZE * 8 // 10) for _ in range(10)))


@pytest.mark.endurance
@pytest.mark.timeout(1800)
def test_two_hundred_kills_of_a_gigabyte(hub: LoopbackHub, tmp_path: Path) -> None:
    content = tmp_path / "content.gguf"
    with content.open("wb") as file:
        for number in range(64):
            file.write(random.Random(number).randbytes(16 << 20))
    setting = Setting(hub, publish(hub, content), tmp_path / "models")
    hub.bytes_per_second = 100_000_000
    dice = random.Random(20261123)
    size = setting.file.size_bytes
    places = sorted(dice.randrange(1, size * 95 // 100) for _ in range(KILLS))
    kill_again_and_again(setting, places)


def test_end_of_stdin_stops_the_child_and_keeps_the_part(setting: Setting) -> None:
    setting.hub.bytes_per_second = 4_000_000
    worker = Worker(setting)
    wait_for_part(setting, 300_000, worker)
    assert worker.process.stdin is not None
    worker.process.stdin.close()
    assert worker.process.wait(5) == 0
    assert list(worker.messages())[-1]["type"] == "stopped"
    assert worker.process.stdout is not None
    worker.process.stdout.close()
    assert setting.place.part.stat().st_size >= 300_000


@pytest.mark.parametrize("line", [b"", b"\n", b"{}\n", b"[1]\n", b'{"type":"job"}\n', b"\xff\n"])
def test_no_usable_job(line: bytes) -> None:
    ran = subprocess.run(
        child_command(Door.DOWNLOAD_WORKER),
        input=line,
        env=child_environment(),
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == 2
    assert ran.stderr == b""


def test_two_of_the_same_file_wait_for_each_other(setting: Setting) -> None:
    setting.hub.bytes_per_second = 20_000_000
    first, second = Worker(setting), Worker(setting)
    answers = [list(worker.messages()) for worker in (first, second)]
    for worker in (first, second):
        worker.close()
    assert [messages[-1]["type"] for messages in answers] == ["done", "done"]
    assert setting.is_installed()
    assert len(setting.hub.bodies()) == 1
    assert any(m.get("reason") for m in answers[0] + answers[1] if m["type"] == "progress")


def test_errors_survive_the_wire() -> None:
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.OpenshelfError):
            error = kind()
            again = wire.failure_from(wire.decode(wire.encode(wire.failure_message(error))))
            assert (type(again), again.data()) == (type(error), error.data())
    strange = wire.failure_from({"type": "failed", "kind": "os", "data": 5})
    assert isinstance(strange, NetworkFailure)


def test_progress_survives_the_wire() -> None:
    progress = Progress(1, None, "waiting", 2.5, Reason("waiting_http", {"why": "http_503"}))
    assert wire.progress_from(wire.decode(wire.encode(wire.progress_message(progress)))) == progress
