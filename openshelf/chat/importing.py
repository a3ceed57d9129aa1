"""Conversations read from files: our JSON with all branches, our Markdown with one.

A file is hostile: its size, depth and every field are checked before anything is stored, and its
ids are never used as they are.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from openshelf.chat.archive import Archive
from openshelf.chat.attachments import Attachment, AttachmentKind
from openshelf.chat.conversation import AnswerFigures, Conversation, Message, MessageState, Role
from openshelf.chat.exporting import FORMAT, MARK, VERSION
from openshelf.chat.importing_attachments import attachments_from
from openshelf.chat.titles import given_title, storable, title_from
from openshelf.errors import BadChatFile

MOST_BYTES = 64_000_000
MOST_MESSAGES = 100_000
MOST_PICTURES = 1_000
"""Each is read anew in a process of its own."""
MOST_PARTS = 3_000_000
"""Values of a JSON file: each is an object in memory, which takes up to a hundred bytes."""
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_MOST_NAME = 400
_MARK = re.compile(
    rf"^{re.escape(MARK)}(system|user|assistant)"
    r'(?: thought="(\d{1,6}\.\d)")? -->\n(?:\*\*.{0,500}\*\*\n\n)?',
    re.MULTILINE,
)
_MOST_SECONDS = 1_000_000
_LIKE_A_MARK = re.compile(rf"^\\(\\*{re.escape(MARK)})", re.MULTILINE)


class _Wrong(Exception):
    """What is wrong with the file, as a code of BadChatFile and a detail."""

    def __init__(self, why: str, detail: str = "") -> None:
        super().__init__(why, detail)
        self.why, self.detail = why, detail


def read_archive(path: Path) -> Archive:
    """Raises BadChatFile: unreadable, too_large, no_chat, too_new or wrong_field."""
    try:
        if path.exists() and not path.is_file():  # a pipe would never open
            raise BadChatFile("not a file", str(path), "unreadable")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadChatFile(str(error.strerror or error), str(path), "unreadable") from error
    try:
        if len(data) > MOST_BYTES:
            raise _Wrong("too_large", f"{MOST_BYTES // 1_000_000} MB")
        text = data.decode("utf-8-sig", "replace").replace("\r\n", "\n")
        is_json = text.lstrip().startswith("{")
        return _from_json(text) if is_json else _from_markdown(text)
    except _Wrong as wrong:
        raise BadChatFile(wrong.detail, str(path), wrong.why) from None


# --- JSON ---------------------------------------------------------------------------------------


def _from_json(text: str) -> Archive:
    _check_parts(text)
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _Wrong("no_chat") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _Wrong("no_chat")
    version = document.get("version")
    if type(version) is int and version > VERSION:
        raise _Wrong("too_new", str(version))
    if version != VERSION:
        raise _Wrong("wrong_field", "version")
    listed = document.get("messages")
    if not isinstance(listed, list) or not listed or len(listed) > MOST_MESSAGES:
        raise _Wrong("wrong_field", "messages")
    if _pictures_in(listed) > MOST_PICTURES:
        raise _Wrong("wrong_field", "attachments")
    messages: list[Message] = []
    for number, data in enumerate(listed, start=1):
        messages.append(_message(number, data, messages))
    shown = document.get("shown")
    if type(shown) is not int or not 1 <= shown <= len(messages):
        raise _Wrong("wrong_field", "shown")
    title = given_title(_string(document, "title", most=10_000))
    moment = _moment(document, "created_at")
    conversation = Conversation(0, title, moment, moment, _name(document, "model_id"))
    folder = given_title(_string(document, "folder", most=10_000)) if "folder" in document else ""
    return Archive(conversation, tuple(messages), shown, folder)


def _check_parts(text: str) -> None:
    """Before it is parsed: 64 MB of empty lists would become gigabytes."""
    if len(text) <= MOST_PARTS:
        return
    bare = _STRING.sub("", text) if text.count('"') <= 4 * MOST_PARTS else text
    if sum(map(bare.count, ",[{")) > MOST_PARTS:
        raise _Wrong("too_large", f"{MOST_PARTS // 1_000_000} million values")


def _pictures_in(listed: list[Any]) -> int:
    files = (data.get("attachments") for data in listed if isinstance(data, dict))
    return sum(
        isinstance(one, dict) and one.get("kind") == AttachmentKind.IMAGE.value
        for attached in files
        if isinstance(attached, list)
        for one in attached
    )


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _message(number: int, data: object, before: list[Message]) -> Message:
    """Each one comes after its parent, so there is no ring; sides alternate."""
    if not isinstance(data, dict) or data.get("id") != number or type(data["id"]) is not int:
        raise _Wrong("wrong_field", f"messages[{number}].id")
    parent = data.get("parent")
    if parent is not None and (type(parent) is not int or not 1 <= parent < number):
        raise _Wrong("wrong_field", f"messages[{number}].parent")
    role = _one_of(Role, data, "role", number)
    above = before[parent - 1].role if parent is not None else None
    if not _may_follow(role, above):
        raise _Wrong("wrong_field", f"messages[{number}].role")
    state = _one_of(MessageState, data, "state", number)
    return Message(
        number, 0, parent, role, storable(_string(data, "content", most=MOST_BYTES)),
        MessageState.STOPPED if state is MessageState.STREAMING else state,
        _moment(data, "created_at"), _name(data, "model_id"), _figures(data.get("figures"), number),
        attachments=_attachments(data, role, number),
        thought_seconds=_thought_seconds(data, number),
    )  # fmt: skip


def _thought_seconds(data: Mapping[str, Any], number: int) -> float | None:
    value = data.get("thought_seconds")
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value < _MOST_SECONDS:
        raise _Wrong("wrong_field", f"messages[{number}].thought_seconds")
    return float(value)


def _attachments(data: Mapping[str, Any], role: Role, number: int) -> tuple[Attachment, ...]:
    try:
        found = attachments_from(data.get("attachments"))
    except (ValueError, RecursionError):
        raise _Wrong("wrong_field", f"messages[{number}].attachments") from None
    if found and role is not Role.USER:
        raise _Wrong("wrong_field", f"messages[{number}].attachments")
    return found


def _may_follow(role: Role, above: Role | None) -> bool:
    match role:
        case Role.SYSTEM:
            return above is None
        case Role.USER:
            return above is not Role.USER
        case Role.ASSISTANT:
            return above is Role.USER


def _one_of(kind: Any, data: Mapping[str, Any], field: str, number: int) -> Any:
    try:
        return kind(data.get(field))
    except ValueError:
        raise _Wrong("wrong_field", f"messages[{number}].{field}") from None


def _string(data: Mapping[str, Any], field: str, most: int) -> str:
    value = data.get(field)
    if not isinstance(value, str) or len(value) > most:
        raise _Wrong("wrong_field", field)
    return value


def _name(data: Mapping[str, Any], field: str) -> str | None:
    if data.get(field) is None:
        return None
    return storable(_string(data, field, most=_MOST_NAME))


def _moment(data: Mapping[str, Any], field: str) -> str:
    """An ISO time, or empty where it says none: the store has the time of the import then."""
    value = data.get(field)
    try:
        return datetime.fromisoformat(str(value)[:40]).isoformat(timespec="milliseconds")
    except ValueError:
        return ""


def _figures(data: object, number: int) -> AnswerFigures | None:
    if data is None:
        return None
    counts = ("prompt_tokens", "completion_tokens", "cached_tokens")
    rates = ("first_token_seconds", "prefill_tokens_per_second", "decode_tokens_per_second")
    if not isinstance(data, dict):
        raise _Wrong("wrong_field", f"messages[{number}].figures")
    for field in (*counts, *rates):
        value: Any = data.get(field)
        is_number = type(value) is int or (type(value) is float and field in rates)
        # NaN is in no range.
        if not is_number or not 0 <= value < 1 << 53:
            raise _Wrong("wrong_field", f"messages[{number}].figures.{field}")
    return AnswerFigures(**{field: data[field] for field in (*counts, *rates)})


# --- Markdown -----------------------------------------------------------------------------------


def _from_markdown(text: str) -> Archive:
    marks = list(itertools.islice(_MARK.finditer(text), MOST_MESSAGES + 1))
    if not marks or len(marks) > MOST_MESSAGES:
        raise _Wrong("no_chat")
    messages: list[Message] = []
    for number, mark in enumerate(marks, start=1):
        end = marks[number].start() if number < len(marks) else len(text)
        content = _LIKE_A_MARK.sub(r"\1", text[mark.end() : end]).strip("\n")
        role = Role(mark[1])
        if not _may_follow(role, messages[-1].role if messages else None):
            raise _Wrong("wrong_field", f"messages[{number}].role")
        parent = number - 1 or None
        thought = float(mark[2]) if mark[2] and role is Role.ASSISTANT else None
        text_of = storable(content)
        messages.append(
            Message(
                number, 0, parent, role, text_of, MessageState.COMPLETE, "", thought_seconds=thought
            )
        )
    heading = text[: marks[0].start()].strip().removeprefix("#")
    asked = next((message.content for message in messages if message.role is Role.USER), "")
    title = given_title(heading) or title_from(asked)
    return Archive(Conversation(0, title, "", ""), tuple(messages), len(messages))
