"""Ways to the Model screen and back, its states, hostile names, and what a screen reader says."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from openshelf.errors import GatedModel, NetworkFailure
from openshelf.services import Services
from openshelf.ui.main_window import MainWindow
from openshelf.ui.models.context_lengths import context_steps
from openshelf.ui.models.model_table import BuildColumn
from openshelf.ui.models.model_words import count_words, plain
from openshelf.ui.pages.model import ModelPage
from openshelf.ui.pages.shelf import ShelfPage
from openshelf.ui.places import Place
from openshelf.ui.widgets import LinkButton, TextLabel
from tests.fakes.downloads import installed_model
from tests.fakes.example_models import (
    FakeModels,
    example_listing,
    expected_listing,
    hostile_listing,
)
from tests.fakes.services import fake_services

BEST = "unsloth/Qwen3-14B-GGUF:UD-Q4_K_XL"


@pytest.fixture
def models() -> FakeModels:
    return FakeModels()


@pytest.fixture
def services(tmp_path: Path, models: FakeModels) -> Services:
    return fake_services(tmp_path, changes={"models": models})


@pytest.fixture
def open_model(window: MainWindow, qtbot: QtBot) -> Callable[[], ModelPage]:
    def make() -> ModelPage:
        window.open_model("Qwen3-14B")
        page = window.page(Place.MODEL)
        assert isinstance(page, ModelPage)
        qtbot.waitUntil(lambda: page._task is None or page.empty.isVisible())
        qtbot.wait(1)
        return page

    return make


def _shelf(window: MainWindow, qtbot: QtBot) -> ShelfPage:
    shelf = window.page(Place.SHELF)
    assert isinstance(shelf, ShelfPage)
    qtbot.waitUntil(lambda: len(shelf.cards) == 5)
    return shelf


def _texts(page: ModelPage) -> str:
    return "\n".join(label.text() for label in page.findChildren(TextLabel) if label.isVisible())


def test_a_card_leads_to_its_model(window: MainWindow, models: FakeModels, qtbot: QtBot) -> None:
    shelf = _shelf(window, qtbot)
    qtbot.mouseClick(shelf.cards[0]._name, Qt.MouseButton.LeftButton)
    assert window._stack.currentWidget() is window.page(Place.MODEL)
    assert window.rail.button(Place.SHELF).isChecked()
    assert models.asked == ["Qwen3-14B"]


def test_the_keyboard_leads_there_too(window: MainWindow, models: FakeModels, qtbot: QtBot) -> None:
    shelf = _shelf(window, qtbot)
    buttons = {b.accessibleName(): b for b in shelf.cards[1].findChildren(LinkButton)}
    button = buttons["All variants of Mistral Small 3.2"]
    assert button.focusPolicy() & Qt.FocusPolicy.TabFocus
    button.setFocus()
    qtbot.keyClick(button, Qt.Key.Key_Return)
    assert models.asked == ["Mistral-Small-3.2-24B"]


@pytest.mark.parametrize(
    "pasted",
    [
        "someone/some-model-GGUF:Q4_K_M",
        "https://huggingface.co/someone/some-model-GGUF",
        "hf.co/someone/some-model-GGUF:Q8_0",
        "llama-server -hf someone/some-model-GGUF:Q8_0",
    ],
)
def test_what_is_pasted_into_the_search_is_looked_up(
    window: MainWindow, models: FakeModels, qtbot: QtBot, pasted: str
) -> None:
    shelf = _shelf(window, qtbot)
    search = shelf.controls.search
    search.setText(pasted)
    assert shelf._look_up.isVisible()
    assert "someone/some-model-GGUF is not one of these families." in shelf._look_up.text.text()
    qtbot.keyClick(search, Qt.Key.Key_Return)
    assert models.asked == [pasted]


def test_other_words_are_only_searched_for(
    window: MainWindow, models: FakeModels, qtbot: QtBot
) -> None:
    shelf = _shelf(window, qtbot)
    shelf.controls.search.setText("nothing like it")
    assert shelf._empty.isVisible()
    assert not shelf._look_up.isVisible()
    qtbot.keyClick(shelf.controls.search, Qt.Key.Key_Return)
    assert models.asked == []


@pytest.mark.parametrize(
    ("key", "modifier"),
    [
        (Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier),
    ],
)
def test_keys_lead_back(
    window: MainWindow,
    open_model: Callable[[], ModelPage],
    qtbot: QtBot,
    key: Qt.Key,
    modifier: Qt.KeyboardModifier,
) -> None:
    page = open_model()
    assert page.variants.table.hasFocus()
    qtbot.keyClick(page.variants.table, key, modifier)
    assert window._stack.currentWidget() is window.page(Place.SHELF)


def test_the_way_above_the_name_leads_back(
    window: MainWindow, open_model: Callable[[], ModelPage]
) -> None:
    page = open_model()
    assert "›  Qwen3" in _texts(page)
    page.header.back.click()
    assert window._stack.currentWidget() is window.page(Place.SHELF)


def test_sizes_of_the_family_are_one_choice_away(
    open_model: Callable[[], ModelPage], models: FakeModels
) -> None:
    listing = example_listing()
    assert listing.family is not None
    assert listing.model is not None
    small = replace(listing.model, id="qwen3-8b", name="Qwen3-8B", label="8B")
    family = replace(listing.family, models=(listing.model, small))
    models.found = replace(listing, family=family)
    page = open_model()
    assert page.header.sizes.isVisible()
    assert page.header.sizes.value == "Qwen3-14B"
    page.header.sizes.menu().actions()[1].trigger()
    assert models.asked == ["Qwen3-14B", "Qwen3-8B"]


def test_the_hub_is_silent(open_model: Callable[[], ModelPage], models: FakeModels) -> None:
    models.found = expected_listing()
    page = open_model()
    assert "The Hub did not answer" in page.variants.notice.text.text()
    model = page.variants.model
    assert str(model.index(0, BuildColumn.SIZE).data()).startswith("≈ ")
    assert str(model.index(0, BuildColumn.FIT).data()) == "Expected"
    models.found = example_listing()
    page.variants.notice.button.click()
    assert models.asked == ["Qwen3-14B"] * 2


def test_an_error_can_be_tried_again(
    open_model: Callable[[], ModelPage], models: FakeModels, qtbot: QtBot
) -> None:
    models.listing_error = NetworkFailure("huggingface.co", "timeout", "no answer within 30 s")
    page = open_model()
    assert page.empty.isVisible()
    assert "huggingface.co" in page.empty.text.text()
    models.listing_error = None
    assert page.empty.button is not None
    page.empty.button.click()
    qtbot.waitUntil(lambda: page.variants.model.rowCount() == 12)
    assert not page.empty.isVisible()


def test_a_gated_model_says_where_its_form_is(
    open_model: Callable[[], ModelPage], models: FakeModels
) -> None:
    models.listing_error = GatedModel("meta/x", "https://huggingface.co/meta/x")
    assert "open https://huggingface.co/meta/x" in open_model().empty.text.text()


def test_a_model_without_builds_says_so(
    open_model: Callable[[], ModelPage], models: FakeModels
) -> None:
    models.found = replace(example_listing(), builds=())
    page = open_model()
    assert page.empty.title.text() == "No variants"


def test_the_page_without_a_model_leads_to_the_shelf(window: MainWindow) -> None:
    window.open_place(Place.MODEL)
    page = window.page(Place.MODEL)
    assert isinstance(page, ModelPage)
    assert page.empty.button is not None
    page.empty.button.click()
    assert window._stack.currentWidget() is window.page(Place.SHELF)


def test_what_is_installed_can_be_chatted_with(
    window: MainWindow, open_model: Callable[[], ModelPage], services: Services, qtbot: QtBot
) -> None:
    page = open_model()
    model = installed_model("Qwen3-14B", "UD-Q4_K_XL")
    services.library.add(model)  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: page.variants.why.action.text() == "Chat")
    page.variants.table.choose(BEST)
    asked: list[str] = []
    page.chat_requested.connect(asked.append)
    qtbot.keyClick(page.variants.table, Qt.Key.Key_Return)
    assert asked == [model.id]


def test_columns_sort_and_unknown_is_last(open_model: Callable[[], ModelPage]) -> None:
    page = open_model()
    table, model = page.variants.table, page.variants.model
    table.choose(BEST)
    for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder):
        table.sortByColumn(BuildColumn.DOWNLOADS, order)
        counts = [row.row.build.downloads for row in model.rows]
        known = [count for count in counts if count is not None]
        assert known == sorted(known, reverse=order is Qt.SortOrder.DescendingOrder)
        assert counts[len(known) :] == [None]
        assert table.chosen is not None
        assert table.chosen.target == BEST
    table.sortByColumn(BuildColumn.SPEED, Qt.SortOrder.DescendingOrder)
    speeds = [str(model.index(row, BuildColumn.SPEED).data()) for row in range(12)]
    assert speeds[-1] == "—"
    table.sortByColumn(BuildColumn.QUALITY, Qt.SortOrder.AscendingOrder)
    assert str(model.index(11, BuildColumn.QUALITY).data()) == "Not measured"


def test_a_row_can_be_heard(open_model: Callable[[], ModelPage]) -> None:
    page = open_model()
    model = page.variants.model
    row = model.position(BEST)
    assert row is not None
    spoken = str(model.index(row, 0).data(Qt.ItemDataRole.AccessibleTextRole))
    assert spoken.startswith("UD-Q4_K_XL, recommended, 9.2 GB, GPU 23/41 + RAM, 5–13 tok/s")
    assert spoken.endswith("quality lost: Not measured, dynamic, packaged by unsloth, Estimate")


def test_arrow_keys_walk_the_rows(open_model: Callable[[], ModelPage], qtbot: QtBot) -> None:
    page = open_model()
    table = page.variants.table
    before = table.currentIndex().row()
    qtbot.keyClick(table, Qt.Key.Key_Down)
    assert table.currentIndex().row() == before + 1
    assert page.variants.why.title.text() == "Q4_K_M, packaged by bartowski"
    qtbot.keyClick(table, Qt.Key.Key_Tab)
    assert not table.hasFocus()


def test_tab_goes_through_everything_in_the_order_of_the_eye(
    open_model: Callable[[], ModelPage], qtbot: QtBot
) -> None:
    page = open_model()
    page.header.back.setFocus()
    names, tops = [], []
    for _ in range(12):
        focus = QApplication.focusWidget()
        assert focus is not None
        if not page.isAncestorOf(focus):
            break
        names.append(focus.accessibleName())
        tops.append(focus.mapTo(page, QPoint(0, focus.height() // 2)).y())
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    assert "" not in names
    assert names[:2] == ["Back to the Shelf", "Show: Variants"]
    assert {"Variants", "Context length", "GPU layers", "Machine: This machine"} <= set(names)
    assert "Install UD-Q4_K_XL" in names
    assert all(below >= above - 40 for above, below in itertools.pairwise(tops))


def test_names_from_the_hub_are_plain_text(
    open_model: Callable[[], ModelPage], models: FakeModels
) -> None:
    models.found = hostile_listing()
    page = open_model()
    for label in page.findChildren(TextLabel):
        assert label.textFormat() is Qt.TextFormat.PlainText
        assert "\u202e" not in label.text()
    assert page.header.title.text() == "<b>Model</b> <i>name</i>"
    model = page.variants.model
    for column in BuildColumn:
        index = model.index(0, column)
        assert not {"\u202e", "\u2066"} & set(str(index.data()))
        assert "<h1>" not in str(index.data(Qt.ItemDataRole.ToolTipRole))
    assert page.variants.why.action.text() == "Install…"


def test_the_bar_tells_its_parts(open_model: Callable[[], ModelPage], qtbot: QtBot) -> None:
    page = open_model()
    table = page.variants.table
    area = table.visualRect(table.model().index(table.currentIndex().row(), BuildColumn.MEMORY))
    place = area.center()
    event = QHelpEvent(QHelpEvent.Type.ToolTip, place, table.viewport().mapToGlobal(place))
    QApplication.sendEvent(table.viewport(), event)
    qtbot.waitUntil(lambda: "Context memory (KV cache): 1.2 GiB" in QToolTip.text())
    QToolTip.hideText()


@pytest.mark.parametrize("longest", [None, 300, 4_096, 40_960, 131_072, 10_485_760])
def test_steps_of_the_context_slider(longest: int | None) -> None:
    steps = context_steps(longest)
    assert list(steps) == sorted(set(steps))
    assert steps[-1] == (longest or 131_072)
    assert all(step % 256 == 0 for step in steps[:-1])
    assert len(steps) < 140


def test_words() -> None:
    assert [count_words(n) for n in (None, 7, 1_000, 97_000, 999_960, 1_900_000)] == [
        "—", "7", "1K", "97K", "1000K", "1.9M",
    ]  # fmt: skip
    assert plain("a\u202eb\nc") == "abc"
