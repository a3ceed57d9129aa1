"""The Model screen over a fake look-up: rows, controls, the checks of one build."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from openshelf.errors import EngineFailed
from openshelf.fit.memory import FitRequest
from openshelf.fit.verdict import Fit
from openshelf.hardware.facts import Gpu, GpuKind, Machine
from openshelf.hardware.profiles import find_machine, load_profiles
from openshelf.shelf.builds import Build, ModelListing
from openshelf.tasks import CancelToken, PoolTaskRunner, Report
from openshelf.ui.main_window import MainWindow
from openshelf.ui.models.model_memory import kept_in, pool_parts
from openshelf.ui.models.model_table import BuildColumn
from openshelf.ui.models.model_words import Basis, basis_of
from openshelf.ui.pages.model import ModelPage
from openshelf.ui.places import Place
from openshelf.ui.widgets import Chip, TextLabel
from openshelf.ui.widgets.machine_list import MachineList
from tests.fakes.example_data import example_machine, plain_machine
from tests.fakes.example_models import (
    FakeModels,
)
from tests.fakes.services import fake_services

Q8 = "Qwen/Qwen3-14B-GGUF:Q8_0"
BEST = "unsloth/Qwen3-14B-GGUF:UD-Q4_K_XL"
Open = Callable[..., ModelPage]


@pytest.fixture
def models() -> FakeModels:
    return FakeModels()


@pytest.fixture
def open_page(
    tmp_path: Path, make_window: Callable[..., MainWindow], models: FakeModels, qtbot: QtBot
) -> Open:
    """The page in a window, its model looked up."""

    def make(machine: Machine | None = None, *, waits: bool = True, **changes: Any) -> ModelPage:
        services = fake_services(tmp_path, changes={"models": models, **changes})
        window = make_window(services, machine)
        window.open_model("Qwen3-14B")
        page = window.page(Place.MODEL)
        assert isinstance(page, ModelPage)
        if waits:
            qtbot.waitUntil(lambda: page.variants.model.rowCount() > 0)
        return page

    return make


def _texts(page: ModelPage) -> str:
    return "\n".join(label.text() for label in page.findChildren(TextLabel) if label.isVisible())


def _cell(page: ModelPage, target: str, column: BuildColumn) -> str:
    model = page.variants.model
    row = model.position(target)
    assert row is not None
    return str(model.index(row, column).data())


def _chosen(page: ModelPage) -> str:
    chosen = page.variants.table.chosen
    assert chosen is not None
    return chosen.target


def _basis(page: ModelPage, target: str) -> Basis:
    row = next(row for row in page.variants.model.rows if row.target == target)
    return basis_of(row.row.fit)


def test_all_packagers_stand_in_one_table(open_page: Open) -> None:
    page = open_page()
    sizes = [row.row.build.size_bytes for row in page.variants.model.rows]
    assert sizes == sorted(sizes, reverse=True)
    assert _cell(page, Q8, BuildColumn.VARIANT) == "Q8_0"
    assert _cell(page, Q8, BuildColumn.BITS) == "8.5"
    assert _cell(page, Q8, BuildColumn.SIZE) == "15.7 GB"
    assert _cell(page, Q8, BuildColumn.PACKAGER) == "Qwen (official)"
    assert _cell(page, Q8, BuildColumn.DOWNLOADS) == "1.9M"
    assert _cell(page, Q8, BuildColumn.QUALITY) == "< 0.1 %"
    assert _cell(page, Q8, BuildColumn.FIT) == "Estimate"
    assert _cell(page, Q8, BuildColumn.MEMORY).startswith("GPU ")
    assert _cell(page, Q8, BuildColumn.MEMORY).endswith("/41 + RAM")
    assert "Too large by" in _cell(page, "unsloth/Qwen3-14B-GGUF:BF16", BuildColumn.MEMORY)
    assert _cell(page, "unsloth/Qwen3-14B-GGUF:BF16", BuildColumn.SPEED) == "—"
    assert _cell(page, BEST, BuildColumn.QUALITY) == "Not measured"
    assert _cell(page, "nobody/Qwen3-14B-GGUF:Q4_K_S", BuildColumn.DOWNLOADS) == "—"


def test_the_head_tells_what_is_known(open_page: Open, models: FakeModels) -> None:
    page = open_page()
    chips = [chip.words for chip in page.header.findChildren(Chip)]
    assert chips == [
        "apache-2.0", "14.8B parameters", "40K context", "119 languages", "text only",
        "reasoning · tools ?", "Alibaba · CN ?", "open weights ?", "May 2025",
    ]  # fmt: skip
    names = {chip.words: chip for chip in page.header.findChildren(Chip)}
    assert names["Alibaba · CN ?"].accessibleName() == "Alibaba · CN, not verified"
    assert "nobody checked" in names["Alibaba · CN ?"].toolTip()
    assert "Training data: not disclosed" in names["open weights ?"].toolTip()
    assert "? not verified" in _texts(page)
    models.found = replace(models.found, family=None, model=None, decision=None)
    page.show_model("someone/else")
    chips = [chip.words for chip in page.header.findChildren(Chip) if chip.isVisible()]
    assert "apache-2.0" not in chips


def test_trade_offs_say_what_is_an_opinion(open_page: Open) -> None:
    page = open_page()
    text = _texts(page)
    for words in (
        "Strength · judgement", "Breadth of sizes", "Weakness · judgement", "YaRN",
        "What is open · not verified", "License reality · not verified",
    ):  # fmt: skip
        assert words in text, words
    window = page.window()
    window.resize(window.width(), 660)
    assert not page.header.tradeoffs.isVisible()
    window.resize(window.width(), 860)
    assert page.header.tradeoffs.isVisible()


def test_the_recommended_row_is_chosen_and_explained(open_page: Open) -> None:
    page = open_page()
    assert _chosen(page) == BEST
    text = _texts(page)
    assert "Why UD-Q4_K_XL" in text
    assert "layers run on the GPU, the rest on the CPU." in text
    assert page.variants.why.action.text() == "Install UD-Q4_K_XL…"
    asked: list[str] = []
    page.install_requested.connect(asked.append)
    page.variants.why.action.click()
    assert asked == [BEST]


def test_the_parts_of_the_card_add_up(open_page: Open) -> None:
    page = open_page()
    chosen = page.variants.table.chosen
    assert chosen is not None
    fit = chosen.row.fit
    assert fit is not None
    parts = pool_parts(fit, example_machine())
    assert [part.title for part in parts] == ["GPU", "RAM"]
    total = sum(p.weights_bytes + p.kv_cache_bytes + p.compute_buffer_bytes for p in parts)
    assert total == fit.total_bytes
    assert [round(part.kept_bytes / 2**30, 1) for part in parts] == [1.0, 3.2]


def test_what_a_shared_gpu_borrows_is_not_kept_twice() -> None:
    machine = plain_machine()
    gpu = Gpu("gpu:0", "Radeon", "AMD", GpuKind.INTEGRATED, 40 << 30, 40 << 30, None, None, "sysfs",
              usable_by_engine=True, lent_free_bytes=8 << 30)  # fmt: skip
    assert kept_in(replace(machine, gpus=(gpu,)), "gpu:0") == 1 << 30


def test_the_model_keeps_qt_s_rules(open_page: Open, qtmodeltester: Any) -> None:
    page = open_page()
    qtmodeltester.check(page.variants.model)


def test_a_slider_changes_rows_in_place(open_page: Open, qtbot: QtBot) -> None:
    page = open_page()
    page.variants.table.choose(Q8)
    model, changed, resets = page.variants.model, [], []
    model.dataChanged.connect(lambda first, last: changed.append((first.row(), last.row())))
    model.modelReset.connect(lambda: resets.append(1))
    before = _cell(page, Q8, BuildColumn.MEMORY)
    scroll = page.variants.table.verticalScrollBar()
    scroll.setValue(60)
    page.variants.controls.context.slider.setValue(page.variants.controls.context.slider.maximum())
    qtbot.waitUntil(lambda: _cell(page, Q8, BuildColumn.MEMORY) != before)
    assert page.variants.controls.choices.context_length == 40_960
    assert (changed, resets) == ([(0, 11)], [])
    assert _chosen(page) == Q8
    assert scroll.value() == 60


def test_nothing_is_announced_where_nothing_changed(open_page: Open) -> None:
    page = open_page()
    changed: list[int] = []
    page.variants.model.dataChanged.connect(lambda first, last: changed.append(first.row()))
    answer = page.variants._answer
    assert answer is not None
    page.variants.model.set_table(answer.table)
    assert changed == []


@pytest.mark.parametrize(
    ("typed", "length"),
    [("16k", 16_384), ("8,000", 8_192), ("1", 256), ("999999999", 40_960), ("much", 8_192)],
)
def test_a_length_can_be_typed(open_page: Open, qtbot: QtBot, typed: str, length: int) -> None:
    page = open_page()
    field = page.variants.controls.context.field
    field.setText(typed)
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert page.variants.controls.choices.context_length == length
    assert field.text() == f"{length:,}"


def test_the_context_tells_its_price(open_page: Open, qtbot: QtBot) -> None:
    page = open_page()
    # 2 × 40 layers × 8 heads × 128 × 2 bytes × 1024 tokens
    hint = page.variants.controls.context.hint
    assert hint.text() == "up to 40,960 · 1K tokens cost about 160 MiB"
    page.variants.controls.kv_type.types._group.button(1).click()
    qtbot.waitUntil(lambda: "about 85" in hint.text())
    assert page.variants.controls.choices.request.kv_type_v == "q8_0"


def test_layers_are_chosen_by_hand_and_given_back(open_page: Open, qtbot: QtBot) -> None:
    page = open_page()
    layers = page.variants.controls.layers
    assert layers.isVisible()
    assert "chosen automatically for 6.1 GiB free" in layers.hint.text()
    automatic = layers.slider.value()
    layers.slider.setValue(5)
    qtbot.waitUntil(lambda: _cell(page, BEST, BuildColumn.MEMORY) == "GPU 5/41 + RAM")
    assert layers.automatic.isVisible()
    layers.automatic.click()
    qtbot.waitUntil(lambda: layers.slider.value() == automatic)
    assert page.variants.controls.choices.gpu_layers is None


def test_no_gpu_no_layers(open_page: Open) -> None:
    page = open_page(plain_machine())
    assert not page.variants.controls.layers.isVisible()
    assert _cell(page, _chosen(page), BuildColumn.MEMORY) == "In RAM"


def test_what_if_it_were_another_machine(open_page: Open, models: FakeModels, qtbot: QtBot) -> None:
    page = open_page()
    chooser = page.variants.controls.machine.chooser
    chooser.click()
    popup = chooser.popup
    assert popup is not None
    assert set(popup.names) == {"", *(machine.name for machine in load_profiles())}
    qtbot.keyClicks(popup.search, "5090 64")
    assert popup.names
    assert all("5090" in name for name in popup.names)
    qtbot.keyClick(popup.search, Qt.Key.Key_Return)
    machine = chooser.machine
    assert machine is not None
    assert machine == find_machine(machine.name)
    qtbot.waitUntil(lambda: _cell(page, BEST, BuildColumn.MEMORY) == "All on GPU")
    qtbot.waitUntil(lambda: models.was_read != [])
    qtbot.wait(20)
    assert models.was_verified == []
    assert f"the engine here cannot be asked for {machine.name}" in _texts(page)
    chooser.click()
    popup = chooser.findChildren(MachineList)[-1]
    popup.search.clear()
    qtbot.keyClick(popup.search, Qt.Key.Key_Return)
    assert chooser.machine is None
    qtbot.waitUntil(lambda: _cell(page, BEST, BuildColumn.MEMORY) != "All on GPU")


def test_the_chosen_build_is_read_and_verified(
    open_page: Open, models: FakeModels, qtbot: QtBot
) -> None:
    page = open_page()
    assert _basis(page, BEST) is Basis.SIBLING
    qtbot.waitUntil(lambda: _basis(page, BEST) is Basis.VERIFIED)
    assert models.was_read == [BEST]
    assert [target for target, _ in models.was_verified] == [BEST]
    assert _cell(page, BEST, BuildColumn.FIT) == "Verified"
    assert "Verified: The engine laid this model out" in _texts(page)
    assert _basis(page, Q8) is Basis.SIBLING


def test_verified_goes_with_the_settings_and_comes_back(
    open_page: Open, models: FakeModels, qtbot: QtBot
) -> None:
    page = open_page()
    qtbot.waitUntil(lambda: _basis(page, BEST) is Basis.VERIFIED)
    page.variants.controls.context._set(16_384)
    qtbot.waitUntil(lambda: _basis(page, BEST) is Basis.HEADER)
    qtbot.waitUntil(lambda: _basis(page, BEST) is Basis.VERIFIED)
    assert [request.context_length for _, request in models.was_verified] == [8_192, 16_384]
    page.variants.controls.context._set(8_192)
    qtbot.waitUntil(lambda: _basis(page, BEST) is Basis.VERIFIED)
    assert len(models.was_verified) == 2


def test_a_selection_that_moves_on_is_not_asked_about(
    open_page: Open, models: FakeModels, qtbot: QtBot
) -> None:
    page = open_page()
    for target in [row.target for row in page.variants.model.rows if row.target != Q8]:
        page.variants.table.choose(target)
    page.variants.table.choose(Q8)
    qtbot.waitUntil(lambda: _basis(page, Q8) is Basis.VERIFIED)
    assert models.was_read == [Q8]


def test_free_memory_that_changed_makes_it_an_estimate_again(
    open_page: Open, models: FakeModels, qtbot: QtBot
) -> None:
    page = open_page()
    qtbot.waitUntil(lambda: _basis(page, BEST) is Basis.VERIFIED)
    machine = example_machine()
    memory = replace(machine.memory, available_bytes=machine.memory.available_bytes - (1 << 30))
    page.set_machine(replace(machine, memory=memory))
    qtbot.waitUntil(lambda: _basis(page, BEST) is Basis.HEADER)
    qtbot.waitUntil(lambda: _basis(page, BEST) is Basis.VERIFIED)
    assert len(models.was_verified) == 2


def test_an_engine_that_is_silent_is_said_once_and_calmly(
    open_page: Open, models: FakeModels, qtbot: QtBot
) -> None:
    models.verify_error = EngineFailed("not_started", "no answer")
    page = open_page()
    qtbot.waitUntil(lambda: len(models.was_verified) == 1)
    qtbot.waitUntil(lambda: page.variants.why.sureness.toolTip() != "")
    page.variants.controls.context._set(16_384)
    qtbot.waitUntil(lambda: page.variants._answer.question.request.context_length == 16_384)
    qtbot.wait(20)
    assert len(models.was_verified) == 1
    assert _basis(page, BEST) is Basis.HEADER
    models.verify_error = None
    page.open_page()
    qtbot.waitUntil(lambda: _basis(page, BEST) is Basis.VERIFIED)


def test_a_page_that_nobody_sees_asks_nothing(
    open_page: Open, models: FakeModels, qtbot: QtBot
) -> None:
    page = open_page()
    page.place_requested.emit(Place.SHELF)
    assert page.variants._check.state.name == "IDLE"
    assert not page.variants._check._timer.isActive()


class SlowModels(FakeModels):
    """The listing of `slow` waits; so does the dry run of Q8_0 until it is cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.was_cancelled: list[str] = []
        self.is_verifying = False

    def listing(self, text: str, cancel: CancelToken, report: Report) -> ModelListing:
        found = super().listing(text, cancel, report)
        if text == "slow":
            assert self.gate.wait(10)
            return replace(found, name="late")
        return found

    def verify(
        self, build: Build, machine: Machine, request: FitRequest, cancel: CancelToken
    ) -> Fit:
        if build.target == Q8:
            self.is_verifying = True
            assert cancel.wait(10)
            self.was_cancelled.append(build.target)
        return super().verify(build, machine, request, cancel)


