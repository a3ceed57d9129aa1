"""The hardware page over fake services: what was found in words, what fits, what would fit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from openshelf.errors import CorruptModel
from openshelf.hardware.facts import Machine
from openshelf.reasons import Reason
from openshelf.shelf.rows import Shelf, ShelfQuestion
from openshelf.ui.pages.hardware import ROOM_FOR_TWO, HardwarePage
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.chip import Chip
from tests.fakes.example_data import example_machine, example_shelf, plain_machine
from tests.fakes.services import fake_services


@pytest.fixture
def asked() -> list[tuple[str, int]]:
    """(machine, context) of each shelf that was asked for."""
    return []


@pytest.fixture
def make_page(
    tmp_path: Path, themed_app: QApplication, qtbot: QtBot, asked: list[tuple[str, int]]
) -> Iterator[Callable[..., HardwarePage]]:
    bridges: list[TaskBridge] = []

    def shelf(machine: Machine, question: ShelfQuestion) -> Shelf:
        asked.append((machine.name, question.context_length))
        return example_shelf(machine, question)

    def make(machine: Machine | None = None, **changes: Any) -> HardwarePage:
        services = fake_services(tmp_path, changes={"shelf": shelf, **changes})
        bridge = TaskBridge(services.runner)
        bridges.append(bridge)
        page = HardwarePage(services, bridge)
        page.resize(1172, 860)
        qtbot.addWidget(page)
        page.show()
        page.set_machine(machine or example_machine())
        page.open_page()
        return page

    yield make
    for bridge in bridges:
        bridge.close()
        bridge.deleteLater()


def words(page: QWidget) -> str:
    return "\n".join(label.text() for label in page.findChildren(QLabel) if label.isVisible())


def test_every_device_says_whether_the_engine_uses_it(
    qtbot: QtBot, make_page: Callable[..., HardwarePage]
) -> None:
    page = make_page()
    qtbot.waitUntil(lambda: "Engine" in words(page.found))
    text = words(page.found)
    for expected in (
        "NVIDIA GeForce RTX 4070 Laptop GPU", "8.0 GiB · 7.1 GiB free", "driver 580.95",
        "AMD Radeon 780M", "This engine build has no Vulkan", "8 cores · 16 threads · avx2",
        "21.4 GiB free · 3.2 GiB kept for you", "209 GB free of 512 GB", "llama.cpp 0.5.0-dev",
    ):  # fmt: skip
        assert expected in text
    chips = [chip.words for chip in page.found.findChildren(Chip)]
    assert chips == ["used by the engine", "seen, not used", "used by the engine"]


def test_what_could_not_be_found_out_is_said(
    qtbot: QtBot, make_page: Callable[..., HardwarePage]
) -> None:
    note = Reason("probe_too_slow", {"probe": "AMD GPUs", "seconds": 5})
    page = make_page(replace(plain_machine(), notes=(note,)))
    qtbot.waitUntil(lambda: "Engine" in words(page.found))
    text = words(page.found)
    assert "No GPU was found" in text
    assert "not asked yet" in text
    assert "Looking for AMD GPUs took longer" in text


def test_families_with_their_best_variant(
    qtbot: QtBot, make_page: Callable[..., HardwarePage]
) -> None:
    page = make_page()
    qtbot.waitUntil(lambda: bool(page.fits.table.rows))
    rows = [[cell.text for cell in row] for row in page.fits.table.rows]
    assert rows[0] == ["Qwen3", "Qwen3-14B · Q3_K_M", "all on GPU", "19–23 tok/s"]
    assert len(rows) == 4
    assert page.fits.none_line.text() == "Nothing fits of Llama 4 Scout."


def test_another_context_is_asked_for_on_every_machine(
    qtbot: QtBot, make_page: Callable[..., HardwarePage], asked: list[tuple[str, int]]
) -> None:
    page = make_page()
    qtbot.waitUntil(lambda: len(asked) == 3)
    segments = page.fits.context.findChildren(QWidget)
    next(s for s in segments if s.accessibleName().endswith("32K")).click()  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: page.fits.title.text() == "What fits at 32K context")
    assert asked[-3:] == [(name, 32768) for name, _ in asked[:3]]


def test_machines_are_added_and_taken_away(
    qtbot: QtBot, make_page: Callable[..., HardwarePage], asked: list[tuple[str, int]]
) -> None:
    page = make_page()
    table = page.what_if.table
    qtbot.waitUntil(lambda: bool(table.rows) and len(table.rows[0]) == 4)
    first = next(iter(page.what_if._buttons))
    page.what_if._buttons[first].click()
    qtbot.waitUntil(lambda: len(table.rows[0]) == 3)
    assert first not in table._headers
    action = next(a for a in page.what_if._menu.actions() if a.data() == first)
    action.trigger()
    qtbot.waitUntil(lambda: len(table.rows[0]) == 4)
    assert table._headers[-1] == first
    assert table.rows[0][1].text == "Qwen3-14B · Q3_K_M · 19–23 tok/s"


def test_looking_again_asks_hardware_and_engine(
    qtbot: QtBot, make_page: Callable[..., HardwarePage]
) -> None:
    seen: list[str] = []

    def detect(*_: object) -> Machine:
        seen.append("hardware")
        return plain_machine()

    def facts(machine: Machine) -> Machine:
        seen.append("engine")
        return machine

    page = make_page(detect_machine=detect, engine_facts=facts)
    page.look_button.click()
    qtbot.waitUntil(lambda: "AMD EPYC 7B13" in words(page.found))
    assert seen == ["hardware", "engine"]
    assert page.look_button.isEnabled()


def test_an_engine_that_was_never_asked_is_asked_once(
    qtbot: QtBot, make_page: Callable[..., HardwarePage]
) -> None:
    asked: list[Machine] = []
    build = example_machine().engine

    def facts(machine: Machine) -> Machine:
        asked.append(machine)
        return replace(machine, engine=build)

    page = make_page(plain_machine(), engine_facts=facts)
    with qtbot.waitSignal(page.machine_found) as told:
        pass
    assert told.args[0].engine == build
    assert build is not None
    qtbot.waitUntil(lambda: build.version in words(page.found))
    assert "not asked yet" not in words(page.found)
    page.open_page()
    qtbot.wait(20)
    assert asked == [plain_machine()]


def test_an_engine_that_stays_silent_is_not_asked_each_time(
    qtbot: QtBot, make_page: Callable[..., HardwarePage]
) -> None:
    asked: list[Machine] = []

    def facts(machine: Machine) -> Machine:
        asked.append(machine)
        note = Reason("engine_silent", {"detail": "it hung"})
        return replace(machine, notes=(*machine.notes, note))

    page = make_page(plain_machine(), engine_facts=facts)
    qtbot.waitUntil(lambda: "it hung" in words(page.found))
    page.open_page()
    qtbot.wait(20)
    assert len(asked) == 1


def test_a_shelf_that_fails_is_said_and_tried_again(
    qtbot: QtBot, make_page: Callable[..., HardwarePage]
) -> None:
    def fail(*_: object) -> Shelf:
        raise CorruptModel("catalog", "short", "")

    page = make_page(shelf=fail)
    qtbot.waitUntil(page.notice.isVisible)
    assert "catalog" in page.notice.text.text()
    assert page.notice.button.text() == "Try again"


def test_report_is_the_machine_as_json(make_page: Callable[..., HardwarePage]) -> None:
    page = make_page()
    page.copy_button.click()
    report = json.loads(QGuiApplication.clipboard().text())
    assert report["cpu"]["name"] == "AMD Ryzen 7 7840HS"
    assert report["gpus"][1]["usable_by_engine"] is False


def test_cards_stand_below_each_other_where_it_is_narrow(
    qtbot: QtBot, make_page: Callable[..., HardwarePage]
) -> None:
    page = make_page()
    page.resize(ROOM_FOR_TWO - 100, 800)
    qtbot.waitUntil(lambda: page.fits.y() > page.found.y())
    page.resize(ROOM_FOR_TWO + 100, 800)
    qtbot.waitUntil(lambda: page.fits.y() == page.found.y())


def test_everything_that_takes_the_focus_has_a_name(
    qtbot: QtBot, make_page: Callable[..., HardwarePage]
) -> None:
    page = make_page()
    qtbot.waitUntil(lambda: bool(page.fits.table.rows))
    nameless = [
        widget
        for widget in page.findChildren(QWidget)
        if widget.isVisible()
        and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not widget.accessibleName()
    ]
    assert nameless == []
