"""What is known about whoever uses the models. Every fact may be unknown (None)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Organization:
    """Facts that licenses ask about; money in US dollars, regions as ISO 3166 alpha-2 or EU."""

    name: str | None = None
    domicile: str | None = None
    use_regions: tuple[str, ...] | None = None
    commercial: bool | None = None
    internal_only: bool | None = None
    mau: int | None = None
    mau_over_on_release: bool | None = None
    annual_revenue_usd: int | None = None
    monthly_revenue_usd: int | None = None
    redistributes: bool | None = None
    distributes_product: bool | None = None
    makes_derivatives: bool | None = None
    distributes_derivatives: bool | None = None
    hosts_service: bool | None = None
    ai_work_assistant: bool | None = None
    trains_on_outputs: bool | None = None


@dataclass(frozen=True)
class Rules:
    """A team's own rules, on top of what the licenses ask."""

    allow_only: tuple[str, ...] | None = None
    deny_classes: tuple[str, ...] = ()
    deny_vendor_regions: tuple[str, ...] = ()
    require_osi: bool = False
    require_license_text: bool = False


@dataclass(frozen=True)
class Policy:
    """`sha256` is that of the file, "" where there is none; `source` is its path or ""."""

    organization: Organization = field(default_factory=Organization)
    rules: Rules = field(default_factory=Rules)
    name: str = ""
    source: str = ""
    sha256: str = ""
    managed: bool = False

    @property
    def exists(self) -> bool:
        return bool(self.sha256)
