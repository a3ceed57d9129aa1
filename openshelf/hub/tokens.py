"""Access tokens by the Hub that they were given for: in the keychain, else in a private file.

A token belongs to one origin (scheme, host, port) and is looked up for that one alone. The file
says which origins have a token, so that the keychain is asked only where there is something to get.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openshelf.durable import replace_file
from openshelf.errors import BadWords, UnwritableFile, UsageError
from openshelf.keychain import KeychainLike
from openshelf.network import NetworkOptions, check_endpoint, host_of, is_loopback, origin_of

ACCESS_TOKEN, SERVER_KEY = "access token", "server key"
KEYCHAIN = "keychain"
FILE = "file"
_LONGEST = 1000


@dataclass(frozen=True)
class StoredToken:
    """Where a token lies; never the token itself. `is_plain_http`: it travels unencrypted."""

    endpoint: str
    place: str
    path: str = ""
    is_plain_http: bool = False


class TokenStore:
    """Thread-safe. Other processes may change the file; each is read once per change.

    `kind` tells secrets of the same origin apart in the keychain.
    """

    def __init__(self, path: Path, keychain: KeychainLike, kind: str = ACCESS_TOKEN) -> None:
        self._path = path
        self._kind = kind
        self._keychain = keychain
        self._lock = threading.Lock()
        self._known: dict[str, str | None] = {}
        self._stamp: tuple[int, int] | None = None

    def token_for(self, endpoint: str) -> str | None:
        """The token that was given for this Hub; None for every other one."""
        try:
            key = _key(endpoint)
        except UsageError:
            return None
        with self._lock:
            self._forget_if_changed()
            if key not in self._known:
                self._known[key] = self._look_up(key)
            return self._known[key]

    def store(self, endpoint: str, token: str) -> StoredToken:
        """Keep a token for one Hub. Raises UsageError: no address, no token, or no place for it."""
        key = _key(endpoint)
        token = _checked(token, self._kind)
        with self._lock:
            table = self._read()
            if self._keychain.put(self._name(key), token):
                table[key] = {"in": KEYCHAIN}
            else:
                table[key] = {"in": FILE, "token": token}
            self._write(table)
            self._known[key] = token
        return self._described(key, table[key]["in"])

    def forget(self, endpoint: str) -> bool:
        """Whether there was a token for this Hub; it is gone then. Raises UsageError."""
        key = _key(endpoint)
        with self._lock:
            table = self._read()
            entry = table.pop(key, None)
            in_keychain = self._keychain.forget(self._name(key)) if entry else False
            if entry is not None:
                self._write(table)
            self._known[key] = None
        return entry is not None or in_keychain

    def stored(self) -> tuple[StoredToken, ...]:
        """The Hubs that have a token."""
        with self._lock:
            table = self._read()
        return tuple(self._described(key, entry["in"]) for key, entry in sorted(table.items()))

    def place_of(self, endpoint: str) -> tuple[str, str] | None:
        """Where the token of this origin lies (KEYCHAIN, or FILE with its path), None without one;
        reads the file alone. Raises UsageError."""
        key = _key(endpoint)
        with self._lock:
            entry = self._read().get(key)
        if entry is None:
            return None
        return entry["in"], str(self._path) if entry["in"] == FILE else ""

    def _name(self, key: str) -> str:
        return f"{self._kind} for {key}"

    def _described(self, key: str, place: str) -> StoredToken:
        scheme, host, _ = origin_of(key)
        path = str(self._path) if place == FILE else ""
        return StoredToken(key, place, path, scheme == "http" and not is_loopback(host))

    def _look_up(self, key: str) -> str | None:
        entry = self._read().get(key)
        if entry is None:
            return None
        return (
            self._keychain.get(self._name(key)) if entry["in"] == KEYCHAIN else entry.get("token")
        )

    def _forget_if_changed(self) -> None:
        try:
            state = self._path.stat()
            stamp = (state.st_mtime_ns, state.st_size)
        except OSError:
            stamp = None
        if stamp != self._stamp:
            self._known.clear()
            self._stamp = stamp

    def _read(self) -> dict[str, dict[str, Any]]:
        """What can be read of the file; entries that are none are left out."""
        if not self._path.is_file():
            return {}
        try:
            table = json.loads(self._path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(table, dict):
            return {}
        return {
            key: entry
            for key, entry in table.items()
            if isinstance(entry, dict) and entry.get("in") in (KEYCHAIN, FILE)
        }

    def _write(self, table: dict[str, dict[str, Any]]) -> None:
        content = json.dumps(table, indent=2, sort_keys=True).encode() + b"\n"
        try:
            replace_file(self._path, content, is_private=True)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise UnwritableFile(reason, str(self._path)) from error


def _key(endpoint: str) -> str:
    """`https://host` or with an unusual port. Raises UsageError."""
    endpoint = endpoint.strip()
    endpoint = endpoint if "://" in endpoint else f"https://{endpoint}"
    check_endpoint(NetworkOptions(endpoint=endpoint))
    return f"{origin_of(endpoint)[0]}://{host_of(endpoint).lower()}"


def check_token_endpoint(endpoint: str) -> None:
    """Raises UsageError where no token can be kept for it."""
    _key(endpoint)


def _checked(token: str, kind: str) -> str:
    token = token.strip()
    if not token or len(token) > _LONGEST or not token.isascii() or not token.isprintable():
        raise BadWords(why="not_a_secret", name=kind)
    if " " in token:
        raise BadWords(why="secret_with_spaces", name=kind)
    return token
