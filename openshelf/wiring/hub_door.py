"""One Hub client under the network that settings, policy and environment want now."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from openshelf.hub.client import HubClient
from openshelf.hub.fetching import FetchPlace
from openshelf.hub.tokens import TokenStore
from openshelf.network import NetworkOptions, NetworkWishes, options_for_server, options_from
from openshelf.paths import Paths
from openshelf.policy.gate import Gate
from openshelf.services import Services
from openshelf.settings import SettingsStore


class HubDoor:
    """Thread-safe. The client is made anew when the options change."""

    def __init__(
        self, paths: Paths, settings: SettingsStore, tokens: TokenStore, network: FetchPlace
    ) -> None:
        self._paths = paths
        self._settings = settings
        self._tokens = tokens
        self._network = network
        self._client: HubClient | None = None
        self._client_lock = threading.Lock()

    def throw_switch(self, services: Services) -> None:
        """The network as settings and policy want it from now on, also for what runs.

        Called in the GUI thread: the keychain is left alone.
        """
        options = self._options_under(services.gate, None)
        with self._client_lock:
            if options.offline and self._client is not None:
                self._client.shut()
        services.downloads.set_bandwidth(self._settings.current.bandwidth)
        services.downloads.set_offline(options.host if options.offline else None)

    def _options_under(
        self, gate: Gate, token_for: Callable[[str], str | None] | None
    ) -> NetworkOptions:
        return options_from(os.environ, self._wishes(gate, token_for))

    def _wishes(
        self, gate: Gate, token_for: Callable[[str], str | None] | None = None
    ) -> NetworkWishes:
        settings = self._settings.current
        return NetworkWishes(
            offline=settings.offline or gate.policy.offline_only,
            endpoint=settings.hub_endpoint,
            ca_file=settings.ca_file,
            bytes_per_second=settings.download_limit,
            token_for=token_for,
        )

    def server_options(self, gate: Gate, address: str) -> NetworkOptions:
        """For a server to chat with, as they are at this moment."""
        return options_for_server(os.environ, self._wishes(gate), address)

    def client_under(self, gate: Gate) -> HubClient:
        """One client as long as the options stay what they are."""
        options = self._options_under(gate, self._tokens.token_for)
        with self._client_lock:
            if self._client is None or self._client.options != options:
                if self._client is not None:
                    self._client.close()
                self._client = HubClient(options, self._paths.cache, self._network.egress)
            return self._client

    def close(self) -> None:
        with self._client_lock:
            if self._client is not None:
                self._client.close()
