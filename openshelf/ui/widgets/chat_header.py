"""The bar above a conversation: which model answers, where it runs, that nothing leaves."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QSizePolicy
from typing_extensions import override

from openshelf.chat.archive import ExportForm
from openshelf.chat.conversation import Conversation
from openshelf.chat.interface import ModelInMemory
from openshelf.engine.servers import Server, ServerModelName, server_model_of
from openshelf.fit.verdict import FitVerdict
from openshelf.library.installed import InstalledModel
from openshelf.reasons import Reason
from openshelf.ui.models.server_words import ServerMark, mark_of, shown
from openshelf.ui.places import Place
from openshelf.ui.sentences import reason_sentence
from openshelf.ui.theme import TextRole
from openshelf.ui.theme.kinds import ChipKind
from openshelf.ui.widgets.buttons import Button, LinkButton
from openshelf.ui.widgets.chip import Chip
from openshelf.ui.widgets.text import TextLabel

MOST_MODELS = 40
"""A menu cannot be looked through beyond that; the Library can."""
_MOST_NAME, _LEAST_NAME = 270, 120
_BUTTON_SIDES = 48
_AROUND = 100
"""Margins and the spaces between the parts."""


def model_label(model: InstalledModel) -> str:
    """`Qwen3-14B · Q3_K_M`, on one line whatever the name holds."""
    name = " ".join(model.name.split())
    return f"{name} · {model.quant}" if model.quant else name


def used_last(models: Sequence[InstalledModel], chosen: str | None) -> list[InstalledModel]:
    """At most MOST_MODELS of them, in their order: the chosen one, and those used last."""
    if len(models) <= MOST_MODELS:
        return list(models)
    by_use = sorted(models, key=lambda model: model.last_used_at or model.installed_at)
    by_use.sort(key=lambda model: model.id == chosen)
    kept = {model.id for model in by_use[-MOST_MODELS:]}
    return [model for model in models if model.id in kept]


class ChatHeader(QFrame):
    """`model_chosen` carries an id; `details_toggled` whether the inspector is wanted."""

    model_chosen = Signal(str)
    place_requested = Signal(object)
    delete_requested = Signal()
    delete_all_requested = Signal()
    rename_requested = Signal()
    pin_requested = Signal()
    export_requested = Signal(str)
    import_requested = Signal()
    find_requested = Signal()
    shortcuts_requested = Signal()
    details_toggled = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "header")
        self.setFixedHeight(54)
        row = QHBoxLayout(self)
        row.setContentsMargins(20, 0, 20, 0)
        row.setSpacing(10)
        self.model_button = Button()
        self.model_menu = QMenu(self)
        self.model_button.setMenu(self.model_menu)
        self.placement = Chip()
        # It says where the model runs: the words about privacy give way before it does.
        self.placement.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Maximum)
        self.privacy = TextLabel(self.tr("nothing leaves this machine"), TextRole.SMALL, "muted")
        self.details_button = LinkButton(self.tr("Details"), muted=True)
        self.details_button.setCheckable(True)
        self.more_button = LinkButton("⋯", self.tr("More about this chat"), muted=True)
        more = QMenu(self)
        self._rename = more.addAction(self.tr("Rename this chat"))
        self._pin = more.addAction(self.tr("Pin this chat"))
        self.export_menu = more.addMenu(self.tr("Export this chat"))
        for form, words in (
            (ExportForm.MARKDOWN, self.tr("Markdown…")),
            (ExportForm.HTML, self.tr("Web page…")),
            (ExportForm.JSON, self.tr("JSON, all versions…")),
        ):
            self.export_menu.addAction(words).setData(form.value)
        self._import = more.addAction(self.tr("Import a chat…"))
        more.addSeparator()
        self._find = more.addAction(self.tr("Find in this chat…   Ctrl F"))
        self._shortcuts = more.addAction(self.tr("Keyboard shortcuts…   F1"))
        more.addSeparator()
        self._delete = more.addAction(self.tr("Delete this chat…"))
        self._delete_all = more.addAction(self.tr("Delete all chats…"))
        self.more_button.setMenu(more)
        row.addWidget(self.model_button)
        row.addWidget(self.placement)
        row.addStretch(1)
        row.addWidget(self.privacy)
        row.addWidget(self.details_button)
        row.addWidget(self.more_button)
        self._label = ""
        self._library: QAction | None = None
        self._connect()

    def _connect(self) -> None:
        self.model_menu.triggered.connect(self._on_triggered)
        self.details_button.clicked.connect(self._on_details_clicked)
        self._delete.triggered.connect(self._on_delete)
        self._delete_all.triggered.connect(self._on_delete_all)
        self._rename.triggered.connect(self._on_rename)
        self.export_menu.triggered.connect(self._on_export)
        self._import.triggered.connect(self._on_import)
        self._pin.triggered.connect(self._on_pin)
        self._find.triggered.connect(self._on_find)
        self._shortcuts.triggered.connect(self._on_shortcuts)

    def show_models(
        self,
        models: Sequence[InstalledModel],
        chosen: str | None,
        servers: Sequence[Server] = (),
    ) -> None:
        """Installed models in the menu (the ones used last, where they are very many), then those
        of servers; the chosen one on the button."""
        self.model_menu.clear()
        for model in used_last(models, chosen):
            action = self.model_menu.addAction(model_label(model).replace("&", "&&"))
            action.setData(model.id)
            action.setCheckable(True)
            action.setChecked(model.id == chosen)
            action.setEnabled(model.is_usable)
        self._add_servers(servers, chosen)
        self.model_menu.addSeparator()
        if len(models) > MOST_MODELS:
            words = self.tr("All %n models in the Library…", "", len(models))
            self._library = self.model_menu.addAction(words)
        self.model_menu.addAction(self.tr("More on the Shelf…"))
        self._label = label = self._label_of(models, chosen)
        self.model_button.setToolTip(label)
        self.model_button.setAccessibleName(self.tr("Model: {model}").format(model=label))
        self._fit()

    def _label_of(self, models: Sequence[InstalledModel], chosen: str | None) -> str:
        on_server = server_model_of(chosen)
        if chosen is None:
            return self.tr("Choose a model")
        if on_server is not None:
            return f"{shown(on_server.model)} · {on_server.server}"
        model = next((model for model in models if model.id == chosen), None)
        if model is None:
            return self.tr("{id} (not installed)").format(id=chosen.rpartition(":")[2])
        return model_label(model)

    def _add_servers(self, servers: Sequence[Server], chosen: str | None) -> None:
        """A menu for each server, with what it listed when it was last asked."""
        if servers:
            self.model_menu.addSeparator()
        for server in servers:
            mark = mark_of(server)
            menu = self.model_menu.addMenu(f"{server.name} · {mark.text}".replace("&", "&&"))
            menu.menuAction().setToolTip(mark.details)
            for name in server.models:
                model_id = ServerModelName(server.name, name).id
                action = menu.addAction(shown(name).replace("&", "&&"))
                action.setData(model_id)
                action.setCheckable(True)
                action.setChecked(model_id == chosen)
            if not server.models:
                action = menu.addAction(self.tr("Test it in Settings to see its models"))
                action.setEnabled(False)

    def show_mark(self, mark: ServerMark, host: str) -> None:
        """In the place of where it runs: what leaves this machine. `host` is empty where nothing
        is sent."""
        self.placement.show_as(mark.text, mark.kind)
        self.placement.setToolTip(mark.details)
        words = self.tr("sent to {host}").format(host=host) if host else ""
        self.privacy.setText(words)
        self.privacy.setToolTip(mark.details)
        self._fit()

    def show_placement(self, loaded: ModelInMemory | None) -> None:
        """Where the chosen model runs; None where it is not in memory."""
        if loaded is None:
            self.placement.show_as(self.tr("not in memory yet"), ChipKind.NEUTRAL)
            self.placement.setToolTip(self.tr("It is loaded with the next message."))
            self._fit()
            return
        match loaded.placement:
            case FitVerdict.FITS_GPU.value:
                self.placement.show_as(self.tr("all on GPU"), ChipKind.GOOD)
            case FitVerdict.FITS_SPLIT.value:
                words = self.tr("{gpu} of {all} layers on GPU")
                words = words.format(gpu=loaded.n_gpu_layers, all=loaded.n_layers)
                self.placement.show_as(words, ChipKind.ACCENT)
            case _ if loaded.left_gpu:
                self.placement.show_as(self.tr("on the CPU, not the GPU"), ChipKind.WARNING)
            case _:
                self.placement.show_as(self.tr("on the CPU"), ChipKind.ACCENT)
        words = self.tr("Loaded in {seconds} s.").format(seconds=f"{loaded.load_seconds:.1f}")
        if loaded.left_gpu:
            words = f"{reason_sentence(Reason('engine_left_gpu'))} {words}"
        self.placement.setToolTip(words)
        self._fit()

    def _fit(self) -> None:
        """Shorten the model's name, and leave the words about privacy out, where it is narrow."""
        others = (self.placement, self.details_button, self.more_button)
        room = self.width() - sum(part.sizeHint().width() for part in others) - _AROUND
        widest = max(_LEAST_NAME, min(_MOST_NAME, room - _BUTTON_SIDES))
        metrics = self.model_button.fontMetrics()
        shown = metrics.elidedText(self._label, Qt.TextElideMode.ElideMiddle, widest)
        self.model_button.setText(f"{shown.replace('&', '&&')} ▾")
        room -= self.model_button.sizeHint().width()
        self.privacy.setVisible(room >= self.privacy.sizeHint().width())

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def show_privacy(self, *, is_saved: bool) -> None:
        kept = self.tr("nothing leaves this machine")
        self.privacy.setText(kept if is_saved else self.tr("not saved, nothing leaves"))
        self.privacy.setToolTip(
            self.tr("The model runs in a process of its own on this machine, without a network.")
        )
        self._fit()

    def show_conversation(self, conversation: Conversation | None, *, has_any: bool) -> None:
        """What can be done with the one shown (None for a new chat), and with all."""
        for action in (self._rename, self._pin, self._delete):
            action.setEnabled(conversation is not None)
        is_pinned = conversation is not None and conversation.is_pinned
        self._pin.setText(self.tr("Unpin this chat") if is_pinned else self.tr("Pin this chat"))
        self.export_menu.setEnabled(conversation is not None)
        self._delete_all.setEnabled(has_any)

    def _on_triggered(self, action: QAction) -> None:
        if action.data() is None:
            self.place_requested.emit(Place.LIBRARY if action is self._library else Place.SHELF)
        else:
            self.model_chosen.emit(str(action.data()))

    def _on_details_clicked(self, checked: bool) -> None:  # noqa: FBT001
        self.details_toggled.emit(checked)

    def _on_delete_all(self) -> None:
        self.delete_all_requested.emit()

    def _on_export(self, action: QAction) -> None:
        self.export_requested.emit(str(action.data()))

    def _on_import(self) -> None:
        self.import_requested.emit()

    def _on_find(self) -> None:
        self.find_requested.emit()

    def _on_shortcuts(self) -> None:
        self.shortcuts_requested.emit()

    def _on_rename(self) -> None:
        self.rename_requested.emit()

    def _on_pin(self) -> None:
        self.pin_requested.emit()

    def _on_delete(self) -> None:
        self.delete_requested.emit()
