"""From an offer to a request for a review, and onto the disk; nothing is sent anywhere."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from openshelf.durable import replace_file
from openshelf.errors import UnwritableFile
from openshelf.library.evidence import os_user_name
from openshelf.library.install import InstallOffer
from openshelf.policy.review_request import ReviewSubject


def subject_of(offer: InstallOffer, asked_by: str, note: str) -> ReviewSubject:
    """What is asked about; without a name, whoever is signed in asks."""
    return ReviewSubject(
        target=offer.target,
        repo=offer.repo,
        commit=offer.commit,
        files=offer.cleared_files,
        asked_by=asked_by or os_user_name(),
        at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        note=note,
        change=offer.change,
    )


def write_request(path: Path, text: str) -> str:
    """Write the text; returns the path. Raises UsageError."""
    try:
        replace_file(path, text.encode("utf-8"), is_private=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnwritableFile(reason, str(path)) from error
    return str(path)
