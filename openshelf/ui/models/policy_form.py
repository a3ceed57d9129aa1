"""What is typed into the Policy screen as values of a policy, and back; errors in words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from openshelf.policy.organization import Organization

_COUNT = re.compile(r"(\d+(?:[.,]\d+)?)\s*(k|thousand|m|mio|million|bn|b|billion)?", re.IGNORECASE)
_TIMES = {"": 1, "k": 10**3, "t": 10**3, "m": 10**6, "b": 10**9}
_GROUPS = re.compile(r"(?<=\d)[\s,._'’](?=\d{3}(?!\d))")
_MOST = 10**15


def _tr(text: str) -> str:
    return QCoreApplication.translate("PolicyForm", text)


class NotUnderstood(ValueError):
    """What was typed is no such value; the message is for the person."""


@dataclass(frozen=True)
class FactQuestion:
    """One fact of the organization. `kind` is flag, count, text, list, region or regions."""

    name: str
    kind: str


FACT_GROUPS: dict[str, tuple[FactQuestion, ...]] = {
    "who": (
        FactQuestion("name", "text"),
        FactQuestion("domicile", "region"),
        FactQuestion("use_regions", "regions"),
        FactQuestion("commercial", "flag"),
        FactQuestion("internal_only", "flag"),
    ),
    "size": (
        FactQuestion("mau", "count"),
        FactQuestion("mau_over_on_release", "flag"),
        FactQuestion("annual_revenue_usd", "count"),
        FactQuestion("monthly_revenue_usd", "count"),
    ),
    "does": (
        FactQuestion("redistributes", "flag"),
        FactQuestion("distributes_product", "flag"),
        FactQuestion("makes_derivatives", "flag"),
        FactQuestion("distributes_derivatives", "flag"),
        FactQuestion("hosts_service", "flag"),
        FactQuestion("ai_work_assistant", "flag"),
        FactQuestion("trains_on_outputs", "flag"),
        FactQuestion("competes_with_licensor", "flag"),
        FactQuestion("fields_of_use", "list"),
    ),
}
"""In the order of the screen."""


def parse_count(text: str) -> int | None:
    """`20 million`, `20M`, `4,000,000`; None for nothing. Raises NotUnderstood."""
    bare = _GROUPS.sub("", text.strip().lstrip("$").strip())
    if not bare:
        return None
    found = _COUNT.fullmatch(bare)
    if found is None:
        raise NotUnderstood(_tr("Write a number, such as 50,000 or 20 million."))
    number = float(found[1].replace(",", ".")) * _TIMES[(found[2] or "")[:1].lower()]
    if number != int(number) or number > _MOST:
        raise NotUnderstood(_tr("Write a whole number."))
    return int(number)


def parse_regions(text: str) -> tuple[str, ...] | None:
    """`de, FR` → (DE, FR); None for nothing. Raises NotUnderstood."""
    codes = [code.upper() for code in re.split(r"[\s,;]+", text.strip()) if code]
    for code in codes:
        if len(code) != 2 or not code.isascii() or not code.isalpha():
            text = _tr("Write countries with two letters, such as DE, US or EU; not “{code}”.")
            raise NotUnderstood(text.format(code=code))
    known = {"UK": "GB", "EL": "GR"}
    return tuple(dict.fromkeys(known.get(code, code) for code in codes)) or None


def parse_region(text: str) -> str | None:
    codes = parse_regions(text)
    if codes is not None and len(codes) > 1:
        raise NotUnderstood(_tr("Write one country only."))
    return codes[0] if codes else None


def parse_fact(kind: str, text: str) -> object:
    """The value of a typed fact of this kind; None where nothing was typed."""
    match kind:
        case "count":
            return parse_count(text)
        case "region":
            return parse_region(text)
        case "regions":
            return parse_regions(text)
        case "list":
            parts = (" ".join(part.split()) for part in re.split(r"[,;]", text))
            return tuple(dict.fromkeys(part for part in parts if part)) or None
        case _:
            return " ".join(text.split()) or None


def fact_text(organization: Organization, name: str) -> str:
    """What stands in the field of a fact."""
    value = getattr(organization, name)
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:,}" if isinstance(value, int) else str(value)
