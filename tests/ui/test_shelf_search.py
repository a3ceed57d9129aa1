"""The Shelf's search on the Hub, and its filters: kept, cleared, told to whoever is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.hardware.facts import Machine
from openshelf.reasons import Reason
from openshelf.settings import Settings
from openshelf.shelf.search import SearchAnswer, SearchQuestion
from openshelf.tasks import CancelToken, PoolTaskRunner
from openshelf.ui.pages.shelf import ShelfPage
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets import TextLabel
from tests.fakes.example_data import example_machine
from tests.fakes.example_search import FakeSearch, example_hub_row
from tests.fakes.services import FakeSettingsStore, fake_services

MakePage = Callable[..., ShelfPage]
PATIENCE = 30_000
"""Milliseconds, where threads share the machine with others."""


@pytest.fixture
def search() -> FakeSearch:
    return FakeSearch()


@pytest.fixture
def make_page(
    tmp_path: Path, themed_app: QApplication, qtbot: QtBot, search: FakeSearch
) -> Iterator[MakePage]:
    bridges: list[TaskBridge] = []

    def make(**changes: Any) -> ShelfPage:
        runner = changes.pop("runner", None)
        services = fake_services(tmp_path, runner=runner, changes={"search": search, **changes})
        bridge = TaskBridge(services.runner)
        bridges.append(bridge)
        page = ShelfPage(services, bridge)
        page.hub._timer.setInterval(0)
        page.resize(1172, 860)
        qtbot.addWidget(page)
        page.show()
        page.set_machine(example_machine())
        qtbot.waitUntil(lambda: page._answer is not None, timeout=PATIENCE)
        return page

    yield make
    for bridge in bridges:
        bridge.close()
        bridge.deleteLater()


def names(page: ShelfPage) -> list[str]:
    return [card.accessibleName() for card in page.hub.cards]


def texts(page: ShelfPage) -> str:
    return "\n".join(label.text() for label in page.findChildren(TextLabel) if label.isVisible())


def type_words(page: ShelfPage, words: str) -> None:
    page.controls.search.setText(words)


def test_the_hub_is_searched_beside_the_catalog(
    make_page: MakePage, qtbot: QtBot, search: FakeSearch
) -> None:
    page = make_page()
    assert page.hub.isHidden()
    type_words(page, "llama 3")
    qtbot.waitUntil(lambda: len(page.hub.cards) == 3)
    assert [card.accessibleName() for card in page.cards] == ["Llama 3.2"]
    assert names(page)[0] == "Qwen3-14B-Wild-i1"
    shown = texts(page)
    assert "On the Hub" in shown
    assert "mradermacher · origin unknown" in shown
    assert "48200 downloads" in shown or "48,200 downloads" in shown
    assert search.asked[-1].text == "llama 3"
    type_words(page, "")
    assert page.hub.isHidden()


def test_a_card_of_the_hub_opens_and_installs(make_page: MakePage, qtbot: QtBot) -> None:
    page = make_page()
    type_words(page, "zeta")
    qtbot.waitUntil(lambda: len(page.hub.cards) == 3)
    assert "No family matches" not in texts(page), "something was found after all"
    with qtbot.waitSignal(page.install_requested) as install:
        page.hub.cards[1]._action.click()
    assert install.args == ["eve/Zeta-9B-GGUF:Q4_K_M"]
    with qtbot.waitSignal(page.model_requested) as model:
        page.hub.cards[1]._all.click()
    assert model.args == ["eve/Zeta-9B-GGUF"]


def test_a_packager_of_a_family_above_is_not_shown_twice(
    make_page: MakePage, qtbot: QtBot, search: FakeSearch
) -> None:
    page = make_page()
    shelf_row = page._answer.shelf.rows[0] if page._answer else None
    assert shelf_row is not None
    known = replace(search.rows[0], row=shelf_row, is_known=True)
    search.rows = (known, *search.rows[1:])
    type_words(page, "qwen")
    qtbot.waitUntil(lambda: len(page.hub.cards) == 2)
    type_words(page, "mradermacher")
    qtbot.waitUntil(lambda: len(page.hub.cards) == 3)


@pytest.mark.parametrize(
    ("note", "words"),
    [
        (Reason("search_hub_rate_limited", {"seconds": 30}), "asks to wait 30 seconds"),
        (Reason("search_hub_network", {}), "did not answer"),
        (Reason("search_hub_offline", {}), "Offline"),
    ],
)
def test_a_hub_that_does_not_answer_is_told_beside_the_catalogs_rows(
    make_page: MakePage, qtbot: QtBot, search: FakeSearch, note: Reason, words: str
) -> None:
    search.notes = (note,)
    page = make_page()
    type_words(page, "llama 3")
    qtbot.waitUntil(page.hub.notice.isVisible)
    assert words in page.hub.notice.text.text()
    assert [card.accessibleName() for card in page.cards] == ["Llama 3.2"]
    search.notes = ()
    page.hub.notice.button.click()
    qtbot.waitUntil(lambda: len(page.hub.cards) == 3)
    assert not page.hub.notice.isVisible()


def test_late_answers_are_dropped(make_page: MakePage, qtbot: QtBot, search: FakeSearch) -> None:
    gates = {"slow": threading.Event(), "quick": threading.Event()}
    done: list[str] = []

    def find(machine: Machine, question: SearchQuestion, cancel: CancelToken) -> SearchAnswer:
        gates[question.text].wait(60)
        done.append(question.text)
        answer = search(machine, question, CancelToken())
        repo = f"eve/{question.text}-GGUF"
        row = example_hub_row(repo, 1, ("mit",), search.rows[0].row.shown.decision.verdict)  # type: ignore[union-attr]
        return replace(answer, hub=(row,))

    runner = PoolTaskRunner()
    try:
        page = make_page(runner=runner, search=find)
        qtbot.waitUntil(lambda: bool(page.cards), timeout=PATIENCE)
        type_words(page, "slow")
        qtbot.waitUntil(lambda: not page.hub._timer.isActive(), timeout=PATIENCE)
        type_words(page, "quick")
        qtbot.waitUntil(lambda: not page.hub._timer.isActive(), timeout=PATIENCE)
        gates["quick"].set()
        qtbot.waitUntil(lambda: names(page) == ["quick"], timeout=PATIENCE)
        gates["slow"].set()
        qtbot.waitUntil(lambda: "slow" in done, timeout=PATIENCE)
    finally:
        for gate in gates.values():
            gate.set()
        runner.close()
    QApplication.processEvents()
    assert names(page) == ["quick"]


def test_filters_are_kept_and_come_back(
    make_page: MakePage, qtbot: QtBot, search: FakeSearch
) -> None:
    store = FakeSettingsStore()
    page = make_page(settings=store)
    page.filters.capability.menu().actions()[1].trigger()
    page.filters.fits.menu().actions()[1].trigger()
    page.filters.packager.menu().actions()[1].trigger()
    assert store.current.filters == {"capability": "chat", "fits": True, "packager": "publisher"}
    again = make_page(settings=store)
    assert again.filters.capability.value == "chat"
    assert again.filters.fits_only
    assert "Llama 4 Scout" not in [card.accessibleName() for card in again.cards]
    type_words(again, "zeta")
    qtbot.waitUntil(lambda: bool(search.asked))
    asked = search.asked[-1].shelf
    assert (asked.capability, asked.packager, asked.fits_only) == ("chat", "publisher", True)


def test_one_button_clears_all_filters(make_page: MakePage, qtbot: QtBot) -> None:
    store = FakeSettingsStore(Settings(filters={"origin": "FR", "use": "commercial"}))
    page = make_page(settings=store)
    assert [card.accessibleName() for card in page.cards] == ["Mistral Small 3.2"]
    assert page.filters.clear_button.isVisible()
    page.filters.clear_button.click()
    qtbot.waitUntil(lambda: len(page.cards) == 5)
    assert store.current.filters == {}
    assert not page.filters.clear_button.isVisible()


def test_a_filter_that_nothing_has_any_more_stays_to_be_seen(make_page: MakePage) -> None:
    kept = {"license": "gone-1.0", "fits": "nonsense", "language": True, "unheard": "of"}
    page = make_page(settings=FakeSettingsStore(Settings(filters=kept)))
    assert page.filters.license.value == "gone-1.0"
    assert page.filters.language.value is None
    assert not page.filters.fits_only
    assert page.cards == ()
    assert "No family matches" in texts(page)


def test_other_questions_are_asked_of_the_hub_again(
    make_page: MakePage, qtbot: QtBot, search: FakeSearch
) -> None:
    page = make_page()
    type_words(page, "zeta")
    qtbot.waitUntil(lambda: len(search.asked) == 1)
    page.controls.context._group.button(2).click()
    qtbot.waitUntil(lambda: len(search.asked) == 2)
    assert search.asked[-1].shelf.context_length == 32768
