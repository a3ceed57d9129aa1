"""Servers of a person's own: a name and an address each, never a key; and how a model on one of
them is called in a conversation.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from openshelf.errors import BadWords, UsageError
from openshelf.network import address_origin, host_of, is_loopback

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,38}[A-Za-z0-9._-])?")
_PREFIX = "server:"
LONGEST_MODEL = 256
MOST_MODELS = 500
"""Of one server that are remembered; gateways list hundreds."""


@dataclass(frozen=True)
class Server:
    """`address` up to and with `/v1`; `models` is what it listed when it was last asked.

    `context_length` in tokens is what the person says of it, None where the server is to tell.
    """

    name: str
    address: str
    context_length: int | None = None
    models: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        return host_of(self.address)

    @property
    def origin(self) -> str:
        """`https://host:port`: what a key and a clearance belong to."""
        return address_origin(self.address)

    @property
    def is_here(self) -> bool:
        """It is another program on this machine."""
        return is_loopback(urlsplit(self.address).hostname or "")


@dataclass(frozen=True)
class ServerModel:
    """A model as a server lists it; `context_length` in tokens, None where it does not tell."""

    id: str
    context_length: int | None = None
    aliases: tuple[str, ...] = ()
    owner: str = ""


def checked_server(name: str, address: str, context_length: int | None = None) -> Server:
    """A server as a person wrote it. Raises UsageError."""
    name = " ".join(name.split())
    if not _NAME.fullmatch(name):
        raise BadWords(why="server_name", name=name)
    return Server(name, checked_address(address), context_length)


def checked_address(text: str) -> str:
    """`gpu.example:8000` becomes `http://gpu.example:8000/v1`; a path that is given stays.

    Without a scheme it is http for this machine, for numbers and for names without a dot, and
    https for the rest. Raises UsageError, also where a key or a query stands in it.
    """
    written = text.strip()
    if not written or len(written) > 500 or not written.isascii() or not written.isprintable():
        raise BadWords(why="server_address")
    if "://" not in written:
        written = f"{_usual_scheme(written)}://{written}"
    try:
        parts = urlsplit(written)
        host = "" if parts.port == 0 else parts.hostname or ""
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme not in ("http", "https") or not host or " " in written:
        raise BadWords(why="server_address")
    if parts.username or parts.password or parts.query or parts.fragment or "@" in parts.netloc:
        # Not quoted: it may hold the key.
        raise BadWords(why="server_secret")
    path = parts.path.rstrip("/").removesuffix("/chat/completions").removesuffix("/models")
    return urlunsplit((parts.scheme, parts.netloc.lower(), path or "/v1", "", ""))


def _usual_scheme(written: str) -> str:
    host = urlsplit(f"//{written}").hostname or ""
    if is_loopback(host) or "." not in host:
        return "http"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "https"
    return "http"


# --- as settings hold them ----------------------------------------------------------------------


def servers_from(table: Mapping[str, Any]) -> tuple[Server, ...]:
    """What can be used of the settings, by name; entries that are none are left out."""
    found = []
    for name, entry in table.items():
        if not isinstance(entry, Mapping) or not isinstance(entry.get("address"), str):
            continue
        length, models = entry.get("context_length"), entry.get("models", ())
        try:
            server = checked_server(str(name), entry["address"])
        except UsageError:
            continue
        found.append(
            Server(
                server.name,
                server.address,
                length if type(length) is int and length > 0 else None,
                tuple(m for m in models if is_model_name(m))[:MOST_MODELS]
                if isinstance(models, list | tuple)
                else (),
            )
        )
    return tuple(sorted(found, key=lambda server: server.name.casefold()))


def servers_table(servers: tuple[Server, ...]) -> dict[str, dict[str, Any]]:
    """The same for the settings' file."""
    table: dict[str, dict[str, Any]] = {}
    for server in servers:
        entry: dict[str, Any] = {"address": server.address}
        if server.context_length:
            entry["context_length"] = server.context_length
        if server.models:
            entry["models"] = list(server.models)
        table[server.name] = entry
    return table


def is_model_name(value: object) -> bool:
    """One line that can be shown and sent back; what a server lists is hostile text."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST_MODEL
        and value.isprintable()
        and value == value.strip()
    )


# --- in a conversation --------------------------------------------------------------------------


@dataclass(frozen=True)
class ServerModelName:
    """Which model of which server."""

    server: str
    model: str

    @property
    def id(self) -> str:
        """`server:NAME/MODEL`, where an installed model has its own id."""
        return f"{_PREFIX}{self.server}/{self.model}"


def server_model_of(model_id: str | None) -> ServerModelName | None:
    """None where the id is not of a model on a server."""
    if model_id is None or not model_id.startswith(_PREFIX):
        return None
    server, slash, model = model_id.removeprefix(_PREFIX).partition("/")
    return ServerModelName(server, model) if slash and server and model else None
