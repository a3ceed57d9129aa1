"""The permission slip that every route to disk and engine asks for.

Only policy/gate.py constructs one (a test checks this), so "did anyone accept?" is answered by a
type and not by good will.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from openshelf.errors import ClearanceRefused


class Verdict(StrEnum):
    ALLOWED = "allowed"
    ALLOWED_WITH_OBLIGATIONS = "allowed_with_obligations"
    NEEDS_REVIEW = "needs_review"
    BLOCKED = "blocked"


@dataclass(frozen=True)
class ClearedFile:
    """`path` inside the repository, with forward slashes."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Clearance:
    """Says that these files of this commit may be put on disk and loaded, or that a server's model
    may be talked to, and why.

    `policy_sha256` is the hash of the policy it was decided under ("" without one); when that
    changes, the clearance is stale and the gate must be asked again.
    """

    repo: str
    commit: str
    files: tuple[ClearedFile, ...]
    verdict: Verdict
    record_id: str | None
    policy_sha256: str
    origin: str = ""
    """Of a server (scheme://host:port) that may be talked to; such a slip covers no files."""

    def require_server(self, *, origin: str, model: str, policy_sha256: str) -> None:
        """Raise ClearanceRefused unless this slip covers that model of that server, today."""
        target = f"{model} ({origin})"
        if self.verdict is Verdict.BLOCKED:
            raise ClearanceRefused(target, "blocked")
        if self.policy_sha256 != policy_sha256:
            raise ClearanceRefused(target, "stale_policy")
        if not self.origin or (self.origin, self.repo) != (origin, model):
            raise ClearanceRefused(target, "wrong_server")

    def require(
        self,
        *,
        repo: str,
        commit: str,
        path: str,
        size_bytes: int,
        sha256: str,
        policy_sha256: str,
    ) -> None:
        """Raise ClearanceRefused unless this slip covers exactly that file, today."""
        target = f"{repo}/{path}"
        if self.verdict is Verdict.BLOCKED:
            raise ClearanceRefused(target, "blocked")
        if self.policy_sha256 != policy_sha256:
            raise ClearanceRefused(target, "stale_policy")
        if self.origin or (self.repo, self.commit) != (repo, commit):
            raise ClearanceRefused(target, "wrong_model")
        if ClearedFile(path, sha256, size_bytes) not in self.files:
            raise ClearanceRefused(target, "wrong_file")
