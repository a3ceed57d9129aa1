"""The list of conversations as a model: groups, search, and no row that is put back in vain."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QSortFilterProxyModel
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from openshelf.chat.conversation import Conversation
from openshelf.ui.models.conversations import Age, ConversationsModel, age_of

NOW = datetime.now(UTC)


def conversation(number: int, title: str, days: int = 0) -> Conversation:
    """Higher numbers are older, by so little that after midnight too a day's are of one day."""
    at = (NOW - timedelta(days=days, microseconds=number)).isoformat()
    return Conversation(number, title, at, at)


def labels(model: ConversationsModel) -> list[str]:
    return [row.label for row in model.rows]


@pytest.fixture
def model(qtbot: QtBot, qtmodeltester: ModelTester) -> ConversationsModel:
    made = ConversationsModel()
    qtmodeltester.check(made)
    return made


@pytest.mark.parametrize(
    ("days", "age"),
    [
        (0, Age.TODAY), (-1, Age.TODAY), (1, Age.YESTERDAY), (2, Age.LAST_WEEK), (7, Age.LAST_WEEK),
        (8, Age.LAST_MONTH), (30, Age.LAST_MONTH), (31, Age.OLDER), (4000, Age.OLDER),
    ],
)  # fmt: skip
def test_ages(days: int, age: Age) -> None:
    now = datetime.now().astimezone().replace(hour=12)
    assert age_of((now - timedelta(days=days)).isoformat(), now.date()) is age


def test_a_time_that_cannot_be_read_is_old() -> None:
    assert age_of("yesterday-ish", date(2026, 11, 23)) is Age.OLDER


def test_rows_come_in_groups_newest_first(model: ConversationsModel) -> None:
    model.set_conversations(
        [conversation(3, "old", 90), conversation(2, "b"), conversation(1, "a")]
    )
    assert labels(model) == ["Today", "a", "b", "Older", "old"]


def test_search_keeps_what_matches(model: ConversationsModel) -> None:
    model.set_conversations([conversation(1, "Rust borrow"), conversation(2, "Rechnung", 2)])
    model.set_search("RUST")
    assert labels(model) == ["Found", "Rust borrow"]
    model.set_search("")
    assert labels(model) == ["Today", "Rust borrow", "Last week", "Rechnung"]


def test_a_new_title_changes_one_row_and_resets_nothing(
    model: ConversationsModel, qtbot: QtBot
) -> None:
    first, second = conversation(1, ""), conversation(2, "b")
    model.set_conversations([first, second])
    with (
        qtbot.assertNotEmitted(model.modelReset),
        qtbot.assertNotEmitted(model.rowsInserted),
        qtbot.assertNotEmitted(model.rowsRemoved),
        qtbot.waitSignal(model.dataChanged) as changed,
    ):
        model.set_conversations(
            [Conversation(1, "named", first.created_at, first.updated_at), second]
        )
    assert changed.args is not None
    assert changed.args[0].row() == 1
    assert labels(model) == ["Today", "named", "b"]


def test_the_one_used_last_moves_up(model: ConversationsModel, qtbot: QtBot) -> None:
    first, second = conversation(1, "a"), conversation(2, "b")
    model.set_conversations([first, second])
    used = Conversation(2, "b", second.created_at, datetime.now(UTC).isoformat())
    with qtbot.waitSignal(model.rowsMoved), qtbot.assertNotEmitted(model.rowsRemoved):
        model.set_conversations([used, first, conversation(3, "c")])
    assert labels(model) == ["Today", "b", "a", "c"]


def rows_after(model: ConversationsModel, numbers: list[int]) -> list[int]:
    model.set_conversations([conversation(number, f"chat {number}") for number in numbers])
    return [row.conversation.id for row in model.rows if row.conversation is not None]


@given(st.lists(st.lists(st.integers(1, 12), unique=True, max_size=12), min_size=1, max_size=5))
def test_whatever_comes_and_goes_the_view_hears_of_it(lists: list[list[int]]) -> None:
    """A proxy that builds its own list from the announcements alone always has the same rows."""
    model = ConversationsModel()
    view = QSortFilterProxyModel()
    view.setSourceModel(model)
    for numbers in lists:
        assert rows_after(model, numbers) == sorted(numbers)
        seen = [view.index(at, 0).data() for at in range(view.rowCount())]
        assert seen == labels(model)


def test_thousands_of_rows_are_announced_in_a_few_steps(model: ConversationsModel) -> None:
    """Each announcement costs the view a look at all of them."""
    steps: list[str] = []
    for name in ("rowsInserted", "rowsRemoved", "rowsMoved", "dataChanged", "modelReset"):
        getattr(model, name).connect(lambda *_, name=name: steps.append(name))
    many = [conversation(number, f"chat {number % 7}") for number in range(1, 2001)]
    model.set_conversations(many)
    assert len(steps) == 1
    model.set_search("chat")
    assert len(steps) <= 4
    model.set_conversations(many[:-1])
    assert len(steps) <= 6
