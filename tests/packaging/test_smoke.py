"""The smoke test passes for this very app, with its window and its engine, and for no other."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest


def test_this_app_passes(smoke: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert smoke.run([sys.executable, "-m", "openshelf"]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.count(": ok: ") == len(smoke.CHECKS)


@pytest.mark.parametrize(
    "program", ["print('openshelf 0.0')", "print('{}')", "raise SystemExit(3)"]
)
def test_another_program_fails_every_check(
    smoke: ModuleType, program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert smoke.run([sys.executable, "-c", program]) == 1
    assert capsys.readouterr().out.count(": FAILED: ") == len(smoke.CHECKS)


def test_nothing_that_starts_fails(smoke: ModuleType, tmp_path: Path) -> None:
    assert smoke.run([str(tmp_path / "nothing")]) == 1
