"""`search`, `variants` and the filters of `shelf` as somebody at a terminal meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.hub.loopback import LoopbackHub

MACHINE = ("--machine", "RTX 4060 8 GB + 32 GB")
NOWHERE = "http://127.0.0.1:9"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run_it(*words: str, endpoint: str = NOWHERE) -> subprocess.CompletedProcess[str]:
        home = {"OPENSHELF_HOME": str(tmp_path), "HF_ENDPOINT": endpoint}
        return subprocess.run(
            [sys.executable, "-m", "openshelf", *words],
            env={**os.environ, **home, "PYTHONWARNINGS": "error"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run_it


def told(answer: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert answer.returncode == 0, answer.stdout + answer.stderr
    value = json.loads(answer.stdout)
    assert isinstance(value, dict)
    return value


def test_a_search_asks_catalog_and_hub(run: Run) -> None:
    with LoopbackHub() as hub:
        gguf = {"total": 8_000_000_000, "architecture": "llama"}
        hub.add_repo("eve/Qwen3-Wild-GGUF", {"w-Q4_K_M.gguf": b"x"}, gguf=gguf, downloads=5)
        found = told(run("search", "qwen3", *MACHINE, "--json", endpoint=hub.endpoint))
        table = run("search", "qwen3", *MACHINE, endpoint=hub.endpoint).stdout
    assert found["query"] == "qwen3"
    assert "Qwen3" in {row["family"] for row in found["families"]}
    (stranger,) = found["hub"]
    assert stranger["repo"] == "eve/Qwen3-Wild-GGUF"
    assert stranger["recommended"]["fit"]["verdict"].startswith("fits")
    assert stranger["recommended"]["license"]["verdict"] == "needs_review", "no license is told"
    assert "eve/Qwen3-Wild-GGUF Q4_K_M" in table


def test_without_the_hub_the_catalog_is_searched_and_it_says_so(run: Run) -> None:
    answer = run("search", "qwen3", "--fits", *MACHINE)
    assert answer.returncode == 0
    assert "The Hub did not answer: only the catalog was searched." in answer.stdout
    found = told(run("search", "no such thing", *MACHINE, "--json"))
    assert (found["families"], found["hub"]) == ([], [])
    assert found["notes"][0]["code"] == "search_hub_network"


def test_the_shelf_is_filtered_by_its_words(run: Run) -> None:
    words = ("--fits", "--use", "commercial", "--modality", "vision", "--packager", "unsloth")
    shelf = told(run("shelf", *MACHINE, "--json", *words))
    assert shelf["families"]
    for row in shelf["families"]:
        assert row["recommended"]["repo"].startswith("unsloth/")
    refused = run("shelf", "--use", "fun", "--json")
    assert refused.returncode == 2
    assert json.loads(refused.stdout)["error"]["code"] == "usage"


def test_a_filter_that_nothing_can_pass_is_named(run: Run) -> None:
    refused = run("shelf", *MACHINE, "--license", "apach-2.0")
    assert refused.returncode == 2
    assert refused.stderr.startswith("openshelf: No model on the shelf has the license apach-2.0.")
    assert "apache-2.0" in refused.stderr.partition("Try")[2]
    error = json.loads(run("shelf", *MACHINE, "--origin", "Mars", "--json").stdout)["error"]
    assert (error["code"], error["what"], error["name"]) == ("usage", "origin", "Mars")
    assert "US" in error["candidates"]


def test_odd_names_of_machines_and_policies_are_errors_and_no_crash(run: Run) -> None:
    for name, status in (("~nobody-of-this-name", 4), ("x" * 5000, 4), ("", 2)):
        assert run("shelf", "--machine", name).returncode == status
    assert run("shelf", *MACHINE, "--policy", "~nobody-of-this-name").returncode == 2
    assert "131072K at most" in run("shelf", "--context", "999999999999").stderr


def test_a_search_asks_no_hub_for_what_nothing_can_pass(run: Run) -> None:
    with LoopbackHub() as hub:
        refused = run("search", "qwen", *MACHINE, "--language", "de-DE", endpoint=hub.endpoint)
        assert not hub.requests
        only_there = ("--license", "gpl-3.0", "--packager", "somebody")
        found = told(run("search", "qwen", *MACHINE, *only_there, "--json", endpoint=hub.endpoint))
    assert (refused.returncode, "de" in refused.stderr) == (2, True)
    assert (found["families"], found["notes"]) == ([], []), "somebody may have it on the Hub"


def test_a_sentence_widens_no_table(run: Run) -> None:
    table = run("shelf", *MACHINE).stdout
    assert "\nEmbeddingGemma: For search, not for chat" in table
    rows = table.partition("\n\n")[0].splitlines()
    assert max(map(len, rows)) < 240
    words = ("--origin", "FR", "--license", "gemma")
    assert "No family of the catalog is left" in run("shelf", *MACHINE, *words).stdout


def test_variants_tell_who_when_and_how(run: Run) -> None:
    with LoopbackHub() as hub:
        card = {"base_model": "Qwen/Qwen3-14B"}
        repo = "mradermacher/Qwen3-14B-i1-GGUF"
        hub.add_repo(repo, {"Qwen3-14B.i1-Q4_K_M.gguf": b"x"}, card=card, downloads=12)
        found = told(run("variants", "Qwen3 14B", *MACHINE, "--json", endpoint=hub.endpoint))
        table = run("variants", "Qwen3 14B", *MACHINE, endpoint=hub.endpoint).stdout
    (row,) = [row for row in found["variants"] if row["repo"] == repo]
    assert (row["packager_kind"], row["downloads"]) == ("other", 12)
    assert row["recipe"] == {"imatrix": True, "dynamic": False, "basis": "name"}
    assert row["last_modified"].startswith("2026-11-01")
    assert "mradermacher (other)" in table
    assert "2026-11-01" in table
