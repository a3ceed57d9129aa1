"""What the scheduled verification is at, and what it found, told in a notice."""

from __future__ import annotations

from openshelf.library.upkeep import UpkeepState
from openshelf.services import Services
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.notice import InlineNotice, NoticeLevel
from openshelf.units import format_bytes


class UpkeepNotice(InlineNotice):
    """Hidden until something is verified in the background."""

    def __init__(self, services: Services, bridge: TaskBridge) -> None:
        super().__init__()
        self._services = services
        self._is_running = False
        self.acted.connect(self._on_acted)
        bridge.listen(services.upkeep.announcer, self._on_state, latest_by=_one)

    def _on_state(self, state: UpkeepState) -> None:
        self._is_running = state.is_running
        if state.is_running:
            self._show_progress(state)
        elif state.damaged:
            text = self.tr("The verification in the background found damaged files: {names}. They "
                           "are not loaded any more.")  # fmt: skip
            names = ", ".join(" ".join(name.split())[:60] for name in state.damaged)
            self.show_message(text.format(names=names), NoticeLevel.BAD, button=self.tr("Close"))
        elif state.verified:
            text = self.tr("%n file(s) verified in the background: as they were installed.", "",
                           state.verified)  # fmt: skip
            self.show_message(text, NoticeLevel.GOOD, button=self.tr("Close"))
        else:
            self.hide()

    def _show_progress(self, state: UpkeepState) -> None:
        if state.waits:
            text = self.tr("Verifying {name} in the background: waits until nothing else runs.")
        else:
            text = self.tr("Verifying {name} in the background: {done} of {total}")
        text = text.format(
            name=" ".join(state.model_name.split())[:60],
            done=format_bytes(state.done_bytes),
            total=format_bytes(state.total_bytes),
        )
        if self.isHidden() or self.button.text() != self.tr("Stop"):
            self.show_message(text, button=self.tr("Stop"))
        self.text.setText(text)

    def _on_acted(self) -> None:
        if self._is_running:
            self._services.upkeep.stop()
        else:
            self.hide()


def _one(_: UpkeepState) -> str:
    return "upkeep"
