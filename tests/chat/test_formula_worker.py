"""The formula worker by itself: what it draws, what it refuses, how it ends."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from openshelf.chat.formula_worker import MOST_DEPTH, MOST_TEX, depth_of, draw
from openshelf.children import Door, child_command, child_environment

WORKER = (child_command(Door.FORMULA_WORKER), child_environment())


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[bytes]]:
    command, environment = WORKER
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"id": 0, "ready": True}
        yield process
        process.kill()


def ask(worker: subprocess.Popen[bytes], line: bytes) -> dict[str, Any]:
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(line + b"\n")
    worker.stdin.flush()
    answer: dict[str, Any] = json.loads(worker.stdout.readline())
    return answer


def request(tex: str) -> bytes:
    return json.dumps({"id": 7, "tex": tex, "is_display": True, "size": 16}).encode()


def test_it_answers_one_line_for_each_and_ends_with_its_input(
    worker: subprocess.Popen[bytes],
) -> None:
    drawn = ask(worker, request(r"\frac{a}{b}"))
    assert drawn["id"] == 7
    assert 0 < drawn["ascent"] < drawn["height"]
    assert drawn["svg"].startswith("<svg")
    assert "why" in ask(worker, request(r"\nosuch"))
    assert "why" in ask(worker, b"no json")
    assert "why" in ask(worker, b"[]")
    assert "svg" in ask(worker, request("x"))
    assert worker.stdin is not None
    worker.stdin.close()
    assert worker.wait(timeout=20) == 0


@pytest.mark.parametrize(
    "tex",
    [
        "{" * (MOST_DEPTH + 1) + "x" + "}" * (MOST_DEPTH + 1),
        "x" * (MOST_TEX + 1),
        r"\hspace{99999cm}x",
        r"\includegraphics{/etc/passwd}",
        r"\frac{",
        "^",
    ],
)
def test_what_is_too_much_or_no_formula_is_refused(tex: str) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 (whatever the renderer raises)
        draw(tex, 16.0, is_display=True)


def test_depth_counts_groups_and_not_written_braces() -> None:
    assert depth_of(r"\{a\} {b{c}} {d}") == 2
