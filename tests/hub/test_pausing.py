"""Pause at any moment: nothing is on the wire a second later, and what has arrived stays."""

from __future__ import annotations

import os
import random
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from openshelf.errors import CancelledByUser
from openshelf.hub.fetching import FetchRequest, fetch
from openshelf.network import NetworkOptions
from openshelf.tasks import CancelToken, no_report
from tests.fakes.hub.loopback import LoopbackHub
from tests.hub.downloading import Setting, cleared, publish, some_bytes

SIZE = 40_000_000
RATE = 8_000_000
PAUSES = int(os.environ.get("PAUSES", "60"))


@dataclass(frozen=True)
class Pause:
    """Seconds from the pause to the last byte and to the end; bytes that came after a second."""

    quiet_after: float
    ended_after: float
    late_bytes: int

    def __str__(self) -> str:
        return f"{self.quiet_after:.2f} s to the last byte, {self.ended_after:.2f} s to the end"


def pause_at(setting: Setting, sent: int, delay: float) -> Pause:
    """Let it run until the storage has sent that much (0: until the Hub is asked), and a little."""
    hub, cancel = setting.hub, CancelToken()
    before, asked = hub.sent_bytes, len(hub.requests)
    ended: list[float] = []

    def run() -> None:
        options = NetworkOptions(endpoint=hub.endpoint)
        request = FetchRequest(setting.file, setting.models, options, "")
        with pytest.raises(CancelledByUser):
            fetch(request, cleared(setting.file), cancel, no_report)
        ended.append(time.monotonic())

    worker = threading.Thread(target=run)
    worker.start()
    while hub.sent_bytes - before < sent or len(hub.requests) == asked:
        hub.stopping.wait(0.005)
    hub.stopping.wait(delay)
    paused = last = time.monotonic()
    cancel.cancel()
    count = at_one = hub.sent_bytes
    while (now := time.monotonic()) < paused + 2.0:
        if hub.sent_bytes != count:
            count, last = hub.sent_bytes, now
        if now <= paused + 1.0:
            at_one = count
        hub.stopping.wait(0.005)
    worker.join()
    return Pause(last - paused, ended[0] - paused, count - at_one)


def pauses(setting: Setting, count: int) -> list[Pause]:
    dice, found = random.Random(20261126), []
    setting.hub.bytes_per_second = RATE
    for number in range(count):
        sent = 0 if number % 5 == 0 else dice.randrange(1, RATE // 2)
        setting.hub.latency_seconds = 0.5 if number % 7 == 0 else 0.0
        found.append(pause_at(setting, sent, dice.random() * 0.1))
        length = setting.place.part.stat().st_size if setting.place.part.exists() else 0
        if length > SIZE - RATE:
            setting.place.part.unlink()
    return found


@pytest.fixture
def setting(hub: LoopbackHub, tmp_path: Path) -> Setting:
    return Setting(hub, publish(hub, some_bytes(SIZE)), tmp_path / "models")


def test_a_few_moments(setting: Setting) -> None:
    assert [each.late_bytes for each in pauses(setting, 4)] == [0] * 4


@pytest.mark.endurance
@pytest.mark.timeout(1800)
def test_many_moments(setting: Setting) -> None:
    found = pauses(setting, PAUSES)
    late = [each for each in found if each.late_bytes]
    slowest = max(found, key=lambda each: each.quiet_after)
    print(f"\n{len(found)} pauses, {len(late)} with bytes after a second; slowest: {slowest}")  # noqa: T201
    assert late == []
