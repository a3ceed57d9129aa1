"""What a move of a slider costs on the Model screen, with 60 builds in the table.

Run by name: `pytest -m benchmark tests/benchmarks/test_model_table.py -s`. Held against the bounds
in CPU time of all threads, so that other programs do not count; the time on the wall is printed.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import pytest
from PySide6.QtCore import QEventLoop
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.tasks import PoolTaskRunner
from openshelf.ui.models.model_fits import FitAnswer
from openshelf.ui.pages.model_variants import VariantsPanel
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme import Scheme, apply_theme, load_fonts
from tests.fakes.example_data import example_machine
from tests.fakes.example_models import FakeModels, many_builds
from tests.fakes.services import fake_services

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.qt_log_ignore("This plugin does not support", extend=True),
]
BUILDS = 60
MOVES = 40
MOST_SECONDS = 0.050
MOST_WINDOW_SECONDS = 0.010


def test_a_slider_recomputes_sixty_builds(
    qapp: QApplication, qtbot: QtBot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_fonts()
    apply_theme(qapp, Scheme.LIGHT)
    runner = PoolTaskRunner()
    services = fake_services(tmp_path, runner=runner, changes={"models": FakeModels()})
    bridge = TaskBridge(runner)
    panel = VariantsPanel(services, bridge)
    qtbot.addWidget(panel)
    panel.resize(1172, 770)
    panel.show()
    panel.set_machine(example_machine())
    panel.show_listing(many_builds(BUILDS))
    qtbot.waitUntil(lambda: panel.model.rowCount() == BUILDS)
    loop = QEventLoop()
    in_window: list[float] = []
    show = panel._on_answered

    def timed(answer: FitAnswer) -> None:
        started = time.thread_time()
        show(answer)
        in_window.append(time.thread_time() - started)
        loop.quit()

    panel._fits.answered.disconnect()
    panel._fits.answered.connect(timed)
    whole, on_wall, painted = [], [], []
    for move in range(MOVES):
        started, cpu = time.perf_counter(), time.process_time()
        panel.controls.context._set(4096 + 512 * move)
        loop.exec()  # as in the app: the window's thread sleeps until the answer is there
        whole.append(time.process_time() - cpu)
        on_wall.append(time.perf_counter() - started)
        started = time.thread_time()
        panel.table.viewport().grab()
        painted.append(time.thread_time() - started)
    with capsys.disabled():
        print(f"\n{BUILDS} builds, {MOVES} moves of the context slider, milliseconds:")  # noqa: T201
        for name, times in (
            ("from the move to the new rows", whole),
            ("of that in the window's thread", in_window),
            ("painting what is visible", painted),
            ("on the wall, from the move to the new rows", on_wall),
        ):
            middle, high = statistics.median(times) * 1e3, sorted(times)[-3] * 1e3
            print(f"  {name}: median {middle:.1f}, 95 % below {high:.1f}")  # noqa: T201
    bridge.close()
    runner.close()
    assert statistics.median(whole) <= MOST_SECONDS
    assert statistics.median(in_window) <= MOST_WINDOW_SECONDS
