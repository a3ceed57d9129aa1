"""The doors: the right one, before anything heavy is imported, and no traceback behind them."""

from __future__ import annotations

import json
import sys

import pytest

from openshelf import __version__
from openshelf.entry import main


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"openshelf {__version__}\n"
    assert main(["--help"]) == 0
    assert "hardware" in capsys.readouterr().out


def test_missing_system_library_is_told_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Finder:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "openshelf.ui.app":
                raise ImportError("libEGL.so.1: cannot open shared object file")

    monkeypatch.delitem(sys.modules, "openshelf.ui.app", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    assert main([]) == 1
    said = capsys.readouterr().err
    assert "libEGL.so.1" in said
    assert "apt-get install libegl1" in said
    assert "Traceback" not in said


def test_own_faults_are_not_taken_for_missing_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    class Finder:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "openshelf.ui.app":
                raise ImportError("cannot import name 'nonsense'", name="openshelf.ui.theme")

    monkeypatch.delitem(sys.modules, "openshelf.ui.app", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    with pytest.raises(ImportError, match="nonsense"):
        main([])


def test_unexpected_failures_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], expected_logs
) -> None:
    expected_logs("unexpected failure of a command")

    def fail(words: list[str]) -> int:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("openshelf.cli.main.run_command", fail)
    assert main(["list", "--json"]) == 1
    answer = capsys.readouterr()
    assert json.loads(answer.out)["error"]["code"] == "unexpected"
    assert answer.err.count("\n") == 1
    assert "secret" not in answer.out + answer.err
    with pytest.raises(ZeroDivisionError):
        main(["list", "--debug"])


def test_a_parent_that_closed_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Windows starts a program without a console: nothing to read, and nobody hears it."""
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert main(["--version"]) == 0
    assert sys.stdin.read() == ""
    assert sys.stdout.writable()
    assert not sys.stdin.writable()
    for stream in {sys.stdin, sys.stdout, sys.stderr}:
        stream.close()
