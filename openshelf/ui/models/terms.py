"""The terms of a decision, ready for the install sheet: heads of licenses and groups of rows.

Texts of obligations stay in English in every language of the window, as the licenses have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openshelf.licenses.claims import USE_POLICY
from openshelf.licenses.license import NO_LICENSE, UNKNOWN_LICENSE, License
from openshelf.licenses.lineage import LicenseText
from openshelf.licenses.obligations import WHEN, SheetTerms, TermRow, sheet_terms
from openshelf.policy.verdict import Decision
from openshelf.ui.models.shelf_words import ChipText
from openshelf.ui.sentences import words
from openshelf.ui.theme.kinds import ChipKind

_BAD_KINDS = ("scale", "region", "field", "outputs")
_BY_FACTS = ("display", "name", "pass_on", "mark", "ask")


@dataclass(frozen=True)
class ShownRow:
    """`ref` is the clause, with the license's id where several apply; `exact` is to be copied."""

    tag: ChipText
    text: str
    ref: str
    exact: str | None = None
    note: str = ""


@dataclass(frozen=True)
class RowGroup:
    """Rows below a caption; a `title` begins one of the three parts of the sheet."""

    title: str
    caption: str
    rows: tuple[ShownRow, ...]


@dataclass(frozen=True)
class LicenseHead:
    """One effective license: its name, its badge, its text where it was read."""

    id: str
    name: str
    badge: ChipText
    is_known: bool
    text: LicenseText | None
    reviewed: str
    use_policies: tuple[str, ...] = ()
    """Addresses of the use policies that are part of it, where only those are known."""
    others: tuple[LicenseText, ...] = ()
    """Use policies and NOTICEs that were read."""


@dataclass(frozen=True)
class ShownTerms:
    heads: tuple[LicenseHead, ...]
    groups: tuple[RowGroup, ...]
    warnings: tuple[str, ...]
    unknown: str = ""
    """What is said in place of rows where nobody knows the license."""

    @property
    def has_doubts(self) -> bool:
        """Whether a row is marked as one that could not be confirmed."""
        mark = words("badge_unsure")
        return any(row.tag.text.endswith(mark) for group in self.groups for row in group.rows)

    @property
    def reviewed(self) -> str:
        """The oldest date at which one of the summaries was checked."""
        known = (head.reviewed for head in self.heads if head.is_known and head.reviewed)
        return min(known, default="")


def build_terms(decision: Decision, licenses: Mapping[str, License]) -> ShownTerms:
    """Everything that the left side of the sheet shows."""
    effective = decision.license.effective
    terms = sheet_terms(
        licenses, effective, decision.obligations, multimodal=decision.license.multimodal
    )
    heads = tuple(_head_of(key, decision, licenses.get(key)) for key in effective)
    groups: tuple[RowGroup, ...] = ()
    unknown = ""
    if any(head.is_known for head in heads):
        show = _RowMaker(len(effective) > 1, has_facts=bool(decision.policy_sha256))
        groups = _groups_of(terms, show)
    else:
        unknown = words("license_none" if NO_LICENSE in effective else "license_unknown")
    return ShownTerms(heads, groups, tuple(_warnings_of(decision)), unknown)


def _warnings_of(decision: Decision) -> list[str]:
    """What the way to the license was like; a name that was settled is told as settled."""
    license = decision.license
    is_settled = UNKNOWN_LICENSE not in license.effective
    warnings = []
    for flag in license.flags:
        settled = flag == "alias_collision" and is_settled
        warnings.append(words("alias_collision_settled" if settled else flag))
    if license.declared_names and not is_settled:
        warnings.append(words("declared_as", names=license.declared_names))
    return warnings


def _head_of(key: str, decision: Decision, known: License | None) -> LicenseHead:
    own = [text for text in decision.license.texts if text.license == key]
    texts = [text for text in own if text.kind == "license"]
    is_known = known is not None and known.license_class not in ("unknown", "none")
    approved = known.osi_approved if known is not None and is_known else None
    if approved is None:
        badge = ChipText(words("verdict_short_needs_review"), ChipKind.WARNING)
    elif approved:
        badge = ChipText(words("badge_osi"), ChipKind.GOOD)
    else:
        badge = ChipText(words("badge_not_osi"), ChipKind.NEUTRAL)
    return LicenseHead(
        id=key,
        name=known.name if known is not None else key,
        badge=badge,
        is_known=is_known,
        text=texts[0] if texts else None,
        reviewed=known.reviewed if known is not None else "",
        use_policies=tuple(
            text.url for text in own if text.kind == USE_POLICY and text.url and not text.sha256
        ),
        others=tuple(text for text in own if text.kind != "license" and text.sha256),
    )


def _groups_of(terms: SheetTerms, shown: _RowMaker) -> tuple[RowGroup, ...]:
    groups = []
    title = words("terms_must")
    for when in WHEN:
        rows = tuple(shown.row(row) for row in terms.must_when(when))
        if when == "use" and not rows:
            groups.append(RowGroup(title, words("terms_nothing"), ()))
            title = ""
        elif rows:
            caption = "" if when == "use" else words(f"when_{when}")
            groups.append(RowGroup(title, caption, rows))
            title = ""
    for title, part in (("terms_only_if", terms.only_if), ("terms_may", terms.may)):
        if part:
            rows = tuple(shown.row(row) for row in part)
            several = title == "terms_may" and shown.has_several
            groups.append(RowGroup(words(title), words("terms_several") if several else "", rows))
    return tuple(groups)


@dataclass(frozen=True)
class _RowMaker:
    """`has_several` licenses apply; `has_facts`: a policy states facts, so that "may" means one is
    missing."""

    has_several: bool
    has_facts: bool

    def row(self, row: TermRow) -> ShownRow:
        kind = ChipKind.WARNING
        if row.kind == "allowed":
            kind = ChipKind.GOOD
        elif row.applies is False:
            kind = ChipKind.NEUTRAL
        elif row.kind in _BAD_KINDS:
            kind = ChipKind.BAD
        tag = words(f"term_{row.kind}") + (f" {words('badge_unsure')}" if row.is_unsure else "")
        return ShownRow(
            ChipText(tag, kind), row.text, self._clause(row), row.exact, self._note(row)
        )

    def _clause(self, row: TermRow) -> str:
        """A clause without a number stands in brackets, so that it is not read as a sentence."""
        # A merged row names its licenses in its clause already.
        is_named = ", " in row.license
        ref = f"{row.license} {row.ref}" if self.has_several and not is_named else row.ref
        return ref if not ref or "§" in ref else f"({ref})"

    def _note(self, row: TermRow) -> str:
        # A duty for the end of the license is not for now, but it will be for everybody.
        if row.when == "later":
            return ""
        if row.applies is False:
            return words("applies_not_by_facts")
        if not self.has_facts:
            return ""
        if row.applies is None:
            return words("applies_unknown")
        # What holds for any use needs no fact.
        return words("applies_by_facts") if row.kind in _BY_FACTS else ""
