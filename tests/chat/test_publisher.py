"""A publisher's generation_config.json, from the loopback Hub to the settings of a chat."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from openshelf.chat.advice import MOST_CONFIG_BYTES, AdviceSource
from openshelf.chat.advising import Advisor
from openshelf.chat.schema import CHATS
from openshelf.database import Database
from openshelf.errors import NotFound, Offline
from openshelf.hub.client import HubClient
from openshelf.library.installed import InstalledFile, InstalledModel
from openshelf.network import EgressLog, NetworkOptions
from openshelf.tasks import CancelToken
from tests.fakes.hub.loopback import LoopbackHub
from tests.gguf.builder import STRING, Build, model_keys

CONFIG = {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.95}


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as running:
        yield running


class Home:
    """One installed model whose file names what it was made from."""

    def __init__(self, folder: Path) -> None:
        base = (STRING, "https://huggingface.co/Maker/M")
        path = Build(keys=model_keys(general__base_model__0__repo_url=base)).write(
            folder / "m.gguf"
        )
        file = InstalledFile("m.gguf", str(path), path.stat().st_size, "5" * 64)
        self.model = InstalledModel(
            "m", "p/M-GGUF", "c" * 40, "M", None, (file,), "mit", ("mit",), None, "hub",
            "2026-11-26T00:00:00Z", None,
        )  # fmt: skip

    def find(self, model_id: str) -> InstalledModel:
        return self.model


MakeAdvisor = Callable[..., Advisor]


@pytest.fixture
def advisor_at(hub: LoopbackHub, tmp_path: Path) -> Iterator[MakeAdvisor]:
    clients: list[HubClient] = []

    def make(**options: Any) -> Advisor:
        wanted = {"endpoint": hub.endpoint, **options}
        client = HubClient(NetworkOptions(**wanted), None, EgressLog())
        clients.append(client)

        def read_config(repo: str, file: str) -> str:
            return client.read_text(
                repo, "main", file, MOST_CONFIG_BYTES, purpose="recommended settings"
            )

        return Advisor(Home(tmp_path), read_config, Database(None, CHATS))

    yield make
    for client in clients:
        client.close()


def test_what_the_maker_says_of_the_model_that_the_packager_packed(
    hub: LoopbackHub, advisor_at: MakeAdvisor
) -> None:
    hub.add_repo("p/M-GGUF", {"m.gguf": b"GGUF"})
    hub.add_repo("Maker/M", {"generation_config.json": json.dumps(CONFIG).encode()})
    advisor = advisor_at()
    assert advisor.advice("m").source is AdviceSource.NONE
    assert hub.requests == []
    found = advisor.ask_publisher("m", CancelToken())
    assert (found.source, found.repo) == (AdviceSource.HUB, "Maker/M")
    assert found.names == ("temperature", "top_p", "top_k")
    assert (found.sampling.temperature, found.sampling.top_k) == (0.6, 20)
    asked = len(hub.requests)
    assert advisor.advice("m") == found
    assert len(hub.requests) == asked, "kept"


@pytest.mark.parametrize(
    "config", [b"<html>sign in</html>", b"{}", b'{"temperature": 0.6}', b"[" * 300_000]
)
def test_what_recommends_nothing_is_said(
    hub: LoopbackHub, advisor_at: MakeAdvisor, config: bytes
) -> None:
    hub.add_repo("p/M-GGUF", {"generation_config.json": config})
    advisor = advisor_at()
    with pytest.raises(NotFound) as raised:
        advisor.ask_publisher("m", CancelToken())
    assert raised.value.what == "recommendation"


def test_offline_asks_nobody(hub: LoopbackHub, advisor_at: MakeAdvisor) -> None:
    with pytest.raises(Offline):
        # Loopback would be open.
        advisor_at(offline=True, endpoint="https://hub.example").ask_publisher("m", CancelToken())
    assert hub.requests == []
