"""Importing: what lies in a folder, or where other programs keep their models."""

from __future__ import annotations

from collections.abc import Hashable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from openshelf.library.foreign import Origin
from openshelf.services import Services
from openshelf.tasks import Cancelled, Failed, Outcome, Succeeded
from openshelf.ui.models.import_facts import Importable, ImportFacts, look_for_models, program_name
from openshelf.ui.sentences import error_text
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.buttons import Button, LinkButton
from openshelf.ui.widgets.containers import Card
from openshelf.ui.widgets.file_dialogs import ask_for_file, ask_for_folder
from openshelf.ui.widgets.keyed_rows import KeyedRows
from openshelf.ui.widgets.text import TextLabel
from openshelf.units import format_bytes

_MOST_ROWS = 200


class ImportRow(QWidget):
    """`pressed` carries the path of the model's first file."""

    pressed = Signal(str)

    def __init__(self, model: Importable) -> None:
        super().__init__()
        self._path = model.path
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 5, 0, 5)
        row.setSpacing(14)
        self.name = TextLabel(" ".join(model.name.split()), TextRole.STRONG, wrap=True)
        self.name.setToolTip(model.path)
        words = f"{program_name(model.origin)} · {format_bytes(model.size_bytes)}"
        self.words = TextLabel(words, TextRole.SMALL, "muted")
        self.button = LinkButton(self.tr("In the library") if model.is_here else self.tr("Import"))
        self.button.setEnabled(not model.is_here)
        self.button.setAccessibleName(self.tr("Import {name}").format(name=self.name.text()))
        self.button.clicked.connect(self._on_clicked)
        row.addWidget(self.name, 1)
        row.addWidget(self.words)
        row.addWidget(self.button)

    def _on_clicked(self) -> None:
        self.pressed.emit(self._path)


class ImportCard(Card):
    """Hidden until `open_card`; `import_pressed` carries a path for the install sheet."""

    import_pressed = Signal(str)
    bundle_found = Signal(str)
    """The folder that was chosen is a bundle, which comes as a whole."""

    def __init__(self, services: Services, bridge: TaskBridge) -> None:
        super().__init__(margin=18, spacing=6)
        self._services, self._bridge = services, bridge
        self._folder = ""
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(TextLabel(self.tr("Import"), TextRole.HEADING), 1)
        self.file_button = Button(self.tr("A file…"))
        self.folder_button = Button(self.tr("A folder…"))
        self.close_button = LinkButton("✕", self.tr("Close the import"))
        for button in (self.file_button, self.folder_button, self.close_button):
            head.addWidget(button)
        self.body.addLayout(head)
        self.words = TextLabel("", TextRole.SMALL, "muted", wrap=True)
        self.rows: KeyedRows[ImportRow] = KeyedRows()
        self._models: dict[Hashable, Importable] = {}
        self.body.addWidget(self.words)
        self.body.addWidget(self.rows)
        self.file_button.clicked.connect(self._on_file)
        self.folder_button.clicked.connect(self._on_folder)
        self.close_button.clicked.connect(self.hide)
        self.hide()

    def open_card(self, folder: str | None = None) -> None:
        """Show it with what lies in `folder`, else with what other programs have on this disk."""
        self.show()
        self.file_button.setFocus()
        self.look(self._folder if folder is None else folder)

    def look(self, folder: str) -> None:
        """Look through a folder, "" for the usual places; the latest question counts."""
        self._folder = folder
        self.words.setText(self.tr("Looking for model files…"))
        work = look_for_models(self._services, folder)
        self._bridge.submit("look for models", work, on_outcome=self._on_found)

    def look_again(self) -> None:
        """The library changed: what can be imported may be in it now."""
        if not self.isHidden():
            self.look(self._folder)

    def _on_found(self, outcome: Outcome[ImportFacts]) -> None:
        match outcome:
            case Succeeded(facts):
                if facts.folder == self._folder:
                    self._show(facts)
            case Failed(error):
                self.words.setText(error_text(error))
            case Cancelled():
                pass

    def _show(self, facts: ImportFacts) -> None:
        shown = facts.models[:_MOST_ROWS]
        self._models = {(model.path, model.is_here): model for model in shown}
        self.rows.set_keys(list(self._models), self._make_row)
        if facts.is_bundle:
            self._folder = ""
            self.hide()
            self.bundle_found.emit(facts.folder)
            return
        if facts.models:
            text = self.tr(
                "Nothing is copied: a model stays where it is, and its license is asked for like "
                "any other's."
            )
            if any(model.origin is Origin.PACKAGE for model in shown):
                more = self.tr("A starter from PyPI is put into the model folder.")
                text = f"{text} {more}"
        elif facts.folder:
            text = self.tr("No model file (.gguf) lies in {folder}.").format(folder=facts.folder)
        else:
            text = self.tr(
                "No models of other programs were found in their usual places (LM Studio, Ollama, "
                "Jan, GPT4All, llama.cpp, Hugging Face). Choose a file or a folder."
            )
        left = len(facts.models) - len(shown)
        if left > 0:
            words = self.tr("%n other(s) are not shown; choose a folder to see fewer.", "", left)
            text = f"{text} {words}"
        self.words.setText(text)

    def _make_row(self, key: Hashable) -> ImportRow:
        row = ImportRow(self._models[key])
        row.pressed.connect(self.import_pressed)
        return row

    def _on_file(self) -> None:
        filters = self.tr("Model files (*.gguf)")
        ask_for_file(self, self.tr("Import a model file"), filters, self.import_pressed.emit)

    def _on_folder(self) -> None:
        ask_for_folder(self, self.tr("Import from a folder"), self.look)
