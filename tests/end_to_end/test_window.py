"""First start → Shelf → terms → install → chat, in the real window with the real engine."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from openshelf.chat.conversation import Message, MessageState
from openshelf.engine.engines import Engines
from openshelf.engine.process import Engine
from openshelf.library.downloads import DownloadState
from openshelf.paths import apache_license_text
from openshelf.ui.pages.chat import ChatPage
from openshelf.ui.places import Place
from tests.end_to_end.conftest import Person
from tests.fakes.hub.loopback import LoopbackHub
from tests.fakes.hub.repositories import FakeFile, FakeRepo

StartApp = Callable[[], Person]
MOST_CLICKS = 4
HEADERS = Path(__file__).parents[1] / "data" / "headers"


@pytest.fixture
def sockets_refused(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """No AF_INET and no AF_INET6 socket can be made in this process; what was tried is kept."""
    tried: list[int] = []
    real = socket.socket

    class Refusing(real):  # type: ignore[misc,valid-type]
        def __init__(self, family: int = -1, *rest: object, **named: object) -> None:
            if family in (-1, socket.AF_INET, socket.AF_INET6) and "fileno" not in named:
                tried.append(family)
                raise OSError("sockets are refused here")
            super().__init__(family, *rest, **named)

    monkeypatch.setattr(socket, "socket", Refusing)
    return tried


def answers(person: Person) -> list[Message]:
    conversations = person.services.chats.conversations()
    if not conversations:
        return []
    messages = person.services.chats.messages(conversations[0].id)
    return [message for message in messages if message.role == "assistant"]


def is_ended(person: Person, count: int) -> bool:
    found = answers(person)
    return len(found) == count and found[-1].state is not MessageState.STREAMING


def open_network_sockets() -> list[object]:
    """Of this process and all its children: nothing may listen, nothing may be connected."""
    own = psutil.Process()
    found: list[object] = []
    for process in (own, *own.children(recursive=True)):
        found += process.net_connections(kind="inet")
    return found


@pytest.mark.model
def test_main_job_with_the_starter_and_no_network(
    start_app: StartApp, sockets_refused: list[int], starter_model: Path, home: Path
) -> None:
    person = start_app()
    assert person.sees("What fits this machine", "Qwen3", "SmolLM2")
    assert person.sees("free on disk")

    person.click("Install", "SmolLM2 135M")
    person.click("For myself")
    person.wait(lambda: person.sees("Before you install", "Apache License 2.0", "not legal advice"))
    person.click("I accept these terms")
    person.click("Accept and install")
    chat = person.window.page(Place.CHAT)
    assert isinstance(chat, ChatPage)
    person.wait(lambda: chat.isVisible())

    person.type("What is the capital of France? Answer in one word.")
    person.press_enter()
    person.wait(lambda: is_ended(person, 1))
    assert person.clicks <= MOST_CLICKS

    answer = answers(person)[0]
    assert answer.content.strip()
    assert answer.figures is not None
    assert answer.figures.decode_tokens_per_second > 0
    person.wait(lambda: person.sees("tok/s"))
    assert sockets_refused == []
    assert open_network_sockets() == []
    assert person.services.acceptances.verify().records == 1
    installed = person.services.library.installed()
    assert Path(installed[0].first_file.location).is_relative_to(home)
    assert starter_model.exists()


@pytest.mark.model
def test_main_job_through_the_hub(
    start_app: StartApp, starter_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub_with_the_model(starter_model) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        person = start_app()
        person.window.open_install(f"{PACKAGED}:Q4_1")
        person.click("For myself")
        person.wait(lambda: person.sees("Before you install", "Apache License 2.0"))
        hub.bytes_per_second = 20_000_000
        person.click("I accept these terms")
        person.click("Accept and install")
        person.wait(lambda: person.sees("MB/s", "left"))
        person.click("Pause")
        person.wait(lambda: download_state(person) is DownloadState.PAUSED)
        person.rest(1000)
        sent = hub.sent_bytes
        assert 0 < sent < starter_model.stat().st_size
        person.rest(1000)
        assert hub.sent_bytes == sent, "a second after the pause nothing is on the wire"
        hub.bytes_per_second = 0
        person.click("Resume")
        person.wait(lambda: person.window.page(Place.CHAT).isVisible())
        resumed = hub.bodies()[-1].range_start
        assert resumed, "it goes on where it was"
        person.type("What is the capital of France? Answer in one word.")
        person.press_enter()
        person.wait(lambda: is_ended(person, 1))
        assert answers(person)[0].content.strip()
        installed = person.services.library.installed()
        assert [model.source for model in installed] == ["hub"]
        assert Path(installed[0].first_file.location).read_bytes() == starter_model.read_bytes()


@pytest.mark.model
def test_killed_engine_is_told_in_the_conversation_and_the_next_message_works(
    start_app: StartApp, starter_model: Path
) -> None:
    person = start_app()
    person.click("Install", "SmolLM2 135M")
    person.click("For myself")
    person.click("I accept these terms")
    person.click("Accept and install")
    person.wait(lambda: person.window.page(Place.CHAT).isVisible())
    person.type("Write a long story about a lighthouse and a fox.")
    person.press_enter()
    person.wait(lambda: len(live_text(person)) > 40)
    seen = live_text(person)
    psutil.Process(engine_of(person).pid).kill()
    person.wait(lambda: is_ended(person, 1))

    answer = answers(person)[0]
    assert answer.state is MessageState.ENGINE_DIED
    assert answer.content.startswith(seen), "what was on the screen is kept"
    person.wait(lambda: person.sees("The engine", "the next message starts it again"))
    assert person.window.isVisible()

    person.type("What is the capital of France? Answer in one word.")
    person.press_enter()
    person.wait(lambda: is_ended(person, 2))
    assert answers(person)[1].state is MessageState.COMPLETE


def download_state(person: Person) -> DownloadState:
    return person.services.downloads.snapshots()[0].state


def live_text(person: Person) -> str:
    for conversation in person.services.chats.conversations():
        live = person.services.chats.live(conversation.id)
        if live is not None:
            return live.text
    return ""


def engine_of(person: Person) -> Engine:
    engines = person.services.chats._engine  # type: ignore[attr-defined]
    assert isinstance(engines, Engines)
    assert isinstance(engines._local, Engine)
    return engines._local


BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
PACKAGED = "bartowski/SmolLM2-135M-Instruct-GGUF"


def test_any_model_of_the_hub_is_verified_before_a_download(
    start_app: StartApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A name is pasted, its headers are read, and the engine lays out what nobody downloaded."""
    with LoopbackHub() as hub:
        repo = FakeRepo("ada/Granite-GGUF", downloads=4200)
        names = {"g-Q4_K_M.gguf": "granite4-h-tiny", "other/g-Q4_K_M.gguf": "llama3.2-1b"}
        repo.commit(
            FakeFile(name, with_a_hole(header, tmp_path / header), f"{number:064x}")
            for number, (name, header) in enumerate(names.items(), start=1)
        )
        hub.add(repo)
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        person = start_app()
        search = person.window.page(Place.SHELF).controls.search
        search.setFocus()
        person.type("llama-server -hf ada/Granite-GGUF:Q4_K_M")
        person.press_enter()
        page = person.window.page(Place.MODEL)
        person.wait(lambda: page.isVisible() and page.listing is not None)
        person.wait(lambda: person.sees("Verified"))
        assert page.listing is not None
        assert [build.downloads for build in page.listing.builds] == [4200, 4200]
        assert hub.sent_bytes < 1_000_000
        person.press("Esc")
        person.wait(lambda: person.window.page(Place.SHELF).isVisible())


def with_a_hole(header: str, path: Path) -> Path:
    path.write_bytes((HEADERS / f"{header}.gguf.header").read_bytes())
    os.truncate(path, json.loads((HEADERS / "index.json").read_text("utf-8"))[header]["file_bytes"])
    return path


def hub_with_the_model(model: Path) -> LoopbackHub:
    """A packager's repository with the real file, and the base model's with its license text."""
    hub = LoopbackHub()
    license_text = apache_license_text().read_bytes()
    card = {"license": "apache-2.0", "base_model": BASE, "base_model_relation": "quantized"}
    packaged = FakeRepo(PACKAGED, card=card)
    packaged.commit([FakeFile("SmolLM2-135M-Instruct-Q4_1.gguf", model)])
    base = FakeRepo(BASE, card={"license": "apache-2.0"})
    base.commit([FakeFile("LICENSE", license_text), FakeFile("config.json", b"{}")])
    hub.add(packaged)
    hub.add(base)
    return hub
