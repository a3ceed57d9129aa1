"""Servers in the window: kept, tested and removed in Settings; marked above a chat."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from openshelf.chat.conversation import Conversation
from openshelf.engine.servers import Server, ServerModelName
from openshelf.errors import PolicyBlocked, ServerFailed
from openshelf.services import Services
from openshelf.ui.main_window import MainWindow
from openshelf.ui.pages.chat import ChatPage
from openshelf.ui.pages.model import ModelPage
from openshelf.ui.pages.settings import SettingsPage
from openshelf.ui.pages.settings_servers import ServersCard
from openshelf.ui.places import Place
from openshelf.ui.theme.kinds import ChipKind
from tests.screens.server_scenes import FAR, HERE, chat_with, with_servers

LEFT = Qt.MouseButton.LeftButton
KEY = "sk-canary-window"
MakeWindow = Callable[..., MainWindow]


def open_card(window: MainWindow, qtbot: QtBot, rows: int = 0) -> ServersCard:
    window.open_place(Place.SETTINGS)
    card = cast(SettingsPage, window.page(Place.SETTINGS)).servers
    qtbot.waitUntil(lambda: len(card.rows) == rows)
    return card


def type_in(card: ServersCard, name: str, address: str, key: str = "") -> None:
    card.name.setText(name)
    card.address.setText(address)
    card.key.setText(key)


def names(services: Services) -> list[str]:
    return [server.name for server in services.servers.servers()]


def test_a_server_is_kept_and_its_key_is_not_shown(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    card = open_card(make_window(services), qtbot)
    assert card.key.echoMode() is QLineEdit.EchoMode.Password
    type_in(card, "GPU box", "gpu.lan.example:8000", KEY)
    qtbot.mouseClick(card.add, LEFT)
    qtbot.waitUntil(lambda: len(card.rows) == 1)
    assert names(services) == ["GPU box"]
    assert card.rows[0].mark.words == "leaves this machine"
    assert "https://gpu.lan.example:8000/v1" in card.rows[0].details.text()
    assert card.key.text() == ""
    assert "for you alone" in card.notice.text.text(), "there is no keychain here"
    assert KEY not in repr(services.settings.current)
    assert KEY not in repr(services.servers.known())


@pytest.mark.parametrize(
    ("name", "address", "words"),
    [
        ("", "http://x", "no name"),
        ("Box", "", "not the address"),
        ("Box", "ftp://x", "not the address"),
        ("Box", "http://me:secret@x/v1", "keys are kept apart"),
        ("Box", "http://x/v1?key=secret", "keys are kept apart"),
    ],
)
def test_what_is_no_server_is_said_and_nothing_is_kept(
    name: str, address: str, words: str, make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    card = open_card(make_window(services), qtbot)
    type_in(card, name, address)
    qtbot.mouseClick(card.add, LEFT)
    assert words in card.notice.text.text()
    assert "secret" not in card.notice.text.text()
    assert names(services) == []


def test_a_server_is_changed_and_removed(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    card = open_card(make_window(with_servers(services)), qtbot, 2)
    qtbot.mouseClick(card.rows[0].edit, LEFT)
    assert (card.name.text(), card.key.text()) == ("GPU box", "")
    card.name.setText("Big box")
    qtbot.mouseClick(card.add, LEFT)
    qtbot.waitUntil(lambda: names(services) == ["Big box", "LM Studio"])
    qtbot.waitUntil(lambda: card.rows[0].known.server.name == "Big box")
    (big, _) = services.servers.known()
    assert big.key_place == "file", "the key stayed"
    assert big.server.models == FAR.models
    qtbot.mouseClick(card.rows[0].remove, LEFT)
    qtbot.waitUntil(lambda: len(card.rows) == 1)
    assert names(services) == ["LM Studio"]


def test_two_of_one_name_are_one_too_many(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    card = open_card(make_window(with_servers(services)), qtbot, 2)
    type_in(card, "gpu BOX", "http://other")
    qtbot.mouseClick(card.add, LEFT)
    qtbot.waitUntil(lambda: "already" in card.notice.text.text())
    assert len(names(services)) == 2


def test_a_test_lists_the_models(make_window: MakeWindow, services: Services, qtbot: QtBot) -> None:
    services = with_servers(services)
    card = open_card(make_window(services), qtbot, 2)
    qtbot.mouseClick(card.rows[1].test, LEFT)
    qtbot.waitUntil(lambda: "2 models" in card.notice.text.text())
    assert services.servers.find("LM Studio").models == ("Qwen/Qwen3-32B", "small")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ServerFailed("x", "bad_key", server="GPU box"), "does not accept the key"),
        (PolicyBlocked("x"), "does not allow"),
    ],
)
def test_a_test_that_fails_says_why(
    error: Exception, words: str, make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    services = with_servers(services)
    services.servers.engine.error = error  # type: ignore[attr-defined]
    card = open_card(make_window(services), qtbot, 2)
    qtbot.mouseClick(card.rows[0].test, LEFT)
    qtbot.waitUntil(lambda: words in card.notice.text.text())
    assert card.rows[0].isEnabled()


# --- above a chat -------------------------------------------------------------------------------


def open_chat(window: MainWindow, qtbot: QtBot) -> ChatPage:
    window.open_place(Place.CHAT)
    page = cast(ChatPage, window.page(Place.CHAT))
    qtbot.waitUntil(lambda: page.chosen.servers != () and page.chosen.installed is not None)
    return page


def first_conversation(services: Services) -> Conversation:
    return services.chats.conversations()[-1]


@pytest.mark.parametrize(
    ("server", "mark", "kind", "privacy"),
    [
        (FAR, "leaves this machine", ChipKind.WARNING, "sent to gpu.example:8000"),
        (HERE, "another program on this machine", ChipKind.ACCENT, ""),
    ],
)
def test_a_chat_says_what_leaves_this_machine(
    server: Server, mark: str, kind: ChipKind, privacy: str,
    make_window: MakeWindow, services: Services, qtbot: QtBot,
) -> None:  # fmt: skip
    services = chat_with(server)(services)
    page = open_chat(make_window(services), qtbot)
    page._open_conversation(first_conversation(services))
    qtbot.waitUntil(lambda: page.area.header.placement.words == mark)
    assert page.area.header.placement.property("chip") == kind.value
    assert page.area.header.privacy.text() == privacy
    assert page.inspector.server_mark.text() == mark
    assert "not known here" in page.inspector.license_line.text()
    assert page.chosen.is_usable


def test_back_on_this_machine_nothing_leaves_again(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    services = chat_with(FAR)(services)
    page = open_chat(make_window(services), qtbot)
    page._open_conversation(first_conversation(services))
    qtbot.waitUntil(lambda: "leaves" in page.area.header.placement.words)
    model = services.library.installed()[0]
    page.area.header.model_chosen.emit(model.id)
    assert page.area.header.privacy.text() == "nothing leaves this machine"
    assert "leaves" not in page.area.header.placement.words
    assert not page.inspector.server_mark.isVisible()


def test_the_menu_has_the_models_of_each_server(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    page = open_chat(make_window(with_servers(services)), qtbot)
    menus = [action.menu() for action in page.area.header.model_menu.actions() if action.menu()]
    assert [menu.title() for menu in menus] == [
        "GPU box · leaves this machine",
        "LM Studio · another program on this machine",
    ]
    menus[0].actions()[0].trigger()
    assert page.chosen.id == ServerModelName("GPU box", "Qwen/Qwen3-32B").id
    assert page.area.welcome.words.text() == "What you write is sent to gpu.example:8000."
    assert "stays" not in page.area.welcome.words.text()


def test_a_server_that_is_gone_gets_nothing(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    services = chat_with(FAR)(services)
    services.servers.remove("GPU box")
    page = open_chat(make_window(services), qtbot)
    page._open_conversation(first_conversation(services))
    qtbot.waitUntil(lambda: page.area.header.placement.words == "server removed")
    assert not page.chosen.is_usable
    assert page.area.header.privacy.text() == ""


# --- recipes ------------------------------------------------------------------------------------


def test_what_does_not_fit_has_recipes_to_copy(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    window = make_window(services)
    window.open_model("Qwen3-14B")
    page = cast(ModelPage, window.page(Place.MODEL))
    qtbot.waitUntil(lambda: page.variants.model.rowCount() > 0)
    assert not page.variants.why.elsewhere.isVisible(), "the recommended one fits"
    qtbot.waitUntil(lambda: page.variants.table.chosen is not None)
    page.variants.table.choose("unsloth/Qwen3-14B-GGUF:BF16")
    qtbot.waitUntil(page.variants.why.elsewhere.isVisible)
    qtbot.mouseClick(page.variants.why.elsewhere, LEFT)
    qtbot.waitUntil(lambda: page.variants.sheet is not None)
    sheet = page.variants.sheet
    assert sheet is not None
    assert sheet.commands.toPlainText().startswith("vllm serve Qwen/Qwen3-14B ")
    assert "--max-model-len 8192" in sheet.commands.toPlainText()
    assert "GPU" in sheet.needs.text()
    qtbot.mouseClick(sheet.copy, LEFT)
    assert QGuiApplication.clipboard().text() == sheet.commands.toPlainText()
    sheet.engine.value_changed.emit("llama-rpc")
    assert "--rpc HOST_2:50052,HOST_3:50052" in sheet.commands.toPlainText()
    sheet.engine.value_changed.emit("ktransformers")
    assert not sheet.commands.isVisible()
    assert "does not list" in sheet.notes.text()
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
