"""The window's process: sets Qt up, builds the services, shows the window, and ends it properly."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import shiboken6
from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication, QWidget

from openshelf import __version__
from openshelf.errors import OpenshelfError
from openshelf.hardware.facts import Machine
from openshelf.logs import set_up_logging
from openshelf.paths import APP_ID, Paths, find_paths, resources
from openshelf.services import Services
from openshelf.settings import Settings
from openshelf.tasks import CancelToken, Failed, Outcome, Report, Succeeded
from openshelf.ui.crash_report import CrashReporter, build_report
from openshelf.ui.interrupt import InterruptWatch
from openshelf.ui.main_window import MainWindow
from openshelf.ui.places import Place, read_pages
from openshelf.ui.sentences import error_text
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme import Scheme, apply_theme, load_fonts
from openshelf.ui.translation import install_translators

log = logging.getLogger(__name__)

_SWITCH_SECONDS = 0.0001
"""Each call into Qt gives Python's lock away, and a task that computes keeps it for so long. With
the usual 5 ms a page that takes 150 ms of work came up after a second while a task ran."""
_NO_DISPLAY = (
    "There is no display to open a window on. Everything also works without one: openshelf --help"
)

SMOKE_SECONDS = 90
"""After this long without an answer the smoke test has failed."""


@dataclass(frozen=True)
class Arguments:
    """What the window's door understands; everything else belongs to the command line."""

    smoke: bool = False
    screenshot: Path | None = None

    @classmethod
    def parse(cls, words: Sequence[str]) -> Arguments:
        picture = None
        if "--screenshot" in words:
            place = list(words).index("--screenshot") + 1
            picture = Path(words[place]) if place < len(words) else Path("openshelf.png")
        return cls("--smoke" in words, picture)

    @property
    def is_probe(self) -> bool:
        """Runs without a person: no single instance, ends by itself."""
        return self.smoke or self.screenshot is not None or is_traced()


def is_traced() -> bool:
    return os.environ.get("OPENSHELF_STARTUP_TRACE") == "1"


def has_display(environment: Mapping[str, str], platform: str) -> bool:
    """Whether Qt can open a window here; without one it would abort the whole process."""
    if platform in ("win32", "darwin"):
        return True
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return any(environment.get(name) for name in names)


def make_application() -> QApplication:
    """The QApplication with name, fonts and translators, or the one that exists."""
    QApplication.setApplicationName("openshelf")
    QApplication.setApplicationDisplayName("Openshelf")
    QApplication.setApplicationVersion(__version__)
    QApplication.setDesktopFileName(APP_ID)
    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
    icon = resources() / "icons" / "openshelf.svg"
    if icon.exists():
        app.setWindowIcon(QIcon(str(icon)))
    load_fonts()
    install_translators(app, os.environ.get("OPENSHELF_PSEUDO", ""))
    return app


