"""The model that answers next, installed or on a server, with what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from openshelf.chat.interface import ModelInMemory
from openshelf.engine.servers import Server, ServerModelName, server_model_of
from openshelf.library.installed import InstalledModel


@dataclass
class ChosenModel:
    """`installed` is None until it was read; `accepted` is record id → day."""

    id: str | None = None
    installed: tuple[InstalledModel, ...] | None = None
    in_memory: ModelInMemory | None = None
    accepted: dict[str, str] = field(default_factory=dict)
    servers: tuple[Server, ...] = ()

    @property
    def on_server(self) -> ServerModelName | None:
        """The chosen model, if it is one of a server, known or not."""
        return server_model_of(self.id)

    @property
    def server(self) -> Server | None:
        """The server of the chosen model, as long as it is known."""
        name = self.on_server
        known = (server for server in self.servers if name and server.name == name.server)
        return next(known, None)

    @property
    def model(self) -> InstalledModel | None:
        """The chosen model, if it is installed."""
        return next((model for model in self.installed or () if model.id == self.id), None)

    @property
    def is_usable(self) -> bool:
        """It can be sent to; also as long as nothing was read that says otherwise."""
        if self.on_server is not None:
            return self.installed is None or self.server is not None
        return self.installed is None or (self.model is not None and self.model.is_usable)

    @property
    def loaded(self) -> ModelInMemory | None:
        """What is in memory, if it is this model."""
        held = self.in_memory
        return held if held is not None and held.model_id == self.id else None

    @property
    def counted_by(self) -> str:
        """Its id where it can count tokens: in memory on this machine. Empty for a server's, which
        gets nothing before it is sent."""
        held = self.loaded
        return held.model_id if held is not None and held.server is None else ""

    @property
    def accepted_on(self) -> str:
        """The day on which its terms were acknowledged; empty where no record says so."""
        model = self.model
        return self.accepted.get(model.record_id or "", "") if model else ""

    def pick(self) -> None:
        """Choose the one used last, where none is chosen."""
        usable = [model for model in self.installed or () if model.is_usable]
        if self.id is None and usable:
            usable.sort(key=lambda model: model.last_used_at or model.installed_at)
            self.id = usable[-1].id
