"""The installed models as rows of a table; removing asks in the row itself."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QSizePolicy, QVBoxLayout, QWidget

from openshelf.library.install import BUNDLE, LOCAL
from openshelf.library.installed import InstalledModel
from openshelf.ui.models.chat_facts import short_day
from openshelf.ui.models.import_facts import program_name
from openshelf.ui.models.library_facts import LibraryFacts
from openshelf.ui.models.moments import local_day, local_today
from openshelf.ui.theme import TextRole
from openshelf.ui.theme.kinds import ChipKind
from openshelf.ui.widgets.buttons import Button, DangerButton, LinkButton
from openshelf.ui.widgets.chip import Chip
from openshelf.ui.widgets.containers import Divider
from openshelf.ui.widgets.text import TextLabel
from openshelf.units import format_bytes

_SPACING = 12
_COLUMNS = (
    # stretch, least width
    (5, 140),
    (0, 84),
    (0, 66),
    (4, 118),
    (3, 96),
    (0, 94),
    (0, 84),
)
"""Model, variant, size, license, integrity, measured, actions."""


class Cells(QWidget):
    """Places widgets as cells whose widths do not depend on what is in them."""

    def __init__(self, *, top: int = 0, bottom: int = 0) -> None:
        super().__init__()
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, top, 0, bottom)
        self._row.setSpacing(_SPACING)

    def add(self, *parts: QWidget, right: bool = False) -> QWidget:
        """The next cell, with `parts` side by side in it."""
        share, least = _COLUMNS[self._row.count()]
        cell = QWidget()
        policy = QSizePolicy.Policy.Ignored if share else QSizePolicy.Policy.Fixed
        cell.setSizePolicy(policy, QSizePolicy.Policy.Preferred)
        cell.setMinimumWidth(least)
        if not share:
            cell.setFixedWidth(least)
        inner = QHBoxLayout(cell)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(8)
        if right:
            inner.addStretch(1)
        breaks = [isinstance(part, QLabel) and part.wordWrap() for part in parts]
        for part, can_break in zip(parts, breaks, strict=True):
            inner.addWidget(part, int(can_break))
        if not right and not any(breaks):
            inner.addStretch(1)
        self._row.addWidget(cell, share)
        return cell


class InstalledHeader(Cells):
    def __init__(self) -> None:
        super().__init__(bottom=6)
        for position, text in enumerate(
            (
                self.tr("Model"), self.tr("Variant"), self.tr("Size"), self.tr("License"),
                self.tr("Integrity"), self.tr("Measured"), "",
            )
        ):  # fmt: skip
            self.add(TextLabel(text, TextRole.CHIP, "muted"), right=position in (2, 5))


class InstalledRow(QWidget):
    """Signals carry the model's id."""

    chat_pressed = Signal(str)
    folder_pressed = Signal(str)
    remove_confirmed = Signal(str, bool)
    """And whether for good, past the trash."""
    verify_pressed = Signal(str)
    again_pressed = Signal(str)
    """Its files are gone or damaged, and can be had again."""
    update_pressed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._model: InstalledModel | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(Divider())
        self._build_cells(column)
        self._build_confirmation(column)
        self._connect()

    def _build_cells(self, column: QVBoxLayout) -> None:
        self.name = TextLabel("", TextRole.STRONG, wrap=True)
        self.note = Chip("", ChipKind.ACCENT)
        self.quant = TextLabel("", TextRole.CODE)
        self.size_words = TextLabel()
        self.license = Chip()
        self.integrity = TextLabel("", TextRole.SMALL, "muted", wrap=True)
        self.speed = TextLabel()
        for label in (self.size_words, self.speed):
            label.set_tabular()
        self.chat_button = LinkButton(self.tr("Chat"))
        self.more_button = LinkButton("⋯")
        menu = QMenu(self.more_button)
        self._folder = menu.addAction(self.tr("Show in folder"))
        self._copy = menu.addAction(self.tr("Copy id"))
        self._verify = menu.addAction(self.tr("Verify"))
        self._update = menu.addAction(self.tr("Check for an update"))
        menu.addSeparator()
        self._remove = menu.addAction(self.tr("Remove…"))
        self.more_button.setMenu(menu)
        cells = Cells(top=8, bottom=8)
        cells.setMinimumHeight(38)
        cells.add(self.name, self.note)
        cells.add(self.quant)
        cells.add(self.size_words, right=True)
        cells.add(self.license)
        cells.add(self.integrity)
        cells.add(self.speed, right=True)
        cells.add(self.chat_button, self.more_button, right=True)
        column.addWidget(cells)

    def _build_confirmation(self, column: QVBoxLayout) -> None:
        self.confirmation = QFrame()
        self.confirmation.setProperty("kind", "notice")
        self.confirmation.setProperty("level", "warning")
        row = QHBoxLayout(self.confirmation)
        row.setContentsMargins(14, 8, 14, 8)
        self.question = TextLabel("", TextRole.SMALL, wrap=True)
        self.remove_button = DangerButton(self.tr("Move to trash"))
        self.delete_button = LinkButton(self.tr("Delete for good"), muted=True, small=True)
        self.keep_button = Button(self.tr("Keep"))
        row.addWidget(self.question, 1)
        row.addWidget(self.delete_button)
        row.addWidget(self.remove_button)
        row.addWidget(self.keep_button)
        self.confirmation.hide()
        column.addWidget(self.confirmation)

    def _connect(self) -> None:
        self.chat_button.clicked.connect(self._on_chat)
        self._folder.triggered.connect(self._on_folder)
        self._copy.triggered.connect(self._on_copy)
        self._verify.triggered.connect(self._on_verify)
        self._update.triggered.connect(self._on_update)
        self._remove.triggered.connect(self.ask_to_remove)
        self.remove_button.clicked.connect(self._on_remove)
        self.delete_button.clicked.connect(self._on_delete)
        self.keep_button.clicked.connect(self._on_keep)

    def show_model(self, model: InstalledModel, facts: LibraryFacts) -> None:
        self._model = model
        name = " ".join(model.name.split())
        self.name.setText(name)
        self.quant.setText(model.quant or "—")
        self.size_words.setText(format_bytes(model.size_bytes))
        self._show_license(model, facts)
        self._show_integrity(model)
        rate = model.decode_tokens_per_second
        self.speed.setText(self.tr("{rate} tok/s").format(rate=f"{rate:.0f}") if rate else "—")
        self.note.show_as(self.tr("in memory"), ChipKind.ACCENT)
        self.note.setVisible(model.id == facts.loaded_id)
        self._show_action(model, name)
        # What came from this disk has no repository to ask.
        self._update.setEnabled(model.repo != LOCAL)
        self.more_button.setAccessibleName(self.tr("More about {name}").format(name=name))

    def _show_action(self, model: InstalledModel, name: str) -> None:
        """Chat; or get it again, where its files are of no use. A file of one's own can only be
        imported anew."""
        again = not model.is_usable and model.source != "import"
        self.chat_button.setText(self.tr("Get") if again else self.tr("Chat"))
        self.chat_button.setEnabled(again or model.is_usable)
        spoken = self.tr("Get {name} again") if again else self.tr("Chat with {name}")
        self.chat_button.setAccessibleName(spoken.format(name=name))
        self.chat_button.setToolTip(spoken.format(name=name) if again else "")

    def _show_license(self, model: InstalledModel, facts: LibraryFacts) -> None:
        names = " + ".join(model.license_ids) or model.license_expression
        day = facts.accepted.get(model.record_id or "", "")
        is_permissive = facts.is_permissive(model)
        words = self.tr("{license} · accepted {day}").format(license=names, day=day)
        kind = ChipKind.GOOD if is_permissive else ChipKind.WARNING
        self.license.show_as(names if is_permissive or not day else words, kind)
        self.license.setToolTip(
            words if day else self.tr("{license} · no acceptance on record").format(license=names)
        )

    def _show_integrity(self, model: InstalledModel) -> None:
        tone = "muted"
        if model.damaged:
            text, tone = self.tr("damaged, not loaded"), "bad"
        elif model.missing:
            text, tone = self.tr("file is missing"), "bad"
        elif not model.verified_at:
            text, tone = self.tr("not verified"), "warning"
        elif _is_today(model.verified_at):
            text = self.tr("verified today")
        else:
            text = self.tr("verified {day}").format(day=short_day(model.verified_at))
        if model.origin not in ("", BUNDLE) and tone == "muted":
            text = self.tr("{text}, linked from {program}").format(
                text=text, program=program_name(model.origin)
            )
        self.integrity.setText(text)
        self.integrity.set_tone(tone)

    def ask_to_remove(self) -> None:
        """Say what goes and what comes back; nothing is deleted before it is confirmed."""
        if self._model is None:
            return
        text = self.tr("Remove {name}? {files}, {size}. Its chats stay.")
        self.question.setText(
            text.format(
                name=self.name.text(),
                files=self.tr("%n file(s)", "", len(self._model.files)),
                size=format_bytes(self._model.size_bytes),
            )
        )
        self.confirmation.show()
        self.keep_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_chat(self) -> None:
        if self._model is None:
            return
        if self._model.is_usable:
            self.chat_pressed.emit(self._model.id)
        else:
            self.again_pressed.emit(self._model.id)

    def _on_verify(self) -> None:
        if self._model is not None:
            self.verify_pressed.emit(self._model.id)

    def _on_update(self) -> None:
        if self._model is not None:
            self.update_pressed.emit(self._model.id)

    def _on_folder(self) -> None:
        if self._model is not None:
            self.folder_pressed.emit(self._model.id)

    def _on_copy(self) -> None:
        if self._model is not None:
            QGuiApplication.clipboard().setText(self._model.id)

    def _on_remove(self) -> None:
        self._confirm(for_good=False)

    def _on_delete(self) -> None:
        self._confirm(for_good=True)

    def _confirm(self, *, for_good: bool) -> None:
        for button in (self.remove_button, self.delete_button):
            button.setEnabled(False)
        if self._model is not None:
            self.remove_confirmed.emit(self._model.id, for_good)

    def _on_keep(self) -> None:
        self.confirmation.hide()
        self.more_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def end_removal(self) -> None:
        """It could not be removed: ask no longer."""
        for button in (self.remove_button, self.delete_button):
            button.setEnabled(True)
        self.confirmation.hide()


def _is_today(moment: str) -> bool:
    return local_day(moment) == local_today()
