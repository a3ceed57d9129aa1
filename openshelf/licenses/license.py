"""One license as facts with clauses, from resources/licenses/*.toml; no texts are shipped."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Obligation:
    """A duty. `trigger` says when it bites: use, redistribute, distribute_product, … (licenses.md).

    `exact` is wording the license prescribes, to be copied as it stands.
    """

    id: str
    trigger: tuple[str, ...]
    text: str
    ref: str
    exact: str | None = None


@dataclass(frozen=True)
class Threshold:
    metric: str
    op: str
    value: int
    effect: str
    when: str
    ref: str
    frozen_at: str | None = None
    display: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class RegionRestriction:
    excluded: tuple[str, ...]
    applies_to: str
    effect: str
    ref: str
    who: str | None = None
    end_user_exempt: bool = False
    practical: str | None = None


@dataclass(frozen=True)
class NamingRule:
    prefix: str
    trigger: tuple[str, ...]
    ref: str


@dataclass(frozen=True)
class Fact:
    """A value with the clause that says so."""

    value: str
    ref: str | None = None


@dataclass(frozen=True)
class LicenseIds:
    spdx: str | None
    spdx_ref: str
    hub_license: tuple[str, ...] = ()
    hub_license_name: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    link_patterns: tuple[str, ...] = ()
    title_phrases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    title: str
    url: str
    read: str


@dataclass(frozen=True)
class License:
    """Facts of one license text. `license_class` is permissive, community, non-commercial, …"""

    id: str
    name: str
    version: str | None
    licensor: str
    licensor_region: str | None
    license_class: str
    ids: LicenseIds
    osi_approved: bool | None
    commercial_use: Fact
    """yes, conditional, no or unknown."""
    train_other_models: Fact
    """allowed, allowed_with_conditions, prohibited, research_only or silent."""
    obligations: tuple[Obligation, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    regions: tuple[RegionRestriction, ...] = ()
    naming_rule: NamingRule | None = None
    use_policy_url: str | None = None
    may: tuple[str, ...] = ()
    note: str | None = None
    sources: tuple[Source, ...] = ()
    reviewed: str = ""
    unsure_fields: tuple[str, ...] = ()


UNKNOWN_LICENSE = "unknown"
"""Id of the license that nobody could identify; always needs a review."""
NO_LICENSE = "none"
"""Id used where nothing was declared on the whole chain."""
