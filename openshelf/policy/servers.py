"""May a server be talked to? `offline_only` and `allow_remote_hosts`, and what license rules mean
for a model of which only its server's word is known.

A program on this machine is no remote host; the license rules hold for it all the same.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from openshelf.licenses.claims import RepoClaims
from openshelf.licenses.clearance import Verdict
from openshelf.licenses.effective import EffectiveLicense
from openshelf.licenses.lineage import resolve
from openshelf.network import address_origin, host_of, is_loopback, origin_of
from openshelf.policy.organization import Policy, Rules
from openshelf.policy.verdict import PolicyReason


def host_reason(policy: Policy, address: str) -> PolicyReason | None:
    """The rule that keeps this host away; None where there is none."""
    host = origin_of(address)[1]
    if is_loopback(host):
        return None
    if policy.offline_only:
        return _reason(policy, "offline_only", host)
    if policy.allow_remote_hosts is not None and not is_named(policy, address):
        return _reason(policy, "allow_remote_hosts", host_of(address))
    return None


def is_named(policy: Policy, address: str) -> bool:
    """Whether `allow_remote_hosts` has this host, by its name or as `name:port`."""
    _, host, port = origin_of(address)
    host = host.rstrip(".")
    for entry in policy.allow_remote_hosts or ():
        written = entry.strip().lower()
        try:
            parts = urlsplit(written if "://" in written else f"//{written}")
            name, wanted = parts.hostname or "", parts.port
        except ValueError:
            continue
        if name.rstrip(".") == host and wanted in (None, port):
            return True
    return False


def has_license_rules(rules: Rules) -> bool:
    """Whether a team's own rules ask something of licenses; waivers ask nothing."""
    return (
        rules.allow_only is not None
        or bool(rules.deny_classes or rules.deny_vendor_regions)
        or rules.require_osi
        or rules.require_license_text
        or rules.strict_labels
    )


def unknown_license(address: str, model: str) -> EffectiveLicense:
    """Of a model that somebody else has on a server: its name proves nothing, so that a waiver for
    a repository of that name does not hold for it."""
    name = f"{model} ({address_origin(address)})"
    return resolve(RepoClaims(id=name, is_card_read=False), lambda _: None)


def _reason(policy: Policy, rule: str, value: str) -> PolicyReason:
    return PolicyReason(
        f"policy.{rule}",
        "policy",
        rule,
        value=value,
        source=policy.source_of(rule),
        verdict=Verdict.BLOCKED,
    )
