"""What a server is asked with beyond words, and the calls of tools that come back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from openshelf.chat.answer_parts import split_answer
from openshelf.engine.asking import AnswerForm, ChatMessage, Sampling
from openshelf.engine.remote_asking import chat_body
from openshelf.errors import EngineFailed
from openshelf.tasks import CancelToken
from tests.fakes.model_server import FakeModelServer
from tests.fakes.servers import clearance_for_server, remote_engine, server_order

HELLO = (ChatMessage("user", "Hello"),)


@pytest.fixture
def server() -> Iterator[FakeModelServer]:
    with FakeModelServer() as running:
        yield running


def ask(server: FakeModelServer) -> str:
    engine, order = remote_engine(), server_order(server.address)
    engine.load(clearance_for_server(order), order, CancelToken())
    parts: list[str] = []
    engine.chat(HELLO, Sampling(), CancelToken(), lambda text, count: parts.append(text))
    return "".join(parts)


def test_what_was_not_changed_is_not_sent() -> None:
    body = chat_body("m", HELLO, Sampling(max_tokens=0))
    assert set(body) == {
        "model", "messages", "stream", "stream_options", "temperature", "top_p"
    }  # fmt: skip


def test_a_form_in_the_words_of_servers() -> None:
    schema, tools = {"type": "object"}, [{"type": "function", "function": {"name": "f"}}]
    form = AnswerForm(
        thinking=False, effort="low", json_schema=json.dumps(schema), tools=json.dumps(tools)
    )
    body = chat_body("m", HELLO, Sampling(form=form))
    assert body["chat_template_kwargs"] == {"enable_thinking": False, "thinking": False}
    assert body["reasoning_effort"] == "low"
    assert body["response_format"]["json_schema"]["schema"] == schema
    assert body["tools"] == tools


@pytest.mark.parametrize(
    ("form", "why"),
    [(AnswerForm(json_schema="{"), "bad_schema"), (AnswerForm(tools="["), "bad_tools")],
)
def test_a_form_that_is_no_json(form: AnswerForm, why: str) -> None:
    with pytest.raises(EngineFailed) as caught:
        chat_body("m", HELLO, Sampling(form=form))
    assert caught.value.why == why


def test_pictures_go_along_before_the_words() -> None:
    message = ChatMessage("user", "What is it?", images=("/9j/abc", "iVBORw0"))
    (sent,) = chat_body("m", (message,), Sampling())["messages"]
    urls = [part["image_url"]["url"] for part in sent["content"][:2]]
    assert urls == ["data:image/jpeg;base64,/9j/abc", "data:image/png;base64,iVBORw0"]
    assert sent["content"][2] == {"type": "text", "text": "What is it?"}


def test_attached_text_goes_along() -> None:
    message = ChatMessage("user", "What is it?", attached="The file says: llama.")
    (sent,) = chat_body("m", (message,), Sampling())["messages"]
    assert sent["content"] == "The file says: llama.\n\nWhat is it?"


def test_calls_of_tools_in_pieces(server: FakeModelServer) -> None:
    first: dict[str, Any] = {"index": 0, "id": "c1", "function": {"name": "add", "arguments": "{"}}
    server.tokens = []
    server.tool_calls = [
        [first],
        [{"index": 1, "function": {"name": "now", "arguments": None}}],
        [{"index": 0, "function": {"arguments": '"a": 1}'}}, "nothing", {"function": 3}],
    ]
    parts = split_answer(ask(server))
    assert [(call.name, json.loads(call.arguments)) for call in parts.calls] == [
        ("add", {"a": 1}),
        ("now", {}),
    ]
    assert parts.answer.strip() == ""


@pytest.mark.parametrize("fault", ["", "no_reason"])
def test_a_call_right_after_thoughts_is_none_of_them(server: FakeModelServer, fault: str) -> None:
    """Reasoning models call tools without a word; some servers end without a reason."""
    server.reasoning, server.tokens = ["Add them."], []
    server.tool_calls = [[{"index": 0, "function": {"name": "add", "arguments": "{}"}}]]
    if fault:
        server.fail(fault)
    parts = split_answer(ask(server))
    assert [call.name for call in parts.calls] == ["add"]
    assert (parts.reasoning, parts.answer, parts.is_thinking) == ("Add them.", "", False)
