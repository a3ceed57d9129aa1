"""A choice holds at once; that it is on the disk is waited for in a task."""

from __future__ import annotations

import logging
from collections.abc import Callable

from openshelf.services import SettingsStoreLike
from openshelf.settings import Settings
from openshelf.tasks import CancelToken, Failed, Outcome, Report
from openshelf.ui.task_bridge import TaskBridge

log = logging.getLogger(__name__)


def keep_settings(
    store: SettingsStoreLike,
    bridge: TaskBridge,
    settings: Settings,
    on_written: Callable[[Outcome[None]], None] | None = None,
) -> None:
    """Put `settings` in force and have them written; `on_written` is called in the window's thread,
    without it a failure is logged. Raises UsageError; then nothing changes.

    What was not written when Openshelf closes is written then.
    """
    store.adopt(settings)

    def work(cancel: CancelToken, report: Report) -> None:
        store.write()

    bridge.submit("keep settings", work, on_outcome=on_written or _note_failure)


def _note_failure(outcome: Outcome[None]) -> None:
    if isinstance(outcome, Failed):
        log.info("a choice is not kept: %s", outcome.error)
