"""What the chat page says of the model that is chosen, here or on a server."""

from __future__ import annotations

from openshelf.ui.models.chosen_model import ChosenModel
from openshelf.ui.models.server_words import gone_mark, mark_of, unknown_license
from openshelf.ui.widgets.chat_header import ChatHeader
from openshelf.ui.widgets.chat_inspector import ChatInspector


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


def sent_to(chosen: ChosenModel) -> str:
    """The host on another machine that gets what is written; empty where it stays here."""
    server = chosen.server
    return server.host if server is not None and not server.is_here else ""
