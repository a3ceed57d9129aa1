"""The person's settings: one frozen dataclass, a TOML file, saved atomically.

Unknown keys are kept, bad values fall back one by one with a log line.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import logging
import shutil
import threading
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from openshelf.bandwidth import FASTEST, SLOWEST, Bandwidth, parse_hours
from openshelf.durable import replace_file
from openshelf.errors import (
    BadWords,
    CorruptSettings,
    NotEnoughDisk,
    OpenshelfError,
    UnwritableFile,
    UsageError,
)
from openshelf.network import is_loopback
from openshelf.tasks import Announcer

log = logging.getLogger(__name__)

SETTINGS_VERSION = 1
USED_FOR = ("myself", "organization")
THEMES = ("system", "light", "dark", "high_contrast")
VERIFY_SCHEDULES = ("off", "weekly", "monthly")


@dataclass(frozen=True)
class Settings:
    """`theme` is one of THEMES; rates in bytes per second, None for no limit."""

    version: int = SETTINGS_VERSION
    theme: str = "system"
    offline: bool = False
    hub_endpoint: str = ""
    ca_file: str = ""
    catalog_address: str = ""
    """Where a catalog beside the shipped one is fetched from (catalog/refresh.py)."""
    download_limit: int | None = None
    download_hours: str = ""
    """Hours of the day at full speed, as `22:00-07:00`; "" for none."""
    download_pauses: bool = False
    """Outside of these hours nothing is fetched at all."""
    context_length: int = 8192
    prefer: str = "balance"
    kv_type: str = "f16"
    used_for: str = ""
    """Who uses the models: `myself`, `organization`, "" before anybody said."""
    hardware: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Values of the hardware set by hand: part, field, value (hardware/overrides.py)."""
    filters: dict[str, Any] = field(default_factory=dict)
    """Filters of the Shelf that are set: names of ShelfQuestion's fields, with their values."""
    model_folders: list[str] = field(default_factory=list)
    """Folders with models beside the standard one (library/folders.py)."""
    download_folder: str = ""
    """The one of them where new downloads go, "" for the standard one."""
    verify_schedule: str = "off"
    """How often installed files are verified in the background, one of VERIFY_SCHEDULES."""
    servers: dict[str, Any] = field(default_factory=dict)
    """Servers to chat with, by name: address, context_length, models; never a key
    (engine/servers.py reads them)."""
    unknown: dict[str, Any] = field(default_factory=dict)

    @property
    def bandwidth(self) -> Bandwidth:
        return Bandwidth(
            self.download_limit, parse_hours(self.download_hours), self.download_pauses
        )


def _one_of(*words: str) -> Callable[[Any], bool]:
    return lambda value: value in words


