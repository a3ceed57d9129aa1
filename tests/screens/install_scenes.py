"""Scenes of the install sheet for real licenses: name, what is done, what is prepared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PySide6.QtWidgets import QApplication

from openshelf.errors import GatedModel
from openshelf.licenses.claims import RepoClaims
from openshelf.policy.organization import Policy
from openshelf.services import Services
from openshelf.settings import Settings
from openshelf.ui.main_window import MainWindow
from tests.fakes.downloads import FakeInstaller
from tests.fakes.example_data import example_machine, example_offer
from tests.fakes.example_updates import example_change
from tests.fakes.real_offers import (
    HUB,
    KIMI,
    LARGE_COMPANY,
    LLAMA_4,
    QWEN_3B,
    SMALL_COMPANY,
    UNLABELLED,
    company_policy,
    real_offer,
    with_offer,
)
from tests.fakes.services import FakeSettingsStore

Act = Callable[[MainWindow, Services], None]


def _open(window: MainWindow, services: Services) -> None:
    window.set_machine(example_machine())
    window.open_install("a/b")


def _open_and_scroll(window: MainWindow, services: Services) -> None:
    """Both sides at their end: the consent and the last duties."""
    _open(window, services)
    for _ in range(30):
        QApplication.processEvents()
    sheet = window.sheet
    for part in (sheet.side, sheet.terms):  # type: ignore[union-attr]
        bar = part.verticalScrollBar()
        bar.setValue(bar.maximum())


def _offered(
    chain: tuple[RepoClaims, ...], policy: Policy, **changes: Any
) -> Callable[[Services], Services]:
    def prepare(services: Services) -> Services:
        return with_offer(services, real_offer(chain, policy, **changes), policy)

    return prepare


def _not_asked_yet(services: Services) -> Services:
    return replace(services, settings=FakeSettingsStore(Settings()))


def _refused(services: Services) -> Services:
    repo = "meta-llama/Llama-4-Scout-17B-16E-Instruct"
    services.installer.error = GatedModel(repo, f"{HUB}/{repo}")  # type: ignore[attr-defined]
    return services


def _changed(services: Services) -> Services:
    offer = replace(example_offer(), change=example_change())
    return replace(services, installer=FakeInstaller(offer))


_EU = company_policy(SMALL_COMPANY)
_STRICT = company_policy(
    SMALL_COMPANY, allow_only=("apache-2.0", "mit"), deny_vendor_regions=("CN",), strict_labels=True
)
INSTALL_SCENES: tuple[tuple[str, Act, Callable[[Services], Services]], ...] = (
    ("install-llama4-eu", _open, _offered(LLAMA_4, _EU, quant="Q2_K_XL")),
    ("install-llama4-texts", _open_and_scroll, _offered(LLAMA_4, _EU, quant="Q2_K_XL")),
    ("install-qwen-company", _open, _offered(QWEN_3B, _EU)),
    ("install-kimi-large", _open, _offered(KIMI, company_policy(LARGE_COMPANY))),
    ("install-no-license", _open, _offered(UNLABELLED, Policy())),
    ("install-no-license-policy", _open, _offered(UNLABELLED, _EU)),
    ("install-rules", _open_and_scroll, _offered(KIMI, _STRICT)),
    ("install-gated", _open, _offered(LLAMA_4, Policy(), gated=True)),
    ("install-gated-refused", _open, _refused),
    ("install-terms-changed", _open, _changed),
    ("install-question", _open, _not_asked_yet),
)
