"""Where the model runs, above the conversation."""

from __future__ import annotations

from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.chat.interface import ModelInMemory
from openshelf.ui.places import Place
from openshelf.ui.theme.kinds import ChipKind
from openshelf.ui.widgets.chat_header import MOST_MODELS, ChatHeader
from tests.fakes.downloads import installed_model


def test_a_model_that_left_the_gpu_is_a_warning(qtbot: QtBot, themed_app: QApplication) -> None:
    header = ChatHeader()
    qtbot.addWidget(header)
    loaded = ModelInMemory("m", 4096, 0, 31, "fits_cpu", {}, {}, 1.5, left_gpu=True)
    header.show_placement(loaded)
    assert header.placement.words == "on the CPU, not the GPU"
    assert header.placement.property("chip") == ChipKind.WARNING.value
    assert "was to run on the GPU" in header.placement.toolTip()


def test_of_thousands_the_menu_has_those_used_last(qtbot: QtBot, themed_app: QApplication) -> None:
    header = ChatHeader()
    qtbot.addWidget(header)
    models = [
        installed_model(
            f"Model {number:04}", last_used_at=f"2026-11-{1 + number % 28:02}T09:00:00Z"
        )
        for number in range(2000)
    ]
    chosen = models[0]
    asked: list[object] = []
    header.place_requested.connect(asked.append)
    header.show_models(models, chosen.id)
    actions = header.model_menu.actions()
    offered = [action for action in actions if action.data() is not None]
    assert len(offered) == MOST_MODELS
    assert offered[0].isChecked(), "the chosen one, though others were used later"
    assert all(int(action.text()[6:10]) % 28 == 27 for action in offered[1:])
    more = [action for action in actions if action not in offered and action.text()]
    assert [action.text() for action in more] == [
        "All 2,000 models in the Library…", "More on the Shelf…",
    ]  # fmt: skip
    for action in more:
        action.trigger()
    assert asked == [Place.LIBRARY, Place.SHELF]
