"""The rules of a team on the Policy screen; what the machine's policy fixes is shown and locked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit

from openshelf.licenses.license import License
from openshelf.policy.organization import Policy
from openshelf.ui.models.policy_form import NotUnderstood, parse_count, parse_regions
from openshelf.ui.models.policy_words import class_words, classes_of, listed, rule_words
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import Card, SectionLabel, TextLabel, TickBox
from openshelf.ui.widgets.answer_row import AnswerRow
from openshelf.ui.widgets.entry_list import Entry, EntryList

_FLAGS = ("require_osi", "require_license_text", "strict_labels")
_FIELD_WIDTH = 172


class RulesCard(Card):
    """All rules; `changed` when one was entered, understood or not."""

    changed = Signal()

    def __init__(self, licenses: Mapping[str, License]) -> None:
        super().__init__(margin=18, spacing=6)
        self._base, self._managed = Policy(), Policy()
        self._licenses = licenses
        self.body.addWidget(TextLabel(self.tr("The rules of your team"), TextRole.HEADING))
        text = self.tr("On top of what the licenses ask. Without a rule nothing is added.")
        self.body.addWidget(TextLabel(text, TextRole.SMALL, "muted", wrap=True))
        self.fixed = TextLabel("", TextRole.SMALL, "muted", wrap=True)
        self.fixed.hide()
        self.body.addWidget(self.fixed)
        self.ticks: dict[str, TickBox] = {}
        self.name = self._add_field(
            self.tr("Name of this policy"), self.tr("Stands beside each verdict."),
            self.tr("Your policy"),
        )  # fmt: skip
        self._add_licenses(licenses)
        self._add_regions()
        for name in _FLAGS:
            self._add_tick(name)
        self.body.addSpacing(8)
        self.body.addWidget(SectionLabel(self.tr("This program")))
        self._add_tick("offline_only")
        self._add_hosts()
        self._add_days()
        self.problem = TextLabel("", TextRole.SMALL, "bad", wrap=True)
        self.problem.hide()
        self.body.addWidget(self.problem)

    def _add_licenses(self, licenses: Mapping[str, License]) -> None:
        self.only_listed = TickBox(self.tr("Only licenses on this list"))
        self.only_listed.toggled.connect(self._on_only_listed)
        classes = classes_of(licenses)
        entries = sorted(licenses.values(), key=lambda e: (classes.index(e.license_class), e.name))
        self.allowed = EntryList(
            self.tr("Allowed licenses"), self.tr("Add a license…"),
            [Entry(e.id, e.name, class_words(e.license_class)) for e in entries
             if e.license_class != "unknown"],
        )  # fmt: skip
        self.denied = EntryList(
            self.tr("Denied classes"), self.tr("Add a class…"),
            [Entry(name, class_words(name)) for name in classes],
        )  # fmt: skip
        self.body.addWidget(self.only_listed)
        self.body.addWidget(self.allowed)
        self.body.addSpacing(4)
        self.body.addWidget(TextLabel(self.tr("No licenses of these classes")))
        self.body.addWidget(self.denied)
        for entries_list in (self.allowed, self.denied):
            entries_list.changed.connect(self._on_changed)

    def _add_regions(self) -> None:
        self.regions = self._add_field(
            self.tr("No models with a part made in"),
            self.tr("Two letters each, such as CN, US. The base models count, packagers do not."),
            self.tr("Any country"),
        )

    def _add_hosts(self) -> None:
        self.hosts = self._add_field(
            self.tr("Chat only with these servers"),
            self.tr("Names of machines that run a model for you, with commas between them."),
            self.tr("Any server"),
        )

    def _add_days(self) -> None:
        self.days = self._add_field(
            self.tr("Delete chats after so many days"),
            self.tr("Looked at when Openshelf starts."),
            self.tr("Never"),
        )

    def _add_tick(self, name: str) -> None:
        words, hint = rule_words(name)
        tick = TickBox(words)
        tick.toggled.connect(self._on_changed)
        self.ticks[name] = tick
        self.body.addWidget(tick)
        label = TextLabel(hint, TextRole.TINY, "faint", wrap=True)
        label.setContentsMargins(25, 0, 0, 0)
        self.body.addWidget(label)

    def _add_field(self, text: str, hint: str, empty: str) -> QLineEdit:
        field = QLineEdit()
        field.setAccessibleName(text)
        field.setPlaceholderText(empty)
        field.setFixedWidth(_FIELD_WIDTH)
        field.textEdited.connect(self._on_changed)
        row = AnswerRow(text, hint)
        row.put_control(field)
        self.body.addWidget(row)
        return field

    def show_policy(self, own: Policy, managed: Policy | None, *, editable: bool) -> None:
        """The person's own rules, and those of the machine that stand above them."""
        self._base = own
        self._managed = fixed = managed or Policy()
        self._show_fixed(fixed)
        rules = own.rules
        for name, tick in self.ticks.items():
            holder, above = (own, fixed) if name == "offline_only" else (rules, fixed.rules)
            _set(tick, checked=bool(getattr(holder, name) or getattr(above, name)))
            tick.setEnabled(editable and not getattr(above, name))
        _set(self.only_listed, checked=rules.allow_only is not None)
        self.allowed.show_values(rules.allow_only or ())
        self.allowed.setVisible(rules.allow_only is not None)
        self.name.setText(own.name)
        self.denied.show_values(rules.deny_classes, fixed.rules.deny_classes)
        self.regions.setText(", ".join(rules.deny_vendor_regions))
        self.hosts.setText(", ".join(own.allow_remote_hosts or ()))
        self.days.setText("" if own.keep_chats_days is None else str(own.keep_chats_days))
        lists = (self.only_listed, self.allowed, self.denied)
        for widget in (self.name, *lists, self.regions, self.hosts, self.days):
            widget.setEnabled(editable)
        self.problem.hide()

    def _show_fixed(self, managed: Policy) -> None:
        rules, parts = managed.rules, []
        if rules.allow_only is not None:
            names = [self._licenses[i].name if i in self._licenses else i for i in rules.allow_only]
            text = self.tr("Only these licenses are allowed on this machine: {names}.")
            parts.append(text.format(names=listed(names) or self.tr("none")))
        if rules.deny_vendor_regions:
            text = self.tr("No models with a part made in: {regions}.")
            parts.append(text.format(regions=listed(rules.deny_vendor_regions)))
        if managed.allow_remote_hosts is not None:
            text = self.tr("Chat only with these servers: {names}.")
            parts.append(text.format(names=listed(managed.allow_remote_hosts) or self.tr("none")))
        if managed.keep_chats_days is not None:
            days = self.tr("%n day(s)", "", managed.keep_chats_days)
            parts.append(self.tr("Chats are deleted after {days}.").format(days=days))
        if parts:
            parts.append(self.tr("Rules here can only add to that."))
        self.fixed.setText(" ".join(parts))
        self.fixed.setVisible(bool(parts))

    @property
    def has_problem(self) -> bool:
        return not self.problem.isHidden()

    @property
    def policy(self) -> Policy:
        """The person's own policy with the rules as entered; facts and name as they were."""
        return self._base

    def _on_only_listed(self, is_on: bool) -> None:  # noqa: FBT001
        self.allowed.setVisible(is_on)
        self._on_changed()

    def _on_changed(self, _: object = None) -> None:
        try:
            regions = parse_regions(self.regions.text()) or ()
            days = parse_count(self.days.text())
        except NotUnderstood as error:
            self.problem.setText(str(error))
            self.problem.show()
        else:
            self.problem.hide()
            self._base = self._entered(regions, days)
        self.changed.emit()

    def _entered(self, regions: tuple[str, ...], days: int | None) -> Policy:
        above = self._managed
        hosts = tuple(part.strip() for part in self.hosts.text().split(",") if part.strip())
        return replace(
            self._base,
            name=" ".join(self.name.text().split()),
            rules=replace(
                self._base.rules,
                allow_only=self.allowed.values if self.only_listed.isChecked() else None,
                deny_classes=self.denied.values,
                deny_vendor_regions=regions,
                require_osi=self._is_own("require_osi"),
                require_license_text=self._is_own("require_license_text"),
                strict_labels=self._is_own("strict_labels"),
            ),
            offline_only=self.ticks["offline_only"].isChecked() and not above.offline_only,
            # An empty list in the file allows none; an empty field leaves that as it is.
            allow_remote_hosts=hosts or (() if self._base.allow_remote_hosts == () else None),
            keep_chats_days=days,
        )

    def _is_own(self, name: str) -> bool:
        """Ticked by the person; what the machine's policy demands is not theirs to write."""
        return self.ticks[name].isChecked() and not getattr(self._managed.rules, name)


def _set(tick: TickBox, *, checked: bool) -> None:
    """Without telling anybody: this is not what the person did."""
    tick.blockSignals(True)
    tick.setChecked(checked)
    tick.blockSignals(False)
    tick.update()
