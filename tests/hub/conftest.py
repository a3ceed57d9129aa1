"""A running loopback Hub, and clients of it that are closed in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from openshelf.hub.client import HubClient
from openshelf.network import NetworkOptions
from tests.fakes.hub.loopback import LoopbackHub

MakeClient = Callable[..., HubClient]


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as running:
        yield running


@pytest.fixture
def make_client(hub: LoopbackHub) -> Iterator[MakeClient]:
    clients: list[HubClient] = []

    def make(**options: Any) -> HubClient:
        more = {name: options.pop(name) for name in ("cache_folder", "egress") if name in options}
        wanted = {"endpoint": hub.endpoint, "read_timeout_seconds": 5.0, **options}
        client = HubClient(NetworkOptions(**wanted), **more)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()
