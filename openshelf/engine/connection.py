"""The parent's end of one worker process: lines out, events in, and its end in every form.

A connection lives as long as its process and is never reused; `process.py` starts the next one.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import openshelf
from openshelf.children import child_environment
from openshelf.engine.protocol import (
    ENGINE_FOLDER,
    MAX_EVENT_BYTES,
    MAX_LINE_BYTES,
    PROTOCOL_VERSION,
    Event,
    Hello,
    Ping,
    ProtocolError,
    Request,
    Stop,
    decode,
    encode,
)
from openshelf.engine.refusals import cause_of_death
from openshelf.errors import ContextFull, EngineDied, EngineFailed

TAIL_BYTES = 8 * 1024
log = logging.getLogger(__name__)

HELLO_SECONDS = 20.0
PING_AFTER_SECONDS = 5.0
HUNG_AFTER_SECONDS = 30.0
# The stop ladder: how long each step may take before the next.
STOP_SECONDS = 1.0
CLOSE_SECONDS = 1.0
TERMINATE_SECONDS = 2.0

_WINDOWS_STATUS = {
    0xC0000005: "ACCESS_VIOLATION",
    0xC000001D: "ILLEGAL_INSTRUCTION",
    0xC0000409: "ABORT",
    0xC00000FD: "STACK_OVERFLOW",
}


def worker_environment() -> dict[str, str]:
    """Scrubbed, and without the debugger that ggml would start over its own body."""
    return child_environment({"GGML_NO_BACKTRACE": "1"})


@dataclass(eq=False)
class Call:
    """One request under way. Its events come in order; EngineDied is the last one of all calls."""

    id: int
    events: queue.SimpleQueue[Event | EngineDied | None] = field(default_factory=queue.SimpleQueue)


class Connection:
    """A worker process. `request` and `stop` may be called from any thread."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the process and wait for its hello. Raises EngineFailed or EngineDied."""
        self._command = list(command)
        self._environment = dict(environment)
        self.engine_folder = self._environment.get(ENGINE_FOLDER, "")
        self._process: subprocess.Popen[bytes] | None = None
        self._ids = itertools.count(1)
        self._calls: dict[int, Call] = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._tail = bytearray()
        self._told = self._told_before = 0
        self._hello: queue.SimpleQueue[Hello | EngineDied | OSError] = queue.SimpleQueue()
        self._death: EngineDied | None = None
        self._ended = threading.Event()
        self._last_heard = time.monotonic()
        self._is_hung = False
        self.during = "start"
        self._path = ""
        # The thread that starts the process reads from it as well: Linux sends the parent-death
        # signal when the *thread* that forked ends, not the process.
        self._reader = threading.Thread(target=self._run, name="engine-reader", daemon=True)
        self._reader.start()
        self._check_hello()

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    @property
    def is_alive(self) -> bool:
        return not self._ended.is_set()

    def _check_hello(self) -> None:
        try:
            hello = self._hello.get(timeout=HELLO_SECONDS)
        except queue.Empty:
            self.end()
            raise EngineFailed("no_hello", tail=self.tail()) from None
        if isinstance(hello, OSError):
            self._reader.join()
            raise EngineFailed("start_failed", hello.strerror or str(hello)) from hello
        if isinstance(hello, EngineDied):
            self.end()
            raise hello
        own = (
            PROTOCOL_VERSION,
            openshelf.__version__,
            str(Path(openshelf.__file__).resolve().parent),
            self.engine_folder,
        )
        theirs = (
            hello.protocol, hello.package_version, hello.package_path, hello.engine_folder,
        )  # fmt: skip
        if theirs != own:
            self.end()
            raise EngineFailed("wrong_worker", f"{theirs} instead of {own}")
        self.during = ""

    def begin(self, during: str, path: str) -> None:
        """A job, and the model that it is about: the cause of a death is in what comes now."""
        self.during, self._path = during, path
        self._told_before = self._told

    # --- talking --------------------------------------------------------------------------------

    def request(self, make: Callable[[int], Request]) -> Call:
        """Send `make(id)`. Raises EngineDied where nobody reads it, ContextFull for a line that no
        worker takes."""
        call = Call(next(self._ids))
        line = encode(make(call.id))
        if len(line) > MAX_LINE_BYTES:
            raise ContextFull("too_large", f"{len(line) >> 20} MiB")
        with self._lock:
            if self._death is not None:
                raise _again(self._death)
            self._calls[call.id] = call
        self._write_line(line)
        return call

    def finish(self, call: Call) -> None:
        with self._lock:
            self._calls.pop(call.id, None)

    def stop(self, call: Call) -> None:
        """Ask for the end of `call`; it still ends with its own event."""
        self._write(Stop(next(self._ids), call.id))

    def wait(self, call: Call, seconds: float) -> Event | None:
        """The next event of `call`, None when the time is over. Raises EngineDied."""
        try:
            event = call.events.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return None
        if isinstance(event, EngineDied):
            raise _again(event)
        return event

    def look_after(self, since: float) -> None:
        """To be called while nothing comes (`since` a time.monotonic()): asks whether the worker
        lives, and ends one that hangs."""
        silent = time.monotonic() - max(self._last_heard, since)
        if silent > HUNG_AFTER_SECONDS:
            self._is_hung = True
            self._kill()
        elif silent > PING_AFTER_SECONDS:
            self._write(Ping(0))

    def _write(self, message: Request) -> None:
        self._write_line(encode(message))

    def _write_line(self, line: bytes) -> None:
        process = self._process
        if process is None or process.stdin is None:
            return
        # A broken pipe is no news: the reader tells every call how the process ended.
        with self._writing, contextlib.suppress(OSError, ValueError):
            process.stdin.write(line)
            process.stdin.flush()

    # --- reading --------------------------------------------------------------------------------

    def _run(self) -> None:
        """The reader thread: start, read to the end, bury."""
        try:
            self._process = self._spawn()
        except OSError as error:
            self._ended.set()
            self._hello.put(error)
            return
        process = self._process
        assert process.stdout is not None  # noqa: S101 (started with pipes)
        assert process.stderr is not None  # noqa: S101
        errors = threading.Thread(
            target=self._read_errors, args=(process.stderr,), name="engine-stderr", daemon=True
        )
        errors.start()
        fault = self._read_events(process.stdout)
        self._bury(process, errors, fault)

    def _spawn(self) -> subprocess.Popen[bytes]:
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        return subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            cwd=Path(sys.executable).anchor or None,
            start_new_session=os.name == "posix",
            creationflags=flags,
        )

    def _read_errors(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            while chunk := os.read(stream.fileno(), 4096):
                self._tail += chunk
                self._told += len(chunk)
                del self._tail[:-TAIL_BYTES]

    def _read_events(self, stream: IO[bytes]) -> str:
        """Until the end; returns what was wrong with the last line, if anything."""
        try:
            while line := stream.readline(MAX_EVENT_BYTES + 1):
                self._last_heard = time.monotonic()
                if len(line) > MAX_EVENT_BYTES:
                    raise ProtocolError(f"a line of more than {MAX_EVENT_BYTES} bytes")
                self._deliver(decode(line))
        except ProtocolError as error:
            return f"The engine sent something that is no message: {error}"
        except (OSError, ValueError):
            pass
        return ""

    def _deliver(self, event: object) -> None:
        if isinstance(event, Hello):
            self._hello.put(event)
        elif isinstance(event, Event):
            with self._lock:
                call = self._calls.get(event.id)
            if call is not None:
                call.events.put(event)

    def _bury(self, process: subprocess.Popen[bytes], errors: threading.Thread, fault: str) -> None:
        if fault:
            process.kill()
        try:
            status = process.wait(TERMINATE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        errors.join(1.0)
        if fault:
            self._tail += f"\n{fault}".encode()
        name, tail = signal_name(status), self.tail()
        own = self._tail[-max(1, self._told - self._told_before) :].decode("utf-8", "replace")
        why = "hung" if self._is_hung else cause_of_death(name, own, about_file=bool(self._path))
        death = EngineDied(status, name, self.during, tail, why, self._path)
        if status:
            log.info("the engine ended: %s", death)
        with self._lock:
            self._death = death
            calls = list(self._calls.values())
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        self._ended.set()
        self._hello.put(death)
        for call in calls:
            call.events.put(death)

    def tail(self) -> str:
        """The end of stderr; it may name files and says nothing trustworthy."""
        return self._tail[-TAIL_BYTES:].decode("utf-8", "replace").strip()

    # --- ending ---------------------------------------------------------------------------------

    def end(self, call: Call | None = None) -> None:
        """The stop ladder: stop → close stdin → terminate → kill. Returns when it is gone."""
        if call is not None and self.is_alive:
            self.stop(call)
            self._ended.wait(STOP_SECONDS)
        for step, seconds in (
            (self._close_stdin, CLOSE_SECONDS),
            (self._terminate, TERMINATE_SECONDS),
            (self._kill, None),
        ):
            if self._ended.is_set():
                break
            step()
            self._ended.wait(seconds)
        self._reader.join()

    def _close_stdin(self) -> None:
        process = self._process
        # Whoever writes to a hung worker holds the lock until that is killed.
        if process is None or process.stdin is None or not self._writing.acquire(timeout=0.2):
            return
        try:
            with contextlib.suppress(OSError):
                process.stdin.close()
        finally:
            self._writing.release()

    def kill(self) -> None:
        """At once: it takes what it may not have. Returns when it is gone."""
        self._kill()
        self._ended.wait()
        self._reader.join()

    def _terminate(self) -> None:
        if self._process is not None:
            with contextlib.suppress(OSError):
                self._process.terminate()

    def _kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(OSError):
                self._process.kill()


def _again(death: EngineDied) -> EngineDied:
    """An exception of its own for each thread that raises it."""
    return EngineDied(**death.data())


def signal_name(status: int) -> str:
    """`-9` → `SIGKILL`; Windows' exceptions by their names; otherwise empty."""
    if status < 0:
        try:
            return signal.Signals(-status).name
        except ValueError:
            return f"signal {-status}"
    return _WINDOWS_STATUS.get(status, "")