class Desktop(QObject):
    """Everything that lives as long as the window: services, bridge, window, hooks."""

    def __init__(self, app: QApplication, services: Services, arguments: Arguments) -> None:
        super().__init__()
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._app = app
        self._services = services
        self._arguments = arguments
        self._exit_code = 0
        self._is_closed = False
        self._machine: Machine | None = None
        self._reports: list[QWidget] = []
        self._smoke_timer = QTimer(self)
        self._smoke_timer.setSingleShot(True)
        self._smoke_timer.timeout.connect(self._on_smoke_timeout)
        self.bridge = TaskBridge(services.runner)
        apply_theme(app, services.settings.current.theme)
        self.window = MainWindow(services, self.bridge)
        self._connect()

    def start(self) -> None:
        """Show the window, then look at the hardware."""
        self.window.show()
        self.bridge.submit(
            "detect hardware", self._services.detect_machine, on_outcome=self._on_machine
        )

    def run(self) -> int:
        """The event loop, until the window is closed; returns the exit code."""
        self._app.exec()
        self.close()
        return self._exit_code

    def quit(self) -> None:
        """End the loop as closing the window does, whatever other window is open."""
        self.window.close()
        self._app.exit()

    def close(self) -> None:
        """Deliver nothing more, then end the services and their children."""
        if not self._is_closed:
            self._is_closed = True
            self._smoke_timer.stop()
            self.bridge.close()
            self._services.close()

    def _connect(self) -> None:
        self.window.first_painted.connect(self._on_first_painted)
        self.bridge.listen(self._services.settings.announcer, self._on_settings_changed)
        hints = self._app.styleHints()
        hints.colorSchemeChanged.connect(self._on_system_scheme_changed)
        hints.accessibility().contrastPreferenceChanged.connect(self._on_system_scheme_changed)

    def _on_machine(self, outcome: Outcome[Machine]) -> None:
        match outcome:
            case Succeeded(machine):
                self._machine = machine
                self.window.set_machine(machine)
            case Failed(error):
                # Detection never raises; if it does, that is for the crash window.
                raise error

    def _on_first_painted(self) -> None:
        if not self._arguments.is_probe:
            self.bridge.submit("modules of the pages", read_pages)
            self.window.page(Place.SHELF).catch_up()
            self._services.upkeep.start()
        if is_traced():
            _print_startup_trace()
            self._app.exit()
        elif self._arguments.screenshot is not None:
            self._exit_code = 0 if self._save_picture(self._arguments.screenshot) else 1
            self._app.exit()
        elif self._arguments.smoke:
            self._smoke_timer.start(SMOKE_SECONDS * 1000)
            self._ask_engine(self._on_smoke_engine)
        elif self._machine is not None and self._machine.gpus:
            # Whether the engine can use a GPU changes what fits; without one there is no hurry.
            self._ask_engine(self._on_engine)

    def _ask_engine(self, on_outcome: Callable[[Outcome[Machine]], None]) -> None:
        services, machine = self._services, self._machine

        def work(cancel: CancelToken, report: Report) -> Machine:
            known = machine or services.detect_machine(cancel, report)
            return services.engine_facts(known)

        self.bridge.submit("ask the engine", work, on_outcome=on_outcome)

    def _on_engine(self, outcome: Outcome[Machine]) -> None:
        match outcome:
            case Succeeded(machine):
                self._machine = machine
                self.window.set_machine(machine)
            case Failed(error):
                log.warning("the engine did not tell its devices: %s", error)

    def _on_smoke_engine(self, outcome: Outcome[Machine]) -> None:
        answer: dict[str, object] = {"window": self.window.isVisible(), "engine": None}
        self._exit_code = 1
        match outcome:
            case Succeeded(machine) if machine.engine is not None:
                answer["engine"] = machine.engine.version
                self._exit_code = 0
            case Failed(error):
                answer["error"] = str(error)
        print(json.dumps(answer), flush=True)  # noqa: T201
        self._app.exit()

    def _on_smoke_timeout(self) -> None:
        print(json.dumps({"window": True, "engine": None, "error": "timeout"}), flush=True)  # noqa: T201
        self._exit_code = 1
        self._app.exit()

    def _save_picture(self, path: Path) -> bool:
        is_saved = self.window.grab().save(str(path))
        if not is_saved:
            sys.stderr.write(
                f"openshelf: no picture can be written as {path}. Name a file that ends in .png, "
                "in a folder that is there and can be written.\n"
            )
        return is_saved

    def _on_settings_changed(self, settings: Settings) -> None:
        apply_theme(self._app, settings.theme)

    def _on_system_scheme_changed(self) -> None:
        if self._services.settings.current.theme == Scheme.SYSTEM:
            apply_theme(self._app, Scheme.SYSTEM)

    def show_report(self, report: str) -> None:
        """Show a crash report in a window of its own."""
        from openshelf.ui.crash_window import CrashWindow

        window = CrashWindow(report)
        window.destroyed.connect(self._on_report_closed)
        self._reports.append(window)
        window.show()

    def _on_report_closed(self) -> None:
        self._reports = [window for window in self._reports if shiboken6.isValid(window)]


def run_window(arguments: list[str]) -> int:
    """Run the window until it is closed; returns the process's exit code."""
    from openshelf.wiring import build_services

    wanted = Arguments.parse(arguments)
    if not has_display(os.environ, sys.platform):
        if not wanted.is_probe:
            print(_NO_DISPLAY, file=sys.stderr)  # noqa: T201
            return 2
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    paths = find_paths()
    set_up_logging(paths.logs)
    app = make_application()
    server = None
    if not wanted.is_probe:
        from openshelf.ui.single_instance import InstanceServer, raise_other_window

        if raise_other_window(paths.data):
            return 0
        server = InstanceServer(paths.data, app)
        server.listen()
    try:
        services = build_services(paths)
    except OpenshelfError as error:
        return _explain_failed_start(app, error, wanted)
    desktop = Desktop(app, services, wanted)
    left, reporter = _install_reporter(paths, desktop)
    watch = InterruptWatch(app)
    watch.interrupted.connect(desktop.quit)
    if server is not None:
        server.raise_asked.connect(desktop.window.raise_to_front)
    desktop.start()
    if left and not wanted.is_probe:
        desktop.show_report(build_report("Openshelf stopped without a word last time.", left))
    exit_code = desktop.run()
    watch.close()
    if server is not None:
        server.close()
    reporter.uninstall()
    return exit_code


def _explain_failed_start(app: QApplication, error: OpenshelfError, wanted: Arguments) -> int:
    """Something on this machine keeps the services from being built: say what, in a window too."""
    from openshelf.ui.crash_window import CrashWindow

    print(error_text(error), file=sys.stderr)  # noqa: T201
    if not wanted.is_probe:
        apply_theme(app, Scheme.SYSTEM)
        window = CrashWindow(build_report(error_text(error), str(error)))
        window.show()
        app.exec()
    return error.exit_code


def _install_reporter(paths: Paths, desktop: Desktop) -> tuple[str, CrashReporter]:
    def show(report: str) -> None:
        desktop.bridge.call_soon(desktop.show_report, report)

    reporter = CrashReporter(paths.logs, show)
    return reporter.install(), reporter


def _print_startup_trace() -> None:
    """Milliseconds from the process's birth to now, and what was imported too early."""
    import psutil

    born = psutil.Process().create_time()
    trace = {
        "milliseconds": round((time.time() - born) * 1000),
        "too_early": [name for name in ("llama_cpp", "huggingface_hub") if name in sys.modules],
    }
    print(json.dumps(trace), file=sys.stderr, flush=True)  # noqa: T201
