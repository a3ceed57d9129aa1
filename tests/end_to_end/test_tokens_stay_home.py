"""A token goes to the Hub it was stored for and is found nowhere else: grep over everything that
was written, said and asked, while everything that can break on the way breaks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.test_command_line import CommandLine
from tests.fakes.hub.loopback import LoopbackHub
from tests.hub.downloading import some_bytes

TOKEN = "hf_" + "Zq7" * 11
SIGNATURE = "Signature=secret"
REPO = "ada/Closed-GGUF"
FAULTS = (
    {"kind": "cut", "after_bytes": 100_000},
    {"kind": "status", "status": 403},
    {"kind": "reset", "after_bytes": 50_000},
    {"kind": "html"},
)


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as running:
        yield running


def holding(folder: Path, secret: bytes) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and secret in path.read_bytes()
    ]


def test_a_token_is_nowhere_but_in_its_file(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.tokens.add(TOKEN)
    content = {"Closed-Q4_K_M.gguf": some_bytes(400_000)}
    hub.add_repo(REPO, content, card={"license": "mit"}, gated="manual", access={TOKEN})
    hub.add_repo("ada/Shut-GGUF", content, card={"license": "mit"}, gated="manual")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command_line = CommandLine(tmp_path / "home")
    command_line.set_variable("HF_ENDPOINT", hub.endpoint)
    command_line.set_variable("TMPDIR", str(temporary))
    said = []

    def run(*words: str, code: int = 0, stdin: str = "") -> None:
        answer = command_line.run(*words, stdin=stdin)
        assert answer.returncode == code, answer.stderr
        said.append(answer.stdout + answer.stderr)

    run("login", "--endpoint", hub.endpoint, stdin=TOKEN + "\n")
    for fault in FAULTS:
        hub.faults.add(**fault)
    pasted = f"llama-server -hf {REPO}:Q4_K_M"
    run("install", pasted, "--accept", "--progress", "json")
    run("install", "ada/Shut-GGUF", "--accept", code=3)
    hub.faults.add("status", stage="api", status=500, count=9)
    run("install", "ada/Other-GGUF", "--accept", "--json", code=5)
    hub.faults.clear()
    hub.tokens.clear()
    run("variants", REPO, "--json", code=5)
    run("install", "ada/Shut-GGUF", "--debug", code=1)

    assert hub.bodies(), "the storage was asked"
    assert {request.header("authorization") for request in hub.bodies()} == {None}
    asked = [request for request in hub.requests if request.header("authorization")]
    assert {request.header("authorization") for request in asked} == {f"Bearer {TOKEN}"}
    assert all(request.origin == "hub" for request in asked)
    for secret in (TOKEN, SIGNATURE):
        for request in hub.requests:
            assert secret not in request.path or request.origin == "cdn"
            assert TOKEN not in request.path
        assert not [text for text in said if secret in text]
    kept = holding(tmp_path, TOKEN.encode())
    assert [path.name for path in kept] == ["tokens.json"]
    assert os.name == "nt" or kept[0].stat().st_mode & 0o077 == 0
    assert holding(tmp_path, SIGNATURE.encode()) == []
