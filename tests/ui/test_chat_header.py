"""Where the model runs, above the conversation."""

from __future__ import annotations

from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.chat.interface import ModelInMemory
from openshelf.ui.theme.kinds import ChipKind
from openshelf.ui.widgets.chat_header import ChatHeader


def test_a_model_that_left_the_gpu_is_a_warning(qtbot: QtBot, themed_app: QApplication) -> None:
    header = ChatHeader()
    qtbot.addWidget(header)
    loaded = ModelInMemory("m", 4096, 0, 31, "fits_cpu", {}, {}, 1.5, left_gpu=True)
    header.show_placement(loaded)
    assert header.placement.words == "on the CPU, not the GPU"
    assert header.placement.property("chip") == ChipKind.WARNING.value
    assert "was to run on the GPU" in header.placement.toolTip()
