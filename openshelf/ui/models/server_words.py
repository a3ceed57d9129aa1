"""How a server is marked wherever its models can be talked to: what leaves this machine is said."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from openshelf.engine.servers import Server
from openshelf.ui.theme.kinds import ChipKind


@dataclass(frozen=True)
class ServerMark:
    """A chip's words and color, and what is said beside it."""

    text: str
    details: str
    kind: ChipKind


def mark_of(server: Server) -> ServerMark:
    """The mark of one server."""
    if server.is_here:
        details = " ".join(
            (
                _tr("{host} is a program that Openshelf did not start.").format(host=server.host),
                _tr("Whether it passes on what it is told is not known here."),
            )
        )
        return ServerMark(_tr("another program on this machine"), details, ChipKind.ACCENT)
    return ServerMark(
        _tr("leaves this machine"),
        _tr("What you write is sent to {host}, with the chat before it.").format(host=server.host),
        ChipKind.WARNING,
    )


def gone_mark() -> ServerMark:
    """For a chat whose server is no longer among the settings."""
    return ServerMark(
        _tr("server removed"),
        _tr("This server is no longer in Settings, so nothing is sent to it."),
        ChipKind.NEUTRAL,
    )


def unknown_license(server: Server) -> str:
    text = _tr("License not known here: whoever runs {host} answers for the model.")
    return text.format(host=server.host)


def shown(name: str) -> str:
    """A name that a server tells, on one line."""
    return " ".join(name.split())


def _tr(text: str) -> str:
    return QCoreApplication.translate("ServerWords", text)
