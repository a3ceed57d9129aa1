"""Downloads on disk, one JSON file each: what it takes to go on after a restart, and no secrets."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import math
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openshelf.bandwidth import FASTEST, SLOWEST
from openshelf.durable import replace_file
from openshelf.errors import CorruptSettings
from openshelf.hub.entries import DownloadFile
from openshelf.library.install import InstallOffer
from openshelf.licenses.effective import effective_from_json
from openshelf.policy.gate import Gate

log = logging.getLogger(__name__)
_VERSION = 1
_TUPLES = ("source_paths",)
_TEXTS = (
    "target", "model_name", "packager", "publisher", "repo", "commit", "folder", "page_url",
    "origin", "placing",
)  # fmt: skip
_TEXTS_OR_NOTHING = ("quant", "local_path", "installed_id")
_COUNTS = ("left_bytes", "resumed_from_bytes", "free_bytes")
_SOURCES = ("hub", "starter", "file")
_MISREAD = (
    OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError,
    CorruptSettings,
)  # fmt: skip
"""What comes of a file that a crash or somebody else wrote."""


@dataclass(frozen=True)
class SavedDownload:
    """`created` in seconds since 1970; `order` is its place in the list (the same, until a person
    moves it); `limit` is its own, in bytes per second."""

    id: str
    created: float
    offer: InstallOffer
    order: float
    limit: int | None = None


def new_download(offer: InstallOffer) -> SavedDownload:
    """The last one in the list."""
    now = time.time()
    return SavedDownload(uuid.uuid4().hex[:12], now, offer, order=now)


def save_download(folder: Path, saved: SavedDownload) -> None:
    """Raises OSError."""
    offer = {
        field.name: getattr(saved.offer, field.name)
        for field in dataclasses.fields(saved.offer)
        if field.name not in ("decision", "files", "change")
    }
    data = {
        "v": _VERSION,
        "id": saved.id,
        "created": saved.created,
        "order": saved.order,
        "limit": saved.limit,
        "offer": {**offer, "files": [dataclasses.asdict(file) for file in saved.offer.files]},
        "license": saved.offer.decision.license.as_json(),
    }
    replace_file(_file(folder, saved.id), json.dumps(data).encode())


def forget_download(folder: Path, download_id: str) -> None:
    with contextlib.suppress(OSError):
        _file(folder, download_id).unlink()


def read_downloads(folder: Path, gate: Gate) -> list[SavedDownload]:
    """All that can be read, the oldest first; a broken file is put aside and said in the log."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            if not path.is_file():
                raise ValueError("a pipe would never answer")
            saved = _read(json.loads(path.read_bytes()), gate)
        except _MISREAD:
            log.warning("downloads: %s cannot be read and was put aside", path.name)
            with contextlib.suppress(OSError):
                path.replace(path.with_name(f"{path.name}.broken"))
            continue
        if path == _file(folder, saved.id):
            found.append(saved)
    return sorted(found, key=lambda saved: (saved.order, saved.id))


def as_wished(folder: Path, saved: SavedDownload) -> SavedDownload:
    """With the order and the limit that another process may have written meanwhile."""
    try:
        data = json.loads(_file(folder, saved.id).read_bytes())
        return replace(saved, order=_order(data), limit=_limit(data))
    except _MISREAD:
        return saved


def _order(data: dict[str, Any]) -> float:
    order = float(data.get("order", data["created"]))
    if not math.isfinite(order):
        raise ValueError("order")
    return order


def _limit(data: dict[str, Any]) -> int | None:
    limit = data.get("limit")
    return limit if type(limit) is int and SLOWEST <= limit <= FASTEST else None


def _read(data: dict[str, Any], gate: Gate) -> SavedDownload:
    offer = dict(data["offer"])
    files = tuple(_file_of(file) for file in offer.pop("files"))
    if not files:
        raise ValueError("no files")
    _check_types(offer)
    known = {field.name for field in dataclasses.fields(InstallOffer)}
    plain: dict[str, Any] = {
        name: tuple(value) if name in _TUPLES else value
        for name, value in offer.items()
        if name in known and name != "change"
    }
    # Main may have moved on meanwhile; and today's policy decides, not the one of that day.
    decision = gate.decide(effective_from_json(data["license"]))
    plain.update(files=files, decision=decision, is_main=False)
    restored = InstallOffer(**plain)
    created = float(data["created"])
    return SavedDownload(str(data["id"]), created, restored, _order(data), _limit(data))


def _file_of(data: dict[str, Any]) -> DownloadFile:
    file = DownloadFile(**data)
    texts = (file.repo, file.commit, file.path, file.sha256)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("file")
    if type(file.size_bytes) is not int or file.size_bytes < 0:
        raise ValueError("size")
    return file


def _check_types(offer: dict[str, Any]) -> None:
    """Raises TypeError, ValueError: one wrong entry must stop no start of the app."""
    texts = [offer[name] for name in _TEXTS if name in offer]
    texts += [offer[name] for name in _TEXTS_OR_NOTHING if offer.get(name) is not None]
    if not all(isinstance(text, str) for text in (*texts, *offer.get("source_paths", ()))):
        raise TypeError("text")
    if not all(type(offer[name]) is int for name in _COUNTS if name in offer):
        raise TypeError("count")
    if offer["source"] not in _SOURCES:
        raise ValueError("source")


def _file(folder: Path, download_id: str) -> Path:
    return folder / f"{download_id}.json"
