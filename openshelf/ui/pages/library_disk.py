"""How much of the disk the models take: the largest by name, the folders, what could go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QWidget

from openshelf.library.disk_use import unused_models
from openshelf.library.folders import ModelFolder
from openshelf.library.installed import InstalledModel
from openshelf.ui.models.folder_words import folder_state, folder_tone
from openshelf.ui.models.installed_words import plain_name
from openshelf.ui.models.library_facts import DiskUse, LibraryFacts
from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.bars import LegendMark, Segment, SegmentBar
from openshelf.ui.widgets.containers import Card
from openshelf.ui.widgets.flow import FlowLayout
from openshelf.ui.widgets.text import TextLabel
from openshelf.units import format_bytes

_TOKENS = ("weights", "kv_cache", "compute_buffer", "warning")
_OTHERS, _ELSE = "muted", "control_line"
_NAMED = 3
"""So many models are named; of the others it is said how many there are."""


class DiskCard(Card):
    def __init__(self) -> None:
        super().__init__()
        self.body.addWidget(TextLabel(self.tr("Disk"), TextRole.HEADING))
        self.bar = SegmentBar(self.tr("Use of the disk"), thickness=14)
        self.body.addWidget(self.bar)
        self._legend = QWidget()
        self._flow = FlowLayout(self._legend, spacing=14)
        self.body.addWidget(self._legend)
        self.notes = TextLabel("", TextRole.TINY, "muted", wrap=True)
        self.body.addWidget(self.notes)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(18)
        self._grid.setVerticalSpacing(3)
        self._grid.setColumnStretch(0, 1)
        self.folder_lines: list[tuple[TextLabel, TextLabel]] = []
        self.body.addLayout(self._grid)

    def show_facts(self, facts: LibraryFacts) -> None:
        """Hidden where nothing is known of the volume."""
        self.setVisible(facts.disk is not None)
        if facts.disk is None:
            return
        self._show_use(facts.on_disk, facts.use.by_model, facts.disk)
        self._show_notes(facts)
        self._show_folders(facts)

    def _show_use(
        self, models: Sequence[InstalledModel], sizes: dict[str, int], disk: DiskUse
    ) -> None:
        """The models' share of `disk`, everything else on it, and what is free."""
        sized = [(model, sizes.get(model.id, model.size_bytes)) for model in models]
        by_size = sorted(sized, key=lambda entry: entry[1], reverse=True)
        named, rest = by_size[: len(_TOKENS)], by_size[len(_TOKENS) :]
        parts = [
            (plain_name(model), size, token)
            for (model, size), token in zip(named, _TOKENS, strict=False)
        ]
        if rest:
            words = self.tr("%n other model(s)", "", len(rest))
            parts.append((words, sum(size for _, size in rest), _OTHERS))
        total = sum(size for _, size, _ in parts)
        used = disk.total_bytes - disk.free_bytes
        parts.append((self.tr("everything else"), max(0, used - total), _ELSE))
        whole = max(1, disk.total_bytes)
        self.bar.set_segments(
            [Segment(size / whole, token, is_hatched=token == _ELSE) for _, size, token in parts]
        )
        free = (self.tr("free"), disk.free_bytes, "free")
        self._show_legend([*parts, free])

    def _show_legend(self, parts: Sequence[tuple[str, int, str]]) -> None:
        while (item := self._flow.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        spoken = []
        for name, size, token in parts:
            short = name if len(name) <= 36 else f"{name[:35]}…"
            text = f"{short} {format_bytes(size)}"
            spoken.append(text)
            entry = QWidget()
            row = QHBoxLayout(entry)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(5)
            row.addWidget(LegendMark(token, is_hatched=token == _ELSE))
            row.addWidget(TextLabel(text, TextRole.TINY, "muted"))
            self._flow.addWidget(entry)
        self.bar.setAccessibleDescription("; ".join(spoken))

    def _show_notes(self, facts: LibraryFacts) -> None:
        """What lies twice, and what nobody used for a month."""
        sentences = []
        use = facts.use
        if use.duplicates:
            text = self.tr("The same file lies more than once: {names}; {size} could be free.")
            names = {model.id: plain_name(model) for model in facts.installed}
            found = [names.get(d.places[-1][0], "") for d in use.duplicates]
            size = format_bytes(use.spare_bytes)
            sentences.append(text.format(names=self._listed(found), size=size))
        unused = unused_models(facts.installed, datetime.now(UTC))
        if unused:
            text = self.tr("Not used for 30 days: {names}.")
            sentences.append(text.format(names=self._listed([plain_name(m) for m in unused])))
        self.notes.setText(" ".join(sentences))
        self.notes.setVisible(bool(sentences))

    def _listed(self, names: Sequence[str]) -> str:
        named = ", ".join(name if len(name) <= 36 else f"{name[:35]}…" for name in names[:_NAMED])
        more = len(names) - _NAMED
        if more <= 0:
            return named
        return f"{named} {self.tr('and %n other(s)', '', more)}"

    def _show_folders(self, facts: LibraryFacts) -> None:
        """A line for each model folder, where there are several or one is missing."""
        shown = facts.folders
        if len(shown) < 2 and not any(folder.is_missing for folder in shown):
            shown = ()
        while len(self.folder_lines) < len(shown):
            self._add_line()
        counts: dict[str, int] = {}
        for model in facts.installed:
            folder = model.first_file.folder
            counts[folder] = counts.get(folder, 0) + 1
        for at, (name, words) in enumerate(self.folder_lines):
            name.setVisible(at < len(shown))
            words.setVisible(at < len(shown))
            if at < len(shown):
                self._show_line(name, words, shown[at], counts.get(shown[at].path, 0))

    def _add_line(self) -> None:
        name = TextLabel("", TextRole.CODE, "muted", wrap=True)
        words = TextLabel("", TextRole.TINY, "muted")
        row = len(self.folder_lines)
        self._grid.addWidget(name, row, 0)
        self._grid.addWidget(words, row, 1)
        self.folder_lines.append((name, words))

    def _show_line(
        self, name: TextLabel, words: TextLabel, folder: ModelFolder, count: int
    ) -> None:
        name.setText(folder.path)
        name.set_tone("faint" if folder.is_missing else "ink")
        parts = [self.tr("%n model(s)", "", count), folder_state(folder)]
        if folder.takes_downloads:
            parts.append(self.tr("downloads go here"))
        words.setText(" · ".join(part for part in parts if part))
        words.set_tone(folder_tone(folder))
