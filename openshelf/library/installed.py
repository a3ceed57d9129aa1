"""What is installed: the manifest in SQLite, with license and integrity state."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

from openshelf.gguf.names import MMPROJ, parse_name

TERMS, NEWER = "terms_changed", "newer"
"""News of an installed model: the same files under other terms; other files."""


@dataclass(frozen=True)
class InstalledFile:
    """`path` inside the repository, `location` on this machine's disk."""

    path: str
    location: str
    size_bytes: int
    sha256: str
    verified_at: str | None = None
    """When its bytes were last found to be the ones installed; None where that is to be done."""
    folder: str = ""
    """The model folder that it lies in, "" where it lies in none."""
    is_ours: bool = True
    """Whether we put it there, so that it goes when its model is removed."""


@dataclass(frozen=True)
class Damage:
    """A file whose bytes were found to be others: its `path` in the model, the SHA-256 found."""

    path: str
    sha256: str


@dataclass(frozen=True)
class InstalledModel:
    """`id` is `owner/repo@commit8:file-stem`; `source` is hub, starter or import; times are ISO."""

    id: str
    repo: str
    commit: str
    name: str
    quant: str | None
    files: tuple[InstalledFile, ...]
    license_expression: str
    license_ids: tuple[str, ...]
    record_id: str | None
    source: str
    installed_at: str
    verified_at: str | None
    last_used_at: str | None = None
    decode_tokens_per_second: float | None = None
    missing: bool = False
    """True where a file is not where it was put."""
    origin: str = ""
    """The program whose file it is (library/foreign.py), bundle, "" for ours and one's own."""
    damaged: Damage | None = None
    """Set from the moment when a verification found it until one finds all files intact."""

    away: str = ""
    """The model folder that is not here now, with its files; then `missing` is set as well."""

    news: str = ""
    """What the last look for an update found: newer or terms_changed, "" where nothing is new."""

    @property
    def is_usable(self) -> bool:
        """Whether its files are there and nobody found them damaged."""
        return not self.missing and self.damaged is None

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    @property
    def weight_files(self) -> tuple[InstalledFile, ...]:
        """The model itself: all its shards in order."""
        return tuple(file for file in self.files if parse_name(file.path).kind != MMPROJ)

    @property
    def own_files(self) -> tuple[InstalledFile, ...]:
        """A person's own, which stay where they are when the model is removed."""
        return tuple(file for file in self.files if not file.is_ours)

    @property
    def projector(self) -> InstalledFile | None:
        """By which it sees; None for a model that came without."""
        return next((file for file in self.files if parse_name(file.path).kind == MMPROJ), None)

    @property
    def first_file(self) -> InstalledFile:
        return self.files[0]

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "repo": self.repo,
            "commit": self.commit,
            "name": self.name,
            "quant": self.quant,
            "size_bytes": self.size_bytes,
            "files": [
                {
                    "path": file.path,
                    "location": file.location,
                    "size_bytes": file.size_bytes,
                    "sha256": file.sha256,
                    "verified_at": file.verified_at,
                    "folder": file.folder or None,
                    "ours": file.is_ours,
                }
                for file in self.files
            ],
            "license": self.license_expression,
            "record_id": self.record_id,
            "source": self.source,
            "installed_at": self.installed_at,
            "verified_at": self.verified_at,
            "last_used_at": self.last_used_at,
            "decode_tokens_per_second": self.decode_tokens_per_second,
            "missing": self.missing,
            "folder": self.first_file.folder or None,
            "folder_missing": bool(self.away),
            "origin": self.origin,
            "damaged": asdict(self.damaged) if self.damaged else None,
            "update": self.news or None,
        }


class KnowsInstalled(Protocol):
    """What a look-up needs of the library."""

    def installed(self) -> tuple[InstalledModel, ...]: ...
    def find(self, model_id: str) -> InstalledModel: ...