@pytest.fixture
def slow_page(
    tmp_path: Path, make_window: Callable[..., MainWindow], qtbot: QtBot
) -> Iterator[tuple[ModelPage, SlowModels]]:
    models, runner = SlowModels(), PoolTaskRunner()
    services = fake_services(tmp_path, runner=runner, changes={"models": models})
    window = make_window(services)
    window.open_model("Qwen3-14B")
    page = window.page(Place.MODEL)
    assert isinstance(page, ModelPage)
    qtbot.waitUntil(lambda: page.variants.model.rowCount() == 12)
    yield page, models
    models.gate.set()
    runner.close()


def test_late_listings_are_dropped(slow_page: tuple[ModelPage, SlowModels], qtbot: QtBot) -> None:
    page, models = slow_page
    page.show_model("slow")
    qtbot.waitUntil(lambda: "slow" in models.asked)
    page.show_model("fast")
    models.gate.set()
    qtbot.waitUntil(lambda: page.listing is not None and page.variants.model.rowCount() == 12)
    qtbot.wait(30)
    assert page.header.title.text() == "Qwen3-14B"


def test_a_dry_run_ends_when_the_selection_moves_on(
    slow_page: tuple[ModelPage, SlowModels], qtbot: QtBot
) -> None:
    page, models = slow_page
    page.variants.table.choose(Q8)
    qtbot.waitUntil(lambda: models.is_verifying)
    page.variants.table.choose(BEST)
    qtbot.waitUntil(lambda: models.was_cancelled == [Q8])
    qtbot.waitUntil(lambda: _basis(page, BEST) is Basis.VERIFIED)
    assert _basis(page, Q8) is Basis.HEADER


def test_the_last_of_many_moves_is_what_is_shown(
    slow_page: tuple[ModelPage, SlowModels], qtbot: QtBot
) -> None:
    page, _ = slow_page
    seen: list[int] = []
    page.variants._fits.answered.connect(
        lambda answer: seen.append(answer.question.request.context_length)
    )
    for length in range(9_216, 30_000, 1_024):
        page.variants.controls.context._set(length)
    qtbot.waitUntil(lambda: seen[-1:] == [29_696])
    assert seen == sorted(seen)
    assert len(seen) < 5
