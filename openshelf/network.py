"""The one door to the network: what may go out, through which proxy, trusting whom, how long.

Takes frozen options and returns clients and environment values; knows neither the settings nor
huggingface_hub.
"""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_ENDPOINT = "https://huggingface.co"


@dataclass(frozen=True)
class NetworkOptions:
    """`token` belongs to the endpoint it was given for; rates in bytes per second."""

    offline: bool = False
    endpoint: str = DEFAULT_ENDPOINT
    proxy: str | None = None
    no_proxy: tuple[str, ...] = ()
    ca_file: str | None = None
    connect_timeout_seconds: float = 10.0
    read_timeout_seconds: float = 30.0
    bytes_per_second: int | None = None
    token: str | None = None
