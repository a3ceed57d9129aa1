"""The terms of a decision, ready for the install sheet: heads of licenses and groups of rows.

Texts of obligations stay in English in every language of the window, as the licenses have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openshelf.licenses.license import License
from openshelf.licenses.lineage import LicenseText
from openshelf.licenses.obligations import WHEN, SheetTerms, TermRow, sheet_terms
from openshelf.policy.verdict import Decision
from openshelf.ui.models.shelf_words import ChipText
from openshelf.ui.sentences import words
from openshelf.ui.theme.kinds import ChipKind

_BAD_KINDS = ("scale", "region", "outputs")


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


@dataclass(frozen=True)
class ShownTerms:
    heads: tuple[LicenseHead, ...]
    groups: tuple[RowGroup, ...]
    warnings: tuple[str, ...]

    @property
    def reviewed(self) -> str:
        """The oldest date at which one of the summaries was checked."""
        return min((head.reviewed for head in self.heads if head.reviewed), default="")


def build_terms(decision: Decision, licenses: Mapping[str, License]) -> ShownTerms:
    """Everything that the left side of the sheet shows."""
    effective = decision.license.effective
    terms = sheet_terms(
        licenses, effective, decision.obligations, multimodal=decision.license.multimodal
    )
    heads = tuple(_head_of(key, decision, licenses.get(key)) for key in effective)
    warnings = [words(flag) for flag in decision.license.flags]
    if decision.license.declared_names:
        warnings.append(words("declared_as", names=decision.license.declared_names))
    groups = _groups_of(terms, has_several=len(effective) > 1) if _knows_any(heads) else ()
    return ShownTerms(heads, groups, tuple(warnings))


def _knows_any(heads: tuple[LicenseHead, ...]) -> bool:
    return any(head.is_known for head in heads)


def _head_of(key: str, decision: Decision, known: License | None) -> LicenseHead:
    texts = [text for text in decision.license.texts if text.license == key]
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
    )


def _groups_of(terms: SheetTerms, *, has_several: bool) -> tuple[RowGroup, ...]:
    groups = []
    title = words("terms_must")
    for when in WHEN:
        rows = tuple(_shown(row, has_several=has_several) for row in terms.must_when(when))
        if when == "use" and not rows:
            groups.append(RowGroup(title, words("terms_nothing"), ()))
            title = ""
        elif rows:
            caption = "" if when == "use" else words(f"when_{when}")
            groups.append(RowGroup(title, caption, rows))
            title = ""
    for title, part in (("terms_only_if", terms.only_if), ("terms_may", terms.may)):
        if part:
            rows = tuple(_shown(row, has_several=has_several) for row in part)
            groups.append(RowGroup(words(title), "", rows))
    return tuple(groups)


def _shown(row: TermRow, *, has_several: bool) -> ShownRow:
    kind = ChipKind.WARNING
    if row.kind == "allowed":
        kind = ChipKind.GOOD
    elif row.applies is False:
        kind = ChipKind.NEUTRAL
    elif row.kind in _BAD_KINDS:
        kind = ChipKind.BAD
    tag = words(f"term_{row.kind}") + (f" {words('badge_unsure')}" if row.is_unsure else "")
    # A merged row names its licenses in its clause already.
    is_named = ", " in row.license
    ref = f"{row.license} {row.ref}" if has_several and not is_named else row.ref
    # A duty for the end of the license is not for now, but it will be for everybody.
    note = words("applies_no") if row.applies is False and row.when != "later" else ""
    return ShownRow(ChipText(tag, kind), row.text, ref, row.exact, note)
