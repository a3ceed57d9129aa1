"""The system's trash, from which a person can take back what was removed."""

from __future__ import annotations

from pathlib import Path

from openshelf.errors import NoTrash


def send_to_trash(path: Path) -> None:
    """Move a file there; its bytes stay taken until the trash is emptied. Raises NoTrash."""
    # A late import: on macOS it loads frameworks.
    from send2trash import send2trash

    try:
        send2trash(str(path))
    except OSError as error:
        detail = error.strerror or str(error) or type(error).__name__
        raise NoTrash(detail, str(path)) from error
