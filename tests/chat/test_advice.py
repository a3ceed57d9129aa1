"""What publishers recommend: from the file, from the Hub, and nothing that nobody said."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from openshelf.chat.advice import (
    Advice,
    AdviceSource,
    advice_from_header,
    repositories,
    values_from_config,
)
from openshelf.chat.advising import Advisor
from openshelf.chat.schema import CHATS
from openshelf.database import Database
from openshelf.engine.asking import Sampling
from openshelf.errors import GatedModel, NotFound, Offline
from openshelf.library.installed import InstalledFile, InstalledModel
from openshelf.tasks import CancelToken
from tests.gguf.builder import STRING, Build, model_keys

QWEN = {
    "do_sample": True,
    "temperature": 0.6,
    "top_k": 20,
    "top_p": 0.95,
    "repetition_penalty": 1.05,
    "eos_token_id": [151645, 151643],
}


def test_the_file_names_some_and_the_rest_is_ours() -> None:
    advice = advice_from_header(
        {
            "general.sampling.temp": 0.6000000238418579,
            "general.sampling.top_k": 20,
            "general.sampling.penalty_repeat": 1.0,
        }
    )
    assert advice.source is AdviceSource.FILE
    assert advice.names == ("temperature", "top_k", "repeat_penalty")
    assert advice.sampling == Sampling(temperature=0.6, top_k=20, repeat_penalty=1.0)


@pytest.mark.parametrize("piece", ["{{", "{{'", "{%"])
def test_tags_that_do_not_end_take_no_time(piece: str) -> None:
    """In the app itself: a template is looked through before any worker sees it."""
    source = piece * ((256 << 10) // len(piece))
    started = time.process_time()
    assert advice_from_header({"tokenizer.chat_template": source}) == Advice()
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "value", [10**400, -(10**400), -1.0, 99.0, float("nan"), float("inf"), "0.6", True, None, [0.5]]
)
def test_what_cannot_be_is_no_recommendation(value: Any) -> None:
    advice = advice_from_header({"general.sampling.temp": value})
    assert advice == Advice()
    assert advice.source is AdviceSource.NONE
    assert values_from_config(json.dumps({"do_sample": True, "temperature": value})) == {}


def test_a_config_of_the_hub() -> None:
    assert values_from_config(json.dumps(QWEN)) == {
        "temperature": 0.6, "top_k": 20, "top_p": 0.95, "repeat_penalty": 1.05,
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["", "[]", "nonsense", "[" * 100_000, json.dumps({**QWEN, "do_sample": False}),
     json.dumps({k: v for k, v in QWEN.items() if k != "do_sample"})],
)  # fmt: skip
def test_a_config_without_a_recommendation(text: str) -> None:
    assert values_from_config(text) == {}


@pytest.mark.parametrize(
    ("template", "thinking", "efforts"),
    [
        ("{%- if enable_thinking is defined and enable_thinking is false %}x{% endif %}", True, 0),
        ("{% if not thinking is defined %}{% set thinking = false %}{% endif %}", True, 0),
        ("{%- if reasoning_effort is not defined %}{% set reasoning_effort='medium' %}{% endif %}",
         False, 3),
        ("{{ message.thinking }}{{ m['thinking'] }} thinking reasoning_effort", False, 0),
        ("{{ 'enable_thinking' }}", False, 0),
        ("", False, 0),
    ],
)  # fmt: skip
def test_what_a_template_can_be_told(template: str, thinking: bool, efforts: int) -> None:
    advice = advice_from_header({"tokenizer.chat_template": template})
    assert advice.can_switch_thinking is thinking
    assert len(advice.efforts) == efforts


def test_where_a_config_may_be() -> None:
    metadata = {
        "general.base_model.0.repo_url": "https://huggingface.co/Qwen/Qwen3-8B",
        "general.base_model.1.repo_url": "https://evil.example/Qwen/Qwen3-8B",
        "general.base_model.2.repo_url": "https://huggingface.co/a/b/../../c",
    }
    assert repositories("packer/Qwen3-8B-GGUF", metadata) == (
        "packer/Qwen3-8B-GGUF",
        "Qwen/Qwen3-8B",
    )


@dataclass
class Home:
    """One installed model, and a Hub that says what `configs` hold."""

    model: InstalledModel
    configs: dict[str, str | Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def find(self, model_id: str) -> InstalledModel:
        return self.model

    def read_config(self, repo: str, file: str) -> str:
        assert file == "generation_config.json"
        self.asked.append(repo)
        found = self.configs.get(repo, NotFound("file", repo))
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture
def make_home(tmp_path: Path) -> Callable[[dict[str, Any]], Home]:
    def make(keys: dict[str, Any]) -> Home:
        path = tmp_path / "m.gguf"
        texts = {key.replace(".", "__"): (STRING, text) for key, text in keys.items()}
        Build(keys=model_keys(**texts)).write(path)
        file = InstalledFile("m.gguf", str(path), path.stat().st_size, "5" * 64)
        model = InstalledModel(
            "p/M@c:m", "p/M-GGUF", "c" * 40, "M", None, (file,), "mit", ("mit",), None, "hub",
            "2026-11-26T00:00:00Z", None,
        )  # fmt: skip
        return Home(model)

    return make


def test_the_hub_is_asked_on_demand_and_remembered(make_home: Callable[..., Home]) -> None:
    home = make_home({"general.base_model.0.repo_url": "https://huggingface.co/Maker/M"})
    database = Database(None, CHATS)
    advisor = Advisor(home, home.read_config, database)
    assert advisor.advice("m").source is AdviceSource.NONE
    assert home.asked == [], "nothing goes out by itself"
    home.configs["Maker/M"] = json.dumps(QWEN)
    found = advisor.ask_publisher("m", CancelToken())
    assert home.asked == ["p/M-GGUF", "Maker/M"]
    assert (found.source, found.repo) == (AdviceSource.HUB, "Maker/M")
    assert found.sampling.temperature == 0.6
    again = Advisor(home, home.read_config, database).advice("m")
    assert again == found


def test_a_gated_repository_and_one_without_a_config(make_home: Callable[..., Home]) -> None:
    home = make_home({})
    advisor = Advisor(home, home.read_config, Database(None, CHATS))
    home.configs["p/M-GGUF"] = GatedModel("p/M-GGUF", "https://huggingface.co/p/M-GGUF")
    with pytest.raises(NotFound):
        advisor.ask_publisher("m", CancelToken())
    home.configs["p/M-GGUF"] = Offline("huggingface.co")
    with pytest.raises(Offline):
        advisor.ask_publisher("m", CancelToken())
    assert advisor.advice("m").source is AdviceSource.NONE
