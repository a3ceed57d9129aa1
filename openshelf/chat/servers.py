"""Servers to chat with: kept in the settings, their keys apart, asked only where the policy says
yes; and the ticket for a model on one of them.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import Protocol

from openshelf.chat.interface import LoadTicket, OpenAny, OpenModel, ServerTicket, Ticket
from openshelf.engine.interface import ServerOrder
from openshelf.engine.servers import (
    Server,
    ServerModel,
    server_model_of,
    servers_from,
    servers_table,
)
from openshelf.errors import BadWords, NotFound
from openshelf.policy.gate import Gate
from openshelf.settings import Settings
from openshelf.tasks import CancelToken


class KeepsSettings(Protocol):
    @property
    def current(self) -> Settings: ...
    def save(self, settings: Settings) -> None: ...


class KeepsKeys(Protocol):
    """Keys by origin; hub/tokens.py. All but `place_of` may wait for the keychain."""

    def store(self, endpoint: str, token: str) -> object: ...
    def forget(self, endpoint: str) -> bool: ...
    def place_of(self, endpoint: str) -> tuple[str, str] | None: ...


class ListsModels(Protocol):
    """What is needed of engine/remote.py."""

    def models(self, server: Server, cancel: CancelToken) -> tuple[ServerModel, ...]: ...


@dataclass(frozen=True)
class KnownServer:
    """A server with where its key lies: `keychain`, `file` (then `key_path`), "" without one."""

    server: Server
    key_place: str = ""
    key_path: str = ""

    @property
    def sends_key_openly(self) -> bool:
        """The key travels unencrypted to another machine."""
        return (
            bool(self.key_place)
            and self.server.address.startswith("http:")
            and not self.server.is_here
        )


@dataclass(frozen=True)
class ServerTest:
    """What a server said when it was asked for its models."""

    server: Server
    models: tuple[ServerModel, ...]
    seconds: float


class ServersLike(Protocol):
    """What the window and the command line use."""

    def servers(self) -> tuple[Server, ...]: ...
    def known(self) -> tuple[KnownServer, ...]:
        """The same with where the keys lie; may wait for the disk."""
        ...

    def find(self, name: str) -> Server:
        """By name, whatever its case. Raises NotFound with candidates."""
        ...

    def keep(self, server: Server, key: str | None = None, replaces: str = "") -> KnownServer:
        """Add it, or put it in the place of the one called `replaces`.

        `key` None leaves the key of its origin as it is, "" forgets it. Raises UsageError (a
        second one of that name, a key that is none), NotEnoughDisk.
        """
        ...

    def remove(self, name: str) -> Server:
        """Forget it and its key. Raises NotFound, UsageError, NotEnoughDisk."""
        ...

    def test(self, name: str, cancel: CancelToken) -> ServerTest:
        """Ask for its models, and remember them. Raises NotFound, PolicyBlocked, Offline,
        ServerFailed, RateLimited, CancelledByUser."""
        ...


@dataclass(frozen=True)
class Servers:
    """ServersLike, and what opens a model on one of them."""

    settings: KeepsSettings
    keys: KeepsKeys
    gate: Gate
    engine: ListsModels

    def servers(self) -> tuple[Server, ...]:
        return servers_from(self.settings.current.servers)

    def known(self) -> tuple[KnownServer, ...]:
        return tuple(self._known(server) for server in self.servers())

    def find(self, name: str) -> Server:
        servers = self.servers()
        for server in servers:
            if server.name.casefold() == name.strip().casefold():
                return server
        raise NotFound("server", name, tuple(server.name for server in servers))

    def keep(self, server: Server, key: str | None = None, replaces: str = "") -> KnownServer:
        before = self.servers()
        gone = [s for s in before if s.name == replaces]
        rest = [s for s in before if s.name != replaces]
        if any(s.name.casefold() == server.name.casefold() for s in rest):
            raise BadWords(why="server_taken", name=server.name)
        if gone and gone[0].address == server.address and not server.models:
            server = dataclasses.replace(server, models=gone[0].models)
        # The key first: a server whose key could not be kept is not there.
        if key:
            self.keys.store(server.origin, key)
        elif key is not None:
            self.keys.forget(server.origin)
        self._save((*rest, server))
        self._forget_unused(gone)
        return self._known(server)

    def remove(self, name: str) -> Server:
        server = self.find(name)
        self._save(tuple(s for s in self.servers() if s.name != server.name))
        self._forget_unused([server])
        return server

    def test(self, name: str, cancel: CancelToken) -> ServerTest:
        server = self.find(name)
        self.gate.check_host(server.address)
        started = time.monotonic()
        models = self.engine.models(server, cancel)
        seconds = time.monotonic() - started
        server = dataclasses.replace(server, models=tuple(model.id for model in models))
        if any(s.name == server.name and s.address == server.address for s in self.servers()):
            self._save((*(s for s in self.servers() if s.name != server.name), server))
        return ServerTest(server, models, seconds)

    def open_model(self, model_id: str, cancel: CancelToken) -> ServerTicket:
        """Raises NotFound, PolicyBlocked, NeedsReview."""
        name = server_model_of(model_id)
        if name is None:
            raise NotFound("id", model_id)
        server = self.find(name.server)
        clearance = self.gate.clear_server(server.address, name.model)
        cancel.raise_if_cancelled()
        policy_sha256 = self.gate.policy.sha256
        order = ServerOrder(
            server=server,
            model=name.model,
            context_length=server.context_length or self.settings.current.context_length,
            policy_sha256=policy_sha256,
        )
        return ServerTicket(
            model_id=model_id,
            clearance=clearance,
            order=order,
            still_allowed=lambda: (
                self.gate.current_sha256() == policy_sha256
                and any(_is_same(s, server) for s in self.servers())
            ),
        )

    def _known(self, server: Server) -> KnownServer:
        place = self.keys.place_of(server.origin)
        return KnownServer(server, *(place or ("", "")))

    def _save(self, servers: tuple[Server, ...]) -> None:
        table = servers_table(tuple(sorted(servers, key=lambda s: s.name.casefold())))
        self.settings.save(dataclasses.replace(self.settings.current, servers=table))

    def _forget_unused(self, gone: list[Server]) -> None:
        used = {server.origin for server in self.servers()}
        for server in gone:
            if server.origin not in used:
                self.keys.forget(server.origin)


def _is_same(one: Server, other: Server) -> bool:
    return (one.name, one.address, one.context_length) == (
        other.name,
        other.address,
        other.context_length,
    )


def open_either(local: OpenModel, servers: Servers) -> OpenAny:
    """Opens what is on this machine and what is on a server, by the id."""

    def open_model(model_id: str, cancel: CancelToken) -> Ticket:
        if server_model_of(model_id) is not None:
            return servers.open_model(model_id, cancel)
        ticket: LoadTicket = local(model_id, cancel)
        return ticket

    return open_model
