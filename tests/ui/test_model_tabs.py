"""The tab Obligations of the Model screen: the catalog's word, then the Hub's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from openshelf.errors import NetworkFailure, Offline
from openshelf.library.install import InstallOffer
from openshelf.licenses.clearance import Verdict
from openshelf.policy.gate import Gate
from openshelf.policy.organization import Policy
from openshelf.tasks import CancelToken, PoolTaskRunner, Report
from openshelf.ui.pages.model import ModelPage
from openshelf.ui.pages.model_header import ModelTab
from tests.fakes.downloads import FakeInstaller
from tests.fakes.example_data import LICENSES, example_offer
from tests.fakes.services import FakeRecords
from tests.ui.model_tabs import focusable, press, spoken_name, stranger, texts

BEST = "unsloth/Qwen3-14B-GGUF:UD-Q4_K_XL"
Open = Callable[..., ModelPage]


def test_the_hub_s_word_is_that_of_the_install_sheet(
    open_page: Open, installer: FakeInstaller, qtbot: QtBot
) -> None:
    page = open_page()
    assert installer.prepared == []
    press(page, ModelTab.OBLIGATIONS)
    assert page.tabs.obligations.isVisible()
    qtbot.waitUntil(lambda: "Llama 3.2 Community License" in texts(page))
    assert installer.prepared == [BEST]
    text = texts(page)
    for words in (
        "YOU MUST", "When you pass the model on", "“Built with Llama”", "§1.b.i(B)",
        "allowed, with obligations", "Comes with obligations",
        "whether you were over the limit of users in the month before the release",
        "WHERE IT COMES FROM", "example/packaged-GGUF", "quantized", "base model",
        "Not assessed: sanctions, export control, duties under the EU AI Act.",
        "at commit 5ab33fa0",
    ):  # fmt: skip
        assert words in text, words
    assert not page.tabs.obligations.notice.isVisible()


def test_the_verdict_names_policy_and_day(
    open_page: Open, installer: FakeInstaller, qtbot: QtBot
) -> None:
    offer = example_offer()
    policy = Policy(name="House rules", sha256="ab")
    decision = replace(offer.decision, policy_sha256="ab", policy_name="House rules")
    installer.offer = replace(offer, decision=decision)
    page = open_page(gate=Gate(LICENSES, policy, FakeRecords()))
    press(page, ModelTab.OBLIGATIONS)
    today = datetime.now(UTC).date().isoformat()
    qtbot.waitUntil(lambda: f"with obligations by your policy as of {today}" in texts(page))
    assert "HOUSE RULES" in texts(page)


def test_without_the_hub_the_catalog_s_word_stands(
    open_page: Open, installer: FakeInstaller, qtbot: QtBot
) -> None:
    installer.error = Offline("huggingface.co")
    page = open_page()
    press(page, ModelTab.OBLIGATIONS)
    notice = page.tabs.obligations.notice
    qtbot.waitUntil(lambda: "Offline mode is on" in notice.text.text())
    assert "What is shown here is what the catalog says." in notice.text.text()
    assert "Give every recipient a copy of the license text. §4(a)" in texts(page)
    assert "From what the catalog declares." in texts(page)
    installer.error = None
    notice.button.click()
    qtbot.waitUntil(lambda: "Llama 3.2 Community License" in texts(page))
    assert not notice.isVisible()


def test_a_stranger_s_license_is_looked_up_for_the_header_too(
    open_page: Open, installer: FakeInstaller, qtbot: QtBot
) -> None:
    page = open_page(models=stranger())
    qtbot.waitUntil(lambda: "llama3.2" in texts(page))
    assert "not in the catalog" in texts(page)
    assert len(installer.prepared) == 1
    press(page, ModelTab.OBLIGATIONS)
    qtbot.waitUntil(lambda: "Llama 3.2 Community License" in texts(page))


def test_a_stranger_whose_license_nobody_could_ask_for(
    open_page: Open, installer: FakeInstaller, qtbot: QtBot
) -> None:
    installer.error = NetworkFailure("huggingface.co", "timeout")
    page = open_page(models=stranger())
    press(page, ModelTab.OBLIGATIONS)
    empty = page.tabs.obligations.empty
    qtbot.waitUntil(lambda: "did not answer in time" in empty.text.text())
    assert empty.isVisible()
    assert page.tabs.obligations.terms is None
    installer.error = None
    assert empty.button is not None
    empty.button.click()
    qtbot.waitUntil(lambda: "Llama 3.2 Community License" in texts(page))


def test_an_unknown_license_never_passes_silently(
    open_page: Open, installer: FakeInstaller, qtbot: QtBot
) -> None:
    installer.offer = example_offer(verdict=Verdict.NEEDS_REVIEW, licenses=("unknown",))
    page = open_page(models=stranger())
    press(page, ModelTab.OBLIGATIONS)
    qtbot.waitUntil(lambda: "Something is unknown: look first" in texts(page))
    assert "Openshelf does not know this license" in texts(page)


class SlowInstaller(FakeInstaller):
    """Answers when `gate` is opened; knows which targets were given up."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.given_up: list[str] = []

    def prepare(self, target: str, cancel: CancelToken, report: Report) -> InstallOffer:
        self.prepared.append(target)
        while not self.gate.wait(0.005):
            if cancel.is_cancelled:
                self.given_up.append(target)
                cancel.raise_if_cancelled()
        return replace(self.offer, target=target)


