"""The process of the window over fake services: starts, theme, probes, the end."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.errors import CorruptSettings, EngineDied
from openshelf.hardware.facts import Machine
from openshelf.services import Services
from openshelf.settings import SettingsStore
from openshelf.ui.app import Arguments, Desktop, has_display, is_traced
from openshelf.ui.interrupt import InterruptWatch
from openshelf.ui.pages.settings import SettingsPage
from openshelf.ui.places import Place
from openshelf.ui.theme import Scheme, apply_theme, current_tokens, scheme
from openshelf.ui.theme.scheme import tokens_for
from openshelf.ui.theme.tokens import DARK, LIGHT
from tests.fakes.example_data import example_machine, plain_machine
from tests.fakes.folders import FakeUpkeep
from tests.fakes.services import fake_services

MakeDesktop = Callable[..., Desktop]


@pytest.fixture
def make_desktop(themed_app: QApplication, tmp_path: Path) -> Iterator[MakeDesktop]:
    made: list[Desktop] = []

    def make(arguments: Arguments | None = None, **changes: Any) -> Desktop:
        services = fake_services(tmp_path, changes=changes)
        desktop = Desktop(themed_app, services, arguments or Arguments())
        made.append(desktop)
        return desktop

    yield make
    for desktop in made:
        desktop.close()
        desktop.window.close()
        desktop.window.deleteLater()
        desktop.deleteLater()
    apply_theme(themed_app, Scheme.LIGHT)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], Arguments()),
        (["--smoke"], Arguments(smoke=True)),
        (["--screenshot", "x.png"], Arguments(screenshot=Path("x.png"))),
        (["--screenshot"], Arguments(screenshot=Path("openshelf.png"))),
    ],
)
def test_arguments(words: list[str], expected: Arguments) -> None:
    assert Arguments.parse(words) == expected


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ""}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"QT_QPA_PLATFORM": "offscreen"}, "linux", True),
        ({}, "darwin", True),
        ({}, "win32", True),
    ],
)
def test_a_missing_display_is_noticed_before_qt_aborts(
    environment: dict[str, str], platform: str, expected: bool
) -> None:
    assert has_display(environment, platform) is expected


def test_the_trace_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_traced()
    assert not Arguments().is_probe
    monkeypatch.setenv("OPENSHELF_STARTUP_TRACE", "1")
    assert Arguments().is_probe


def test_a_start_shows_window_machine_and_shelf(make_desktop: MakeDesktop, qtbot: QtBot) -> None:
    desktop = make_desktop()
    with qtbot.waitSignal(desktop.window.first_painted):
        desktop.start()
    assert desktop.window.isVisible()
    assert desktop.window.machine == example_machine()


def test_the_scheduled_verification_begins_with_the_window(
    make_desktop: MakeDesktop, qtbot: QtBot
) -> None:
    upkeep = FakeUpkeep()
    desktop = make_desktop(upkeep=upkeep)
    assert upkeep.started == 0
    desktop.start()
    qtbot.waitUntil(lambda: upkeep.started == 1)


def test_the_engine_is_asked_only_where_it_changes_what_fits(
    make_desktop: MakeDesktop, qtbot: QtBot
) -> None:
    asked: list[Machine] = []

    def engine_facts(machine: Machine) -> Machine:
        asked.append(machine)
        return replace(machine, gpus=machine.gpus[:1])

    desktop = make_desktop(
        detect_machine=lambda cancel, report: plain_machine(), engine_facts=engine_facts
    )
    with qtbot.waitSignal(desktop.window.first_painted):
        desktop.start()
    qtbot.wait(30)
    assert asked == [], "no GPU: nothing to ask before somebody chats"
    desktop.window.close()
    other = make_desktop(engine_facts=engine_facts)
    other.start()
    qtbot.waitUntil(lambda: asked == [example_machine()])
    qtbot.waitUntil(
        lambda: other.window.machine is not None and len(other.window.machine.gpus) == 1
    )


def test_an_engine_that_dies_at_the_start_is_a_line_in_the_log(
    make_desktop: MakeDesktop, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    def engine_facts(machine: Machine) -> Machine:
        raise EngineDied(exit_status=-9, signal="SIGKILL")

    messages: list[str] = []
    desktop = make_desktop(engine_facts=engine_facts)
    import openshelf.ui.app as app_module

    app_module.log.addFilter(lambda record: messages.append(record.getMessage()) or True)
    try:
        desktop.start()
        qtbot.waitUntil(lambda: any("did not tell its devices" in text for text in messages))
        assert desktop.window.isVisible()
    finally:
        app_module.log.filters.clear()


@pytest.mark.parametrize("works", [True, False])
def test_the_smoke_test_prints_one_json_object(
    make_desktop: MakeDesktop, qtbot: QtBot, capsys: pytest.CaptureFixture[str], works: bool
) -> None:
    def engine_facts(machine: Machine) -> Machine:
        if not works:
            raise EngineDied()
        return machine

    desktop = make_desktop(Arguments(smoke=True), engine_facts=engine_facts)
    desktop.start()
    # run() starts the loop; quit comes from the smoke test itself.
    assert desktop.run() == (0 if works else 1)
    answer = json.loads(capsys.readouterr().out)
    assert answer["window"] is True
    assert answer["engine"] == ("llama.cpp 0.5.0-dev" if works else None)


def test_a_picture_of_the_shelf(make_desktop: MakeDesktop, tmp_path: Path) -> None:
    desktop = make_desktop(Arguments(screenshot=tmp_path / "shelf.png"))
    desktop.start()
    assert desktop.run() == 0
    assert (tmp_path / "shelf.png").stat().st_size > 10_000


def test_the_theme_follows_the_settings(make_desktop: MakeDesktop, qtbot: QtBot) -> None:
    desktop = make_desktop()
    services: Services = desktop._services
    services.settings.save(replace(services.settings.current, theme="dark"))
    qtbot.waitUntil(lambda: current_tokens().name == "dark")
    services.settings.save(replace(services.settings.current, theme="high_contrast"))
    qtbot.waitUntil(lambda: current_tokens().name == "high_contrast")


def test_closing_ends_bridge_and_services_once(make_desktop: MakeDesktop) -> None:
    closed: list[int] = []
    desktop = make_desktop(close=lambda: closed.append(1))
    desktop.start()
    QTimer.singleShot(0, desktop.window.close)
    assert desktop.run() == 0
    desktop.close()
    assert closed == [1]


def test_a_report_is_shown_and_goes_away(make_desktop: MakeDesktop, qtbot: QtBot) -> None:
    desktop = make_desktop()
    desktop.show_report("what happened")
    assert len(desktop._reports) == 1
    desktop._reports[0].close()
    qtbot.waitUntil(lambda: desktop._reports == [])


@pytest.mark.skipif(os.name == "nt", reason="signals are sent by pid there only to end a process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_heard_while_qt_waits(
    qapp: QApplication, qtbot: QtBot, number: signal.Signals
) -> None:
    watch = InterruptWatch()
    before = signal.getsignal(number)
    with qtbot.waitSignal(watch.interrupted, timeout=3000):
        QTimer.singleShot(20, lambda: os.kill(os.getpid(), number))
    watch.close()
    watch.deleteLater()
    assert signal.getsignal(number) is not before


def test_services_that_cannot_be_built_are_explained(
    themed_app: QApplication,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import openshelf.wiring
    from openshelf.ui.app import run_window

    def fail(paths: object) -> Services:
        raise CorruptSettings(detail="line 3", path="/etc/openshelf/policy.toml")

    monkeypatch.setattr(openshelf.wiring, "build_services", fail)
    assert run_window(["--smoke"]) == 2
    assert "/etc/openshelf/policy.toml" in capsys.readouterr().err


@pytest.mark.parametrize("scheme", [Scheme.HIGH_CONTRAST, Scheme.DARK])
def test_colors_chosen_in_the_settings_are_put_on(
    make_desktop: MakeDesktop, qtbot: QtBot, tmp_path: Path, scheme: Scheme
) -> None:
    desktop = make_desktop(settings=SettingsStore(tmp_path / "settings.toml"))
    page = cast(SettingsPage, desktop.window.page(Place.SETTINGS))
    page.theme._group.button(list(Scheme).index(scheme)).click()
    qtbot.waitUntil(lambda: current_tokens() is tokens_for(scheme))


def test_a_change_of_the_systems_colors_is_followed_at_once(
    make_desktop: MakeDesktop, themed_app: QApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    desktop = make_desktop()
    settings = desktop._services.settings
    monkeypatch.setattr(scheme, "_tokens_of_system", lambda hints: DARK)
    themed_app.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Dark)
    assert current_tokens() is DARK
    settings.save(replace(settings.current, theme="light"))
    desktop.bridge._on_woken(None)
    themed_app.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Dark)
    assert current_tokens() is LIGHT, "the person chose"


def test_a_task_that_computes_does_not_hold_the_window(make_desktop: MakeDesktop) -> None:
    """Python's own five milliseconds, for each call into Qt, make a second of a page's making."""
    sys.setswitchinterval(0.005)
    make_desktop()
    assert sys.getswitchinterval() < 0.001