def _count(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and low <= value <= high


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 4096


def _endpoint(value: Any) -> bool:
    return _text(value) and (value == "" or value.startswith(("https://", "http://")))


def _catalog_address(value: Any) -> bool:
    if not _text(value) or value == "":
        return bool(value == "")
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
    except ValueError:
        return False
    is_here = parts.scheme == "http" and is_loopback(host)
    return bool(host) and (parts.scheme == "https" or is_here)


def _folders(value: Any) -> bool:
    return isinstance(value, list) and all(_text(path) and path != "" for path in value)


def _overrides(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(part, dict) for part in value.values())


def _filters(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(chosen, bool) or (_text(chosen) and chosen != "") for chosen in value.values()
    )


_RULES: dict[str, Callable[[Any], bool]] = {
    "version": _count(1, 1_000_000),
    "theme": _one_of(*THEMES),
    "offline": lambda value: isinstance(value, bool),
    "hub_endpoint": _endpoint,
    "ca_file": _text,
    "catalog_address": _catalog_address,
    "download_limit": _count(SLOWEST, FASTEST),
    "download_hours": lambda value: _text(value) and (not value or parse_hours(value) is not None),
    "download_pauses": lambda value: isinstance(value, bool),
    "context_length": _count(256, 1 << 24),
    "prefer": _one_of("speed", "balance", "quality"),
    "kv_type": _one_of("f16", "q8_0", "q4_0"),
    "used_for": _one_of("", *USED_FOR),
    "hardware": _overrides,
    "filters": _filters,
    "model_folders": _folders,
    "download_folder": _text,
    "verify_schedule": _one_of(*VERIFY_SCHEDULES),
    "servers": lambda value: isinstance(value, dict),
}


def check_settings(settings: Settings) -> None:
    """Raises UsageError for the first field whose value no setting may have."""
    for name, is_good in _RULES.items():
        value = getattr(settings, name)
        optional = name == "download_limit" and value is None
        if not optional and not is_good(value):
            raise BadWords(repr(value), "setting", name)


def read_settings(text: str) -> Settings:
    """Settings from TOML; each bad value falls back alone. Raises ValueError for bad TOML."""
    data = tomllib.loads(text)
    known: dict[str, Any] = {}
    for name, is_good in _RULES.items():
        if name not in data:
            continue
        value = data.pop(name)
        if is_good(value):
            known[name] = value
        else:
            log.warning("settings: the value of %s is not usable, the default is taken", name)
    return Settings(**known, unknown=data)


def write_settings(settings: Settings) -> str:
    """The TOML of `settings`; None is left out, unknown keys stand at the end."""
    import tomli_w

    values = {
        name: value
        for name in _RULES
        if (value := getattr(settings, name)) not in (None, {}, []) and name not in settings.unknown
    }
    return tomli_w.dumps({**values, **settings.unknown})


class SettingsStore:
    """The settings in force; `problem` says what was wrong with the file, None where nothing."""

    def __init__(self, path: Path) -> None:
        self.announcer: Announcer[Settings] = Announcer()
        self.problem: CorruptSettings | None = None
        self._path = path
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._is_written = True
        self._current = self._load()

    @property
    def current(self) -> Settings:
        return self._current

    def save(self, settings: Settings) -> None:
        """Put `settings` in force and on disk, and tell everybody.

        They are in force even where they cannot be written; that raises NotEnoughDisk or
        UsageError.
        """
        self.adopt(settings)
        self.write()

    def adopt(self, settings: Settings) -> None:
        """Put `settings` in force and tell everybody; `write` has to follow, where it may take its
        time. Raises UsageError."""
        check_settings(settings)
        with self._lock:
            self._current, self._is_written = settings, False
        self.announcer.announce(settings)

    def write(self) -> None:
        """Have on disk what is in force. Raises NotEnoughDisk or UsageError."""
        with self._writing:
            with self._lock:
                settings, was_written = self._current, self._is_written
                self._is_written = True
            failure = None if was_written else self._replace(write_settings(settings))
            if failure is not None:
                self._is_written = False
                raise _cannot_write(self._path, failure) from failure

    def close(self) -> None:
        """Write what was adopted and not written yet."""
        try:
            self.write()
        except OpenshelfError as error:
            log.warning("settings: not kept: %s", error)

    def change(self, **values: Any) -> Settings:
        """Replace single fields, save, and return what is in force now."""
        self.save(dataclasses.replace(self._current, **values))
        return self._current

    def _load(self) -> Settings:
        if self._path.exists() and not self._path.is_file():
            return self._broken("it is not a file")
        try:
            return read_settings(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Settings()
        except OSError as error:
            return self._broken(error.strerror or type(error).__name__)
        except (ValueError, RecursionError) as error:
            self._set_aside()
            return self._broken(str(error))

    def _broken(self, detail: str) -> Settings:
        log.warning("settings: the file cannot be read (%s), defaults are in use", detail)
        self.problem = CorruptSettings(detail=detail, path=str(self._path))
        return Settings()

    def _set_aside(self) -> None:
        aside = self._path.with_name(f"{self._path.name}.broken-{int(time.time())}")
        with contextlib.suppress(OSError):
            self._path.replace(aside)

    def _replace(self, text: str) -> OSError | None:
        try:
            replace_file(self._path, text.encode())
        except OSError as error:
            return error
        return None


def _cannot_write(path: Path, error: OSError) -> NotEnoughDisk | UsageError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        with contextlib.suppress(OSError):
            return NotEnoughDisk(str(path.parent), 4096, shutil.disk_usage(path.parent).free)
        return NotEnoughDisk(str(path.parent), 4096, 0)
    return UnwritableFile(error.strerror or type(error).__name__, str(path))
