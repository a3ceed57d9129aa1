"""Export and import: nothing lost, nothing run, nothing half stored."""

from __future__ import annotations

import json
import os
import stat
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typing_extensions import override

from openshelf import wording
from openshelf.chat import importing
from openshelf.chat.archive import Archive, ExportForm
from openshelf.chat.conversation import AnswerFigures, Message, MessageState, Role
from openshelf.chat.exporting import as_html, as_json, as_markdown, write_export
from openshelf.chat.importing import read_archive
from openshelf.chat.store import ConversationStore
from openshelf.errors import BadChatFile, NotFound

HOSTILE = "<script>alert(1)</script> <img src=http://x/y onerror=z> &amp; ]]> \"'"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ConversationStore]:
    store = ConversationStore(tmp_path / "chats.sqlite3")
    yield store
    store.close()


@pytest.fixture
def archive(store: ConversationStore) -> Archive:
    """A system prompt, two versions of an answer, the first one shown with a turn below it."""
    conversation = store.new_conversation("owner/model:Q4", "Be <b>brief</b>.")
    root = store.branch(conversation.id)[0]
    question = store.add_question(conversation.id, root.id, f"What? {HOSTILE}")
    answers = [store.add_answer(question, "owner/model:Q4") for _ in range(2)]
    figures = AnswerFigures(10, 5, 3, 0.2, 100.0, 20.5)
    text = "<think>\nhm <b>\n</think>\n\nSee:\n```python\nx < 1\n```\nand **so** on. 🌈"
    done = MessageState.COMPLETE
    store.update(replace(answers[0], content=text, state=done, figures=figures))
    dead = {"code": "engine_killed", "tail": "/home/me/secret.gguf"}
    store.update(replace(answers[1], content="half", state=MessageState.ENGINE_DIED, detail=dead))
    more = store.add_question(conversation.id, answers[0].id, "<!-- openshelf:user -->\nmore")
    last = store.add_answer(more, "owner/model:Q4")
    store.update(replace(last, content="\\<!-- openshelf:x\nthe end", state=done))
    return store.archive(conversation.id)


def shape(archive: Archive) -> list[tuple[object, ...]]:
    return [
        (m.id, m.parent_id, m.role, m.content, m.state, m.created_at, m.model_id, m.figures)
        for m in archive.messages
    ]


def test_json_brings_back_every_branch(
    store: ConversationStore, archive: Archive, tmp_path: Path
) -> None:
    path = tmp_path / "chat.json"
    write_export(archive, path, ExportForm.JSON)
    assert "secret.gguf" not in path.read_text(encoding="utf-8")
    again = store.add_archive(read_archive(path))
    assert again.id != archive.conversation.id
    assert (again.title, again.model_id) == (archive.conversation.title, "owner/model:Q4")
    assert again.system_prompt == "Be <b>brief</b>."
    copied = store.archive(again.id)
    assert shape(copied) == shape(archive)
    assert copied.leaf_id == archive.leaf_id
    assert [m.content for m in store.branch(again.id)] == [m.content for m in archive.branch()]
    assert [len(ids) for ids in store.versions(again.id).values()] == [2]
    assert store.search("brief") == ()
    assert {f.conversation_id for f in store.search("the end")} == {
        again.id,
        archive.conversation.id,
    }


def test_markdown_is_readable_and_can_be_read_back(archive: Archive, tmp_path: Path) -> None:
    path = tmp_path / "chat.md"
    write_export(archive, path, ExportForm.MARKDOWN)
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {archive.conversation.title}\n")
    assert "**You**" in text
    assert "**Answer by owner/model:Q4**" in text
    again = read_archive(path)
    assert [(m.role, m.content) for m in again.branch()] == [
        (m.role, m.content) for m in archive.branch()
    ]
    assert again.conversation.title == archive.conversation.title


