"""What the models take: links are no copies, copies are named."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from openshelf.library.disk_use import disk_use, unused_models
from openshelf.library.installed import InstalledFile, InstalledModel
from tests.fakes.downloads import installed_model


def model_of(name: str, *paths: Path, **changes: str) -> InstalledModel:
    files = tuple(
        InstalledFile(path.name, str(path), path.stat().st_size, path.read_bytes().hex())
        for path in paths
    )
    return replace(installed_model(name), files=files, **changes)


def test_shared_bytes_count_once_and_copies_are_named(tmp_path: Path) -> None:
    original, hard, link, copy = (tmp_path / name for name in ("a", "hard", "link", "copy"))
    original.write_bytes(b"a" * 100)
    os.link(original, hard)
    link.symlink_to(original)
    copy.write_bytes(b"a" * 100)
    own = tmp_path / "own"
    own.write_bytes(b"b" * 7)
    first = model_of("First", original, own, installed_at="2026-01-01T00:00:00Z")
    second = model_of("Second", hard, installed_at="2026-01-02T00:00:00Z")
    third = model_of("Third", link, installed_at="2026-01-03T00:00:00Z")
    fourth = model_of("Fourth", copy, installed_at="2026-01-04T00:00:00Z")
    gone = replace(model_of("Gone", copy), missing=True)
    use = disk_use([fourth, third, gone, second, first])
    assert use.by_model == {first.id: 107, second.id: 0, third.id: 0, fourth.id: 100}
    assert use.used_bytes == 207
    (found,) = use.duplicates
    assert found.places == ((first.id, str(original)), (fourth.id, str(copy)))
    assert (found.spare_bytes, use.spare_bytes) == (100, 100)
    assert disk_use([]).duplicates == ()


def test_what_was_not_used_for_30_days() -> None:
    now = datetime(2026, 11, 26, tzinfo=UTC)
    old = installed_model("Old", last_used_at="2026-10-01T00:00:00Z")
    never = installed_model("Never", installed_at="2026-09-01T00:00:00Z")
    new = installed_model("New", installed_at="2026-11-25T00:00:00Z")
    used = installed_model(
        "Used", installed_at="2025-01-01T00:00:00Z", last_used_at="2026-11-20T00:00:00Z"
    )
    assert unused_models([new, old, used, never], now) == (never, old)
