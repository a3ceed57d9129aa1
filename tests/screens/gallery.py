"""The screen gallery: page × state × colors × language, each drawn with the fake services."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from openshelf.errors import NetworkFailure, Offline, UnknownFilter
from openshelf.hardware.facts import Machine
from openshelf.licenses.clearance import Verdict
from openshelf.reasons import Reason
from openshelf.services import Services
from openshelf.settings import Settings
from openshelf.shelf.rows import Shelf, ShelfQuestion
from openshelf.ui.main_window import MainWindow
from openshelf.ui.places import Place
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme import Scheme, apply_theme, load_fonts
from openshelf.ui.translation import install_translators
from tests.fakes.downloads import FakeInstaller, installed_model
from tests.fakes.example_data import example_machine, example_offer, plain_machine
from tests.fakes.services import fake_services
from tests.screens.asking_scenes import ASKING
from tests.screens.clipping import clipped_texts
from tests.screens.install_scenes import INSTALL_SCENES
from tests.screens.model_scenes import MODEL_SCENES
from tests.screens.model_tab_scenes import MODEL_TAB_SCENES
from tests.screens.policy_scenes import POLICY_SCENES
from tests.screens.room_scenes import ROOM_SCENES
from tests.screens.server_scenes import SERVER_SCENES
from tests.screens.transfer_scenes import TRANSFER_SCENES

FULL = QSize(1360, 860)
SMALL = QSize(1024, 640)


@dataclass(frozen=True)
class Scene:
    """`prepare` changes the fakes before the window is made, `act` works in the window."""

    name: str
    act: Callable[[MainWindow, Services], None]
    prepare: Callable[[Services], Services] = lambda services: services


def settle(app: QApplication) -> None:
    """Let everything queued and every zero timer happen."""
    for _ in range(30):
        app.processEvents()
        app.sendPostedEvents(None, 0)


def _show_shelf(window: MainWindow, services: Services) -> None:
    window.set_machine(example_machine())


def _show_plain_shelf(window: MainWindow, services: Services) -> None:
    window.set_machine(plain_machine())


def _show_loading(window: MainWindow, services: Services) -> None:
    """The machine is not known yet."""


def _show_no_match(window: MainWindow, services: Services) -> None:
    window.set_machine(example_machine())
    window.page(Place.SHELF).controls.search.setText("no such family")  # type: ignore[attr-defined]


def _show_search(window: MainWindow, services: Services) -> None:
    window.set_machine(example_machine())
    page = window.page(Place.SHELF)
    page.controls.search.setText("llama 3")  # type: ignore[attr-defined]
    QTest.qWait(500)  # the Hub is asked when nobody types


def _show_filtered(window: MainWindow, services: Services) -> None:
    window.set_machine(example_machine())


def _silent_search(services: Services) -> Services:
    services.search.notes = (Reason("search_hub_rate_limited", {"seconds": 30}),)  # type: ignore[attr-defined]
    return services


def _filtered(services: Services) -> Services:
    chosen = {"language": "de", "use": "commercial", "capability": "chat", "fits": True}
    services.settings.save(Settings(filters=chosen))
    return services


def _old_filter(services: Services) -> Services:
    """Kept from a catalog that knew more."""
    services.settings.save(Settings(filters={"license": "llama3.9", "origin": "ZZ"}))
    known = ("llama3.1", "llama3.2", "llama3.3")
    gone = (
        UnknownFilter(what="license", name="llama3.9", candidates=known),
        UnknownFilter(what="origin", name="ZZ", candidates=("CN", "FR", "US")),
    )

    def shelf(machine: Machine, question: ShelfQuestion) -> Shelf:
        return replace(services.shelf(machine, question), rows=(), unknown_filters=gone)

    return replace(services, shelf=shelf)


def _open(place: Place) -> Callable[[MainWindow, Services], None]:
    def act(window: MainWindow, services: Services) -> None:
        window.set_machine(example_machine())
        window.open_place(place)

    return act


def _open_sheet(window: MainWindow, services: Services) -> None:
    window.set_machine(example_machine())
    window.open_install("bartowski/Llama-3.2-3B-Instruct-GGUF:Q8_0")


def _open_ticked(window: MainWindow, services: Services) -> None:
    _open_sheet(window, services)
    settle(QApplication.instance())  # type: ignore[arg-type]
    window.sheet.side.tick.setChecked(True)  # type: ignore[union-attr]


def _open_downloading(window: MainWindow, services: Services) -> None:
    _open_ticked(window, services)
    window.sheet.side.accept.click()  # type: ignore[union-attr]
    settle(QApplication.instance())  # type: ignore[arg-type]
    services.downloads.advance("d1", 1_290_000_000)  # type: ignore[attr-defined]
    QTest.qWait(150)  # progress is delivered ten times a second


def _installer(services: Services, **changes: object) -> Services:
    installer = FakeInstaller(example_offer(**changes))  # type: ignore[arg-type]
    return replace(services, installer=installer)


def _failing_shelf(services: Services) -> Services:
    def fail(*_: object) -> Shelf:
        raise NetworkFailure("huggingface.co", "timeout", "no answer within 30 s")

    return replace(services, shelf=fail)


def _offline_installer(services: Services) -> Services:
    services.installer.error = Offline("huggingface.co")  # type: ignore[attr-defined]
    return services


def _one_installed(services: Services) -> Services:
    services.library.add(installed_model())  # type: ignore[attr-defined]
    return services


SCENES = (
    Scene("shelf-full", _show_shelf),
    Scene("shelf-plain-machine", _show_plain_shelf),
    Scene("shelf-installed", _show_shelf, _one_installed),
    Scene("shelf-loading", _show_loading),
    Scene("shelf-empty", _show_no_match),
    Scene("shelf-error", _show_shelf, _failing_shelf),
    Scene("shelf-search", _show_search),
    Scene("shelf-search-silent", _show_search, _silent_search),
    Scene("shelf-filtered", _show_filtered, _filtered),
    Scene("shelf-old-filter", _show_shelf, _old_filter),
    Scene("settings", _open(Place.SETTINGS)),
    Scene("install-llama", _open_sheet),
    Scene("install-ticked", _open_ticked),
    Scene("install-downloading", _open_downloading),
    Scene(
        "install-apache",
        _open_sheet,
        lambda s: _installer(s, verdict=Verdict.ALLOWED, licenses=("apache-2.0",)),
    ),
    Scene(
        "install-two-licenses",
        _open_sheet,
        lambda s: _installer(s, verdict=Verdict.NEEDS_REVIEW, licenses=("mit", "llama3.2")),
    ),
    Scene(
        "install-unknown",
        _open_sheet,
        lambda s: _installer(s, verdict=Verdict.NEEDS_REVIEW, licenses=("unknown",)),
    ),
    Scene(
        "install-blocked",
        _open_sheet,
        lambda s: _installer(s, verdict=Verdict.BLOCKED, licenses=("llama3.2",)),
    ),
    Scene("install-offline", _open_sheet, _offline_installer),
    *(Scene(*parts) for parts in INSTALL_SCENES),
    *(Scene(*parts) for parts in ROOM_SCENES),
    *(Scene(*parts) for parts in SERVER_SCENES),
    *(Scene(*parts) for parts in ASKING),
    *(Scene(*parts) for parts in TRANSFER_SCENES),
    *(Scene(*parts) for parts in MODEL_SCENES),
    *(Scene(*parts) for parts in POLICY_SCENES),
    *(Scene(*parts) for parts in MODEL_TAB_SCENES),
)


@contextmanager
def open_scene(app: QApplication, scene: Scene, size: QSize) -> Iterator[MainWindow]:
    """The window of a scene, shown at `size` and at rest; closed again afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        services = scene.prepare(fake_services(Path(folder)))
        bridge = TaskBridge(services.runner)
        window = MainWindow(services, bridge)
        window.resize(size)
        window.show()
        scene.act(window, services)
        settle(app)
        try:
            yield window
        finally:
            bridge.close()
            window.close()
            window.deleteLater()
            settle(app)


