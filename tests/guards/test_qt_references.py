"""PySide6 6.12.0 on Python < 3.12 drops a reference to None on each void call and aborts after some
thousand; the version we use must not."""

from __future__ import annotations

import sys

from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot


def test_void_calls_keep_the_references_of_none(qtbot: QtBot) -> None:
    label = QLabel()
    qtbot.addWidget(label)
    before = sys.getrefcount(None)
    for _ in range(1000):
        label.setText("a")
    # From Python 3.12 on None is immortal: its count stands still, and so does the difference.
    assert abs(sys.getrefcount(None) - before) <= 10
