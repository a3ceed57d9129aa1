"""The card below the table: why this build, where its memory goes, how sure that is, what to do."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from openshelf.fit.verdict import Fit, FitVerdict
from openshelf.hardware.facts import Machine
from openshelf.ui.models.model_check import CheckState
from openshelf.ui.models.model_memory import pool_parts
from openshelf.ui.models.model_table import ShownBuild
from openshelf.ui.models.model_words import (
    Basis,
    basis_details,
    basis_of,
    build_title,
    packager_words,
)
from openshelf.ui.sentences import error_details, error_text, reason_sentence, reason_sentences
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import Button, Card, PrimaryButton, TextLabel, set_property
from openshelf.ui.widgets.memory_parts import MemoryParts
from openshelf.units import format_tokens

_PARTS_WIDTH = 330
_ABOUT_THE_CHECK = ("fit_confirmed", "fit_expected", "fit_from_sibling")
_ABOUT_OTHER_GPUS = ("fit_gpu_not_usable", "fit_gpu_unknown", "fit_gpu_memory_unknown")


@dataclass(frozen=True)
class WhyState:
    """`machine` is the one that the figures are for; `is_here` that people sit at it."""

    machine: Machine
    is_here: bool
    check: CheckState
    problem: BaseException | None = None


class WhyCard(Card):
    """`install_pressed(target)`, `chat_pressed(installed_id)` and `elsewhere_pressed(target)`."""

    install_pressed = Signal(str)
    chat_pressed = Signal(str)
    elsewhere_pressed = Signal(str)

    def __init__(self) -> None:
        super().__init__(horizontal=True, margin=18, spacing=26)
        self._shown: ShownBuild | None = None
        left = QVBoxLayout()
        left.setSpacing(6)
        self.title = TextLabel("", TextRole.HEADING, wrap=True)
        self.why = TextLabel("", TextRole.BODY, "muted", wrap=True, selectable=True)
        self.remedies = TextLabel("", TextRole.BODY, wrap=True, selectable=True)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        self.action: Button = PrimaryButton("")
        self.action.clicked.connect(self.act)
        self.elsewhere = Button(self.tr("Run it elsewhere…"))
        self.elsewhere.clicked.connect(self._on_elsewhere)
        self.elsewhere.hide()
        buttons.addWidget(self.action)
        buttons.addWidget(self.elsewhere)
        buttons.addStretch(1)
        for label in (self.title, self.why, self.remedies):
            left.addWidget(label)
        left.addStretch(1)
        left.addLayout(buttons)
        right = QVBoxLayout()
        right.setSpacing(6)
        self.parts = MemoryParts()
        self.sureness = TextLabel("", TextRole.TINY, "faint", wrap=True, selectable=True)
        right.addWidget(self.parts)
        right.addWidget(self.sureness)
        right.addStretch(1)
        self.body.addLayout(left, 1)
        self.body.addLayout(right, 0)
        self.parts.setFixedWidth(_PARTS_WIDTH)
        self.sureness.setFixedWidth(_PARTS_WIDTH)
        self.body.setAlignment(right, Qt.AlignmentFlag.AlignTop)

    def show_build(self, shown: ShownBuild, state: WhyState) -> None:
        self._shown = shown
        row, fit = shown.row, shown.row.fit
        name = build_title(row.build)
        if shown.is_recommended:
            title = self.tr("Why {name}").format(name=name)
        else:
            packager = packager_words(row.build)
            title = self.tr("{name}, packaged by {packager}").format(name=name, packager=packager)
        self.title.setText(title)
        self.setAccessibleName(title)
        reasons = [] if fit is None else [r for r in fit.reasons if not _is_said(r.code, fit)]
        words = reason_sentences([*reasons, *row.reasons])
        self.why.setText(words or basis_details(basis_of(fit)))
        remedies = [f"•  {reason_sentence(remedy)}" for remedy in (fit.remedies if fit else ())]
        self.remedies.setText("\n".join(remedies))
        self.remedies.setVisible(bool(remedies))
        if fit is not None:
            kv_type = fit.request.kv_type_k
            context = f"{format_tokens(fit.context_length_used)} × {kv_type}"
            self.parts.show_columns(pool_parts(fit, state.machine), context)
        else:
            self.parts.hide()
        self._show_sureness(shown, state)
        self._show_action(shown, name)

    def act(self) -> None:
        """Install, or chat where it is installed."""
        if self._shown is None or not self.action.isEnabled():
            return
        build = self._shown.row.build
        if build.installed_id is not None:
            self.chat_pressed.emit(build.installed_id)
        else:
            self.install_pressed.emit(build.target)

    def _on_elsewhere(self) -> None:
        if self._shown is not None:
            self.elsewhere_pressed.emit(self._shown.row.build.target)

    def _show_sureness(self, shown: ShownBuild, state: WhyState) -> None:
        """How sure the figures are; what could not be found out is said calmly."""
        basis = basis_of(shown.row.fit)
        text, details = basis_details(basis), ""
        if state.problem is not None:
            text = f"{text} {error_text(state.problem)}"
            details = error_details(state.problem)
        elif state.check is CheckState.READING:
            text = self.tr("Reading the beginning of this file…")
        elif state.check is CheckState.VERIFYING:
            text = self.tr("Asking the engine to lay this model out…")
        elif not state.is_here and basis is not Basis.EXPECTED:
            machine = state.machine.name
            text = self.tr("An estimate: the engine here cannot be asked for {machine}.")
            text = text.format(machine=machine)
        if basis is Basis.VERIFIED:
            text = self.tr("Verified: {details}").format(details=text)
        self.sureness.setText(text)
        self.sureness.setToolTip(details)

    def _show_action(self, shown: ShownBuild, name: str) -> None:
        build, fit = shown.row.build, shown.row.fit
        if build.installed_id is not None:
            text, spoken = self.tr("Chat"), self.tr("Chat with {name}").format(name=name)
        else:
            spoken = self.tr("Install {name}").format(name=name)
            is_short = build.quant is not None
            text = self.tr("Install {name}…") if is_short else self.tr("Install…")
            text = text.format(name=name)
        does_not_fit = fit is not None and fit.verdict is FitVerdict.DOES_NOT_FIT
        self.elsewhere.setVisible(does_not_fit)
        self.elsewhere.setAccessibleName(self.tr("Run {name} elsewhere").format(name=name))
        is_first = build.installed_id is not None or (fit is not None and fit.verdict.fits)
        # What the engine has no architecture for is not offered; what lies here stays reachable.
        self.action.setEnabled(build.installed_id is not None or build.engine_knows is not False)
        self.action.setText(text.replace("&", "&&"))
        self.action.setAccessibleName(spoken)
        set_property(self.action, "look", "primary" if is_first else "plain")


def _is_said(code: str, fit: Fit) -> bool:
    """Whether the line below the figures says it, or it matters only where nothing is on a GPU."""
    is_elsewhere = code in _ABOUT_OTHER_GPUS and fit.gpu_layers > 0
    return code in _ABOUT_THE_CHECK or is_elsewhere
