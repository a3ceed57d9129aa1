"""Above all pages: that another engine build is in use than the one that was chosen, and why."""

from __future__ import annotations

from openshelf.engine.builds import Builds
from openshelf.tasks import Announcer
from openshelf.ui.sentences import error_details, error_text, reason_sentence
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.notice import InlineNotice, NoticeLevel


class EngineNotice(InlineNotice):
    """Hidden while the chosen build is the one in use."""

    def __init__(self, bridge: TaskBridge, announcer: Announcer[Builds]) -> None:
        super().__init__()
        self.acted.connect(self.hide)
        bridge.listen(announcer, self._on_builds_changed)

    def _on_builds_changed(self, builds: Builds) -> None:
        if builds.replaced is None or builds.problem is None:
            self.hide()
            return
        self.show_message(
            f"{reason_sentence(builds.replaced)} {error_text(builds.problem)}",
            NoticeLevel.WARNING,
            button=self.tr("Close"),
            details=error_details(builds.problem),
        )
