"""One answer of a chat as the JSON of the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from openshelf import wording
from openshelf.chat.answer_parts import split_answer
from openshelf.chat.attachments import Attachment
from openshelf.chat.conversation import Message
from openshelf.chat.interface import ModelInMemory
from openshelf.engine.asking import Sampling
from openshelf.reasons import Reason


def answer_json(
    answer: Message,
    sampling: Sampling,
    loaded: ModelInMemory | None,
    notes: Sequence[Reason],
    attached: Sequence[Attachment] = (),
) -> dict[str, object]:
    """The shape of docs/cli.md; `value` is the parsed answer where a schema was asked for."""
    figures, server = answer.figures, loaded.server if loaded else None
    held = None if server else loaded
    parts = split_answer(answer.content)
    return {
        "text": parts.answer if parts.calls or parts.reasoning else answer.content,
        "value": _parsed(parts.answer) if sampling.form.json_schema else None,
        "reasoning": parts.reasoning or None,
        "tool_calls": [
            {"name": call.name, "arguments": json.loads(call.arguments)} for call in parts.calls
        ],
        "finish_reason": {"complete": "stop"}.get(answer.state.value, answer.state.value),
        "usage": {
            "prompt_tokens": figures.prompt_tokens if figures else None,
            "completion_tokens": figures.completion_tokens if figures else None,
            "cached_tokens": figures.cached_tokens if figures else None,
        },
        "timings": {
            "load_seconds": loaded.load_seconds if loaded else None,
            "thought_seconds": answer.thought_seconds,
            "first_token_seconds": figures.first_token_seconds if figures else None,
            "prefill_tokens_per_second": figures.prefill_tokens_per_second if figures else None,
            "decode_tokens_per_second": figures.decode_tokens_per_second if figures else None,
        },
        "attachments": [
            {"name": one.name, "tokens": one.tokens, "counted": one.is_counted} for one in attached
        ],
        "context_length": loaded.context_length if loaded else None,
        "notes": [{**note.as_json(), "message": wording.sentence(note)} for note in notes],
        "server": server.name if server else None,
        "leaves_machine": server is not None and not server.is_here,
        "memory": {
            "predicted_bytes": sum(held.predicted_bytes.values()) if held else None,
            "measured_bytes": sum(held.measured_bytes.values()) if held else None,
            "components": [
                {
                    "device": part.device,
                    "component": part.component,
                    "predicted_bytes": part.predicted_bytes,
                    "measured_bytes": part.measured_bytes,
                }
                for part in (held.components if held else ())
            ],
        },
    }


def _parsed(text: str) -> Any:
    """None where it is no JSON: the answer was cut off."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
