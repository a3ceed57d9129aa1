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
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from openshelf.errors import CorruptModel, NotEnoughDisk
from openshelf.hardware.facts import Machine
from openshelf.reasons import Reason
from openshelf.shelf.rows import Shelf, ShelfQuestion
from openshelf.ui.pages.hardware import ROOM_FOR_TWO, HardwarePage
from openshelf.ui.pages.hardware_editor import ValueEditor
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.chip import Chip
from openshelf.ui.widgets.machine_list import MachineList
from openshelf.ui.widgets.tick import TickBox
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
        if not question.all_variants:  # those are asked for the longest context
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
    assert chips == ["used by the engine", "seen, not used", "used by the engine: 7 threads"]


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
    assert rows[0][:4] == ["Qwen3", "Qwen3-14B · Q3_K_M", "all on GPU", "19–23 tok/s"]
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
    page.what_if.add_button.click()
    chooser = page.findChild(MachineList)
    assert first in chooser.names
    assert "RTX 3090 24 GB + 64 GB" in chooser.names
    qtbot.keyClicks(chooser.search, first)
    assert chooser.names[0] == first
    qtbot.keyClick(chooser.search, Qt.Key.Key_Return)
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


def editor_of(page: HardwarePage, part: str) -> ValueEditor:
    page.found.open_editor(part)
    assert page.found.editor is not None
    return page.found.editor


def type_into(editor: ValueEditor, field: str, text: str) -> None:
    line = editor.field(field)
    assert isinstance(line, QLineEdit)
    line.setText(text)


def test_a_value_by_hand_is_in_force_shown_kept_and_reset(
    qtbot: QtBot, make_page: Callable[..., HardwarePage]
) -> None:
    page = make_page()
    part = example_machine().gpus[0].id
    editor = editor_of(page, part)
    assert QApplication.focusWidget() is None or editor.isAncestorOf(QApplication.focusWidget())
    type_into(editor, "free_bytes", "5 GiB")
    with qtbot.waitSignal(page.machine_found) as told:
        editor.apply_button.click()
    assert told.args[0].gpus[0].free_bytes == 5 << 30
    assert page.found.editor is None
    qtbot.waitUntil(lambda: "5.0 GiB free (set by hand)" in words(page.found))
    assert page._services.settings.current.hardware == {part: {"free_bytes": 5 << 30}}

    editor = editor_of(page, part)
    qtbot.waitUntil(lambda: "set by hand; found: 7.1 GiB" in words(editor))
    reset = next(b for b in editor.findChildren(QPushButton) if b.text() == "Reset")
    assert reset.accessibleName() == "Reset Free"
    reset.click()
    qtbot.waitUntil(lambda: "7.1 GiB free" in words(page.found))
    qtbot.waitUntil(lambda: "set by hand" not in words(page.found))
    assert page._services.settings.current.hardware == {}


def test_a_bad_value_is_refused_with_a_sentence_and_nothing_is_kept(
    qtbot: QtBot,
    make_page: Callable[..., HardwarePage],
) -> None:
    page = make_page()
    editor = editor_of(page, example_machine().gpus[0].id)
    type_into(editor, "free_bytes", "5 GiB")
    type_into(editor, "total_bytes", "80 GiB")
    editor.apply_button.click()
    qtbot.waitUntil(editor.problem.isVisible)
    assert editor.problem.text() == "Memory: There are only 8.0 GiB built in, so it cannot be more."
    type_into(editor, "total_bytes", "a lot")
    editor.apply_button.click()
    assert "is not a size" in editor.problem.text()
    assert page.found.editor is editor
    assert page._services.settings.current.hardware == {}


def test_a_gpu_is_left_out_by_hand(qtbot: QtBot, make_page: Callable[..., HardwarePage]) -> None:
    page = make_page()
    editor = editor_of(page, example_machine().gpus[0].id)
    tick = editor.field("usable_by_engine")
    assert isinstance(tick, TickBox)
    assert tick.isChecked()
    tick.click()
    editor.apply_button.click()
    qtbot.waitUntil(lambda: "Left out by hand" in words(page.found))
    # The one that the engine cannot use cannot be taken in.
    assert not editor_of(page, example_machine().gpus[1].id).field("usable_by_engine").isEnabled()


def test_an_open_editor_is_not_swept_away_by_a_new_look(
    qtbot: QtBot, make_page: Callable[..., HardwarePage]
) -> None:
    page = make_page()
    editor = editor_of(page, "memory")
    type_into(editor, "available_bytes", "9 GiB")
    memory = replace(example_machine().memory, available_bytes=11 << 30)
    page.set_machine(replace(example_machine(), memory=memory))
    assert page.found.editor is editor
    qtbot.keyClick(editor.field("available_bytes"), Qt.Key.Key_Escape)
    assert page.found.editor is None
    qtbot.waitUntil(lambda: "11.0 GiB free" in words(page.found))


