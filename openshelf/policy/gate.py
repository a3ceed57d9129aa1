"""The one function that every route calls, and the only place where a Clearance is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Protocol

from openshelf.errors import LicenseNotAccepted, NeedsReview, PolicyBlocked
from openshelf.licenses.clearance import Clearance, ClearedFile, Verdict
from openshelf.licenses.effective import EffectiveLicense
from openshelf.licenses.license import License
from openshelf.network import address_origin, host_of
from openshelf.policy.organization import Policy
from openshelf.policy.records import asks_nothing_new
from openshelf.policy.rules import decide
from openshelf.policy.servers import has_license_rules, host_reason, is_named, unknown_license
from openshelf.policy.verdict import Decision
from openshelf.policy.waiver import Waiver
from openshelf.policy.waiving import apply_waivers, waiver_from_record

CHANGED = "license_changed"


class AcceptanceRecords(Protocol):
    """What the gate needs of licenses/acceptance.py."""

    def find_acceptance(
        self, repo: str, commit: str, files: tuple[ClearedFile, ...], flag: str = ""
    ) -> str | None:
        """Id of the record that covers these files (and knew of this flag), None without one."""
        ...

    def same_terms(
        self, repo: str, commit: str, files: tuple[ClearedFile, ...], license: EffectiveLicense
    ) -> tuple[Mapping[str, Any], ...]:
        """Acceptances of other commits for files of these names under the very same terms."""
        ...

    def waivers(self) -> tuple[Mapping[str, Any], ...]:
        """The records of waivers that were not taken back."""
        ...


def _today() -> date:
    return datetime.now(UTC).date()


class Gate:
    """Decides on licenses under one policy, and hands out clearances."""

    def __init__(
        self,
        licenses: Mapping[str, License],
        policy: Policy,
        records: AcceptanceRecords,
        *,
        what_if: bool = False,
        today: Callable[[], date] = _today,
    ) -> None:
        self._licenses = licenses
        self.policy = policy
        self._records = records
        self._what_if = what_if
        self.today = today
        self._look: Callable[[], object] = lambda: None

    def watch(self, look: Callable[[], object]) -> None:
        """`look` is called before anything is let through: it adopts a policy whose file was
        changed meanwhile, by an editor or an administrator."""
        self._look = look

    def current_sha256(self) -> str:
        """The hash of the policy in force now, its files looked at again."""
        self._look()
        return self.policy.sha256

    def adopt(self, policy: Policy) -> None:
        """Decide under another policy from now on; clearances under the old one are stale."""
        self.policy = policy

    def decide(self, license: EffectiveLicense) -> Decision:
        """What this license means for the organization of the policy, waivers counted."""
        found = decide(license, self._licenses, self.policy, what_if=self._what_if)
        if found.verdict not in (Verdict.BLOCKED, Verdict.NEEDS_REVIEW):
            return found
        return apply_waivers(found, self.waivers(), self.today())

    def waivers(self) -> tuple[Waiver, ...]:
        """Those that count: the policy file's, and the log's unless the policy is managed.

        Who may write the log may not write a managed policy, and nothing loosens that one.
        """
        in_file = self.policy.rules.waivers
        if self.policy.managed:
            return in_file
        logged = (waiver_from_record(record) for record in self._records.waivers())
        return (*in_file, *(waiver for waiver in logged if waiver is not None))

    def check(self, decision: Decision, *, target: str) -> Decision:
        """The decision under today's policy, where that lets a person go on to accept.

        Raises PolicyBlocked, or NeedsReview where there is a policy file; without one a person
        may accept what is unknown, and the record says that nobody reviewed it.
        """
        self._look()
        today = self.decide(decision.license)
        reasons = tuple(reason.as_json() for reason in today.reasons)
        if today.verdict is Verdict.BLOCKED:
            raise PolicyBlocked(target, reasons)
        if today.verdict is Verdict.NEEDS_REVIEW and self.policy.exists:
            raise NeedsReview(target, reasons)
        return today

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
        record covers them, nor the same files of another commit under the same texts. What counts
        is today's policy, not the one of `decision`.
        """
        # Taken first: where another policy is adopted meanwhile, the slip is stale, not wrong.
        policy_sha256 = self.current_sha256()
        today = self.check(decision, target=target)
        record_id = self._record_of(today, repo, commit, files) if files else None
        if record_id is None:
            raise LicenseNotAccepted(target, today.license.effective)
        return Clearance(
            repo=repo,
            commit=commit,
            files=files,
            verdict=today.verdict,
            record_id=record_id,
            policy_sha256=policy_sha256,
        )

    def check_host(self, address: str) -> None:
        """Whether today's policy lets anything be asked of this server. Raises PolicyBlocked."""
        self._look()
        reason = host_reason(self.policy, address)
        if reason is not None:
            raise PolicyBlocked(host_of(address), (reason.as_json(),))

    def clear_server(self, address: str, model: str) -> Clearance:
        """The clearance for chats with `model` on the server at `address` (http://host:port/v1).

        A host that the policy names is allowed with what it serves. For every other one, also on
        this machine, a team's rules about licenses meet a model whose license nobody here knows:
        raises NeedsReview, or PolicyBlocked. Without such rules nothing is asked.
        """
        self.check_host(address)
        policy = self.policy
        verdict = Verdict.ALLOWED if is_named(policy, address) else Verdict.NEEDS_REVIEW
        if verdict is not Verdict.ALLOWED and has_license_rules(policy.rules):
            license = unknown_license(address, model)
            verdict = self.check(self.decide(license), target=model).verdict
        return Clearance(
            repo=model,
            commit="",
            files=(),
            verdict=verdict,
            record_id=None,
            policy_sha256=policy.sha256,
            origin=address_origin(address),
        )

    def _record_of(
        self, decision: Decision, repo: str, commit: str, files: tuple[ClearedFile, ...]
    ) -> str | None:
        """The acceptance of these files, else one of an older commit that asks nothing new.

        Terms that changed since are accepted by a record that says so, under any commit.
        """
        changed = CHANGED if CHANGED in decision.license.flags else ""
        exact = self._records.find_acceptance(repo, commit, files, changed)
        if exact is not None:
            return exact
        older = self._records.same_terms(repo, commit, files, decision.license)
        return next((str(r.get("record_id")) for r in older if asks_nothing_new(decision, r)), None)