class Elements(HTMLParser):
    """What a browser would make of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    @override
    def handle_data(self, data: str) -> None:
        self.text += data


OURS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "div", "details", "summary",
    "pre", "code", "footer", "p",
}  # fmt: skip


def test_html_shows_everything_and_runs_nothing(archive: Archive, tmp_path: Path) -> None:
    path = tmp_path / "chat.html"
    write_export(archive, path, ExportForm.HTML)
    page = Elements()
    page.feed(path.read_text(encoding="utf-8"))
    assert page.tags == OURS
    assert page.attributes == {"charset", "http-equiv", "content", "name", "class"}
    for text in (f"What? {HOSTILE}", "x < 1\n", "hm <b>", "and **so** on. 🌈", "Be <b>brief</b>."):
        assert text in page.text
    assert "half" not in page.text, "only the branch shown"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.text(), st.text(), st.text())
def test_whatever_was_written_comes_through(
    tmp_path: Path, title: str, question: str, answer: str
) -> None:
    store = ConversationStore(None)
    conversation = store.new_conversation("m")
    asked = store.add_question(conversation.id, None, question)
    written = store.add_answer(asked, "m")
    store.update(replace(written, content=answer, state=MessageState.COMPLETE))
    store.rename(conversation.id, title)
    archive = store.archive(conversation.id)
    page = Elements()
    page.feed(as_html(archive))
    assert page.tags <= OURS
    (tmp_path / "chat.json").write_text(as_json(archive), encoding="utf-8", newline="")
    assert shape(read_archive(tmp_path / "chat.json")) == shape(archive)
    (tmp_path / "chat.md").write_text(as_markdown(archive), encoding="utf-8", newline="")
    again = read_archive(tmp_path / "chat.md").branch()
    for before, after in zip(archive.branch(), again, strict=True):
        # Of line ends Markdown keeps one kind, and none around a message.
        assert after.content == f"{before.content}\n".replace("\r\n", "\n").strip("\n")
    store.close()


@pytest.mark.skipif(os.name != "posix", reason="file modes")
@pytest.mark.parametrize("form", list(ExportForm))
def test_only_the_owner_can_read_it(archive: Archive, tmp_path: Path, form: ExportForm) -> None:
    path = tmp_path / f"chat.{form.value}"
    path.write_text("open to all")
    path.chmod(0o644)
    write_export(archive, path, form)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_cannot_be_written_is_said(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(BadChatFile) as failure:
        write_export(archive, tmp_path, ExportForm.JSON)
    assert failure.value.why == "unwritable"
    assert str(tmp_path) in wording.error_sentence(failure.value)


def document(archive: Archive) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(as_json(archive))
    return plain


CHANGES: dict[str, dict[str, Any]] = {
    "a ring": {"parent": 4},
    "no parent": {"parent": 99},
    "a parent that is true": {"parent": True},
    "another id": {"id": 7},
    "a role": {"role": "tool"},
    "a role at the wrong place": {"role": "system"},
    "a state": {"state": "done"},
    "no content": {"content": None},
    "a long name": {"model_id": "x" * 500},
    "figures": {"figures": {"prompt_tokens": 1}},
    "endless figures": {
        "figures": {
            "prompt_tokens": 1, "completion_tokens": 1, "cached_tokens": 1 << 60,
            "first_token_seconds": 1, "prefill_tokens_per_second": 1,
            "decode_tokens_per_second": 1,
        }
    },
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_field_that_is_wrong_is_named(archive: Archive, tmp_path: Path, change: str) -> None:
    data = document(archive)
    data["messages"][2].update(CHANGES[change])
    (tmp_path / "bad.json").write_text(json.dumps(data))
    with pytest.raises(BadChatFile) as failure:
        read_archive(tmp_path / "bad.json")
    assert failure.value.why == "wrong_field"
    assert next(iter(CHANGES[change])) in failure.value.detail
    assert failure.value.detail in wording.error_sentence(failure.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no_chat"),
        (b"# A note\n\nwithout any chat", "no_chat"),
        (b"{}", "no_chat"),
        (b"{" * 100_000, "no_chat"),
        (b'{"format": "openshelf-chat", "version": 2}', "too_new"),
        (b'{"format": "openshelf-chat", "version": true, "messages": []}', "wrong_field"),
        (b'{"format": "openshelf-chat", "version": 1, "messages": []}', "wrong_field"),
        (b'{"format": "openshelf-chat", "version": NaN}', "no_chat"),
        (b"\xff\xfe\x00PK", "no_chat"),
        (b"<!-- openshelf:assistant -->\nnobody asked", "wrong_field"),
    ],
)
def test_what_is_no_chat_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(BadChatFile) as failure:
        read_archive(tmp_path / "file")
    assert failure.value.why == why
    assert f"BadChatFile.{why}" in wording.TEMPLATES


def test_more_pictures_than_can_be_read_are_refused_at_once(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes a process of its own, so a small file could keep one busy for days."""
    data = document(archive)
    data["messages"][0]["attachments"] = [{"kind": "image", "name": "a.png", "text": ""}] * 3
    (tmp_path / "many.json").write_text(json.dumps(data))
    monkeypatch.setattr(importing, "MOST_PICTURES", 2)
    monkeypatch.setattr(importing, "attachments_from", None)
    with pytest.raises(BadChatFile) as failure:
        read_archive(tmp_path / "many.json")
    assert (failure.value.why, failure.value.detail) == ("wrong_field", "attachments")


