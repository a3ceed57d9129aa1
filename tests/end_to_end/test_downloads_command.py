"""`openshelf downloads` in one terminal, about what another one runs or was killed at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.test_command_line import CommandLine
from tests.fakes.hub.loopback import LoopbackHub
from tests.hub.downloading import some_bytes

REPO = "ada/Slow-GGUF"
SIZE = 3_000_000


def wait_for_bytes(hub: LoopbackHub, count: int) -> None:
    deadline = time.monotonic() + 60
    while hub.sent_bytes < count and time.monotonic() < deadline:
        hub.stopping.wait(0.05)
    assert hub.sent_bytes >= count


@pytest.mark.skipif(sys.platform == "win32", reason="kills with a signal")
def test_killed_listed_resumed_and_cancelled(tmp_path: Path) -> None:
    command_line = CommandLine(tmp_path / "home")
    assert command_line.json("downloads") == {"downloads": []}
    assert command_line.json("downloads", "pause", code=2)["error"]["code"] == "usage"
    assert command_line.json("downloads", "pause", "x", code=4)["error"]["code"] == "not_found"
    with LoopbackHub() as hub:
        hub.add_repo(REPO, {"Slow-Q4_K_M.gguf": some_bytes(SIZE)}, card={"license": "mit"})
        hub.bytes_per_second = 400_000
        command_line.set_variable("HF_ENDPOINT", hub.endpoint)
        running = install(command_line)
        wait_for_bytes(hub, 100_000)
        (listed,) = command_line.json("downloads")["downloads"]
        assert (listed["state"], listed["target"]) == ("running", REPO)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        killed = command_line.json("downloads", "pause", listed["id"])
        assert killed["state"] == "paused"
        assert 0 < killed["done_bytes"] < SIZE
        hub.bytes_per_second = 0
        done = command_line.json("downloads", "resume", listed["id"])
        assert done["resumed_from_bytes"] >= killed["done_bytes"]
        assert hub.bodies()[-1].range_start == done["resumed_from_bytes"]
        assert Path(done["path"]).stat().st_size == SIZE
        assert done["acceptance"]["record_id"]
        assert command_line.json("downloads") == {"downloads": []}
        assert command_line.json("remove", done["id"])["freed_bytes"] == SIZE

        hub.bytes_per_second = 400_000
        running = install(command_line)
        wait_for_bytes(hub, hub.sent_bytes + 100_000)
        assert command_line.json("downloads", "cancel", REPO)["state"] == "cancelled"
        assert running.wait(30) == 130
        assert command_line.json("downloads") == {"downloads": []}
        left = [p for p in (tmp_path / "home" / "models").rglob("*") if p.suffix == ".part"]
        assert left == []


def install(command_line: CommandLine) -> subprocess.Popen[Any]:
    return subprocess.Popen(
        [sys.executable, "-m", "openshelf", "install", REPO, "--accept", "--json"],
        env=command_line._environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
