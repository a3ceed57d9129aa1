"""Scenes of the Model screen: name, what is done, what is prepared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from openshelf.errors import EngineFailed, GatedModel, NotFound
from openshelf.hardware.facts import Machine
from openshelf.hardware.profiles import find_machine
from openshelf.services import Services
from openshelf.shelf.builds import ModelListing
from openshelf.ui.main_window import MainWindow
from openshelf.ui.models.model_check import PAUSE_MILLISECONDS
from openshelf.ui.pages.model import ModelPage
from openshelf.ui.places import Place
from tests.fakes.example_data import example_machine, plain_machine
from tests.fakes.example_models import expected_listing, hostile_listing

_GATED = GatedModel("meta/x", "https://huggingface.co/meta/x")
_SILENT = EngineFailed("not_started", "no answer")
Act = Callable[[MainWindow, Services], None]


def _page(window: MainWindow) -> ModelPage:
    page = window.page(Place.MODEL)
    assert isinstance(page, ModelPage)
    return page


def _settle() -> None:
    for _ in range(30):
        QApplication.processEvents()


def _open_model(
    window: MainWindow, services: Services, machine: Machine | None = None
) -> ModelPage:
    window.set_machine(machine or example_machine())
    window.open_model("qwen3-14b")
    _settle()
    return _page(window)


def _open(window: MainWindow, services: Services) -> None:
    _open_model(window, services)


def _open_verified(window: MainWindow, services: Services) -> None:
    _open_model(window, services)
    for _ in range(2):  # a pause before the header, and one before the dry run
        QTest.qWait(PAUSE_MILLISECONDS + 60)
        _settle()


def _open_split(window: MainWindow, services: Services) -> None:
    page = _open_model(window, services)
    page.variants.table.choose("Qwen/Qwen3-14B-GGUF:Q8_0")
    for _ in range(2):
        QTest.qWait(PAUSE_MILLISECONDS + 60)
        _settle()


def _open_too_large(window: MainWindow, services: Services) -> None:
    page = _open_model(window, services)
    page.variants.controls.context._set(40_960)
    _settle()
    page.variants.table.choose("unsloth/Qwen3-14B-GGUF:BF16")
    _settle()


def _open_recipes(window: MainWindow, services: Services) -> None:
    _open_too_large(window, services)
    page = window.page(Place.MODEL)
    assert isinstance(page, ModelPage)
    page.variants.why.elsewhere.click()
    _settle()


def _open_plain(window: MainWindow, services: Services) -> None:
    _open_model(window, services, plain_machine())


def _open_what_if(window: MainWindow, services: Services) -> None:
    page = _open_model(window, services)
    control = page.variants.controls.machine
    machine = find_machine("RTX 5090 32 GB + 64 GB")
    control.chooser.choose(machine)
    control._on_chosen(machine)
    _settle()


def _open_loading(window: MainWindow, services: Services) -> None:
    page = _open_model(window, services)
    page.header.show_waiting("Qwen3-14B")
    page._stack.setCurrentWidget(page._loading)


def _same(services: Services) -> Services:
    return services


def _with(**changes: object) -> Callable[[Services], Services]:
    def prepare(services: Services) -> Services:
        for name, value in changes.items():
            setattr(services.models, name, value)
        return services

    return prepare


def _no_builds() -> ModelListing:
    return replace(expected_listing(), builds=())


MODEL_SCENES: tuple[tuple[str, Act, Callable[[Services], Services]], ...] = (
    ("model-full", _open_verified, _same),
    ("model-split", _open_split, _same),
    ("model-too-large", _open_too_large, _same),
    ("model-recipes", _open_recipes, _same),
    ("model-plain", _open_plain, _same),
    ("model-what-if", _open_what_if, _same),
    ("model-loading", _open_loading, _same),
    ("model-hub-silent", _open, _with(found=expected_listing())),
    ("model-hostile", _open, _with(found=hostile_listing())),
    ("model-no-builds", _open, _with(found=_no_builds())),
    (
        "model-gated",
        _open,
        _with(listing_error=GatedModel("meta/x", "https://huggingface.co/meta/x")),
    ),
    ("model-not-found", _open, _with(listing_error=NotFound("model", "a/b"))),
    (
        "model-engine-silent",
        _open_verified,
        _with(verify_error=EngineFailed("not_started", "no answer")),
    ),
)
