"""The wire: every message survives the trip, and nothing else gets through."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openshelf.engine import protocol
from openshelf.engine.protocol import (
    Chat,
    ChatMessage,
    Device,
    Devices,
    Done,
    Load,
    Loaded,
    Ping,
    Plan,
    ProtocolError,
    Sampling,
    Stop,
    Tokens,
    decode,
    encode,
)

MESSAGES = st.one_of([st.from_type(cls) for cls in protocol._MESSAGES.values()])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(MESSAGES)
def test_every_message_survives_the_trip(message: Any) -> None:
    if any(
        isinstance(value, float) and (value != value or abs(value) == float("inf"))
        for value in _leaves(message)
    ):
        with pytest.raises(ValueError, match="JSON"):
            encode(message)
        return
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == message


def _leaves(value: Any) -> list[Any]:
    if dataclasses.is_dataclass(value):
        return [leaf for f in dataclasses.fields(value) for leaf in _leaves(getattr(value, f.name))]
    if isinstance(value, tuple):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


def test_nested_parts_keep_their_types() -> None:
    load = Load(3, "/m.gguf", Plan(4096, tensor_split=(0.5, 1), needed_bytes={"ram": 7}))
    answer = decode(encode(load))
    assert isinstance(answer, Load)
    assert answer.plan.tensor_split == (0.5, 1.0)
    assert answer.plan.needed_bytes == {"ram": 7}
    chat = Chat(4, (ChatMessage("user", "a\nb\u2028c"),), Sampling(stop=("x",), seed=None))
    assert decode(encode(chat)) == chat
    devices = Devices(0, "1", (Device("CPU", "AMD", "cpu", 1, 2),))
    assert decode(encode(devices)) == devices


def test_unknown_fields_are_ignored_and_missing_ones_take_their_default() -> None:
    document = json.loads(encode(Load(1, "p", Plan(512))))
    document["later"] = {"x": 1}
    document["plan"] = {"context_length": 512, "later": []}
    assert decode(json.dumps(document).encode()) == Load(1, "p", Plan(512))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"id": 1}',
        b'{"kind": "Shutdown", "id": 1}',
        b'{"kind": ["Ping"], "id": 1}',
        b'{"kind": "Ping"}',
        b'{"kind": "Ping", "id": "1"}',
        b'{"kind": "Ping", "id": true}',
        b'{"kind": "Ping", "id": 1.0}',
        b'{"kind": "LoadProgress", "id": 1, "fraction": NaN}',
        b'{"kind": "LoadProgress", "id": 1, "fraction": 1' + b"0" * 400 + b"}",
        b'{"kind": "Load", "id": 1, "path": "p", "plan": 4}',
        b'{"kind": "Chat", "id": 1, "messages": {}, "sampling": {}}',
        b'{"kind": "Chat", "id": 1, "messages": [{"role": "user"}], "sampling": {}}',
        b'{"kind": "Load", "id": 1, "path": "p", "plan": {"context_length": null}}',
        b'{"kind": "Load", "id": 1, "path": "p", "plan": {"context_length":1,"needed_bytes":[]}}',
        b"[" * 200_000,
        b'{"kind": "Ping", "id": 1}' + b" " * protocol.MAX_LINE_BYTES,
    ],
)
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(line)


@given(st.dictionaries(st.sampled_from(["kind", "id", "path", "plan", "text"]), JSON_VALUES))
def test_any_json_is_a_message_or_a_protocol_error(document: dict[str, Any]) -> None:
    try:
        message = decode(json.dumps(document).encode())
    except ProtocolError:
        return
    assert type(message).__name__ == document["kind"]


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_a_protocol_error(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(line)


def test_lone_surrogates_do_not_stop_the_wire() -> None:
    answer = decode(encode(Tokens(1, "a\ud800b", 1)))
    assert answer == Tokens(1, "a?b", 1)


def test_whole_numbers_are_floats_too() -> None:
    line = b'{"kind":"Done","id":1,"finish_reason":"stop","prompt_tokens":1,"completion_tokens":1,'
    line += b'"cached_tokens":0,"first_token_seconds":0,"prefill_tokens_per_second":1,'
    line += b'"decode_tokens_per_second":2}'
    done = decode(line)
    assert isinstance(done, Done)
    assert type(done.decode_tokens_per_second) is float
    assert done.template == "model"


def test_the_kinds_are_those_of_the_module() -> None:
    assert {type(m).__name__ for m in (Ping(1), Stop(1, 2))} <= set(protocol._MESSAGES)
    assert Loaded.__name__ in protocol._MESSAGES
