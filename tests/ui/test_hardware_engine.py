"""Engine builds on the hardware page, and what the window says when another one is in use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot
from typing_extensions import override

from openshelf.engine.builds import Builds
from openshelf.engine.kept_builds import INSTALLED
from openshelf.errors import EngineFailed, OpenshelfError
from openshelf.ui.pages.hardware_engine import FORGET, USE, EngineCard
from openshelf.ui.pages.hardware_row import FoundRow
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.chip import Chip
from openshelf.ui.widgets.engine_notice import EngineNotice
from tests.fakes.chats import FakeChats
from tests.fakes.engine_builds import INSTALLED_BUILD, FakeEngineBuilds, example_builds
from tests.fakes.services import fake_services

PROBLEM = EngineFailed("build_crashed", "SIGSEGV")


class CountingChats(FakeChats):
    """How often the model in memory was given back; `unload_error` is raised instead."""

    def __init__(self) -> None:
        super().__init__()
        self.unloads = 0
        self.unload_error: OpenshelfError | None = None

    @override
    def unload(self) -> None:
        if self.unload_error is not None:
            raise self.unload_error
        self.unloads += 1
        super().unload()


@pytest.fixture
def builds() -> FakeEngineBuilds:
    return FakeEngineBuilds(example_builds(PROBLEM))


@pytest.fixture
def chats() -> CountingChats:
    return CountingChats()


@pytest.fixture
def bridge(
    tmp_path: Path, themed_app: QApplication, builds: FakeEngineBuilds, chats: CountingChats
) -> Iterator[TaskBridge]:
    bridge = TaskBridge(fake_services(tmp_path).runner)
    yield bridge
    bridge.close()
    bridge.deleteLater()


@pytest.fixture
def card(
    tmp_path: Path, qtbot: QtBot, bridge: TaskBridge, builds: FakeEngineBuilds, chats: CountingChats
) -> EngineCard:
    services = fake_services(tmp_path, changes={"engine_builds": builds, "chats": chats})
    card = EngineCard(services, bridge)
    card.resize(900, 500)
    qtbot.addWidget(card)
    card.show()
    card.open_card()
    qtbot.waitUntil(lambda: bool(rows(card)))
    return card


def rows(card: EngineCard) -> dict[str, FoundRow]:
    return {str(row.property("folder")): row for row in card.findChildren(FoundRow)
            if row.isVisible()}  # fmt: skip


def words(widget: QWidget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisible())


def press(row: FoundRow, link: str) -> None:
    for button in row.findChildren(QPushButton):
        if button.property("link") == link:
            button.click()
            return
    raise AssertionError(f"no {link} in {row.name}")


def test_every_build_is_shown_with_version_age_devices_and_what_is_wrong(card: EngineCard) -> None:
    shown = rows(card)
    assert list(shown) == [INSTALLED, "/home/ada/llama.cpp/cuda", "/home/ada/llama.cpp/vulkan"]
    cuda, vulkan = shown["/home/ada/llama.cpp/cuda"], shown["/home/ada/llama.cpp/vulkan"]
    text = words(cuda)
    assert "llama.cpp 0.5.0" in text
    assert "CUDA0 (NVIDIA GeForce RTX 4070 Laptop GPU)" in text
    assert "old" in text
    assert [chip.words for chip in cuda.findChildren(Chip)] == ["in use instead"]
    assert [chip.words for chip in vulkan.findChildren(Chip)] == ["cannot be used"]
    assert "SIGSEGV" in words(vulkan)
    assert words(card).count("SIGSEGV") == 1, "once: what is used instead is said above all pages"
    assert not card.notice.isVisible()


def test_another_one_is_chosen_and_the_model_in_memory_goes(
    qtbot: QtBot, card: EngineCard, builds: FakeEngineBuilds, chats: CountingChats
) -> None:
    with qtbot.waitSignal(card.changed):
        press(rows(card)[INSTALLED], USE)
    assert builds.state.chosen == INSTALLED
    assert chats.unloads == 1
    assert not card.notice.isVisible()
    qtbot.waitUntil(lambda: INSTALLED in rows(card))
    assert [chip.words for chip in rows(card)[INSTALLED].findChildren(Chip)] == ["in use"]


def test_one_that_cannot_be_used_is_refused_with_its_reason(
    qtbot: QtBot, card: EngineCard, builds: FakeEngineBuilds
) -> None:
    builds.error = EngineFailed("engine_layout", "n_batch = 48 arrived as 7")
    before = builds.state
    card.use("/tmp/another")
    qtbot.waitUntil(lambda: "n_batch = 48" in card.notice.text.text())
    assert builds.state == before
    assert card.add_button.isEnabled()


def test_one_is_taken_off_the_list(
    qtbot: QtBot, card: EngineCard, builds: FakeEngineBuilds
) -> None:
    with qtbot.waitSignal(card.changed):
        press(rows(card)["/home/ada/llama.cpp/vulkan"], FORGET)
    assert "/home/ada/llama.cpp/vulkan" not in rows(card)
    assert builds.state.build("/home/ada/llama.cpp/vulkan") is None


def test_a_busy_engine_keeps_its_model(
    qtbot: QtBot, card: EngineCard, builds: FakeEngineBuilds, chats: CountingChats
) -> None:
    chats.unload_error = EngineFailed("busy")
    with qtbot.waitSignal(card.changed):
        card.use("/home/ada/llama.cpp/cuda")
    assert builds.state.chosen == "/home/ada/llama.cpp/cuda"


def test_the_window_says_that_another_build_is_in_use(
    qtbot: QtBot, bridge: TaskBridge, builds: FakeEngineBuilds
) -> None:
    notice = EngineNotice(bridge, builds.announcer)
    qtbot.addWidget(notice)
    assert not notice.isVisible()
    builds.change(example_builds(PROBLEM))
    qtbot.waitUntil(notice.isVisible)
    assert "is used instead" in notice.text.text()
    assert "SIGSEGV" in notice.text.text()
    builds.change(Builds((INSTALLED_BUILD,)))
    qtbot.waitUntil(lambda: not notice.isVisible())
    builds.change(Builds((INSTALLED_BUILD,), lost=("NVIDIA GeForce RTX 4070",)))
    qtbot.waitUntil(notice.isVisible)
    assert "no longer finds NVIDIA GeForce RTX 4070" in notice.text.text()
    notice.button.click()
    assert not notice.isVisible()
