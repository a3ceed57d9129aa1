"""What is gone after an unload, and what never was: memory, and sockets that anybody could reach.

The ordinary run takes the small models; `-m endurance` the real one, ten times.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openshelf.engine.process import Engine
from openshelf.engine.protocol import ChatMessage, Plan, Sampling
from openshelf.tasks import CancelToken, Progress
from tests.engine.own_sockets import listening_sockets
from tests.fakes.engine import clearance_for, load_order, model_file
from tests.fakes.tiny_model import write_recurrent_model, write_sliding_window_model

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc")

MOST_LEFT_BYTES = 30_000_000
QUESTION = (ChatMessage("user", "Tell me of a lighthouse."),)
ROUNDS = 10


def resident_bytes(pid: int) -> int:
    """With the file's pages that are mapped: all that the process holds."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


class States:
    """Runs an engine through all that it does, and looks at the sockets in each state."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.seen: dict[str, list[str]] = {}

    def look(self, state: str) -> None:
        self.seen[state] = listening_sockets()

    def go_round(self, path: Path, context_length: int = 2048) -> int:
        """Load, answer, unload; bytes that the worker has more than before."""
        file = model_file(str(path), path.stat().st_size)
        order = load_order(file, plan=Plan(context_length, n_threads=1))
        self.engine.devices()
        before = resident_bytes(self.engine.pid)
        self.look("started")

        def on_load(progress: Progress) -> None:
            self.look("loading")

        def on_prompt(progress: Progress) -> None:
            self.look("reading the prompt")

        self.engine.load(clearance_for(file), order, CancelToken(), on_load)
        self.look("loaded")
        loaded = resident_bytes(self.engine.pid) - before
        sampling = Sampling(temperature=0, max_tokens=24)
        self.engine.chat(
            QUESTION, sampling, CancelToken(), lambda text, count: self.look("answering"), on_prompt
        )
        self.engine.unload()
        self.look("unloaded")
        left = resident_bytes(self.engine.pid) - before
        print(f"{path.name}: {loaded / 1e6:.1f} MB loaded, {left / 1e6:+.1f} MB left")  # noqa: T201
        return left


@pytest.fixture
def states() -> Iterator[States]:
    states = States()
    yield states
    states.engine.close()


@pytest.mark.parametrize("write", [write_sliding_window_model, write_recurrent_model])
def test_memory_is_given_back_and_nothing_listens(
    states: States, tmp_path: Path, write: object
) -> None:
    path = tmp_path / "m.gguf"
    write(path)  # type: ignore[operator]
    first = states.go_round(path)
    assert first < MOST_LEFT_BYTES
    assert states.go_round(path) < MOST_LEFT_BYTES
    states.engine.close()
    states.look("closed")
    assert len(states.seen) == 7
    assert not any(states.seen.values())


@pytest.mark.model
def test_memory_of_the_real_model_is_given_back(states: States, starter_model: Path) -> None:
    assert states.go_round(starter_model) < MOST_LEFT_BYTES
    assert not any(states.seen.values())


@pytest.mark.model
@pytest.mark.endurance
def test_memory_is_given_back_ten_times(states: States, starter_model: Path) -> None:
    left = [states.go_round(starter_model, 8192) for _ in range(ROUNDS)]
    assert max(left) < MOST_LEFT_BYTES
    assert sum(left) < MOST_LEFT_BYTES, "a little each time is a leak"
    assert not any(states.seen.values())


def test_a_socket_that_listens_is_seen() -> None:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        assert listening_sockets() == []
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(("127.0.0.1", 0))
        assert len(listening_sockets()) == 2
