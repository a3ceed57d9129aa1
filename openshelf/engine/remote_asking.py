"""What a server is asked with: the body of /chat/completions, attached files included.

Fields outside of OpenAI's own go along only where they were changed: some servers refuse what they
do not know.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from openshelf.engine.asking import AnswerForm, ChatMessage, Sampling
from openshelf.engine.remote_stream import without_reasoning
from openshelf.errors import EngineFailed

_USUAL = Sampling()
_JPEG = "/9j/"
"""How a JPEG file begins in base64; everything else that goes along is PNG."""


def chat_body(model: str, messages: Sequence[ChatMessage], sampling: Sampling) -> dict[str, Any]:
    """Raises EngineFailed (bad_schema, bad_tools) for a schema or tools that are no JSON."""
    body: dict[str, Any] = {
        "model": model,
        "messages": plain_messages(messages),
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
    }
    if sampling.max_tokens > 0:
        body["max_tokens"] = sampling.max_tokens
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.top_k != _USUAL.top_k:
        body["top_k"] = sampling.top_k
    if sampling.min_p != _USUAL.min_p:
        body["min_p"] = sampling.min_p
    if sampling.repeat_penalty != _USUAL.repeat_penalty:
        # llama-server says the first, vLLM and SGLang the second.
        body["repeat_penalty"] = body["repetition_penalty"] = sampling.repeat_penalty
    if messages and messages[-1].role == "assistant":
        # vLLM and SGLang begin another answer without these; llama-server and Ollama go on anyway.
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    return body | _form(sampling.form)


def _form(form: AnswerForm) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if form.thinking is not None:
        # vLLM, SGLang and llama-server hand these to the template, under either name.
        body["chat_template_kwargs"] = {"enable_thinking": form.thinking, "thinking": form.thinking}
    if form.effort:
        body["reasoning_effort"] = form.effort
    if form.json_schema:
        schema = {"name": "answer", "schema": _read(form.json_schema, "bad_schema"), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if form.tools:
        body["tools"] = _read(form.tools, "bad_tools")
    return body


def _read(text: str, why: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EngineFailed(why, str(error)[:300]) from error


def plain_messages(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """Earlier answers go without their thoughts, except one that is to be gone on with."""
    last = len(messages) - 1
    return [
        {"role": message.role, "content": _content(message, is_last=number == last)}
        for number, message in enumerate(messages)
    ]


def _content(message: ChatMessage, *, is_last: bool) -> str | list[dict[str, Any]]:
    if message.role == "assistant" and not is_last:
        return without_reasoning(message.content)
    if not message.images:
        return message.whole
    pictures = [
        {"type": "image_url", "image_url": {"url": f"data:{_kind(image)};base64,{image}"}}
        for image in message.images
    ]
    return [*pictures, {"type": "text", "text": message.whole}]


def _kind(image: str) -> str:
    return "image/jpeg" if image.startswith(_JPEG) else "image/png"
