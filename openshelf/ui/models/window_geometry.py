"""Where the window stood and how large it was, kept in a file of its own."""

from __future__ import annotations

import logging
from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings
from PySide6.QtWidgets import QWidget

log = logging.getLogger(__name__)


def restore_geometry(window: QWidget, file: Path) -> None:
    """As it was kept; the window stays as it is where that is of no use."""
    kept = _settings(file).value("geometry")
    if isinstance(kept, QByteArray) and not window.restoreGeometry(kept):
        log.info("the kept window geometry was of no use")


def keep_geometry(window: QWidget, file: Path) -> None:
    settings = _settings(file)
    settings.setValue("geometry", window.saveGeometry())
    settings.sync()


def _settings(file: Path) -> QSettings:
    return QSettings(str(file), QSettings.Format.IniFormat)
