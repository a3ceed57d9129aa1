"""Messages for tests of the chat page."""

from __future__ import annotations

from typing import Any

from openshelf.chat.conversation import Message, MessageState, Role


def message(number: int, role: str, text: str, **changes: Any) -> Message:
    fields = {
        "id": number, "conversation_id": 1, "parent_id": None, "role": Role(role),
        "content": text, "state": MessageState.COMPLETE, "created_at": "2026-11-23T09:00:00Z",
    }  # fmt: skip
    return Message(**{**fields, **changes})
