"""The tab Obligations: what the model's license asks, as the install sheet shows it."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtWidgets import QVBoxLayout, QWidget

from openshelf.licenses.license import License
from openshelf.policy.verdict import Decision
from openshelf.ui.models.terms import build_terms
from openshelf.ui.pages.install_terms import TermsPanel


class ObligationsPanel(QWidget):
    """The terms of one decision; filled when it is first shown."""

    def __init__(self) -> None:
        super().__init__()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._decision: Decision | None = None
        self.terms: TermsPanel | None = None

    def show_decision(self, decision: Decision, licenses: Mapping[str, License]) -> None:
        if decision is self._decision:
            return
        self._decision = decision
        if self.terms is not None:
            self.terms.hide()
            self.terms.deleteLater()
        self.terms = TermsPanel()
        self.terms.show_terms(build_terms(decision, licenses))
        self._column.addWidget(self.terms)
