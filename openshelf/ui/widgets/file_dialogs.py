"""Asking for a file without a nested event loop: the dialog tells a slot what was chosen."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget


def ask_for_file(
    parent: QWidget, title: str, filters: str, chosen: Callable[[str], object]
) -> QFileDialog:
    """A file that is there."""
    dialog = _dialog(parent, title, filters, chosen)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.open()
    return dialog


def ask_for_folder(parent: QWidget, title: str, chosen: Callable[[str], object]) -> QFileDialog:
    """A folder that is there."""
    dialog = _dialog(parent, title, "", chosen)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.open()
    return dialog


def ask_where_to_save(
    parent: QWidget, title: str, name: str, filters: str, chosen: Callable[[str], object]
) -> QFileDialog:
    """A new file, or one to be replaced; `name` is proposed, and its ending is added."""
    dialog = _dialog(parent, title, filters, chosen)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix(name.rpartition(".")[2])
    dialog.selectFile(name)
    dialog.open()
    return dialog


def _dialog(
    parent: QWidget, title: str, filters: str, chosen: Callable[[str], object]
) -> QFileDialog:
    dialog = QFileDialog(parent, title)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setNameFilter(filters)
    dialog.fileSelected.connect(chosen)
    return dialog
