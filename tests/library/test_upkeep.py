"""Verifying by a schedule: what is due, one at a time, never beside anything else."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from openshelf.library.low_priority import lower_priority
from openshelf.library.store import Library
from openshelf.library.upkeep import Upkeep, UpkeepState, due_files
from openshelf.tasks import CancelToken
from tests.library.test_store import Place, place_file, register

LATER = datetime.now(UTC) + timedelta(days=8)


class Setting:
    def __init__(self, folder: Path) -> None:
        self.models = folder / "models"
        self.library = Library(folder / "data" / "library.sqlite3", self.models)
        self.schedule, self.now, self.busy = "weekly", LATER, [False]
        self.upkeep = Upkeep(self.library, lambda: self.schedule, self._is_busy, lambda: self.now)
        self.heard: list[UpkeepState] = []
        self.upkeep.announcer.subscribe(self.heard.append)

    def _is_busy(self) -> bool:
        return self.busy.pop(0) if len(self.busy) > 1 else self.busy[0]

    def put(self, name: str) -> Place:
        place = place_file(self.models, f"{name}.gguf", name.encode() * 1000)
        register(self.library, place, name=name)
        return place


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    made = Setting(tmp_path)
    yield made
    made.upkeep.close()
    made.library.close()


def test_what_is_due_the_oldest_first(setting: Setting) -> None:
    for name in ("a", "b"):
        setting.put(name)
    setting.put("gone").blob.unlink()
    models = setting.library.installed()
    now = datetime.now(UTC)
    assert due_files(models, "off", LATER) == ()
    assert due_files(models, "weekly", now) == ()
    assert due_files(models, "monthly", LATER) == ()
    due = due_files(models, "weekly", LATER)
    assert [file.path for _, file in due] == ["a.gguf", "b.gguf"]
    setting.library.verify(due[0][0].id, CancelToken(), lambda progress: None)
    later = datetime.now(UTC) + timedelta(days=31)
    assert {file.path for _, file in due_files(models, "monthly", later)} == {"a.gguf", "b.gguf"}


def test_one_round_verifies_what_is_due_and_keeps_the_date(setting: Setting) -> None:
    place = setting.put("a")
    setting.put("b")
    before = place.blob.stat()
    place.blob.write_bytes(b"x" * 1000)
    os.utime(place.blob, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert setting.upkeep.look() == 2
    last = setting.heard[-1]
    assert (last.is_running, last.verified, last.damaged) == (False, 1, ("a",))
    assert {state.path for state in setting.heard if state.is_running} == {"a.gguf", "b.gguf"}
    assert setting.library.find("a@").damaged is not None
    assert setting.upkeep.look() == 0, "the damaged one is known, the other was read today"


def test_nothing_runs_beside_anything_else(setting: Setting) -> None:
    setting.put("a")
    setting.busy = [True]
    assert setting.upkeep.look() == 0
    setting.schedule, setting.busy = "off", [False]
    assert setting.upkeep.look() == 0
    assert setting.heard == []


def test_it_steps_aside_with_the_file_half_read(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openshelf.library.upkeep._QUIET_SECONDS", 0.001)
    setting.put("a")
    setting.busy = [False, True, True, True, False]
    assert setting.upkeep.look() == 1
    assert [state.waits for state in setting.heard] == [False, True, False, False]


def test_stopped_for_a_day(setting: Setting) -> None:
    setting.put("a")
    setting.put("b")
    setting.upkeep.announcer.subscribe(
        lambda state: setting.upkeep.stop() if state.is_running else None
    )
    assert setting.upkeep.look() == 0
    assert not setting.heard[-1].is_running
    setting.now += timedelta(hours=23)
    assert setting.upkeep.look() == 0
    assert len([state for state in setting.heard if state.is_running]) == 1


def test_a_file_that_cannot_be_read_is_tried_once_a_day(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openshelf.errors import UsageError
    from openshelf.library import verifying

    def refuse(*_: object, **__: object) -> str:
        raise UsageError("cannot be read")

    setting.put("a")
    monkeypatch.setattr(verifying, "sha256_of_file", refuse)
    assert setting.upkeep.look() == 1
    assert setting.upkeep.look() == 0
    setting.now += timedelta(hours=25)
    assert setting.upkeep.look() == 1
    assert setting.library.find("a@").damaged is None


def test_a_model_is_as_old_as_its_oldest_file(setting: Setting) -> None:
    first = place_file(setting.models, "a.gguf", b"a" * 10)
    second = place_file(setting.models, "b.gguf", b"b" * 10)
    model = register(setting.library, first, second)
    with setting.library._database.writing() as connection:
        connection.execute("UPDATE files SET verified_at = '2020-01-01T00:00:00Z'")
    check = setting.library.verify_file(model.id, "a.gguf", CancelToken(), lambda progress: None)
    assert check.model.verified_at == "2020-01-01T00:00:00Z"
    assert check.model.files[0].verified_at != check.model.files[1].verified_at


def test_its_thread_ends_when_it_is_told_to(setting: Setting) -> None:
    setting.upkeep.start()
    thread = setting.upkeep._thread
    assert thread is not None
    setting.upkeep.close()
    assert not thread.is_alive()


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="no priorities of threads here")
def test_priority_is_that_of_the_thread_alone() -> None:
    found: list[int] = []

    def ask() -> None:
        lower_priority()
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    after = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert (found, after) == ([19], before)
