"""`license` for repositories with every fault of a lineage: right, and within two seconds on a Hub
that takes 50 ms for each answer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from openshelf.cli.main import run_command
from openshelf.hub.library_calls import prepare_library
from openshelf.network import NetworkOptions
from tests.fakes.hub.loopback import LoopbackHub

LATENCY_SECONDS = 0.05
LIMIT_SECONDS = 2.0
LLAMA = b"Llama 3.1 Community License Agreement\n\nThe Llama Materials ...\n"
GEMMA = b"Gemma Terms of Use\n\nGemma is provided under these terms.\n"
FILES = {"README.md": b"# a model"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    # Importing the library is part of a command, but not of this question.
    prepare_library(NetworkOptions())
    with LoopbackHub() as running:
        running.latency_seconds = LATENCY_SECONDS
        monkeypatch.setenv("HF_ENDPOINT", running.endpoint)
        yield running


def license_of(capsys: pytest.CaptureFixture[str], target: str) -> tuple[dict[str, Any], float]:
    started = time.monotonic()
    status = run_command(["license", target, "--json"])
    seconds = time.monotonic() - started
    answer = json.loads(capsys.readouterr().out)
    assert status == 0, answer
    return answer, seconds


def published(hub: LoopbackHub, repo: str, card: dict[str, Any], **more: Any) -> None:
    files = {**FILES, **more.pop("files", {})}
    hub.add_repo(repo, files, card=card, **more)


def quantized(hub: LoopbackHub, base: Any, license: Any = "apache-2.0") -> str:
    card = {"license": license, "base_model": base, "base_model_relation": "quantized"}
    published(hub, "p/model-GGUF", card, files={"m-Q4_K_M.gguf": b"GGUF" * 99})
    return "p/model-GGUF"


def test_eight_ancestors_in_a_row(hub: LoopbackHub, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with a LICENSE file to be read, the last one gated and under terms of its own."""
    for n in range(1, 8):
        card = {"license": "apache-2.0", "base_model": f"o/m{n + 1}",
                "base_model_relation": "finetune"}  # fmt: skip
        published(hub, f"o/m{n}", card, files={"NOTICE": b"x"})
    published(hub, "o/m8", {"license": "gemma"}, gated="manual", files={"LICENSE": GEMMA})
    answer, seconds = license_of(capsys, quantized(hub, "o/m1"))
    assert [node["repo"] for node in answer["lineage"]] == [
        "p/model-GGUF", *(f"o/m{n}" for n in range(1, 9))
    ]  # fmt: skip
    assert set(answer["effective"]) == {"apache-2.0", "gemma"}
    assert {"label_conflict", "base_gated"} <= set(answer["flags"])
    assert "unresolved_base" not in answer["flags"]
    assert seconds < LIMIT_SECONDS


def test_eight_ancestors_with_a_text_each(
    hub: LoopbackHub, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(1, 9):
        card = {"license": "llama3.1", "base_model": f"o/Llama-{n + 1}"} if n < 8 else {}
        published(hub, f"o/Llama-{n}", card, files={"LICENSE": LLAMA})
    answer, seconds = license_of(capsys, quantized(hub, "o/Llama-1", "llama3.1"))
    assert answer["effective"] == ["llama3.1"]
    assert len(answer["lineage"]) == 9
    assert answer["texts"][0]["sha256"]
    assert seconds < LIMIT_SECONDS


def test_everything_at_once(hub: LoopbackHub, capsys: pytest.CaptureFixture[str]) -> None:
    """A merge of eight: a cycle, a missing parent, a private one, a list of licenses, a gated base,
    a name that stands for three licenses, an unknown one, and silence."""
    parents = [f"o/{name}" for name in
               ("round", "gone", "private", "list", "gated", "kimi", "own", "silent")]  # fmt: skip
    published(hub, "o/merge", {"license": "mit", "base_model": parents})
    published(hub, "o/round", {"license": "mit", "base_model": "o/merge"})
    published(hub, "o/private", {"license": "llama2"}, private=True)
    published(hub, "o/list", {"license": ["llama3.1", "gemma"]})
    published(hub, "o/gated", {"license": "other", "license_name": "llama4"}, gated="manual",
              files={"LICENSE": LLAMA})  # fmt: skip
    modified = {"license": "other", "license_name": "modified-mit",
                "base_model": "moonshotai/Kimi-K2-Instruct"}  # fmt: skip
    published(hub, "o/kimi", modified)
    published(hub, "moonshotai/Kimi-K2-Instruct", {"license": "other",
              "license_name": "modified-mit"})  # fmt: skip
    published(hub, "o/own", {"license": "other", "license_name": "our-terms"})
    published(hub, "o/silent", {})
    answer, seconds = license_of(capsys, quantized(hub, "o/merge", "mit"))
    assert set(answer["effective"]) == {
        "mit", "llama3.1", "gemma", "llama4", "kimi-modified-mit", "unknown", "none"
    }  # fmt: skip
    assert {"cycle", "unresolved_base", "list_license", "base_gated", "alias_collision",
            "label_conflict"} <= set(answer["flags"])  # fmt: skip
    assert answer["verdict"] == "needs_review"
    by_repo = {node["repo"]: node for node in answer["lineage"]}
    assert by_repo["o/gone"]["license"] == by_repo["o/private"]["license"] == "unknown"
    assert by_repo["o/list"]["license"] == "llama3.1 AND gemma"
    assert by_repo["o/merge"]["relation"] == "merge"
    assert seconds < LIMIT_SECONDS


def test_the_widest_merge_that_is_walked(
    hub: LoopbackHub, capsys: pytest.CaptureFixture[str]
) -> None:
    """16 parents with a LICENSE file each: 34 requests, asked side by side."""
    parents = [f"o/m{n}" for n in range(16)]
    for repo in parents:
        published(hub, repo, {"license": "llama3.1"}, files={"LICENSE": LLAMA})
    published(hub, "o/merge", {"license": "llama3.1", "base_model": parents})
    answer, seconds = license_of(capsys, quantized(hub, "o/merge", "llama3.1"))
    assert [node["repo"] for node in answer["lineage"]] == ["p/model-GGUF", "o/merge", *parents]
    assert answer["effective"] == ["llama3.1"]
    assert seconds < LIMIT_SECONDS
