"""An HMAC over the head of the acceptance log, under a key that the system's keychain keeps.

Whoever rewrites log and head together is found by it, unless he can read the keychain as well. The
keychain also knows the newest head, so that an older log with its older head is found too.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from pathlib import Path

from openshelf.keychain import KeychainLike
from openshelf.licenses.chain import ZERO, Head

_KEY_BYTES = 32
_MOST_DIGITS = 12


@dataclass(frozen=True)
class HeadSeal:
    """`log` tells the logs of several homes apart. May wait for the keychain: call in a task."""

    keychain: KeychainLike
    log: Path

    def seal(self, head: Head, before: Head | None) -> str:
        """The HMAC of a new head; "" without a keychain, or where the head before bore none.

        A head that lost its seal gets none again: what was changed meanwhile would be sealed too.
        The first key seals what it finds.
        """
        key = self._key()
        if key is None:
            # Beside a sealed head there is a key; it only cannot be read now.
            key = None if before is None or before.mac else self._new_key()
            return self._mac(key, head) if key is not None else ""
        if before is None or (before.count and not self._fits(key, before)):
            return ""
        return self._mac(key, head)

    def state(self, head: Head) -> bool | None:
        """True for a head that bears our seal, False for one without; None without a key.

        Raises ValueError for a wrong one.
        """
        key = self._key()
        if key is None or not head.count:
            return None
        if head.mac and not self._fits(key, head):
            raise ValueError("the seal is not ours")
        return bool(head.mac)

    def remember(self, head: Head) -> None:
        """Keep the newest head beside the key, where there is one."""
        if head.mac:
            self.keychain.put(f"{self._name} head", f"{head.count}:{head.sha256}")

    def remembered(self) -> Head | None:
        """The newest head that was written on this machine; None where that is not known."""
        count, _, digest = (self.keychain.get(f"{self._name} head") or "").partition(":")
        if not count.isdecimal() or len(count) > _MOST_DIGITS or len(digest) != len(ZERO):
            return None
        return Head(int(count), digest)

    def _fits(self, key: bytes, head: Head) -> bool:
        return hmac.compare_digest(head.mac, self._mac(key, head))

    def _mac(self, key: bytes, head: Head) -> str:
        return hmac.new(key, f"{head.count}:{head.sha256}".encode(), hashlib.sha256).hexdigest()

    @property
    def _name(self) -> str:
        place = hashlib.sha256(str(self.log.absolute()).encode("utf-8", "replace")).hexdigest()
        return f"acceptance log {place[:16]}"

    def _key(self) -> bytes | None:
        kept = self.keychain.get(self._name)
        try:
            return bytes.fromhex(kept) if kept else None
        except ValueError:
            return None

    def _new_key(self) -> bytes | None:
        key = secrets.token_bytes(_KEY_BYTES)
        return key if self.keychain.put(self._name, key.hex()) else None
