"""Rows of the conversations' tables as what they mean."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from typing import Any

from openshelf.chat.conversation import AnswerFigures, Message, MessageState, Role


def row_id(cursor: sqlite3.Cursor) -> int:
    return int(cursor.lastrowid or 0)


def message_from(row: tuple[Any, ...]) -> Message:
    *plain, figures, detail, thought_seconds = row
    message = Message(*plain)
    return dataclasses.replace(
        message,
        role=Role(message.role),
        state=MessageState(message.state),
        figures=None if figures is None else AnswerFigures(**json.loads(figures)),
        detail=None if detail is None else json.loads(detail),
        thought_seconds=thought_seconds,
    )
