"""Finding, pinning, naming and deleting conversations, saved and unsaved."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openshelf.chat.conversation import FoundConversation, Message, MessageState
from openshelf.chat.schema import CHATS
from openshelf.chat.searching import excerpt
from openshelf.chat.session import AskWith, Chats, LoadTicket
from openshelf.chat.store import ConversationStore
from openshelf.chat.stores import UNSAVED_FROM
from openshelf.database import Database, Schema
from openshelf.engine.protocol import Sampling
from openshelf.errors import NotFound
from openshelf.tasks import CancelToken, no_report
from tests.fakes.engine import Answer, FakeEngine, clearance_for, load_order, model_file

Add = Callable[..., int]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chats.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[ConversationStore]:
    store = ConversationStore(path)
    yield store
    store.close()


@pytest.fixture
def add(store: ConversationStore) -> Add:
    def add(question: str, answer: str = "") -> int:
        conversation = store.new_conversation("m", "You know the word zebra.")
        root = store.branch(conversation.id)[0]
        asked = store.add_question(conversation.id, root.id, question)
        if answer:
            written = store.add_answer(asked, "m")
            store.update(replace(written, content=answer, state=MessageState.COMPLETE))
        return conversation.id

    return add


def ids(store: ConversationStore, text: str) -> list[int]:
    return [found.conversation_id for found in store.search(text)]


def test_words_are_found_in_questions_and_answers_and_titles(
    store: ConversationStore, add: Add
) -> None:
    clause = add("Summarise the termination clause", "Either side gives **notice**.")
    german = add("Was ist eine Unterklausel?", "Ein Teil der Klausel: §9.2 Absatz 3.")
    chinese = add("什么是大语言模型?", "大语言模型 是…")
    store.rename(chinese, "Models, in Chinese")
    assert ids(store, "clause") == [clause]
    assert ids(store, "CLAUSE termination") == [clause]
    assert ids(store, "clause notice") == [], "in one message, not somewhere in both"
    assert ids(store, "klausel") == [german]
    assert ids(store, "§9.2") == [german]
    assert ids(store, "语言模型") == [chinese]
    assert ids(store, "模型") == [chinese], "two letters are a word there"
    assert ids(store, "Models chinese") == [chinese]
    assert ids(store, "zebra") == [], "a system prompt is no message"
    assert ids(store, "   ") == []
    [found] = store.search("notice")
    assert found.excerpt == "Either side gives **notice**."
    assert found.message_id is not None
    assert store.message(found.message_id).content == found.excerpt


def test_the_latest_message_of_a_conversation_stands_for_it(
    store: ConversationStore, add: Add
) -> None:
    first = add("llama", "a llama is an animal")
    second = add("llama again")
    assert ids(store, "llama") == [second, first]
    assert store.search("llama")[1].excerpt == "a llama is an animal"


@pytest.mark.parametrize(
    "text",
    ['"', "a AND", "NOT llama", "llama*", "col:llama", "(", "%", "_", "\\", "\0", "' OR 1 --"],
)
def test_nothing_in_a_search_is_an_operator(store: ConversationStore, add: Add, text: str) -> None:
    add("llama", "alpaca")
    assert ids(store, text) == []


@pytest.mark.parametrize(
    "text", ["a" * 60_000, "ab " * 40_000, "abc " * 40_000, "%" * 100_000, "a1 b2 c3 " * 9_000]
)
def test_a_question_of_any_length_can_be_asked(
    store: ConversationStore, add: Add, text: str
) -> None:
    add("llama", "alpaca")
    assert ids(store, text) == []
    assert ids(store, "llama " * 5_000) != []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40))
def test_any_text_can_be_searched_for(store: ConversationStore, text: str) -> None:
    conversation = store.new_conversation("m")
    store.add_question(conversation.id, None, f"x {text}")
    words = text.replace("\0", " ").split()
    has_all = conversation.id in ids(store, text)
    assert has_all or not words or "\0" in text or any(not word.isascii() for word in words)
    store.delete_conversation(conversation.id)


def test_what_is_being_written_is_found_once_it_ended(store: ConversationStore, add: Add) -> None:
    conversation_id = add("question")
    answer = store.add_answer(store.branch(conversation_id)[-1], "m")
    store.update(replace(answer, content="half a llama"))
    assert ids(store, "llama") == []
    store.update(replace(answer, content="a whole llama", state=MessageState.COMPLETE))
    assert ids(store, "llama") == [conversation_id]
    store.update(replace(answer, content="an alpaca", state=MessageState.COMPLETE))
    assert ids(store, "llama") == []
    assert ids(store, "alpaca") == [conversation_id]


def test_an_older_file_is_searched_after_it_was_brought_up(path: Path) -> None:
    old = Database(path, Schema("chats", CHATS.migrations[:1]))
    with old.writing() as connection:
        connection.execute("INSERT INTO conversations VALUES (1, 't', 'now', 'now', 'm', 2)")
        for number, role, text in ((1, "system", "zebra"), (2, "user", "about llamas")):
            connection.execute(
                "INSERT INTO messages (id, conversation_id, role, content, state, created_at)"
                " VALUES (?, 1, ?, ?, 'complete', 'now')",
                (number, role, text),
            )
    old.close()
    store = ConversationStore(path)
    assert store.notes == ()
    assert store.search("llama") == (FoundConversation(1, 2, "about llamas"),)
    assert store.search("zebra") == ()
    assert not store.conversation(1).is_pinned
    store.close()


def test_an_excerpt_is_one_line_around_the_word() -> None:
    text = "first line\n" * 20 + "here is the\tLlama\x1b[31m and more " + "x" * 200
    assert excerpt(text, "llama").startswith("…")
    assert "here is the Llama" in excerpt(text, "llama")
    assert excerpt(text, "llama").isprintable()
    assert excerpt("short", "absent") == "short"


def test_names_are_kept_and_an_empty_one_gives_back_the_first(
    store: ConversationStore, add: Add
) -> None:
    conversation_id = add("What is a llama?")
    store.rename(conversation_id, "  <b>Animals</b>\nand\tmore ")
    assert store.conversation(conversation_id).title == "<b>Animals</b> and more"
    store.rename(conversation_id, " \n")
    assert store.conversation(conversation_id).title == "What is a llama?"
    store.rename(conversation_id, "x" * 5_000)
    assert len(store.conversation(conversation_id).title) == 200
    store.pin(conversation_id, pinned=True)
    assert store.conversation(conversation_id).is_pinned
    store.pin(conversation_id, pinned=False)
    assert not store.conversations()[0].is_pinned
    for missing in (lambda: store.rename(99, "x"), lambda: store.pin(99, pinned=True)):
        with pytest.raises(NotFound):
            missing()


def test_what_was_deleted_is_in_no_index_and_in_no_page(
    store: ConversationStore, add: Add, path: Path
) -> None:
    secret = "Geheimnis-" + "q" * 40
    one = add(secret, f"{secret} again")
    store.delete_conversation(one)
    assert ids(store, secret) == []
    add(secret, f"{secret} again")
    add("another")
    assert store.delete_all() == 2
    assert store.conversations() == ()
    store.close()
    for file in path.parent.iterdir():
        assert b"Geheimnis" not in file.read_bytes()
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT count(*) FROM message_words").fetchone() == (0,)
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    raw.close()


@pytest.fixture
def chats(store: ConversationStore) -> Chats:
    file = model_file()

    def open_model(model_id: str, cancel: CancelToken) -> LoadTicket:
        return LoadTicket(model_id, clearance_for(file), load_order(file), "fits_cpu", 30)

    return Chats(store, FakeEngine(Answer(("a llama",))), open_model)


def test_an_unsaved_chat_is_answered_and_found_and_never_in_the_file(
    chats: Chats, path: Path
) -> None:
    secret = "Unsaved-" + "w" * 40
    hidden = chats.new_conversation("m", secret, is_saved=False)
    kept = chats.new_conversation("m")
    assert (hidden.is_saved, kept.is_saved) == (False, True)
    assert hidden.id >= UNSAVED_FROM
    for conversation in (hidden, kept):
        answer = chats.send(conversation.id, secret, "m", Sampling(), CancelToken(), no_report)
        assert answer.content == "a llama"
        if conversation is kept:
            break
        chats.regenerate(answer.id, AskWith("m", Sampling()), CancelToken(), no_report)
        chats.pin(hidden.id, pinned=True)
        chats.rename(hidden.id, f"{secret} title")
        assert [len(ids) for ids in chats.versions(hidden.id).values()] == [2]
        assert [f.conversation_id for f in chats.search(secret)] == [hidden.id]
        for file in path.parent.iterdir():
            assert b"Unsaved" not in file.read_bytes()
    assert {c.id for c in chats.conversations()} == {hidden.id, kept.id}
    chats.delete_conversation(hidden.id)
    assert [c.id for c in chats.conversations()] == [kept.id]
    assert chats.delete_all() == 1
    chats.close()


def test_deleting_all_stops_what_is_being_written(chats: Chats) -> None:
    answer = Answer(("a", "b"), pause_before=1)
    chats._engine.answers = [answer]  # type: ignore[attr-defined]
    conversation = chats.new_conversation("m")
    ended: list[Message] = []

    def ask() -> None:
        written = chats.send(conversation.id, "x", "m", Sampling(), CancelToken(), no_report)
        ended.append(written)

    asking = threading.Thread(target=ask)
    asking.start()
    assert answer.paused.wait(10)
    assert chats.delete_all() == 1
    asking.join(10)
    assert [written.state for written in ended] == [MessageState.STOPPED]
    with pytest.raises(NotFound):
        chats.messages(conversation.id)
    chats.close()
