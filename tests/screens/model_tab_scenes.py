"""Scenes of the Model screen's tabs beside Variants: name, what is done, what is prepared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtWidgets import QApplication

from openshelf.errors import NetworkFailure, NotFound, Offline
from openshelf.licenses.clearance import Verdict
from openshelf.policy.gate import Gate
from openshelf.policy.organization import Organization, Policy
from openshelf.services import Services
from openshelf.ui.main_window import MainWindow
from openshelf.ui.pages.model import ModelPage
from openshelf.ui.pages.model_header import ModelTab
from openshelf.ui.places import Place
from tests.fakes.downloads import FakeInstaller
from tests.fakes.example_cards import EXAMPLE_CARD, HOSTILE_CARD, FakeCards
from tests.fakes.example_data import LICENSES, example_machine, example_offer
from tests.fakes.example_models import FakeModels, example_listing
from tests.fakes.services import FakeRecords

Act = Callable[[MainWindow, Services], None]
Prepare = Callable[[Services], Services]


def _settle() -> None:
    for _ in range(40):
        QApplication.processEvents()


def _open(tab: ModelTab) -> Act:
    def act(window: MainWindow, services: Services) -> None:
        window.set_machine(example_machine())
        window.open_model("qwen3-14b")
        _settle()
        page = window.page(Place.MODEL)
        assert isinstance(page, ModelPage)
        page.header.tabs.choose(tab)
        page._on_tab(tab)
        _settle()

    return act


def _open_link(window: MainWindow, services: Services) -> None:
    """A link of the card was pressed."""
    _open(ModelTab.CARD)(window, services)
    page = window.page(Place.MODEL)
    assert isinstance(page, ModelPage)
    page.tabs.card.view.link_pressed.emit("javascript:alert(1)")
    _settle()


def _offered(verdict: Verdict, *licenses: str, policy: Policy | None = None) -> Prepare:
    """The Hub answers with these licenses."""

    def prepare(services: Services) -> Services:
        offer = example_offer(verdict=verdict, licenses=licenses)
        under = policy or Policy()
        decision = replace(offer.decision, policy_name=under.name, policy_sha256=under.sha256)
        installer = FakeInstaller(replace(offer, decision=decision))
        return replace(services, installer=installer, gate=Gate(LICENSES, under, FakeRecords()))

    return prepare


def _stranger(prepare: Prepare) -> Prepare:
    """The model is not in the catalog."""

    def prepared(services: Services) -> Services:
        found = replace(example_listing(), family=None, model=None, decision=None)
        return replace(prepare(services), models=FakeModels(found))

    return prepared


def _failing(error: Exception) -> Prepare:
    def prepare(services: Services) -> Services:
        services.installer.error = error  # type: ignore[attr-defined]
        return services

    return prepare


def _card(text: str = EXAMPLE_CARD, error: Exception | None = None, **changes: object) -> Prepare:
    def prepare(services: Services) -> Services:
        cards = FakeCards(text, **changes)
        cards.error = error  # type: ignore[assignment]
        return replace(services, read_card=cards.card)

    return prepare


_TEAM = Policy(organization=Organization(name="Example GmbH"), name="Example policy", sha256="ab")
_ALLOWED = _offered(Verdict.ALLOWED, "apache-2.0")
_DUTIES = _offered(Verdict.ALLOWED_WITH_OBLIGATIONS, "llama3.2")
_REVIEW = _offered(Verdict.NEEDS_REVIEW, "mit", "llama3.2", policy=_TEAM)
_BLOCKED = _offered(Verdict.BLOCKED, "llama3.2", policy=_TEAM)
_UNKNOWN = _offered(Verdict.NEEDS_REVIEW, "unknown")
_OFFLINE = _failing(Offline("huggingface.co"))
_SILENT = _failing(NetworkFailure("huggingface.co", "timeout"))

_KEPT = _card("# Short", is_kept=True, is_cut=True, total_bytes=10_000_000)

MODEL_TAB_SCENES: tuple[tuple[str, Act, Prepare], ...] = (
    ("model-obligations", _open(ModelTab.OBLIGATIONS), _ALLOWED),
    ("model-obligations-duties", _open(ModelTab.OBLIGATIONS), _DUTIES),
    ("model-obligations-review", _open(ModelTab.OBLIGATIONS), _REVIEW),
    ("model-obligations-blocked", _open(ModelTab.OBLIGATIONS), _BLOCKED),
    ("model-obligations-offline", _open(ModelTab.OBLIGATIONS), _OFFLINE),
    ("model-obligations-stranger", _open(ModelTab.OBLIGATIONS), _stranger(_UNKNOWN)),
    ("model-obligations-silent", _open(ModelTab.OBLIGATIONS), _stranger(_SILENT)),
    ("model-questions", _open(ModelTab.QUESTIONS), _ALLOWED),
    ("model-questions-duties", _open(ModelTab.QUESTIONS), _DUTIES),
    ("model-questions-review", _open(ModelTab.QUESTIONS), _REVIEW),
    ("model-questions-offline", _open(ModelTab.QUESTIONS), _OFFLINE),
    ("model-questions-stranger", _open(ModelTab.QUESTIONS), _stranger(_UNKNOWN)),
    ("model-card", _open(ModelTab.CARD), _card()),
    ("model-card-hostile", _open_link, _card(HOSTILE_CARD)),
    ("model-card-kept", _open(ModelTab.CARD), _KEPT),
    ("model-card-offline", _open(ModelTab.CARD), _card(error=Offline("huggingface.co"))),
    ("model-card-none", _open(ModelTab.CARD), _card(error=NotFound("card", "a/b"))),
)
