"""Scenes of servers: in Settings, in a chat with one elsewhere and with one on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

from PySide6.QtWidgets import QApplication, QScrollArea

from openshelf.chat.interface import ModelInMemory, ServerInUse
from openshelf.engine.servers import Server, ServerModelName
from openshelf.errors import ServerFailed
from openshelf.services import Services
from openshelf.ui.main_window import MainWindow
from openshelf.ui.pages.chat import ChatPage
from openshelf.ui.pages.settings import SettingsPage
from openshelf.ui.places import Place
from tests.fakes.example_data import example_machine
from tests.screens.room_scenes import with_chats

FAR = Server("GPU box", "http://gpu.example:8000/v1", None, ("Qwen/Qwen3-32B", "small"))
HERE = Server("LM Studio", "http://127.0.0.1:1234/v1", None, ("gemma-3-4b-it",))
Act = Callable[[MainWindow, Services], None]


def with_servers(services: Services) -> Services:
    services = with_chats(services)
    services.servers.keep(FAR, "sk-example")
    services.servers.keep(HERE)
    return services


def chat_with(server: Server) -> Callable[[Services], Services]:
    """The first conversation is one with this server's first model."""

    def prepare(services: Services) -> Services:
        services = with_servers(services)
        chats = services.chats
        model_id = ServerModelName(server.name, server.models[0]).id
        chats.all[1] = replace(chats.all[1], model_id=model_id)  # type: ignore[attr-defined]
        in_use = ServerInUse(
            server.name, server.host, server.models[0], server.is_here, not server.is_here
        )
        chats.in_memory = ModelInMemory(  # type: ignore[attr-defined]
            model_id, 32768, 0, 0, "", {}, {}, 0.1, server=in_use
        )
        return services

    return prepare


def open_first_chat(window: MainWindow, services: Services) -> None:
    from tests.screens.gallery import settle

    window.set_machine(example_machine())
    window.open_place(Place.CHAT)
    settle(QApplication.instance())  # type: ignore[arg-type]
    page = cast(ChatPage, window.page(Place.CHAT))
    page._open_conversation(services.chats.conversations()[-1])
    settle(QApplication.instance())  # type: ignore[arg-type]


def begin_chat(window: MainWindow, services: Services) -> None:
    open_first_chat(window, services)
    cast(ChatPage, window.page(Place.CHAT)).start_new()


def open_settings(window: MainWindow, services: Services) -> None:
    from tests.screens.gallery import settle

    window.set_machine(example_machine())
    window.open_place(Place.SETTINGS)
    settle(QApplication.instance())  # type: ignore[arg-type]
    page = cast(SettingsPage, window.page(Place.SETTINGS))
    page.servers.rows[0].test.click()
    settle(QApplication.instance())  # type: ignore[arg-type]
    page.findChildren(QScrollArea)[0].ensureWidgetVisible(page.servers, 0, 40)


def silent(services: Services) -> Services:
    services = with_servers(services)
    services.servers.engine.error = ServerFailed("gpu.example:8000", "refused", server="GPU box")  # type: ignore[attr-defined]
    return services


SERVER_SCENES: tuple[tuple[str, Act, Callable[[Services], Services]], ...] = (
    ("settings-servers", open_settings, with_servers),
    ("settings-servers-refused", open_settings, silent),
    ("chat-server", open_first_chat, chat_with(FAR)),
    ("chat-server-new", begin_chat, chat_with(FAR)),
    ("chat-server-here", open_first_chat, chat_with(HERE)),
)
