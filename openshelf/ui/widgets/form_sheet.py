"""A small sheet that asks before something is written: fields, a problem, two buttons."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget
from typing_extensions import override

from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets.buttons import Button
from openshelf.ui.widgets.containers import ScrollPage
from openshelf.ui.widgets.notice import InlineNotice, NoticeLevel
from openshelf.ui.widgets.overlay import Overlay
from openshelf.ui.widgets.text import TextLabel

_WIDTH, _SIDE, _TOP, _GAP, _SPARE = 560, 24, 20, 10, 12


class FormSheet(Overlay):
    """Emits `confirmed` on `action`; the owner closes it once it is done. Fill `body`."""

    confirmed = Signal()

    def __init__(self, host: QWidget, title: str, text: str, action: Button) -> None:
        super().__init__(host, width=_WIDTH, name=title)
        column = QVBoxLayout(self.panel)
        column.setContentsMargins(1, _TOP, 1, _TOP)
        column.setSpacing(_GAP)
        head = QHBoxLayout()
        head.setContentsMargins(_SIDE, 0, _SIDE, 0)
        head.addWidget(TextLabel(title, TextRole.TITLE, wrap=True))
        self._scroll = ScrollPage(margin=_SIDE, top=2, spacing=8)
        self._scroll.setAccessibleName(title)
        self.body = QVBoxLayout()
        self.body.setSpacing(8)
        self.problem = InlineNotice()
        self._scroll.body.addWidget(TextLabel(text, TextRole.BODY, "muted", wrap=True))
        self._scroll.body.addLayout(self.body)
        self._scroll.body.addWidget(self.problem)
        self._scroll.body.addStretch(1)
        foot = QHBoxLayout()
        foot.setContentsMargins(_SIDE, 0, _SIDE, 0)
        foot.setSpacing(10)
        foot.addStretch(1)
        self.cancel = Button(self.tr("Cancel"))
        self.action = action
        foot.addWidget(self.cancel)
        foot.addWidget(self.action)
        column.addLayout(head)
        column.addWidget(self._scroll, 1)
        column.addLayout(foot)
        self._head, self._foot = head, foot
        self.is_busy = False
        self.cancel.clicked.connect(self.close_sheet)
        self.action.clicked.connect(self._on_action)

    def add_field(self, name: str, text: str = "", hint: str = "", longest: int = 200) -> QLineEdit:
        """A line to write in, under its name."""
        label = TextLabel(name, TextRole.SMALL, "muted")
        field = QLineEdit(text)
        field.setAccessibleName(name)
        field.setPlaceholderText(hint)
        field.setMaxLength(longest)
        label.setBuddy(field)
        self.body.addWidget(label)
        self.body.addWidget(field)
        return field

    def set_busy(self, *, busy: bool) -> None:
        """While it is being done, nothing is asked for twice."""
        self.is_busy = busy
        self.action.setEnabled(not busy)

    def show_problem(self, text: str, details: str = "") -> None:
        """Why it was not done; what was entered stays."""
        self.set_busy(busy=False)
        self.tell(text, NoticeLevel.BAD, details=details)

    def tell(self, text: str, level: NoticeLevel, *, details: str = "") -> None:
        """Say it below the fields, where it can be seen."""
        self.problem.show_message(text, level, details=details)
        self.fit_panel()
        self._scroll.ensureWidgetVisible(self.problem)

    def start_at(self, field: QWidget) -> None:
        """Open it, with the keyboard on this field."""
        self.open_sheet()
        field.setFocus(Qt.FocusReason.OtherFocusReason)

    @override
    def wanted_height(self, width: int) -> int:
        ends = self._head.totalHeightForWidth(width) + self._foot.sizeHint().height()
        return ends + 2 * (_TOP + _GAP) + _SPARE + self._scroll.content_height(width - 2)

    def _on_action(self) -> None:
        if not self.is_busy:
            self.problem.hide()
            self.fit_panel()
            self.confirmed.emit()
