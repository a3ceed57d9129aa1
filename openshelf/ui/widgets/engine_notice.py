"""Above all pages: another engine build is in use than was chosen, or a GPU is lost to it."""

from __future__ import annotations

from openshelf.engine.builds import Builds
from openshelf.tasks import Announcer
from openshelf.ui.sentences import error_details, error_text, reason_sentence
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.notice import InlineNotice, NoticeLevel


class EngineNotice(InlineNotice):
    """Hidden while the chosen build is in use with all its GPUs."""

    def __init__(self, bridge: TaskBridge, announcer: Announcer[Builds]) -> None:
        super().__init__()
        self.acted.connect(self.hide)
        bridge.listen(announcer, self._on_builds_changed)

    def _on_builds_changed(self, builds: Builds) -> None:
        said, details = [], ""
        if builds.replaced is not None and builds.problem is not None:
            said += [reason_sentence(builds.replaced), error_text(builds.problem)]
            details = error_details(builds.problem)
        if builds.without_gpu is not None:
            said.append(reason_sentence(builds.without_gpu))
        if not said:
            self.hide()
            return
        close = self.tr("Close")
        self.show_message(" ".join(said), NoticeLevel.WARNING, button=close, details=details)
