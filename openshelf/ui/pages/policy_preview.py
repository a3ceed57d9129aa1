"""What the policy as entered would say to the shelf: counts, and the reasons with their models."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from openshelf.licenses.clearance import Verdict
from openshelf.licenses.license import License
from openshelf.policy.verdict import PolicyReason
from openshelf.shelf.preview import FINEST_FIRST, PolicyPreview, ReasonGroup
from openshelf.ui.models.policy_words import (
    KINDS,
    TOKENS,
    counts_words,
    fact_question,
    listed,
    preview_sentence,
    verdict_title,
)
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import (
    Card,
    Chip,
    Divider,
    LegendMark,
    LinkButton,
    SectionLabel,
    Segment,
    SegmentBar,
    TextLabel,
)
from openshelf.ui.widgets.keyed_rows import KeyedRows

WORST_FIRST = tuple(reversed(FINEST_FIRST))
_FIRST_REASONS = 3


class ReasonRow(QWidget):
    """A sentence with its clause; the models that it is about come when it is opened."""

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 3, 0, 5)
        column.setSpacing(2)
        self.sentence = TextLabel("", TextRole.SMALL, wrap=True)
        column.addWidget(self.sentence)
        self.opener = LinkButton("", small=True)
        self.opener.setCheckable(True)
        self.opener.toggled.connect(self._on_toggled)
        self.models = TextLabel("", TextRole.SMALL, "muted", wrap=True)
        self.models.hide()
        column.addWidget(self.opener)
        column.addWidget(self.models)
        self._group: ReasonGroup | None = None

    @property
    def reason(self) -> PolicyReason | None:
        return self._group.reason if self._group is not None else None

    def show_group(self, group: ReasonGroup, licenses: Mapping[str, License]) -> None:
        """Another reason than before begins closed."""
        if group.reason != self.reason:
            self.opener.setChecked(False)
            self.sentence.setText(preview_sentence(group.reason, licenses))
        if group != self._group:
            self._group = group
            self.models.setText(listed(group.models))
            self._show_opener()
        self.show()

    def _show_opener(self) -> None:
        mark = "▾" if self.opener.isChecked() else "▸"
        count = len(self._group.models) if self._group is not None else 0
        text = self.tr("%n model(s)", "", count)
        self.opener.setText(f"{mark} {text}")
        self.opener.setAccessibleName(f"{text}: {self.sentence.text()}")

    def _on_toggled(self, is_open: bool) -> None:  # noqa: FBT001
        self.models.setVisible(is_open)
        self._show_opener()


class VerdictSection(QWidget):
    """One verdict: how many models, and the reasons; the first few until all are asked for.

    Rows are kept and given another reason: making one takes far longer than filling it.
    """

    def __init__(self, verdict: Verdict, licenses: Mapping[str, License]) -> None:
        super().__init__()
        self._licenses = licenses
        self._groups: tuple[ReasonGroup, ...] = ()
        self._rows: list[ReasonRow] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 0)
        column.setSpacing(4)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(Chip(verdict_title(verdict), KINDS[verdict]))
        self.models = TextLabel("", TextRole.SMALL, "muted")
        head.addWidget(self.models)
        head.addStretch(1)
        column.addLayout(head)
        self._column = QVBoxLayout()
        self._column.setSpacing(0)
        column.addLayout(self._column)
        self.more = LinkButton("", small=True)
        self.more.setCheckable(True)
        self.more.toggled.connect(self._on_more)
        self.more.hide()
        column.addWidget(self.more)

    @property
    def rows(self) -> tuple[ReasonRow, ...]:
        """Those that are shown, from top to bottom."""
        return tuple(row for row in self._rows if not row.isHidden())

    def show_groups(self, groups: tuple[ReasonGroup, ...], models: int) -> None:
        self.models.setText(self.tr("%n model(s)", "", models))
        self._groups = groups
        self._show_rows()
        self.setVisible(models > 0)

    def _show_rows(self) -> None:
        most = len(self._groups) if self.more.isChecked() else _FIRST_REASONS
        shown = self._groups[:most]
        kept = {row.reason: row for row in self.rows}
        free = [row for row in self._rows if row.reason not in {g.reason for g in shown}]
        for at, group in enumerate(shown):
            row = kept.get(group.reason) or (free.pop() if free else self._make_row())
            if self._column.indexOf(row) != at:
                self._column.removeWidget(row)
                self._column.insertWidget(at, row)
            row.show_group(group, self._licenses)
        for row in free:
            row.hide()
        left = len(self._groups) - _FIRST_REASONS
        self.more.setVisible(left > 0)
        hidden = self.tr("Show %n more reason(s)", "", max(0, left))
        self.more.setText(self.tr("Show fewer") if self.more.isChecked() else hidden)
        self.more.setAccessibleName(self.more.text())

    def _make_row(self) -> ReasonRow:
        row = ReasonRow()
        self._rows.append(row)
        self._column.addWidget(row)
        return row

    def _on_more(self) -> None:
        self._show_rows()


class MissingRow(QWidget):
    """A fact that nobody stated though it decides; `pressed` carries its name."""

    pressed = Signal(str)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 1, 0, 1)
        row.setSpacing(8)
        self._text = TextLabel("", TextRole.SMALL, wrap=True)
        row.addWidget(self._text, 1)
        spoken = self.tr("Fill in: {question}").format(question=fact_question(name))
        self.link = LinkButton(self.tr("Fill in"), spoken, small=True)
        self.link.clicked.connect(self._on_clicked)
        row.addWidget(self.link, 0, Qt.AlignmentFlag.AlignTop)

    def show_models(self, models: int, *, fillable: bool) -> None:
        self.link.setVisible(fillable)
        words = self.tr("%n model(s)", "", models)
        self._text.setText(f"{fact_question(self._name)} ({words})")

    def _on_clicked(self) -> None:
        self.pressed.emit(self._name)


class PreviewCard(Card):
    """Counts, reasons, and the facts that would decide; `fact_pressed` carries a fact's name."""

    fact_pressed = Signal(str)

    def __init__(self, licenses: Mapping[str, License]) -> None:
        super().__init__(margin=18, spacing=6)
        self.fillable = True
        """Whether the facts can be filled in here."""
        self.setAccessibleName(self.tr("What this would allow"))
        self.body.addWidget(TextLabel(self.tr("What this would allow"), TextRole.HEADING))
        self.state = TextLabel(
            self.tr("Holding the shelf against it…"), TextRole.SMALL, "muted", wrap=True
        )
        self.body.addWidget(self.state)
        self.bar = SegmentBar(self.tr("Families by verdict"), thickness=12)
        self.body.addWidget(self.bar)
        self.counts: dict[Verdict, TextLabel] = {}
        for verdict in FINEST_FIRST:
            self._add_count(verdict)
        self._missing_title = SectionLabel(self.tr("Not stated, and it decides"))
        self._missing: KeyedRows[MissingRow] = KeyedRows(spacing=2)
        self.body.addSpacing(6)
        self.body.addWidget(self._missing_title)
        self.body.addWidget(self._missing)
        self._missing_title.hide()
        self.body.addWidget(Divider())
        self._preview: PolicyPreview | None = None
        self._waiting_sections: list[Verdict] = []
        self._next = QTimer(self)
        self._next.setSingleShot(True)
        self._next.timeout.connect(self._show_next)
        self.sections: dict[Verdict, VerdictSection] = {}
        for verdict in WORST_FIRST:
            section = VerdictSection(verdict, licenses)
            section.hide()
            self.sections[verdict] = section
            self.body.addWidget(section)
        self.body.addStretch(1)

    def _add_count(self, verdict: Verdict) -> None:
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(LegendMark(TOKENS[verdict]))
        row.addWidget(TextLabel(verdict_title(verdict), TextRole.SMALL, wrap=True), 1)
        self.counts[verdict] = TextLabel("—", TextRole.SMALL, "muted")
        row.addWidget(self.counts[verdict], 0, Qt.AlignmentFlag.AlignRight)
        self.body.addWidget(line)

    def show_preview(self, preview: PolicyPreview, *, stops: bool) -> None:
        """`stops`: what needs a review cannot be installed until somebody has looked."""
        whole = max(1, sum(preview.families.values()))
        shares = [(v, preview.families[v] / whole) for v in FINEST_FIRST]
        self.bar.set_segments([Segment(share, TOKENS[v]) for v, share in shares if share])
        spoken = []
        for verdict, label in self.counts.items():
            text = counts_words(preview.families[verdict], preview.models[verdict])
            label.setText(text)
            spoken.append(f"{verdict_title(verdict)}: {text}")
        self.bar.setAccessibleDescription("; ".join(spoken))
        note = self.tr("A family counts by the model of it that comes off best.")
        if stops:
            also = self.tr("What needs a review cannot be installed before somebody has looked.")
            note = f"{note} {also}"
        self.state.setText(note)
        self._show_missing(preview.waiting)
        self._waiting_sections = list(WORST_FIRST)
        self._preview = preview
        self._show_next()

    def _show_next(self) -> None:
        """One verdict at a time, so that typing never waits for all of them."""
        if not self._waiting_sections or self._preview is None:
            return
        verdict = self._waiting_sections.pop(0)
        groups = tuple(group for group in self._preview.groups if group.verdict is verdict)
        self.sections[verdict].show_groups(groups, self._preview.models[verdict])
        self._next.start(0)

    def _show_missing(self, waiting: Mapping[str, int]) -> None:
        names = sorted(waiting, key=lambda name: -waiting[name])
        self._missing.set_keys(names, self._make_missing)
        for name in names:
            row = self._missing.row(name)
            if row is not None:
                row.show_models(waiting[name], fillable=self.fillable)
        self._missing_title.setVisible(bool(names))

    def _make_missing(self, name: Hashable) -> MissingRow:
        row = MissingRow(str(name))
        row.pressed.connect(self.fact_pressed)
        return row
