"""Folders of conversations: kept, joined by name, gone without what is in them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from openshelf.chat.archive import ExportForm
from openshelf.chat.exporting import write_export
from openshelf.chat.importing import read_archive
from openshelf.chat.schema import CHATS
from openshelf.chat.store import ConversationStore
from openshelf.database import Database, Schema
from openshelf.errors import NotFound, UsageError


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ConversationStore]:
    store = ConversationStore(tmp_path / "chats.sqlite3")
    yield store
    store.close()


def test_a_chat_is_in_one_folder_and_stays_when_it_goes(
    store: ConversationStore, tmp_path: Path
) -> None:
    chat = store.new_conversation("m")
    work, home = store.folders.add("Work"), store.folders.add("home")
    assert [folder.name for folder in store.folders.all()] == ["home", "Work"]
    store.folders.put(chat.id, work.id)
    store.folders.put(chat.id, home.id)
    assert store.conversation(chat.id).folder_id == home.id
    store.close()
    again = ConversationStore(tmp_path / "chats.sqlite3")
    assert again.conversations()[0].folder_id == home.id
    again.folders.delete(home.id)
    assert again.conversation(chat.id).folder_id is None
    again.folders.put(chat.id, work.id)
    again.folders.put(chat.id, None)
    assert again.conversation(chat.id).folder_id is None
    again.close()


def test_names_join(store: ConversationStore) -> None:
    chat = store.new_conversation("m")
    first, second = store.folders.add("Äpfel"), store.folders.add("Birnen")
    assert store.folders.add(" äpfel\n") == first
    store.folders.put(chat.id, second.id)
    store.folders.rename(second.id, "ÄPFEL")
    assert store.folders.all() == (first,)
    assert store.conversation(chat.id).folder_id == first.id
    store.folders.rename(first.id, "ÄPFEL")
    assert store.folders.all()[0].name == "ÄPFEL"


def test_what_is_not_there_is_said(store: ConversationStore) -> None:
    chat, folder = store.new_conversation("m"), store.folders.add("f")
    for act in (
        lambda: store.folders.put(chat.id, 99),
        lambda: store.folders.put(99, folder.id),
        lambda: store.folders.rename(99, "x"),
        lambda: store.folders.delete(99),
    ):
        with pytest.raises(NotFound):
            act()
    with pytest.raises(UsageError):
        store.folders.add(" \n")


def test_moving_a_chat_is_no_use_of_it(store: ConversationStore) -> None:
    chat = store.new_conversation("m")
    store.folders.put(chat.id, store.folders.add("f").id)
    assert store.conversation(chat.id).updated_at == chat.updated_at


def test_delete_all_takes_the_names_of_folders_too(
    store: ConversationStore, tmp_path: Path
) -> None:
    store.folders.put(store.new_conversation("m").id, store.folders.add("Geheimnis").id)
    assert store.delete_all() == 1
    assert store.folders.all() == ()
    store.close()
    for path in tmp_path.glob("chats.sqlite3*"):
        assert b"Geheimnis" not in path.read_bytes()


def test_the_folder_goes_along_with_an_export(store: ConversationStore, tmp_path: Path) -> None:
    chat = store.new_conversation("m")
    store.add_question(chat.id, None, "q")
    store.folders.put(chat.id, store.folders.add("Work").id)
    path = tmp_path / "chat.json"
    write_export(store.archive(chat.id), path, ExportForm.JSON)
    elsewhere = ConversationStore(tmp_path / "elsewhere.sqlite3")
    first = elsewhere.add_archive(read_archive(path))
    second = elsewhere.add_archive(read_archive(path))
    assert first.folder_id == second.folder_id == elsewhere.folders.all()[0].id
    document = json.loads(path.read_text("utf-8"))
    del document["folder"]
    path.write_text(json.dumps(document), "utf-8")
    assert elsewhere.add_archive(read_archive(path)).folder_id is None
    elsewhere.close()


def test_chats_of_the_version_before_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "chats.sqlite3"
    before = Database(path, Schema("chats", CHATS.migrations[:2]))
    with before.writing() as connection:
        connection.execute(
            "INSERT INTO conversations (title, created_at, updated_at) VALUES ('old', 'a', 'b')"
        )
    before.close()
    store = ConversationStore(path)
    assert [(chat.title, chat.folder_id) for chat in store.conversations()] == [("old", None)]
    store.folders.put(store.conversations()[0].id, store.folders.add("f").id)
    store.close()
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA user_version").fetchone()[0] == len(CHATS.migrations)
