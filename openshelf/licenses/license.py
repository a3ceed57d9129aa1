"""One license as facts with clauses, from resources/licenses/*.toml; no texts are shipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Obligation:
    """A duty. `trigger` says when it bites: use, redistribute, … (the schema lists all).

    `exact` is wording the license prescribes, to be copied as it stands.
    """

    id: str
    trigger: tuple[str, ...]
    text: str
    ref: str
    exact: str | None = None


@dataclass(frozen=True)
class Threshold:
    """A line (users, revenue) above which `effect` holds; `text` is the condition as a sentence.

    `frozen_at` means that the line was tested once, on that date. `exempt_when` names facts that
    take an organization out of it. At the value itself an ambiguous one needs a person.
    """

    metric: str
    op: str
    value: int
    effect: str
    when: str
    ref: str
    frozen_at: str | None = None
    display: str | None = None
    note: str | None = None
    window: str = ""
    scope: str = ""
    exempt_when: tuple[str, ...] = ()
    ambiguous_at_equal: bool = False
    text: str = ""
    only_rises: bool = False
    """The line is indexed: it may stand higher than `value` today, never lower."""


@dataclass(frozen=True)
class RegionRestriction:
    """Where a license gives nothing. `applies_to` is all, multimodal (models of the release), or
    none: the clause is there, and no model of the release that it could concern.
    """

    excluded: tuple[str, ...]
    applies_to: str
    effect: str
    ref: str
    who: str | None = None
    end_user_exempt: bool = False
    practical: str | None = None
    text: str = ""

    def concerns(self, *, multimodal: bool) -> bool:
        """Whether a model under this license can be concerned at all."""
        return self.applies_to == "all" or (multimodal and self.applies_to == "multimodal")


@dataclass(frozen=True)
class NamingRule:
    prefix: str
    trigger: tuple[str, ...]
    ref: str
    text: str = ""


@dataclass(frozen=True)
class Fact:
    """A value with the clause that says so."""

    value: str
    ref: str | None = None


@dataclass(frozen=True)
class Permission:
    """What one may do, as a sentence; `fact` names the fact of the license that it rests on."""

    text: str
    ref: str
    fact: str


@dataclass(frozen=True)
class UsePolicy:
    """A use policy that is part of the license; a mutable one can change after acceptance."""

    url: str
    ref: str
    incorporated: bool = True
    mutable: bool = False
    passthrough: bool = False


@dataclass(frozen=True)
class TextPiece:
    """A part of a known text, from its `first` words to its `last` ones. `sha256` are hashes over
    its words (whole_text.words_of), none where a holder's name stands in it; then `max_words`.
    """

    first: str
    last: str
    sha256: tuple[str, ...] = ()
    max_words: int | None = None
    is_needed: bool = True


@dataclass(frozen=True)
class LicenseIds:
    """Every name under which a license occurs, and how its text is recognized.

    `organizations` are the licensor's own accounts on the Hub. A text matches when one title phrase
    stands near its beginning and every required phrase anywhere; with `max_words` it must also be
    no longer than that and without the forbidden phrases, so that a short license with a rider is
    not taken for the plain one. With `is_title_general` a title alone counts only for its licensor.

    `repositories` are beginnings of names of the licensor's own repositories that carry this
    license among several of his; `variant_of` is the license whose name is used for this one too,
    where the licensor's account tells them apart.
    """

    spdx: str | None
    spdx_ref: str
    hub_license: tuple[str, ...] = ()
    hub_license_name: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    link_patterns: tuple[str, ...] = ()
    title_phrases: tuple[str, ...] = ()
    scancode: str | None = None
    organizations: tuple[str, ...] = ()
    name_hints: tuple[str, ...] = ()
    overlay_on: tuple[str, ...] = ()
    required_phrases: tuple[str, ...] = ()
    forbidden_phrases: tuple[str, ...] = ()
    max_words: int | None = None
    sha256_known: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    variant_of: str | None = None
    is_title_general: bool = False
    pieces: tuple[TextPiece, ...] = ()
    """The whole text in pieces, for licenses that a rider would change (whole_text.py)."""


@dataclass(frozen=True)
class Source:
    title: str
    url: str
    read: str
    refs: str = ""


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
    """The sentences of `permissions`."""
    note: str | None = None
    sources: tuple[Source, ...] = ()
    reviewed: str = ""
    unsure_fields: tuple[str, ...] = ()
    permissions: tuple[Permission, ...] = ()
    use_policy: UsePolicy | None = None
    outputs_ownership: str = ""
    outputs_text: str = ""
    terms: Mapping[str, Fact] = field(default_factory=dict)
    """patent_grant, termination, governing_law, …: facts that no rule uses, for showing."""
    field_of_use: tuple[str, ...] = ()
    example_models: tuple[str, ...] = ()
    hub_gating_seen: str = ""

    @property
    def spdx_symbol(self) -> str:
        """What stands for this license in an SPDX expression."""
        return self.ids.spdx or self.ids.spdx_ref

    @property
    def fields_ref(self) -> str:
        """The clause of `field_of_use`; most stand in the use policy."""
        return self.use_policy.ref if self.use_policy else "conditions of use"

    def is_unsure(self, name: str) -> bool:
        """Whether nobody could confirm this fact in the text.

        Names that decide are commercial_use, thresholds, obligations and outputs; clauses, wording
        and terms are only shown so.
        """
        return any(entry in ("all", name) for entry in self.unsure_fields)


CLASSES = (
    "permissive", "public-domain", "share-alike", "copyleft", "community", "rail",
    "revenue-capped", "revenue-gated", "non-commercial", "research-only", "overlay", "unknown",
)  # fmt: skip
"""Every class of the schema."""
UNKNOWN_LICENSE = "unknown"
"""Id of the license that nobody could identify; always needs a review."""
NO_LICENSE = "none"
"""Id used where nothing was declared on the whole chain."""
