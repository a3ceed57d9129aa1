"""Conversations that an earlier version of Openshelf wrote, whichever it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from openshelf.chat.attachments import Attachment, AttachmentKind
from openshelf.chat.schema import CHATS
from openshelf.chat.store import ConversationStore
from openshelf.database import Database, Schema
from openshelf.engine.asking import Sampling

VERSIONS = range(1, len(CHATS.migrations) + 1)


def write_as(version: int, path: Path) -> None:
    """One conversation with one question, by the tables of that version."""
    older = Database(path, Schema(CHATS.name, CHATS.migrations[:version]))
    with older.writing() as connection:
        connection.execute(
            "INSERT INTO conversations (title, created_at, updated_at, model_id, leaf_id)"
            " VALUES ('Why?', '2025-01-01', '2025-01-01', 'm', 1)"
        )
        connection.execute(
            "INSERT INTO messages (conversation_id, role, content, state, created_at)"
            " VALUES (1, 'user', 'Why is the sky blue?', 'complete', '2025-01-01')"
        )
    older.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_is_lost_and_everything_new_can_be_done(version: int, tmp_path: Path) -> None:
    path = tmp_path / "chats.sqlite3"
    write_as(version, path)
    store = ConversationStore(path)
    assert store.notes == ()
    (found,) = store.conversations()
    assert (found.title, found.folder_id, found.sampling) == ("Why?", None, None)
    assert [message.content for message in store.branch(found.id)] == ["Why is the sky blue?"]
    assert [hit.conversation_id for hit in store.search("blue")] == [found.id]
    folder = store.folders.add("Physics")
    store.folders.put(found.id, folder.id)
    store.set_asked(found.id, "m", Sampling(temperature=0.1))
    file = Attachment(AttachmentKind.TEXT, "a.txt", "text", tokens=1)
    store.add_question(found.id, 1, "And this?", [file])
    store.close()
    store = ConversationStore(path)
    (found,) = store.conversations()
    assert (found.folder_id, found.sampling) == (folder.id, Sampling(temperature=0.1))
    assert store.path_to(2)[-1].attachments == (file,)
    store.close()


@pytest.mark.parametrize("version", VERSIONS[:-1])
def test_an_earlier_version_leaves_a_file_of_this_one_alone(version: int, tmp_path: Path) -> None:
    path = tmp_path / "chats.sqlite3"
    write_as(VERSIONS[-1], path)
    before = path.read_bytes()
    earlier = Database(path, Schema(CHATS.name, CHATS.migrations[:version]))
    assert [note.code for note in earlier.notes] == ["chats_too_new"]
    assert earlier.read("SELECT * FROM conversations") == []
    earlier.close()
    assert path.read_bytes() == before
