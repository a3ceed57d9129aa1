"""The list of conversations as a model: groups, search, and no row that is put back in vain."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from openshelf.chat.conversation import Conversation
from openshelf.ui.models.conversations import Age, ConversationsModel, age_of


def conversation(number: int, title: str, days: int = 0) -> Conversation:
    at = (datetime.now(UTC) - timedelta(days=days, seconds=number)).isoformat()
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
