"""`openshelf servers`, `chat --server` and `recipe`: answers, exit codes, and where a key goes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openshelf.cli.main import run_command
from openshelf.paths import find_paths
from tests.fakes.model_server import MODEL, FakeModelServer

KEY = "sk-canary-cli-4711"


@pytest.fixture
def server() -> Iterator[FakeModelServer]:
    with FakeModelServer() as running:
        yield running


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    status = run_command([*words, "--json"])
    return status, json.loads(capsys.readouterr().out)


def add(capsys: pytest.CaptureFixture[str], server: FakeModelServer) -> None:
    assert ask(capsys, "servers", "add", "Box", server.address)[0] == 0


def test_add_list_test_chat_remove(
    server: FakeModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(capsys, "servers") == (0, {"servers": []})
    address = server.address.removesuffix("/v1").removeprefix("http://")
    status, added = ask(capsys, "servers", "add", "Box", address)
    assert status == 0
    assert added == {
        "name": "Box", "address": server.address, "leaves_machine": False, "context_length": None,
        "models": [], "key_stored_in": None, "key_path": None,
    }  # fmt: skip
    status, tested = ask(capsys, "servers", "test", "box")
    assert status == 0
    assert tested["models"] == [{"id": MODEL, "context_length": 4096}]
    assert ask(capsys, "servers", "list")[1]["servers"][0]["models"] == [MODEL]
    status, answer = ask(capsys, "chat", "--server", "Box", MODEL, "--prompt", "Hi", "--seed", "3")
    assert status == 0
    assert answer["text"] == "Hello there, friend."
    assert (answer["server"], answer["leaves_machine"]) == ("Box", False)
    assert answer["usage"] == {"prompt_tokens": 30, "completion_tokens": 5, "cached_tokens": 10}
    assert answer["memory"]["measured_bytes"] is None
    assert server.chats()[-1].body["seed"] == 3
    assert ask(capsys, "servers", "remove", "Box") == (0, {"removed": "Box"})
    assert ask(capsys, "servers") == (0, {"servers": []})


def test_the_key_comes_from_stdin_and_lies_in_one_place(
    server: FakeModelServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = KEY
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{KEY}\n"))
    assert run_command(["servers", "add", "Box", server.address, "--key"]) == 0
    assert run_command(["chat", "--server", "Box", MODEL, "--prompt", "Hi"]) == 0
    assert run_command(["servers", "list"]) == 0
    server.key = "another"
    assert run_command(["chat", "--server", "Box", MODEL, "--prompt", "Hi"]) == 5
    said = capsys.readouterr()
    assert KEY not in said.out + said.err
    assert "does not accept the key" in said.err
    home = find_paths().config.parent
    files = [path for path in home.rglob("*") if path.is_file()]
    holding = [path.name for path in files if KEY.encode() in path.read_bytes()]
    keys = find_paths().server_keys_file
    assert set(holding) <= {keys.name}
    assert keys.stat().st_mode & 0o077 == 0
    assert run_command(["servers", "remove", "Box"]) == 0
    assert "with any key that was kept for it" in capsys.readouterr().out
    assert KEY.encode() not in keys.read_bytes()


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("status:401", 5, "network"),
        ("status:429", 5, "rate_limited"),
        ("close", 5, "network"),
        ("error event", 5, "network"),
    ],
)
def test_a_fault_is_an_error_of_the_contract(
    fault: str, status: int, code: str, server: FakeModelServer,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    add(capsys, server)
    server.fail(fault)
    found, answer = ask(capsys, "chat", "--server", "Box", MODEL, "--prompt", "Hi")
    assert (found, answer["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("servers", "add", "Box"), 2, "usage"),
        (("servers", "add", "Box", "ftp://x"), 2, "usage"),
        (("servers", "add", "a/b", "http://x"), 2, "usage"),
        (("servers", "add", "Box", "http://u:p@x/v1"), 2, "usage"),
        (("servers", "test", "nobody"), 4, "not_found"),
        (("servers", "remove", "nobody"), 4, "not_found"),
        (("chat", "--server", "nobody", "m", "--prompt", "Hi"), 4, "not_found"),
    ],
)
def test_wrong_words(
    words: tuple[str, ...], status: int, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found, answer = ask(capsys, *words)
    assert (found, answer["error"]["code"]) == (status, code)
    assert "u:p" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("policy", "status", "code"),
    [
        ("offline_only = true\n", 3, "policy_blocked"),
        ('allow_remote_hosts = ["other"]\n', 3, "policy_blocked"),
        ('[rules]\nallow_only = ["mit"]\n', 3, "needs_review"),
    ],
)
def test_a_policy_stops_a_server_elsewhere(
    policy: str, status: int, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(capsys, "servers", "add", "Box", "http://10.0.0.7:8000")[0] == 0
    path = find_paths().policy_file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(policy, encoding="utf-8")
    found, answer = ask(capsys, "chat", "--server", "Box", "m", "--prompt", "Hi")
    assert (found, answer["error"]["code"]) == (status, code)


def test_offline_stops_a_server_elsewhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(capsys, "servers", "add", "Box", "http://10.0.0.7:8000")[0] == 0
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for words in (("servers", "test", "Box"), ("chat", "--server", "Box", "m", "--prompt", "Hi")):
        found, answer = ask(capsys, *words)
        assert (found, answer["error"]["code"]) == (5, "offline")


def test_recipes_of_the_catalog(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    status, answer = ask(capsys, "recipe", "Qwen/Qwen3-32B", "--context", "16K")
    assert status == 0
    by_program = {recipe["for"]: recipe for recipe in answer["recipes"]}
    assert set(by_program) == {
        "vllm", "sglang", "ktransformers", "mlx", "ollama", "llama-server", "llama-rpc"
    }  # fmt: skip
    vllm = by_program["vllm"]
    assert vllm["commands"][0].startswith("vllm serve Qwen/Qwen3-32B --max-model-len 16384 ")
    assert vllm["needs"]["gpu_bytes"] > 2 * 32_000_000_000
    assert by_program["ktransformers"]["commands"] == []
    status, one = ask(capsys, "recipe", "Qwen/Qwen3-32B", "--for", "ollama")
    assert [recipe["for"] for recipe in one["recipes"]] == ["ollama"]
    assert ask(capsys, "recipe", "Qwen/Qwen3-32B", "--for", "vLLM")[0] == 0
    status, refused = ask(capsys, "recipe", "Qwen/Qwen3-32B", "--for", "nothing")
    assert (status, "LaunchEngine" in refused["error"]["message"]) == (2, False)
    for program, key in (("ollama", "--no-key"), ("vllm", "--key")):
        assert run_command(["recipe", "Qwen/Qwen3-32B", "--for", program]) == 0
        assert capsys.readouterr().out.strip().endswith(f"/v1 {key}")


def test_a_recipe_is_no_way_around_the_policy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    status, answer = ask(capsys, "recipe", "Qwen/Qwen3-32B")
    assert (status, answer["verdict"]) == (0, "allowed_with_obligations")
    policy = tmp_path / "policy.toml"
    policy.write_text('[rules]\ndeny_vendor_regions = ["CN"]\n', encoding="utf-8")
    monkeypatch.setenv("OPENSHELF_POLICY", str(policy))
    status, refused = ask(capsys, "recipe", "Qwen/Qwen3-32B")
    assert (status, refused["error"]["code"]) == (3, "policy_blocked")
    assert "recipes" not in refused
    assert ask(capsys, "recipe", "microsoft/phi-4")[0] == 0


def test_an_address_that_takes_the_place_of_another_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command(["servers", "add", "Box", "http://10.0.0.7:8000"]) == 0
    assert "takes the place" not in capsys.readouterr().err
    assert run_command(["servers", "add", "Box", "http://10.0.0.7:8000"]) == 0
    assert "takes the place" not in capsys.readouterr().err, "nothing changed"
    assert run_command(["servers", "add", "box", "http://10.0.0.8:8000"]) == 0
    told = capsys.readouterr().err
    assert "takes the place of Box at http://10.0.0.7:8000/v1" in told
    (kept,) = ask(capsys, "servers")[1]["servers"]
    assert (kept["name"], kept["address"]) == ("box", "http://10.0.0.8:8000/v1")
