"""License texts as they were read, kept by their hash: for showing again, comparing and passing on.

A text lies here only where somebody accepted it; no text is shipped with the app but our own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from openshelf.durable import replace_file
from openshelf.licenses.effective import LicenseText
from openshelf.paths import apache_license_text


@dataclass(frozen=True)
class TextStore:
    """One file per text, named by the SHA-256 of its content (UTF-8)."""

    folder: Path

    def keep(self, texts: Iterable[LicenseText]) -> None:
        """Keep what was read. Raises OSError."""
        for text in texts:
            if text.text is None or not text.sha256:
                continue
            raw = text.text.encode("utf-8", "replace")
            path = self._place(text.sha256)
            if hashlib.sha256(raw).hexdigest() == text.sha256 and not path.exists():
                replace_file(path, raw)

    def read(self, sha256: str) -> str | None:
        """The text with this hash; None where it is not here, or is not it any more."""
        if len(sha256) != 64 or not sha256.isalnum():
            return None
        for path in (self._place(sha256), apache_license_text()):
            try:
                raw = path.read_bytes()
            except OSError:
                continue
            if hashlib.sha256(raw).hexdigest() == sha256:
                return raw.decode("utf-8", "replace")
        return None

    def _place(self, sha256: str) -> Path:
        return self.folder / f"{sha256}.txt"
