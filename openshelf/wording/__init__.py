"""Codes to sentences, for the window and the command line. The only place with sentences; Qt-free.

One table per package, `code → template`. The window passes the template through its translation
before it is filled; the command line fills the English. Fields take our own format words:
`{size_bytes:bytes}` (7.3 GB), `:gib` (6.8 GiB), `:tokens` (8K), `:rate` (38 MB/s), `:duration`
(3 min), `:percent` (0.97 → 97 %), `:list` (a, b and c), `:fact` (mau → monthly active users),
`:line` (12 → " (line 12)", 0 → ""), `:clause` (§2 → " (§2)", "" → "").
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from typing_extensions import override

from openshelf import units
from openshelf.errors import OpenshelfError
from openshelf.reasons import Reason

_TABLES = (
    "errors", "hardware", "fit", "licenses", "engine", "hub", "library", "shelf", "answers",
    "command_line", "evidence", "launch", "words",
)  # fmt: skip


class _Formatter(string.Formatter):
    """Fills templates; a field that is missing shows as `?` and never raises."""

    @override
    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        value = kwargs.get(str(key))
        return "?" if value is None else value

    @override
    def format_field(self, value: Any, format_spec: str) -> str:
        if value == "?":
            return "?"
        match format_spec:
            case "bytes":
                return units.format_bytes(int(value))
            case "gib":
                return units.format_bytes(int(value), binary=True)
            case "tokens":
                return units.format_tokens(int(value))
            case "rate":
                return units.format_rate(float(value))
            case "duration":
                return units.format_duration(float(value))
            case "percent":
                return f"{float(value) * 100:.0f} %"
            case "fact":
                names = str(value).split("/")
                return join_words([template(f"fact_{name}") for name in names])
            case "line":
                return f" (line {value})" if value else ""
            case "clause":
                return f" ({value})" if value else ""
            case "list":
                return join_words([shown(str(item)) for item in value])
            case _:
                return shown(str(super().format_field(value, format_spec)))


def shown(text: str) -> str:
    """What files, models and servers say, without control characters and without marks that turn
    the rest of a sentence around; those that join letters stay."""
    return "".join(c if c.isprintable() or c in _HARMLESS else "\ufffd" for c in text)


_HARMLESS = "\n\t\u200c\u200d"
_formatter = _Formatter()


def join_words(words: Sequence[str]) -> str:
    """`["a", "b", "c"]` → `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _load_templates() -> dict[str, str]:
    templates: dict[str, str] = {}
    for name in _TABLES:
        table: dict[str, str] = import_module(f"openshelf.wording.{name}").TEMPLATES
        twice = templates.keys() & table.keys()
        if twice:
            raise AssertionError(f"codes worded twice: {sorted(twice)}")
        templates.update(table)
    return templates


TEMPLATES = _load_templates()


def template(code: str) -> str:
    """The English template of a code; an unknown code shows itself rather than nothing."""
    return TEMPLATES.get(code, code.replace("_", " "))


def fill(text: str, data: Mapping[str, Any]) -> str:
    return _formatter.vformat(text, (), data)


def sentence(reason: Reason) -> str:
    return fill(template(reason.code), reason.data)


def reason_of(error: BaseException) -> Reason:
    """An error as a reason: its key in errors.py, the closest of `Kind.what.candidates`,
    `Kind.why` (NetworkFailure.timeout), `Kind.http` for every other status, `Kind.what`, `Kind`."""
    if not isinstance(error, OpenshelfError):
        return Reason("unexpected", {"name": type(error).__name__})
    data = error.data()
    what = f"{error.kind}.{data.get('what')}"
    codes = [f"{error.kind}.{data.get('why')}", what, error.kind]
    if str(data.get("why")).startswith("http_"):
        codes.insert(1, f"{error.kind}.http")
    if data.get("candidates"):
        codes.insert(0, f"{what}.candidates")
    for code in codes:
        if code in TEMPLATES:
            return Reason(code, data)
    return Reason("unexpected", {"name": error.kind})


def error_sentence(error: BaseException) -> str:
    """What happened, why and what to do, in one or two sentences without a traceback."""
    return sentence(reason_of(error))
