"""`‹ 2/3 ›`: which of a message's versions is shown, and the way to the others."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.buttons import LinkButton
from openshelf.ui.widgets.text import TextLabel


class VersionPager(QWidget):
    """`version_chosen` carries a message's id. Hidden where there is only one version."""

    version_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        self.back = LinkButton("‹", self.tr("The version before"), muted=True, small=True)
        self.forth = LinkButton("›", self.tr("The next version"), muted=True, small=True)
        self.back.setToolTip(self.tr("The version before (Alt+Page Up)"))
        self.forth.setToolTip(self.tr("The next version (Alt+Page Down)"))
        self.place = TextLabel("", TextRole.TINY, "muted")
        for part in (self.back, self.place, self.forth):
            row.addWidget(part)
        self._ids: tuple[int, ...] = ()
        self._at = 0
        self.back.clicked.connect(self._on_back)
        self.forth.clicked.connect(self._on_forth)
        self.hide()

    def show_versions(self, shown: int, ids: Sequence[int]) -> None:
        """All versions oldest first, `shown` among them."""
        self._ids = tuple(ids)
        self._at = self._ids.index(shown) if shown in self._ids else 0
        count = len(self._ids)
        self.place.setText(f"{self._at + 1}/{count}")
        words = self.tr("Version {number} of {count}")
        self.place.setAccessibleName(words.format(number=self._at + 1, count=count))
        self.back.setEnabled(self._at > 0)
        self.forth.setEnabled(self._at + 1 < count)
        self.setVisible(count > 1)

    @property
    def has_others(self) -> bool:
        return len(self._ids) > 1

    def turn(self, by: int) -> None:
        """To the version before or after; nothing where there is none."""
        if self.isEnabled() and 0 <= self._at + by < len(self._ids):
            self.version_chosen.emit(self._ids[self._at + by])

    def take_focus(self) -> None:
        """To where the person was: the same button, or the one that can still be pressed."""
        (self.forth if self.forth.isEnabled() else self.back).setFocus()

    def _on_back(self) -> None:
        self.turn(-1)

    def _on_forth(self) -> None:
        self.turn(1)
