"""Settings: colors, the offline switch, and where everything lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget
from typing_extensions import override

from openshelf import __version__
from openshelf.errors import OpenshelfError
from openshelf.services import Services
from openshelf.settings import Settings
from openshelf.tasks import Failed, Outcome
from openshelf.ui.models.settings_keeping import keep_settings
from openshelf.ui.pages.settings_downloads import DownloadsCard
from openshelf.ui.pages.settings_egress import EgressCard
from openshelf.ui.pages.settings_folders import FoldersCard
from openshelf.ui.pages.settings_servers import ServersCard
from openshelf.ui.sentences import error_text
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.theme.scheme import Scheme
from openshelf.ui.widgets import (
    Card,
    InlineNotice,
    LinkButton,
    NoticeLevel,
    PageHeader,
    ScrollPage,
    SegmentedControl,
    TextLabel,
    TickBox,
)
from openshelf.ui.widgets.page import Page
from openshelf.ui.widgets.setting_line import NAME_WIDTH, SettingLine


class SettingsPage(Page):
    """Each change is saved at once and announced; nothing here waits for an OK."""

    def __init__(
        self, services: Services, bridge: TaskBridge, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._services, self._bridge = services, bridge
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        version = self.tr("Openshelf {version}").format(version=__version__)
        column.addWidget(PageHeader(self.tr("Settings"), version))
        scroll = ScrollPage(spacing=14)
        scroll.setAccessibleName(self.tr("Settings"))
        self.problem = InlineNotice()
        scroll.body.addWidget(self.problem)
        scroll.body.addWidget(self._make_use())
        scroll.body.addWidget(self._make_appearance())
        scroll.body.addWidget(self._make_network())
        self.folders = FoldersCard(services, bridge)
        self.folders.schedule_changed.connect(self._on_schedule)
        scroll.body.addWidget(self.folders)
        self.servers = ServersCard(services, bridge)
        scroll.body.addWidget(self.servers)
        self.downloads = DownloadsCard(services.settings.current)
        self.downloads.changed.connect(self._on_changed)
        scroll.body.addWidget(self.downloads)
        self.egress = EgressCard(services.egress)
        scroll.body.addWidget(self.egress)
        scroll.body.addWidget(self._make_places())
        scroll.body.addStretch(1)
        column.addWidget(scroll, 1)
        bridge.listen(services.settings.announcer, self._on_settings_changed)

    @override
    def open_page(self) -> None:
        self.folders.refresh()

    def _make_use(self) -> Card:
        card = Card()
        card.body.addWidget(TextLabel(self.tr("Use"), TextRole.HEADING))
        options = [
            ("", self.tr("Not said")),
            ("myself", self.tr("Myself")),
            ("organization", self.tr("An organization")),
        ]
        current = self._services.settings.current.used_for
        name = self.tr("Models are for")
        self.used_for: SegmentedControl[str] = SegmentedControl(name, options, current)
        self.used_for.value_changed.connect(self._on_used_for)
        card.body.addWidget(SettingLine(name, self.used_for))
        text = self.tr("Facts and rules of an organization stand on the Policy screen.")
        card.body.addWidget(TextLabel(text, TextRole.SMALL, "muted", wrap=True))
        return card

    def _make_appearance(self) -> Card:
        card = Card()
        card.body.addWidget(TextLabel(self.tr("Appearance"), TextRole.HEADING))
        options = [
            (Scheme.SYSTEM.value, self.tr("System")),
            (Scheme.LIGHT.value, self.tr("Light")),
            (Scheme.DARK.value, self.tr("Dark")),
            (Scheme.HIGH_CONTRAST.value, self.tr("High contrast")),
        ]
        current = self._services.settings.current.theme
        self.theme: SegmentedControl[str] = SegmentedControl(self.tr("Colors"), options, current)
        self.theme.value_changed.connect(self._on_theme)
        card.body.addWidget(SettingLine(self.tr("Colors"), self.theme))
        return card

    def _make_network(self) -> Card:
        card = Card()
        card.body.addWidget(TextLabel(self.tr("Network"), TextRole.HEADING))
        self.offline = TickBox(self.tr("Offline: ask nothing of any other machine"))
        self.offline.setChecked(self._services.settings.current.offline)
        self.offline.toggled.connect(self._on_offline)
        card.body.addWidget(self.offline)
        text = self.tr(
            "Chats with models on this machine never leave it. The network is used to look up and "
            "fetch models, and for chats with servers elsewhere; downloads that run are stopped "
            "when this is switched on, and go on later."
        )
        card.body.addWidget(TextLabel(text, TextRole.SMALL, "muted", wrap=True))
        self.catalog = QLineEdit(self._services.settings.current.catalog_address)
        self.catalog.setPlaceholderText(self.tr("none"))
        self.catalog.setMinimumWidth(320)
        self.catalog.setMaxLength(2000)
        self.catalog.setAccessibleName(self.tr("Address of another catalog"))
        self.catalog.editingFinished.connect(self._on_catalog)
        card.body.addWidget(SettingLine(self.tr("More models from"), self.catalog))
        text = self.tr(
            "The address (https) of a catalog beside the shipped one; it is asked at most once a "
            "day, and its last good copy is kept."
        )
        card.body.addWidget(TextLabel(text, TextRole.SMALL, "muted", wrap=True))
        return card

    def _make_places(self) -> Card:
        card = Card()
        card.body.addWidget(TextLabel(self.tr("Where things lie"), TextRole.HEADING))
        paths = self._services.paths
        for name, path in (
            (self.tr("Settings"), paths.config),
            (self.tr("Chats and records"), paths.data),
            (self.tr("Logs"), paths.logs),
        ):
            card.body.addWidget(PathLine(name, str(path)))
        return card

    def _save(self, settings: Settings) -> None:
        store = self._services.settings
        self.problem.hide()
        try:
            keep_settings(store, self._bridge, settings, self._on_written)
        except OpenshelfError as error:
            self._on_settings_changed(store.current)
            self.problem.show_message(error_text(error), NoticeLevel.BAD)

    def _on_written(self, outcome: Outcome[None]) -> None:
        if isinstance(outcome, Failed):
            words = error_text(outcome.error).rstrip(".")
            held = self.tr("Your choice holds until Openshelf is closed.")
            self.problem.show_message(f"{words}. {held}", NoticeLevel.BAD)

    def _on_theme(self, value: str) -> None:
        self._save(replace(self._services.settings.current, theme=value))

    def _on_used_for(self, value: str) -> None:
        self._save(replace(self._services.settings.current, used_for=value))

    def _on_schedule(self, value: str) -> None:
        self._save(replace(self._services.settings.current, verify_schedule=value))

    def _on_offline(self, checked: bool) -> None:  # noqa: FBT001
        if checked != self._services.settings.current.offline:
            self._save(replace(self._services.settings.current, offline=checked))

    def _on_catalog(self) -> None:
        current, typed = self._services.settings.current, self.catalog.text().strip()
        if typed != current.catalog_address:
            self._save(replace(current, catalog_address=typed))

    def _on_changed(self, change: Callable[[Settings], Settings]) -> None:
        current = self._services.settings.current
        if (changed := change(current)) != current:
            self._save(changed)

    def _on_settings_changed(self, settings: Settings) -> None:
        self.catalog.setText(settings.catalog_address)
        self.theme.choose(settings.theme)
        self.folders.show_settings(settings)
        self.used_for.choose(settings.used_for)
        self.offline.setChecked(settings.offline)
        self.downloads.show_settings(settings)


class PathLine(QWidget):
    """A folder's name and path, with a button that copies it."""

    def __init__(self, name: str, path: str) -> None:
        super().__init__()
        self._path = path
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        label = TextLabel(name, TextRole.SMALL, "muted")
        label.setMinimumWidth(NAME_WIDTH)
        shown = TextLabel(path, TextRole.CODE, wrap=True, selectable=True)
        shown.setAccessibleName(f"{name}: {path}")
        copy = LinkButton(self.tr("Copy"), self.tr("Copy {path}").format(path=path), small=True)
        copy.clicked.connect(self._on_copy)
        row.addWidget(label)
        row.addWidget(shown, 1)
        row.addWidget(copy)

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self._path)
