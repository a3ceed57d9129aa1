"""Answers held to a JSON schema, and schemas that would rather hold the engine."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openshelf.engine.asking import AnswerForm, ChatMessage, Sampling
from openshelf.engine.process import Engine
from openshelf.engine.protocol import Plan
from openshelf.engine.worker_failures import Refusal
from openshelf.errors import EngineFailed
from openshelf.tasks import CancelToken
from tests.fakes.engine import clearance_for, load_order, model_file

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "age": {"type": "integer"},
        'the "tags"': {"type": "array", "items": {"enum": ["a", 'b"c', "d\\e"]}, "maxItems": 3},
    },
    "required": ["name", "age", 'the "tags"'],
    "additionalProperties": False,
}
QUESTION = ChatMessage("user", "Invent a person.")


@pytest.fixture(scope="module")
def engine(starter_model: Path) -> Iterator[Engine]:
    engine = Engine()
    file = model_file(str(starter_model), starter_model.stat().st_size)
    engine.load(clearance_for(file), load_order(file, plan=Plan(2048)), CancelToken())
    yield engine
    engine.close()


def ask(engine: Engine, schema: object, **changes: Any) -> tuple[str, str]:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    form = AnswerForm(json_schema=text)
    sampling = Sampling(**{"max_tokens": 300, "seed": 1, **changes}, form=form)
    parts: list[str] = []
    done = engine.chat([QUESTION], sampling, CancelToken(), lambda text, _: parts.append(text))
    return "".join(parts), done.finish_reason


@pytest.mark.model
@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_an_answer_keeps_to_its_schema(engine: Engine, temperature: float) -> None:
    for seed in range(3):
        text, reason = ask(engine, PERSON, temperature=temperature, seed=seed)
        assert reason == "stop"
        value = json.loads(text)
        assert set(value) == set(PERSON["properties"])
        assert isinstance(value["name"], str)
        assert len(value["name"]) <= 20
        assert type(value["age"]) is int
        assert set(value['the "tags"']) <= {"a", 'b"c', "d\\e"}
        assert len(value['the "tags"']) <= 3


@pytest.mark.model
def test_without_a_schema_the_same_model_writes_no_json(engine: Engine) -> None:
    parts: list[str] = []
    sampling = Sampling(temperature=0, max_tokens=40)
    engine.chat([QUESTION], sampling, CancelToken(), lambda text, _: parts.append(text))
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads("".join(parts))


@pytest.mark.model
@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
         lambda v: len(v) == 2),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 0, "maxItems": 0},
         lambda v: v == []),
        ({"type": "string", "pattern": "^[a-c]{3,5}$"}, lambda v: 3 <= len(v) <= 5),
        ({"type": "string", "minLength": 4, "maxLength": 500}, lambda v: 4 <= len(v) <= 500),
        ({"anyOf": [{"type": "boolean"}, {"const": "x"}]}, lambda v: v in (True, False, "x")),
        ({"$defs": {"n": {"type": "integer"}}, "type": "object",
          "properties": {"n": {"$ref": "#/$defs/n"}}, "required": ["n"]},
         lambda v: type(v["n"]) is int),
    ],
)  # fmt: skip
def test_shapes(engine: Engine, schema: dict[str, Any], fits: Any) -> None:
    text, reason = ask(engine, schema, temperature=1.0, max_tokens=600)
    assert reason == "stop"
    assert fits(json.loads(text))


def nested(depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        found = {"type": "array", "items": found}
    return found


def doubling(levels: int) -> dict[str, Any]:
    """Each level names the next one twice: 2^levels if it were written out."""
    defs: dict[str, Any] = {f"d{levels}": {"type": "null"}}
    for n in range(levels):
        ref = {"$ref": f"#/$defs/d{n + 1}"}
        defs[f"d{n}"] = {"type": "object", "properties": {"a": ref, "b": ref}}
    return {"$ref": "#/$defs/d0", "$defs": defs}


HOSTILE: dict[str, Any] = {
    "no JSON": "{",
    "a number": "7",
    "a list": "[]",
    "half a surrogate": '{"const": "\\ud800',
    "deep": nested(200),
    "deeper than Python": '{"items":' * 50_000 + "{}" + "}" * 50_000,
    "too many parts": {"enum": list(range(9000))},
    "too long": {"const": "x" * 70_000},
    "many copies": {"type": "string", "maxLength": 10**9},
    "many items": {"type": "array", "items": {}, "minItems": 10**7},
    "negative": {"type": "string", "minLength": -5},
    "pattern of billions": {"type": "string", "pattern": "^(a{1000}){99999}$"},
    "pattern without ends": {"type": "string", "pattern": "a"},
    "open bracket": {"type": "string", "pattern": "^[a$"},
    "a fetch": {"$ref": "https://example.invalid/schema.json"},
    "a file": {"$ref": "file:///etc/passwd"},
    "itself": {"$ref": "#"},
    "nowhere": {"$ref": "#/$defs/none"},
    "wrong type": {"type": 7},
    "properties as a list": {"type": "object", "properties": [1]},
    "ring": {
        "$ref": "#/$defs/a",
        "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
    },
    "rings in a union": {
        "$ref": "#/$defs/a",
        "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}},
    },
}  # fmt: skip


@pytest.mark.model
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_schema_is_refused_and_the_engine_goes_on(engine: Engine, name: str) -> None:
    started = time.monotonic()
    pid = engine.pid
    with pytest.raises(EngineFailed) as raised:
        ask(engine, HOSTILE[name], max_tokens=5)
    assert raised.value.why == "bad_schema"
    assert time.monotonic() - started < 10
    assert engine.pid == pid, "the same worker"
    assert json.loads(ask(engine, {"type": "boolean"})[0]) in (True, False)


@pytest.mark.model
@pytest.mark.parametrize(
    "schema",
    [
        doubling(20),
        {"type": "array", "items": {"type": "array", "items": {"type": "string", "minLength": 900},
                                    "minItems": 900}, "minItems": 900},
        {"type": "string", "pattern": "^((a*)*)*$"},
        {"type": "string", "pattern": '^"\nroot ::= "x"$'},
        {"type": "string", "pattern": "^(a|a|a|a)*$"},
        nested(28),
    ],
    ids=["doubling", "900 of 900 of 900", "stars", "another rule", "ambiguous", "28 levels"],
)  # fmt: skip
def test_a_schema_at_the_limit_ends_in_time(engine: Engine, schema: dict[str, Any]) -> None:
    """Refused or kept to for some tokens; never a death or a hang."""
    started = time.monotonic()
    pid = engine.pid
    why = ""
    try:
        ask(engine, schema, max_tokens=8)
    except EngineFailed as error:
        why = error.why
    assert why in ("", "bad_schema", "schema_stuck")
    assert time.monotonic() - started < 10
    assert engine.pid == pid


def test_a_key_with_quotes_stays_inside_its_literal() -> None:
    from openshelf.engine.worker_grammar import grammar_of

    grammar = grammar_of(json.dumps({"const": 'a"b\\c'}))
    assert grammar.splitlines()[0] == 'root ::= "\\"a\\\\\\"b\\\\\\\\c\\""'


def test_control_characters_are_no_part_of_a_string() -> None:
    from openshelf.engine.worker_grammar import grammar_of

    assert "\\x00-\\x1F" in grammar_of('{"type": "string"}')


def test_a_converter_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    from openshelf.engine import worker_grammar

    def forever(*_: object) -> str:
        while True:
            pass

    monkeypatch.setattr(worker_grammar, "CONVERT_SECONDS", 0.2)
    monkeypatch.setattr(worker_grammar._Converter, "visit", forever)
    with pytest.raises(Refusal) as raised:
        worker_grammar.grammar_of('{"type": "string"}')
    assert raised.value.why == "bad_schema"
