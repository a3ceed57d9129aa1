"""What the chat page says of the model that is chosen, here or on a server."""

from __future__ import annotations

from openshelf.chat.interface import ModelInMemory
from openshelf.ui.models.chosen_model import ChosenModel
from openshelf.ui.models.server_words import gone_mark, mark_of, unknown_license
from openshelf.ui.sentences import words
from openshelf.ui.widgets.chat_header import ChatHeader
from openshelf.ui.widgets.chat_inspector import ChatInspector
from openshelf.ui.widgets.notice import InlineNotice, NoticeLevel


def show_chosen(chosen: ChosenModel, header: ChatHeader, inspector: ChatInspector) -> None:
    """The menu of models, where the chosen one runs or what leaves this machine, its license."""
    loaded, server = chosen.loaded, chosen.server
    header.show_models(chosen.installed or (), chosen.id, chosen.servers)
    if chosen.on_server is None:
        header.show_placement(loaded)
        inspector.show_server(None)
    else:
        mark = mark_of(server) if server is not None else gone_mark()
        header.show_mark(mark, sent_to(chosen))
        tells = loaded is None or loaded.server is None or loaded.server.tells_context
        inspector.show_server(mark, is_assumed=not tells)
    otherwise = unknown_license(server) if server is not None else ""
    inspector.show_license(chosen.model, chosen.accepted_on, otherwise)


def tell_lost_gpu(loaded: ModelInMemory | None, notice: InlineNotice) -> None:
    """A load that the engine put on the CPU, although a GPU was planned, is told as it happens."""
    if loaded is not None and loaded.left_gpu:
        notice.show_message(words("engine_left_gpu"), NoticeLevel.WARNING)


def sent_to(chosen: ChosenModel) -> str:
    """The host on another machine that gets what is written; empty where it stays here."""
    server = chosen.server
    return server.host if server is not None and not server.is_here else ""
