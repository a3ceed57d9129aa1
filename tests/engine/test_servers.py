"""Addresses and names of servers, what settings may hold, and text that a server makes up."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openshelf.engine.remote_answers import Unreadable, count_in, models_in, prompt_in, redacted
from openshelf.engine.remote_stream import Piece, ReasoningMarks, piece_in, without_reasoning
from openshelf.engine.servers import (
    Server,
    ServerModelName,
    checked_address,
    checked_server,
    server_model_of,
    servers_from,
    servers_table,
)
from openshelf.errors import UsageError
from openshelf.network import NetworkWishes, options_for_server
from openshelf.settings import Settings, read_settings, write_settings

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "content", "usage", "error", "message", "role", "data", "id",
                 "prompt_tokens", "completion_tokens", "finish_reason", "reasoning_content", "meta"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("localhost:11434", "http://localhost:11434/v1"),
        ("127.0.0.1:8080/", "http://127.0.0.1:8080/v1"),
        ("[::1]:8080", "http://[::1]:8080/v1"),
        ("192.168.1.5:8000", "http://192.168.1.5:8000/v1"),
        ("gpu", "http://gpu/v1"),
        ("gpu.example.org", "https://gpu.example.org/v1"),
        ("http://GPU.example.org:8000", "http://gpu.example.org:8000/v1"),
        (" https://x.example/openai/v1/ ", "https://x.example/openai/v1"),
        ("https://x.example/v1/chat/completions", "https://x.example/v1"),
        ("https://x.example/v1/models", "https://x.example/v1"),
    ],
)
def test_addresses(written: str, address: str) -> None:
    assert checked_address(written) == address
    assert checked_address(address) == address


@pytest.mark.parametrize(
    "written",
    [
        "", " ", "ftp://x", "http://", "http://x:port", "http://x:99999", "x y", "http://x/v1?k=s",
        "http://me:secret@x", "http://me@x", "http://x/#f", "http://ex\u00e4mple", "http://[::1",
        "http://x\n.example", "javascript:alert(1)", "http://" + "x" * 600,
    ],
)  # fmt: skip
def test_what_is_no_address(written: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked_address(written)
    assert "secret" not in caught.value.detail


@pytest.mark.parametrize("name", ["", " ", "a/b", "a:b", "-x", "x" * 41, "\u202ex", "a\nb\x00"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(UsageError):
        checked_server(name, "http://x")


@pytest.mark.parametrize(
    ("address", "is_here"),
    [
        ("http://localhost:1/v1", True), ("http://127.9.9.9/v1", True), ("http://[::1]/v1", True),
        ("http://127.0.0.1.example/v1", False), ("http://192.168.0.1/v1", False),
        ("http://0.0.0.0/v1", False), ("http://localhost.example/v1", False),
    ],
)  # fmt: skip
def test_which_are_here(address: str, is_here: bool) -> None:
    assert Server("x", address).is_here == is_here


def test_ids() -> None:
    name = ServerModelName("GPU box", "Qwen/Qwen3-32B:latest")
    assert server_model_of(name.id) == name
    for other in (None, "", "owner/repo@12345678:x", "server:", "server:x", "server:/x"):
        assert server_model_of(other) is None


def test_settings_keep_servers_and_drop_what_is_none() -> None:
    servers = (Server("a", "http://a/v1", 4096, ("m", "n/o")), Server("B", "https://b/v1"))
    settings = Settings(servers=servers_table(servers))
    again = read_settings(write_settings(settings))
    assert servers_from(again.servers) == servers
    odd = {
        "x": {"address": "http://me:secret@x"}, "y": {"address": 7}, "z": "text", "a/b": {},
        "ok": {"address": "ok", "context_length": -1, "models": ["m", 3, "\n", "x" * 999]},
    }  # fmt: skip
    assert servers_from(odd) == (Server("ok", "http://ok/v1", None, ("m",)),)


def test_a_server_gets_the_networks_options_without_the_hubs() -> None:
    environment = {
        "HF_ENDPOINT": "https://hub.example", "HF_TOKEN": "hf_secret", "HTTP_PROXY": "http://p:1",
        "HTTPS_PROXY": "http://s:2", "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
    wishes = NetworkWishes(ca_file="/ca.pem", token_for=lambda endpoint: "stored")
    options = options_for_server(environment, wishes, "http://gpu.example:8000/v1")
    assert (options.token, options.ca_file, options.offline) == (None, "/ca.pem", True)
    assert options.proxy == "http://p:1"
    assert options_for_server(environment, wishes, "https://x/v1").proxy == "http://s:2"


# --- hostile text -------------------------------------------------------------------------------


@given(st.text(max_size=60) | JSON.map(json.dumps))
def test_whatever_an_event_holds(data: str) -> None:
    try:
        piece = piece_in(data)
    except Unreadable:
        return
    assert isinstance(piece.text, str)
    assert isinstance(piece.reasoning, str)
    assert piece.finish_reason in ("", "stop", "length")


@given(st.text(max_size=60) | JSON.map(json.dumps))
def test_whatever_a_list_holds(data: str) -> None:
    for read in (models_in, count_in, prompt_in):
        try:
            read(data)
        except Unreadable:
            continue


@given(st.lists(st.tuples(st.booleans(), st.text(max_size=5)), max_size=8))
def test_thoughts_and_words_lose_nothing(parts: list[tuple[bool, str]]) -> None:
    marks = ReasoningMarks()
    text = "".join(
        "".join(marks.text_of(Piece(reasoning=t) if thinks else Piece(text=t)))
        for thinks, t in parts
    )
    bare = text.replace("<think>\n", "").replace("\n</think>\n\n", "")
    whole = "".join(t for _, t in parts)
    assert bare.replace("<think>\n", "") == whole.replace("<think>\n", "").replace(
        "\n</think>\n\n", ""
    )


def test_thoughts_are_left_out_of_what_is_sent_back() -> None:
    assert without_reasoning("<think>\nHm.\n</think>\n\nYes.") == "Yes."
    for kept in ("Yes.", "<think>\nstill thinking", "I said <think>x</think>."):
        assert without_reasoning(kept) == kept


def test_what_a_server_says_is_cut_cleaned_and_without_the_key() -> None:
    said = redacted("Bad\x1b[31m key sk-1\n\u202e" + "x" * 5000, "sk-1")
    assert "sk-1" not in said
    assert len(said) <= 300
    assert said.startswith("Bad [31m key •••")