def test_enter_in_a_field_uses_it(qtbot: QtBot, make_page: Callable[..., HardwarePage]) -> None:
    page = make_page()
    editor = editor_of(page, "cpu")
    type_into(editor, "physical_cores", "4")
    qtbot.keyClick(editor.field("physical_cores"), Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "4 cores (set by hand)" in words(page.found))


def test_a_setting_that_cannot_be_written_is_in_force_all_the_same(
    qtbot: QtBot, make_page: Callable[..., HardwarePage]
) -> None:
    page = make_page()
    page._services.settings.failure = NotEnoughDisk("/x", 1, 0)  # type: ignore[attr-defined]
    editor = editor_of(page, "cpu")
    type_into(editor, "physical_cores", "4")
    editor.apply_button.click()
    qtbot.waitUntil(page.notice.isVisible)
    qtbot.waitUntil(lambda: "4 cores (set by hand)" in words(page.found))


def test_how_to_enable_names_a_build_for_this_gpu(
    qtbot: QtBot, make_page: Callable[..., HardwarePage]
) -> None:
    machine = example_machine()
    lacking = Reason(
        "engine_without_backend",
        {"name": "AMD Radeon 780M", "wanted": ["ROCm", "Vulkan"], "backends": ["CUDA"]},
    )
    second = replace(machine.gpus[1], reason=lacking)
    page = make_page(replace(machine, gpus=(machine.gpus[0], second)))
    link = next(b for b in page.found.findChildren(QPushButton) if b.text() == "How to enable")
    link.click()
    qtbot.waitUntil(lambda: "-DGGML_VULKAN=on" in words(page.found))
    qtbot.waitUntil(lambda: "-DGGML_HIP=on" in words(page.found))
    link.click()
    qtbot.waitUntil(lambda: "-DGGML_VULKAN=on" not in words(page.found))


def test_what_fits_another_machine(
    qtbot: QtBot, make_page: Callable[..., HardwarePage], asked: list[tuple[str, int]]
) -> None:
    page = make_page()
    qtbot.waitUntil(lambda: bool(page.fits.table.rows))
    page.fits.machine_button.click()
    chooser = page.findChild(MachineList)
    qtbot.keyClicks(chooser.search, "2x rtx 3090 + 128")
    assert chooser.names == ["2× RTX 3090 24 GB + 128 GB"]
    qtbot.keyClick(chooser.search, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: asked[-1][0].startswith("2×"))
    assert asked[-1] == ("2× RTX 3090 24 GB + 128 GB", 8192)
    assert page.fits.machine_button.text() == "2× RTX 3090 24 GB + 128 GB ▾"
    assert len(page.what_if.table.rows[0]) == 4
    page.show_fits_of("")
    assert page.fits.machine_button.text() == "This machine ▾"


def test_the_chooser_filters_by_words_and_moves_by_arrows(
    qtbot: QtBot, make_page: Callable[..., HardwarePage]
) -> None:
    page = make_page()
    qtbot.waitUntil(lambda: bool(page.fits.table.rows))
    page.what_if.add_button.click()
    chooser = page.findChild(MachineList)
    assert len(chooser.names) > 150
    qtbot.keyClicks(chooser.search, "amd 24 gb")
    assert chooser.names == ["RX 7900 XTX 24 GB + 64 GB"]
    chooser.search.setText("4090")
    assert len(chooser.names) == 2
    qtbot.keyClick(chooser.search, Qt.Key.Key_Down)
    qtbot.keyClick(chooser.search, Qt.Key.Key_Return)
    assert page._compared[-1].name == "RTX 4090 Laptop 16 GB + 64 GB"
    page.what_if.add_button.click()
    last = page.findChildren(MachineList)[-1]
    last.search.setText("no such machine")
    assert last.names == []
    assert last.none_line.isVisible()
    qtbot.keyClick(last.search, Qt.Key.Key_Return)
    assert last.isVisible()
    last.close()


def test_the_longest_context_is_the_last_one_that_fits(
    qtbot: QtBot, make_page: Callable[..., HardwarePage]
) -> None:
    lengths: list[int] = []

    def shelf(machine: Machine, question: ShelfQuestion) -> Shelf:
        found = example_shelf(machine, question)
        if not question.all_variants:
            return found
        lengths.append(question.context_length)
        rows = []
        for row in found.rows:
            best = row.recommended
            if best is not None and row.family.name == "Qwen3" and question.context_length > 32768:
                rows.append(replace(row, recommended=None, nearest=None))
            elif best is not None:
                used = min(question.context_length, 65536)
                fit = replace(best.fit, context_length_used=used)
                rows.append(replace(row, recommended=replace(best, fit=fit)))
        return replace(found, rows=tuple(rows))

    page = make_page(shelf=shelf)
    qtbot.waitUntil(lambda: bool(page.fits.table.rows) and page.fits.table.rows[0][4].text != "…")
    longest = {row[0].text: row[4].text for row in page.fits.table.rows}
    assert longest["Qwen3"] == "32K"
    assert longest["Llama 3.2"] == "64K"
    # Nobody grows beyond 64K, so the last length is not tried any more.
    assert lengths == [16384, 32768, 65536, 131072]
