"""The one function that every route calls, and the only place where a Clearance is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from openshelf.licenses.clearance import Clearance, ClearedFile
from openshelf.licenses.license import License
from openshelf.licenses.lineage import EffectiveLicense
from openshelf.policy.organization import Policy
from openshelf.policy.verdict import Decision


class AcceptanceRecords(Protocol):
    """What the gate needs of licenses/acceptance.py."""

    def find_acceptance(self, repo: str, commit: str, files: tuple[ClearedFile, ...]) -> str | None:
        """Id of the record that covers these files, None where there is none."""
        ...


class Gate:
    """Decides on licenses under one policy, and hands out clearances."""

    def __init__(
        self, licenses: Mapping[str, License], policy: Policy, records: AcceptanceRecords
    ) -> None:
        self._licenses = licenses
        self.policy = policy
        self._records = records

    def decide(self, license: EffectiveLicense) -> Decision:
        """What this license means for the organization of the policy."""
        raise NotImplementedError

    def clear(
        self,
        decision: Decision,
        repo: str,
        commit: str,
        files: tuple[ClearedFile, ...],
        *,
        target: str,
    ) -> Clearance:
        """The clearance for these files.

        Raises PolicyBlocked, NeedsReview (only with a policy file) or LicenseNotAccepted where no
        record covers them.
        """
        raise NotImplementedError
