"""The words of the Policy screen: questions to an organization, rules of a team, classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from openshelf.licenses.clearance import Verdict
from openshelf.licenses.license import License
from openshelf.policy.review_request import reason_with_name
from openshelf.policy.store import PolicyState
from openshelf.policy.verdict import PolicyReason
from openshelf.ui.sentences import error_text, reason_sentence
from openshelf.ui.theme.kinds import ChipKind


def _tr(text: str, count: int = -1) -> str:
    return QCoreApplication.translate("PolicyWords", text, "", count)


KINDS = {
    Verdict.ALLOWED: ChipKind.GOOD,
    Verdict.ALLOWED_WITH_OBLIGATIONS: ChipKind.ACCENT,
    Verdict.NEEDS_REVIEW: ChipKind.WARNING,
    Verdict.BLOCKED: ChipKind.BAD,
}
TOKENS = {
    Verdict.ALLOWED: "good",
    Verdict.ALLOWED_WITH_OBLIGATIONS: "kv_cache",
    Verdict.NEEDS_REVIEW: "warning",
    Verdict.BLOCKED: "bad",
}


def group_title(group: str) -> str:
    return {
        "who": _tr("Who you are"),
        "size": _tr("How large you are"),
        "does": _tr("What you do with models"),
    }[group]


def fact_question(name: str) -> str:
    return {
        "name": _tr("Name of the organization"),
        "domicile": _tr("Country where it has its seat"),
        "use_regions": _tr("Countries where the models are used"),
        "commercial": _tr("Is the use commercial?"),
        "internal_only": _tr("Do only your own people use them?"),
        "mau": _tr("Monthly active users of your products"),
        "mau_over_on_release": _tr("Were you over the limit of users when a model came out?"),
        "annual_revenue_usd": _tr("Revenue per year, in US dollars"),
        "monthly_revenue_usd": _tr("Revenue per month, in US dollars"),
        "redistributes": _tr("Do you pass models on to others?"),
        "distributes_product": _tr("Do you ship a product with a model in it?"),
        "makes_derivatives": _tr("Do you change models, as by fine-tuning?"),
        "distributes_derivatives": _tr("Do you publish changed models?"),
        "hosts_service": _tr("Do you offer models to others as a service?"),
        "ai_work_assistant": _tr("Do you offer an AI coding or office assistant?"),
        "trains_on_outputs": _tr("Do you train other models on what they write?"),
        "competes_with_licensor": _tr("Do your products compete with the makers of models?"),
        "fields_of_use": _tr("What are the models used for?"),
    }[name]


def fact_hint(name: str) -> str:
    """What a fact means, in a line; "" where the question says it."""
    return {
        "name": _tr("Stands in the records of what was accepted."),
        "domicile": _tr("Two letters, such as DE or US."),
        "use_regions": _tr("Two letters each, such as DE, FR. EU means all of it."),
        "commercial": _tr("For a business, also inside of it and without selling anything."),
        "internal_only": _tr("Nobody outside of the organization uses what is made with them."),
        "mau": _tr("All products together, with affiliates."),
        "mau_over_on_release": _tr(
            "Counted once, in the month before the release: 700 million for Llama and DBRX, "
            "100 million for Hunyuan, 10 million for HyperCLOVA X."
        ),
        "annual_revenue_usd": _tr("With affiliates. 20 million can be written as 20M."),
        "hosts_service": _tr("Others send requests to a model that you run."),
        "fields_of_use": _tr("What a license may rule out, with commas: military, medical advice."),
    }.get(name, "")


def rule_words(name: str) -> tuple[str, str]:
    """(what the rule says, what it is for)."""
    return {
        "require_osi": (
            _tr("Only licenses approved by OSI"),
            _tr("The Open Source Initiative looks at the license, not at how open the model is."),
        ),
        "require_license_text": (
            _tr("Only where the license text was read"),
            _tr("A label alone is a claim; without the text at hand a review is asked for."),
        ),
        "strict_labels": (
            _tr("Only with clean labels"),
            _tr("A label that does not match the text or the base model asks for a review."),
        ),
        "offline_only": (
            _tr("Never use the network"),
            _tr("Nothing is looked up or fetched; models come from files and bundles."),
        ),
    }[name]


def class_words(license_class: str) -> str:
    return {
        "permissive": _tr("permissive"),
        "public-domain": _tr("public domain"),
        "copyleft": _tr("copyleft"),
        "share-alike": _tr("share alike"),
        "community": _tr("community license"),
        "rail": _tr("use restrictions (RAIL)"),
        "revenue-capped": _tr("no rights above a revenue"),
        "revenue-gated": _tr("more asked above a revenue"),
        "research-only": _tr("research only"),
        "non-commercial": _tr("non-commercial"),
        "overlay": _tr("use policy beside a license"),
        "unknown": _tr("unknown or none"),
    }.get(license_class, license_class)


def classes_of(licenses: Mapping[str, License]) -> list[str]:
    """Every class that occurs, the freest first."""
    order = (
        "public-domain", "permissive", "share-alike", "copyleft", "rail", "community", "overlay",
        "revenue-gated", "revenue-capped", "non-commercial", "research-only", "unknown",
    )  # fmt: skip
    found = {entry.license_class for entry in licenses.values()}
    return [name for name in order if name in found] + sorted(found - set(order))


def verdict_title(verdict: Verdict) -> str:
    return {
        Verdict.ALLOWED: _tr("Allowed"),
        Verdict.ALLOWED_WITH_OBLIGATIONS: _tr("Allowed with obligations"),
        Verdict.NEEDS_REVIEW: _tr("Needs review"),
        Verdict.BLOCKED: _tr("Blocked"),
    }[verdict]


def counts_words(families: int, models: int) -> str:
    """`3 families · 9 models`."""
    first = _tr("%n family", families) if families == 1 else _tr("%n families", families)
    return f"{first} · {_tr('%n model(s)', models)}"


def preview_sentence(reason: PolicyReason, licenses: Mapping[str, License]) -> str:
    """A reason with the names of licenses instead of their ids."""
    return reason_sentence(reason_with_name(reason, license_names(licenses)))


def license_names(licenses: Mapping[str, License]) -> dict[str, str]:
    return {id_: entry.name for id_, entry in licenses.items()}


def listed(names: Iterable[str]) -> str:
    return ", ".join(names)


@dataclass(frozen=True)
class SourceWords:
    """Where the policy in force comes from: a line, and what has to be said about it."""

    subtitle: str
    text: str = ""
    is_bad: bool = False


def source_words(state: PolicyState) -> SourceWords:
    if state.problem is not None:
        text = f"{error_text(state.problem)} {_tr('Until then nothing is allowed.')}"
        if state.editable:
            also = _tr("Saving here replaces it; the broken file is kept beside it.")
            text = f"{text} {also}"
        return SourceWords(_tr("The policy cannot be read"), text, is_bad=True)
    if state.managed is not None:
        text = _tr(
            "This machine has a policy of its own: {path}. Its facts and rules are fixed; "
            "you can only add rules."
        )
        return SourceWords(_tr("Set for this machine"), text.format(path=state.managed.source))
    if not state.editable:
        text = _tr("The policy comes from {path}, which OPENSHELF_POLICY names. Change it there.")
        return SourceWords(_tr("Set from outside"), text.format(path=state.own_path))
    if state.own is None:
        text = _tr(
            "There is no policy yet: the licenses alone speak, and what is unknown is asked. "
            "With one, what needs a review waits until somebody has looked."
        )
        return SourceWords(_tr("What is allowed here, why, and what was accepted"), text)
    return SourceWords(_tr("In force: {path}").format(path=state.own_path))
