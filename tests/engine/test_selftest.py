"""Whether the CPU's fast multiplications work is found out in a child, whatever happens to it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from openshelf.engine import worker_selftest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@pytest.fixture
def named_amx(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that says it uses AMX, whatever this machine has."""
    monkeypatch.setattr(
        worker_selftest.lib, "llama_print_system_info", lambda: b"CPU : AMX_INT8 = 1 | "
    )
    worker_selftest.extra_buffers_work.cache_clear()


def _illegal() -> bool:
    os.kill(os.getpid(), signal.SIGILL)
    return True


def _forever() -> bool:
    signal.pause()
    return True


@pytest.mark.parametrize(
    ("multiply", "works"),
    [(lambda: True, True), (lambda: False, False), (_illegal, False), (_forever, False)],
    ids=["works", "refused", "illegal instruction", "hangs"],
)
@pytest.mark.usefixtures("named_amx")
def test_a_child_tries_it(
    multiply: Callable[[], bool], works: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_selftest, "_multiply", multiply)
    monkeypatch.setattr(worker_selftest, "_LONGEST_SECONDS", 5.0 if works else 0.3)
    assert worker_selftest.extra_buffers_work() is works
    worker_selftest.extra_buffers_work.cache_clear()


def test_without_amx_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_selftest.lib, "llama_print_system_info", lambda: b"CPU : AVX2 = 1")
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("forked"))
    worker_selftest.extra_buffers_work.cache_clear()
    assert worker_selftest.extra_buffers_work()
    worker_selftest.extra_buffers_work.cache_clear()
