"""Starts a built Openshelf as a person would, on a home of its own, and looks at what comes back:
its version, its window (offscreen) with the engine behind it, and a command of the command line.

    python packaging/smoke.py [path of the executable, or the words that start it]
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SUFFIX = ".exe" if os.name == "nt" else ""
BUILT = ROOT / "dist" / "openshelf" / f"openshelf{SUFFIX}"
LIMIT_SECONDS = 120


def source_version() -> str:
    text = (ROOT / "openshelf" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    assert found
    return found.group(1)


def check_version(app: list[str], home: Path) -> str:
    answer = _output(app, home, "--version").strip()
    assert answer == f"openshelf {source_version()}", answer
    return answer


def check_window(app: list[str], home: Path) -> str:
    """The window opens and the engine's worker, the same executable, answers a ping."""
    answer = _last_object(_output(app, home, "--smoke"))
    assert answer["window"] is True, answer
    assert answer["engine"], answer
    return f"window opened, engine {answer['engine']}"


def check_command_line(app: list[str], home: Path) -> str:
    """A command that needs the resources and one that needs the drivers and the engine."""
    hardware = json.loads(_output(app, home, "hardware", "--json"))
    assert hardware["memory"]["total_bytes"] > 0, hardware
    assert hardware["engine"]["devices"], hardware
    shelf = json.loads(_output(app, home, "shelf", "--json"))
    assert shelf["families"], shelf
    return f"{len(shelf['families'])} families on the shelf"


CHECKS = (check_version, check_window, check_command_line)


def _output(app: list[str], home: Path, *words: str) -> str:
    environment = {
        **{name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "HOME") if name in os.environ},
        "OPENSHELF_HOME": str(home),
        "QT_QPA_PLATFORM": "offscreen",
    }
    ran = subprocess.run(
        [*app, *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, f"{words}: exit {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def _last_object(text: str) -> dict[str, Any]:
    found = json.loads(text.strip().splitlines()[-1])
    assert isinstance(found, dict), text
    return found


def run(app: list[str]) -> int:
    """Every check, told on stdout; 0 where all passed."""
    failed = 0
    with tempfile.TemporaryDirectory() as home:
        for check in CHECKS:
            started = time.monotonic()
            try:
                result = f"ok: {check(app, Path(home))}"
            except (
                AssertionError,
                ValueError,
                KeyError,
                OSError,
                subprocess.SubprocessError,
            ) as why:
                failed += 1
                result = f"FAILED: {why!r}"
            print(f"{check.__name__}: {result} ({time.monotonic() - started:.1f} s)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:] or [str(BUILT)]))
