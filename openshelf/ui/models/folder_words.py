"""What is said of a model folder: its state in words, and their tone."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from openshelf.library.folders import FolderCondition, ModelFolder, drive_of
from openshelf.units import format_bytes


def _tr(text: str) -> str:
    return QCoreApplication.translate("ModelFolders", text)


def folder_state(folder: ModelFolder) -> str:
    """Free space where it is here; else what is wrong, with the drive where the path tells it."""
    if folder.same_as:
        return _tr("the same folder as {path}").format(path=folder.same_as)
    if folder.is_here:
        if not folder.look.is_writable:
            return _tr("cannot be written")
        return _tr("{size} free").format(size=format_bytes(folder.look.free_bytes))
    if not folder.is_missing:
        return _tr("made when it is first needed")
    match folder.condition:
        case FolderCondition.NOT_A_FOLDER:
            return _tr("is a file")
        case FolderCondition.UNREADABLE:
            return _tr("cannot be read")
        case FolderCondition.NOT_MOUNTED:
            return _tr("not mounted")
        case FolderCondition.SILENT:
            return _tr("does not answer")
    drive = drive_of(folder.path)
    return _tr("drive {drive} is not here").format(drive=drive) if drive else _tr("not here")


def folder_tone(folder: ModelFolder) -> str:
    return "warning" if folder.is_missing else "muted"
