"""What an update would bring, in the words of the window."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from openshelf.library.updates import CURRENT, NEWER, FileChange, UpdateReport
from openshelf.ui.models.license_names import license_names
from openshelf.ui.models.plain_text import readable
from openshelf.ui.sentences import words
from openshelf.units import format_bytes

_MOST_FILES = 12


def _tr(text: str) -> str:
    return QCoreApplication.translate("UpdateWords", text)


def state_words(found: UpdateReport) -> str:
    """One sentence: nothing new, other terms, or another version."""
    if found.state == CURRENT:
        return _tr("Nothing new: the same files under the same terms.")
    if found.state == NEWER and found.has_other_files:
        text = _tr("There is a newer version: {size} would be fetched. Nothing was fetched yet.")
        return text.format(size=format_bytes(found.offer.left_bytes))
    if found.state == NEWER and not found.terms.is_changed:
        return _tr("There is a newer commit with the very same files.")
    return _tr("The files are the same, but their terms are other ones now.")


def terms_lines(found: UpdateReport) -> list[str]:
    """The license where it is as before, and what is newly odd about how it is declared."""
    lines = []
    if not found.terms.is_changed and found.state != CURRENT:
        text = _tr("License: {license}, as before.")
        after = found.terms.after
        names = license_names(after.effective, after.expression)
        lines.append(text.format(license=names or "–"))
    changed = "license_changed"
    return lines + [words(flag) for flag in found.terms.flags_added if flag != changed]


def file_lines(found: UpdateReport) -> list[str]:
    """Commits and files; nothing where nothing is new."""
    if found.state == CURRENT:
        return []
    commits = _tr("commit {old} → {new}").format(
        old=found.model.commit[:8], new=found.offer.commit[:8]
    )
    shown = [_file_line(file) for file in found.files[:_MOST_FILES]]
    left = len(found.files) - _MOST_FILES
    return [commits, *shown, *([f"… {left}"] if left > 0 else [])]


def _file_line(file: FileChange) -> str:
    if file.before == file.after:
        state = _tr("the same file")
    elif file.after is None:
        state = _tr("gone")
    else:
        state = _tr("another file, {size}").format(size=format_bytes(file.after[1]))
    return f"{readable(file.path)}: {state}"