def draw_scene(
    app: QApplication, scene: Scene, size: QSize, *, may_elide: bool = False
) -> tuple[QImage, list[str]]:
    with open_scene(app, scene, size) as window:
        problems = clipped_texts(window, may_elide=may_elide)
        if window.width() > size.width() or window.height() > size.height():
            problems.append(f"needs {window.width()}×{window.height()}")
        return window.grab().toImage(), problems


def draw_gallery(folder: Path, wanted: list[str]) -> int:
    """Draw what `wanted` names (all when empty); returns 1 where something is clipped."""
    folder.mkdir(parents=True, exist_ok=True)
    app = QApplication([])
    load_fonts()
    failed = False
    pictures: list[Path] = []
    for language in ("en", "long"):
        translator = install_translators(app, "" if language == "en" else language)
        for scheme in (Scheme.LIGHT, Scheme.DARK):
            apply_theme(app, scheme)
            for scene in SCENES:
                if wanted and not any(scene.name.startswith(word) for word in wanted):
                    continue
                for size, suffix in ((FULL, ""), (SMALL, "-small")):
                    image, problems = draw_scene(app, scene, size, may_elide=language != "en")
                    name = f"{scene.name}-{scheme.value}-{language}{suffix}"
                    path = folder / f"{name}.png"
                    image.save(str(path))
                    pictures.append(path)
                    for problem in problems:
                        failed = True
                        print(f"{name}: {problem}")  # noqa: T201
        app.removeTranslator(translator)
    draw_contact_sheet(pictures, folder / "contact-sheet.png")
    print(f"{len(pictures)} pictures in {folder}")  # noqa: T201
    return 1 if failed else 0


def draw_contact_sheet(pictures: list[Path], path: Path) -> None:
    """All pictures, small, on one sheet."""
    columns, cell = 6, QSize(340, 230)
    rows = (len(pictures) + columns - 1) // columns
    sheet = QImage(columns * cell.width(), max(1, rows) * cell.height(), QImage.Format.Format_RGB32)
    sheet.fill(QColor("gray"))
    painter = QPainter(sheet)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    for index, picture in enumerate(pictures):
        image = QImage(str(picture)).scaledToWidth(cell.width() - 10)
        x, y = index % columns * cell.width() + 5, index // columns * cell.height() + 5
        painter.drawImage(x, y, image)
        painter.drawText(x, y + cell.height() - 10, picture.stem)
    painter.end()
    sheet.save(str(path))
