"""What an answer is made of: thoughts, words, and calls of tools as each family writes them."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openshelf.chat.answer_parts import as_history, split_answer
from openshelf.chat.tool_calls import MARKS, ToolCall

CALL = {"city": "Zürich", "days": 3}
SHOWN = ToolCall("get_weather", json.dumps(CALL, ensure_ascii=False, indent=2))
JSON = json.dumps(CALL, ensure_ascii=False)
BEGIN, END = "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>"

FAMILIES = {
    "qwen, hermes": f'<tool_call>\n{{"name": "get_weather", "arguments": {JSON}}}\n</tool_call>',
    "qwen3-coder": "<tool_call>\n<function=get_weather>\n<parameter=city>\nZürich\n</parameter>\n"
    "<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>",
    "glm": "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Zürich</arg_value>\n"
    "<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>",
    "llama": f'{{"name": "get_weather", "parameters": {JSON}}}',
    "llama with a tag": f'<|python_tag|>{{"name": "get_weather", "parameters": {JSON}}}',
    "mistral": f'[TOOL_CALLS][{{"name": "get_weather", "arguments": {JSON}}}]',
    "mistral, later": f"[TOOL_CALLS]get_weather[CALL_ID]a1b2c3d4e[ARGS]{JSON}",
    "gpt-oss": "<|channel|>analysis<|message|>They ask for the weather.<|end|><|start|>assistant"
    f"<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{JSON}<|call|>",
    "deepseek": f"<｜tool▁calls▁begin｜>{BEGIN}function<｜tool▁sep｜>get_weather\n```json\n{JSON}\n"
    f"```{END}<｜tool▁calls▁end｜>",
    "deepseek, later": f"<｜tool▁calls▁begin｜>{BEGIN}get_weather<｜tool▁sep｜>{JSON}{END}"
    "<｜tool▁calls▁end｜>",
    "arguments as text": '<tool_call>{"name": "get_weather", "arguments": '
    f"{json.dumps(JSON)}}}</tool_call>",
}


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family(family: str) -> None:
    parts = split_answer(FAMILIES[family])
    assert parts.calls == (SHOWN,)
    assert parts.answer == ""
    assert parts.reasoning == ("They ask for the weather." if family == "gpt-oss" else "")
    assert not parts.is_thinking


@pytest.mark.parametrize("family", [f for f in FAMILIES if f not in ("llama", "gpt-oss")])
def test_words_before_and_thoughts_stay(family: str) -> None:
    parts = split_answer(f"<think>\nhm\n</think>\n\nI look.\n\n{FAMILIES[family]}")
    assert (parts.reasoning, parts.answer) == ("hm", "I look.")
    assert parts.calls == (SHOWN,)


def test_several_calls() -> None:
    hermes = FAMILIES["qwen, hermes"]
    assert split_answer(f"{hermes}\n{hermes}").calls == (SHOWN, SHOWN)
    llama = FAMILIES["llama"]
    assert split_answer(f"{llama}; {llama}").calls == (SHOWN, SHOWN)
    listed = json.dumps([{"name": "a", "arguments": {}}, {"name": "b", "arguments": {}}])
    assert [c.name for c in split_answer(f"[TOOL_CALLS]{listed}").calls] == ["a", "b"]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_being_written_is_text_until_it_is_whole(family: str) -> None:
    whole = FAMILIES[family]
    for length in range(len(whole)):
        parts = split_answer(whole[:length])
        assert parts.calls in ((), (SHOWN,))
        if "tool_call>" in whole and length < len(whole):
            assert parts.calls == ()
            assert length < 8 or parts.answer, "shown as text"


BROKEN = [
    "<tool_call>not json</tool_call>",
    '<tool_call>{"name": "x"</tool_call>',
    '<tool_call>{"name": 7, "arguments": {}}</tool_call>',
    '<tool_call>{"name": "a b<script>", "arguments": {}}</tool_call>',
    '<tool_call>{"name": "x", "arguments": [1]}</tool_call>',
    '<tool_call>{"name": "x", "arguments": "not json"}</tool_call>'.replace("not json", "[1]"),
    "[TOOL_CALLS]", "[TOOL_CALLS][]", "[TOOL_CALLS]7", "[TOOL_CALLS]x[ARGS]", "<|python_tag|>",
    "<|python_tag|>print(1)", "<｜tool▁calls▁begin｜>", f"<｜tool▁calls▁begin｜>{BEGIN}x{END}",
    '{"name": "Ada", "age": 3}', '{"name": "Ada"}', '{"parameters": {}}', "{", "{}", "[1, 2]",
    "<tool_call>" * 1000, "<tool_call>" + "[" * 100_000 + "</tool_call>",
    '{"name": "x", "parameters": {"a": ' + "[" * 50_000,
]  # fmt: skip


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_what_is_broken_is_text(text: str) -> None:
    started = time.monotonic()
    parts = split_answer(text)
    assert parts.calls == ()
    assert parts.answer == text
    assert time.monotonic() - started < 2


@given(
    st.lists(
        st.sampled_from(
            [*MARKS, "</tool_call>", "[ARGS]", BEGIN, END, '{"name": "x", "arguments": {}}', "{",
             "}", "<|channel|>", "<|message|>", "final", "analysis", "<|end|>", "<think>", "words"]
        ),
        max_size=12,
    )
)  # fmt: skip
def test_nothing_raises_and_no_word_is_lost(pieces: list[str]) -> None:
    text = " ".join(pieces)
    parts = split_answer(text)
    assert text.count("words") >= parts.answer.count("words")
    if not text.lstrip().startswith("<|channel|>") and not parts.calls:
        assert parts.answer.count("words") + parts.reasoning.count("words") == text.count("words")


def test_many_marks_take_no_time() -> None:
    """Each look at an answer that is being written goes through all of it."""
    text = "words " * 100_000
    started = time.process_time()
    for _ in range(10):
        split_answer(text)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "piece",
    ["{mark}", "{mark}[", "{mark}a[ARGS]{{", "{mark}{{", '{{"name": "f", "arguments": {{}}}};'],
)
def test_marks_without_calls_take_no_time(piece: str) -> None:
    """A megabyte of them took minutes: each was held against all that follows."""
    for mark in MARKS:
        text = piece.format(mark=mark) * (1_000_000 // len(piece.format(mark=mark)))
        started = time.process_time()
        parts = split_answer(text)
        assert time.process_time() - started < 3
        assert parts.calls == ()
        assert parts.answer == text


# --- gpt-oss --------------------------------------------------------------------------------------

HARMONY = (
    "<|channel|>analysis<|message|>Think.<|end|><|start|>assistant<|channel|>final<|message|>"
    "It is **42**."
)


def test_the_channels_of_gpt_oss() -> None:
    parts = split_answer(HARMONY)
    assert (parts.reasoning, parts.answer, parts.is_thinking) == ("Think.", "It is **42**.", False)
    begun = split_answer(HARMONY[:36])
    assert begun.is_thinking
    assert (begun.reasoning, begun.answer) == ("Think.", "")
    assert split_answer("<|channel|>ana") == split_answer("<|channel|>")
    assert split_answer("<|channel|>final<|message|>At once.").answer == "At once."


def test_its_template_gets_back_only_what_was_said() -> None:
    assert as_history(HARMONY) == "It is **42**."
    thought = "<think>\nhm\n</think>\n\nIt is 42."
    assert as_history(thought) == thought


def test_magistral_thinks_in_brackets() -> None:
    parts = split_answer("[THINK]hm[/THINK]Yes.")
    assert (parts.reasoning, parts.answer) == ("hm", "Yes.")
    assert split_answer("[THINK]hm").is_thinking
