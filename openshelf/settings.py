"""The person's settings: one frozen dataclass, a TOML file, saved atomically.

Unknown keys are kept, bad values fall back one by one with a log line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SETTINGS_VERSION = 1


@dataclass(frozen=True)
class Settings:
    """`theme` is system, light or dark; rates in bytes per second, None for no limit."""

    version: int = SETTINGS_VERSION
    theme: str = "system"
    offline: bool = False
    hub_endpoint: str = ""
    ca_file: str = ""
    download_limit: int | None = None
    context_length: int = 8192
    prefer: str = "balance"
    kv_type: str = "f16"
    unknown: dict[str, Any] = field(default_factory=dict)
