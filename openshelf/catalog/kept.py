"""What a refresh keeps on disk: the last good lists of the Hub, the last good copy of a catalog.

Two JSON files; one that is missing or damaged counts as nothing kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openshelf.catalog.found import FoundRepo
from openshelf.durable import replace_file
from openshelf.reasons import Reason

_FORMAT = 1


@dataclass(frozen=True)
class AccountList:
    """What one account on the Hub had; times in seconds since 1970.

    `smaller_since`: since when the Hub lists fewer than are kept here.
    """

    asked_at: float
    repos: tuple[FoundRepo, ...] = ()
    smaller_since: float | None = None


@dataclass(frozen=True)
class KeptLists:
    """Of one Hub. `refreshed_at` is when the last round over all accounts was complete; before
    `not_before` the Hub asked to be left alone; `note` tells what the last attempt came to."""

    accounts: Mapping[str, AccountList] = field(default_factory=dict)
    refreshed_at: float | None = None
    not_before: float = 0.0
    note: Reason | None = None


@dataclass(frozen=True)
class KeptFile:
    """A catalog from an address, as it was when it was last good; `text` is the whole file."""

    address: str
    text: str = ""
    etag: str = ""
    last_modified: str = ""
    checked_at: float = 0.0
    not_before: float = 0.0
    note: Reason | None = None


@dataclass(frozen=True)
class Store:
    """Reads and writes both in `folder`."""

    folder: Path

    def lists(self, host: str) -> KeptLists:
        try:
            data = _read(self._lists_file(host))
            accounts = {
                str(name): AccountList(
                    asked_at=float(row["asked_at"]),
                    repos=tuple(_repo(entry) for entry in row["repos"]),
                    smaller_since=_time(row.get("smaller_since")),
                )
                for name, row in data["accounts"].items()
            }
            return KeptLists(
                accounts=accounts,
                refreshed_at=_time(data["refreshed_at"]),
                not_before=float(data["not_before"]),
                note=_reason(data["note"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return KeptLists()

    def write_lists(self, host: str, lists: KeptLists) -> None:
        data = {
            "format": _FORMAT,
            "accounts": {name: dataclasses.asdict(row) for name, row in lists.accounts.items()},
            "refreshed_at": lists.refreshed_at,
            "not_before": lists.not_before,
            "note": _note(lists.note),
        }
        _write(self._lists_file(host), data)

    def file(self, address: str) -> KeptFile:
        """What is kept of this address; of another one nothing is."""
        try:
            data = _read(self._address_file)
            if data["address"] != address:
                return KeptFile(address)
            return KeptFile(
                address=address,
                text=str(data["text"]),
                etag=str(data["etag"]),
                last_modified=str(data["last_modified"]),
                checked_at=float(data["checked_at"]),
                not_before=float(data["not_before"]),
                note=_reason(data["note"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return KeptFile(address)

    def write_file(self, kept: KeptFile) -> None:
        facts = {**vars(kept), "note": _note(kept.note)}
        _write(self._address_file, {"format": _FORMAT, **facts})

    @property
    def _address_file(self) -> Path:
        return self.folder / "address.json"

    def _lists_file(self, host: str) -> Path:
        # Another Hub has other repositories under the same names.
        return self.folder / f"lists-{re.sub(r'[^A-Za-z0-9.-]', '_', host)[:100]}.json"


def _read(path: Path) -> Any:
    data = json.loads(path.read_bytes())
    if data["format"] != _FORMAT:
        raise ValueError("another format")
    return data


def _write(path: Path, data: Mapping[str, Any]) -> None:
    # A cache that cannot be written is no reason to fail.
    with contextlib.suppress(OSError):
        replace_file(path, json.dumps(data).encode("utf-8", "replace"))


def _repo(entry: Mapping[str, Any]) -> FoundRepo:
    optional = {name: entry.get(name) for name in ("base", "architecture", "created")}
    return FoundRepo(str(entry["repo"]), **{k: str(v) for k, v in optional.items() if v})


def _time(value: Any) -> float | None:
    return None if value is None else float(value)


def _note(reason: Reason | None) -> dict[str, Any] | None:
    return None if reason is None else {"code": reason.code, "data": dict(reason.data)}


def _reason(data: Any) -> Reason | None:
    return None if data is None else Reason(str(data["code"]), dict(data["data"]))
