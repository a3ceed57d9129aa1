"""Names and notes of the acceptance log, outside its chain so that they can be erased.

The chain holds only a salted hash of them; this file holds salt and text. Without its line here a
name cannot be won back from the log.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openshelf.durable import replace_file
from openshelf.licenses.log_file import decoded, open_for_appending, read_plain


@dataclass(frozen=True)
class PersonNames:
    """JSON lines of record_id, salt, display, note; readable by its owner only."""

    path: Path

    def sealed(self, record: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """(record with hashes for name and note, entry to be kept here) of a new record."""
        person = dict(record.get("accepted_by") or {})
        display, note = str(person.pop("display", "") or ""), str(record.get("note") or "")
        bare = {key: value for key, value in record.items() if key != "note"}
        if not display and not note:
            return {**bare, "accepted_by": person}, None
        salt = secrets.token_hex(16)
        person["display_sha256"] = _hash(salt, display)
        sealed = {**bare, "accepted_by": person, "note_sha256": _hash(salt, note)}
        return sealed, {"salt": salt, "display": display, "note": note}

    def keep(self, record_id: str, entry: dict[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"record_id": record_id, **entry}, ensure_ascii=False) + "\n"
        if self._ends_within_a_line():
            line = f"\n{line}"
        with os.fdopen(open_for_appending(self.path), "wb") as file:
            file.write(line.encode("utf-8", "replace"))
            file.flush()
            os.fsync(file.fileno())

    def _ends_within_a_line(self) -> bool:
        """What a crash left must not take the next name with it."""
        try:
            content = read_plain(self.path)
        except OSError:
            return False
        return bool(content) and not content.endswith(b"\n")

    def opened(self, record: dict[str, Any], entries: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """The record with name and note again, as far as they are kept and match their hash."""
        accepted_by = record.get("accepted_by")
        # Whatever somebody wrote into the log by hand can still be listed.
        person = dict(accepted_by) if isinstance(accepted_by, dict) else {}
        entry = entries.get(str(record.get("record_id")), {})
        salt = str(entry.get("salt", ""))
        display, note = str(entry.get("display", "")), str(entry.get("note", ""))
        person["display"] = display if person.get("display_sha256") == _hash(salt, display) else ""
        note = note if record.get("note_sha256") == _hash(salt, note) else ""
        return {**record, "accepted_by": person, "note": note}

    def entries(self) -> dict[str, dict[str, Any]]:
        try:
            content = read_plain(self.path)
        except OSError:
            return {}
        found: dict[str, dict[str, Any]] = {}
        for line in content.splitlines():
            try:
                entry = decoded(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                found[str(entry.get("record_id"))] = entry
        return found

    def erase(self, record_ids: set[str]) -> None:
        """Forget the names of these records; the chain stays whole."""
        kept = [entry for id_, entry in self.entries().items() if id_ not in record_ids]
        lines = (json.dumps(entry, ensure_ascii=False) + "\n" for entry in kept)
        replace_file(self.path, "".join(lines).encode("utf-8", "replace"), is_private=True)


def _hash(salt: str, text: str) -> str:
    return hashlib.sha256(f"{salt}\0{text}".encode("utf-8", "replace")).hexdigest()
