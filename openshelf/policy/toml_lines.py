"""Where in a TOML text something stands: tomllib says no line for a key, and a person wants one."""

from __future__ import annotations

import re

_PLACE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)\s*$")
_HEADER = re.compile(r"\s*\[+\s*([^\[\]]+?)\s*\]+\s*(?:#.*)?$")

_ENTRY = re.compile(r"^([^\[\]]+)\[(\d+)\](?:\.(.+))?$")


def place_of_error(error: BaseException, raw: bytes) -> tuple[int, str]:
    """(line from 1, what is wrong) of an error of decoding or parsing."""
    if isinstance(error, UnicodeDecodeError):
        line = raw.count(b"\n", 0, error.start) + 1
        return line, "it holds bytes that are not UTF-8"
    detail = str(error)
    found = _PLACE.search(detail)
    if found is None:
        return 0, detail
    line = int(found[1]) if found[1] else max(1, len(raw.splitlines()))
    return line, detail[: found.start()]


def line_of_key(text: str, key: str) -> int:
    """The line, from 1, on which a dotted key is set; 0 where that cannot be told.

    `organization.mau` is found below `[organization]` or written out; a table at its header, and
    `rules.waivers[2].until` below the second `[[rules.waivers]]`, or else there.
    """
    if entry := _ENTRY.match(key):
        return _line_of_entry(text, entry[1], int(entry[2]), entry[3] or "")
    table, _, name = key.rpartition(".")
    inside = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            inside = _bare(header[1])
            if inside == key:
                return number
            continue
        written = line.partition("=")[0]
        if "=" in line and _joined(inside, written) == _joined(table, name):
            return number
    return 0


def _line_of_entry(text: str, array: str, wanted: int, name: str) -> int:
    count = at = 0
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            count += _bare(header[1]) == array
            if count > wanted or (at and _bare(header[1]) != array):
                break
            at = number if count == wanted and not at else at
        elif at and "=" in line and _bare(line.partition("=")[0]) == name:
            return number
    return at or line_of_key(text, array)


def _joined(table: str, key: str) -> str:
    return ".".join(part for part in (table, _bare(key)) if part)


def _bare(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))
