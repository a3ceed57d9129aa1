"""The system's keychain through `keyring`: a secret by service and name, or the plain word that
there is none.
"""

from __future__ import annotations

import logging
import threading
from typing import Protocol

log = logging.getLogger(__name__)

SERVICE = "Openshelf"


class KeychainLike(Protocol):
    """All answers are plain: no method raises."""

    def get(self, name: str) -> str | None:
        """The secret; None where there is none, or no keychain that answers."""
        ...

    def put(self, name: str, secret: str) -> bool:
        """Whether the keychain now holds it."""
        ...

    def forget(self, name: str) -> bool:
        """Whether there was one and it is gone."""
        ...


class NoKeychain:
    """For machines without one."""

    def get(self, name: str) -> str | None:
        return None

    def put(self, name: str, secret: str) -> bool:
        return False

    def forget(self, name: str) -> bool:
        return False


class SystemKeychain:
    """Implements KeychainLike. May wait for a person who is asked to unlock it: call in a task."""

    def __init__(self, service: str = SERVICE) -> None:
        self._service = service
        self._lock = threading.Lock()

    def get(self, name: str) -> str | None:
        with self._lock:
            try:
                import keyring

                return keyring.get_password(self._service, name)
            except Exception as error:  # noqa: BLE001  # each backend raises what it likes
                self._failed("read", error)
                return None

    def put(self, name: str, secret: str) -> bool:
        with self._lock:
            try:
                import keyring

                keyring.set_password(self._service, name, secret)
                # Some backends take everything and keep nothing.
                return keyring.get_password(self._service, name) == secret
            except Exception as error:  # noqa: BLE001
                self._failed("written", error)
                return False

    def forget(self, name: str) -> bool:
        with self._lock:
            try:
                import keyring

                if keyring.get_password(self._service, name) is None:
                    return False
                keyring.delete_password(self._service, name)
                return keyring.get_password(self._service, name) is None
            except Exception as error:  # noqa: BLE001
                self._failed("changed", error)
                return False

    def _failed(self, what: str, error: Exception) -> None:
        # The text of the exception may hold the secret.
        log.info("the keychain cannot be %s (%s)", what, type(error).__name__)
