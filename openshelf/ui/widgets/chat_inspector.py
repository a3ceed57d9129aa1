"""Beside a conversation: context and memory as they are, sampling and system prompt to set."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QScrollArea, QVBoxLayout, QWidget

from openshelf.chat.interface import ModelInMemory
from openshelf.library.installed import InstalledModel
from openshelf.library.measurements import totals
from openshelf.ui.models.chat_facts import ContextParts
from openshelf.ui.models.license_names import license_names
from openshelf.ui.models.server_words import ServerMark
from openshelf.ui.theme import TextRole, font
from openshelf.ui.theme.kinds import ChipKind
from openshelf.ui.widgets.bars import Meter
from openshelf.ui.widgets.inspector_facts import (
    AnswerFacts,
    ContextLegend,
    EngineLine,
    context_segments,
)
from openshelf.ui.widgets.measured_memory import PoolView
from openshelf.ui.widgets.preset_menu import NameEdit, PresetMenu
from openshelf.ui.widgets.sampling_panel import SamplingPanel
from openshelf.ui.widgets.text import SectionLabel, TextLabel

WIDTH = 250


class ChatInspector(QFrame):
    """`panel` and `system_prompt` say what the next message is sent with."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "panel")
        self.setFixedWidth(WIDTH)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.viewport().setAutoFillBackground(False)
        content = QWidget()
        content.setProperty("kind", "content")
        scroll.setWidget(content)
        outer.addWidget(scroll)
        self._column = QVBoxLayout(content)
        self._column.setContentsMargins(15, 14, 15, 14)
        self._column.setSpacing(6)
        self._build_server()
        self._build_context()
        self._build_memory()
        self.answer = AnswerFacts()
        self._column.addWidget(self.answer)
        self._build_system_prompt()
        self.panel = SamplingPanel()
        self._column.addWidget(self.panel)
        self._column.addStretch(1)
        outer.addLayout(self._build_foot())

    def _build_foot(self) -> QVBoxLayout:
        """Always in view, however long the rest is."""
        foot = QVBoxLayout()
        foot.setContentsMargins(15, 6, 15, 14)
        foot.setSpacing(6)
        self.engine_line = EngineLine()
        self.license_line = TextLabel("", TextRole.TINY, "muted", wrap=True)
        foot.addWidget(self.engine_line)
        foot.addWidget(self.license_line)
        return foot

    def _build_server(self) -> None:
        """Shown for a model on a server: its mark, and what that means."""
        self.server_mark = TextLabel("", TextRole.STRONG, wrap=True)
        self.server_words = TextLabel("", TextRole.SMALL, "muted", wrap=True)
        self.server_words.setContentsMargins(0, 0, 0, 10)
        title = SectionLabel(self.tr("Server"))
        self._server_parts = (title, self.server_mark, self.server_words)
        for part in self._server_parts:
            self._column.addWidget(part)
            part.hide()

    def show_server(self, mark: ServerMark | None, *, is_assumed: bool = False) -> None:
        """None for a model on this machine; `is_assumed` where the server does not tell how much
        its context holds."""
        for part in self._server_parts:
            part.setVisible(mark is not None)
        if mark is None:
            return
        self.server_mark.setText(mark.text)
        self.server_mark.set_tone("warning" if mark.kind is ChipKind.WARNING else "ink")
        assumed = self.tr("It does not tell its context; the length below is assumed.")
        self.server_words.setText(f"{mark.details} {assumed}" if is_assumed else mark.details)

    def _build_context(self) -> None:
        self._column.addWidget(SectionLabel(self.tr("Context")))
        row = QHBoxLayout()
        self.context_words = TextLabel("", TextRole.SMALL)
        self.context_share = TextLabel("", TextRole.SMALL, "muted")
        row.addWidget(self.context_words)
        row.addStretch(1)
        row.addWidget(self.context_share)
        self._column.addLayout(row)
        self.context_meter = Meter(self.tr("Context in use"), "kv_cache")
        self._column.addWidget(self.context_meter)
        self.context_legend = ContextLegend()
        self._column.addWidget(self.context_legend)
        self._column.addSpacing(10)

    def _build_memory(self) -> None:
        self._column.addWidget(SectionLabel(self.tr("Memory")))
        self._pools = QVBoxLayout()
        self._pools.setSpacing(8)
        self._column.addLayout(self._pools)
        self._column.addSpacing(10)

    def _build_system_prompt(self) -> None:
        self._prompt_box = QWidget()
        column = QVBoxLayout(self._prompt_box)
        column.setContentsMargins(0, 0, 0, 10)
        column.setSpacing(6)
        self.prompt_edit = QPlainTextEdit()
        self.prompt_edit.setProperty("kind", "text")
        self.prompt_edit.setFont(font(TextRole.SMALL))
        self.prompt_edit.setTabChangesFocus(True)
        self.prompt_edit.setFixedHeight(76)
        self.prompt_edit.setAccessibleName(self.tr("System prompt"))
        self.prompt_edit.setPlaceholderText(self.tr("How the model should answer (optional)"))
        self.prompt_hint = TextLabel("", TextRole.TINY, "muted", wrap=True)
        row = QHBoxLayout()
        self.prompts = PresetMenu(self.tr("Saved ▾"), self.tr("Saved prompts"))
        self.prompt_name = NameEdit(self.tr("Name of this prompt"))
        self.prompts.save_requested.connect(self.prompt_name.ask)
        row.addWidget(SectionLabel(self.tr("System prompt")))
        row.addStretch(1)
        row.addWidget(self.prompts)
        column.addLayout(row)
        column.addWidget(self.prompt_name)
        column.addWidget(self.prompt_edit)
        column.addWidget(self.prompt_hint)
        self._column.addWidget(self._prompt_box)

    @property
    def system_prompt(self) -> str:
        return self.prompt_edit.toPlainText().strip()

    def edit_system_prompt(self) -> None:
        """A new chat: its system prompt can still be written."""
        self.prompt_edit.setReadOnly(False)
        self.prompt_hint.setText(self.tr("Fixed with the first message of a chat."))
        self._prompt_box.show()

    def show_system_prompt(self, text: str) -> None:
        """What a chat was begun with; the box is hidden where it was begun without."""
        self._prompt_box.setVisible(bool(text))
        self.prompt_edit.setPlainText(text)
        self.prompt_edit.setReadOnly(True)
        self.prompt_hint.setText(self.tr("As this chat was begun with."))

    def show_context(self, used: int | None, whole: int, parts: ContextParts | None = None) -> None:
        """Tokens after the last answer (None where they were not counted), what it holds, and what
        it is made of."""
        self.context_legend.show_parts(parts)
        self.context_meter.setToolTip(self.tr("Tokens of the conversation after the last answer"))
        if used is None:
            self._show_uncounted(whole)
            return
        words = self.tr("{used} of {whole}")
        self._show_share(words.format(used=f"{used:,}", whole=f"{whole:,}"), used / max(1, whole))
        if parts is not None:
            self.context_meter.set_segments(context_segments(parts, whole))

    def show_growing_context(self, at_least: int, whole: int) -> None:
        """While an answer is written: the question before it is counted with its end."""
        self.context_legend.show_parts(None)
        self.context_meter.setToolTip(self.tr("Counted exactly when the answer ends"))
        if not at_least:
            self._show_uncounted(whole)
            return
        words = self.tr("more than {used} of {whole}")
        words = words.format(used=f"{at_least:,}", whole=f"{whole:,}")
        self._show_share(words, at_least / max(1, whole))

    def _show_uncounted(self, whole: int) -> None:
        self.context_words.setText(self.tr("holds {whole} tokens").format(whole=f"{whole:,}"))
        self.context_share.setText("")
        self.context_meter.set_fraction(0)

    def _show_share(self, words: str, share: float) -> None:
        self.context_words.setText(words)
        self.context_share.setText(f"{share * 100:.0f} %")
        self.context_meter.set_fraction(share)

    def show_memory(self, loaded: ModelInMemory | None) -> None:
        self.engine_line.show_engine(loaded)
        while (item := self._pools.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        if loaded is None or loaded.server is not None:
            text = self.tr("Nothing is loaded yet.")
            if loaded is not None:
                text = self.tr("The server has the model; what it takes there is not known here.")
            self._pools.addWidget(TextLabel(text, TextRole.SMALL, "muted", wrap=True))
            return
        for whole in totals(loaded.components):
            parts = tuple(part for part in loaded.components if part.device == whole.device)
            name = self._pool_name("ram" if whole.device == "CPU" else whole.device)
            view = PoolView(name, whole.predicted_bytes, whole.measured_bytes, parts)
            self._pools.addWidget(view)
        if loaded.components:
            return
        for pool in sorted({*loaded.predicted_bytes, *loaded.measured_bytes}):
            view = PoolView(
                self._pool_name(pool),
                loaded.predicted_bytes.get(pool),
                loaded.measured_bytes.get(pool),
            )
            self._pools.addWidget(view)

    def _pool_name(self, pool: str) -> str:
        if pool == "ram":
            return self.tr("RAM")
        kind, _, number = pool.partition(":")
        return self.tr("GPU {number}").format(number=number) if kind == "gpu" else pool

    def show_license(
        self, model: InstalledModel | None, accepted_on: str, otherwise: str = ""
    ) -> None:
        """`accepted_on` is a date as it is written here, or empty; `otherwise` is said where no
        installed model is chosen."""
        if model is None:
            self.license_line.setText(otherwise)
            return
        names = license_names(model.license_ids, model.license_expression)
        if accepted_on:
            text = self.tr("{license} · terms acknowledged {day}")
            names = text.format(license=names, day=accepted_on)
        self.license_line.setText(names)
