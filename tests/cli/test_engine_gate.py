"""`openshelf engine`, and what other commands say of a model that the engine cannot load."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openshelf.cli.main import run_command
from tests.conftest import ExpectedLogs
from tests.engine.shim_build import copy_build
from tests.fakes.hub.loopback import LoopbackHub
from tests.gguf.builder import STRING, Build, model_keys

NOVEL = "ada/Novel-1B-GGUF"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    with LoopbackHub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.endpoint)
        yield running


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    status = run_command([*words, "--json"])
    return status, json.loads(capsys.readouterr().out)


def novel_file(folder: Path) -> Path:
    """A whole small model of an architecture that nobody has heard of."""
    keys = {
        name.replace("llama.", "novel."): value
        for name, value in model_keys(general__architecture=(STRING, "novel")).items()
    }
    return Build(keys).write(folder / "novel-Q8_0.gguf")


def test_the_engine_is_described(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    status, answer = run(capsys, "engine")
    assert status == 0
    (build,) = answer["builds"]
    assert build["version"].startswith("llama.cpp ")
    assert build["binding"].startswith("llama-cpp-python 0.")
    assert build["age_days"] >= 0
    assert Path(build["path"]).is_dir()
    assert "CPU" in {device["name"] for device in build["devices"]}
    assert {"llama", "qwen3", "gpt-oss"} <= set(build["architectures"]["known"])
    assert build["architectures"]["unknown"] == ["gptj"]
    kept = json.loads((home / "cache" / "engine" / "architectures.json").read_text())
    assert kept["build"] == build["identity"]
    missing = {row["family"]: row["models"] for row in answer["not_in_engine"]}
    assert missing["Voxtral"] == ["Voxtral Mini 4B Realtime"]


def test_people_read_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["engine"]) == 0
    text = capsys.readouterr().out
    assert "architectures  " in text
    assert "gptj" in text
    assert max(map(len, text.splitlines())) < 200


def test_the_shelf_says_what_its_word_rests_on(capsys: pytest.CaptureFixture[str]) -> None:
    _, shelf = run(capsys, "shelf", "--machine", "RTX 4060", "--family", "Llama 3.2")
    assert shelf["engine"]["asked"]
    assert shelf["engine"]["version"].startswith("llama.cpp ")
    (row,) = shelf["families"]
    assert row["recommended"]["engine"] == {"supported": True, "basis": "engine"}
    assert row["not_in_engine"] == ["Llama 3.2 11B Vision Instruct"]


def test_a_fit_says_that_the_engine_cannot_load_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, fit = run(capsys, "fit", str(novel_file(tmp_path)), "--machine", "RTX 5090")
    assert status == 0
    assert (fit["architecture"], fit["engine_supports"], fit["verdict"]) == (
        "novel", False, "unknown",
    )  # fmt: skip
    assert fit["reasons"][0]["code"] == "fit_engine_lacks_architecture"
    assert (fit["remedies"], fit["speed"]) == ([], None)


def test_nothing_of_an_unknown_architecture_is_fetched(
    capsys: pytest.CaptureFixture[str], hub: LoopbackHub, tmp_path: Path
) -> None:
    file = novel_file(tmp_path)
    hub.add_repo(NOVEL, {file.name: file}, gguf={"architecture": "novel"})
    status, answer = run(capsys, "install", NOVEL, "--accept")
    assert status == 8
    assert answer["error"]["code"] == "unsupported_architecture"
    assert answer["error"]["architecture"] == "novel"
    assert "novel" in answer["error"]["message"]
    assert hub.bodies() == []
    status, answer = run(capsys, "install", str(file), "--accept")
    assert (status, answer["error"]["code"]) == (8, "unsupported_architecture")


def test_its_variants_are_listed_and_none_is_recommended(
    capsys: pytest.CaptureFixture[str], hub: LoopbackHub, tmp_path: Path
) -> None:
    file = novel_file(tmp_path)
    hub.add_repo(NOVEL, {file.name: file}, gguf={"architecture": "novel"})
    status, answer = run(capsys, "variants", NOVEL, "--machine", "RTX 5090")
    assert status == 0
    assert answer["recommended"] is None
    (variant,) = answer["variants"]
    assert variant["engine_supports"] is False
    assert variant["fit"]["reasons"][0]["code"] == "fit_engine_lacks_architecture"


# --- builds ---------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="a build with an address of its own")
def test_another_build_is_chosen_listed_and_left_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, home: Path, expected_logs: ExpectedLogs
) -> None:
    expected_logs("cannot be used")
    folder = copy_build(tmp_path / "build" / "bin")
    status, answer = run(capsys, "engine", "--use", str(tmp_path))
    assert (status, answer["chosen"]) == (0, str(folder))
    installed, other = answer["builds"]
    assert (installed["in_use"], other["in_use"]) == (False, True)
    assert other["version"].startswith("llama.cpp ")
    assert "CPU" in {device["name"] for device in other["devices"]}
    assert "llama" in other["architectures"]["known"]
    kept = json.loads((home / "cache" / "engine" / "architectures.json").read_text())
    assert kept["build"] == other["identity"]
    # It is broken later: the installed one is used, one line says so, and the list says which.
    (folder / "libllama.so").unlink()
    (folder / "libllama.so").write_text("broken")
    assert run_command(["hardware"]) == 0
    said = capsys.readouterr().err
    assert f"The engine build in {folder} is not used; the installed one is used instead." in said
    assert "could not be loaded" in said
    assert run_command(["engine", "--list"]) == 0
    assert "could not be loaded" in capsys.readouterr().out
    status, answer = run(capsys, "engine", "--list")
    assert answer["builds"][1]["problem"]["why"] == "build_unloadable"
    assert answer["builds"][0]["version"].startswith("llama.cpp ")
    assert run(capsys, "engine", "--use", "default", "--list")[1]["chosen"] == "default"
    _, answer = run(capsys, "engine", "--forget", str(folder))
    assert len(answer["builds"]) == 1


def test_a_folder_without_a_build_is_an_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, answer = run(capsys, "engine", "--use", str(tmp_path))
    assert (status, answer["error"]["code"]) == (4, "not_found")
    assert run(capsys, "engine", "--forget", str(tmp_path))[0] == 4
