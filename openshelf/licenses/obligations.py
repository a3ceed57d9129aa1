"""Orders what licenses ask for the install sheet: must, only if, may."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from openshelf.licenses.license import License

_KINDS = {
    "display_badge": "display",
    "brand_derivative": "display",
    "publication_statement": "display",
    "include_license_copy": "pass_on",
    "notice_file": "pass_on",
    "retain_notices": "pass_on",
    "keep_documentation": "pass_on",
    "aup_passthrough": "pass_on",
    "attribution": "pass_on",
    "share_alike": "pass_on",
    "network_source": "pass_on",
    "no_derivative_sharing": "pass_on",
    "state_changes": "mark",
    "no_misrepresentation": "mark",
    "register_commercial": "ask",
    "separate_license": "ask",
    "separate_license_redistribution": "ask",
    "no_hosting_without_license": "ask",
    "notify_licensor": "ask",
}
"""Obligation id → the word on its chip; what is not listed is about use."""

WHEN = ("use", "outputs", "redistribute", "product", "service", "derivative", "later")
"""When a duty bites, in the order of the sheet; one with several triggers stands at the first."""
_WHEN_OF_TRIGGER = {
    "use": "use",
    "commercial_use": "use",
    "any": "use",
    "commercial": "use",
    "train_on_outputs_distribute": "outputs",
    "redistribute": "redistribute",
    "redistribute_commercial": "redistribute",
    "distribute_product": "product",
    "host_service": "service",
    "maas": "service",
    "maas_or_ai_work_assistant": "service",
    "distribute_derivative": "derivative",
    "make_derivative": "derivative",
    "publish": "derivative",
    "publish_results": "derivative",
}
_KIND_ORDER = ("display", "name", "pass_on", "mark", "ask", "use", "outputs")


class DutyLike(Protocol):
    """An obligation with the answer to "does it bite here?" (policy/verdict.py)."""

    @property
    def id(self) -> str: ...
    @property
    def license(self) -> str: ...
    @property
    def trigger(self) -> tuple[str, ...]: ...
    @property
    def applies(self) -> bool | None: ...
    @property
    def text(self) -> str: ...
    @property
    def exact(self) -> str | None: ...
    @property
    def ref(self) -> str: ...


@dataclass(frozen=True)
class TermRow:
    """One line of the sheet, in English as the license has it.

    `kind` is display, name, pass_on, mark, ask, use, outputs, scale, region, field or allowed;
    `when` one of WHEN; `exact` is wording to be copied as it stands; `applies` is None where a
    fact of the organization is missing; `is_unsure` where nobody could confirm it in the text.
    """

    kind: str
    text: str
    ref: str
    license: str
    when: str = "use"
    exact: str | None = None
    applies: bool | None = True
    is_unsure: bool = False


@dataclass(frozen=True)
class SheetTerms:
    """`must` is ordered by when a duty bites; `only_if` are limits, `may` what is granted."""

    must: tuple[TermRow, ...]
    only_if: tuple[TermRow, ...]
    may: tuple[TermRow, ...]

    def must_when(self, when: str) -> tuple[TermRow, ...]:
        return tuple(row for row in self.must if row.when == when)


def sheet_terms(
    licenses: Mapping[str, License],
    effective: Sequence[str],
    duties: Iterable[DutyLike],
    *,
    multimodal: bool = False,
) -> SheetTerms:
    """The rows for all licenses that apply; the same duty of two licenses is one row.

    Regional limits of multimodal models are left out for a model that takes only text.
    """
    entries = [licenses[id_] for id_ in effective if id_ in licenses]
    must = [_duty_row(duty, licenses) for duty in duties]
    must += [row for entry in entries if (row := _outputs_row(entry))]
    only_if = [
        _scale_row(entry, threshold.text, threshold.ref)
        for entry in entries
        for threshold in entry.thresholds
        if threshold.text and threshold.effect != "display_required"
    ]
    only_if += [
        TermRow("region", region.text, region.ref, entry.id, is_unsure=_is_unsure(entry, "regions"))
        for entry in entries
        for region in entry.regions
        if region.text and region.concerns(multimodal=multimodal)
    ]
    only_if += [row for entry in entries if (row := _fields_row(entry))]
    may = [
        TermRow(
            "allowed",
            permission.text,
            permission.ref,
            entry.id,
            is_unsure=_is_unsure(entry, permission.fact),
        )
        for entry in entries
        for permission in entry.permissions
    ]
    ordered = sorted(must, key=lambda row: (WHEN.index(row.when), _place_of_kind(row.kind)))
    return SheetTerms(_merged(ordered), _merged(only_if), _merged(may))


def _duty_row(duty: DutyLike, licenses: Mapping[str, License]) -> TermRow:
    kind = "name" if duty.id.startswith("name_prefix:") else _KINDS.get(duty.id, "use")
    bites = [_WHEN_OF_TRIGGER.get(trigger, "later") for trigger in duty.trigger]
    entry = licenses.get(duty.license)
    return TermRow(
        kind=kind,
        text=duty.text,
        ref=duty.ref,
        license=duty.license,
        when=min(bites, key=WHEN.index, default="use"),
        exact=duty.exact,
        applies=duty.applies,
        is_unsure=entry is not None
        and (_is_unsure(entry, "obligations") or (bool(duty.exact) and entry.is_unsure("wording"))),
    )


def _outputs_row(entry: License) -> TermRow | None:
    """A limit on training with what the model writes is a duty too, though not listed as one."""
    if entry.train_other_models.value not in ("prohibited", "research_only"):
        return None
    text = entry.outputs_text or "Do not use its outputs to improve other models."
    ref, is_unsure = entry.train_other_models.ref or "", _is_unsure(entry, "outputs")
    return TermRow("outputs", text, ref, entry.id, when="outputs", is_unsure=is_unsure)


def _fields_row(entry: License) -> TermRow | None:
    """The uses that a license rules out, in one line."""
    if not entry.field_of_use:
        return None
    text = f"Not for these uses: {'; '.join(entry.field_of_use)}."
    is_unsure = _is_unsure(entry, "obligations")
    return TermRow("field", text, entry.fields_ref, entry.id, is_unsure=is_unsure)


def _is_unsure(entry: License, fact: str) -> bool:
    """Whether a row wants a question mark: for its fact, or for the clause that it names."""
    return entry.is_unsure(fact) or entry.is_unsure("clauses")


def _scale_row(entry: License, text: str, ref: str) -> TermRow:
    return TermRow("scale", text, ref, entry.id, is_unsure=_is_unsure(entry, "thresholds"))


def _place_of_kind(kind: str) -> int:
    return _KIND_ORDER.index(kind) if kind in _KIND_ORDER else len(_KIND_ORDER)


def _merged(rows: Iterable[TermRow]) -> tuple[TermRow, ...]:
    """Rows that say the same become one, with the clauses of all their licenses."""
    merged: dict[tuple[str, str, str | None], TermRow] = {}
    for row in rows:
        key = (row.kind, row.text, row.exact)
        if (first := merged.get(key)) is None:
            merged[key] = row
            continue
        merged[key] = TermRow(
            kind=row.kind,
            text=row.text,
            ref=f"{_named_ref(first)}; {_named_ref(row)}",
            license=f"{first.license}, {row.license}",
            when=min(first.when, row.when, key=WHEN.index),
            exact=row.exact,
            applies=_either((first.applies, row.applies)),
            is_unsure=first.is_unsure or row.is_unsure,
        )
    return tuple(merged.values())


def _named_ref(row: TermRow) -> str:
    return row.ref if ", " in row.license else f"{row.license} {row.ref}"


def _either(answers: tuple[bool | None, ...]) -> bool | None:
    return True if True in answers else (None if None in answers else False)
