"""A keychain in memory, which can also refuse."""

from __future__ import annotations


class FakeKeychain:
    """Implements KeychainLike; counts how often it is asked. `is_open`: whether it answers."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.is_open = True
        self.asked = 0

    def get(self, name: str) -> str | None:
        self.asked += 1
        return self.secrets.get(name) if self.is_open else None

    def put(self, name: str, secret: str) -> bool:
        if self.is_open:
            self.secrets[name] = secret
        return self.is_open

    def forget(self, name: str) -> bool:
        return self.is_open and self.secrets.pop(name, None) is not None