def test_a_file_that_is_too_large_or_not_there(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_export(archive, tmp_path / "chat.json", ExportForm.JSON)
    monkeypatch.setattr(importing, "MOST_BYTES", 100)
    for name, why in (("chat.json", "too_large"), ("absent", "unreadable")):
        with pytest.raises(BadChatFile) as failure:
            read_archive(tmp_path / name)
        assert failure.value.why == why


def test_an_unreadable_time_is_the_time_of_the_import(
    store: ConversationStore, archive: Archive, tmp_path: Path
) -> None:
    data = document(archive)
    data["created_at"] = "yesterday"
    data["messages"][0]["created_at"] = ["x"]
    data["messages"][-1]["state"] = "streaming"
    (tmp_path / "chat.json").write_text(json.dumps(data))
    again = store.add_archive(read_archive(tmp_path / "chat.json"))
    assert again.created_at == again.updated_at
    messages = store.archive(again.id).messages
    assert messages[0].created_at == again.updated_at
    assert messages[-1].state is MessageState.STOPPED, "nothing writes it any more"


def test_a_conversation_that_is_gone_cannot_be_exported(store: ConversationStore) -> None:
    with pytest.raises(NotFound):
        store.archive(5)


def test_a_branch_of_an_archive_is_from_root_to_leaf() -> None:
    done, now = MessageState.COMPLETE, "2026-11-26T00:00:00"
    messages = (
        Message(1, 1, None, Role.USER, "a", done, now),
        Message(2, 1, 1, Role.ASSISTANT, "b", done, now),
        Message(3, 1, 1, Role.ASSISTANT, "c", done, now),
    )
    conversation = ConversationStore(None).new_conversation("m")
    assert [m.id for m in Archive(conversation, messages, 3).branch()] == [1, 3]
    assert Archive(conversation, messages, 0).branch() == ()


def test_a_line_of_ticks_takes_no_time(archive: Archive) -> None:
    last = replace(archive.messages[archive.leaf_id - 1], content="`" * 1_000_000)
    messages = tuple(last if m.id == last.id else m for m in archive.messages)
    started = time.process_time()
    as_html(replace(archive, messages=messages))
    assert time.process_time() - started < 3


@pytest.mark.parametrize("unit", [b"[],", b"{},", b'{"a":1},', b"[[[]]],", b"1.5,", b'"",'])
def test_a_file_of_many_values_is_refused_before_they_are_made(tmp_path: Path, unit: bytes) -> None:
    """64 MB of empty lists would take gigabytes."""
    head = b'{"format": "openshelf-chat", "version": 1, "messages": ['
    (tmp_path / "many.json").write_bytes(head + unit * (importing.MOST_PARTS + 1) + b"0]}")
    tracemalloc.start()
    with pytest.raises(BadChatFile) as failure:
        read_archive(tmp_path / "many.json")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert failure.value.why == "too_large"
    assert "values" in wording.error_sentence(failure.value)
    assert peak < 300 << 20


def test_a_long_answer_with_many_commas_is_no_bomb(archive: Archive, tmp_path: Path) -> None:
    last = replace(archive.messages[-1], content="a, [b], {c} " * 500_000)
    write_export(
        replace(archive, messages=(*archive.messages[:-1], last)),
        tmp_path / "long.json",
        ExportForm.JSON,
    )
    assert len(read_archive(tmp_path / "long.json").messages[-1].content) == len(last.content)


def test_numbers_of_any_length_are_only_wrong(archive: Archive, tmp_path: Path) -> None:
    data = document(archive)
    data["messages"][0]["figures"] = {"prompt_tokens": 10**400}
    (tmp_path / "wide.json").write_text(json.dumps(data))
    with pytest.raises(BadChatFile) as failure:
        read_archive(tmp_path / "wide.json")
    assert failure.value.why == "wrong_field"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes")
def test_a_pipe_is_no_chat(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(BadChatFile) as failure:
        read_archive(tmp_path / "pipe.json")
    assert failure.value.why == "unreadable"


def test_a_book_on_one_line_has_a_title_soon(tmp_path: Path) -> None:
    (tmp_path / "book.md").write_text("<!-- openshelf:user -->\n" + "**" * 5_000_000)
    started = time.process_time()
    read = read_archive(tmp_path / "book.md")
    assert time.process_time() - started < 3
    assert len(read.conversation.title) <= 48