@pytest.fixture
def slow() -> Iterator[tuple[SlowInstaller, PoolTaskRunner]]:
    installer, runner = SlowInstaller(), PoolTaskRunner()
    yield installer, runner
    installer.gate.set()
    runner.close()


def test_the_catalog_s_word_stands_until_the_hub_answers(
    open_page: Open, slow: tuple[SlowInstaller, PoolTaskRunner], qtbot: QtBot
) -> None:
    installer, runner = slow
    page = open_page(installer=installer, runner=runner)
    press(page, ModelTab.OBLIGATIONS)
    assert "Asking the Hub" in page.tabs.obligations.notice.text.text()
    words = "Give every recipient a copy of the license text. §4(a)"
    qtbot.waitUntil(lambda: words in texts(page))
    installer.gate.set()
    qtbot.waitUntil(lambda: "Llama 3.2 Community License" in texts(page))


def test_nobody_is_asked_for_a_tab_that_is_left(
    open_page: Open, slow: tuple[SlowInstaller, PoolTaskRunner], qtbot: QtBot
) -> None:
    installer, runner = slow
    page = open_page(installer=installer, runner=runner)
    press(page, ModelTab.OBLIGATIONS)
    qtbot.waitUntil(lambda: installer.prepared == [BEST])
    press(page, ModelTab.VARIANTS)
    qtbot.waitUntil(lambda: installer.given_up == [BEST])
    press(page, ModelTab.OBLIGATIONS)
    installer.gate.set()
    qtbot.waitUntil(lambda: "Llama 3.2 Community License" in texts(page))


@pytest.mark.parametrize("tab", list(ModelTab))
def test_everything_that_takes_the_keyboard_has_a_name(
    open_page: Open, qtbot: QtBot, tab: ModelTab
) -> None:
    page = open_page()
    press(page, tab)
    qtbot.wait(30)
    found = focusable(page)
    assert found
    assert [type(widget).__name__ for widget in found if not spoken_name(widget)] == []


def test_the_keyboard_goes_from_tab_to_tab_and_back(open_page: Open, qtbot: QtBot) -> None:
    page = open_page()
    variants = page.header.tabs._group.button(0)
    variants.setFocus()
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Right):
        qtbot.keyClick(page.focusWidget() or variants, key)
    assert page.tabs.card.isVisible()
    qtbot.keyClick(page.header.tabs._group.button(3), Qt.Key.Key_Escape)
    assert not page.isVisible()
