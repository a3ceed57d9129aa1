"""Settings: servers to chat with. Their keys go to the keychain and are never shown again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from openshelf.chat.servers import KnownServer, ServersLike, ServerTest
from openshelf.engine.servers import checked_server
from openshelf.errors import UsageError
from openshelf.services import Services
from openshelf.settings import Settings
from openshelf.tasks import Cancelled, CancelToken, Failed, Outcome, Report, Succeeded
from openshelf.ui.models.server_words import mark_of
from openshelf.ui.sentences import error_text
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import (
    Button,
    Card,
    Chip,
    InlineNotice,
    LinkButton,
    NoticeLevel,
    TextLabel,
)

_LONGEST_ADDRESS, _LONGEST_KEY = 500, 1000


@dataclass(frozen=True)
class _Wish:
    """What a person typed; `key` None leaves the one that is kept."""

    name: str
    address: str
    key: str | None
    replaces: str = ""


class ServerRow(QWidget):
    """One server with its mark, what is known of it, and what can be done with it."""

    edit_pressed = Signal(object)
    remove_pressed = Signal(object)
    test_pressed = Signal(object)

    def __init__(self, known: KnownServer) -> None:
        super().__init__()
        self.known = known
        server, mark = known.server, mark_of(known.server)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 2, 0, 2)
        row.setSpacing(12)
        words = QVBoxLayout()
        words.setSpacing(2)
        title = QHBoxLayout()
        title.setSpacing(8)
        title.addWidget(TextLabel(server.name, TextRole.STRONG))
        self.mark = Chip()
        self.mark.show_as(mark.text, mark.kind)
        self.mark.setToolTip(mark.details)
        title.addWidget(self.mark)
        title.addStretch(1)
        words.addLayout(title)
        self.details = TextLabel(self._details(), TextRole.SMALL, "muted", wrap=True)
        words.addWidget(self.details)
        row.addLayout(words, 1)
        name = server.name
        self.test = Button(self.tr("Test"), self.tr("Test {name}").format(name=name))
        edit = LinkButton(self.tr("Edit"), self.tr("Edit {name}").format(name=name), small=True)
        remove = LinkButton(
            self.tr("Remove"), self.tr("Remove {name}").format(name=name), small=True
        )
        self.edit, self.remove = edit, remove
        for button, slot in (
            (self.test, self._on_test), (edit, self._on_edit), (remove, self._on_remove)
        ):  # fmt: skip
            button.clicked.connect(slot)
            row.addWidget(button)

    def _details(self) -> str:
        server = self.known.server
        key = {
            "": self.tr("no key"),
            "keychain": self.tr("key in the keychain"),
            "file": self.tr("key in a file for you alone"),
        }[self.known.key_place]
        models = self.tr("%n model(s)", "", len(server.models)) if server.models else ""
        parts = [server.address, key, models]
        if self.known.sends_key_openly:
            parts.append(self.tr("not encrypted: whoever listens can read chats and key"))
        return " · ".join(part for part in parts if part)

    def _on_test(self) -> None:
        self.test_pressed.emit(self.known)

    def _on_edit(self) -> None:
        self.edit_pressed.emit(self.known)

    def _on_remove(self) -> None:
        self.remove_pressed.emit(self.known)


class ServersCard(Card):
    """Adding, changing, testing and removing; each is a task, since the keychain may wait."""

    def __init__(self, services: Services, bridge: TaskBridge) -> None:
        super().__init__()
        self._servers: ServersLike = services.servers
        self._bridge = bridge
        self._replaces = ""
        self._known: tuple[KnownServer, ...] = ()
        self.rows: list[ServerRow] = []
        self.body.addWidget(TextLabel(self.tr("Servers to chat with"), TextRole.HEADING))
        text = self.tr(
            "Programs that speak the OpenAI protocol, such as vLLM, SGLang, llama-server, LM "
            "Studio or Ollama, on this machine or on another one. A chat with another machine "
            "leaves this one, and is marked so."
        )
        self.body.addWidget(TextLabel(text, TextRole.SMALL, "muted", wrap=True))
        self._list = QVBoxLayout()
        self._list.setSpacing(6)
        self.body.addLayout(self._list)
        self.notice = InlineNotice()
        self.body.addWidget(self.notice)
        self.body.addWidget(self._make_form())
        bridge.listen(services.settings.announcer, self._on_settings_changed)
        self._shown = services.settings.current.servers
        self.refresh()

    def _make_form(self) -> QWidget:
        form = QWidget()
        row = QHBoxLayout(form)
        row.setContentsMargins(0, 4, 0, 0)
        row.setSpacing(8)
        self.name = self._field(self.tr("Name of the server"), self.tr("name, like GPU box"), 40)
        self.address = self._field(
            self.tr("Address of the server"),
            self.tr("address, like http://gpu:8000/v1"),
            _LONGEST_ADDRESS,
        )
        self.key = self._field(self.tr("Key"), self.tr("key, if it wants one"), _LONGEST_KEY)
        self.key.setEchoMode(QLineEdit.EchoMode.Password)
        self.add = Button(self.tr("Add the server"))
        self.add.clicked.connect(self._on_add)
        self.cancel = LinkButton(self.tr("Cancel"), self.tr("Do not change the server"), small=True)
        self.cancel.clicked.connect(self._on_cancel)
        self.cancel.hide()
        row.addWidget(self.name, 2)
        row.addWidget(self.address, 4)
        row.addWidget(self.key, 2)
        row.addWidget(self.add)
        row.addWidget(self.cancel)
        return form

    def _field(self, name: str, example: str, longest: int) -> QLineEdit:
        field = QLineEdit()
        field.setAccessibleName(name)
        field.setPlaceholderText(example)
        field.setMaxLength(longest)
        field.setMinimumWidth(110)
        field.returnPressed.connect(self._on_add)
        return field

    # --- showing ----------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read the servers and where their keys lie."""

        def work(cancel: CancelToken, report: Report) -> tuple[KnownServer, ...]:
            return self._servers.known()

        self._bridge.submit("servers", work, on_outcome=self._on_read)

    def _on_read(self, outcome: Outcome[tuple[KnownServer, ...]]) -> None:
        if not isinstance(outcome, Succeeded) or outcome.value == self._known:
            return
        self._known = outcome.value
        for row in self.rows:
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.rows = [ServerRow(known) for known in self._known]
        for row in self.rows:
            row.test_pressed.connect(self._on_test)
            row.edit_pressed.connect(self._on_edit)
            row.remove_pressed.connect(self._on_remove)
            self._list.addWidget(row)

    def _on_settings_changed(self, settings: Settings) -> None:
        if settings.servers != self._shown:
            self._shown = settings.servers
            self.refresh()

    def _set_busy(self, busy: bool) -> None:  # noqa: FBT001
        self.add.setEnabled(not busy)
        for row in self.rows:
            row.setEnabled(not busy)

    # --- doing ------------------------------------------------------------------------------------

    def _on_add(self) -> None:
        typed = self.key.text().strip()
        # A field left empty keeps the key of a server that is edited.
        wish = _Wish(self.name.text(), self.address.text(), typed or None, self._replaces)
        try:
            checked_server(wish.name, wish.address)
        except UsageError as error:
            self.notice.show_message(error_text(error), NoticeLevel.BAD)
            return
        self._set_busy(True)
        self._bridge.submit("keep server", _keep(self._servers, wish), on_outcome=self._on_kept)

    def _on_kept(self, outcome: Outcome[KnownServer]) -> None:
        self._set_busy(False)
        match outcome:
            case Succeeded(known):
                self._clear()
                self.refresh()
                self._show_where_the_key_is(known)
            case Failed(error):
                self.notice.show_message(error_text(error), NoticeLevel.BAD)
            case Cancelled():
                pass

    def _show_where_the_key_is(self, known: KnownServer) -> None:
        if known.key_path:
            text = self.tr(
                "There is no keychain here that keeps the key, so it lies in {path}, for you alone."
            )
            self.notice.show_message(text.format(path=known.key_path), NoticeLevel.WARNING)
        else:
            self.notice.hide()

    def _on_edit(self, known: KnownServer) -> None:
        self._replaces = known.server.name
        self.name.setText(known.server.name)
        self.address.setText(known.server.address)
        self.key.clear()
        self.key.setPlaceholderText(
            self.tr("as it is") if known.key_place else self.tr("key, if it wants one")
        )
        self.add.setText(self.tr("Save the server"))
        self.cancel.show()
        self.name.setFocus()

    def _on_cancel(self) -> None:
        self._clear()
        self.notice.hide()

    def _clear(self) -> None:
        self._replaces = ""
        for field in (self.name, self.address, self.key):
            field.clear()
        self.key.setPlaceholderText(self.tr("key, if it wants one"))
        self.add.setText(self.tr("Add the server"))
        self.cancel.hide()

    def _on_remove(self, known: KnownServer) -> None:
        def work(cancel: CancelToken, report: Report) -> None:
            self._servers.remove(known.server.name)

        self._set_busy(True)
        self._bridge.submit("remove server", work, on_outcome=self._on_removed)

    def _on_removed(self, outcome: Outcome[None]) -> None:
        self._set_busy(False)
        self._on_cancel()
        if isinstance(outcome, Failed):
            self.notice.show_message(error_text(outcome.error), NoticeLevel.BAD)
        self.refresh()

    def _on_test(self, known: KnownServer) -> None:
        def work(cancel: CancelToken, report: Report) -> ServerTest:
            return self._servers.test(known.server.name, cancel)

        self._set_busy(True)
        text = self.tr("Asking {name} for its models…").format(name=known.server.name)
        self.notice.show_message(text, NoticeLevel.INFO)
        self._bridge.submit("test server", work, on_outcome=self._on_tested)

    def _on_tested(self, outcome: Outcome[ServerTest]) -> None:
        self._set_busy(False)
        match outcome:
            case Succeeded(test):
                self._show_test(test)
                self.refresh()
            case Failed(error):
                self.notice.show_message(error_text(error), NoticeLevel.BAD)
            case Cancelled():
                self.notice.hide()

    def _show_test(self, test: ServerTest) -> None:
        if not test.models:
            text = self.tr("{name} answers, and has no model.").format(name=test.server.name)
            self.notice.show_message(text, NoticeLevel.WARNING)
            return
        text = self.tr("{name} answers, with {models}. Choose one above a chat.").format(
            name=test.server.name, models=self.tr("%n model(s)", "", len(test.models))
        )
        names = "\n".join(" ".join(model.id.split()) for model in test.models[:20])
        self.notice.show_message(text, NoticeLevel.GOOD, details=names)


def _keep(servers: ServersLike, wish: _Wish) -> Callable[[CancelToken, Report], KnownServer]:
    def work(cancel: CancelToken, report: Report) -> KnownServer:
        server = checked_server(wish.name, wish.address)
        return servers.keep(server, wish.key, wish.replaces)

    return work
