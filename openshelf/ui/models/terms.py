"""The terms of a decision as rows: must, only if, may; each with tag, clause and exact words.

Texts of obligations stay in English in every language of the window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from openshelf.licenses.license import License, RegionRestriction, Threshold
from openshelf.licenses.lineage import LicenseText
from openshelf.policy.verdict import AppliedObligation, Decision
from openshelf.ui.widgets.chip import ChipKind


def _tr(text: str) -> str:
    return QCoreApplication.translate("Terms", text)


@dataclass(frozen=True)
class TermRow:
    """`when` says in words when it bites; "" where it always does. `exact` is to be copied."""

    tag: str
    kind: ChipKind
    text: str
    ref: str
    exact: str | None = None
    when: str = ""


@dataclass(frozen=True)
class LicenseTerms:
    """Everything the sheet shows of one effective license."""

    id: str
    name: str
    osi_approved: bool | None
    must: tuple[TermRow, ...]
    only_if: tuple[TermRow, ...]
    may: tuple[TermRow, ...]
    text: LicenseText | None
    reviewed: str


def build_terms(decision: Decision, licenses: Mapping[str, License]) -> tuple[LicenseTerms, ...]:
    """One entry per effective license, in the order of the decision."""
    return tuple(_terms_of(key, decision, licenses.get(key)) for key in decision.license.effective)


def _terms_of(key: str, decision: Decision, known: License | None) -> LicenseTerms:
    duties = [duty for duty in decision.obligations if duty.license == key]
    only_if = [_duty_row(duty) for duty in duties if not _always(duty)]
    may: tuple[TermRow, ...] = ()
    if known is not None:
        only_if += [_threshold_row(threshold) for threshold in known.thresholds]
        only_if += [_region_row(region) for region in known.regions]
        may = tuple(_permission_rows(known))
    texts = [text for text in decision.license.texts if text.license == key]
    return LicenseTerms(
        id=key,
        name=known.name if known is not None else _declared_name(decision, key),
        osi_approved=known.osi_approved if known is not None else None,
        must=tuple(_duty_row(duty) for duty in duties if _always(duty)),
        only_if=tuple(only_if),
        may=may,
        text=texts[0] if texts else None,
        reviewed=known.reviewed if known is not None else "",
    )


def _declared_name(decision: Decision, key: str) -> str:
    names = ", ".join(decision.license.declared_names)
    return names or key


def _always(duty: AppliedObligation) -> bool:
    return duty.applies is True or "use" in duty.trigger


def _duty_row(duty: AppliedObligation) -> TermRow:
    when = "" if _always(duty) else _condition(duty.trigger)
    kind = ChipKind.NEUTRAL if duty.applies is False else ChipKind.WARNING
    return TermRow(duty_tag(duty.id), kind, duty.text, duty.ref, duty.exact, when)


def _permission_rows(known: License) -> list[TermRow]:
    tag = _tr("Allowed")
    if known.permissions:
        return [TermRow(tag, ChipKind.GOOD, entry.text, entry.ref) for entry in known.permissions]
    return [TermRow(tag, ChipKind.GOOD, text, "") for text in known.may]


def _threshold_row(threshold: Threshold) -> TermRow:
    text = threshold.text
    if not text:
        text = _tr("A line is drawn at {value} ({metric}); above it another license is needed.")
        text = text.format(value=f"{threshold.value:,}", metric=threshold.metric)
    return TermRow(_tr("Scale"), ChipKind.BAD, text, threshold.ref, threshold.display)


def _region_row(region: RegionRestriction) -> TermRow:
    text = region.text or _tr("Gives no rights in {regions} ({what}).").format(
        regions=", ".join(region.excluded), what=region.applies_to
    )
    return TermRow(_tr("Region"), ChipKind.BAD, text, region.ref)


def duty_tag(duty_id: str) -> str:
    """One word for what a duty is about."""
    if duty_id.startswith("name_prefix"):
        return _tr("Name")
    words = {
        "display_badge": _tr("Display"),
        "include_license_copy": _tr("Pass on"),
        "notice_file": _tr("Pass on"),
        "retain_notices": _tr("Keep"),
        "state_changes": _tr("Mark"),
        "aup_comply": _tr("Use"),
        "aup_passthrough": _tr("Pass on"),
        "attribution": _tr("Credit"),
        "share_alike": _tr("Share"),
        "register_commercial": _tr("Register"),
        "research_only": _tr("Limit"),
        "non_commercial_only": _tr("Limit"),
    }
    return words.get(duty_id, _tr("Duty"))


def _condition(triggers: tuple[str, ...]) -> str:
    """`if you pass it on or publish a changed version`."""
    words = {
        "redistribute": _tr("pass the model on"),
        "redistribute_commercial": _tr("sell it on"),
        "distribute_derivative": _tr("publish a changed version"),
        "distribute_product": _tr("ship it in a product"),
        "host_service": _tr("offer it as a service"),
        "commercial_use": _tr("use it commercially"),
        "make_derivative": _tr("change it"),
        "train_on_outputs_distribute": _tr("share models trained on its outputs"),
        "publish_results": _tr("publish results"),
        "publish": _tr("publish something made with it"),
        "termination": _tr("stop using it under these terms"),
    }
    parts = [words.get(name, name.replace("_", " ")) for name in triggers]
    if len(parts) > 1:
        parts = [", ".join(parts[:-1]), parts[-1]]
    return _tr("if you {what}").format(what=_tr(" or ").join(parts))
