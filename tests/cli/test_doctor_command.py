"""`openshelf doctor`: it answers in any state, and tells nothing that is secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openshelf.cli.main import run_command
from openshelf.logs import last_errors
from openshelf.paths import find_paths
from tests.cli.test_library_commands import ask

TOKEN = "hf_canarycanarycanary"


def test_what_a_bug_report_needs(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = find_paths().logs
    logs.mkdir(parents=True)
    (logs / "openshelf.log").write_text(
        "2026-11-26T18:00:00 INFO openshelf: nothing\n"
        f"2026-11-26T18:00:01 ERROR hub: no answer with {TOKEN}\n"
        'Traceback (most recent call last):\n  File "x.py"\nOSError: the last word\n'
        "2026-11-26T18:00:02 WARNING openshelf: a small one\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HTTPS_PROXY", "http://ada:secret@proxy.invalid:3128")
    monkeypatch.setattr(Path, "home", lambda: home)
    status, report = ask(capsys, "doctor")
    assert status == 0
    told = json.dumps(report)
    assert not any(secret in told for secret in (TOKEN, "ada:", "proxy.invalid", str(home)))
    assert report["environment"]["HF_TOKEN"] == "set"
    assert report["last_errors"] == [
        "2026-11-26T18:00:01 ERROR hub: no answer with [redacted]: OSError: the last word",
        "2026-11-26T18:00:02 WARNING openshelf: a small one",
    ]
    assert report["engine"]["version"].startswith("llama.cpp ")
    assert report["packages"]["llama-cpp-python"]
    assert set(report["paths"]) == {"config", "data", "cache", "logs", "models"}
    assert all(place["writable"] for place in report["paths"].values())
    assert report["library"] == {"models": 0, "damaged": 0, "missing": 0}
    assert run_command(["doctor"]) == 0
    assert TOKEN not in capsys.readouterr().out


def test_it_answers_where_nothing_else_does(capsys: pytest.CaptureFixture[str]) -> None:
    paths = find_paths()
    paths.policy_file.parent.mkdir(parents=True)
    paths.policy_file.write_text("no toml [", encoding="utf-8")
    assert run_command(["list"]) == 2
    status, report = ask(capsys, "doctor")
    assert status == 0
    assert "BadPolicy.not_toml" in [problem["code"] for problem in report["problems"]]


def test_no_log_is_no_error(tmp_path: Path) -> None:
    assert last_errors(tmp_path / "none", 5) == []
