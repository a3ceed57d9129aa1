"""Below the message: files to attach, whether to think first, a prompt to begin with."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QMenu, QWidget

from openshelf.chat.advice import Advice
from openshelf.ui.widgets.buttons import LinkButton


class ComposerFoot(QWidget):
    """`attach_requested`; `prompt_chosen` carries the name of a saved prompt. `thinking` and
    `effort` go with the next message (engine/asking.py)."""

    attach_requested = Signal()
    prompt_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(14)
        self.attach_button = LinkButton(self.tr("Attach"), self.tr("Attach files"), muted=True)
        self.attach_button.setToolTip(
            self.tr("Text, code, PDF or pictures; files can also be dropped here (Ctrl+Shift+A)")
        )
        self.think_button = LinkButton(muted=True)
        self._think_menu = QMenu(self)
        self.think_button.setMenu(self._think_menu)
        self.prompt_button = LinkButton(muted=True)
        self._prompt_menu = QMenu(self)
        self.prompt_button.setMenu(self._prompt_menu)
        for button in (self.attach_button, self.think_button, self.prompt_button):
            row.addWidget(button)
        self._advice = Advice()
        self.thinking: bool | None = None
        self.effort = ""
        self._prompt = ""
        self.attach_button.clicked.connect(self.attach_requested)
        self._think_menu.triggered.connect(self._on_think)
        self._prompt_menu.triggered.connect(self._on_prompt)
        self._show_thinking()
        self.show_prompts((), is_new=True)

    # --- thinking ---------------------------------------------------------------------------------

    def show_advice(self, advice: Advice) -> None:
        """What the model's template can be told; what it cannot is not sent."""
        self._advice = advice
        if not advice.can_switch_thinking:
            self.thinking = None
        if not advice.efforts:
            self.effort = ""
        self._show_thinking()

    def set_thinking(self, thinking: bool | None, effort: str) -> None:  # noqa: FBT001 (three states)
        self.thinking, self.effort = thinking, effort
        self.show_advice(self._advice)

    def _show_thinking(self) -> None:
        advice, menu = self._advice, self._think_menu
        menu.clear()
        usual = self.tr("as the model does by itself")
        if advice.can_switch_thinking:
            for value, words in (
                (None, usual), (True, self.tr("Think before answering")),
                (False, self.tr("Answer at once")),
            ):  # fmt: skip
                self._add(words, ("thinking", value), checked=self.thinking is value)
        if advice.efforts:
            menu.addSeparator()
            self._add(self.tr("Effort: {how}").format(how=usual), ("effort", ""),
                      checked=not self.effort)  # fmt: skip
            for effort in advice.efforts:
                words = self.tr("Effort: {how}").format(how=self._effort_words(effort))
                self._add(words, ("effort", effort), checked=self.effort == effort)
        self.think_button.setVisible(advice.can_switch_thinking or bool(advice.efforts))
        self.think_button.setText(self._think_words())
        self.think_button.setAccessibleName(self._think_words())

    def _add(self, words: str, data: object, *, checked: bool) -> None:
        action = self._think_menu.addAction(words)
        action.setCheckable(True)
        action.setChecked(checked)
        action.setData(data)

    def _effort_words(self, effort: str) -> str:
        known = {"low": self.tr("low"), "medium": self.tr("medium"), "high": self.tr("high")}
        return known.get(effort, effort)

    def _think_words(self) -> str:
        if self._advice.efforts and self.effort:
            return self.tr("Think: {how}").format(how=self._effort_words(self.effort))
        state = {True: self.tr("on"), False: self.tr("off"), None: self.tr("auto")}
        return self.tr("Think: {how}").format(how=state[self.thinking])

    def _on_think(self, action: QAction) -> None:
        kind, value = action.data()
        if kind == "thinking":
            self.thinking = value
        else:
            self.effort = value
        self._show_thinking()

    # --- prompts ----------------------------------------------------------------------------------

    def show_prompts(self, names: Sequence[str], *, is_new: bool, shown: str = "") -> None:
        """The saved prompts; `shown` is the one that is in use. Only a new chat can take one."""
        self._prompt = shown
        self._prompt_menu.clear()
        for name in names:
            action = self._prompt_menu.addAction(name.replace("&", "&&"))
            action.setCheckable(True)
            action.setChecked(name == shown)
            action.setData(name)
        self.prompt_button.setVisible(bool(names) and (is_new or bool(shown)))
        self.prompt_button.setEnabled(is_new)
        words = self.tr("Prompt: {name}").format(name=shown or self.tr("none"))
        self.prompt_button.setText(self._short(words))
        self.prompt_button.setAccessibleName(words)
        fixed = self.tr("Fixed with the first message of a chat.")
        self.prompt_button.setToolTip(words if is_new else fixed)

    def _short(self, words: str) -> str:
        return words if len(words) <= 32 else f"{words[:31]}…"  # a name may be as long as it likes

    def _on_prompt(self, action: QAction) -> None:
        self.prompt_chosen.emit(str(action.data()))
