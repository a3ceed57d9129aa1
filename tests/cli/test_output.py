"""What reaches stdout whatever a name is made of, and whatever stdout can hold."""

from __future__ import annotations

import io
import json
import sys

import pytest
from typing_extensions import override

from openshelf.cli.main import run_command
from openshelf.cli.output import Output
from openshelf.errors import UnsafeName


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp1252"])
def test_json_holds_every_name(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    value = {"name": "\udcff\ud800 日本 é \x1b[31m"}
    Output(as_json=True).result(value)
    sys.stdout.flush()
    assert json.loads(raw.getvalue().decode(encoding)) == value
    assert b"\x1b" not in raw.getvalue()


def test_an_error_about_such_a_name_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).error(UnsafeName("a\ud800.gguf"))
    said = capsys.readouterr()
    assert json.loads(said.out)["error"]["name"] == "a\ud800.gguf"
    assert said.err.count("\n") == 1


class Gone(io.TextIOWrapper):
    """A pipe whose other end is closed: writing to it fails, and closing it again."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")

    @override
    def flush(self) -> None:
        raise BrokenPipeError


def test_an_error_that_nobody_reads_is_told_on_stderr_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", Gone())
    assert run_command(["--json", "remove"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    sys.stdout.close()  # as Python does at its end
