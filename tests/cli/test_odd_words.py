"""What a script may get wrong on the command line: empty words, stray options, closed streams."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from openshelf.cli import main
from openshelf.cli.main import run_command
from tests.cli.test_library_commands import ask


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("verify", ""), "ID"),
        (("roots", "add", ""), "PATH"),
        (("import", ""), "PATH"),
        (("export", "", "x"), "ID"),
        (("shelf", "--policy", ""), "--policy"),
        (("policy", "check", "--policy", ""), "--policy"),
        (("install", "a/b", "--accept-as", ""), "--accept-as"),
        (("bom", "--output", ""), "--output"),
        (("acceptances", "list", "--person", ""), "--person"),
        (("engine", "--use", ""), "--use"),
        (("hardware", "--set", ""), "--set"),
    ],
)
def test_an_empty_word_is_no_word_left_out(
    words: tuple[str, ...], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, answer = ask(capsys, *words)
    assert (status, answer["error"]["code"]) == (2, "usage")
    assert (answer["error"]["why"], answer["error"]["name"]) == ("empty", name)
    assert answer["error"]["message"].startswith(f"{name} is empty")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("downloads", "--pause"), "--pause"),
        (("downloads", "next", "x", "--for", "y"), "--for"),
        (("servers", "list", "--key"), "--key"),
        (("servers", "remove", "x", "--context", "5"), "--context"),
        (("policy", "show", "x"), "TARGET"),
        (("policy", "show", "--enforce"), "--enforce"),
        (("policy", "check", "--until", "2030-01-01"), "--until"),
        (("acceptances", "list", "x"), "ID"),
        (("acceptances", "verify", "--output", "x"), "--output"),
        (("license", "a/b", "--case", "x"), "TARGET"),
        (("license", "--case", "x", "--enforce"), "--enforce"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    words: tuple[str, ...], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, answer = ask(capsys, *words)
    assert (status, answer["error"]["why"], answer["error"]["name"]) == (2, "stray", name)


@pytest.mark.parametrize(
    "words",
    [
        ("servers", "add", "x", "http://x", "--key", "--no-key"),
        ("servers", "add", "x", "http://x:0"),
        ("servers", "add", "x", "http://x", "--key"),  # and none comes
        ("login", "--endpoint", "ftp://x"),
        ("chat", "x", "--prompt", "hi", "--seed", "4294967295"),
        ("chat", "x", "--prompt", "hi", "--repeat-penalty", "0"),
    ],
)
def test_what_cannot_be_is_refused(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    status, answer = ask(capsys, *words)
    assert (status, answer["error"]["code"]) == (2, "usage")
    assert ask(capsys, "servers")[1]["servers"] == []


def test_a_folder_that_is_not_there_is_not_made_for_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "slip" / "bom.json"
    status, answer = ask(capsys, "bom", "--output", str(path))
    assert (status, answer["error"]["why"]) == (2, "no_folder")
    assert not path.parent.exists()


class _FullDisk(io.StringIO):
    @override
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("words", [("list",), ("list", "--json"), ("bom",)])
def test_stdout_on_a_full_disk_is_told_in_one_line(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout", _FullDisk())
    assert run_command(list(words)) == 2
    sys.stdout.close()
    told = capsys.readouterr().err
    assert told == "openshelf: stdout cannot be written: No space left on device.\n"


def test_ctrl_c_before_anything_began_is_an_answer_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "_run", interrupted)
    assert run_command(["list", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "cancelled"


@pytest.mark.parametrize("words", [["chat", "x", "--prompt", "-"], ["login"], ["list"]])
@pytest.mark.skipif(os.name != "posix", reason="closes streams as a shell there does")
def test_closed_streams_are_no_crash(words: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "openshelf", *words]
    environment = {**os.environ, "OPENSHELF_HOME": str(tmp_path), "PYTHONIOENCODING": "ascii"}
    for closed in ("<&-", "2>&- </dev/null", ">&- </dev/null"):
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {closed}', "sh", *command],
            env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode in (0, 2, 4), (closed, done.stderr)
        assert "should not have" not in done.stdout + done.stderr


def test_a_folder_is_no_model_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("install", "license"):
        status, answer = ask(capsys, command, str(tmp_path))
        assert (status, answer["error"]["why"]) == (2, "is_folder")
        assert "openshelf import" in answer["error"]["message"]
